"""The logarithm of special unitary matrices against scipy, beside 1 and at the cut locus."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax._core.matrices.unitary import angles, skew_traceless, unitary_log

log = jax.jit(unitary_log)


def algebra(seed, n, size):
    """A skew-Hermitian matrix of trace 0 and norm `size`."""
    a = np.random.default_rng(seed).normal(size=(n, n, 2)).view(complex)[..., 0]
    a = (a - a.conj().T) / 2
    a -= np.trace(a) / n * np.eye(n)
    return size * a / np.linalg.norm(a)


@pytest.mark.parametrize("n", [2, 4])
def test_matches_scipy_and_keeps_its_digits_near_one(n):
    for seed, size in enumerate((1e-10, 1e-4, 1.0, 3.0)):
        a = algebra(seed, n, size)
        np.testing.assert_allclose(skew_traceless(jnp.asarray(a)), a, atol=1e-15 * size)
        apart = scipy.linalg.expm(a) - np.eye(n) if size > 1e-3 else a + a @ a / 2 + a @ a @ a / 6
        np.testing.assert_allclose(log(apart), a, atol=1e-13 * size)


def test_angles_are_those_of_the_eigenvalues():
    random = np.random.default_rng(0)
    turn = random.uniform(-3.1, 3.1, 5)
    q = np.linalg.qr(random.normal(size=(5, 5, 2)).view(complex)[..., 0])[0]
    found, vectors = map(np.asarray, jax.jit(angles)((q * np.exp(1j * turn)) @ q.conj().T))
    np.testing.assert_allclose(np.sort(found), np.sort(turn), atol=1e-12)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(5), atol=1e-12)


def test_shortest_logarithm_by_force():
    """Angles that add up to 2 pi: of all ways to take whole turns off, none is shorter."""
    turn = np.array([2.9, 2.5, 2 * np.pi - 5.4])
    shortest = np.asarray(log(np.diag(np.exp(1j * turn)) - np.eye(3)))
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sums = turn + 2 * np.pi * shifts
    allowed = sums[np.abs(sums.sum(axis=1)) < 1e-9]
    np.testing.assert_allclose(np.linalg.norm(shortest), np.min(np.linalg.norm(allowed, axis=1)), rtol=1e-12)
    np.testing.assert_allclose(scipy.linalg.expm(shortest), np.diag(np.exp(1j * turn)), atol=1e-12)


@pytest.mark.full
def test_derivatives_are_those_of_differences_and_finite_at_the_cut_locus():
    a, b = algebra(2, 3, 1.0), algebra(3, 3, 1.0)

    def along(t):
        return unitary_log(jax.scipy.linalg.expm(a) @ jax.scipy.linalg.expm(t * b) - jnp.eye(3))

    def first(t):
        return jax.jvp(along, (t,), (1.0,))

    @jax.jit
    def derivatives(t):
        return first(t), jax.jvp(lambda t: first(t)[1], (t,), (1.0,))[1]

    h = 1e-5
    (_, slope), curvature = derivatives(0.0)
    ahead, behind = (derivatives(t)[0] for t in (h, -h))
    np.testing.assert_allclose(slope, (ahead[0] - behind[0]) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(curvature, (ahead[1] - behind[1]) / (2 * h), atol=1e-7)
    opposite = -2 * np.eye(2) + 0j
    derivative = jax.jit(lambda x: jax.jvp(unitary_log, (x,), (jnp.ones_like(x),))[1])(opposite)
    assert np.all(np.isfinite(derivative))
