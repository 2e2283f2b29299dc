"""Removing permutation symmetry: weights fixed at random values, so that no two units can change places."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import checks
from geojax._core.struct import struct
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, blocks, join
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.canonical import permutation_count
from geojax.symmetry.orbits.leaves import move_leaves, with_leaves
from geojax.typing import Key, Params, Scalar

MAX_ELEMENTS = 20000
"""Most permutations that `automorphism_count` tries."""


@struct
class AsymmetricMask:
    """Which weights are fixed, {path: bool array}, and at which values, {path: array}; both of the leaf's shape."""

    fixed: dict[str, Array]
    values: dict[str, Array]


def asymmetric_mask(
    spec: SymmetrySpec, *, key: Key, num_fixed: int = 1, scale: Scalar = 1.0
) -> AsymmetricMask:
    """Fixes a few weights of every unit at random numbers, so that only the identity keeps them all in place.

    For each permutation group, ``num_fixed`` entries of each unit's weights in one leaf, at random places, get values
    drawn from a normal distribution. No two values are equal, so a permutation that moves a unit changes a fixed
    weight. As a function of the weights that remain free, the network has no permutation symmetry.

    Args:
        spec: The symmetry, from `infer`.
        key: Random key.
        num_fixed: Entries to fix for each unit, >= 1; all of them if a unit has fewer.
        scale: Standard deviation of the fixed values, in units of the weights.

    Returns:
        AsymmetricMask, for `apply_asymmetric`.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec.
        ValueError: If num_fixed is less than 1.

    Differentiation: exact in scale.
    Complexity: one sort of one leaf for each group.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jnp.ones((2, 3)), jnp.ones((3, 1))]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.relu(x @ p[0]) @ p[1], params, jnp.ones((5, 2)))
        >>> mask = gj.symmetry.asymmetric_mask(spec, key=jax.random.key(0))
        >>> mask.fixed["0"].sum(axis=0).tolist()
        [1, 1, 1]

    References: [Lim2024]; [Chernov2025].
    """
    where = "asymmetric_mask"
    check_spec("asymmetric_mask(spec, key=key)", spec)
    checks.typed_key(where, key)
    num_fixed = checks.count(where, "num_fixed", num_fixed, minimum=1)
    scale = jnp.asarray(scale, jnp.result_type(scale, jnp.float32))
    fixed, values = {}, {}
    for number, (name, group) in enumerate(spec.members):
        if group.kind != PERMUTATION:
            continue
        place, draw = jax.random.split(jax.random.fold_in(key, number))
        leaf, index, axis = _widest(spec, name)
        block_list = list(blocks(leaf.layout))
        marks = [jnp.zeros(block.shape, bool) for block in block_list]
        marks[index] = _choose(block_list[index], group, axis, num_fixed, place)
        here = join(leaf.layout, marks, leaf.shape)
        drawn = scale * jax.random.normal(draw, leaf.shape, scale.dtype)
        before = fixed.get(leaf.path, jnp.zeros(leaf.shape, bool))
        values[leaf.path] = jnp.where(here & ~before, drawn, values.get(leaf.path, 0))
        fixed[leaf.path] = here | before
    return AsymmetricMask(fixed, values)


def apply_asymmetric(params: Params, mask: AsymmetricMask) -> Params:
    """Parameters with the weights of a mask at their fixed values: ``apply(apply_asymmetric(params, mask), x)``.

    new = where(fixed, values, old)  in the leaves of the mask; fixed weights get no gradient.

    Args:
        params: The parameters, a tree with the leaves that the mask names.
        mask: From `asymmetric_mask`.

    Returns:
        A tree like ``params``.

    Raises:
        TypeError: If ``mask`` is no AsymmetricMask.
        ValueError: If the mask names a leaf that params lacks, or one of another shape.

    Differentiation: exact in params and in the mask's values.
    Complexity: one pass over the leaves of the mask.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import AsymmetricMask, apply_asymmetric
        >>> mask = AsymmetricMask({"w": jnp.array([True, False])}, {"w": jnp.array([7.0, 0.0])})
        >>> apply_asymmetric({"w": jnp.ones(2)}, mask)["w"].tolist()
        [7.0, 1.0]

    References: [Lim2024].
    """
    _check_mask("apply_asymmetric", mask)
    leaves = dict(array_leaves(params))
    shapes = {path: jnp.shape(leaf) for path, leaf in leaves.items()}
    for path, marks in mask.fixed.items():
        if shapes.get(path) != marks.shape:
            raise ValueError(
                f"apply_asymmetric: mask fixes weights of leaf {path!r} of shape {marks.shape}, params has "
                f"{shapes.get(path, 'no such leaf')}. Make the mask from the spec of this model."
            )
    fixed = {
        path: jnp.where(marks, mask.values[path].astype(leaves[path].dtype), leaves[path])
        for path, marks in mask.fixed.items()
    }
    return with_leaves(params, fixed)


def automorphism_count(spec: SymmetrySpec, mask: AsymmetricMask) -> int:
    """How many permutations of units leave a mask unchanged: 1 if the mask leaves no symmetry.

    Args:
        spec: The symmetry, from `infer`, with at most 20,000 permutations.
        mask: From `asymmetric_mask`.

    Returns:
        The number of elements of the permutation groups that leave the places and the values of the fixed weights
        unchanged, an exact Python integer.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``mask`` no AsymmetricMask.
        ValueError: If the spec has more permutations than can be tried.

    Differentiation: none.
    Complexity: the number of permutations times the size of the mask; on the host.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jnp.ones((2, 3)), jnp.ones((3, 1))]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.relu(x @ p[0]) @ p[1], params, jnp.ones((5, 2)))
        >>> nothing = gj.symmetry.AsymmetricMask({}, {})
        >>> gj.symmetry.automorphism_count(spec, nothing)
        6
        >>> gj.symmetry.automorphism_count(spec, gj.symmetry.asymmetric_mask(spec, key=jax.random.key(0)))
        1

    References: [Lim2024].
    """
    check_spec("automorphism_count(spec, mask)", spec)
    _check_mask("automorphism_count", mask)
    total = permutation_count(spec)
    if total > MAX_ELEMENTS:
        raise ValueError(
            f"automorphism_count: the spec has {total} permutations; expected at most {MAX_ELEMENTS}, as each is "
            "tried. Ask about narrower layers."
        )
    groups = {name: group for name, group in spec.members if group.kind == PERMUTATION}
    choices = [
        [np.stack(copies).reshape(group.shape) for copies in _all_copies(group)] for group in groups.values()
    ]
    elements = list(itertools.product(*choices))
    stacked = {
        name: jnp.asarray(np.stack([element[i] for element in elements]), jnp.int32)
        for i, name in enumerate(groups)
    }
    marked = {leaf.path: jnp.full(leaf.shape, jnp.nan) for leaf in spec.leaves}
    for path, places in mask.fixed.items():
        marked[path] = jnp.where(places, mask.values[path], jnp.nan)

    def stays(element):
        moved = move_leaves(spec, element, marked)
        same = [
            (x == y) | (jnp.isnan(x) & jnp.isnan(y))
            for x, y in zip(moved.values(), marked.values(), strict=True)
        ]
        return jnp.all(jnp.stack([jnp.all(x) for x in same])) if same else jnp.asarray(True)

    return int(jnp.sum(jax.vmap(stays)(stacked))) if groups else 1


def _check_mask(where: str, mask: AsymmetricMask) -> None:
    if not isinstance(mask, AsymmetricMask):
        raise TypeError(
            f"{where}: mask is a {type(mask).__name__}; expected an AsymmetricMask. "
            "Make one with asymmetric_mask(spec, key=key)."
        )


def _all_copies(group: Group):
    """Every tuple of permutations, one for each copy of the group."""
    perms = [np.array(p) for p in itertools.permutations(range(group.size))]
    return itertools.product(perms, repeat=group.copies)


def _widest(spec: SymmetrySpec, name: str) -> tuple[Leaf, int, int]:
    """The leaf, the number of its block and the axis in which the units of a group have most entries."""
    places = [
        (math.prod(block.shape), -number, leaf, index, axis)
        for number, leaf in enumerate(spec.leaves)
        for index, block in enumerate(blocks(leaf.layout))
        for axis, part in enumerate(block.parts)
        if name in dict(part.moves) and [other.name for other in block.parts].count(part.name) == 1
    ]
    if not places:
        raise ValueError(f"asymmetric_mask: no leaf carries the group {name!r} on one axis alone.")
    *_, leaf, index, axis = max(places, key=lambda place: place[:2])
    return leaf, index, axis


def _choose(block: Block, group: Group, axis: int, count: int, key: Key) -> Array:
    """Marks ``count`` random places of each unit in a block."""
    present = [part.name for part in block.parts]
    first = [*(present.index(parent) for parent in group.parents), axis]
    order = [*first, *(k for k in range(len(present)) if k not in first)]
    shape = tuple(block.shape[k] for k in order)
    scores = jax.random.uniform(key, (*shape[: len(first)], math.prod(shape[len(first) :])))
    ranks = jnp.argsort(jnp.argsort(scores, axis=-1), axis=-1)
    return jnp.transpose(jnp.reshape(ranks < count, shape), sorted(range(len(order)), key=order.__getitem__))
