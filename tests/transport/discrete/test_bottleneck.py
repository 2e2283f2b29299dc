"""The bottleneck assignment against enumeration."""

import itertools

import jax
import numpy as np
import pytest

from geojax.transport import assignment, bottleneck_assignment

solve = jax.jit(bottleneck_assignment)


def test_matches_enumeration():
    """Also among ties: integers of few values; and the sum is the least of those with that bottleneck."""
    batch = np.random.default_rng(0).integers(0, 6, size=(32, 4, 5)).astype(float)
    found = jax.jit(jax.vmap(bottleneck_assignment))(batch)
    choices = np.array(list(itertools.permutations(range(5), 4)))
    for cost, perm in zip(np.array(batch), np.array(found)):
        picked = cost[np.arange(4), choices]
        best = picked.max(1).min()
        assert len(set(perm)) == 4
        assert cost[np.arange(4), perm].max() == best
        assert cost[np.arange(4), perm].sum() == picked[picked.max(1) == best].sum(1).min()


def test_one_by_one_equals_batch_and_ordinary_numbers():
    batch = np.random.default_rng(1).normal(size=(32, 4, 5))
    together = jax.jit(jax.vmap(lambda cost: (bottleneck_assignment(cost), assignment(cost))))(batch)
    rows = np.arange(4)
    for cost, perm, ordinary in zip(batch, *map(np.asarray, together)):
        np.testing.assert_array_equal(solve(cost), perm)
        assert np.max(cost[rows, perm]) <= np.max(cost[rows, ordinary])


def test_forbidden_pairs_and_bad_values():
    cost = np.array([[np.inf, 2.0], [1.0, np.inf]])
    assert solve(cost).tolist() == [1, 0]
    for bad in (np.inf, np.nan, -np.inf):
        cost[1, 0] = bad
        assert solve(cost).tolist() == [-1, -1]
    assert solve(np.array([[3, 1], [1, 0]])).tolist() == [1, 0]
    assert bottleneck_assignment(np.zeros((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match="more rows than columns"):
        bottleneck_assignment(np.zeros((3, 2)))
