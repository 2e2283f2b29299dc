"""The uniform transform against scipy's ranks and Kolmogorov test, and effects of a treatment that were planted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from geojax.transport.laws import ate_ustatistic, inverse_uniform_transform, uniform_transform

N, M, D, BINS = 400, 150, 2, 8


def sample(seed, n=N):
    """Correlated and skewed in two dimensions."""
    z = np.random.default_rng(seed).normal(size=(n, D))
    return np.stack([np.exp(z[:, 0]), z[:, 0] ** 2 + z[:, 1] * (1 + np.abs(z[:, 0]))], axis=1)


def test_one_dimension_matches_ranks_and_ignores_the_scale():
    x = sample(0)[:, :1]
    x[[3, 7]] = 2.0
    transform = jax.jit(lambda x: uniform_transform(x, num_bins=BINS))
    u = np.asarray(transform(x))
    np.testing.assert_allclose(u[:, 0], (scipy.stats.rankdata(x[:, 0]) - 0.5) / N, rtol=1e-12)
    np.testing.assert_allclose(transform(np.log(x) ** 3), u, rtol=1e-12)


@pytest.mark.full
def test_between_reference_points_it_is_linear_interpolation():
    reference = np.sort(sample(1, M)[:, :1], axis=0)
    x = sample(2, 60)[:, :1]
    want = np.interp(x[:, 0], reference[:, 0], (np.arange(M) + 0.5) / M)
    np.testing.assert_allclose(uniform_transform(x, reference, num_bins=BINS)[:, 0], want, rtol=1e-10)


@pytest.mark.full
def test_transformed_samples_pass_a_kolmogorov_test():
    """The reference itself, coordinate by coordinate, and in cells of the first; the raw sample does not pass."""
    x = sample(3)
    u = np.asarray(uniform_transform(x, num_bins=BINS))
    assert min(scipy.stats.kstest(u[:, j], "uniform").pvalue for j in range(D)) > 0.9
    for piece in range(BINS):
        inside = np.floor(u[:, 0] * BINS) == piece
        assert scipy.stats.kstest(u[inside, 1], "uniform").pvalue > 0.9
    assert scipy.stats.kstest(scipy.stats.norm.cdf(np.asarray(x)[:, 1]), "uniform").pvalue < 1e-6
    assert abs(scipy.stats.spearmanr(u[:, 0] > 0.9, u[:, 1]).statistic) < 0.1
    # A second sample of the same law, mapped by the first, is uniform as well.
    fresh = np.asarray(uniform_transform(sample(4, M), x, num_bins=BINS))
    assert min(scipy.stats.kstest(fresh[:, j], "uniform").pvalue for j in range(D)) > 0.01


@pytest.mark.full
def test_law_the_triangular_map_inverts():
    def law(key):
        x = jax.random.normal(key, (40, 3))
        x = x.at[:, 2].add(x[:, 0] * x[:, 1])
        u = uniform_transform(x, num_bins=3)
        return jnp.max(jnp.abs(inverse_uniform_transform(u, x, num_bins=3) - x)), jnp.min(u), jnp.max(u)

    gap, low, high = jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(5), 16))
    assert jnp.max(gap) < 1e-12
    assert jnp.min(low) > 0
    assert jnp.max(high) < 1


@pytest.mark.full
def test_first_coordinate_inverts_between_the_points():
    reference = sample(6, M)[:, :1]
    u = jax.random.uniform(jax.random.key(7), (50, 1), minval=0.01, maxval=0.99)
    x = inverse_uniform_transform(u, reference, num_bins=BINS)
    np.testing.assert_allclose(uniform_transform(x, reference, num_bins=BINS), u, atol=1e-10)


@pytest.mark.full
def test_gradients_match_finite_differences():
    reference, x = sample(8, 30), sample(9, 6)
    for function, at in (
        (uniform_transform, x),
        (inverse_uniform_transform, jax.random.uniform(jax.random.key(1), (6, D))),
    ):
        value = jax.jit(lambda p, f=function: jnp.sum(jnp.sin(3 * f(p, reference, num_bins=2))))
        gradient = jax.grad(value)(at)
        move = jax.random.normal(jax.random.key(10), at.shape)
        slope = (value(at + 1e-7 * move) - value(at - 1e-7 * move)) / 2e-7
        np.testing.assert_allclose(jnp.vdot(gradient, move), slope, rtol=1e-5)


def confounded(seed, n=400):
    """Units with larger covariates are treated more often and fare better; the effect is 1 + first covariate."""
    k1, k2, k3 = jax.random.split(jax.random.key(seed), 3)
    z = jax.random.normal(k1, (n, D))
    score = z[:, 0] + z[:, 1] / 2 + jax.random.logistic(k2, (n,))
    treat = score > jnp.median(score)
    base = 2 * z[:, 0] + jnp.abs(z[:, 1]) + 0.1 * jax.random.normal(k3, (n,))
    effect = 1 + z[:, 0]
    return jnp.exp(z), base + treat * effect, treat, effect


@pytest.mark.full
def test_planted_effect_is_recovered_with_less_bias_than_the_raw_difference():
    """With the untreated as the reference the estimate is that of the effect on the treated."""
    errors, raw = [], []
    for seed in range(4):
        x, y, treat, effect = confounded(seed)
        u = uniform_transform(x, x[~treat], num_bins=4)
        want = float(effect[treat].mean())
        errors.append(float(ate_ustatistic(u, y, treat, h=0.15)) - want)
        raw.append(float(y[treat].mean() - y[~treat].mean()) - want)
    assert abs(np.mean(errors)) < 0.25 * abs(np.mean(raw))
    assert abs(np.mean(errors)) < 0.4


def test_effect_matches_its_definition():
    rng = np.random.default_rng(0)
    u, y, treat = rng.uniform(size=(12, 2)), rng.normal(size=12), rng.uniform(size=12) < 0.5
    top = bottom = 0.0
    for i in np.flatnonzero(treat):
        for j in np.flatnonzero(~treat):
            k = np.prod(np.maximum(0, 1 - np.abs(u[i] - u[j]) / 0.5))
            top, bottom = top + k * (y[i] - y[j]), bottom + k
    effect = jax.jit(lambda u, y, treat: ate_ustatistic(u, y, treat, h=0.5))
    np.testing.assert_allclose(effect(u, y, treat), top / bottom)


def test_bad_input():
    x = sample(11, 10)
    transform = jax.jit(lambda x, reference: uniform_transform(x, reference, num_bins=2))
    broken = x.copy()
    broken[2, 0] = np.nan
    assert np.isnan(np.asarray(transform(broken, x))[2, 0])
    assert np.all(np.isnan(transform(x, broken)))
    y, treat = np.arange(10.0), np.arange(10) < 5
    effect = jax.jit(lambda treat, h: ate_ustatistic(x, y, treat, h=h))
    assert np.isnan(effect(treat, 1e-9))
    assert np.isnan(effect(treat, -1.0))
    assert np.isnan(effect(treat & False, 1.0))
    with pytest.raises(ValueError, match="num_bins is 0"):
        uniform_transform(x, num_bins=0)
    with pytest.raises(ValueError, match=r"reference has shape \[10, 1\]"):
        uniform_transform(x, x[:, :1], num_bins=2)
    with pytest.raises(ValueError, match=r"treat has shape \[4\]"):
        ate_ustatistic(x, y, treat[:4], h=0.1)
