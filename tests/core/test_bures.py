"""The optimal maps between covariances against their defining equations, near and far."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from geojax._core import bures

N = 3


def covariances(key):
    factors = jax.random.normal(key, (2, N, N + 2))
    return factors @ jnp.swapaxes(factors, 1, 2)


def test_law_maps():
    """T A T = B, its inverse goes back, and the gap of the factors is as long as the points are apart."""

    def law(key):
        a, b = covariances(key)
        fidelity, to_b, to_a, gap = bures.maps(a, b, True)
        apart = jnp.trace(a) + jnp.trace(b) - 2 * fidelity
        return (
            jnp.max(jnp.abs(to_b @ a @ to_b - b)) + jnp.max(jnp.abs(to_a @ to_b - jnp.eye(N))),
            jnp.sum(gap**2) - apart,
        )

    errors = jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 16))
    for error in errors:
        np.testing.assert_allclose(error, 0, atol=1e-9)


def test_matches_scipy():
    a, b = covariances(jax.random.key(1))
    root = scipy.linalg.sqrtm(np.asarray(a))
    want = np.trace(scipy.linalg.sqrtm(root @ np.asarray(b) @ root))
    np.testing.assert_allclose(bures.maps(a, b, True)[0], want, rtol=1e-12)


def test_gap_of_close_matrices_keeps_its_digits():
    """Between s^2 I and t^2 I the distance is sqrt(n) |s - t|, at 1e-9 too, where the traces cancel."""
    s, t = 2.0, 2.0 + 1e-9
    gap = bures.maps(s**2 * jnp.eye(N), t**2 * jnp.eye(N), False)[3]
    np.testing.assert_allclose(jnp.linalg.norm(gap), np.sqrt(N) * (t - s), rtol=1e-6)
