"""Means up to a group: the folded normal distribution, and how the bias grows with the noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from geojax.manifolds import consistency_bias, quotient_frechet_mean
from geojax.results import Status

NUM = 4000


def flip(x, m):
    return jnp.where(jnp.vdot(x, m) < 0, -x, x)


def shift(x, m):
    """The cyclic translation of x that is nearest to m."""
    orbit = jnp.stack([jnp.roll(x, k) for k in range(x.size)])
    return orbit[jnp.argmin(jnp.sum(jnp.square(orbit - m), axis=1))]


def test_matches_the_mean_of_the_folded_normal():
    """Not the template: E|mu + sigma e|, within three standard errors."""
    for mu, sigma in ((1.0, 0.2), (1.0, 1.5)):
        sample = mu + sigma * np.random.default_rng(0).normal(size=(NUM, 1))
        found = quotient_frechet_mean(sample, flip)
        want = scipy.stats.foldnorm(mu / sigma, scale=sigma)
        assert found.status == Status.CONVERGED
        assert abs(abs(float(found.point[0])) - want.mean()) < 3 * want.std() / np.sqrt(NUM)
        np.testing.assert_allclose(abs(found.point[0]), np.abs(sample).mean(), rtol=1e-12)


@pytest.mark.parametrize("align, template", [(flip, [1.0, 0.0, 0.0]), (shift, [1.0, 0.5, 0.0])])
def test_law_no_bias_without_folding_and_linear_growth_with_noise(align, template):
    keys, template = jax.random.split(jax.random.key(0), 4), jnp.asarray(template)
    sigmas = jnp.asarray([0.05, 1.0, 20.0, 40.0])
    bias = jax.jit(jax.vmap(lambda k, s: consistency_bias(template, s, align, key=k, num_samples=NUM)))(
        keys, sigmas
    )
    assert float(bias[0]) < 3 * 0.05 * np.sqrt(3 / NUM) + 1e-3
    assert float(bias[1]) > 0.1
    np.testing.assert_allclose(bias[3] / bias[2], 2, rtol=0.1)
    # Between nothing and the noise itself: E|e| sigma in three dimensions is 1.6 sigma.
    assert jnp.all(bias[2:] < 1.6 * sigmas[2:])


def test_the_bias_on_the_line_is_that_of_the_folded_normal():
    key, template = jax.random.key(1), jnp.asarray([0.4])
    for sigma in (0.3, 2.0):
        folded = scipy.stats.foldnorm(0.4 / sigma, scale=sigma)
        bias = float(consistency_bias(template, sigma, flip, key=key, num_samples=NUM))
        assert abs(bias - (folded.mean() - 0.4)) < 4 * folded.std() / np.sqrt(NUM)


@pytest.mark.parametrize("align, template", [(flip, [1.0, 0.0, 0.0]), (shift, [1.0, 0.5, 0.0])])
def test_the_bias_lies_between_its_bounds(align, template):
    """sigma K - 2 |t| <= bias <= sigma K + 2 |t|,  K the most that E max_g <v, g e> can be for a unit vector v."""
    noise = np.random.default_rng(2).normal(size=(20000, 3))
    around = np.random.default_rng(3).normal(size=(400, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    orbit = [noise, -noise] if align is flip else [np.roll(noise, k, axis=1) for k in range(3)]
    most = np.max(np.mean(np.max([each @ around.T for each in orbit], axis=0), axis=0))
    if align is flip:
        np.testing.assert_allclose(most, np.sqrt(2 / np.pi), rtol=0.02)
    slack = 2 * np.linalg.norm(template)
    for sigma in (5.0, 40.0):
        bias = float(
            consistency_bias(jnp.asarray(template), sigma, align, key=jax.random.key(4), num_samples=NUM)
        )
        error = 4 * sigma * np.sqrt(3 / NUM)
        assert sigma * most - slack - error < bias < sigma * most + slack + error


def test_law_the_variance_is_least_at_the_mean():
    sample = np.random.default_rng(1).normal(loc=[1.0, 0.0, 0.0], size=(50, 3))
    mean = quotient_frechet_mean(sample, flip).point

    @jax.jit
    def spread(m):
        return jnp.sum(jnp.square(jax.vmap(lambda x: flip(x, m))(sample) - m))

    for seed in range(4):
        assert float(spread(mean + 1e-2 * np.random.default_rng(seed).normal(size=3))) > float(spread(mean))


def test_bad_input_says_what_is_wrong():
    assert quotient_frechet_mean(jnp.asarray([[1.0], [jnp.nan]]), flip).status == Status.NONFINITE
    with pytest.raises(ValueError, match="holds no point"):
        quotient_frechet_mean(jnp.zeros((0, 2)), flip)
    with pytest.raises(ValueError, match="template has shape"):
        consistency_bias(jnp.zeros((2, 2)), 1.0, flip, key=jax.random.key(0))
