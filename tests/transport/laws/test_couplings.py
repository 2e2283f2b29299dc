"""Total variation, couplings of draws, and learners that two samples do not tell apart."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax.transport.laws import (
    maximal_coupling,
    replicability,
    shared_randomness_coupling,
    total_variation,
    tv_indistinguishability,
)

N, DRAWS = 6, 20000


def laws(seed, k=2):
    weights = np.exp(np.random.default_rng(seed).normal(size=(k, N)))
    return weights / weights.sum(axis=1, keepdims=True)


def within(frequency, probability, sigmas=5):
    return np.all(np.abs(frequency - probability) <= sigmas * np.sqrt(0.25 / DRAWS))


variation = jax.jit(total_variation)


def test_total_variation_is_transport_with_the_discrete_metric():
    for seed in range(5):
        p, q = laws(seed)
        exact = ot.emd2(p, q, 1 - np.eye(N))
        np.testing.assert_allclose(variation(p, q), exact, atol=1e-12)


def test_maximal_coupling_has_the_laws_and_agrees_as_often_as_can_be():
    p, q = laws(5)
    draw = jax.jit(jax.vmap(lambda key: maximal_coupling(p, q, key=key)))
    i, j = map(np.asarray, draw(jax.random.split(jax.random.key(6), DRAWS)))
    assert within(np.bincount(i, minlength=N) / DRAWS, p)
    assert within(np.bincount(j, minlength=N) / DRAWS, q)
    assert within(np.mean(i == j), 1 - np.asarray(variation(p, q)))
    # Where they differ, each is drawn from what its law has in excess.
    assert np.all(np.where(i != j, (p > q)[i] & (q > p)[j], True))


def test_shared_randomness_has_the_laws_and_every_pair_meets_the_bound():
    p = laws(7, 4)
    p[2, 1] = 0
    p = p / p.sum(1, keepdims=True)
    draw = jax.jit(jax.vmap(lambda key: shared_randomness_coupling(p, key=key)))
    draws = np.asarray(draw(jax.random.split(jax.random.key(8), DRAWS)))
    for k in range(4):
        assert within(np.bincount(draws[:, k], minlength=N) / DRAWS, p[k])
        for other in range(k):
            tv = np.asarray(variation(p[k], p[other]))
            differ = np.mean(draws[:, k] != draws[:, other])
            slack = 5 * np.sqrt(0.25 / DRAWS)
            assert tv - slack <= differ <= 2 * tv / (1 + tv) + slack


# Learners: a law over thresholds, by the exponential mechanism on the errors of a sample -------------------

THRESHOLDS = jnp.linspace(-1, 1, N)


def sampler(size):
    def draw(key):
        k1, k2 = jax.random.split(key)
        x = jax.random.normal(k1, (size,))
        return x, (x > 0.2) ^ jax.random.bernoulli(k2, 0.2, (size,))

    return draw


def mistakes(sample):
    x, y = sample
    return jnp.sum((x[:, None] > THRESHOLDS) != y[:, None], axis=0)


def learner(epsilon):
    """One example changes a count by at most one, so the law is epsilon-differentially private."""
    return lambda sample: jax.nn.softmax(-0.5 * epsilon * mistakes(sample))


def test_a_learner_that_ignores_its_sample_is_replicable():
    constant = lambda sample: jnp.full(N, 1 / N)
    measures = jax.jit(
        lambda key: [
            f(constant, sampler(20), key=key).value for f in (tv_indistinguishability, replicability)
        ]
    )
    variation_of_pairs, agreement = measures(jax.random.key(0))
    assert variation_of_pairs == 0
    assert agreement == 1


def test_total_variation_of_a_learner_that_tosses_a_coin_is_known():
    """Two laws 0.6 apart, each with probability 1/2: the samples give different ones half of the time."""
    toss = lambda key: jax.random.bernoulli(key)
    either = lambda heads: jnp.where(heads, jnp.asarray([1.0, 0.0]), jnp.asarray([0.4, 0.6]))
    found = tv_indistinguishability(either, toss, key=jax.random.key(6), num_pairs=2000)
    np.testing.assert_allclose(found.std_error, 0.3 / np.sqrt(2000), rtol=0.05)
    assert abs(found.value - 0.3) < 5 * 0.3 / np.sqrt(2000)


@pytest.mark.full
def test_tv_learners_are_replicable():
    """P(different) <= E 2 TV / (1 + TV) <= 2 rho / (1 + rho), as the bound is concave in TV."""
    for epsilon in (0.05, 0.3, 2.0):
        tv = tv_indistinguishability(learner(epsilon), sampler(40), key=jax.random.key(1), num_pairs=2000)
        same = replicability(learner(epsilon), sampler(40), key=jax.random.key(2), num_pairs=2000)
        slack = 4 * (tv.std_error + same.std_error)
        assert 1 - same.value <= 2 * tv.value / (1 + tv.value) + slack
        assert 0 < tv.value < 1


@pytest.mark.full
def test_private_learners_meet_their_bound_on_neighbours():
    """For epsilon-private laws on samples that differ in one example TV <= tanh(epsilon / 2)."""
    epsilon = 0.5
    law = jax.jit(learner(epsilon))

    def neighbours(key):
        k1, k2, k3 = jax.random.split(key, 3)
        x, y = sampler(30)(k1)
        changed = x.at[0].set(jax.random.normal(k2)), y.at[0].set(jax.random.bernoulli(k3))
        return total_variation(law((x, y)), law(changed))

    distances = jax.jit(jax.vmap(neighbours))(jax.random.split(jax.random.key(3), 500))
    assert jnp.max(distances) <= jnp.tanh(epsilon / 2)
    assert jnp.max(distances) > 0.01


@pytest.mark.full
def test_boosting_lowers_total_variation_at_the_same_accuracy():
    """The mean of the laws on parts of a larger sample varies less than one of them."""
    weak = learner(0.3)

    def boosted(sample):
        parts = jax.tree.map(lambda leaf: leaf.reshape(9, 40), sample)
        return jnp.mean(jax.vmap(weak)(parts), axis=0)

    single = tv_indistinguishability(weak, sampler(40), key=jax.random.key(4), num_pairs=500)
    many = tv_indistinguishability(boosted, sampler(360), key=jax.random.key(4), num_pairs=500)
    assert many.value + 4 * many.std_error < 0.5 * single.value


def test_bad_input_is_named():
    p = np.full(4, 0.25)
    with pytest.raises(ValueError, match="total_variation: q"):
        total_variation(p, p[:3])
    with pytest.raises(TypeError, match="typed random key"):
        maximal_coupling(p, p, key=jax.random.PRNGKey(0))
    with pytest.raises(ValueError, match="rank 1"):
        shared_randomness_coupling(p, key=jax.random.key(0))
    with pytest.raises(ValueError, match="num_pairs"):
        replicability(lambda s: p, sampler(5), key=jax.random.key(0), num_pairs=1)
