"""Heat kernels of spheres and tori, exact for all times: one series for long times, another for short ones.

Solutions at time t of  du/dt = Laplacian u  from a unit mass. For long times a few terms of the eigenfunction series
are enough; Poisson summation turns it into a sum of Gaussians over closed geodesics, of which a few are enough for
short times. On the 2-sphere that sum is under an integral (as for the hyperbolic plane [McKean1970]), which is computed
by Gauss quadrature.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.typing import Scalar

DEGREES = 64  # terms of the eigenfunction series
IMAGES = 3  # closed geodesics on either side
NODES = 48  # of the quadrature on the 2-sphere

Number = Float[Array, ""]


@rounded_once
def sphere_heat_kernel(x: Float[Array, " n"], y: Float[Array, " n"], time: Scalar) -> Number:
    """Heat kernel of the unit sphere, a density with respect to area.

    K_t(x, y) = sum_l e^(-l (l + d - 1) t) (2 l + d - 1) / (d - 1) C_l^((d - 1) / 2)(<x, y>) / area,  d = n - 1.

    Args:
        x: Unit vector, [n], n >= 2.
        y: Unit vector, [n].
        time: t > 0, in squared radians.

    Returns:
        Density at y of the heat that starts at x. Exact to rounding, relative to the largest value for long times,
        for every t > 0 in two, three and four dimensions; from five on there is only the series, and the result is NaN
        for t < 60 / (64 (64 + d - 1)), for which 64 terms are not enough.

    Raises:
        ValueError: At trace time, if the shapes disagree or n < 2.

    Differentiation: exact, in x, y and t.

    Complexity: O(n + 64).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.heat import sphere_heat_kernel
        >>> x = jnp.array([1.0, 0.0, 0.0])
        >>> round(float(4 * jnp.pi * sphere_heat_kernel(x, -x, 9.0)), 4)
        1.0

    References: [Berline1992]; [McKean1970] for the integral on the 2-sphere; [Camporesi1990].
    """
    where = "sphere_heat_kernel"
    x, y, t = checks.floats(where, x=x, y=y, time=time)
    n = checks.shapes(where, x=(x, "n"), y=(y, "n"), time=(t, ""))["n"]
    if n < 2:
        raise ValueError(
            f"{where}: x has shape {list(x.shape)}; expected [n] with n >= 2. Embed it in the plane."
        )
    apart, together = jnp.sum(jnp.square(x - y)), jnp.sum(jnp.square(x + y))
    if n == 2:
        kernel = _circle(safe.sqrt(safe.squared_angle(apart, together)), t)
    elif n == 3:
        kernel = either(t, 0.1, lambda t: _gegenbauer(apart, n, t), lambda t: _two_sphere(apart, together, t))
    elif n == 4:
        kernel = three_sphere(apart, together, t)
    else:
        enough = t >= 60 / (DEGREES * (DEGREES + n - 2))
        kernel = jnp.where(enough, _gegenbauer(apart, n, jnp.where(enough, t, 1)), jnp.nan)
    return positive_time(kernel, t)


@rounded_once
def torus_heat_kernel(x: Float[Array, " n"], y: Float[Array, " n"], time: Scalar) -> Number:
    """Heat kernel of the flat torus of angles, a density with respect to the product of the angles.

    K_t(x, y) = prod_i (1 / 2 pi) sum_k e^(-k^2 t) cos(k (x_i - y_i)) = prod_i sum_k N(x_i - y_i + 2 pi k; 0, 2 t).

    Args:
        x: Angles, [n], radians.
        y: Angles, [n].
        time: t > 0, in squared radians.

    Returns:
        Density at y of the heat that starts at x; exact to rounding for every t > 0.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact, in x, y and t.

    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.heat import torus_heat_kernel
        >>> round(float(2 * jnp.pi * torus_heat_kernel(jnp.zeros(1), jnp.ones(1), 50.0)), 4)
        1.0

    References: [Berline1992].
    """
    where = "torus_heat_kernel"
    x, y, t = checks.floats(where, x=x, y=y, time=time)
    checks.shapes(where, x=(x, "n"), y=(y, "n"), time=(t, ""))
    turn = jnp.asarray(2 * math.pi, x.dtype)
    angles = (x - y) - turn * jax.lax.stop_gradient(jnp.round((x - y) / turn))
    return positive_time(jnp.prod(jax.vmap(lambda angle: _circle(angle, t))(angles)), t)


def positive_time(kernel: Number, t: Number) -> Number:
    """The kernel if the time is positive, else NaN."""
    return jnp.where(t > 0, kernel, jnp.nan)


def either(t: Number, limit: float, long: Callable, short: Callable) -> Number:
    """The form for long or for short times; the unused form is computed at a harmless time."""
    is_long = t >= limit
    return jnp.where(is_long, long(jnp.where(is_long, t, 1)), short(jnp.where(is_long, limit, t)))


def _circle(angle: Number, t: Number) -> Number:
    def long(t: Number) -> Number:
        k = jnp.arange(1, 9, dtype=t.dtype)
        return (1 + 2 * jnp.sum(jnp.exp(-k * k * t) * jnp.cos(k * angle))) / (2 * math.pi)

    def short(t: Number) -> Number:
        k = jnp.arange(-IMAGES, IMAGES + 1, dtype=t.dtype)
        return jnp.sum(jnp.exp(-jnp.square(angle + 2 * math.pi * k) / (4 * t))) / jnp.sqrt(4 * math.pi * t)

    return either(t, 1.0, long, short)


def three_sphere(apart: Number, together: Number, t: Number) -> Number:
    """The kernel of the 3-sphere, from |x - y|^2 and |x + y|^2."""

    def long(t: Number) -> Number:
        return _gegenbauer(apart, 4, t)

    def short(t: Number) -> Number:
        return jnp.exp(t) * _images(apart, together, t) / (4 * math.pi * t) ** 1.5

    return either(t, 0.5, long, short)


def _two_sphere(apart: Number, together: Number, t: Number) -> Number:
    """The integral of images with alternating signs over the angles p beyond the angle a of the points.

    sqrt(2) e^(t/4) / (4 pi t)^(3/2) int_a^pi sum_k (-1)^k q e^(-q^2 / 4t) / sqrt(cos a - cos p) dp,  q = p + 2 pi k;
    with 1 + cos p = (1 + cos a) cos(b)^2 the ends are smooth, and for short times the integrand a Gaussian in b.
    """
    nodes, weights = (jnp.asarray(a, t.dtype) for a in np.polynomial.legendre.leggauss(NODES))
    top = together / 2
    reached = jax.lax.stop_gradient(jnp.where(top > 80 * t, 80 * t / jnp.where(top > 80 * t, top, 1), 1))
    width = safe.arcsin(jnp.sqrt(reached))
    terms = jax.vmap(lambda b: _beyond(apart, top, b, t))(width * (nodes + 1) / 2)
    return math.sqrt(2) * jnp.exp(t / 4) * width * jnp.sum(weights * terms) / (4 * math.pi * t) ** 1.5


def _beyond(apart: Number, top: Number, b: Number, t: Number) -> Number:
    below = jnp.square(jnp.sin(b)) * top
    apart, together = apart + 2 * below, 2 * (top - below)
    near = apart <= together
    half = jnp.asarray(2.0, t.dtype)
    close, wide = jnp.where(near, apart, half), jnp.where(near, half, apart)
    small, large = jnp.where(near, half, together), jnp.where(near, together, half)
    around_zero = safe.sqrt(large / 2) * _around_zero(close, large, t, -1.0)
    rest = safe.sqrt(safe.squared_angle(small, wide))
    total = jnp.zeros_like(t)
    for k in range(IMAGES):
        far = math.pi * (2 * k + 1)
        for moment in (far - rest, far + rest):
            total = total + (-1) ** k * moment * jnp.exp(-jnp.square(moment) / (4 * t))
    return jnp.where(near, around_zero, total / jnp.sqrt(wide / 2))


def _images(apart: Number, together: Number, t: Number) -> Number:
    """sum_k (a + 2 pi k) e^(-(a + 2 pi k)^2 / 4 t) / sin(a) for the angle a, analytic at sin(a) = 0 too."""
    near = apart <= together
    half = jnp.asarray(2.0, t.dtype)
    a_near, a_far = jnp.where(near, apart, half), jnp.where(near, half, apart)
    b_near, b_far = jnp.where(near, together, half), jnp.where(near, half, together)
    return jnp.where(near, _around_zero(a_near, b_near, t, 1.0), _around_pi(a_far, b_far, t))


def _around_zero(apart: Number, together: Number, t: Number, sign: float) -> Number:
    """The sum with factors sign^k, from its terms for k and -k."""
    squared = safe.squared_angle(apart, together)
    over_sine, angle = safe.angle_over_sine1m(apart / 2), safe.sqrt(squared)
    total = jnp.exp(-squared / (4 * t))
    for k in range(1, IMAGES):
        total = total + sign**k * _pair(angle, 2 * math.pi * k, t)
    return over_sine * total


def _around_pi(apart: Number, together: Number, t: Number) -> Number:
    """The sum from its terms for k and -k - 1, which are opposite at pi."""
    squared = safe.squared_angle(together, apart)
    over_sine, rest = safe.angle_over_sine1m(together / 2), safe.sqrt(squared)
    total = jnp.zeros_like(t)
    for k in range(IMAGES):
        total = total - _pair(rest, math.pi * (2 * k + 1), t)
    return over_sine * total


def _pair(angle: Number, far: float, t: Number) -> Number:
    """The sum of (angle +- far) e^(-(angle +- far)^2 / 4 t) over both signs, divided by the angle."""
    nearer = jnp.exp(-jnp.square(far - angle) / (4 * t))
    further = jnp.exp(-jnp.square(far + angle) / (4 * t))
    # (e^(-(far - a)^2 / 4t) - e^(-(far + a)^2 / 4t)) / a, without the difference.
    slope = nearer * safe.expm1c(-far * angle / t) * far / t
    return nearer + further - far * slope


def _gegenbauer(apart: Number, n: int, t: Number) -> Number:
    """The eigenfunction series: zonal harmonics by their three-term recurrence, normalised to 1 at angle 0."""
    d = n - 1
    cosine = 1 - apart / 2
    dtype = jnp.result_type(apart, t)

    def following(
        carry: tuple[Number, Number, Number], l: Number
    ) -> tuple[tuple[Number, Number, Number], Number]:
        before, now, dimension = carry
        term = dimension * now * jnp.exp(-l * (l + d - 1) * t)
        after = ((2 * l + d - 1) * cosine * now - l * before) / (l + d - 1)
        # dim(l + 1) / dim(l) of the spherical harmonics in n dimensions.
        ratio = (2 * l + d + 1) * (l + d - 1) / ((2 * l + d - 1) * (l + 1))
        return (now, after, dimension * ratio), term

    one = jnp.ones((), dtype)
    degrees = jnp.arange(DEGREES, dtype=dtype)
    start = (jnp.zeros_like(cosine * t), one + 0 * cosine * t, one + 0 * cosine * t)
    _, terms = jax.lax.scan(following, start, degrees)
    return jnp.sum(terms) / _area(n)


def _area(n: int) -> float:
    return 2 * math.pi ** (n / 2) / math.gamma(n / 2)
