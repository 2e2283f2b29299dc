"""Heat kernels: both forms where they overlap, scipy's harmonics, mass one, the semigroup law, the heat equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax.manifolds.heat import sphere_heat_kernel, spheres_and_tori, torus_heat_kernel

ANGLES = np.asarray([0.0, 1e-8, 1e-3, 0.5, 1.5, 2.0, 3.0, np.pi - 1e-5, np.pi])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)


def at_angle(angle, n):
    return jnp.zeros(n).at[0].set(jnp.cos(angle)).at[1].set(jnp.sin(angle))


def sphere(angle, t, n):
    return sphere_heat_kernel(at_angle(0.0, n), at_angle(angle, n), t)


@pytest.mark.parametrize("t", [0.03, 0.1, 0.2, 1.0])
def test_matches_scipy_legendre_series(t):
    degree = np.arange(120)
    series = np.polynomial.legendre.Legendre(
        (2 * degree + 1) * np.exp(-degree * (degree + 1) * t) / (4 * np.pi)
    )
    want = series(np.cos(ANGLES))
    got = jax.vmap(lambda a: sphere(a, t, 3))(ANGLES)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-14)


def test_law_both_forms_agree_where_both_converge():
    apart, together = 2 - 2 * np.cos(ANGLES), 2 + 2 * np.cos(ANGLES)
    for t in (0.05, 0.2):
        t = jnp.asarray(t)
        long = jax.vmap(lambda a, t=t: spheres_and_tori._gegenbauer(a, 3, t))(apart)
        short = jax.vmap(lambda a, b, t=t: spheres_and_tori._two_sphere(a, b, t))(apart, together)
        np.testing.assert_allclose(short, long, rtol=1e-11, atol=1e-13)
        long = jax.vmap(lambda a, t=t: spheres_and_tori._gegenbauer(a, 4, t))(apart)
        short = jax.vmap(lambda a, b, t=t: spheres_and_tori._images(a, b, t))(apart, together)
        np.testing.assert_allclose(short * np.exp(t) / (4 * np.pi * t) ** 1.5, long, rtol=1e-10, atol=1e-12)
    k = np.arange(-9, 10)
    for t in (0.3, 3.0):
        images = np.exp(-((ANGLES[:, None] + 2 * np.pi * k) ** 2) / (4 * t)).sum(1) / np.sqrt(4 * np.pi * t)
        fourier = (np.exp(-k * k * t) * np.cos(k * ANGLES[:, None])).sum(1) / (2 * np.pi)
        np.testing.assert_allclose(images, fourier, atol=1e-14)
        got = jax.vmap(lambda a, t=t: torus_heat_kernel(jnp.zeros(1), a[None], t))(ANGLES)
        np.testing.assert_allclose(got, fourier, atol=1e-14)


@pytest.mark.parametrize("n, t", [(2, 0.01), (3, 1e-3), (3, 0.5), (4, 0.01), (4, 2.0), (6, 0.05)])
def test_law_mass_one(n, t):
    """The integral over angles, with the area of the sphere at each: sin^(n-2)."""
    top = min(np.pi, 14 * np.sqrt(t))
    angles, weights = top * (NODES + 1) / 2, top * WEIGHTS / 2
    area = 2 * np.pi ** ((n - 1) / 2) / scipy.special.gamma((n - 1) / 2)
    values = jax.vmap(lambda a: sphere(a, t, n))(angles)
    np.testing.assert_allclose(weights @ (values * np.sin(angles) ** (n - 2)) * area, 1, rtol=1e-9)


@pytest.mark.parametrize("t", [0.04, 0.7])
def test_law_semigroup_and_heat_equation(t):
    """On the sphere: K_t * K_t = K_2t at one point, and dK/dt = K'' + cot(a) K' + ... of the radial Laplacian."""
    at = jnp.asarray([0.3, 1.0, 2.5])
    for n in (3, 4):

        def along(a, n=n):
            return sphere(a, t, n)

        def terms(a, along=along, n=n):
            slope, bend = jax.jvp(jax.grad(along), (a,), (1.0,))
            return bend + (n - 2) / jnp.tan(a) * slope, jax.grad(lambda t: sphere(a, t, n))(t)

        laplacian, in_time = jax.jit(jax.vmap(terms))(at)
        np.testing.assert_allclose(in_time, laplacian, rtol=1e-8, atol=1e-10)
    # K_2t(0) is the integral of K_t squared.
    angles, weights = np.pi * (NODES + 1) / 2, np.pi * WEIGHTS / 2
    values = jax.vmap(lambda a: sphere(a, t, 3))(angles)
    mass = 2 * np.pi * weights @ (values**2 * np.sin(angles))
    np.testing.assert_allclose(sphere(0.0, 2 * t, 3), mass, rtol=1e-9)


def test_short_times_and_both_precisions():
    """Varadhan: -4 t log K tends to the squared distance; nothing overflows on the way."""
    for n in (2, 3, 4):
        value = sphere(1.2, 1e-3, n)
        np.testing.assert_allclose(-4e-3 * jnp.log(value), 1.2**2, atol=0.05)
        single = sphere_heat_kernel(
            *(at_angle(a, n).astype(jnp.float32) for a in (0.0, 1.2)), jnp.float32(0.05)
        )
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, sphere(1.2, 0.05, n), rtol=1e-4)
        slope = jax.grad(lambda y, t, n=n: sphere_heat_kernel(at_angle(0.0, n), y, t))
        ends = jnp.stack([at_angle(angle, n) for angle in (0.0, np.pi)])
        slopes = jax.vmap(
            lambda y, slope=slope: jax.vmap(lambda t: slope(y, t))(jnp.asarray([1e-4, 0.3, 30.0]))
        )(ends)
        assert jnp.all(jnp.isfinite(slopes))


def test_bad_input_says_what_is_wrong():
    x = at_angle(0.0, 3)
    assert jnp.isnan(sphere_heat_kernel(x, x, -1.0)) and jnp.isnan(sphere_heat_kernel(x, x * jnp.nan, 1.0))
    assert jnp.isnan(sphere(0.1, 1e-4, 6))
    with pytest.raises(ValueError, match="n >= 2"):
        sphere_heat_kernel(jnp.ones(1), jnp.ones(1), 1.0)
    with pytest.raises(ValueError, match="y has shape"):
        torus_heat_kernel(jnp.ones(2), jnp.ones(3), 1.0)
