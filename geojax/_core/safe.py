"""Elementary functions whose derivatives are finite and correct where textbook formulas divide zero by zero.

There are three families. Ratios such as sin(x)/x are analytic at 0: near 0 they are computed by their Taylor
polynomial, so derivatives of every order are correct. Roots (sqrt, norm, arccos, acosh) have no derivative at the end
of their domain; it is defined as 0 there. Squared distances (arccos(1 - z)^2, acosh(1 + z)^2) are analytic in z
although the distances are not. Outside of its domain every function is NaN.
"""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Numbers = Float[Array, "*shape"]


def _polynomial(coefficients: tuple[float, ...], z: Numbers) -> Numbers:
    total = jnp.full_like(z, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * z + jnp.asarray(coefficient, z.dtype)
    return total


def _spliced(
    x: Numbers,
    near: Array,
    inside: Callable[[Numbers], Numbers],
    outside: Callable[[Numbers], Numbers],
    away: float,
) -> Numbers:
    """inside(x) where `near` holds, outside(x) elsewhere; each is evaluated only at arguments where it is smooth.

    `away` is any argument at which `outside` is smooth.
    """
    small, large = jnp.where(near, x, 0), jnp.where(near, jnp.asarray(away, x.dtype), x)
    return jnp.where(near, inside(small), outside(large))


# Ratios that are 1 at x = 0 ------------------------------------------------------------------------------------------


def sinc(x: Numbers) -> Numbers:
    """sin(x) / x."""
    series = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(11))
    return _spliced(x, jnp.abs(x) < 1, lambda s: _polynomial(series, s * s), lambda s: jnp.sin(s) / s, 1.0)


def sinhc(x: Numbers) -> Numbers:
    """sinh(x) / x."""
    series = tuple(1.0 / math.factorial(2 * k + 1) for k in range(11))
    return _spliced(x, jnp.abs(x) < 1, lambda s: _polynomial(series, s * s), lambda s: jnp.sinh(s) / s, 1.0)


def tanhc(x: Numbers) -> Numbers:
    """tanh(x) / x."""
    return _spliced(x, jnp.abs(x) < 0.5, lambda s: _polynomial(_TANHC, s * s), lambda s: jnp.tanh(s) / s, 1.0)


def arctanhc(x: Numbers) -> Numbers:
    """arctanh(x) / x for |x| < 1."""
    series = tuple(1.0 / (2 * k + 1) for k in range(28))
    return _spliced(
        x, jnp.abs(x) < 0.5, lambda s: _polynomial(series, s * s), lambda s: jnp.arctanh(s) / s, 0.5
    )


def expm1c(x: Numbers) -> Numbers:
    """(exp(x) - 1) / x."""
    series = tuple(1.0 / math.factorial(k + 1) for k in range(19))
    return _spliced(x, jnp.abs(x) < 1, lambda s: _polynomial(series, s), lambda s: jnp.expm1(s) / s, 1.0)


def log1pc(x: Numbers) -> Numbers:
    """log(1 + x) / x for x > -1."""
    series = tuple((-1.0) ** k / (k + 1) for k in range(28))
    return _spliced(x, jnp.abs(x) < 0.25, lambda s: _polynomial(series, s), lambda s: jnp.log1p(s) / s, 1.0)


# Even functions of x, as functions of s = x^2 >= 0 -------------------------------------------------------------------
#
# sinc(norm(u)) has a wrong second derivative at u = 0, because the norm has none there; sinc_sqrt(vdot(u, u)) is
# correct.


def cos_sqrt(s: Numbers) -> Numbers:
    """cos(sqrt(s)), analytic at 0."""
    return _even(s, jnp.cos, tuple((-1.0) ** k / math.factorial(2 * k) for k in range(11)))


def sinc_sqrt(s: Numbers) -> Numbers:
    """sin(sqrt(s)) / sqrt(s), analytic at 0."""
    return _even(
        s, lambda x: jnp.sin(x) / x, tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(11))
    )


def sinc_rest_sqrt(s: Numbers) -> Numbers:
    """(1 - sin(sqrt(s)) / sqrt(s)) / s, analytic at 0."""
    return _even(
        s,
        lambda x: (1 - jnp.sin(x) / x) / (x * x),
        tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in range(11)),
    )


def cosh_sqrt(s: Numbers) -> Numbers:
    """cosh(sqrt(s)), analytic at 0."""
    return _even(s, jnp.cosh, tuple(1.0 / math.factorial(2 * k) for k in range(11)))


def sinhc_sqrt(s: Numbers) -> Numbers:
    """sinh(sqrt(s)) / sqrt(s), analytic at 0."""
    return _even(s, lambda x: jnp.sinh(x) / x, tuple(1.0 / math.factorial(2 * k + 1) for k in range(11)))


def tanhc_sqrt(s: Numbers) -> Numbers:
    """tanh(sqrt(s)) / sqrt(s), analytic at 0."""
    return _even(s, lambda x: jnp.tanh(x) / x, _TANHC, below=0.25)


def arctanhc_sqrt(s: Numbers) -> Numbers:
    """arctanh(sqrt(s)) / sqrt(s) for s < 1, analytic at 0."""
    return _even(s, lambda x: jnp.arctanh(x) / x, tuple(1.0 / (2 * k + 1) for k in range(28)), below=0.25)


def _even(
    s: Numbers, f: Callable[[Numbers], Numbers], series: tuple[float, ...], below: float = 1.0
) -> Numbers:
    return _spliced(s, s < below, lambda s: _polynomial(series, s), lambda s: f(jnp.sqrt(s)), below)


# Roots: derivative 0 at the end of the domain ------------------------------------------------------------------------


def sqrt(x: Numbers) -> Numbers:
    """Square root for x >= 0, with derivative 0 at 0."""
    zero = x == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, x)))


def norm(x: Numbers) -> Float[Array, ""]:
    """Euclidean norm of all entries, with derivative 0 at 0; intermediate results neither overflow nor underflow."""
    largest = lax.stop_gradient(jnp.max(jnp.abs(x), initial=0))
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    scaled = x / scale
    return scale * sqrt(jnp.sum(scaled * scaled))


def arccos(x: Numbers) -> Numbers:
    """Arccos for |x| <= 1, with derivative 0 at both ends.

    The cosine of two unit vectors may exceed 1 by rounding, so up to 8 ulp beyond an end count as the end.
    """
    end = _end(x, jnp.abs(x))
    return jnp.where(end, jnp.where(x > 0, 0, jnp.pi).astype(x.dtype), jnp.arccos(jnp.where(end, 0, x)))


def arcsin(x: Numbers) -> Numbers:
    """Arcsin for |x| <= 1, with derivative 0 at both ends; 8 ulp beyond the ends count as the end."""
    end = _end(x, jnp.abs(x))
    return jnp.where(end, jnp.sign(x) * jnp.asarray(jnp.pi / 2, x.dtype), jnp.arcsin(jnp.where(end, 0, x)))


def arccosh(x: Numbers) -> Numbers:
    """Arccosh for x >= 1, with derivative 0 at 1; 8 ulp below 1 count as 1."""
    end = (x <= 1) & (x >= 1 - 8 * jnp.finfo(x.dtype).eps)
    away = jnp.where(end, 2, x)
    return jnp.where(end, 0, arccosh1p(away - 1))


def arccosh1p(z: Numbers) -> Numbers:
    """arccosh(1 + z) for z >= 0 without cancellation, with derivative 0 at 0."""
    zero = z == 0
    away = jnp.where(zero, 1, z)
    # For large z the product under the root would overflow; sqrt(z) * sqrt(z + 2) does not.
    value = jnp.log1p(away + jnp.sqrt(away) * jnp.sqrt(away + 2))
    return jnp.where(zero, 0, value)


# Squared distances: analytic in z ------------------------------------------------------------------------------------


def squared_arccos1m(z: Numbers) -> Numbers:
    """arccos(1 - z)^2 for 0 <= z <= 2, analytic at z = 0, where its derivative is 2.

    With z = |x - y|^2 / 2 this is the squared angle between unit vectors, without cancellation.
    """
    return _spliced(z, jnp.abs(z) < 0.25, lambda s: s * _polynomial(_ARCCOS, s), _squared_angle, 1.0)


def squared_angle(apart: Numbers, together: Numbers) -> Numbers:
    """Squared angle between unit vectors x and y from |x - y|^2 and |x + y|^2, accurate at both ends.

    Analytic at x = y. At x = -y the angle is not smooth, and the derivative with respect to `together` is 0.
    """
    near = apart < 0.5
    close, wide = jnp.where(near, apart, 0), jnp.where(near, 1, apart)
    far = jnp.square(2 * jnp.arctan2(jnp.sqrt(wide), sqrt(together)))
    return jnp.where(near, squared_arccos1m(close / 2), far)


def squared_arccosh1p(z: Numbers) -> Numbers:
    """arccosh(1 + z)^2 for z >= 0, analytic at z = 0, where its derivative is 2."""
    return _spliced(
        z, jnp.abs(z) < 0.25, lambda s: s * _polynomial(_ARCCOS, -s), lambda s: jnp.square(arccosh1p(s)), 1.0
    )


def angle_over_sine1m(z: Numbers) -> Numbers:
    """The ratio t / sin(t), with cos(t) = 1 - z for 0 <= z < 2, analytic at z = 0."""
    near = z < 0.25
    return _spliced(
        z,
        near,
        lambda s: jnp.sqrt(_polynomial(_ARCCOS, s) / (2 - s)),
        lambda s: 2 * jnp.arctan2(sqrt(s), sqrt(2 - s)) / sqrt(s * (2 - s)),
        1.0,
    )


def length_over_sinh1p(z: Numbers) -> Numbers:
    """The ratio t / sinh(t), with cosh(t) = 1 + z for z >= 0, analytic at z = 0."""
    return _spliced(
        z,
        z < 0.25,
        lambda s: jnp.sqrt(_polynomial(_ARCCOS, -s) / (2 + s)),
        lambda s: arccosh1p(s) / (jnp.sqrt(s) * jnp.sqrt(s + 2)),
        1.0,
    )


def _squared_angle(z: Numbers) -> Numbers:
    # Unlike arccos(1 - z), this form is accurate at both ends.
    return jnp.square(2 * jnp.arctan2(sqrt(z), sqrt(2 - z)))


def _end(x: Numbers, size: Numbers) -> Array:
    return (size >= 1) & (size <= 1 + 8 * jnp.finfo(x.dtype).eps)


@functools.cache
def _tanh_series(terms: int) -> tuple[float, ...]:
    """Taylor coefficients of tanh(x)/x in x^2, from tanh' = 1 - tanh^2."""
    coefficients = [1.0]
    for k in range(1, terms):
        square = sum(coefficients[i] * coefficients[k - 1 - i] for i in range(k))
        coefficients.append(-square / (2 * k + 1))
    return tuple(coefficients)


_TANHC = _tanh_series(20)

# Coefficients of arccos(1 - z)^2 / z. They follow from arcsin(s)^2 = (1/2) sum_{k>=1} (2s)^(2k) / (k^2 C(2k, k)) and
# arccos(1 - z) = 2 arcsin(sqrt(z / 2)).
_ARCCOS = tuple(2.0 * 2.0**k / (k * k * math.comb(2 * k, k)) for k in range(1, 20))
