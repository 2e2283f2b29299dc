"""Unit matching against numpy, scipy, scikit-learn, brute force and planted structure."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import Lasso

from geojax.results import Status
from geojax.symmetry.units.pairs import bipartite_match, semi_match, sparse_unit_map, unit_correlation
from geojax.symmetry.units.spectral import spectral_unit_match

RANDOM = np.random.default_rng(0)
keys = jax.random.split(jax.random.key(0), 8)


def test_correlation_matches_numpy():
    x, y = RANDOM.normal(size=(50, 6)), RANDOM.normal(size=(50, 4))
    correlation = jax.jit(unit_correlation)(x, y)
    np.testing.assert_allclose(correlation, np.corrcoef(x, y, rowvar=False)[:6, 6:], atol=1e-12)


def test_law_correlation_ignores_positive_affine_maps():
    x, y = RANDOM.normal(size=(64, 20, 3)), RANDOM.normal(size=(64, 20, 5))
    moved = np.exp(4 * RANDOM.normal(size=(64, 1, 3))) * x + RANDOM.normal(size=(64, 1, 3))
    correlation = jax.jit(jax.vmap(unit_correlation))
    assert np.max(np.abs(correlation(x, y) - np.asarray(correlation(moved, y)))) < 1e-9


def test_bipartite_matches_scipy_and_brute_force():
    many = RANDOM.normal(size=(16, 5, 7))
    for r, match in zip(many, np.asarray(jax.jit(jax.vmap(bipartite_match))(many))):
        total = r[np.arange(5), match].sum()
        np.testing.assert_allclose(total, r[linear_sum_assignment(r, maximize=True)].sum())
        best = max(r[np.arange(5), list(p)].sum() for p in itertools.permutations(range(7), 5))
        np.testing.assert_allclose(total, best)


def test_law_semi_matching_is_never_below_bipartite():
    r = RANDOM.normal(size=(64, 6, 8))
    total = lambda match: np.take_along_axis(r, np.asarray(match)[..., None], axis=2).sum(axis=(1, 2))
    semi, bipartite = jax.jit(jax.vmap(lambda r: (semi_match(r), bipartite_match(r))))(r)
    assert np.min(total(semi) - total(bipartite)) >= 0


def test_a_planted_permutation_with_noise_is_recovered():
    x, perm = RANDOM.normal(size=(200, 9)), RANDOM.permutation(9)

    @jax.jit
    def match(x, y):
        r = unit_correlation(x, y)
        return bipartite_match(r), semi_match(r)

    for found in match(x[:, perm] + 0.1 * RANDOM.normal(size=x.shape), x):
        np.testing.assert_array_equal(found, perm)


sparse = jax.jit(functools.partial(sparse_unit_map, tol=1e-9))


@pytest.mark.parametrize("penalty", [0.02, 0.1, 0.5])
def test_sparse_map_matches_scikit_learn_column_by_column(penalty):
    x, mix = RANDOM.normal(size=(80, 7)), RANDOM.normal(size=(7, 4))
    y = x @ mix + RANDOM.normal(size=(80, 4))
    found = sparse(x, y, penalty=penalty)
    assert found.status == Status.CONVERGED
    unit = lambda z: (z - z.mean(axis=0)) / (z.std(axis=0) * np.sqrt(80))
    for j in range(4):
        oracle = Lasso(alpha=penalty / 80, fit_intercept=False, tol=1e-10, max_iter=100000)
        oracle.fit(unit(x), unit(y)[:, j])
        np.testing.assert_allclose(found.weights[:, j], oracle.coef_, atol=1e-4)


def test_sparse_map_without_penalty_is_least_squares_and_with_1_is_zero():
    x, y = RANDOM.normal(size=(40, 5)), RANDOM.normal(size=(40, 2))
    unit = lambda z: (z - z.mean(axis=0)) / (z.std(axis=0) * np.sqrt(40))
    found = sparse(x, y, penalty=0.0)
    np.testing.assert_allclose(found.weights, np.linalg.lstsq(unit(x), unit(y))[0], atol=1e-6)
    assert not np.any(np.asarray(sparse(x, y, penalty=1.0).weights))


@jax.jit
@jax.vmap
def planted_groups(key):
    """Groups of 12 and of 9 units, and those read off their correlations, which have random signs and noise."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    rows, columns = (jax.random.permutation(k, jnp.arange(n) % 3) for k, n in ((k1, 12), (k2, 9)))
    noise = 0.2 * jax.random.uniform(k3, (12, 9))
    r = jnp.where(rows[:, None] == columns, 0.8, 0.0) * jnp.sign(jax.random.normal(k4, (12, 9))) + noise
    return rows, columns, spectral_unit_match(r, num_groups=3, key=key)


def test_planted_groups_are_recovered_up_to_relabelling():
    rows, columns, result = jax.device_get(planted_groups(jax.random.split(keys[5], 8)))
    np.testing.assert_array_equal(result.status, Status.CONVERGED)
    for i in range(8):
        assert any(
            np.array_equal(np.array(p)[rows[i]], result.groups_a[i])
            and np.array_equal(np.array(p)[columns[i]], result.groups_b[i])
            for p in itertools.permutations(range(3))
        )


def test_nan_is_reported():
    x, y = RANDOM.normal(size=(40, 5)), RANDOM.normal(size=(40, 2))
    x[0, 0] = np.nan
    assert sparse(x, y, penalty=0.1).status == Status.NONFINITE
    r = np.full((3, 3), 0.5)
    r[0, 0] = np.nan
    spectral = jax.jit(functools.partial(spectral_unit_match, num_groups=2))
    assert spectral(r, key=keys[0]).status == Status.NONFINITE


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="unit_correlation: y has shape"):
        unit_correlation(np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="num_groups is 4; expected at most 3"):
        spectral_unit_match(np.ones((3, 5)), num_groups=4, key=keys[0])
