"""What a public callable promises, as a value: one `Case` for each, from which all the checks are generated.

The cases of a package live in the modules of `tests/conformance/<package>/`, each of which may define

    CASES: list[Case]       one or more for each public callable of the package and of the halls in it
    DATA: dict[str, str]    public names that need no case, each with the reason

Structure that is fixed when a function is called (a spec, a manifold, a callable, max_steps) goes into the closure
`call`; everything that is traced, numeric options too, is made by `arguments` and passed to `call` by position.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BATCH = 4  # as many as there are virtual devices


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One public callable under one policy.

    Attributes:
        name: The name in the package's `__all__`.
        function: The public callable; its docstring is what is checked.
        arguments: (key, dtype) -> tuple of traced arguments. Shapes must not depend on the key. Floating arrays must
            have the dtype; other things may be integers, typed keys or pytrees of these.
        call: How to call it with those arguments; the function itself by default.
        variant: Tells several cases of one name apart ("square", "exp").
        differentiable: Positions of the arguments that may be differentiated by.
        output: The part of the result whose derivatives are right: `lambda r: r.cost`. All of it by default.
        directions: (key, arguments) -> a tuple of tangents, one for each differentiable argument, that stay in the
            domain. By default normal numbers; say otherwise for weights that must add up to one.
        edges: Named makers, dtype -> arguments, of points at which gradients must be finite.
        nan_arguments: Positions that are poisoned with NaN; by default every one that holds floating numbers.
        tolerance: Relative difference allowed between two ways to compute the same thing in float64. Compiled code may
            reorder sums, so it is a number of ulp, not zero; for iterative functions it is what `tol` promises.
        exemptions: {name of a check: why it does not apply}.
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[jax.Array, Any], tuple[Any, ...]]
    call: Callable[..., Any] | None = None
    variant: str = ""
    differentiable: tuple[int, ...] = ()
    output: Callable[[Any], Any] = lambda result: result
    directions: Callable[[jax.Array, tuple[Any, ...]], tuple[Any, ...]] | None = None
    edges: Mapping[str, Callable[[Any], tuple[Any, ...]]] = dataclasses.field(default_factory=dict)
    nan_arguments: tuple[int, ...] | None = None
    tolerance: float = 1e-11
    exemptions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for check, reason in self.exemptions.items():
            if len(reason.split()) < 3:
                raise ValueError(f"{self.name}: the exemption from {check} needs a reason, got {reason!r}.")

    @property
    def label(self) -> str:
        """The name, and the variant where there is one."""
        return f"{self.name}-{self.variant}" if self.variant else self.name

    def __call__(self, *arguments: Any) -> Any:
        """Call the public function with traced arguments."""
        return (self.call or self.function)(*arguments)

    # What several checks need is computed once.

    @functools.cached_property
    def items(self) -> list[tuple[Any, ...]]:
        """BATCH different float64 arguments."""
        return [self.arguments(key, jnp.float64) for key in jax.random.split(jax.random.key(7), BATCH)]

    @functools.cached_property
    def batch(self) -> tuple[Any, ...]:
        """The same arguments, stacked."""
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *self.items)

    @functools.cached_property
    def _traces(self) -> list[None]:
        """One entry for each time that `_counted` was traced."""
        return []

    def _counted(self, *arguments: Any) -> list[Any]:
        """The leaves of a call's result, and a note that it was traced.

        Both batched forms are made of this: the name is one, the names of a list's items are the same whichever way it
        was batched, and so the compilation cache knows the second.
        """
        leaves, self._structure["result"] = jax.tree.flatten(self(*arguments))
        self._traces.append(None)
        return leaves

    @functools.cached_property
    def _structure(self) -> dict[str, Any]:
        """The structure of the result, once it has been traced."""
        return {}

    def _whole(self, function: Callable[..., list[Any]]) -> Callable[..., Any]:
        """The result in place of its leaves."""

        def whole(*arguments: Any) -> Any:
            leaves = function(*arguments)
            return jax.tree.unflatten(self._structure["result"], leaves)

        return whole

    @functools.cached_property
    def compiled(self) -> Callable[..., Any]:
        """The function under jit."""
        return self._whole(jax.jit(self._counted))

    @functools.cached_property
    def _results_and_traces(self) -> tuple[list[Any], int]:
        before = len(self._traces)
        results = [self.compiled(*item) for item in self.items]
        return results, len(self._traces) - before

    @property
    def results(self) -> list[Any]:
        """Results under jit, item by item."""
        return self._results_and_traces[0]

    @property
    def traces_of_results(self) -> int:
        """How often the function was traced for all of them."""
        return self._results_and_traces[1]

    # Derivatives: one compiled program for each dtype, whatever the values.

    def chosen(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        """The differentiable arguments."""
        return tuple(item[position] for position in self.differentiable)

    def replaced(self, item: tuple[Any, ...], chosen: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with other differentiable ones."""
        arguments = list(item)
        for position, value in zip(self.differentiable, chosen):
            arguments[position] = value
        return tuple(arguments)

    def combined(self, chosen: tuple[Any, ...], item: tuple[Any, ...]) -> Any:
        """A fixed random combination of the differentiable outputs."""
        result = self.output(self(*self.replaced(item, chosen)))
        leaves = [leaf for leaf in jax.tree.leaves(result) if is_floating(leaf)]
        assert leaves, "no floating output to differentiate"
        rng = np.random.default_rng(11)
        return sum(jnp.sum(leaf * jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype)) for leaf in leaves)

    @functools.cached_property
    def slope(self) -> Callable[[tuple[Any, ...]], tuple[Any, Any]]:
        """Arguments -> the combination and its gradient by the differentiable ones, under jit."""
        return jax.jit(lambda item: jax.value_and_grad(self.combined)(self.chosen(item), item))

    @functools.cached_property
    def batched_result(self) -> Any:
        """The result under jit(vmap)."""
        return self._whole(jax.jit(jax.vmap(self._counted)))(*self.batch)


def exempt_all(reason: str, *, but: tuple[str, ...] = ("docstring",)) -> dict[str, str]:
    """Exempt from every check but those named, for callables that are not functions of arrays."""
    from tests.conformance.checks import CHECKS

    return {check: reason for check in CHECKS if check not in but}


def plain(leaf: Any) -> np.ndarray:
    """A leaf as numbers: typed keys become their data."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf holds floating numbers."""
    return jnp.issubdtype(jax.dtypes.result_type(leaf), jnp.floating)
