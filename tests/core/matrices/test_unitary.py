"""The logarithm of special unitary matrices against scipy, beside 1 and at the cut locus."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax._core.matrices.unitary import angles, skew_traceless, unitary_log


def algebra(key, n, size):
    a = skew_traceless(jax.random.normal(key, (n, n), complex))
    return size * a / jnp.linalg.norm(a)


@pytest.mark.parametrize("n", [2, 4])
def test_matches_scipy_and_keeps_its_digits_near_one(n):
    for seed, size in enumerate((1e-10, 1e-4, 1.0, 3.0)):
        a = algebra(jax.random.key(seed), n, size)
        apart = scipy.linalg.expm(np.asarray(a)) - np.eye(n) if size > 1e-3 else a + a @ a / 2 + a @ a @ a / 6
        np.testing.assert_allclose(unitary_log(jnp.asarray(apart)), a, atol=1e-13 * size)


def test_angles_are_those_of_the_eigenvalues():
    turn = jax.random.uniform(jax.random.key(0), (5,), minval=-3.1, maxval=3.1)
    q = jnp.linalg.qr(jax.random.normal(jax.random.key(1), (5, 5), complex))[0]
    found, vectors = angles((q * jnp.exp(1j * turn)) @ q.conj().T)
    np.testing.assert_allclose(jnp.sort(found), jnp.sort(turn), atol=1e-12)
    np.testing.assert_allclose(vectors.conj().T @ vectors, jnp.eye(5), atol=1e-12)


def test_shortest_logarithm_by_force():
    """Angles that add up to 2 pi: of all ways to take whole turns off, none is shorter."""
    turn = jnp.array([2.9, 2.5, 2 * jnp.pi - 5.4 - 0.0])
    log = unitary_log(jnp.diag(jnp.exp(1j * turn)) - jnp.eye(3))
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sums = np.asarray(turn) + 2 * np.pi * shifts
    allowed = sums[np.abs(sums.sum(axis=1)) < 1e-9]
    np.testing.assert_allclose(jnp.linalg.norm(log), np.min(np.linalg.norm(allowed, axis=1)), rtol=1e-12)
    np.testing.assert_allclose(scipy.linalg.expm(np.asarray(log)), np.diag(np.exp(1j * turn)), atol=1e-12)


def test_derivatives_are_those_of_differences_and_finite_at_the_cut_locus():
    a, b = algebra(jax.random.key(2), 3, 1.0), algebra(jax.random.key(3), 3, 1.0)

    def along(t):
        return unitary_log(jax.scipy.linalg.expm(a) @ jax.scipy.linalg.expm(t * b) - jnp.eye(3))

    first = jax.jit(lambda t: jax.jvp(along, (t,), (1.0,))[1])
    h = 1e-5
    np.testing.assert_allclose(first(0.0), (along(h) - along(-h)) / (2 * h), atol=1e-8)
    second = jax.jvp(first, (0.0,), (1.0,))[1]
    np.testing.assert_allclose(second, (first(h) - first(-h)) / (2 * h), atol=1e-7)
    opposite = -2 * jnp.eye(2) + 0j
    assert jnp.all(jnp.isfinite(jax.jvp(unitary_log, (opposite,), (jnp.ones((2, 2)) + 0j,))[1]))
