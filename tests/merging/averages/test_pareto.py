"""Pareto fronts: two quadratics whose front is a segment of weights, and volumes against brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.merging import average, hypervolume, non_dominated, pareto_front, pareto_loss

CENTRES = np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]])
LOSSES = [lambda p: jnp.sum((p - CENTRES[0]) ** 2), lambda p: jnp.sum((p - CENTRES[1]) ** 2)]


def test_training_two_quadratics_gives_the_segment_of_solutions():
    """The weights alpha solve alpha-weighted tasks exactly when the corners are the tasks' own solutions."""
    optimiser = optax.adam(0.05)

    def step(carry, key):
        stack, state = carry
        gradient = jax.grad(lambda s: pareto_loss(LOSSES, s, key=key))(stack)
        updates, state = optimiser.update(gradient, state)
        return (optax.apply_updates(stack, updates), state), None

    start = np.random.default_rng(0).normal(size=(2, 3))
    keys = jax.random.split(jax.random.key(1), 1500)
    train = jax.jit(lambda start, keys: jax.lax.scan(step, (start, optimiser.init(start)), keys)[0][0])
    stack = train(start, keys)
    np.testing.assert_allclose(stack, CENTRES, atol=0.05)
    weights = np.stack([np.linspace(0, 1, 9), 1 - np.linspace(0, 1, 9)], axis=1)
    points = jax.jit(lambda weights: pareto_front(LOSSES, CENTRES, weights))(weights)
    squared = np.sum((CENTRES[0] - CENTRES[1]) ** 2)
    np.testing.assert_allclose(points, squared * (1 - weights) ** 2, atol=1e-12)
    assert np.all(non_dominated(points))
    np.testing.assert_allclose(points[0, 0], LOSSES[0](average(CENTRES, weights[0])))


def brute_volume(points, reference, count=200000):
    low = np.minimum(points.min(axis=0), reference)
    draws = np.random.default_rng(0).uniform(low, reference, (count, len(reference)))
    hit = (points[None] <= draws[:, None]).all(axis=2).any(axis=1)
    return hit.mean() * np.prod(reference - low), np.prod(reference - low) / np.sqrt(count)


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
def test_hypervolume_matches_counting(dimension):
    points = np.random.default_rng(dimension).uniform(size=(6, dimension))
    reference = np.linspace(0.7, 1.0, dimension)
    want, error = brute_volume(points, reference)
    np.testing.assert_allclose(jax.jit(hypervolume)(points, reference), want, atol=4 * error)


def test_hypervolume_matches_a_sweep_and_ignores_the_dominated():
    points = np.array([[0.1, 0.8], [0.4, 0.4], [0.7, 0.2], [0.5, 0.5], [0.2, 2.0]])
    want = 0.9 * 0.2 + 0.6 * 0.4 + 0.3 * 0.2
    volume = jax.jit(hypervolume)
    np.testing.assert_allclose(volume(points, np.ones(2)), want, rtol=1e-12)
    np.testing.assert_array_equal(non_dominated(points), [True, True, True, False, False])
    assert volume(points, np.zeros(2)) == 0
    assert np.isnan(volume(points * np.nan, np.ones(2)))


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="losses has 1 entries"):
        pareto_loss(LOSSES[:1], CENTRES, key=jax.random.key(0))
    with pytest.raises(ValueError, match="weights"):
        pareto_front(LOSSES, CENTRES, jnp.ones((2, 3)))
