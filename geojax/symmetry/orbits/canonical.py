"""Canonical representatives: one set of parameters for each orbit of the scalings, signs and permutations."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import PERMUTATION, SCALING, SIGN, topological
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import move_leaves, unit_weights, with_leaves
from geojax.symmetry.orbits.reading import Leaves, read_params
from geojax.symmetry.orbits.rescaling import rescale_leaves
from geojax.typing import Params, Scalar


@rounded_once
def canonicalize(spec: SymmetrySpec, params: Params, *, tol: Scalar = 1e-6, max_steps: int = 500) -> Params:
    """One representative of all parameters that differ by scalings, signs and permutations.

    Scalings are fixed by least norm, signs by making odd moments positive, permutations by sorting units by a moment of
    their weights that the other groups do not change. Two networks in one orbit get the same parameters, up to rounding
    and up to units that are copies of each other. Orthogonal and general linear groups are left alone.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.
        tol: As for `min_norm_rescaling`.
        max_steps: As for `min_norm_rescaling`.

    Returns:
        A tree like ``params`` that parametrises the same function.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: forward mode in params, with the order of the units held.
    Complexity: that of `min_norm_rescaling`, and one sort for each group.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jax.random.normal(jax.random.key(0), (3, 4)), jax.random.normal(jax.random.key(1), (4, 2))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 3)))
        >>> moved = gj.symmetry.act(spec, gj.symmetry.random_element(spec, jax.random.key(2)), params)
        >>> same = [gj.symmetry.canonicalize(spec, p) for p in (params, moved)]
        >>> all(bool(jnp.allclose(a, b, rtol=1e-3)) for a, b in zip(*same))
        True

    References: [Laurent2024]
    """
    max_steps = checks.count("canonicalize", "max_steps", max_steps)
    (leaves,) = read_params("canonicalize(spec, params)", spec, params=params)
    scalings = rescale_leaves(spec, leaves, tol=tol, max_steps=max_steps).element
    leaves = move_leaves(spec, scalings, leaves)
    leaves = move_leaves(spec, positive_signs(spec, leaves), leaves)
    leaves = move_leaves(spec, _order_by_size(spec, leaves), leaves)
    return with_leaves(params, leaves)


@rounded_once
def canonical_permutation(spec: SymmetrySpec, params: Params) -> Element:
    """The permutations that sort the units of every group by the size of their weights, largest first.

    The size of a unit is a weighted sum of mean squares of its weights, one for each block of a leaf in which it
    occurs. It depends neither on the order of any other group's units nor on signs. Groups with parents are sorted
    first, within each parent index, then the parents.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.

    Returns:
        An element with an array for every permutation group.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: stop_gradient.
    Complexity: one pass over the parameters and one sort for each group.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.array([[1.0, 3.0, 2.0]]), jnp.ones((3, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 1)))
        >>> gj.symmetry.canonical_permutation(spec, params)["0"].tolist()
        [1, 2, 0]

    References: [Laurent2024]
    """
    (leaves,) = read_params("canonical_permutation(spec, params)", spec, params=params)
    return _order_by_size(spec, leaves)


def permutation_count(spec: SymmetrySpec) -> int:
    """The number of permutations in a spec's group: the product of n! over all groups and parent indices.

    Args:
        spec: The symmetry, from `infer`.

    Returns:
        The count, an exact Python integer.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec.

    Differentiation: none.
    Complexity: that of the factorials.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> spec = gj.symmetry.infer(relu, [jnp.ones((1, 4)), jnp.ones((4, 1))], jnp.ones((5, 1)))
        >>> gj.symmetry.permutation_count(spec)
        24

    References: [Laurent2024]
    """
    check_spec("permutation_count(spec)", spec)
    permutations = (group for _, group in spec.members if group.kind == PERMUTATION)
    return math.prod(math.factorial(group.size) ** group.copies for group in permutations)


@rounded_once
def fold_scales(spec: SymmetrySpec, params: Params) -> Params:
    """Moves the elementwise scale of a norm into the linear maps after it, leaving ones.

    If a scaling group multiplies exactly one leaf with a single axis (the scale of an RMS norm) and divides others,
    that leaf becomes ones (or ones and minus ones, if no sign group moves it). Once these ones are constants of the
    function, the residual stream is free to rotate: `infer` then finds its orthogonal group.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.

    Returns:
        A tree like ``params`` that parametrises the same function. Entries that are zero stay zero.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: exact in params where scales are not zero.
    Complexity: one action on the parameters.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> norm = lambda x: x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True))
        >>> apply = lambda p, x: (norm(x @ p["in"]) * p["scale"]) @ p["out"]
        >>> params = {"in": jnp.ones((2, 3)), "scale": jnp.array([1.0, -2.0, 4.0]), "out": jnp.ones((3, 1))}
        >>> spec = gj.symmetry.infer(apply, params, jnp.ones((5, 2)))
        >>> folded = gj.symmetry.fold_scales(spec, params)
        >>> folded["scale"].tolist(), folded["out"].ravel().tolist()
        ([1.0, 1.0, 1.0], [1.0, -2.0, 4.0])

    References: [Ashkboos2024]
    """
    (leaves,) = read_params("fold_scales(spec, params)", spec, params=params)
    element: Element = {}
    for name, group in spec.members:
        if group.kind not in (SCALING, SIGN):
            continue
        vectors = [
            leaf
            for leaf, _, part in spec.occurrences(name)
            if dict(part.moves)[name] == 1 and len(leaf.shape) == 1
        ]
        scale = vectors[0] if len(vectors) == 1 and vectors[0].shape == group.shape else None
        if scale is None or (group.kind == SIGN and not _has_scaling(spec, scale.path)):
            continue
        value = leaves[scale.path]
        safe = jnp.where(value == 0, 1, value)
        element[name] = 1 / jnp.abs(safe) if group.kind == SCALING else jnp.sign(safe)
    return with_leaves(params, move_leaves(spec, element, leaves))


def _has_scaling(spec: SymmetrySpec, path: str) -> bool:
    """Whether a scaling group moves a leaf."""
    return any(
        spec.groups[name].kind == SCALING
        for leaf in spec.leaves
        if leaf.path == path
        for block in blocks(leaf.layout)
        for part in block.parts
        for name, _ in part.moves
    )


def _moment(
    spec: SymmetrySpec,
    name: str,
    leaves: Leaves,
    power: Callable[[Array], Array],
    without: frozenset[str] = frozenset(),
) -> Array:
    """A sum over blocks, each with its own weight, of the mean of a power of a unit's weights.

    Blocks that a group in ``without`` moves too are left out.
    """
    total = jnp.zeros(spec.groups[name].shape)
    for number, (block, _, array) in enumerate(unit_weights(spec, name, leaves)):
        if not any(other in without for part in block.parts for other, _ in part.moves):
            total = total + jnp.mean(power(array), axis=-1) / (1 + 0.37 * number)
    return total


def _order_by_size(spec: SymmetrySpec, leaves: Leaves) -> Element:
    """The permutations that sort the units of every group by the size of their weights."""
    groups = spec.groups
    names = [name for name in reversed(topological(groups)) if groups[name].kind == PERMUTATION]
    total = identity(spec)
    for name in names:
        order = jnp.argsort(-_moment(spec, name, leaves, jnp.square), axis=-1)
        total = compose(spec, {name: order.astype(jnp.int32)}, total)
    return {name: total[name] for name in names}


def positive_signs(spec: SymmetrySpec, leaves: Leaves) -> Element:
    """Signs that make an odd moment of each unit positive, group after group in the spec's order.

    The moment of a group leaves out the blocks that a sign group still to come flips too.
    """
    signs = [name for name, group in spec.members if group.kind == SIGN]
    element: Element = dict(identity(spec))
    for done, name in enumerate(signs):
        moved = move_leaves(spec, {other: element[other] for other in signs[:done]}, leaves)
        total = _moment(spec, name, moved, lambda x: x**3, without=frozenset(signs[done + 1 :]))
        element[name] = jnp.where(total < 0, -1.0, 1.0).astype(element[name].dtype)
    return {name: element[name] for name in signs}
