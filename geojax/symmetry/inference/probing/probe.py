"""The function of a spec on redrawn parameters that groups move block by block, as `verify` evaluates it."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core.tree import is_key
from geojax._program import jaxprs
from geojax._program.arguments import flatten
from geojax._program.precision import InPrecision, finer
from geojax.symmetry.action.acting import move_block
from geojax.symmetry.action.elements import acting_order, identity
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import GENERAL_LINEAR
from geojax.symmetry.action.layout import blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.probing.draws import mixed, place_of_block, random_member, redraw
from geojax.typing import Params

BLIND = 100.0
BLOCKS = 4


def running_probe(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, inputs: tuple[Any, ...]
) -> "Probe":
    """A probe in float64; in float32 if the program does not run in float64; else in the program's own types."""
    for precision in (np.float64, np.float32):
        with contextlib.suppress(Exception):
            probe = Probe(spec, apply, params, inputs, precision=precision)
            probe.unmoved(probe.draw(np.random.default_rng(0)))
            return probe
    return Probe(spec, apply, params, inputs, precision=None)


class Probe:
    """The function with parameters moved block by block, compiled once.

    Attributes:
        function: The function of (parameter arrays, input arrays), in the probe's precision.
        inputs: The arrays among the given inputs, in the probe's precision.
        exact: Whether all of it is computed in float64.
        tolerance: How much change rounding alone explains.
    """

    def __init__(
        self,
        spec: SymmetrySpec,
        apply: Callable[..., Any],
        params: Params,
        inputs: tuple[Any, ...],
        *,
        precision: Any = np.float64,
    ):
        self.spec = spec
        self.precision = precision
        self.function, self.weights, self.arrays = flatten(apply, params, inputs)
        program = jaxprs.trace(self.function, _shapes(self.weights), _shapes(self.arrays))
        self.dtype = np.float32 if precision is None else precision
        self.inputs = self._cast(self.arrays)
        units = jaxprs.rounding_units(program)
        if precision is not None:
            self.function, units = self._made_finer(program)
        self.exact = precision == np.float64 and max(units) <= np.finfo(np.float64).eps
        self.tolerance = max(units, default=1e-7) ** 0.6
        self.count = sum(1 for leaf in spec.leaves for _ in blocks(leaf.layout))
        with self.types():
            self.compiled = jax.jit(self._moved)
            self.rest = {name: np.asarray(array) for name, array in jax.jit(lambda: identity(spec))().items()}
        self._unmoved: dict[int, tuple[Any, list[np.ndarray]]] = {}

    def types(self) -> Any:
        """A context in which the types of the probe's precision are enabled."""
        return (
            contextlib.nullcontext()
            if self.precision is None
            else jax.enable_x64(self.precision == np.float64)
        )

    def _made_finer(
        self, program: jaxprs.Body
    ) -> tuple[Callable[[list[Any], list[Any]], list[Array]], set[float]]:
        """The function in the probe's precision, and the rounding units of what is computed in it."""
        made = InPrecision(program, self.precision)

        def function(weights: list[Any], arrays: list[Any]) -> list[Array]:
            return made([*weights, *arrays])

        with self.types():
            jax.eval_shape(function, _shapes(self._cast(self.weights)), _shapes(self._cast(self.arrays)))
        return function, {float(np.finfo(self.precision).eps), *made.units}

    def _cast(self, arrays: list[Any]) -> list[Any]:
        if self.precision is None:
            return arrays
        return [
            np.asarray(array, finer(array.dtype, self.precision))
            if jax.dtypes.issubdtype(array.dtype, np.inexact)
            else array
            for array in arrays
        ]

    def _moved(
        self, weights: list[Array], arrays: list[Array], element: Mapping[str, Array], mask: Array
    ) -> list[Array]:
        moved = self.acted(self.spec.leaves, weights, element, mask)
        return [jax.random.key_data(out) if is_key(out) else out for out in self.function(moved, arrays)]

    def acted(
        self, leaves: Sequence[Leaf], arrays: Sequence[Array], element: Mapping[str, Array], mask: Array
    ) -> list[Array]:
        """Arrays after an element has acted on those of their blocks that the mask picks."""
        order = acting_order(self.spec, element)
        groups = self.spec.groups
        moved, number = [], 0
        for leaf, array in zip(leaves, arrays, strict=True):
            pieces = []
            for block, piece in zip(blocks(leaf.layout), split(leaf.layout, array), strict=True):
                after = move_block(groups, order, block, piece, element)
                pieces.append(after if after is piece else jnp.where(mask[number], after, piece))
                number += 1
            moved.append(join(leaf.layout, pieces, leaf.shape))
        return moved

    def draw(self, generator: np.random.Generator) -> tuple[list[Any], list[Any]]:
        """Parameters and inputs redrawn around their values, on the host."""
        weights, arrays = (
            [redraw(array, generator) for array in self._cast(each)] for each in (self.weights, self.arrays)
        )
        return weights, arrays

    def element(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A random element of all groups, drawn on the host: nothing is compiled for it."""
        return {name: random_member(group, generator, self.dtype) for name, group in self.spec.members}

    def change(
        self, draw: tuple[list[Any], list[Any]], element: dict[str, np.ndarray], chosen: Iterable[str]
    ) -> float:
        """Largest relative change of an output when the chosen groups act."""
        return self._compare(draw, element, chosen, np.ones(self.count, bool))

    def sees(self, change: float) -> bool:
        """Whether a change is far above rounding."""
        return change > BLIND * self.tolerance

    def control(
        self, draw: tuple[list[Any], list[Any]], element: Mapping[str, Any], name: str, *, mixing: bool = True
    ) -> float:
        """Relative change when one group moves one block alone; the largest of the first few blocks it moves.

        A block may rightly not matter: a bias on the keys shifts all attention logits alike. And where a group moves a
        single block, or each block could move without the others, no input shows a change: with ``mixing``, the
        entries of a block are then mixed along the group's axis, which no smaller group does.
        """
        blocks_moved = list(itertools.islice(self._moved_by(name), BLOCKS))
        changes = []
        for number, *_ in blocks_moved:
            mask = np.zeros(self.count, bool)
            mask[number] = True
            changes.append(self._compare(draw, element, [name], mask))
            if self.sees(changes[-1]):
                return changes[-1]
        if mixing and (len(blocks_moved) == 1 or self._smooth_outputs(draw)):
            linear = self.spec.groups[name].kind == GENERAL_LINEAR
            for _, leaf, block, axis in blocks_moved:
                places = place_of_block(self.spec.leaves[leaf], block)
                changes.append(self.change_by_mixing(draw, leaf, places, None if linear else axis))
                if self.sees(changes[-1]):
                    break
        return largest(changes)

    def change_by_mixing(self, draw: Any, leaf: int, places: np.ndarray, axis: int | None) -> float:
        """Relative change when the entries of one block of a leaf, at ``places``, are mixed along an axis."""
        weights = list(draw[0])
        weights[leaf] = mixed(weights[leaf], places, axis)
        return difference(self.unmoved(draw), self._outputs((weights, draw[1])))

    def _moved_by(self, name: str) -> Iterator[tuple[int, int, int, int | None]]:
        """The blocks that a group moves: number, leaf, number within the leaf, and the axis moved (None: the whole)."""
        numbers = itertools.count()
        for k, leaf in enumerate(self.spec.leaves):
            for within, block in enumerate(blocks(leaf.layout)):
                number = next(numbers)
                axes = [axis for axis, part in enumerate(block.parts) if name in dict(part.moves)]
                if axes or name in dict(block.moves):
                    yield number, k, within, axes[0] if axes else None

    def _smooth_outputs(self, draw: Any) -> bool:
        return any(jax.dtypes.issubdtype(out.dtype, np.inexact) for out in self.unmoved(draw))

    def unmoved(self, draw: Any) -> list[np.ndarray]:
        """The outputs at a draw where no group acts, computed once for each draw."""
        if id(draw) not in self._unmoved:
            # The draw is kept beside its outputs: no other draw can have its id while it lives.
            self._unmoved[id(draw)] = draw, self._outputs(draw)
        return self._unmoved[id(draw)][1]

    def _identity(self) -> dict[str, np.ndarray]:
        return {
            name: array.astype(array.dtype if array.dtype.kind == "i" else self.dtype)
            for name, array in self.rest.items()
        }

    def _outputs(self, draw: Any) -> list[np.ndarray]:
        with self.types():
            outputs = self.compiled(*draw, self._identity(), np.ones(self.count, bool))
        return [np.asarray(out) for out in outputs]

    def _compare(
        self, draw: Any, element: Mapping[str, Any], chosen: Iterable[str], mask: np.ndarray
    ) -> float:
        acting = {name: (element if name in set(chosen) else self.rest)[name] for name in self.rest}
        still = self.unmoved(draw)
        with self.types():
            moved = self.compiled(*draw, acting, mask)
        return difference(still, [np.asarray(out) for out in moved])


def _shapes(arrays: Iterable[Any]) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=getattr(a, "weak_type", False)) for a in arrays]


def difference(before: Iterable[np.ndarray], after: Iterable[np.ndarray]) -> float:
    """Largest relative change of an array."""
    return largest(_relative(a, b) for a, b in zip(before, after, strict=True))


def largest(changes: Iterable[float]) -> float:
    """The largest of the changes that are numbers; NaN if none is."""
    return max((change for change in changes if not math.isnan(change)), default=math.nan)


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
