"""The best element of one group: exact for linear gains, an ascent of the explicit quadratic form otherwise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.ascent.kinds import SIGNED
from geojax.symmetry.ascent.quadratic import Quadratic, climb

N = 4
ALL = np.array(list(itertools.permutations(range(N))))
KEYS = jax.random.split(jax.random.key(0), 16)


def quadratic_form(gains, a, b):
    """f of every permutation: vec(P) . gains + vec(P)^T (a kron b) vec(P), with P one-hot rows."""
    points = np.eye(N)[ALL].reshape(len(ALL), -1)
    return points @ gains.reshape(-1) + np.einsum("ep,pq,eq->e", points, np.kron(a, b), points)


def test_linear_gains_are_solved_exactly():
    gains = np.random.default_rng(1).normal(size=(5, N, N))
    current = np.broadcast_to(np.arange(N), (5, N))
    chosen, value, gain = jax.jit(lambda *given: climb(PERMUTATION, given[0], [], given[1]))(gains, current)
    of_all = gains[:, np.arange(N), ALL].sum(axis=2)
    np.testing.assert_allclose(value, of_all.max(axis=1), rtol=1e-12)
    np.testing.assert_allclose(gain, np.sum(of_all.max(axis=1) - of_all[:, 0]), rtol=1e-12)
    np.testing.assert_array_equal(ALL[of_all.argmax(axis=1)], chosen)


def test_law_a_quadratic_gain_never_falls_and_is_what_it_is_said_to_be():
    """16 random recurrent kernels [N, N] from random starts; the mean gap to the best of all 24 is small."""

    @jax.jit
    @jax.vmap
    def run(key):
        k1, k2, k3 = jax.random.split(key, 3)
        gains, (a, b) = jax.random.normal(k1, (N, N)), jax.random.normal(k2, (2, N, N))
        start = jax.random.permutation(k3, N)
        return gains, a, b, start, climb(PERMUTATION, gains, [Quadratic(a, b, (), (0, 1), ())], start)

    gaps = []
    for gains, a, b, start, chosen, value, gain in zip(*(np.asarray(x) for x in jax.tree.leaves(run(KEYS)))):
        of_all = quadratic_form(gains, a, b)
        at = lambda element, f=of_all: f[np.flatnonzero((element == ALL).all(axis=1))[0]]
        np.testing.assert_allclose(value, at(chosen), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(gain, at(chosen) - at(start), rtol=1e-8, atol=1e-10)
        assert gain >= 0
        gaps.append((of_all.max() - value) / (of_all.max() - of_all.min()))
    assert np.mean(gaps) < 0.15


def test_signs_on_two_axes_cancel_on_the_diagonal():
    """f(s) = sum_i s_i^2 a_ii b_ii is constant, so that the linear gains alone decide: all signs become minus."""
    diagonal = np.diag(np.arange(1.0, N + 1))
    gains = 40 * np.concatenate([-np.eye(N), np.eye(N)], axis=1)
    ascent = jax.jit(lambda gains, a, b, at: climb(SIGNED, gains, [Quadratic(a, b, (), (0, 1), (0, 1))], at))
    chosen, value, _ = ascent(gains, diagonal, diagonal, np.arange(N))
    np.testing.assert_array_equal(chosen, np.arange(N) + N)
    np.testing.assert_allclose(value, 40 * N + np.sum(np.arange(1.0, N + 1) ** 2), rtol=1e-12)


def test_what_is_not_finite_moves_nothing():
    gains = np.full((N, N), np.nan)
    chosen, _, gain = jax.jit(lambda gains: climb(PERMUTATION, gains, [], jnp.arange(N)[::-1]))(gains)
    np.testing.assert_array_equal(chosen, np.arange(N)[::-1])
    assert np.isnan(gain)
