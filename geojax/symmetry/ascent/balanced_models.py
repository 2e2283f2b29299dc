"""What every matcher starts from and ends with: models in their balanced gauges, and the way back."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.loops import vary_with
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.arrays import take
from geojax.symmetry.action.elements import Element, check_element, compose, inverse
from geojax.symmetry.action.groups import SIGN
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact import maximum_assignment
from geojax.symmetry.ascent.movers import Mover, decode, encode, movers_of, read_leaves, resting, vectors
from geojax.symmetry.ascent.problem import Moves, Problem, real_dtype
from geojax.symmetry.orbits.balance import balancing_element, is_compact
from geojax.typing import Params


@dataclasses.dataclass(frozen=True)
class Setting:
    """A matching problem and its arrays, read from models in their balanced gauges.

    Attributes:
        spec: The symmetry.
        movers: Its compact groups.
        problem: Their places on the arrays.
        arrays: The arrays of each model.
        gauges: The element that brings each model to its balanced gauge, its vectors upright; empty where nothing is to
            be done.
    """

    spec: SymmetrySpec
    movers: tuple[Mover, ...]
    problem: Problem
    arrays: list[list[Array]]
    gauges: list[Element]

    @property
    def dtype(self) -> Any:
        """The real dtype of the arrays."""
        return real_dtype(self.arrays[0])

    def start(self, where: str, init: Mapping[str, Array] | None) -> tuple[Moves, tuple[str, ...]]:
        """The compact part of ``init`` between the balanced gauges of the first two models, at rest where it says
        nothing, and the names of the groups of which it says something.

        Raises:
            ValueError: If ``init`` does not fit the spec.
        """
        if init is None:
            return vary_with(resting(self.movers, self.dtype), self.arrays), ()
        try:
            check_element(self.spec, init)
        except ValueError as error:
            raise ValueError(f"{where}: init: {error}") from error
        full = self._between(compose(self.spec, init, {}))
        settled = tuple(mover.name for mover in self.movers if set(mover.members) & set(init))
        return vary_with(encode(self.movers, full, self.dtype), self.arrays), settled

    def element(self, moves: Mapping[str, Array]) -> Element:
        """The element that moves the second model onto the first as ``moves`` does between balanced gauges."""
        compact = decode(self.movers, self.spec, moves, self.dtype)
        if not any(self.gauges):
            return self._told_apart(compact)
        held, moved = self.gauges[:2]
        return self._told_apart(
            compose(self.spec, inverse(self.spec, held), compose(self.spec, compact, moved))
        )

    def placed(self, moves: Mapping[str, Array], number: int) -> Element:
        """The element that moves one model to its balanced gauge and then as ``moves`` says."""
        compact = decode(self.movers, self.spec, moves, self.dtype)
        gauge = self.gauges[number]
        return self._told_apart(compose(self.spec, compact, gauge) if gauge else compact)

    def _between(self, element: Element) -> Element:
        if not any(self.gauges):
            return element
        held, moved = self.gauges[:2]
        return compose(self.spec, held, compose(self.spec, element, inverse(self.spec, moved)))

    def _told_apart(self, element: Element) -> Element:
        """The same element, its matrices with the nearest permutation taken out where the spec has both."""
        groups = self.spec.groups
        result = dict(element)
        for mover in self.movers:
            if mover.matrix and mover.permutation:
                matrix = element[mover.matrix]
                nearest = maximum_assignment(matrix)
                copies = list(range(matrix.ndim - 2))
                result[mover.permutation] = nearest.astype(jnp.int32)
                result[mover.matrix] = take(matrix, matrix.ndim - 1, copies, nearest)
        return {
            name: array if groups[name].kind == "permutation" else array.astype(self.dtype)
            for name, array in result.items()
        }


def set_up(where: str, spec: SymmetrySpec, **trees: Params) -> Setting:
    """Reads models into a matching problem.

    Raises:
        ValueError: If a tree does not fit the spec; the message names it.
    """
    movers = movers_of(spec)
    problem, arrays = read_leaves(where, spec, movers, **trees)
    leaves = [dict(array_leaves(params)) for params in trees.values()]
    gauges: list[Element] = [{} for _ in arrays]
    if not is_compact(spec):
        gauges = [
            balancing_element(spec, jax.lax.stop_gradient(each), dtype=jnp.dtype(real_dtype(x)))
            for each, x in zip(leaves, arrays, strict=True)
        ]
    turns = upright(spec, movers, [each.__getitem__ for each in leaves])
    gauges = [
        compose(spec, turn, gauge) if turn else gauge for turn, gauge in zip(turns, gauges, strict=True)
    ]
    if any(gauges):
        moved = [act(spec, gauge, each) for gauge, each in zip(gauges, leaves, strict=True)]
        _, arrays = read_leaves(where, spec, movers, **dict(zip(trees, moved, strict=True)))
    return Setting(spec, movers, problem, arrays, gauges)


def upright(
    spec: SymmetrySpec, movers: tuple[Mover, ...], models: Sequence[Callable[[str], Array]]
) -> list[Element]:
    """Signs that make a vector of each model positive, for every group of signs that no mover stands for.

    Several norms may read one stream, each with signs of its own, of which a mover can take one. A norm's scale says
    how the others stand. Of several vectors the one furthest from 0 in the first model is asked. A model is a function
    from paths to leaves.
    """
    solved = {name for mover in movers for name in mover.members}
    elements: list[Element] = [{} for _ in models]
    for name, group in spec.members:
        paths = vectors(spec, name) if group.kind == SIGN and name not in solved else []
        if not paths:
            continue
        stacks = [jnp.stack([jnp.real(model(path)) for path in paths]) for model in models]
        chosen = jnp.argmax(jnp.min(jnp.abs(stacks[0]), axis=1))
        for element, stack in zip(elements, stacks, strict=True):
            element[name] = jnp.where(stack[chosen] < 0, -1, 1).astype(stack.dtype)
    return elements
