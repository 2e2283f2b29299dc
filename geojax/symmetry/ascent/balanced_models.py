"""Balanced models: what every matcher starts from, and how its answer becomes an element for the models as given."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.loops import vary_with
from geojax.symmetry.action.arrays import take
from geojax.symmetry.action.elements import Element, check_element, compose, inverse
from geojax.symmetry.action.groups import SIGN
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact_groups import (
    CompactGroup,
    common_dtype,
    compact_groups,
    compact_identity,
    decode,
    encode,
    flipped_vectors,
    pair_up,
)
from geojax.symmetry.ascent.kinds import maximum_assignment
from geojax.symmetry.ascent.problem import CompactElement, Problem, real_dtype
from geojax.symmetry.orbits.balance import balancing_element, is_compact
from geojax.symmetry.orbits.leaves import move_leaves
from geojax.symmetry.orbits.reading import Leaves


@dataclasses.dataclass(frozen=True)
class BalancedModels:
    """Models after balancing, as a matching problem.

    Attributes:
        spec: The symmetry.
        groups: Its compact groups.
        problem: Which of them moves which axis of which array.
        arrays: The arrays of each balanced model.
        balancing: The element that balances each model; empty if nothing has to be done.
        leaves: The array leaves of each balanced model, by path.
    """

    spec: SymmetrySpec
    groups: tuple[CompactGroup, ...]
    problem: Problem
    arrays: list[list[Array]]
    balancing: list[Element]
    leaves: list[Leaves] = dataclasses.field(default_factory=list)

    @property
    def dtype(self) -> Any:
        """The real dtype of the arrays."""
        return real_dtype(self.arrays[0])

    def start(self, call: str, init: Mapping[str, Array] | None) -> tuple[CompactElement, tuple[str, ...]]:
        """The element to start from, between the first two balanced models.

        Args:
            call: The call of the matcher, for messages.
            init: An element of the spec, or None.

        Returns:
            The compact part of ``init``, with the identity for groups that it lacks, and the names of the groups of
            the problem that it has.

        Raises:
            TypeError or ValueError: If ``init`` is not an element of the spec.
        """
        if init is None:
            return vary_with(compact_identity(self.groups, self.dtype), self.arrays), ()
        check_element(self.spec, init, call=call, name="init")
        element = compose(self.spec, init, {})
        if any(self.balancing):
            first, second = self.balancing[:2]
            element = compose(self.spec, first, compose(self.spec, element, inverse(self.spec, second)))
        given = tuple(group.name for group in self.groups if set(group.members) & set(init))
        return vary_with(encode(self.groups, element, self.dtype), self.arrays), given

    def element(self, encoded: Mapping[str, Array]) -> Element:
        """The element that moves the second model as given onto the first as given.

        ``encoded`` moves the second balanced model onto the first balanced model.
        """
        compact = decode(self.groups, self.spec, encoded, self.dtype)
        if any(self.balancing):
            first, second = self.balancing[:2]
            compact = compose(self.spec, inverse(self.spec, first), compose(self.spec, compact, second))
        return self._with_permutations(compact)

    def element_of_model(self, encoded: Mapping[str, Array], number: int) -> Element:
        """The element that balances one model and then moves it by ``encoded``."""
        compact = decode(self.groups, self.spec, encoded, self.dtype)
        balancing = self.balancing[number]
        return self._with_permutations(compose(self.spec, compact, balancing) if balancing else compact)

    def _with_permutations(self, element: Element) -> Element:
        """The same element; on axes with matrices and permutations, the nearest permutation is split off the matrix."""
        groups = self.spec.groups
        result = dict(element)
        for group in self.groups:
            if group.matrix and group.permutation:
                matrix = element[group.matrix]
                nearest = maximum_assignment(matrix)
                copies = list(range(matrix.ndim - 2))
                result[group.permutation] = nearest.astype(jnp.int32)
                result[group.matrix] = take(matrix, matrix.ndim - 1, copies, nearest)
        return {
            name: array if groups[name].kind == "permutation" else array.astype(self.dtype)
            for name, array in result.items()
        }


def balance_models(spec: SymmetrySpec, models: Sequence[Leaves]) -> BalancedModels:
    """Balances models and sets up their matching problem.

    Args:
        spec: The symmetry.
        models: The array leaves of each model by path, checked against the spec.
    """
    groups = compact_groups(spec)
    balancing: list[Element] = [{} for _ in models]
    if not is_compact(spec):
        dtype = jnp.finfo(common_dtype(spec, models)).dtype
        balancing = [balancing_element(spec, jax.lax.stop_gradient(each), dtype=dtype) for each in models]
    flips = leftover_signs(spec, groups, [each.__getitem__ for each in models])
    balancing = [
        compose(spec, flip, element) if flip else element
        for flip, element in zip(flips, balancing, strict=True)
    ]
    balanced = [
        move_leaves(spec, element, each) if element else each
        for element, each in zip(balancing, models, strict=True)
    ]
    problem, arrays = pair_up(spec, groups, balanced)
    return BalancedModels(spec, groups, problem, arrays, balancing, balanced)


def leftover_signs(
    spec: SymmetrySpec, groups: Sequence[CompactGroup], models: Sequence[Callable[[str], Array]]
) -> list[Element]:
    """For each model, the elements of the sign groups that are in no compact group: signs that make a vector positive.

    If several norms read one residual stream, each has a sign group of its own on the stream's axis, and one of them
    is in a compact group. Each of the others is decided by the scale of its norm, whose signs it flips. If it flips
    several vectors, the one whose entries are furthest from 0 in the first model decides.

    Args:
        spec: The symmetry.
        groups: Its compact groups.
        models: For each model the function from paths to leaves.
    """
    solved = {name for group in groups for name in group.members}
    elements: list[Element] = [{} for _ in models]
    for name, group in spec.members:
        paths = flipped_vectors(spec, name) if group.kind == SIGN and name not in solved else []
        if not paths:
            continue
        vectors = [jnp.stack([jnp.real(leaf_of(path)) for path in paths]) for leaf_of in models]
        chosen = jnp.argmax(jnp.min(jnp.abs(vectors[0]), axis=1))
        for element, candidates in zip(elements, vectors, strict=True):
            element[name] = jnp.where(candidates[chosen] < 0, -1, 1).astype(candidates.dtype)
    return elements
