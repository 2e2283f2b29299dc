"""One set of scales and signs for each network, and the way back."""

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.loops import iterate
from geojax._core.precision import rounded_once
from geojax.symmetry.action.elements import Element
from geojax.symmetry.action.groups import SCALING
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.canonical import positive_signs
from geojax.symmetry.orbits.leaves import move_leaves, real_leaves, unit_weights, with_leaves
from geojax.symmetry.orbits.reading import Leaves, read_params
from geojax.typing import Params, Scalar

__all__ = ["fix_gauge"]

NEWTON_STEPS = 8
"""Newton steps in a sweep for a group that acts with other exponents than 1 and -1."""


@rounded_once
def fix_gauge(
    spec: SymmetrySpec, params: Params, *, tol: Scalar = 1e-6, max_steps: int = 500
) -> tuple[Params, Element]:
    """The parameters with canonical scales and signs, and the element that brought them there.

    fixed = act(spec, element, params);   params = act(spec, inverse(spec, element), fixed)

    Scalings are those of least norm: a relu unit gets weights of one norm on both sides. A unit with weights on one
    side only has no least norm; they get norm one. Without any weights it keeps its scale. Signs make an odd moment of
    each unit's weights positive. The rule looks at units one by one, so it commutes with permutations: a network on
    weights reads ``fixed`` under ``spec.without(...)`` the scalings and signs, has then all maps that commute with
    permutations, and what it returns in the place of parameters goes back by the inverse element. Matrix groups are
    left alone.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.
        tol: Largest change of a log scale in a sweep over the groups that counts as converged.
        max_steps: Most sweeps. Beyond, the result parametrises the same function with scales that are not yet
            canonical.

    Returns:
        A tree like ``params`` that parametrises the same function, and the element, an array for each scaling and
        sign group.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: forward mode through the sweeps, with signs held. It jumps where the odd moment of a unit is 0, and
        where the weights on one of its sides become 0.
    Complexity: one action on the parameters for each scaling group and sweep.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.full((1, 2), 4.0), jnp.ones((2, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 1)))
        >>> fixed, element = gj.metanets.fix_gauge(spec, params)
        >>> [leaf.ravel().round(3).tolist() for leaf in fixed]
        [[2.0, 2.0], [2.0, 2.0]]
        >>> back = gj.symmetry.act(spec, gj.symmetry.inverse(spec, element), fixed)
        >>> [leaf.ravel().round(3).tolist() for leaf in back]
        [[4.0, 4.0], [1.0, 1.0]]

    References: [Laurent2024]
    """
    max_steps = checks.count("fix_gauge", "max_steps", max_steps)
    (leaves,) = read_params("fix_gauge(spec, params)", spec, params=params)
    dtype = jnp.result_type(float, *(leaf.dtype for leaf in real_leaves(leaves)))
    scalings = _scalings(spec, leaves, dtype, tol=tol, max_steps=max_steps)
    leaves = move_leaves(spec, scalings, leaves)
    signs = {name: sign.astype(dtype) for name, sign in positive_signs(spec, leaves).items()}
    return with_leaves(params, move_leaves(spec, signs, leaves)), {**scalings, **signs}


def _scalings(spec: SymmetrySpec, leaves: Leaves, dtype, *, tol: Scalar, max_steps: int) -> Element:
    """The minimum of |act(s, params)|^2 - 2 sum of e log s over the units whose weights all have exponents of sign e.

    The function is convex in log s, and each sweep minimises it over the scales of one group after another.
    """
    names = [name for name, group in spec.members if group.kind == SCALING]
    start = {name: jnp.zeros(spec.groups[name].shape, dtype) for name in names}

    def sweep(logs: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        changes = [jnp.zeros((), dtype)]
        for name in names:
            moved = move_leaves(spec, {other: jnp.exp(log) for other, log in logs.items()}, leaves)
            change = _best_change(spec, name, moved, dtype)
            changes.append(jnp.max(jnp.abs(change), initial=0))
            logs = {**logs, name: logs[name] + change}
        return logs, jnp.max(jnp.stack(changes))

    logs = iterate(sweep, start, tol=tol, max_steps=max_steps).state
    return {name: jnp.exp(log) for name, log in logs.items()}


def _best_change(spec: SymmetrySpec, name: str, leaves: Leaves, dtype) -> Array:
    """Newton's method for min over t of sum_e a_e exp(2 e t) - 2 sigma t, unit by unit.

    sigma is 0 for units with weights on both sides, otherwise the sign of their exponents.
    """
    shape = spec.groups[name].shape
    squares: dict[int, Array] = {}
    for _, exponent, array in unit_weights(spec, name, leaves):
        added = jnp.sum(jnp.square(array), axis=-1).astype(dtype)
        squares[exponent] = squares.get(exponent, jnp.zeros(shape, dtype)) + added
    up = sum((a for e, a in squares.items() if e > 0), jnp.zeros(shape, dtype))
    down = sum((a for e, a in squares.items() if e < 0), jnp.zeros(shape, dtype))
    above, below = up > 0, down > 0
    if set(squares) <= {1, -1}:
        log_up, log_down = (jnp.log(jnp.where(side > 0, side, 1)) for side in (up, down))
        best = jnp.where(above & below, (log_down - log_up) / 4, (log_down - log_up) / 2)
        return jnp.where(jnp.isfinite(up + down), best, jnp.nan)
    sigma = jnp.where(above, 1, 0) - jnp.where(below, 1, 0)
    t = jnp.zeros(shape, dtype)
    for _ in range(NEWTON_STEPS):
        slope = sum(2 * e * a * jnp.exp(2 * e * t) for e, a in squares.items()) - 2 * sigma
        curvature = sum(4 * e * e * a * jnp.exp(2 * e * t) for e, a in squares.items())
        some = curvature > 0
        t = t - jnp.where(some, jnp.clip(slope / jnp.where(some, curvature, 1), -1, 1), 0)
    return t
