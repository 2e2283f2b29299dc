"""verify: is a spec right? Random parameters, random elements, and a control that must fail."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._program import jaxprs
from geojax._program.arguments import flatten
from geojax.symmetry.action import door
from geojax.symmetry.action.acting import move_block
from geojax.symmetry.action.elements import acting_order, identity
from geojax.symmetry.action.facts import VerifyResult
from geojax.symmetry.action.groups import GENERAL_LINEAR, PERMUTATION, SCALING, SIGN, Group
from geojax.symmetry.action.layout import blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params

DRAWS = 2
CONTROLS = 64
BLIND = 100.0
BLOCKS = 4


def verify(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any, key: Key
) -> VerifyResult:
    """Checks numerically that every group of a spec leaves a function unchanged.

    The parameters are redrawn around their values (so that initial zeros and ones hide nothing), twice; a random
    element of all groups together acts on them, and the outputs must agree to rounding. If they do not, bisection
    names the groups at fault. As a control each group moves one block of one leaf alone: the outputs must change.
    The check runs in float64 if the program does. If no output is finite there is nothing to check: then ``change``
    is NaN and the check has not passed.

    Args:
        spec: The symmetry to check, from `infer` or made by hand.
        apply: The function ``apply(params, *inputs)``.
        params: Parameters it takes, concrete arrays.
        *inputs: Its other arguments; floating-point ones are redrawn too.
        key: A typed key from `jax.random.key`.

    Returns:
        A `VerifyResult` of host numbers.

    Raises:
        TypeError: If an argument is of the wrong kind, such as params in the place of apply.
        ValueError: If ``params`` does not fit the spec.

    Differentiation: none; runs on the host, around a compiled function.
    Complexity: a handful of evaluations of ``apply`` and one for each group; one compilation.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jnp.tanh(x @ p[0]) @ p[1]
        >>> params, x = [jnp.ones((3, 4)), jnp.ones((4, 2))], jnp.ones((5, 3))
        >>> spec = gj.symmetry.infer(mlp, params, x, verify=False)
        >>> gj.symmetry.verify(spec, mlp, params, x, key=jax.random.key(0)).passed
        True

    References: [Ainsworth2022]
    """
    call = "verify(spec, apply, params, *inputs, key=key)"
    door.check_spec(call, spec)
    door.check_apply(call, apply)
    door.check_params(call, spec, params)
    door.check_key(call, key)
    if not spec.members:
        return VerifyResult(0.0, 0.0, float("inf"))
    return check(running_probe(spec, apply, params, inputs), key)


def check(probe: "Probe", key: Key, *, doubtful: Collection[str] = ()) -> VerifyResult:
    """`verify`, with a control for each doubtful group, and for up to `CONTROLS` others."""
    names = [name for name, _ in probe.spec.members]
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    draws = [probe.draw(generator) for _ in range(DRAWS)]
    elements = [probe.element(generator) for _ in range(DRAWS)]

    def change(chosen: Iterable[str]) -> float:
        return _largest(
            probe.change(draw, element, chosen) for draw, element in zip(draws, elements, strict=True)
        )

    if math.isnan(change(names)):
        return VerifyResult(math.nan, probe.tolerance, math.nan)
    failed = _culprits(change, names, probe.tolerance)
    kept = [name for name in names if name not in failed]
    tried = dict.fromkeys([*(name for name in kept if name in doubtful), *kept[:CONTROLS]])
    controls = {name: probe.control(draws[0], elements[0], name) for name in tried}
    blind = tuple(name for name, value in controls.items() if value <= BLIND * probe.tolerance)
    seen = [value for name, value in controls.items() if name not in blind]
    return VerifyResult(
        change=change(kept) if kept else 0.0,
        tolerance=probe.tolerance,
        control=min(seen, default=float("inf")),
        failed=tuple(failed),
        blind=blind,
    )


def _culprits(change: Callable[[Iterable[str]], float], names: list[str], tolerance: float) -> list[str]:
    """The groups that change the function by themselves, found by halving."""
    if not names or change(names) <= tolerance:
        return []
    if len(names) == 1:
        return names
    half = len(names) // 2
    return (_culprits(change, names[:half], tolerance) + _culprits(change, names[half:], tolerance)) or names


def running_probe(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, inputs: tuple[Any, ...]
) -> "Probe":
    """A probe in float64, or in the types of the arguments if the program does not run in float64.

    A program may convert to float32, or hold a numpy constant that an earlier trace has converted.
    """
    try:
        probe = Probe(spec, apply, params, inputs, double=True)
        probe.unmoved(probe.draw(np.random.default_rng(0)))
    except Exception:
        return Probe(spec, apply, params, inputs, double=False)
    return probe


class Probe:
    """The function with parameters moved block by block, compiled once."""

    def __init__(
        self,
        spec: SymmetrySpec,
        apply: Callable[..., Any],
        params: Params,
        inputs: tuple[Any, ...],
        *,
        double: bool,
    ):
        self.spec = spec
        self.double = double
        self.function, self.weights, self.arrays = flatten(apply, params, inputs)
        self.count = sum(1 for leaf in spec.leaves for _ in blocks(leaf.layout))
        self.dtype = np.float64 if double else np.float32
        with jax.enable_x64(double):
            self.tolerance = self._precision() ** 0.6
            self.compiled = jax.jit(self._moved)
            self.rest = {name: np.asarray(array) for name, array in jax.jit(lambda: identity(spec))().items()}
        self._unmoved: dict[int, tuple[Any, list[np.ndarray]]] = {}

    def _cast(self, *lists: list[Any]) -> list[list[Any]]:
        return [[_widen(array) for array in arrays] for arrays in lists]

    def _precision(self) -> float:
        """The coarsest rounding unit of any floating-point number in the program."""
        arguments = self._cast(self.weights, self.arrays) if self.double else [self.weights, self.arrays]
        return max(jaxprs.rounding_units(jaxprs.trace(self.function, *arguments)), default=1e-7)

    def _moved(
        self, weights: list[Array], arrays: list[Array], element: Mapping[str, Array], mask: Array
    ) -> list[Array]:
        order = acting_order(self.spec, element)
        groups = self.spec.groups
        moved, number = [], 0
        for leaf, weight in zip(self.spec.leaves, weights, strict=True):
            pieces = []
            for block, piece in zip(blocks(leaf.layout), split(leaf.layout, weight), strict=True):
                after = move_block(groups, order, block, piece, element)
                pieces.append(after if after is piece else jnp.where(mask[number], after, piece))
                number += 1
            moved.append(join(leaf.layout, pieces, leaf.shape))
        return self.function(moved, arrays)

    def draw(self, generator: np.random.Generator) -> tuple[list[Any], list[Any]]:
        """Parameters and inputs redrawn around their values, on the host."""
        lists = self._cast(self.weights, self.arrays) if self.double else [self.weights, self.arrays]
        weights, arrays = ([_redraw(array, generator) for array in each] for each in lists)
        return weights, arrays

    def element(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A random element of all groups, drawn on the host: nothing is compiled for it."""
        return {name: _random(group, generator, self.dtype) for name, group in self.spec.members}

    def change(
        self, draw: tuple[list[Array], list[Array]], element: dict[str, np.ndarray], chosen: Iterable[str]
    ) -> float:
        """Largest relative change of an output when the chosen groups act."""
        return self._compare(draw, element, chosen, np.ones(self.count, bool))

    def control(self, draw: tuple[list[Array], list[Array]], element: Mapping[str, Any], name: str) -> float:
        """Relative change when one group moves one block alone; the largest of the first few blocks it moves.

        A block may rightly not matter: a bias on the keys shifts all attention logits alike.
        """
        numbered = enumerate(block for leaf in self.spec.leaves for block in blocks(leaf.layout))
        moved = [
            n for n, block in numbered if any(name == g for p in (block, *block.parts) for g, _ in p.moves)
        ]
        changes = []
        for number in moved[:BLOCKS]:
            mask = np.zeros(self.count, bool)
            mask[number] = True
            changes.append(self._compare(draw, element, [name], mask))
            if changes[-1] > BLIND * self.tolerance:
                break
        return _largest(changes)

    def unmoved(self, draw: Any) -> list[np.ndarray]:
        """The outputs at a draw where no group acts, computed once for each draw."""
        if id(draw) not in self._unmoved:
            nothing = {
                name: array.astype(array.dtype if array.dtype.kind == "i" else self.dtype)
                for name, array in self.rest.items()
            }
            with jax.enable_x64(self.double):
                outputs = self.compiled(*draw, nothing, np.ones(self.count, bool))
            # The draw is kept beside its outputs: no other draw can have its id while it lives.
            self._unmoved[id(draw)] = draw, [np.asarray(out) for out in outputs]
        return self._unmoved[id(draw)][1]

    def _compare(
        self, draw: Any, element: Mapping[str, Any], chosen: Iterable[str], mask: np.ndarray
    ) -> float:
        acting = {name: (element if name in set(chosen) else self.rest)[name] for name in self.rest}
        still = self.unmoved(draw)
        with jax.enable_x64(self.double):
            moved = self.compiled(*draw, acting, mask)
        return _largest(_relative(a, np.asarray(b)) for a, b in zip(still, moved, strict=True))


def _largest(changes: Iterable[float]) -> float:
    """The largest of the changes that are numbers; NaN if none is."""
    return max((change for change in changes if not math.isnan(change)), default=math.nan)


def _widen(array: Any) -> Any:
    if not jax.dtypes.issubdtype(array.dtype, np.floating):
        return array
    return np.asarray(array, np.float64)


def _random(group: Group, generator: np.random.Generator, dtype: Any) -> np.ndarray:
    """An element of a group that is not the identity, and well conditioned."""
    if group.kind == PERMUTATION:
        drawn = np.argsort(generator.random(group.shape), axis=-1)
        rest = np.arange(group.size)
        still = np.all(drawn == rest, axis=-1, keepdims=True)
        return np.where(still, np.roll(rest, 1), drawn).astype(np.int32)
    if group.kind == SIGN:
        drawn = generator.choice([-1.0, 1.0], group.shape)
        drawn[..., 0] = np.where(np.all(drawn > 0, axis=-1), -1.0, drawn[..., 0])
        return drawn.astype(dtype)
    if group.kind == SCALING:
        return np.exp(generator.uniform(-1, 1, group.shape)).astype(dtype)
    turn = np.linalg.qr(generator.normal(size=group.shape))[0]
    if group.connected:
        turn[..., 0] *= np.linalg.det(turn)[..., None]
    stretch = generator.uniform(0.5, 2, (*group.shape[:-1], 1)) if group.kind == GENERAL_LINEAR else 1.0
    return (turn * stretch).astype(dtype)


def _redraw(array: Any, generator: np.random.Generator) -> Any:
    """Numbers of the same dtype, moved by uniform noise; an array of positive numbers stays positive."""
    if not jax.dtypes.issubdtype(array.dtype, np.floating):
        return array
    values = np.asarray(array, np.float64)
    if values.size and values.min() > 0:
        return (values * (1 + 0.6 * generator.uniform(-1, 1, values.shape))).astype(array.dtype)
    fan = max(1, int(np.prod(values.shape[:-1]))) if values.ndim > 1 else 4
    size = max(float(np.sqrt(np.mean(values**2))) if values.size else 0.0, fan**-0.5)
    return (values + 0.6 * size * generator.uniform(-1, 1, values.shape)).astype(array.dtype)


def _relative(before: np.ndarray, after: np.ndarray) -> float:
    """Largest change relative to the largest value; infinite if other entries are finite than before.

    NaN if no entry is finite, or there is none.
    """
    if before.dtype.kind not in "fciub":
        before, after = before.astype(np.float32), after.astype(np.float32)
    finite = np.isfinite(before)
    if not np.array_equal(finite, np.isfinite(after)):
        return float("inf")
    if not finite.any():
        return math.nan
    before, after = before[finite].astype(np.complex128), after[finite].astype(np.complex128)
    scale = float(np.max(np.abs(before))) or 1.0
    return float(np.max(np.abs(after - before))) / scale
