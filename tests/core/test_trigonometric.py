"""Cosine, sine and exponential of matrices against scipy, and their derivatives at zero and at ties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax._core.trigonometric import cos1m_sinc_sqrtm, exp_skew


def skew(rng, n, scale):
    a = rng.normal(size=(n, n))
    a = a - a.T
    return scale * a / np.linalg.norm(a, 2)


@pytest.mark.parametrize("dtype, ulp", [(jnp.float64, 2.3e-16), (jnp.float32, 1.2e-7)])
def test_matches_scipy_expm(dtype, ulp):
    rng = np.random.default_rng(0)
    for scale in (0.0, 1e-8, 1e-3, 0.9, 3.0, 30.0, 500.0):
        a = np.asarray(skew(rng, 5, scale), dtype)
        got = np.asarray(jax.jit(exp_skew)(a), np.float64)
        np.testing.assert_allclose(got, scipy.linalg.expm(a.astype(float)), atol=30 * ulp * (1 + scale))


def test_small_angles_keep_their_digits():
    angles = np.array([1e-9, 1e-4, 0.5, 3.0])
    cosine, sinc = cos1m_sinc_sqrtm(jnp.diag(angles**2))
    np.testing.assert_allclose(np.diag(cosine), -2 * np.sin(angles / 2) ** 2, rtol=1e-14)
    np.testing.assert_allclose(np.diag(sinc), np.sin(angles) / angles, rtol=1e-14)


def test_derivative_matches_scipy_expm_frechet():
    rng = np.random.default_rng(1)
    e = skew(rng, 4, 1.0)
    for a in (skew(rng, 4, 2.5), np.zeros((4, 4)), np.kron(np.eye(2), [[0, -1.0], [1.0, 0]])):
        got = jax.jvp(jax.jit(exp_skew), (jnp.asarray(a),), (jnp.asarray(e),))[1]
        np.testing.assert_allclose(got, scipy.linalg.expm_frechet(a, e, compute_expm=False), atol=1e-13)
    second = jax.jvp(lambda t: jax.jvp(exp_skew, (t * e,), (e,))[1], (0.0,), (1.0,))[1]
    np.testing.assert_allclose(second, e @ e, atol=1e-14)


def test_complex_and_beyond_its_domain():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    a = a - a.conj().T
    np.testing.assert_allclose(exp_skew(jnp.asarray(a)), scipy.linalg.expm(a), atol=1e-13)
    assert jnp.all(jnp.isnan(exp_skew(jnp.asarray([[0.0, -1e4], [1e4, 0.0]]))))
    assert jnp.all(jnp.isnan(exp_skew(jnp.full((2, 2), jnp.nan))))
