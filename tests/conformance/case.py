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

from tests.conformance.leaves import is_floating, stacked
from tests.conformance.programs import Programs

BATCH = 4  # as many as there are virtual devices
DERIVATIVES = (
    "gradient_matches_differences",
    "forward_equals_reverse",
    "grad_vmap_equals_loop",
    "gradient_finite_at_edges",
)


OPTIMISER = {"half_precision": "a state is kept in the precision of the parameters, as in optax"}


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
        surrogate: For a declared derivative that is not the true one (straight through, reversed): takes the same
            arguments and returns a result of the same structure, whose difference quotients are those of the declared
            derivative.
        params: Positions of the arguments that are trees of parameters, which may hold leaves that are no arrays.
            By default every argument that is a dict; say otherwise where a dict is something else.
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
    surrogate: Callable[..., Any] | None = None
    params: tuple[int, ...] | None = None
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

    # What several checks need is computed once; the compiled programs are in programs.py.

    @functools.cached_property
    def items(self) -> list[tuple[Any, ...]]:
        """BATCH different float64 arguments."""
        return [self.arguments(key, jnp.float64) for key in jax.random.split(jax.random.key(7), BATCH)]

    @functools.cached_property
    def batch(self) -> tuple[Any, ...]:
        """The same arguments, stacked."""
        return stacked(self.items)

    @functools.cached_property
    def tangents(self) -> list[tuple[Any, ...]]:
        """A direction for each of the items."""
        return [self._tangents(item) for item in self.items]

    def _tangents(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.directions is not None:
            return self.directions(jax.random.key(13), item)
        rng = np.random.default_rng(13)
        draw = lambda leaf: np.asarray(rng.normal(size=jnp.shape(leaf)), jnp.result_type(leaf))
        return jax.tree.map(draw, self.chosen(item))

    @functools.cached_property
    def points(self) -> list[tuple[Any, ...]]:
        """The edge points in float64, in their order."""
        return [make(jnp.float64) for make in self.edges.values()]

    @functools.cached_property
    def programs(self) -> Programs:
        """The compiled programs, and what they returned."""
        return Programs(self)

    @functools.cached_property
    def excused(self) -> dict[str, str]:
        """The exemptions, and what follows from them: without a derivative there is none of a batch."""
        excused = dict(self.exemptions)
        if set(DERIVATIVES) - {"grad_vmap_equals_loop"} <= set(excused):
            excused.setdefault("grad_vmap_equals_loop", excused["gradient_matches_differences"])
        return excused

    @property
    def left_out(self) -> bool:
        """Whether the case is exempt as a whole, being no function of arrays or one of several that are alike."""
        return len(self.exemptions) > len(DERIVATIVES) + 6

    @property
    def smooth(self) -> bool:
        """Whether any check looks at a derivative."""
        return bool(self.differentiable) and not set(DERIVATIVES) <= set(self.excused)

    @property
    def trees(self) -> list[tuple[int, ...]]:
        """Positions of the arguments that are trees of parameters; those with the same names are together."""
        item = self.items[0]
        positions = self.params
        if positions is None:
            positions = tuple(i for i, argument in enumerate(item) if isinstance(argument, dict))
        together: dict[frozenset[str], list[int]] = {}
        for position in positions:
            together.setdefault(frozenset(item[position]), []).append(position)
        return [tuple(group) for group in together.values()]

    def chosen(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        """The differentiable arguments."""
        return tuple(item[position] for position in self.differentiable)

    def replaced(self, item: tuple[Any, ...], chosen: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with other differentiable ones."""
        arguments = list(item)
        for position, value in zip(self.differentiable, chosen):
            arguments[position] = value
        return tuple(arguments)

    def combined(self, result: Any) -> Any:
        """A fixed random combination of the differentiable part of a result."""
        leaves = [leaf for leaf in jax.tree.leaves(self.output(result)) if is_floating(leaf)]
        assert leaves, "no floating output to differentiate"
        rng = np.random.default_rng(11)
        return sum(jnp.sum(leaf * jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype)) for leaf in leaves)


def exempt_all(reason: str, *, but: tuple[str, ...] = ("docstring",)) -> dict[str, str]:
    """Exempt from every check but those named, for callables that are not functions of arrays."""
    from tests.conformance.checks import CHECKS

    return {check: reason for check in CHECKS if check not in but}
