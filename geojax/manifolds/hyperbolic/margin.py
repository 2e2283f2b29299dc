"""Hyperplanes of hyperbolic space, and the support vector machine that separates points by one."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Num

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.manifolds.hyperbolic import triangle as triangle
from geojax.typing import Scalar


@rounded_once
def hyperplane_distance(
    point: Float[Array, " n"], normal: Float[Array, " n"], offset: Scalar
) -> Float[Array, ""]:
    """Signed distance from a point of hyperbolic space to a hyperplane, in the Euclidean parametrisation.

    The hyperplane crosses the ray along `normal` at a right angle, at distance `offset` from the origin. With r = |z|
    and p the angle between z and the normal,  sinh(D) = sinh(r - offset) - cosh(offset) sinh(r) (1 - cos(p)).

    Args:
        point: z, [n], standing for exp_0(z) in curvature -1, as points of `Hyperbolic` do.
        normal: Direction of the side that counts positive, [n], not 0; its length does not matter.
        offset: Signed distance of the hyperplane from the origin along the normal.

    Returns:
        The signed distance, positive beyond the hyperplane; finite at any radius up to `Hyperbolic().max_radius()`. NaN
        for a zero normal.

    Raises:
        ValueError if point and normal are not vectors of one size.

    Differentiation: exact in all arguments.

    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import hyperplane_distance
        >>> round(float(hyperplane_distance(jnp.array([40.0, 0.0]), jnp.array([1.0, 0.0]), 10.0)), 3)
        30.0

    References: [Mishne2023]; [Ganea2018] in the ball.
    """
    where = "hyperplane_distance"
    point, normal, offset = checks.floats(where, point=point, normal=normal, offset=offset)
    checks.shapes(where, point=(point, "n"), normal=(normal, "n"), offset=(offset, ""))
    return _arcsinh(*_sinh_distance(point, normal, offset))


@rounded_once
def lorentz_svm_loss(
    points: Float[Array, "m n"],
    labels: Num[Array, " m"],
    normal: Float[Array, " n"],
    offset: Scalar,
    *,
    penalty: Scalar,
) -> Float[Array, ""]:
    """Loss of a support vector machine in hyperbolic space, in the Euclidean parametrisation of points and hyperplane.

    |w|^2 / 2 + penalty sum_i max(0, arcsinh(1) - arcsinh(label_i |w| sinh(D_i))), where w is the normal and D_i the
    signed distance of point i to the hyperplane; |w| sinh(D_i) is the Lorentz product of the point and the hyperplane's
    normal vector, whose own product is |w|^2.

    Args:
        points: Rows z_i, [m, n], as points of `Hyperbolic`.
        labels: Sides, [m], each 1 or -1.
        normal: w, [n], not 0. Its direction is that of the hyperplane, 1 / |w| is the sine of the margin.
        offset: Signed distance of the hyperplane from the origin along w.
        penalty: Weight of the violations, > 0.

    Returns:
        The loss. Its gradient does not vanish at large radii.

    Raises:
        ValueError if the shapes do not fit each other.

    Differentiation: exact; at the hinge of a point, one of the one-sided derivatives.

    Complexity: O(m n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import lorentz_svm_loss
        >>> points = jnp.array([[40.0, 0.0], [-40.0, 0.0]])
        >>> float(lorentz_svm_loss(points, jnp.array([1, -1]), jnp.array([1.0, 0.0]), 0.0, penalty=1.0))
        0.5

    References: [Mishne2023]; [Cho2019].
    """
    where = "lorentz_svm_loss"
    points, labels, normal, offset, penalty = checks.floats(
        where, points=points, labels=labels, normal=normal, offset=offset, penalty=penalty
    )
    checks.shapes(
        where,
        points=(points, "m n"),
        labels=(labels, "m"),
        normal=(normal, "n"),
        offset=(offset, ""),
        penalty=(penalty, ""),
    )
    length = safe.norm(normal)

    def violation(point: Array, label: Array) -> Array:
        part, scale = _sinh_distance(point, normal, offset)
        return jnp.maximum(jnp.arcsinh(jnp.ones_like(label)) - _arcsinh(label * length * part, scale), 0)

    hinges = jax.vmap(violation)(points, labels)
    return jnp.vdot(normal, normal) / 2 + penalty * jnp.sum(hinges)


def _sinh_distance(point: Array, normal: Array, offset: Array) -> tuple[Array, Array]:
    """Sinh of the signed distance as scale^2 part: (part, scale), where scale >= 1 carries no derivative."""
    unit = normal / safe.norm(normal)
    near = lax.stop_gradient(safe.norm(point)) < 1
    inner, outer = jnp.where(near, point, 0), jnp.where(near, unit, point)
    # Near the origin, where sinh(r) cos(p) is smooth: both terms divided by exp|offset|.
    size = lax.stop_gradient(jnp.abs(offset))
    rising, falling = jnp.exp(offset - size) / 2, jnp.exp(-offset - size) / 2
    squared = jnp.vdot(inner, inner)
    inside = (rising + falling) * safe.sinhc_sqrt(squared) * jnp.vdot(unit, inner)
    inside = inside - (rising - falling) * safe.cosh_sqrt(squared)
    # Far from it, as a difference of squares, each divided by the larger.
    radius = safe.norm(outer)
    _, half_sine = triangle.angle(normal, outer)  # a unit vector would be rounded
    radial = jnp.sinh((radius - offset) / 2)
    mean = jnp.sqrt(jnp.cosh(offset)) * jnp.sqrt(jnp.sinh(radius))
    scale = lax.stop_gradient(jnp.maximum(jnp.maximum(jnp.abs(radial), mean * safe.norm(half_sine)), 1))
    radial, aside = radial / scale, (mean / scale) * half_sine
    outside = 2 * radial * jnp.sqrt(radial**2 + scale**-2) - 2 * jnp.vdot(aside, aside)
    return jnp.where(near, inside, outside), jnp.where(near, jnp.exp(size / 2), scale)


def _arcsinh(part: Array, scale: Array) -> Array:
    """Arcsinh(scale^2 part), whose argument may be too large for a number."""
    most = float(jnp.finfo(part.dtype).max) ** 0.5 / 4
    small = jnp.abs(part) * scale <= most / scale
    inside = jnp.arcsinh(jnp.where(small, part, 0) * jnp.where(small, scale, 1) ** 2)
    size = jnp.where(small, 1, jnp.abs(part))
    outside = jnp.sign(part) * (jnp.log(size) + 2 * jnp.log(scale) + jnp.log(jnp.asarray(2, part.dtype)))
    return jnp.where(small, inside, outside)
