"""act: parameters moved by a group element, leaf by leaf and block by block."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import NamedSharding
from jaxtyping import Array

from geojax._core.matrices.linalg import inverses
from geojax._core.precision import rounded_once
from geojax._core.tree import path_name
from geojax.symmetry.action import door
from geojax.symmetry.action.arrays import multiply, spread, take
from geojax.symmetry.action.elements import acting_order, check_element, is_soft
from geojax.symmetry.action.groups import MATRIX_KINDS, ORTHOGONAL, PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Layout, blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params


@rounded_once
def act(spec: SymmetrySpec, element: Mapping[str, Array], params: Params) -> Params:
    """Moves parameters by a group element; the function they parametrise stays the same.

    Every leaf axis moved by a permutation p becomes ``new[i] = old[p[i]]``; scalings and signs multiply by their
    exponent's power, matrix groups by ``A`` (covariant axes) or ``inv(A).T`` (contravariant ones).

    A permutation may be soft: a floating matrix S, [parent sizes..., new, old], gives ``new = S @ old`` along every
    axis. Doubly stochastic matrices lie between permutations; a coupling with more or fewer rows than columns makes a
    wider or narrower layer; integers and booleans are taken from the old position of largest weight. The function
    stays the same only if S is a permutation.

    Args:
        spec: The symmetry, from `infer`.
        element: {group name: array}; a group that is absent acts as the identity.
        params: The parameters, a tree that fits the spec.

    Returns:
        A tree like ``params``; a soft permutation may change the length of axes. Leaves that are no arrays of numbers
        (functions, strings, Python numbers, random keys) come back unchanged. Leaves that are divided among devices
        stay divided the same way; under `jit` the caller decides (``out_shardings``).

    Raises:
        TypeError: If an argument is of the wrong kind: a match instead of its element, arguments in another order.
        ValueError: If ``params`` does not fit the spec, a group of ``element`` is unknown, or an array has the wrong
            shape.

    Differentiation: exact in params and in the floating parts of element.
    Complexity: one gather or product for each moved axis; linear in the parameters for permutations and scalings.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jnp.eye(3), jnp.ones((3, 2))]
        >>> mlp = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> moved = gj.symmetry.act(spec, {"0": jnp.array([2, 0, 1])}, params)
        >>> bool(jnp.array_equal(moved[0], params[0][:, jnp.array([2, 0, 1])]))
        True

    References: [Ainsworth2022]
    """
    call = "act(spec, element, params)"
    door.check_spec(call, spec)
    check_element(spec, element, call=call)
    door.check_params(call, spec, params)
    layouts = {leaf.path: leaf for leaf in spec.leaves}
    order = acting_order(spec, element)

    def move(path, value):
        leaf = layouts.get(path_name(path))
        if leaf is None or not is_moved(leaf.layout, element):
            return value
        pieces = zip(blocks(leaf.layout), split(leaf.layout, value), strict=True)
        moved = [move_block(spec.groups, order, block, piece, element) for block, piece in pieces]
        return _placed_like(value, join(leaf.layout, moved, leaf.shape))

    return jax.tree_util.tree_map_with_path(move, params)


def move_block(
    groups: Mapping[str, Group], order: Sequence[str], block: Block, x: Array, element: Mapping[str, Array]
) -> Array:
    """The array of one block after the groups named in ``order`` have acted on it."""
    names = [part.name for part in block.parts]
    for group_name in order:
        group = groups[group_name]
        value = element[group_name]
        for name, exponent in block.moves:
            if name == group_name:
                x = x * (value[0] ** exponent).astype(x.dtype)
        for axis, part in enumerate(block.parts):
            exponent = dict(part.moves).get(group_name)
            if exponent is None:
                continue
            where = [names.index(parent) for parent in group.parents]
            if group.kind == PERMUTATION and not is_soft(value):
                x = take(x, axis, where, value)
            elif group.kind == PERMUTATION and not jnp.issubdtype(x.dtype, jnp.inexact):
                x = take(x, axis, where, jnp.argmax(value, axis=-1))
            elif group.kind == PERMUTATION:
                x = multiply(x, axis, where, value)
            elif group.kind in MATRIX_KINDS:
                x = multiply(x, axis, where, value if exponent > 0 else _contragredient(group, value))
            else:
                x = x * spread(value**exponent, (*where, axis), x.ndim).astype(x.dtype)
    return x


def is_moved(layout: Layout, element: Mapping[str, Array]) -> bool:
    """Whether a group of the element moves a leaf with this layout."""
    return any(
        name in element
        for block in blocks(layout)
        for moves in (block.moves, *(part.moves for part in block.parts))
        for name, _ in moves
    )


def _placed_like(value: Array, moved: Array) -> Array:
    """The moved leaf, divided among devices as the leaf was; inside `jit` that is not known, and nothing is done."""
    known = isinstance(value, jax.Array) and not isinstance(value, Tracer)
    if known and isinstance(value.sharding, NamedSharding) and value.shape == moved.shape:
        return jax.device_put(moved, value.sharding)
    return moved


def _contragredient(group: Group, value: Array) -> Array:
    """The matrix ``inv(A).T``, which moves contravariant axes."""
    return value if group.kind == ORTHOGONAL else jnp.matrix_transpose(inverses(value))
