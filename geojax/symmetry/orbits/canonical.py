"""Canonical representatives: one set of parameters for each orbit of the scalings, signs and permutations."""

import math
from collections.abc import Callable, Iterator

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core.loops import iterate
from geojax._core.struct import struct
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import PERMUTATION, SCALING, SIGN, topological
from geojax.symmetry.action.layout import Block, blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params, Scalar

NEWTON_STEPS = 8


@struct
class RescalingResult:
    """What `min_norm_rescaling` found.

    `element` scales the parameters to least norm, whose square is `objective`; `error` is the largest change of a
    log scale in the last sweep.
    """

    element: dict[str, Array]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def min_norm_rescaling(
    spec: SymmetrySpec, params: Params, *, tol: Scalar = 1e-6, max_steps: int = 500
) -> RescalingResult:
    """The positive scalings that bring parameters to their least L2 norm without changing the function.

    Minimises  sum over leaves |act(s, params)|^2  over the spec's scaling groups: a convex problem in log s, solved by
    sweeps over the groups, each of which is solved for all its units at once. In a one-hidden-layer relu network the
    weights into each unit get the norm of the weights out of it.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.
        tol: Largest change of a log scale in a sweep that counts as converged.
        max_steps: Most sweeps.

    Returns:
        RescalingResult. Units with no least-norm scale (all incoming or all outgoing weights zero) keep theirs.

    Raises:
        ValueError: If ``params`` does not fit the spec.

    Status: CONVERGED, MAX_STEPS; NONFINITE if a weight is not finite.
    Differentiation: forward mode through the sweeps.
    Complexity: one action on the parameters for each group and sweep.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.full((1, 2), 4.0), jnp.ones((2, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 1)))
        >>> found = gj.unwrap(gj.symmetry.min_norm_rescaling(spec, params))
        >>> [leaf.ravel().round(3).tolist() for leaf in gj.symmetry.act(spec, found.element, params)]
        [[2.0, 2.0], [2.0, 2.0]]

    References: [Laurent2024]
    """
    spec.check(params)
    names = [name for name, group in spec.members if group.kind == SCALING]
    dtype = jnp.result_type(float, *(leaf.dtype for _, leaf in array_leaves(params)))
    start = {name: jnp.zeros(spec.groups[name].shape, dtype) for name in names}
    finite = jnp.all(
        jnp.stack([jnp.all(jnp.isfinite(leaf)) for _, leaf in array_leaves(params) if _smooth(leaf)])
    )

    def sweep(logs: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        before = logs
        for name in names:
            moved = act(spec, {other: jnp.exp(log) for other, log in logs.items()}, params)
            logs = {**logs, name: logs[name] + _best_log_scale(spec, name, moved)}
        changes = [jnp.max(jnp.abs(logs[name] - before[name])) for name in names]
        error = jnp.max(jnp.stack(changes)) if changes else jnp.zeros((), dtype)
        return logs, jnp.where(finite, error, jnp.nan)

    found = iterate(sweep, start, tol=tol, max_steps=max_steps)
    element = {name: jnp.exp(log) for name, log in found.state.items()}
    squares = [
        jnp.sum(jnp.square(leaf)) for _, leaf in array_leaves(act(spec, element, params)) if _smooth(leaf)
    ]
    return RescalingResult(element, jnp.sum(jnp.stack(squares)), found.error, found.num_steps, found.status)


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
        ValueError: If ``params`` does not fit the spec.

    Differentiation: forward mode in params, with the order of the units held.
    Complexity: that of `min_norm_rescaling`, and one sort a group.

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
    params = act(spec, min_norm_rescaling(spec, params, tol=tol, max_steps=max_steps).element, params)
    params = act(spec, _canonical_signs(spec, params), params)
    return act(spec, canonical_permutation(spec, params), params)


def canonical_permutation(spec: SymmetrySpec, params: Params) -> Element:
    """The permutations that sort the units of every group by the size of their weights, largest first.

    The size of a unit is a weighted sum over the blocks of leaves that carry it of the mean squares of its entries; it
    does not depend on the order of any other group's units, nor on signs. Families are sorted within each parent index
    first, then the parents.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.

    Returns:
        An element with an array for every permutation group.

    Raises:
        ValueError: If ``params`` does not fit the spec.

    Differentiation: stop_gradient.
    Complexity: one pass over the parameters and one sort a group.

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
    spec.check(params)
    groups = spec.groups
    names = [name for name in reversed(topological(groups)) if groups[name].kind == PERMUTATION]
    total = identity(spec)
    for name in names:
        order = jnp.argsort(-_moment(spec, name, params, jnp.square), axis=-1)
        total = compose(spec, {name: order.astype(jnp.int32)}, total)
    return {name: total[name] for name in names}


def permutation_count(spec: SymmetrySpec) -> int:
    """The number of permutations in a spec's group: the product of n! over all groups and parent indices.

    Args:
        spec: The symmetry, from `infer`.

    Returns:
        The count, an exact Python integer.

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
    permutations = (group for _, group in spec.members if group.kind == PERMUTATION)
    return math.prod(math.factorial(group.size) ** group.copies for group in permutations)


def fold_scales(spec: SymmetrySpec, params: Params) -> Params:
    """Moves the elementwise scale of a norm into the linear maps after it, leaving ones.

    Wherever a scaling group multiplies exactly one leaf that is a single axis (an RMS norm's scale) and divides others,
    the leaf becomes ones (and minus ones where no sign group goes with it). With these ones written into the function
    as constants the residual stream is free to rotate: `infer` then finds its orthogonal group.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.

    Returns:
        A tree like ``params`` that parametrises the same function. Entries that are zero stay zero.

    Raises:
        ValueError: If ``params`` does not fit the spec.

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
    spec.check(params)
    leaves = dict(array_leaves(params))
    element: Element = {}
    for name, group in spec.members:
        if group.kind not in (SCALING, SIGN):
            continue
        gains = [
            leaf
            for leaf, _, part in spec.occurrences(name)
            if dict(part.moves)[name] == 1 and len(leaf.shape) == 1
        ]
        gain = gains[0] if len(gains) == 1 and gains[0].shape == group.shape else None
        if gain is None or (group.kind == SIGN and not _scaled_too(spec, gain.path)):
            continue
        value = leaves[gain.path]
        safe = jnp.where(value == 0, 1, value)
        element[name] = 1 / jnp.abs(safe) if group.kind == SCALING else jnp.sign(safe)
    return act(spec, element, params)


def _scaled_too(spec: SymmetrySpec, path: str) -> bool:
    return any(
        spec.groups[name].kind == SCALING
        for leaf in spec.leaves
        if leaf.path == path
        for block in blocks(leaf.layout)
        for part in block.parts
        for name, _ in part.moves
    )


def _smooth(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _carriers(spec: SymmetrySpec, name: str, params: Params) -> Iterator[tuple[Block, int, Array]]:
    """For each axis of a block that a group moves: the block, the exponent, the array with the group's axes last."""
    group = spec.groups[name]
    leaves = dict(array_leaves(params))
    for leaf in spec.leaves:
        if not _smooth(leaves[leaf.path]):
            continue
        for block, array in zip(blocks(leaf.layout), split(leaf.layout, leaves[leaf.path]), strict=True):
            present = [part.name for part in block.parts]
            for axis, part in enumerate(block.parts):
                exponent = dict(part.moves).get(name)
                if exponent is not None:
                    last = [*(present.index(parent) for parent in group.parents), axis]
                    first = [k for k in range(len(present)) if k not in last]
                    moved = jnp.transpose(array, (*first, *last))
                    yield block, exponent, jnp.reshape(moved, (-1, *group.shape))


def _best_log_scale(spec: SymmetrySpec, name: str, params: Params) -> Array:
    """Newton's method for min over t of sum_e a_e exp(2 e t), unit by unit; 0 where there is no minimum."""
    weights: dict[int, Array] = {}
    for _, exponent, array in _carriers(spec, name, params):
        weights[exponent] = weights.get(exponent, 0) + jnp.sum(jnp.square(array), axis=0)
    up = sum((w for e, w in weights.items() if e > 0), jnp.zeros(()))
    down = sum((w for e, w in weights.items() if e < 0), jnp.zeros(()))
    bounded = (up > 0) & (down > 0)
    if set(weights) == {1, -1}:
        ratio = jnp.where(bounded, weights[-1], 1) / jnp.where(bounded, weights[1], 1)
        return jnp.where(jnp.isfinite(up + down), jnp.log(ratio) / 4, jnp.nan)
    t = jnp.zeros(spec.groups[name].shape, jnp.result_type(float, *weights.values()))
    for _ in range(NEWTON_STEPS):
        slope = sum(2 * e * w * jnp.exp(2 * e * t) for e, w in weights.items())
        curve = sum(4 * e * e * w * jnp.exp(2 * e * t) for e, w in weights.items())
        t = t - jnp.where(bounded, jnp.clip(slope / jnp.where(bounded, curve, 1), -1, 1), 0)
    return t


def _moment(
    spec: SymmetrySpec,
    name: str,
    params: Params,
    power: Callable[[Array], Array],
    without: frozenset[str] = frozenset(),
) -> Array:
    """A sum over blocks, each with its own weight, of the mean of a power of a unit's entries.

    Blocks that a group in ``without`` moves too are left out.
    """
    total = jnp.zeros(spec.groups[name].shape)
    for number, (block, _, array) in enumerate(_carriers(spec, name, params)):
        if not any(other in without for part in block.parts for other, _ in part.moves):
            total = total + jnp.mean(power(array), axis=0) / (1 + 0.37 * number)
    return total


def _canonical_signs(spec: SymmetrySpec, params: Params) -> Element:
    """Signs that make an odd moment of each unit positive, from the first groups of the program to the last.

    Only blocks that no undecided sign group flips as well are looked at.
    """
    signs = [name for name, group in spec.members if group.kind == SIGN]
    element: Element = dict(identity(spec))
    for done, name in enumerate(signs):
        moved = act(spec, {n: element[n] for n in signs[:done]}, params)
        total = _moment(spec, name, moved, lambda x: x**3, without=frozenset(signs[done + 1 :]))
        element[name] = jnp.where(total < 0, -1.0, 1.0).astype(element[name].dtype)
    return {name: element[name] for name in signs}
