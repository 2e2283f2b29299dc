"""Differences with the accuracy of twice the digits: products are split into parts that are exact [Dekker1971].

Two long vectors that are almost parallel may differ, orthogonally to their direction, by less than an ulp of their
length. In hyperbolic space such a difference is a large distance. Every partial product here is exact, so the result
does not depend on whether the compiler fuses products with additions.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Numbers = Float[Array, "*#shape"]  # arguments broadcast against each other


@jax.custom_jvp
def minus_product(y: Numbers, a: Numbers, x: Numbers) -> Numbers:
    """Y - a x elementwise, with an error of an ulp of the result, even if the result is much smaller than y.

    Products must not overflow, and must be larger than the smallest normal number divided by eps.
    """
    (a_high, a_low), (x_high, x_low) = _halves(a), _halves(x)
    total, lost = two_sum(y, -(a_high * x_high))
    total, more = two_sum(total, -(a_high * x_low))
    total, most = two_sum(total, -(a_low * x_high))
    return total + (((lost + more) + most) - a_low * x_low)


@minus_product.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (y, a, x), (y_dot, a_dot, x_dot) = primals, tangents
    return minus_product(y, a, x), y_dot - a_dot * x - a * x_dot


def two_sum(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """The rounded sum, and its rounding error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def across(x: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, " n"]:
    """The part of y orthogonal to x != 0: y - (<x, y> / <x, x>) x, with an error of eps^2 |y|."""
    squared = jnp.vdot(x, x)
    rest = minus_product(y, jnp.vdot(x, y) / squared, x)
    rest = minus_product(rest, jnp.vdot(x, rest) / squared, x)
    return rest - jnp.vdot(x, rest) / squared * x


def _halves(x: Array) -> tuple[Array, Array]:
    """Two numbers with sum x, one with the high and one with the low digits; products of them are exact."""
    integers, kept = {
        jnp.dtype(jnp.float64): (jnp.uint64, 27),
        jnp.dtype(jnp.float32): (jnp.uint32, 12),
    }.get(x.dtype, (None, 0))
    if integers is None:
        return x, jnp.zeros_like(x)
    mask = jnp.asarray((2 ** jnp.iinfo(integers).bits - 1) ^ (2**kept - 1), integers)
    high = lax.bitcast_convert_type(lax.bitcast_convert_type(x, integers) & mask, x.dtype)
    return high, x - high
