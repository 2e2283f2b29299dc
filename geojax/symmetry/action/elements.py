"""Group elements and what they do to parameters: act, compose, inverse, identity, random elements.

An element is a dict {group name: array}. Everything is indexed by the *new* position: a permutation ``p`` and a
scaling ``s`` on one axis give ``new[i] = s[i] * old[p[i]]``; an axis D inside a parent axis H gives
``new[h, d] = s[h, d] * old[pH[h], pD[h, d]]``.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import NamedSharding
from jaxtyping import Array

from geojax._core.matrices.linalg import inverses
from geojax.symmetry.action.groups import (
    GENERAL_LINEAR,
    MATRIX_KINDS,
    ORTHOGONAL,
    PERMUTATION,
    SCALING,
    SIGN,
    Group,
    topological,
)
from geojax.symmetry.action.layout import Block, blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params

Element = dict[str, Array]

INVERSE = {
    SCALING: jnp.reciprocal,
    SIGN: lambda s: s,
    ORTHOGONAL: jnp.matrix_transpose,
    GENERAL_LINEAR: inverses,
}


def act(spec: SymmetrySpec, element: Mapping[str, Array], params: Params) -> Params:
    """Moves parameters by a group element; the function they parametrise stays the same.

    Every leaf axis moved by a permutation p becomes ``new[i] = old[p[i]]``; scalings and signs multiply by their
    exponent's power, matrix groups by ``A`` (covariant axes) or ``inv(A).T`` (contravariant ones).

    A permutation may be soft: a floating matrix S, [parent sizes..., new, old], gives ``new = S @ old`` along every
    axis. Doubly stochastic matrices lie between permutations; couplings with more or fewer rows than columns make wider
    or narrower layers; integers and booleans are taken from the old position of largest weight. The function stays
    the same only where S is a permutation.

    Args:
        spec: The symmetry, from `infer`.
        element: {group name: array}; a group that is absent acts as the identity.
        params: The parameters, a tree that fits the spec.

    Returns:
        A tree like ``params``, its axes as long as the soft permutations say. Leaves that are divided among devices
        stay divided the same way; under `jit` that is the caller's to say (``out_shardings``).

    Raises:
        ValueError: If ``params`` does not fit the spec, or an array of ``element`` is unknown or misshapen.

    Differentiation: exact in params and in the floating parts of element.
    Complexity: one gather or product a moved axis; linear in the parameters for permutations and scalings.

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
    spec.check(params)
    check_element(spec, element)
    layouts = {leaf.path: leaf for leaf in spec.leaves}
    order = acting_order(spec, element)

    def move(path, value):
        leaf = layouts.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        if leaf is None or not _moved(leaf.layout, element):
            return value
        pieces = zip(blocks(leaf.layout), split(leaf.layout, value), strict=True)
        moved = [move_block(spec.groups, order, block, piece, element) for block, piece in pieces]
        return _placed_like(value, join(leaf.layout, moved, leaf.shape))

    return jax.tree_util.tree_map_with_path(move, params)


def identity(spec: SymmetrySpec) -> Element:
    """The element that moves nothing.

    Args:
        spec: The symmetry, from `infer`.

    Returns:
        {group name: array}: ``arange`` for permutations, ones for scalings and signs, unit matrices for matrix groups.

    Differentiation: none; constant.
    Complexity: the size of the element.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.infer(lambda p, x: jnp.tanh(x @ p[0]) @ p[1], [jnp.eye(2), jnp.eye(2)], jnp.eye(2))
        >>> gj.symmetry.identity(spec)["0"].tolist()
        [0, 1]

    References: [Ainsworth2022]
    """
    return {name: _identity(group) for name, group in spec.members}


def random_element(spec: SymmetrySpec, key: Key) -> Element:
    """Draws an element: uniform permutations, signs and rotations, log-normal scalings, well-conditioned matrices.

    Scalings are exp(N(0, 1/4)); a general linear element is U diag(s) V with U, V Haar and s such scalings, so that
    its condition number stays small.

    Args:
        spec: The symmetry, from `infer`.
        key: A typed key from `jax.random.key`.

    Returns:
        {group name: array}, each of its group's `shape`.

    Differentiation: stop_gradient.
    Complexity: O(n) a copy; O(n^3) for matrix groups.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.infer(lambda p, x: jnp.tanh(x @ p[0]) @ p[1], [jnp.eye(2), jnp.eye(2)], jnp.eye(2))
        >>> gj.symmetry.random_element(spec, jax.random.key(0))["0"].shape
        (2,)

    References: [Ainsworth2022], [Mezzadri2007]
    """
    keys = jax.random.split(key, max(1, len(spec.members)))
    return {name: _draw(group, keys[i]) for i, (name, group) in enumerate(spec.members)}


def compose(spec: SymmetrySpec, g: Mapping[str, Array], h: Mapping[str, Array]) -> Element:
    """The product gh of two elements.

    act(spec, compose(spec, g, h), params) = act(spec, g, act(spec, h, params))

    Permutations, scalings, signs and matrices on one axis form a semidirect product: h's continuous part is carried
    along by g's permutation before the two are multiplied. Children are carried along by their parents' permutations.

    Args:
        spec: The symmetry, from `infer`.
        g: The element that acts second.
        h: The element that acts first.

    Returns:
        The product, with an array for every group of the spec.

    Raises:
        ValueError: If an array is unknown to the spec or misshapen.

    Differentiation: exact in the continuous parts.
    Complexity: O(n) a copy; O(n^3) for matrix groups.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.infer(lambda p, x: jnp.tanh(x @ p[0]) @ p[1], [jnp.eye(3), jnp.eye(3)], jnp.eye(3))
        >>> turn = {"0": jnp.array([1, 2, 0])}
        >>> gj.symmetry.compose(spec, turn, turn)["0"].tolist()
        [2, 0, 1]

    References: [Ainsworth2022]
    """
    left, right = _complete(spec, g), _complete(spec, h)
    product = {}
    for name, group in spec.members:
        carried = _carry(spec, group, right[name], left)
        if group.kind == PERMUTATION:
            product[name] = carried
        elif group.kind in MATRIX_KINDS:
            product[name] = left[name] @ carried
        else:
            product[name] = left[name] * carried
    return product


def inverse(spec: SymmetrySpec, g: Mapping[str, Array]) -> Element:
    """The element that undoes another.

    compose(spec, inverse(spec, g), g) = identity(spec)

    Args:
        spec: The symmetry, from `infer`.
        g: An element.

    Returns:
        Its inverse, with an array for every group of the spec.

    Raises:
        ValueError: If an array is unknown to the spec or misshapen.

    Differentiation: exact in the continuous parts.
    Complexity: O(n log n) a copy; O(n^3) for matrix groups.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.infer(lambda p, x: jnp.tanh(x @ p[0]) @ p[1], [jnp.eye(3), jnp.eye(3)], jnp.eye(3))
        >>> gj.symmetry.inverse(spec, {"0": jnp.array([1, 2, 0])})["0"].tolist()
        [2, 0, 1]

    References: [Ainsworth2022]
    """
    element = _complete(spec, g)
    groups = spec.groups
    back: Element = {}
    for name in topological(groups):
        if groups[name].kind == PERMUTATION:
            back[name] = jnp.argsort(_carry(spec, groups[name], element[name], back, own=False), axis=-1)
    for name, group in spec.members:
        if group.kind != PERMUTATION:
            back[name] = _carry(spec, group, INVERSE[group.kind](element[name]), back)
    return {name: back[name].astype(element[name].dtype) for name, _ in spec.members}


def check_element(spec: SymmetrySpec, element: Mapping[str, Array]) -> None:
    """Checks at trace time that every array of ``element`` belongs to a group of ``spec`` and has its shape.

    Raises:
        ValueError: Naming the group, what it got and what it expected.
    """
    groups = spec.groups
    for name, array in element.items():
        if name not in groups:
            raise ValueError(
                f"element: unknown group {name!r}; the spec has {', '.join(groups) or 'no groups'}"
            )
        group, got = groups[name], jnp.shape(array)
        sizes = tuple(
            jnp.shape(element[parent])[-2] if is_soft(element.get(parent)) else size
            for parent, size in zip(group.parents, group.parent_sizes, strict=True)
        )
        expected = (*sizes, *group.shape[len(sizes) :])
        if group.kind == PERMUTATION and is_soft(array) and len(got) == len(expected) + 1:
            expected = (*sizes, got[-2], group.size)
        if got != expected:
            raise ValueError(
                f"element[{name!r}]: got shape {got}, expected {expected} ({group.kind}); build elements with "
                "`identity` or `random_element`, and soft permutations as floating matrices [new, old]"
            )


def is_soft(value: Array | None) -> bool:
    """Whether an array of a permutation group is a matrix of weights [parents..., new, old]."""
    return value is not None and jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _complete(spec: SymmetrySpec, element: Mapping[str, Array]) -> Element:
    check_element(spec, element)
    return {
        name: jnp.asarray(element[name]) if name in element else _identity(group)
        for name, group in spec.members
    }


def _identity(group: Group) -> Array:
    if group.kind == PERMUTATION:
        return jnp.broadcast_to(jnp.arange(group.size, dtype=jnp.int32), group.shape)
    if group.kind in MATRIX_KINDS:
        return jnp.broadcast_to(jnp.eye(group.size), group.shape)
    return jnp.ones(group.shape)


def _draw(group: Group, key: Key) -> Array:
    if group.kind == PERMUTATION:
        ranks = jax.random.uniform(key, group.shape)
        return jnp.argsort(ranks, axis=-1).astype(jnp.int32)
    if group.kind == SIGN:
        return jax.random.rademacher(key, group.shape, dtype=jnp.result_type(float))
    if group.kind == SCALING:
        return jnp.exp(0.5 * jax.random.normal(key, group.shape))
    left, right, scales = jax.random.split(key, 3)
    rotation = _haar(left, group)
    if group.kind == ORTHOGONAL:
        return rotation
    stretch = jnp.exp(0.5 * jax.random.normal(scales, group.shape[:-1]))
    return rotation * stretch[..., None, :] @ _haar(right, group)


def _haar(key: Key, group: Group) -> Array:
    q = jax.random.orthogonal(key, group.size, group.parent_sizes)
    if not group.connected:
        return q
    return q.at[..., 0].multiply(jnp.linalg.det(q)[..., None])


def acting_order(spec: SymmetrySpec, element: Mapping[str, Array]) -> list[str]:
    """Groups in the order in which they act: permutations, parents first; then the continuous parts."""
    groups = spec.groups
    ordered = [name for name in topological(groups) if name in element]
    return sorted(ordered, key=lambda name: groups[name].kind != PERMUTATION)


def _moved(layout, element: Mapping[str, Array]) -> bool:
    return any(
        name in element
        for block in blocks(layout)
        for moves in (block.moves, *(part.moves for part in block.parts))
        for name, _ in moves
    )


def _placed_like(value: Array, moved: Array) -> Array:
    """The moved leaf, divided among devices as the leaf is: outside `jit`, where that is known."""
    known = isinstance(value, jax.Array) and not isinstance(value, Tracer)
    if known and isinstance(value.sharding, NamedSharding) and value.shape == moved.shape:
        return jax.device_put(moved, value.sharding)
    return moved


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


def _contragredient(group: Group, value: Array) -> Array:
    return value if group.kind == ORTHOGONAL else jnp.matrix_transpose(inverses(value))


def _carry(
    spec: SymmetrySpec, group: Group, value: Array, element: Mapping[str, Array], *, own: bool = True
) -> Array:
    """The array of a group after the permutations of ``element`` have moved its parents and its own axis."""
    groups = spec.groups
    names = list(group.parents)
    for axis, parent in enumerate(group.parents):
        if parent in element and groups[parent].kind == PERMUTATION:
            value = take(value, axis, [names.index(name) for name in groups[parent].parents], element[parent])
    if own and group.axis in groups and groups[group.axis].kind == PERMUTATION:
        where = [names.index(name) for name in groups[group.axis].parents]
        for axis in range(len(names), value.ndim):
            value = take(value, axis, where, element[group.axis])
    return value


def spread(value: Array, axes: tuple[int, ...], ndim: int) -> Array:
    """``value`` with its axes put at ``axes`` of an array of ``ndim`` dimensions, length 1 elsewhere."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [1] * ndim
    for i, axis in enumerate(axes):
        shape[axis] = value.shape[i]
    return jnp.reshape(jnp.transpose(value, order), shape)


def take(x: Array, axis: int, parents: Sequence[int], permutation: Array) -> Array:
    """``x`` gathered along ``axis``; the permutation's leading axes run along the ``parents`` axes of ``x``."""
    if not parents:
        return jnp.take(x, permutation, axis=axis, unique_indices=True, mode="clip")
    return jnp.take_along_axis(x, spread(permutation, (*parents, axis), x.ndim), axis=axis, mode="clip")


def multiply(x: Array, axis: int, parents: Sequence[int], matrix: Array) -> Array:
    """Multiplies along ``axis`` by a matrix for each index of the parents' axes."""
    letters = list(range(x.ndim))
    fresh = x.ndim
    out = [fresh if i == axis else i for i in letters]
    product = jnp.einsum(matrix, [*parents, fresh, axis], x, letters, out, precision="highest")
    return product.astype(x.dtype)
