"""The optimal maps between covariances against their defining equations, near and far."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from geojax._core.matrices import bures

N = 3


maps = jax.jit(bures.maps, static_argnums=2)


def covariances(seed, num=2):
    factors = np.random.default_rng(seed).normal(size=(num, N, N + 2))
    return factors @ np.swapaxes(factors, 1, 2)


def test_law_maps():
    """T A T = B, its inverse goes back, and the squared distance is that of the traces."""

    def law(a, b):
        fidelity, to_b, to_a, squared, _ = bures.maps(a, b, 1)
        apart = jnp.trace(a) + jnp.trace(b) - 2 * fidelity
        return (
            jnp.max(jnp.abs(to_b @ a @ to_b - b)) + jnp.max(jnp.abs(to_a @ to_b - jnp.eye(N))),
            squared - apart,
        )

    errors = jax.jit(jax.vmap(law))(*covariances(0, 32).reshape(2, 16, N, N))
    for error in errors:
        np.testing.assert_allclose(error, 0, atol=1e-9)


def test_matches_scipy():
    a, b = covariances(1)
    root = scipy.linalg.sqrtm(a)
    want = np.trace(scipy.linalg.sqrtm(root @ b @ root))
    np.testing.assert_allclose(maps(a, b, 1)[0], want, rtol=1e-12)


def test_distance_of_close_matrices_keeps_its_digits():
    """Between s^2 I and t^2 I the distance is sqrt(n) |s - t|, at 1e-9 too, where the traces cancel."""
    s, t = 2.0, 2.0 + 1e-9
    squared = maps(s**2 * np.eye(N), t**2 * np.eye(N), 0)[3]
    np.testing.assert_allclose(np.sqrt(squared), np.sqrt(N) * (t - s), rtol=1e-6)


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
    got = jax.jit(jax.vmap(lambda a, b: bures.maps(a, b, 1)[0]))(a, b)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=2e-4)


def test_derivatives_match_differences():
    """First and second derivatives of every output, along random symmetric directions, at ties too."""
    rng = np.random.default_rng(0)
    directions, w = rng.normal(size=(2, 2, N, N))
    e, f = directions + np.swapaxes(directions, 1, 2)

    def value(a, b):
        fidelity, to_b, to_a, squared, _ = bures.maps(a, b, 0)
        return fidelity + 2 * squared + jnp.vdot(w[0], to_b) + jnp.vdot(w[1], to_a)

    def along(a, b):
        number, gradients = jax.value_and_grad(value, argnums=(0, 1))(a, b)
        return number, jnp.vdot(gradients[0], e) + jnp.vdot(gradients[1], f)

    @jax.jit
    def derivatives(a, b):
        (number, first), (_, second) = jax.jvp(along, (a, b), (e, f))
        return number, first, second

    step = 1e-5
    for a, b in (covariances(2), (2 * np.eye(N), np.eye(N))):
        _, first, second = derivatives(a, b)
        ahead, behind = (np.array(derivatives(a + s * e, b + s * f)) for s in (step, -step))
        quotients = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(first, quotients[0], rtol=1e-7)
        np.testing.assert_allclose(second, quotients[1], rtol=1e-6)
