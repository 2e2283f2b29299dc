"""Functions on the sphere by their coefficients: harmonics up to a degree, and products of such functions."""

import functools
import math
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once

HIGHEST = jax.lax.Precision.HIGHEST
DENSE = 30  # sums of the three degrees up to which one matrix product is faster than one for each factor
UNROLLED = 9  # degrees of harmonics that are computed without a loop, whose gradient is slower
Grid: TypeAlias = tuple[int, int]
"""Numbers of colatitudes and of longitudes."""


@rounded_once
def real_spherical_harmonics(degree: int, x: Float[Array, "3"]) -> Float[Array, " k"]:
    """Real spherical harmonics up to a degree, of the direction of a vector.

    Y_lm(u) = N_lm P_l^|m|(u_z) times sqrt(2) cos(m phi) for m > 0, 1 for m = 0, sqrt(2) sin(|m| phi) for m < 0, with
    u = x / |x| and without the sign (-1)^m: the integral of Y_lm Y_jk over the unit sphere is 1 if they are the same,
    and otherwise 0. They are computed as polynomials of u, so that the poles are points like any other.

    Args:
        degree: The largest degree L >= 0; static.
        x: Vector, [3], of any length but 0.

    Returns:
        Y_lm(x / |x|) at place l^2 + l + m, [(L + 1)^2]: degree by degree, m from -l to l. Degree 1 is
        sqrt(3 / (4 pi)) (y, z, x) / |x|. NaN for x = 0, which has no direction.

    Raises:
        ValueError: At trace time, if x is not a vector of space, or degree is negative.

    Differentiation: exact, at the poles too; NaN at x = 0.

    Complexity: O(L^2), in L steps.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import real_spherical_harmonics
        >>> real_spherical_harmonics(1, jnp.array([0.0, 0.0, 2.0])).round(4).tolist()
        [0.282..., 0.0, 0.488..., 0.0]

    References: [Luo2024].
    """
    where = "real_spherical_harmonics"
    degree = checks.count(where, "degree", degree)
    (x,) = checks.floats(where, x=x)
    checks.shapes(where, x=(x, "3"))
    u = x / safe.norm(x)
    # (u_x + i u_y)^m = sin(theta)^m (cos(m phi) + i sin(m phi)) for m = 0, ..., L, twice as many at each step.
    cosines, sines = jnp.ones_like(u[:1]), jnp.zeros_like(u[:1])
    c, s = u[0], u[1]
    while len(cosines) <= degree:
        more = cosines * c - sines * s, sines * c + cosines * s
        cosines, sines = jnp.concatenate([cosines, more[0]]), jnp.concatenate([sines, more[1]])
        c, s = c * c - s * s, 2 * c * s
    m = np.arange(1, degree + 1)
    root = math.sqrt(2)
    waves = jnp.concatenate([root * sines[m[::-1]], cosines[:1], root * cosines[m]])
    legendre = _legendre(degree, u[2], jnp)
    l, column = _places(degree)
    return legendre[l, np.abs(column - degree)] * waves[column]


@rounded_once
def gaunt_product(a: Float[Array, " i"], b: Float[Array, " j"], degree_out: int) -> Float[Array, " k"]:
    """Coefficients of the product of two functions on the sphere.

    With f = sum a_lm Y_lm and g = sum b_lm Y_lm, c_lm is the integral of Y_lm f g over the sphere for l <= degree_out:
    c = sum of a, b times the Gaunt coefficients. Both functions are taken to a grid (Gauss-Legendre in cos(theta),
    equal steps in phi) on which the product has its Fourier series in phi and its polynomial in cos(theta) exactly;
    they are multiplied there, and the product is taken back.

    Args:
        a: Coefficients in the order of `real_spherical_harmonics`, [(L_a + 1)^2].
        b: Coefficients, [(L_b + 1)^2].
        degree_out: The largest degree of the result; static. L_a + L_b keeps all of the product, beyond are zeros.

    Returns:
        Coefficients c, [(degree_out + 1)^2], in units of a times b. They turn as the functions do: for the Wigner
        matrices D of any rotation gaunt_product(D a, D b) = D gaunt_product(a, b).

    Raises:
        ValueError: At trace time, if a number of coefficients is no square, or degree_out is negative.

    Differentiation: exact; it is bilinear in a and b.

    Complexity: O(L^3) in products of matrices, where the contraction with all Gaunt coefficients takes O(L^6). While
        the three degrees add up to at most 30, one product of O(L^4), which is faster there.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import gaunt_product, real_spherical_harmonics
        >>> a, b = jnp.arange(4.0), jnp.arange(9.0)
        >>> y = real_spherical_harmonics(3, jnp.array([1.0, 2.0, 3.0]))
        >>> bool(jnp.allclose((a @ y[:4]) * (b @ y[:9]), gaunt_product(a, b, 3) @ y, atol=1e-3))
        True

    References: [Luo2024].
    """
    where = "gaunt_product"
    a, b = checks.floats(where, a=a, b=b)
    checks.shapes(where, a=(a, "i"), b=(b, "j"))
    one, two = _degree(where, "a", a), _degree(where, "b", b)
    out = checks.count(where, "degree_out", degree_out)
    kept = min(out, one + two)  # beyond it the product has nothing
    # The grid integrates polynomials of this degree exactly.
    grid = ((one + two + kept) // 2 + 1, one + two + kept + 1)
    if one + two + kept <= DENSE:
        there = _product(a, _whole(one, grid)[0]) * _product(b, _whole(two, grid)[0])
        c = _product(there, _whole(kept, grid)[1])
    else:
        c = _back(_values(a, one, grid) * _values(b, two, grid), kept, grid)
    return jnp.pad(c, (0, (out + 1) ** 2 - (kept + 1) ** 2))


def _values(a: Array, degree: int, grid: Grid) -> Float[Array, "t p"]:
    """The values of a function on the grid, first by degrees and then by orders."""
    legendre, waves, _ = _factors(degree, *grid)
    table = jnp.zeros((degree + 1, 2 * degree + 1), a.dtype).at[_places(degree)].set(a)
    orders = jnp.einsum("mlt,lm->tm", jnp.asarray(legendre, a.dtype), table, precision=HIGHEST)
    return _product(orders, waves)


def _back(values: Float[Array, "t p"], degree: int, grid: Grid) -> Array:
    """The coefficients of a function from its values on the grid."""
    legendre, waves, weights = _factors(degree, *grid)
    orders = _product(values * jnp.asarray(weights, values.dtype)[:, None], waves.T)
    table = jnp.einsum("mlt,tm->lm", jnp.asarray(legendre, values.dtype), orders, precision=HIGHEST)
    return table[_places(degree)]


def _product(a: Array, table: np.ndarray) -> Array:
    """Product with a constant matrix, to full precision on accelerators too."""
    return jnp.matmul(a, jnp.asarray(table, a.dtype), precision=HIGHEST)


@functools.cache
def _whole(degree: int, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """All harmonics at all points of the grid, [k, t p], and the matrix [t p, k] that takes functions back."""
    legendre, waves, weights = _factors(degree, *grid)
    l, column = _places(degree)
    there = legendre[column, l][:, :, None] * waves[column][:, None, :]
    return there.reshape(len(l), -1), (there * weights[:, None]).reshape(len(l), -1).T


def _places(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """The degree l, and the column degree + m, of each coefficient."""
    l = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    column = degree + np.arange((degree + 1) ** 2) - l * l - l
    return l.astype(np.int32), column.astype(np.int32)


@functools.cache
def _factors(degree: int, colatitudes: int, longitudes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Harmonics on the grid in two factors, [m, l, t] and [m, p], and the weights of the rows of the grid, [t]."""
    z, weights = np.polynomial.legendre.leggauss(colatitudes)
    phi = 2 * np.pi * np.arange(longitudes) / longitudes
    m = np.arange(1, degree + 1)
    sines = np.sqrt(1 - z * z) ** np.arange(degree + 1)[:, None]
    half = _legendre(degree, z, np).swapaxes(0, 1) * sines[:, None]
    waves = np.concatenate(
        [
            np.sqrt(2) * np.sin(np.outer(m[::-1], phi)),
            np.ones((1, longitudes)),
            np.sqrt(2) * np.cos(np.outer(m, phi)),
        ]
    )
    return np.concatenate([half[:0:-1], half]), waves, weights * 2 * np.pi / longitudes


def _legendre(degree: int, z: Any, library: Any) -> Any:
    """Normalised associated Legendre functions of z over sin(theta)^m, [l, m, ...], 0 for m > l.

    Upwards in l for all m at once, the direction in which the recursion is stable. `library` is numpy or jax.numpy.
    """
    l, m = np.mgrid[: degree + 1, : degree + 1]
    up = np.sqrt(np.where(m < l, (4 * l * l - 1) / np.maximum(l * l - m * m, 1), 0))
    down = np.zeros_like(up)
    down[1:] = up[1:] * np.sqrt(np.maximum(l * l - m * m, 0) / np.maximum(4 * l * l - 1, 1))[:-1]
    corner = np.diag(np.cumprod([math.sqrt(1 / (4 * math.pi)), *np.sqrt(1 + 1 / (2 * m[0, 1:]))]))
    factors = [
        library.asarray(each.reshape(each.shape + (1,) * z.ndim), z.dtype) for each in (up, down, corner)
    ]

    def step(rows: tuple[Any, Any], factors: tuple[Any, Any, Any]) -> tuple[tuple[Any, Any], Any]:
        up, down, corner = factors
        row = up * z * rows[0] - down * rows[1] + corner
        return (row, rows[0]), row

    rows = (0 * (factors[2][0] + z),) * 2
    if library is jnp:
        return jax.lax.scan(step, rows, tuple(factors), unroll=min(degree + 1, UNROLLED))[1]
    found = []
    for each in zip(*factors):
        rows, row = step(rows, each)
        found.append(row)
    return np.stack(found)


def _degree(where: str, name: str, a: Array) -> int:
    degree = math.isqrt(len(a)) - 1
    if len(a) == 0 or (degree + 1) ** 2 != len(a):
        raise ValueError(
            f"{where}: {name} has {len(a)} coefficients; expected a square number, (L + 1)^2 for all degrees up to L. "
            "Fill the degrees that are missing with zeros."
        )
    return degree
