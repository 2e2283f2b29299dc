"""The optimal maps between covariances against their defining equations, near and far."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from geojax._core.matrices import bures

N = 3


def covariances(key):
    factors = jax.random.normal(key, (2, N, N + 2))
    return factors @ jnp.swapaxes(factors, 1, 2)


def test_law_maps():
    """T A T = B, its inverse goes back, and the squared distance is that of the traces."""

    def law(key):
        a, b = covariances(key)
        fidelity, to_b, to_a, squared = bures.maps(a, b, True)
        apart = jnp.trace(a) + jnp.trace(b) - 2 * fidelity
        return (
            jnp.max(jnp.abs(to_b @ a @ to_b - b)) + jnp.max(jnp.abs(to_a @ to_b - jnp.eye(N))),
            squared - apart,
        )

    errors = jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 16))
    for error in errors:
        np.testing.assert_allclose(error, 0, atol=1e-9)


def test_matches_scipy():
    a, b = covariances(jax.random.key(1))
    root = scipy.linalg.sqrtm(np.asarray(a))
    want = np.trace(scipy.linalg.sqrtm(root @ np.asarray(b) @ root))
    np.testing.assert_allclose(bures.maps(a, b, True)[0], want, rtol=1e-12)


def test_distance_of_close_matrices_keeps_its_digits():
    """Between s^2 I and t^2 I the distance is sqrt(n) |s - t|, at 1e-9 too, where the traces cancel."""
    s, t = 2.0, 2.0 + 1e-9
    squared = bures.maps(s**2 * jnp.eye(N), t**2 * jnp.eye(N), False)[3]
    np.testing.assert_allclose(jnp.sqrt(squared), np.sqrt(N) * (t - s), rtol=1e-6)


def test_one_dominant_direction_keeps_its_share():
    """Condition numbers up to 1e8, in float32: the fidelity is the nuclear norm of the product of square roots."""
    rng = np.random.default_rng(0)
    frames = np.linalg.qr(rng.normal(size=(2, 5, 16, N, N)))[0]
    tails = np.asarray([1e-4, 1e-5, 1e-6, 1e-7, 1e-8])[:, None, None]
    roots = frames * np.sqrt(np.concatenate([np.ones_like(tails), tails, tails], axis=2))[..., None, :]
    a, b = (np.asarray(root @ np.swapaxes(root, -1, -2), np.float32).reshape(-1, N, N) for root in roots)

    def exact_root(matrix):
        values, vectors = np.linalg.eigh(matrix.astype(float))
        return (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)

    want = np.linalg.svd(exact_root(a) @ exact_root(b), compute_uv=False).sum(-1)
    got = jax.jit(jax.vmap(lambda a, b: bures.maps(a, b, True)[0]))(a, b)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=2e-4)


def test_derivatives_match_differences():
    """First and second derivatives of every output, along random symmetric directions, at ties too."""
    rng = np.random.default_rng(0)
    (e, f), w = (
        (lambda m: m + jnp.swapaxes(m, 1, 2))(jnp.asarray(rng.normal(size=(2, N, N)))),
        rng.normal(size=(2, N, N)),
    )

    def value(a, b):
        fidelity, to_b, to_a, squared = bures.maps(a, b, False)
        return fidelity + 2 * squared + jnp.vdot(w[0], to_b) + jnp.vdot(w[1], to_a)

    @jax.jit
    def along(a, b):
        gradients = jax.grad(value, argnums=(0, 1))(a, b)
        return jnp.vdot(gradients[0], e) + jnp.vdot(gradients[1], f)

    @jax.jit
    def twice(a, b):
        return jax.jvp(along, (a, b), (e, f))[1]

    step = 1e-5
    for a, b in (covariances(jax.random.key(2)), (2 * jnp.eye(N), jnp.eye(N))):
        first = (value(a + step * e, b + step * f) - value(a - step * e, b - step * f)) / (2 * step)
        np.testing.assert_allclose(along(a, b), first, rtol=1e-7)
        second = (along(a + step * e, b + step * f) - along(a - step * e, b - step * f)) / (2 * step)
        np.testing.assert_allclose(twice(a, b), second, rtol=1e-6)
