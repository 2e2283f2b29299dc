"""Rankings against scipy and brute force: metrics, medians, and what contamination does to them."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kendalltau

from geojax.symmetry.rankings import breakdown, bucket_merge, kemeny_median, kendall_tau, spearman_footrule

ALL = np.array(list(itertools.permutations(range(5))))
KEYS = jax.random.split(jax.random.key(0), 32)


def mallows(centre, dispersion, key=None, noise=0.0):
    """The pairwise matrix of a Mallows distribution around a ranking, by summing over all of them."""
    rankings = np.array(list(itertools.permutations(range(len(centre)))))
    distances = np.array([kendall_tau(r, np.asarray(centre)) for r in rankings])
    weights = np.exp(-dispersion * distances)
    if key is not None:
        weights = weights * np.exp(noise * np.asarray(jax.random.normal(key, weights.shape)))
    weights /= weights.sum()
    return np.einsum("r,rij->ij", weights, rankings[:, :, None] < rankings[:, None, :])


def test_law_distances_are_metrics_that_renaming_keeps():
    @jax.vmap
    def law(key):
        s, t, u, name = (jax.random.permutation(k, 7) for k in jax.random.split(key, 4))
        gaps = []
        for d in (kendall_tau, spearman_footrule):
            gaps += [
                d(s, s) == 0, d(s, t) == d(t, s), (d(s, t) > 0) == jnp.any(s != t),
                d(s, u) <= d(s, t) + d(t, u), d(s[name], t[name]) == d(s, t),
            ]  # fmt: skip
        footrule, tau = spearman_footrule(s, t), kendall_tau(s, t)
        return jnp.stack([*gaps, tau <= footrule, footrule <= 2 * tau])

    assert np.all(law(KEYS))


def test_kendall_equals_scipy():
    for key in KEYS[:8]:
        s, t = (np.asarray(jax.random.permutation(k, 9)) for k in jax.random.split(key))
        np.testing.assert_allclose(kendall_tau(s, t), 18 * (1 - kendalltau(s, t).statistic))
    assert kendall_tau(jnp.array([0, 0, 1]), jnp.array([0, 1, 2])) == 0.5


def test_the_median_equals_brute_force():
    draws = jax.vmap(lambda k: jax.random.uniform(k, (5, 5)))(KEYS)
    pairwise = draws / (draws + jnp.swapaxes(draws, 1, 2))
    before = ALL[:, :, None] < ALL[:, None, :]
    costs = np.einsum("rij,bji->br", before, pairwise)
    found = jax.jit(jax.vmap(kemeny_median))(pairwise)
    reached = np.einsum("bij,bji->b", found[:, :, None] < found[:, None, :], pairwise)
    np.testing.assert_allclose(reached, costs.min(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.broadcast_to(np.arange(5), (32, 5)))


def test_transitive_majorities_give_copelands_order():
    centre = np.array([3, 0, 4, 1, 2])
    pairwise = mallows(centre, 0.4, jax.random.key(1), noise=0.05)
    wins = (pairwise > 0.5).sum(axis=1)
    np.testing.assert_array_equal(np.sort(wins), np.arange(5))
    np.testing.assert_array_equal(kemeny_median(jnp.asarray(pairwise)), 4 - wins)
    np.testing.assert_array_equal(kemeny_median(jnp.asarray(pairwise)), centre)


@pytest.mark.parametrize(
    "threshold, expected", [(0.0, [0, 1, 2, 3]), (0.05, [0, 0, 1, 1]), (0.5, [0, 0, 0, 0])]
)
def test_buckets_tie_what_cannot_be_told_apart(threshold, expected):
    pairwise = jnp.array(
        [[0.5, 0.52, 0.9, 0.9], [0.48, 0.5, 0.8, 0.9], [0.1, 0.2, 0.5, 0.53], [0.1, 0.1, 0.47, 0.5]]
    )
    np.testing.assert_array_equal(bucket_merge(pairwise, threshold=threshold), expected)


def test_breakdown_of_two_items_is_closed_form():
    """(1 - e) p falls to 1/2 at e = 1 - 1 / (2 p)."""
    for p in (0.55, 0.7, 0.95):
        found = breakdown(jnp.array([[0.5, p], [1 - p, 0.5]]), kemeny_median, delta=1)
        np.testing.assert_allclose(found.level, 1 - 0.5 / p, atol=1e-6)


def test_the_attack_succeeds_at_its_level_and_buckets_survive_longer():
    near_tie = jnp.array([[0.5, 0.52, 0.9], [0.48, 0.5, 0.9], [0.1, 0.1, 0.5]])
    merged = functools.partial(bucket_merge, threshold=0.1)
    strict = breakdown(near_tie, kemeny_median, delta=1)
    robust = breakdown(near_tie, merged, delta=1)
    assert strict.level < 0.05
    assert robust.level > 3 * strict.level
    certain = strict.attack[:, None] < strict.attack
    for shift, moved in ((1e-4, True), (-1e-4, False)):
        level = strict.level + shift
        after = kemeny_median((1 - level) * near_tie + level * certain)
        assert bool(kendall_tau(after, kemeny_median(near_tie)) >= 1) is moved


def test_nan_and_sizes_are_reported():
    broken = jnp.full((3, 3), jnp.nan)
    np.testing.assert_array_equal(kemeny_median(broken), -1)
    np.testing.assert_array_equal(bucket_merge(broken, threshold=0.1), -1)
    assert jnp.isnan(breakdown(broken, kemeny_median, delta=1).level)
    with pytest.raises(ValueError, match="kemeny_median: pairwise has 13 items"):
        kemeny_median(jnp.ones((13, 13)))
    with pytest.raises(ValueError, match="breakdown: pairwise has 7 items"):
        breakdown(jnp.ones((7, 7)), kemeny_median, delta=1)
    with pytest.raises(ValueError, match="kendall_tau: t"):
        kendall_tau(jnp.arange(3), jnp.arange(4))
