"""Positive scalings of least norm: sweeps over the scaling groups, each solved for all its units at once."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.symmetry.action.groups import SCALING
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import move_leaves, real_leaves, unit_weights
from geojax.symmetry.orbits.reading import Leaves, read_params
from geojax.typing import Params, Scalar

NEWTON_STEPS = 8
"""Newton steps for a group that acts with other exponents than 1 and -1."""


@struct
class RescalingResult:
    """The scalings that `min_norm_rescaling` returns.

    `element` scales the parameters to least norm, whose square is `objective`; `error` is the largest change of a
    log scale in the last sweep.
    """

    element: dict[str, Array]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
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
        max_steps: Most sweeps over all scaling groups.

    Returns:
        RescalingResult. Units with no least-norm scale (all incoming or all outgoing weights zero) keep theirs.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Status: CONVERGED, MAX_STEPS; NONFINITE if a weight is not finite.
    Differentiation: forward mode through the sweeps.
    Complexity: one action on the parameters for each group and sweep.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.full((1, 2), 4.0), jnp.ones((2, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 1)))
        >>> result = gj.unwrap(gj.symmetry.min_norm_rescaling(spec, params))
        >>> [leaf.ravel().round(3).tolist() for leaf in gj.symmetry.act(spec, result.element, params)]
        [[2.0, 2.0], [2.0, 2.0]]

    References: [Laurent2024]
    """
    max_steps = checks.count("min_norm_rescaling", "max_steps", max_steps)
    (leaves,) = read_params("min_norm_rescaling(spec, params)", spec, params=params)
    return rescale_leaves(spec, leaves, tol=tol, max_steps=max_steps)


def rescale_leaves(
    spec: SymmetrySpec, leaves: Leaves, *, tol: Scalar, max_steps: int, unit_norm: bool = False
) -> RescalingResult:
    """`min_norm_rescaling` on leaves that have been checked.

    A unit whose weights all have exponents of one sign has no least norm. It keeps its scale, or with ``unit_norm`` its
    weights get norm one: the minimum of their squared norm less twice the sum of e log s.
    """
    names = [name for name, group in spec.members if group.kind == SCALING]
    floating = real_leaves(leaves)
    dtype = jnp.result_type(float, *(leaf.dtype for leaf in floating))
    start = {name: jnp.zeros(spec.groups[name].shape, dtype) for name in names}
    finite = jnp.all(jnp.asarray([jnp.all(jnp.isfinite(leaf)) for leaf in floating], bool))

    def sweep(logs: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        before = logs
        for name in names:
            moved = move_leaves(spec, {other: jnp.exp(log) for other, log in logs.items()}, leaves)
            logs = {**logs, name: logs[name] + _best_log_scale(spec, name, moved, unit_norm)}
        changes = [jnp.max(jnp.abs(logs[name] - before[name])) for name in names]
        error = jnp.max(jnp.stack(changes)) if changes else jnp.zeros((), dtype)
        return logs, jnp.where(finite, error, jnp.nan)

    end = iterate(sweep, start, tol=tol, max_steps=max_steps)
    element = {name: jnp.exp(log) for name, log in end.state.items()}
    squares = [jnp.sum(jnp.square(leaf)) for leaf in real_leaves(move_leaves(spec, element, leaves))]
    objective = sum(squares, start=jnp.zeros((), dtype))
    return RescalingResult(element, objective, end.error, end.num_steps, end.status)


def _best_log_scale(spec: SymmetrySpec, name: str, leaves: Leaves, unit_norm: bool) -> Array:
    """Newton's method for min over t of sum_e a_e exp(2 e t) - 2 sigma t, unit by unit; 0 for units without a minimum.

    sigma is 0 for units with weights on both sides; for others, with `unit_norm`, the sign of their exponents.
    """
    squares: dict[int, Array] = {}
    for _, exponent, array in unit_weights(spec, name, leaves):
        squares[exponent] = squares.get(exponent, 0) + jnp.sum(jnp.square(array), axis=-1)
    nothing = jnp.zeros(spec.groups[name].shape, jnp.result_type(float, *squares.values()))
    up = sum((a for e, a in squares.items() if e > 0), nothing)
    down = sum((a for e, a in squares.items() if e < 0), nothing)
    bounded = (up > 0) & (down > 0)
    if set(squares) <= {1, -1}:
        ratio = jnp.where(down > 0, down, 1) / jnp.where(up > 0, up, 1)
        share = jnp.where(bounded, 0.25, 0.5 if unit_norm else 0.0)
        return jnp.where(jnp.isfinite(up + down), share.astype(ratio.dtype) * jnp.log(ratio), jnp.nan)
    moving = (up > 0) | (down > 0) if unit_norm else bounded
    sigma = jnp.where(bounded, 0, jnp.sign(up) - jnp.sign(down))
    t = nothing
    for _ in range(NEWTON_STEPS):
        slope = sum(2 * e * a * jnp.exp(2 * e * t) for e, a in squares.items()) - 2 * sigma
        curvature = sum(4 * e * e * a * jnp.exp(2 * e * t) for e, a in squares.items())
        t = t - jnp.where(moving, jnp.clip(slope / jnp.where(moving, curvature, 1), -1, 1), 0)
    return t
