"""Taking permutation symmetry away: weights fixed at random so that no two units can change places."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import checks
from geojax._core.struct import struct
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, blocks, join
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.canonical import permutation_count
from geojax.typing import Key, Params, Scalar

MAX_ELEMENTS = 20000
"""Most permutations that `automorphism_count` looks at."""


@struct
class AsymmetricMask:
    """Weights that are fixed: {path: where, bool}, {path: at what}, both of the leaf's shape."""

    fixed: dict[str, Array]
    values: dict[str, Array]


def asymmetric_mask(spec: SymmetrySpec, *, key: Key, count: int = 1, scale: Scalar = 1.0) -> AsymmetricMask:
    """Fixes a few weights of every unit at random numbers, so that only the identity keeps them all in place.

    For each permutation group, ``count`` entries of each unit's weights in one leaf, at random places, get values drawn
    from a normal distribution. No two values are equal, so a permutation that moves a unit changes a fixed weight: the
    function of what is left to train has no permutation symmetry.

    Args:
        spec: The symmetry, from `infer`.
        key: Random key.
        count: Entries to fix for each unit, >= 1; all that there are where a unit has fewer.
        scale: Standard deviation of the fixed values, in units of the weights.

    Returns:
        AsymmetricMask, for `apply_asymmetric`.

    Raises:
        ValueError: If count is less than 1.

    Differentiation: exact in scale.
    Complexity: one sort of a leaf a group.

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
    checks.typed_key(where, key)
    count = checks.count(where, "count", count, minimum=1)
    scale = jnp.asarray(scale, jnp.result_type(scale, jnp.float32))
    fixed, values = {}, {}
    for number, (name, group) in enumerate(spec.members):
        if group.kind != PERMUTATION:
            continue
        place, draw = jax.random.split(jax.random.fold_in(key, number))
        leaf, index, axis = _widest(spec, name)
        block_list = list(blocks(leaf.layout))
        marks = [jnp.zeros(block.shape, bool) for block in block_list]
        marks[index] = _choose(block_list[index], group, axis, count, place)
        here = join(leaf.layout, marks, leaf.shape)
        drawn = scale * jax.random.normal(draw, leaf.shape, scale.dtype)
        before = fixed.get(leaf.path, jnp.zeros(leaf.shape, bool))
        values[leaf.path] = jnp.where(here & ~before, drawn, values.get(leaf.path, 0))
        fixed[leaf.path] = here | before
    return AsymmetricMask(fixed, values)


def apply_asymmetric(params: Params, mask: AsymmetricMask) -> Params:
    """Parameters with the weights of a mask at their fixed values: ``apply(apply_asymmetric(params, mask), x)``.

    new = where(fixed, values, old)  in the leaves of the mask; gradients do not reach what is fixed.

    Args:
        params: The parameters, a tree with the leaves that the mask names.
        mask: From `asymmetric_mask`.

    Returns:
        A tree like ``params``.

    Raises:
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
    shapes = {path: jnp.shape(leaf) for path, leaf in array_leaves(params)}
    for path, marks in mask.fixed.items():
        if shapes.get(path) != marks.shape:
            raise ValueError(
                f"apply_asymmetric: mask fixes weights of leaf {path!r} of shape {marks.shape}, params has "
                f"{shapes.get(path, 'no such leaf')}. Make the mask from the spec of this model."
            )

    def fix(path, value):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name not in mask.fixed:
            return value
        return jnp.where(mask.fixed[name], mask.values[name].astype(value.dtype), value)

    return jax.tree_util.tree_map_with_path(fix, params)


def automorphism_count(spec: SymmetrySpec, mask: AsymmetricMask) -> int:
    """How many permutations of units leave a mask as it is: 1 where the mask leaves no symmetry.

    Args:
        spec: The symmetry, from `infer`; its permutations number 20,000 at most.
        mask: From `asymmetric_mask`.

    Returns:
        The number of elements of the permutation groups under which places and values of fixed weights stay, an exact
        Python integer.

    Raises:
        ValueError: If the spec has more permutations than can be looked at.

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
    total = permutation_count(spec)
    if total > MAX_ELEMENTS:
        raise ValueError(
            f"automorphism_count: the spec has {total} permutations; expected at most {MAX_ELEMENTS}, as each is "
            "looked at. Ask about narrower layers."
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
        moved = act(spec, element, marked)
        same = [
            (x == y) | (jnp.isnan(x) & jnp.isnan(y))
            for x, y in zip(moved.values(), marked.values(), strict=True)
        ]
        return jnp.all(jnp.stack([jnp.all(x) for x in same])) if same else jnp.asarray(True)

    return int(jnp.sum(jax.vmap(stays)(stacked))) if groups else 1


def _all_copies(group: Group):
    perms = [np.array(p) for p in itertools.permutations(range(group.size))]
    return itertools.product(perms, repeat=group.copies)


def _widest(spec: SymmetrySpec, name: str) -> tuple[Leaf, int, int]:
    """The leaf, the number of its block and the axis where the units of a group have most entries."""
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
    """Random places in a block, as many for each unit as asked for."""
    present = [part.name for part in block.parts]
    first = [*(present.index(parent) for parent in group.parents), axis]
    order = [*first, *(k for k in range(len(present)) if k not in first)]
    shape = tuple(block.shape[k] for k in order)
    scores = jax.random.uniform(key, (*shape[: len(first)], math.prod(shape[len(first) :])))
    ranks = jnp.argsort(jnp.argsort(scores, axis=-1), axis=-1)
    return jnp.transpose(jnp.reshape(ranks < count, shape), sorted(range(len(order)), key=order.__getitem__))
