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

keys = jax.random.split(jax.random.key(0), 8)


def test_correlation_matches_numpy():
    x, y = jax.random.normal(keys[0], (50, 6)), jax.random.normal(keys[1], (50, 4))
    np.testing.assert_allclose(unit_correlation(x, y), np.corrcoef(x, y, rowvar=False)[:6, 6:], atol=1e-12)


def test_law_correlation_ignores_positive_affine_maps():
    def law(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        x, y = jax.random.normal(k1, (20, 3)), jax.random.normal(k2, (20, 5))
        moved = jnp.exp(4 * jax.random.normal(k3, (3,))) * x + jax.random.normal(k4, (3,))
        return jnp.max(jnp.abs(unit_correlation(x, y) - unit_correlation(moved, y)))

    assert jnp.max(jax.vmap(law)(jax.random.split(keys[2], 64))) < 1e-9


def test_bipartite_matches_scipy_and_brute_force():
    many = np.asarray(jax.random.normal(keys[3], (16, 5, 7)))
    for r, match in zip(many, np.asarray(jax.jit(jax.vmap(bipartite_match))(many))):
        total = r[np.arange(5), match].sum()
        np.testing.assert_allclose(total, r[linear_sum_assignment(r, maximize=True)].sum())
        best = max(r[np.arange(5), list(p)].sum() for p in itertools.permutations(range(7), 5))
        np.testing.assert_allclose(total, best)


def test_law_semi_matching_is_never_below_bipartite():
    def law(key):
        r = jax.random.normal(key, (6, 8))
        total = lambda match: jnp.sum(jnp.take_along_axis(r, match[:, None], axis=1))
        return total(semi_match(r)) - total(bipartite_match(r))

    assert jnp.min(jax.vmap(law)(jax.random.split(keys[4], 64))) >= 0


def test_a_planted_permutation_with_noise_is_recovered():
    x = jax.random.normal(keys[5], (200, 9))
    perm = jax.random.permutation(keys[6], 9)
    r = unit_correlation(x[:, perm] + 0.1 * jax.random.normal(keys[7], x.shape), x)
    np.testing.assert_array_equal(bipartite_match(r), perm)
    np.testing.assert_array_equal(semi_match(r), perm)


sparse = jax.jit(functools.partial(sparse_unit_map, tol=1e-9))


@pytest.mark.parametrize("penalty", [0.02, 0.1, 0.5])
def test_sparse_map_matches_scikit_learn_column_by_column(penalty):
    x, mix = jax.random.normal(keys[0], (80, 7)), jax.random.normal(keys[1], (7, 4))
    y = x @ mix + jax.random.normal(keys[2], (80, 4))
    found = sparse(x, y, penalty=penalty)
    assert found.status == Status.CONVERGED
    unit = lambda z: np.asarray((z - z.mean(axis=0)) / (z.std(axis=0) * np.sqrt(80)))
    for j in range(4):
        oracle = Lasso(alpha=penalty / 80, fit_intercept=False, tol=1e-10, max_iter=100000)
        oracle.fit(unit(x), unit(y)[:, j])
        np.testing.assert_allclose(found.weights[:, j], oracle.coef_, atol=1e-4)


def test_sparse_map_without_penalty_is_least_squares_and_with_1_is_zero():
    x, y = jax.random.normal(keys[3], (40, 5)), jax.random.normal(keys[4], (40, 2))
    unit = lambda z: (z - z.mean(axis=0)) / (z.std(axis=0) * np.sqrt(40))
    found = sparse(x, y, penalty=0.0)
    np.testing.assert_allclose(found.weights, np.linalg.lstsq(unit(x), unit(y))[0], atol=1e-6)
    assert not np.any(sparse(x, y, penalty=1.0).weights)


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
    rows, columns, result = planted_groups(jax.random.split(keys[5], 8))
    np.testing.assert_array_equal(result.status, Status.CONVERGED)
    for i in range(8):
        assert any(
            np.array_equal(np.array(p)[rows[i]], result.groups_a[i])
            and np.array_equal(np.array(p)[columns[i]], result.groups_b[i])
            for p in itertools.permutations(range(3))
        )


def test_nan_is_reported():
    x = jax.random.normal(keys[6], (40, 5)).at[0, 0].set(jnp.nan)
    y = jax.random.normal(keys[7], (40, 2))
    assert sparse(x, y, penalty=0.1).status == Status.NONFINITE
    r = jnp.full((3, 3), 0.5).at[0, 0].set(jnp.nan)
    assert spectral_unit_match(r, num_groups=2, key=keys[0]).status == Status.NONFINITE


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="unit_correlation: y has shape"):
        unit_correlation(jnp.ones((3, 2)), jnp.ones((4, 2)))
    with pytest.raises(ValueError, match="num_groups is 4; expected at most 3"):
        spectral_unit_match(jnp.ones((3, 5)), num_groups=4, key=keys[0])
