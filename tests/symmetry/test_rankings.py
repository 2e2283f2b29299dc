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
median = jax.jit(kemeny_median)
merge = jax.jit(bucket_merge)
break_median = jax.jit(jax.vmap(lambda pairwise: breakdown(pairwise, kemeny_median, delta=1)))
distances_to = jax.jit(jax.vmap(kendall_tau, in_axes=(0, None)))


def mallows(centre, dispersion, key=None, noise=0.0):
    """The pairwise matrix of a Mallows distribution around a ranking, by summing over all of them."""
    rankings = np.array(list(itertools.permutations(range(len(centre)))))
    distances = np.asarray(distances_to(rankings, np.asarray(centre)))
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
    medians = jax.jit(jax.vmap(kemeny_median))(pairwise)
    reached = np.einsum("bij,bji->b", medians[:, :, None] < medians[:, None, :], pairwise)
    np.testing.assert_allclose(reached, costs.min(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(np.sort(medians, axis=1), np.broadcast_to(np.arange(5), (32, 5)))


def test_transitive_majorities_give_copelands_order():
    centre = np.array([3, 0, 4, 1, 2])
    pairwise = mallows(centre, 0.4, jax.random.key(1), noise=0.05)
    wins = (pairwise > 0.5).sum(axis=1)
    np.testing.assert_array_equal(np.sort(wins), np.arange(5))
    np.testing.assert_array_equal(median(jnp.asarray(pairwise)), 4 - wins)
    np.testing.assert_array_equal(4 - wins, centre)


@pytest.mark.parametrize(
    "threshold, expected", [(0.0, [0, 1, 2, 3]), (0.05, [0, 0, 1, 1]), (0.5, [0, 0, 0, 0])]
)
def test_buckets_tie_what_cannot_be_told_apart(threshold, expected):
    pairwise = jnp.array(
        [[0.5, 0.52, 0.9, 0.9], [0.48, 0.5, 0.8, 0.9], [0.1, 0.2, 0.5, 0.53], [0.1, 0.1, 0.47, 0.5]]
    )
    np.testing.assert_array_equal(merge(pairwise, threshold=threshold), expected)


def test_breakdown_of_two_items_is_closed_form():
    """(1 - e) p falls to 1/2 at e = 1 - 1 / (2 p)."""
    p = np.array([0.55, 0.7, 0.95])
    pairwise = np.array([[0.5 + 0 * p, p], [1 - p, 0.5 + 0 * p]]).transpose(2, 0, 1)
    np.testing.assert_allclose(break_median(jnp.asarray(pairwise)).level, 1 - 0.5 / p, atol=1e-6)


def test_the_attack_succeeds_at_its_level_and_buckets_survive_longer():
    near_tie = jnp.array([[0.5, 0.52, 0.9], [0.48, 0.5, 0.9], [0.1, 0.1, 0.5]])
    merged = functools.partial(bucket_merge, threshold=0.1)
    strict = jax.tree.map(lambda x: x[0], break_median(near_tie[None]))
    robust = jax.jit(lambda pairwise: breakdown(pairwise, merged, delta=1))(near_tie)
    assert strict.level < 0.05
    assert robust.level > 3 * strict.level
    certain = strict.attack[:, None] < strict.attack
    for shift, moved in ((1e-4, True), (-1e-4, False)):
        level = strict.level + shift
        after = median((1 - level) * near_tie + level * certain)
        assert bool(kendall_tau(after, median(near_tie)) >= 1) is moved


def test_nan_and_sizes_are_reported():
    broken = jnp.full((3, 3), jnp.nan)
    np.testing.assert_array_equal(median(broken), -1)
    np.testing.assert_array_equal(jax.jit(bucket_merge)(broken, threshold=0.1), -1)
    assert jnp.isnan(break_median(broken[None]).level[0])
    with pytest.raises(TypeError, match="breakdown: statistic is a float; expected a function"):
        breakdown(broken, 0.5, delta=1)
    with pytest.raises(ValueError, match="kemeny_median: pairwise has 13 items"):
        kemeny_median(jnp.ones((13, 13)))
    with pytest.raises(ValueError, match="breakdown: pairwise has 7 items"):
        breakdown(jnp.ones((7, 7)), kemeny_median, delta=1)
    with pytest.raises(ValueError, match="kendall_tau: t"):
        kendall_tau(jnp.arange(3), jnp.arange(4))
