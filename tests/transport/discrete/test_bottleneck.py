"""The bottleneck assignment against enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.transport import assignment, bottleneck_assignment

solve = jax.jit(bottleneck_assignment)


def test_matches_enumeration():
    """Also among ties: integers of few values; and the sum is the least of those with that bottleneck."""
    batch = jax.random.randint(jax.random.key(0), (32, 4, 5), 0, 6).astype(jnp.float64)
    found = jax.jit(jax.vmap(bottleneck_assignment))(batch)
    choices = np.array(list(itertools.permutations(range(5), 4)))
    for cost, perm in zip(np.array(batch), np.array(found)):
        picked = cost[np.arange(4), choices]
        best = picked.max(1).min()
        assert len(set(perm)) == 4
        assert cost[np.arange(4), perm].max() == best
        assert cost[np.arange(4), perm].sum() == picked[picked.max(1) == best].sum(1).min()


def test_one_by_one_equals_batch_and_ordinary_numbers():
    batch = jax.random.normal(jax.random.key(1), (4, 4, 5))
    together = jax.vmap(bottleneck_assignment)(batch)
    for cost, perm in zip(batch, together):
        np.testing.assert_array_equal(solve(cost), perm)
        rows = jnp.arange(4)
        assert jnp.max(cost[rows, perm]) <= jnp.max(cost[rows, assignment(cost)])


def test_forbidden_pairs_and_bad_values():
    cost = jnp.array([[jnp.inf, 2.0], [1.0, jnp.inf]])
    assert solve(cost).tolist() == [1, 0]
    assert solve(cost.at[1, 0].set(jnp.inf)).tolist() == [-1, -1]
    assert solve(cost.at[1, 0].set(jnp.nan)).tolist() == [-1, -1]
    assert solve(cost.at[1, 0].set(-jnp.inf)).tolist() == [-1, -1]
    assert solve(jnp.array([[3, 1], [1, 0]])).tolist() == [1, 0]
    assert bottleneck_assignment(jnp.zeros((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match="more rows than columns"):
        bottleneck_assignment(jnp.zeros((3, 2)))
