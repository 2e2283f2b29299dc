"""What the error of averaged models is made of, and which of them a greedy choice keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import average, diverse_select, error_decomposition, functional_diversity

R, K, N = 40, 4, 7


decomposition = jax.jit(error_decomposition)


def linear(seed, members=K):
    """R draws of linear models, their predictions and those of the averaged weights."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(N, 3))
    weights = 1 + 0.3 * random.normal(size=(R, members, 3))
    return x, weights, np.einsum("nd,rkd->rkn", x, weights), np.mean(weights, axis=1) @ x.T


def test_linear_models_have_no_locality_and_the_terms_add_up():
    x, _, single, averaged = linear(0)
    targets = x @ np.array([1.0, 2.0, 0.0])
    terms = decomposition(single, averaged, targets)
    np.testing.assert_allclose(terms.error, np.mean((averaged - targets) ** 2), rtol=1e-13)
    np.testing.assert_allclose(
        terms.bias + terms.variance + terms.covariance + terms.locality, terms.error, rtol=1e-12
    )
    np.testing.assert_allclose(terms.locality, 0, atol=1e-12)


def test_locality_is_of_second_order_in_the_spread():
    _, weights, *_ = linear(1)
    x = np.random.default_rng(2).normal(size=(N, 3))

    def locality(spread):
        w = 1 + spread * (weights - 1)
        single = np.tanh(np.einsum("nd,rkd->rkn", x, w))
        return float(decomposition(single, np.tanh(np.mean(w, axis=1) @ x.T), np.zeros(N)).locality)

    np.testing.assert_allclose(locality(0.2) / locality(0.1), 4, rtol=0.15)


def test_variance_of_independent_members_falls_as_one_over_their_number():
    few, many = (decomposition(*linear(3, k)[2:], np.zeros(N)) for k in (2, 8))
    np.testing.assert_allclose(few.variance / many.variance, 4, rtol=0.25)
    assert abs(many.covariance) < 0.2 * few.variance
    *_, single, averaged = linear(4)
    one, other = (decomposition(s, averaged, np.zeros(N)) for s in (single, single[:, ::-1]))
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-10)


def test_greedy_choice_matches_a_loop():
    stack = np.random.default_rng(5).normal(size=(6, 3)) + 1

    @jax.jit
    def score(params):
        return -jnp.sum((params - 1) ** 2)

    order = np.argsort([-float(score(p)) for p in stack], kind="stable")
    chosen = [order[0]]
    for i in order[1:]:
        if score(np.mean(stack[[*chosen, i]], axis=0)) >= score(np.mean(stack[chosen], axis=0)):
            chosen.append(i)
    select = jax.jit(lambda stack: diverse_select(score, stack))
    found = select(stack)
    assert sorted(chosen) == list(np.flatnonzero(found.chosen))
    np.testing.assert_allclose(found.params, average(stack, found.chosen.astype(float)))
    np.testing.assert_allclose(found.score, score(found.params))
    stack[order[0]] = np.nan
    poisoned = select(stack)
    assert not poisoned.chosen[order[0]]


def test_functional_diversity_counts():
    y = jnp.array([0, 0, 0, 0])
    assert functional_diversity(jnp.array([0, 1, 1, 1]), jnp.array([0, 1, 2, 0]), y) == 2
    assert jnp.isinf(functional_diversity(jnp.array([1, 0, 0, 0]), y, y))
    assert jnp.isnan(functional_diversity(y, y, y))
    with pytest.raises(ValueError, match="labels_b"):
        functional_diversity(y, y[:2], y)
