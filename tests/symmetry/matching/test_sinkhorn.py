"""Soft permutations: permutations are their vertices, and entropic plans lie between."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.matching.sinkhorn import doubly_stochastic
from tests.symmetry.inference.handmade import SPECS, plant


@pytest.mark.parametrize(
    "spec", [SPECS["mlp"], SPECS["cnn"], SPECS["scanned attention"]], ids=["mlp", "cnn", "heads"]
)
def test_a_permutation_as_a_matrix_acts_as_itself(spec):

    @jax.jit
    def both(key):
        params, _, element = plant(spec, key)
        soft = {name: jax.nn.one_hot(perm, perm.shape[-1]) for name, perm in element.items()}
        return act(spec, soft, params), act(spec, element, params)

    for got, expected in zip(*map(jax.tree.leaves, both(jax.random.key(0))), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_entropic_plans_are_doubly_stochastic_and_tend_to_the_assignment():
    scores = np.random.default_rng(3).normal(size=(2, 5, 5))  # the second best assignments are far behind
    plan = jax.jit(doubly_stochastic)
    soft = np.asarray(plan(scores, 0.3))
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(soft.sum(axis=2), 1, atol=1e-3)
    perms = np.array(list(itertools.permutations(range(5))))
    best = perms[np.argmax(scores[:, np.arange(5), perms].sum(axis=2), axis=1)]
    np.testing.assert_allclose(plan(scores, 0.01), np.eye(5)[best], atol=1e-2)


def test_the_derivative_of_a_plan_is_that_of_the_limit():
    """Against central differences of a plan iterated to the end."""
    scores, direction, weight = np.random.default_rng(2).normal(size=(3, 4, 4))
    value = jax.jit(lambda x: jnp.sum(weight * doubly_stochastic(x, 0.5)))
    slope = np.vdot(jax.jit(jax.grad(value))(scores), direction)
    difference = (value(scores + 1e-2 * direction) - value(scores - 1e-2 * direction)) / 2e-2
    np.testing.assert_allclose(slope, difference, rtol=2e-2)
