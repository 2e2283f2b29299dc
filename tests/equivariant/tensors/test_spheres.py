"""Spherical harmonics against scipy; products of functions against sympy, point by point, and turned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax.equivariant import gaunt_product, real_spherical_harmonics

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
L = 3
DIRECTIONS = RNG.normal(size=(64, 3))
harmonics = jax.jit(jax.vmap(lambda x: real_spherical_harmonics(2 * L, x)))
# sympy.physics.wigner.gaunt(l1, l2, l3, m1, m2, m3), version 1.14: the integral of three complex harmonics.
GAUNT = {
    (0, 0, 0, 0, 0, 0): 1 / 2,
    (1, 1, 2, 0, 0, 0): np.sqrt(5) / 5,
    (1, 1, 2, 1, -1, 0): np.sqrt(5) / 10,
    (1, 1, 2, 1, 1, -2): np.sqrt(30) / 10,
    (2, 2, 2, 0, 0, 0): np.sqrt(5) / 7,
    (2, 2, 2, 1, 1, -2): np.sqrt(30) / 14,
    (2, 2, 0, 1, -1, 0): -1 / 2,
    (3, 2, 1, 1, -1, 0): -np.sqrt(210) / 35,
    (3, 2, 1, -2, 1, 1): np.sqrt(42) / 14,
    (3, 3, 2, 3, -2, -1): -np.sqrt(5) / 6,
    (4, 3, 1, 2, -2, 0): np.sqrt(7) / 7,
    (4, 4, 4, 1, 2, -3): -27 * np.sqrt(70) / 2002,
}  # all over sqrt(pi)


def of_scipy(degree, x):
    """Real harmonics from the complex ones of scipy, which have the sign (-1)^m."""
    theta, phi = np.arctan2(np.hypot(x[..., 0], x[..., 1]), x[..., 2]), np.arctan2(x[..., 1], x[..., 0])
    rows = []
    for l in range(degree + 1):
        for m in range(-l, l + 1):
            y = (-1) ** m * scipy.special.sph_harm_y(l, abs(m), theta, phi)
            rows.append(y.real if m == 0 else np.sqrt(2) * (y.imag if m < 0 else y.real))
    return np.stack(rows, axis=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_scipy(dtype):
    for scale in (1.0, 1e-30, 1e30):
        got = harmonics((scale * DIRECTIONS).astype(dtype))
        np.testing.assert_allclose(got, of_scipy(2 * L, DIRECTIONS), atol=TOLERANCE[dtype])


@pytest.mark.full
def test_matches_scipy_at_high_degrees():
    got = jax.jit(jax.vmap(lambda x: real_spherical_harmonics(40, x)))(DIRECTIONS[:8])
    np.testing.assert_allclose(got, of_scipy(40, DIRECTIONS[:8]), atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_harmonics_are_differentiable_at_the_poles(dtype):
    slopes = jax.jit(jax.vmap(jax.jacfwd(lambda x: real_spherical_harmonics(2 * L, x))))
    poles = np.asarray([[0, 0, 1], [0, 0, -2]], dtype)
    got = np.asarray(slopes(poles))
    # Near the poles scipy's answer is smooth in x and y: central differences of it are the derivative.
    for axis in range(3):
        step = 1e-6 * np.eye(3)[axis]
        want = (of_scipy(2 * L, poles + step) - of_scipy(2 * L, poles - step)) / 2e-6
        np.testing.assert_allclose(got[..., axis], want, atol=1e-4 if dtype == np.float32 else 1e-7)
    # A function of the direction does not change along it.
    np.testing.assert_allclose(np.einsum("nkd,nd->nk", got, poles), 0, atol=TOLERANCE[dtype] * 10)
    assert np.all(np.isnan(harmonics(np.zeros((1, 3)))))


def unitary(l):
    """Rows: real harmonics of degree l as combinations of the complex ones of sympy and scipy."""
    rows = np.zeros((2 * l + 1, 2 * l + 1), complex)
    rows[l, l] = 1
    for m in range(1, l + 1):
        sign = (-1) ** m
        rows[l + m, l + m], rows[l + m, l - m] = sign / np.sqrt(2), 1 / np.sqrt(2)
        rows[l - m, l + m], rows[l - m, l - m] = sign / (1j * np.sqrt(2)), -1 / (1j * np.sqrt(2))
    return rows


def wigner_3j(l1, l2, l3, m1, m2, m3):
    """Racah's sum."""
    if m1 + m2 + m3 or not abs(l1 - l2) <= l3 <= l1 + l2:
        return 0.0
    f = scipy.special.factorial
    front = f(l1 + l2 - l3) * f(l1 - l2 + l3) * f(-l1 + l2 + l3) / f(l1 + l2 + l3 + 1)
    front *= np.prod([f(l + m) * f(l - m) for l, m in ((l1, m1), (l2, m2), (l3, m3))])
    total = 0.0
    for t in range(max(0, l2 - l3 - m1, l1 - l3 + m2), min(l1 + l2 - l3, l1 - m1, l2 + m2) + 1):
        parts = (t, l3 - l2 + t + m1, l3 - l1 + t - m2, l1 + l2 - l3 - t, l1 - t - m1, l2 - t + m2)
        total += (-1) ** t / np.prod(f(np.asarray(parts)))
    return (-1) ** (l1 - l2 - m3) * np.sqrt(front) * total


def gaunt(l1, l2, l3, m1, m2, m3):
    size = np.sqrt((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1) / (4 * np.pi))
    return size * wigner_3j(l1, l2, l3, 0, 0, 0) * wigner_3j(l1, l2, l3, m1, m2, m3)


def gaunt_table(one, two, out):
    """Real Gaunt coefficients of all degrees, [i, j, k]."""
    table = np.zeros(((one + 1) ** 2, (two + 1) ** 2, (out + 1) ** 2))
    for l1 in range(one + 1):
        for l2 in range(two + 1):
            for l3 in range(out + 1):
                block = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1), complex)
                for m1 in range(-l1, l1 + 1):
                    for m2 in range(max(-l2, -l3 - m1), min(l2, l3 - m1) + 1):
                        block[l1 + m1, l2 + m2, l3 - m1 - m2] = gaunt(l1, l2, l3, m1, m2, -m1 - m2)
                real = np.einsum("abc,ia,jb,kc->ijk", block, unitary(l1), unitary(l2), unitary(l3))
                assert np.max(np.abs(real.imag)) < 1e-14
                places = [slice(l * l, (l + 1) ** 2) for l in (l1, l2, l3)]
                table[tuple(places)] = real.real
    return table


def test_our_gaunt_coefficients_are_those_of_sympy():
    for degrees, value in GAUNT.items():
        np.testing.assert_allclose(gaunt(*degrees), value / np.sqrt(np.pi), rtol=1e-13)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_the_contraction_with_gaunt_coefficients(dtype):
    for one, two, out in ((2, L, 4), (2, 1, 5)):
        a = RNG.normal(size=(one + 1) ** 2).astype(dtype)
        b = RNG.normal(size=(two + 1) ** 2).astype(dtype)
        want = np.einsum("i,j,ijk->k", a, b, gaunt_table(one, two, out))
        got = jax.jit(gaunt_product, static_argnums=2)(a, b, out)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, atol=TOLERANCE[dtype])


@pytest.mark.full
def test_law_the_product_of_functions_has_the_product_of_values():
    a, b = RNG.normal(size=(2, (L + 1) ** 2))
    y = np.asarray(harmonics(DIRECTIONS))
    c = gaunt_product(a, b, 2 * L)
    np.testing.assert_allclose(y @ c, (y[:, : len(a)] @ a) * (y[:, : len(b)] @ b), atol=1e-12)
    np.testing.assert_allclose(gaunt_product(a, b, 2), c[:9], atol=1e-13)
    np.testing.assert_array_equal(gaunt_product(a, b, 2 * L + 1)[len(c) :], 0)
    # A function of degree 0 is a number.
    np.testing.assert_allclose(gaunt_product(np.ones(1), b, L), b / np.sqrt(4 * np.pi), atol=1e-14)


@pytest.mark.full
def test_law_high_degrees_agree_with_the_values_too():
    """Beyond the degrees at which one matrix does all: in factors."""
    one, out = 11, 10
    a, b = RNG.normal(size=(2, (one + 1) ** 2))
    c = jax.jit(gaunt_product, static_argnums=2)(a, b, out)
    z, weights = np.polynomial.legendre.leggauss(20)
    phi = 2 * np.pi * np.arange(40) / 40
    sine = np.sqrt(1 - z * z)[:, None]
    points = np.stack([sine * np.cos(phi), sine * np.sin(phi), z[:, None] + 0 * phi], axis=-1)
    y = of_scipy(one, points)
    values = (y @ a) * (y @ b) * weights[:, None] * (2 * np.pi / 40)
    want = np.einsum("tp,tpk->k", values, y[..., : (out + 1) ** 2])
    np.testing.assert_allclose(c, want, atol=1e-11)


def wigner(turn, degree):
    """D with Y(R x) = D Y(x), by least squares over directions."""
    k = (degree + 1) ** 2
    there, here = (np.asarray(harmonics(each))[:, :k] for each in (DIRECTIONS @ turn.T, DIRECTIONS))
    return np.linalg.lstsq(here, there, rcond=None)[0].T


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_wigner_rotations_commute_with_the_product(dtype):
    product = jax.jit(gaunt_product, static_argnums=2)
    a, b = RNG.normal(size=16), RNG.normal(size=9)
    want = product(a.astype(dtype), b.astype(dtype), 5)
    for _ in range(8):
        turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]  # reflections too
        d = wigner(turn, 5)
        np.testing.assert_allclose(d @ d.T, np.eye(36), atol=1e-12)
        block = np.repeat(np.arange(6), 2 * np.arange(6) + 1)
        np.testing.assert_allclose(d[block[:, None] != block], 0, atol=1e-12)
        got = product((d[:16, :16] @ a).astype(dtype), (d[:9, :9] @ b).astype(dtype), 5)
        np.testing.assert_allclose(got, d @ want, atol=TOLERANCE[dtype] * 3)


def test_wrong_calls_say_what_to_do():
    with pytest.raises(ValueError, match="a has 5 coefficients; expected a square number"):
        gaunt_product(jnp.ones(5), jnp.ones(4), 1)
    with pytest.raises(ValueError, match="degree_out is -1"):
        gaunt_product(jnp.ones(4), jnp.ones(4), -1)
    with pytest.raises(ValueError, match=r"x has shape \[2\]"):
        real_spherical_harmonics(1, jnp.ones(2))
    with pytest.raises(TypeError, match="degree is"):
        real_spherical_harmonics(1.5, jnp.ones(3))
