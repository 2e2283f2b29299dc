"""Heat kernels: both forms where they overlap, scipy's harmonics, mass one, the semigroup law, the heat equation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax.manifolds.heat import sphere_heat_kernel, spheres_and_tori, torus_heat_kernel

ANGLES = np.asarray([0.0, 1e-8, 1e-3, 0.5, 1.5, 2.0, 3.0, np.pi - 1e-5, np.pi])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)


def at_angle(angle, n):
    return jnp.concatenate([jnp.stack([jnp.cos(angle), jnp.sin(angle)]), np.zeros(n - 2)])


def sphere(angle, t, n):
    return sphere_heat_kernel(at_angle(0.0, n), at_angle(angle, n), t)


@functools.cache
def program(n):
    return jax.jit(jax.vmap(lambda angle, t: sphere(angle, t, n), (0, None)))


def spheres(angles, t, n):
    """The kernel at many angles, as many for each program as there are nodes."""
    angles = np.atleast_1d(angles)
    return program(n)(np.resize(angles, len(NODES)), t)[: len(angles)]


@pytest.mark.parametrize("t", [0.03, 0.1, 0.2, 1.0])
def test_matches_scipy_legendre_series(t):
    degree = np.arange(120)
    series = np.polynomial.legendre.Legendre(
        (2 * degree + 1) * np.exp(-degree * (degree + 1) * t) / (4 * np.pi)
    )
    want = series(np.cos(ANGLES))
    got = spheres(ANGLES, t, 3)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-14)


def test_law_both_forms_agree_where_both_converge():
    apart, together = 2 - 2 * np.cos(ANGLES), 2 + 2 * np.cos(ANGLES)
    kernels = spheres_and_tori

    @jax.jit
    def forms(t):
        return (
            jax.vmap(lambda a: kernels._gegenbauer(a, 3, t))(apart),
            jax.vmap(lambda a, b: kernels._two_sphere(a, b, t))(apart, together),
            jax.vmap(lambda a: kernels._gegenbauer(a, 4, t))(apart),
            jax.vmap(lambda a, b: kernels._images(a, b, t))(apart, together),
        )

    torus = jax.jit(jax.vmap(lambda a, t: torus_heat_kernel(jnp.zeros(1), a[None], t), (0, None)))
    for t in (0.05, 0.2):
        long, short, long_in_space, images = forms(t)
        np.testing.assert_allclose(short, long, rtol=1e-11, atol=1e-13)
        short = images * np.exp(t) / (4 * np.pi * t) ** 1.5
        np.testing.assert_allclose(short, long_in_space, rtol=1e-10, atol=1e-12)
    k = np.arange(-9, 10)
    for t in (0.3, 3.0):
        images = np.exp(-((ANGLES[:, None] + 2 * np.pi * k) ** 2) / (4 * t)).sum(1) / np.sqrt(4 * np.pi * t)
        fourier = (np.exp(-k * k * t) * np.cos(k * ANGLES[:, None])).sum(1) / (2 * np.pi)
        np.testing.assert_allclose(images, fourier, atol=1e-14)
        np.testing.assert_allclose(torus(ANGLES, t), fourier, atol=1e-14)


@pytest.mark.parametrize("n, t", [(2, 0.01), (3, 1e-3), (3, 0.5), (4, 0.01), (4, 2.0), (6, 0.05)])
def test_law_mass_one(n, t):
    """The integral over angles, with the area of the sphere at each: sin^(n-2)."""
    top = min(np.pi, 14 * np.sqrt(t))
    angles, weights = top * (NODES + 1) / 2, top * WEIGHTS / 2
    area = 2 * np.pi ** ((n - 1) / 2) / scipy.special.gamma((n - 1) / 2)
    values = spheres(angles, t, n)
    np.testing.assert_allclose(weights @ (values * np.sin(angles) ** (n - 2)) * area, 1, rtol=1e-9)


@functools.cache
def both_sides(n):
    """The radial Laplacian of the kernel and its derivative in time, at many angles."""

    def terms(a, t):
        slope, bend = jax.jvp(jax.grad(lambda a: sphere(a, t, n)), (a,), (1.0,))
        return bend + (n - 2) / jnp.tan(a) * slope, jax.grad(lambda t: sphere(a, t, n))(t)

    return jax.jit(jax.vmap(terms, (0, None)))


@pytest.mark.parametrize("n", [3, pytest.param(4, marks=pytest.mark.full)])
@pytest.mark.parametrize("t", [0.04, 0.7])
def test_law_heat_equation(t, n):
    """On the sphere: dK/dt = K'' + (n - 2) cot(a) K' of the radial Laplacian."""
    laplacian, in_time = both_sides(n)(np.asarray([0.3, 1.0, 2.5]), t)
    np.testing.assert_allclose(in_time, laplacian, rtol=1e-8, atol=1e-10)


@pytest.mark.full
@pytest.mark.parametrize("t", [0.04, 0.7])
def test_law_semigroup(t):
    """On the sphere K_t * K_t = K_2t at one point."""
    # K_2t(0) is the integral of K_t squared.
    angles, weights = np.pi * (NODES + 1) / 2, np.pi * WEIGHTS / 2
    values = spheres(angles, t, 3)
    mass = 2 * np.pi * weights @ (values**2 * np.sin(angles))
    np.testing.assert_allclose(spheres(0.0, 2 * t, 3)[0], mass, rtol=1e-9)


def test_short_times_and_both_precisions():
    """Varadhan: -4 t log K tends to the squared distance; nothing overflows on the way."""
    for n in (2, 3, 4):
        value = spheres(1.2, 1e-3, n)[0]
        np.testing.assert_allclose(-4e-3 * np.log(value), 1.2**2, atol=0.05)
        x, y = (np.asarray(at_angle(a, n), np.float32) for a in (0.0, 1.2))
        single = jax.jit(sphere_heat_kernel)(x, y, jnp.float32(0.05))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, spheres(1.2, 0.05, n)[0], rtol=1e-4)
        slope = jax.jit(jax.vmap(jax.grad(sphere_heat_kernel, 1), (None, 0, 0)))
        ends = np.stack([at_angle(angle, n) for angle in (0.0, np.pi)])
        times = np.asarray([1e-4, 0.3, 30.0])
        slopes = slope(at_angle(0.0, n), np.repeat(ends, 3, axis=0), np.tile(times, 2))
        assert np.all(np.isfinite(slopes))


def test_bad_input_says_what_is_wrong():
    x = at_angle(0.0, 3)
    kernel = jax.jit(sphere_heat_kernel)
    assert np.isnan(kernel(x, x, -1.0)) and np.isnan(kernel(x, x * np.nan, 1.0))
    assert np.isnan(spheres(0.1, 1e-4, 6)[0])
    with pytest.raises(ValueError, match="n >= 2"):
        sphere_heat_kernel(jnp.ones(1), jnp.ones(1), 1.0)
    with pytest.raises(ValueError, match="y has shape"):
        torus_heat_kernel(jnp.ones(2), jnp.ones(3), 1.0)
