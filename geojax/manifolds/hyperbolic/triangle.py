"""Triangles of the hyperbolic plane with a corner at the origin, safe at any radius that has a hyperbolic sine.

Points are z in R^n, standing for exp_0(z). With radii a = |x| and b = |y| and the angle t between x and y, the third
side d satisfies

    sinh(d / 2)^2 = sinh((a - b) / 2)^2 + sinh(a) sinh(b) sin(t / 2)^2,

a sum of squares: nothing cancels, provided that a - b and sin(t / 2) are computed well. Near the origin, where that
form is not smooth, other forms are used. Both exp and log are written with `translate`: the step from x to y, carried
to the origin along the ray.

    both radii < 1          from the space coordinates sinh(|z|) / |z| z and their difference
    one < 1/4, one >= 1     from cosh(d) = cosh(a) cosh(b) - sinh(a) sinh(b) cos(t), which then cancels little
    otherwise               as above
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from geojax._core import compensated, safe
from geojax._core.struct import struct

Vector = Float[Array, " n"]
Real = Float[Array, ""]


@struct
class Third:
    """The third side: sinh(d / 2)^2 = scale^2 part, where scale >= 1 carries no derivative and part is of order 1."""

    part: Real
    scale: Real

    def squared(self) -> Real:
        """d^2, analytic at 0."""
        near, small, large = self._split()
        return jnp.where(near, safe.squared_arccosh1p(2 * small), jnp.square(self._far(large)))

    def over_sinh(self) -> Real:
        """Scale^2 d / sinh(d), analytic at 0."""
        near, small, large = self._split()
        sinh = 2 * jnp.sqrt(large) * jnp.sqrt(large + self.scale**-2)
        return jnp.where(near, safe.length_over_sinh1p(2 * small), self._far(large) / sinh)

    def _split(self) -> tuple[Bool[Array, ""], Real, Real]:
        near = (self.part < 0.125) & (self.scale == 1)
        return near, jnp.where(near, self.part, 0), jnp.where(near, 1, self.part)

    def _far(self, part: Real) -> Real:
        return 2 * (jnp.log(self.scale) + jnp.log(jnp.sqrt(part) + jnp.sqrt(part + self.scale**-2)))


@struct
class _Case:
    """Which form is used, and the points for each form: harmless ones for those that are not used."""

    near: Bool[Array, ""]
    skew: Bool[Array, ""]
    near_points: tuple[Vector, Vector]
    skew_points: tuple[Vector, Vector]
    far_points: tuple[Vector, Vector]


def _case(x: Vector, y: Vector) -> _Case:
    a, b = lax.stop_gradient((safe.norm(x), safe.norm(y)))
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    near, skew = high < 1, (low < 0.25) & (high >= 1)
    unit = jnp.zeros_like(x).at[:1].set(1)
    return _Case(
        near,
        skew,
        (jnp.where(near, x, 0), jnp.where(near, y, 0)),
        (jnp.where(skew, x, 0), jnp.where(skew, y, 2 * unit)),
        (jnp.where(near | skew, unit, x), jnp.where(near | skew, unit, y)),
    )


def third_side(x: Vector, y: Vector) -> Third:
    """The distance between two points, in a form that neither overflows nor cancels."""
    case = _case(x, y)
    near, skew, far = _near(*case.near_points)[0], _skew(*case.skew_points)[0], _far(*case.far_points)[0]
    return _chosen(case, near, skew, far)


def translate(x: Vector, y: Vector) -> Vector:
    """The tangent vector at x of the geodesic to y, carried to the origin: |translate(x, y)| = dist(x, y).

    Its inverse in y is the same with -x: y = translate(-x, translate(x, y)), so that it gives exp as well.
    """
    case = _case(x, y)
    near, near_step = _near(*case.near_points)
    skew, skew_step = _skew(*case.skew_points)
    far, far_step = _far(*case.far_points)
    step = _chosen(case, near_step, skew_step, far_step)
    return _chosen(case, near, skew, far).over_sinh() * step


def _chosen(case: _Case, near, skew, far):
    return jax.tree.map(lambda n, s, f: jnp.where(case.near, n, jnp.where(case.skew, s, f)), near, skew, far)


# Each form returns the third side, and the direction of the step at the origin times sinh(d) / scale^2 ---------------


def _near(x: Vector, y: Vector) -> tuple[Third, Vector]:
    squared_x, squared_y = jnp.vdot(x, x), jnp.vdot(y, y)
    (time_x, time_y), (sinhc_x, sinhc_y), _ = _series(jnp.stack([squared_x, squared_y]))
    space_x, space_y = sinhc_x * x, sinhc_y * y
    # space_y - space_x, by the divided difference of sinh(r) / r as a function of r^2.
    slope = _sinhc_difference(squared_x, squared_y)
    step = sinhc_x * (y - x) + slope * jnp.vdot(y - x, y + x) * y
    time_step = jnp.vdot(step, space_x + space_y) / (time_x + time_y)
    part = (jnp.vdot(step, step) - time_step**2) / 4
    return Third(part, jnp.ones_like(part)), _carried(step - 2 * part * space_x, space_x, time_x)


def _carried(space: Vector, at: Vector, time: Real) -> Vector:
    """A tangent vector of the hyperboloid, given by its space coordinates, carried to the origin."""
    return space - jnp.vdot(at, space) / (time * (1 + time)) * at


def _skew(x: Vector, y: Vector) -> tuple[Third, Vector]:
    """Exponentially large terms are divided by exp(k), k the larger radius without its derivative."""
    swap = lax.stop_gradient(jnp.vdot(x, x) > jnp.vdot(y, y))
    inner, outer = jnp.where(swap, y, x), jnp.where(swap, x, y)
    r = safe.norm(outer)
    growth = jnp.exp(r - lax.stop_gradient(r)) / 2
    time_outer, sinh_outer = growth * (1 + jnp.exp(-2 * r)), growth * (1 - jnp.exp(-2 * r))
    time_inner, sinhc_inner, _ = _series(jnp.vdot(inner, inner))
    space_inner = sinhc_inner * inner
    scale = jnp.exp(lax.stop_gradient(r) / 2)
    unit = outer / r
    cosh = time_inner * time_outer - jnp.vdot(space_inner, unit) * sinh_outer
    outwards = _carried(sinh_outer * unit - cosh * space_inner, space_inner, time_inner)
    # Seen from the outer point: along the ray, and across it.
    along = jnp.vdot(unit, space_inner)
    radial = time_outer * along - sinh_outer * time_inner
    inwards = radial * unit + (space_inner - along * unit) * jnp.exp(-lax.stop_gradient(r))
    return Third((cosh - scale**-2) / 2, scale), jnp.where(swap, inwards, outwards)


def _far(x: Vector, y: Vector) -> tuple[Third, Vector]:
    a, b = safe.norm(x), safe.norm(y)
    sinh_a, sinh_b = jnp.sinh(a), jnp.sinh(b)
    across, half_sine = angle(x, y)
    radial = jnp.sinh(jnp.vdot(y - x, y + x) / (a + b) / 2)
    mean = jnp.sqrt(sinh_a) * jnp.sqrt(sinh_b)
    scale = jnp.maximum(jnp.abs(radial), mean * safe.norm(half_sine))
    scale = lax.stop_gradient(jnp.maximum(scale, 1))
    radial, turned = radial / scale, (mean / scale) * half_sine
    part = radial**2 + jnp.vdot(turned, turned)
    # sinh(b - a) = 2 sinh cosh of the half, and cosh(a) sinh(b) sin(t/2)^2 twice.
    along = 2 * radial * jnp.sqrt(radial**2 + scale**-2) - 2 * jnp.vdot(turned, turned) / jnp.tanh(a)
    return Third(part, scale), along * x / a + (sinh_b / scale / scale) * across


def angle(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """The part of y / |y| orthogonal to x, of length sin(t), and a vector of length sin(t / 2); neither may be 0."""
    a, b = safe.norm(x), safe.norm(y)
    across = compensated.across(x, y) / b
    cosine = jnp.vdot(x / a, y / b)
    acute = cosine > 0
    half_sine = jnp.where(
        acute, across / jnp.sqrt(2 * (1 + jnp.where(acute, cosine, 0))), (y / b - x / a) / 2
    )
    return across, half_sine


def frame(x: Vector, u: Vector) -> Vector:
    """A tangent vector at x carried to the origin along the ray: lengths across x grow by sinh(|x|) / |x|."""
    near, small, large = _split(x)
    _, sinhc, slope = _series(jnp.vdot(small, small))
    inside = sinhc * u - slope * _along(small, u)
    r = safe.norm(large)
    side = compensated.across(large, u)
    return jnp.where(near, inside, _along(large / r, u) + jnp.sinh(r) / r * side)


def unframe(x: Vector, v: Vector) -> Vector:
    """The inverse of `frame`."""
    near, small, large = _split(x)
    _, sinhc, slope = _series(jnp.vdot(small, small))
    inside = (v + slope * _along(small, v)) / sinhc
    r = safe.norm(large)
    side = compensated.across(large, v)
    return jnp.where(near, inside, _along(large / r, v) + r / jnp.sinh(r) * side)


def held(x: Vector, v: Vector) -> Vector:
    """`unframe`, or NaN if rounding of the coordinates loses more than a hundredth of the vector.

    The part across the ray is divided by sinh(|x|) / |x|, so beside a radial part it falls below the last digit of the
    coordinates if x is far out and not on an axis.
    """
    u = unframe(x, v)
    lost = jnp.linalg.norm(lax.stop_gradient(frame(x, u) - v)) > 0.01 * jnp.linalg.norm(lax.stop_gradient(v))
    return jnp.where(lost, jnp.nan, u)


def rotate(x: Vector, y: Vector, v: Vector) -> Vector:
    """Carry v from the origin out to x, on to y along the geodesic, and back: a turn by the triangle's area.

    The turn is from y towards x, by w with  tan(w / 2) = sinh(a/2) sinh(b/2) sin(t) / (cosh((a-b)/2) + sinh(a/2)
    sinh(b/2) (1 - cos(t))).
    """
    case = _case(x, y)
    direct = case.near | case.skew
    near_x, near_y = p, q = [
        jnp.where(case.near, n, s) for n, s in zip(case.near_points, case.skew_points, strict=True)
    ]
    tangents = jnp.prod(safe.tanhc_sqrt(jnp.stack([jnp.vdot(p, p), jnp.vdot(q, q)]) / 4)) / 4
    inside = tangents / (1 - tangents * jnp.vdot(p, q))
    p, q = case.far_points
    a, b = safe.norm(p), safe.norm(q)
    side, half_sine = angle(p, q)
    inverse = jnp.cosh(jnp.vdot(q - p, q + p) / (a + b) / 2) / jnp.sinh(a / 2) / jnp.sinh(b / 2)
    inverse = inverse + 2 * jnp.vdot(half_sine, half_sine)
    size = lax.stop_gradient(inverse)
    outside = (1 / size) / (inverse / size)
    return _turned(
        jnp.where(direct, near_x, p / a),
        jnp.where(direct, near_y, side),
        jnp.where(direct, inside, outside),
        v,
    )


def _turned(x: Vector, y: Vector, k: Real, v: Vector) -> Vector:
    """V turned from y towards x in their plane, by the angle whose half has the tangent k |x| |y| sin(t)."""

    def across(v):
        return k * (jnp.vdot(y, v) * x - jnp.vdot(x, v) * y)

    once = across(v)
    squared_tangent = k * k * (jnp.vdot(x, x) * jnp.vdot(y, y) - jnp.vdot(x, y) ** 2)
    return v + 2 / (1 + squared_tangent) * (once + across(once))


_TERMS = 10  # of the series in r^2 <= 1: the last is below 1e-17


def _series(s: Float[Array, "*shape"]) -> Float[Array, "3 *shape"]:
    """Cosh(r), sinh(r) / r and (sinh(r) / r - 1) / r^2 for s = r^2 <= 1, row by row of one polynomial."""
    degrees = [(2 * k, 2 * k + 1, 2 * k + 3) for k in range(_TERMS)]
    total = jnp.zeros((3, *s.shape), s.dtype)
    for degree in reversed(degrees):
        coefficients = jnp.asarray([1 / math.factorial(d) for d in degree], s.dtype)
        total = total * s + jnp.expand_dims(coefficients, tuple(range(1, total.ndim)))
    return total


def _sinhc_difference(s: Real, t: Real) -> Real:
    """The divided difference of sinh(sqrt(s)) / sqrt(s) for 0 <= s, t <= 1."""
    value, slope = jnp.zeros_like(t), jnp.zeros_like(s)
    for k in reversed(range(_TERMS)):
        slope = value + s * slope
        value = t * value + jnp.asarray(1 / math.factorial(2 * k + 1), t.dtype)
    return slope


def _split(x: Vector) -> tuple[Bool[Array, ""], Vector, Vector]:
    """Whether |x| < 1, and the point for each case."""
    near = lax.stop_gradient(safe.norm(x)) < 1
    unit = jnp.zeros_like(x).at[:1].set(1)
    return near, jnp.where(near, x, 0), jnp.where(near, unit, x)


def _along(x: Vector, u: Vector) -> Vector:
    return jnp.vdot(x, u) * x
