"""Divided differences of first and second order that keep their digits when the arguments nearly agree.

f[a, b] = (f(a) - f(b)) / (a - b) loses digits as b nears a; the integral of f' from b to a, f[a, b] = int_0^1
f'(b + t (a - b)) dt, does not, and Gauss quadrature of it is exact to rounding if the interval is short compared with
the scale on which f varies. That scale is not known, so the error is estimated: the rule of eight points is used if
that of four agrees with it to within the rounding error of the plain quotient.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import safe

Difference = Callable[[Array, Array], Array]


def _rule(points: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return tuple(float(x) for x in (nodes + 1) / 2), tuple(float(w) for w in weights / 2)


_FOUR, _EIGHT = _rule(4), _rule(8)
_NODES = _FOUR[0] + _EIGHT[0]


def first(f: Callable[[Array], Array], df: Callable[[Array], Array]) -> Difference:
    """The function (a, b) -> f[a, b], elementwise with broadcasting; df is the derivative of f."""

    def difference(a: Array, b: Array) -> Array:
        gap = a - b

        # All the nodes at once, along a new first axis: df is traced once.
        nodes = jnp.asarray(_NODES, gap.dtype).reshape(-1, *(1,) * gap.ndim)
        values = df(b + nodes * gap)
        coarse, fine = (
            jnp.tensordot(jnp.asarray(weights, gap.dtype), part, axes=1)
            for weights, part in ((_FOUR[1], values[:4]), (_EIGHT[1], values[4:]))
        )
        distinct = jnp.where(gap == 0, 1, gap)
        f_a, f_b = f(a), f(b)
        quotient = (f_a - f_b) / distinct
        rounding = 4 * jnp.finfo(gap.dtype).eps * (jnp.abs(f_a) + jnp.abs(f_b)) / jnp.abs(distinct)
        trusted = (gap == 0) | (jnp.abs(fine - coarse) <= rounding)
        return jnp.where(trusted, fine, quotient)

    return difference


def second(difference: Difference) -> Callable[[Array, Array, Array], Array]:
    """The function (a, b, c) -> f[a, b, c] = (f[a, b] - f[b, c]) / (a - c), from the first difference of f.

    It is the first divided difference of f[., b], and symmetric in all three: the least and the largest argument take
    the places of a and c, as their gap is the largest.
    """

    def second_difference(a: Array, b: Array, c: Array) -> Array:
        low, middle, high = jnp.sort(jnp.stack(jnp.broadcast_arrays(a, b, c)), axis=0)

        def slice_(x: Array) -> Array:
            return difference(x, middle)

        def slope(x: Array) -> Array:
            return jax.jvp(slice_, (x,), (jnp.ones_like(x),))[1]

        return first(slice_, slope)(high, low)

    return second_difference


def log(a: Array, b: Array) -> Array:
    """Divided difference of the logarithm, (log a - log b) / (a - b): one over the logarithmic mean of a and b."""
    # log a - log b = 2 arctanh((a - b) / (a + b)); if the quotient is far from 0, the difference of logarithms is
    # exact enough.
    ratio = (a - b) / (a + b)
    near = jnp.abs(ratio) < 0.5
    apart = jnp.where(near, 1, a - b)
    far = (jnp.log(jnp.where(near, 1, a)) - jnp.log(jnp.where(near, 1, b))) / apart
    return jnp.where(near, 2 * safe.arctanhc(jnp.where(near, ratio, 0)) / (a + b), far)


def power(theta: Array, a: Array, b: Array) -> Array:
    """Divided difference of the power over its exponent, (a^theta - b^theta) / (theta (a - b)); `log` at theta = 0."""
    log_a, log_b = jnp.log(a), jnp.log(b)
    middle = jnp.exp(theta * (log_a + log_b) / 2)
    return middle * safe.sinhc(theta * (log_a - log_b) / 2) * log(a, b)
