"""Group elements: the identity, random elements, products and inverses.

An element is a dict {group name: array}. Everything is indexed by the *new* position: a permutation ``p`` and a
scaling ``s`` on one axis give ``new[i] = s[i] * old[p[i]]``; an axis D inside a parent axis H gives
``new[h, d] = s[h, d] * old[pH[h], pD[h, d]]``. `acting.act` moves parameters by an element.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.matrices.linalg import inverses
from geojax._core.precision import rounded_once
from geojax._core.tree import is_numeric
from geojax.symmetry.action import door
from geojax.symmetry.action.arrays import take
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
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key

Element = dict[str, Array]

INVERSE = {
    SCALING: jnp.reciprocal,
    SIGN: lambda s: s,
    ORTHOGONAL: jnp.matrix_transpose,
    GENERAL_LINEAR: inverses,
}


def identity(spec: SymmetrySpec) -> Element:
    """The element that moves nothing.

    Args:
        spec: The symmetry, from `infer`.

    Returns:
        {group name: array}: ``arange`` for permutations, ones for scalings and signs, unit matrices for matrix groups.

    Raises:
        TypeError: If ``spec`` is not a `SymmetrySpec`.

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
    door.check_spec("identity(spec)", spec)
    return {name: _identity(group) for name, group in spec.members}


def random_element(spec: SymmetrySpec, key: Key) -> Element:
    """Draws an element: uniform permutations, signs and rotations, log-normal scalings, well-conditioned matrices.

    Scalings are exp(N(0, 1/4)); a general linear element is U diag(s) V with U, V Haar and s such scalings, so that
    its condition number stays small.

    Args:
        spec: The symmetry, from `infer`.
        key: A typed key from `jax.random.key`.

    Returns:
        {group name: array}; each array has its group's `shape`.

    Raises:
        TypeError: If ``spec`` is not a `SymmetrySpec`, or ``key`` not one typed key.

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
    call = "random_element(spec, key)"
    door.check_spec(call, spec)
    door.check_key(call, key)
    keys = jax.random.split(key, max(1, len(spec.members)))
    return {name: _draw(group, keys[i]) for i, (name, group) in enumerate(spec.members)}


@rounded_once
def compose(spec: SymmetrySpec, g: Mapping[str, Array], h: Mapping[str, Array]) -> Element:
    """The product gh of two elements: first h acts, then g.

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
        TypeError: If ``spec`` is not a `SymmetrySpec`, or ``g`` or ``h`` not a dict of arrays.
        ValueError: If a group is unknown to the spec, or an array has the wrong shape.

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
    call = "compose(spec, g, h)"
    door.check_spec(call, spec)
    left, right = _completed(spec, g, call, "g"), _completed(spec, h, call, "h")
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


@rounded_once
def inverse(spec: SymmetrySpec, g: Mapping[str, Array]) -> Element:
    """The element that undoes another.

    compose(spec, inverse(spec, g), g) = identity(spec)

    Args:
        spec: The symmetry, from `infer`.
        g: An element.

    Returns:
        Its inverse, with an array for every group of the spec.

    Raises:
        TypeError: If ``spec`` is not a `SymmetrySpec`, or ``g`` not a dict of arrays.
        ValueError: If a group is unknown to the spec, or an array has the wrong shape.

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
    call = "inverse(spec, g)"
    door.check_spec(call, spec)
    element = _completed(spec, g, call, "g")
    groups = spec.groups
    back: Element = {}
    for name in topological(groups):
        if groups[name].kind == PERMUTATION:
            back[name] = jnp.argsort(_carry(spec, groups[name], element[name], back, own=False), axis=-1)
    for name, group in spec.members:
        if group.kind != PERMUTATION:
            back[name] = _carry(spec, group, INVERSE[group.kind](element[name]), back)
    return {name: back[name].astype(element[name].dtype) for name, _ in spec.members}


def check_element(
    spec: SymmetrySpec, element: Mapping[str, Array], *, call: str = "", name: str = "element"
) -> None:
    """Checks at trace time that every array of ``element`` belongs to a group of ``spec`` and has its shape.

    Args:
        spec: The symmetry.
        element: The element.
        call: The call whose argument it is, for the message.
        name: Name of the argument.

    Raises:
        TypeError: If ``element`` is not a dict of arrays of numbers.
        ValueError: If a group is unknown or an array has another shape; the message names both shapes.
    """
    door.check_mapping(call or name, element, name=name)
    start = f"{call.partition('(')[0]}: {name}" if call else name
    groups = spec.groups
    for group_name, array in element.items():
        if group_name not in groups:
            raise ValueError(
                f"{start}: unknown group {group_name!r}; the spec has {', '.join(groups) or 'no groups'}. Use an "
                "element of this spec: identity(spec), random_element(spec, key), or that of a match made with it."
            )
        if not (is_numeric(array) or isinstance(array, list | int | float)):
            raise TypeError(
                f"{start}[{group_name!r}] is {checks.described(array)}; expected an array of numbers. "
                "Build elements with `identity` or `random_element`."
            )
        group, got = groups[group_name], jnp.shape(array)
        sizes = tuple(
            jnp.shape(element[parent])[-2] if is_soft(element.get(parent)) else size
            for parent, size in zip(group.parents, group.parent_sizes, strict=True)
        )
        expected = (*sizes, *group.shape[len(sizes) :])
        if group.kind == PERMUTATION and is_soft(array) and len(got) == len(expected) + 1:
            expected = (*sizes, got[-2], group.size)
        if got != expected:
            raise ValueError(
                f"{start}[{group_name!r}]: got shape {got}, expected {expected} ({group.kind}); build elements with "
                "`identity` or `random_element`, and soft permutations as floating matrices [new, old]"
            )


def is_soft(value: Array | None) -> bool:
    """Whether the array of a permutation group is soft: a floating matrix of weights [parents..., new, old]."""
    return value is not None and jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _completed(spec: SymmetrySpec, element: Mapping[str, Array], call: str, name: str) -> Element:
    """The element with the identity of every group that it lacks."""
    check_element(spec, element, call=call, name=name)
    return {
        group_name: jnp.asarray(element[group_name]) if group_name in element else _identity(group)
        for group_name, group in spec.members
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
