"""Sets of points: the laws near a set, every permutation by brute force, ties, and bad input."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Euclidean, PoincareBall, Power, Sphere, SymmetricPower
from geojax.transport import assignment
from tests.manifolds import laws

SETS, SHAPE = SymmetricPower(Sphere(), assignment), (3, 3)


@jax.jit
def random_sets():
    x, y = (SETS.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    orders = jnp.asarray(list(itertools.permutations(range(3))))
    costs = jax.vmap(lambda order: Power(Sphere()).squared_dist(x, y[order]))(orders)
    return x, y, orders[jnp.argmin(costs)]


def test_law_manifold():
    # Nearer than half the least distance of two rows, no other order is nearer.
    laws.check_laws(SETS, SHAPE, radius=0.02)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SETS, SHAPE)


def test_matches_every_permutation():
    x, y, best = random_sets()
    power = Power(Sphere())
    np.testing.assert_allclose(SETS.dist(x, y), power.dist(x, y[best]), rtol=1e-14)
    np.testing.assert_allclose(SETS.log(x, y), power.log(x, y[best]), rtol=1e-14)
    moved = SETS.exp(x, SETS.log(x, y))
    np.testing.assert_allclose(moved, y[best], atol=1e-14)


def test_law_order_means_nothing():
    x, y, _ = random_sets()
    u = SETS.random_tangent(jax.random.key(2), x)
    carried = SETS.parallel_transport(x, y, u)
    for p in ([1, 0, 2], [2, 0, 1]):
        p = jnp.asarray(p)
        np.testing.assert_allclose(SETS.dist(x[p], y), SETS.dist(x, y), rtol=1e-14)
        np.testing.assert_allclose(SETS.dist(x, y[p]), SETS.dist(x, y), rtol=1e-14)
        np.testing.assert_allclose(SETS.log(x, y[p]), SETS.log(x, y), rtol=1e-13)
        np.testing.assert_allclose(SETS.log(x[p], y), SETS.log(x, y)[p], rtol=1e-13)
        # Carried vectors belong to the rows of y, in whatever order they come.
        np.testing.assert_allclose(SETS.parallel_transport(x, y[p], u), carried[p], rtol=1e-13)
    assert float(SETS.tangent_error(y, carried)) < 1e-13
    assert float(SETS.dist(x, x[jnp.asarray([2, 0, 1])])) == 0


def test_gradient_matches_differences():
    x, y, _ = random_sets()
    u = SETS.random_tangent(jax.random.key(3), x)
    gradient = jax.grad(lambda t: SETS.squared_dist(SETS.exp(x, t * u), y))(0.0)
    np.testing.assert_allclose(gradient, -2 * SETS.inner(x, SETS.log(x, y), u), rtol=1e-12)


def test_log_with_info_says_where_two_orders_cost_the_same():
    sets = SymmetricPower(Euclidean(), assignment)
    x = jnp.asarray([[0.0, 0.0], [2.0, 0.0]])
    tied = jnp.asarray([[1.0, 1.0], [1.0, -1.0]])
    assert not sets.log_with_info(x, tied).unique
    assert sets.log_with_info(x, tied + jnp.asarray([[0.1, 0.0], [0.0, 0.0]])).unique
    assert not sets.log_with_info(x[:1][jnp.asarray([0, 0])], x).unique
    x = SETS.random_point(jax.random.key(0), SHAPE)
    assert not SETS.log_with_info(x[:1], -x[:1]).unique


def test_sets_in_hyperbolic_space_keep_their_curvature_traced():
    x, y = (jax.random.normal(jax.random.key(k), (3, 2)) / 4 for k in (0, 1))

    def dist(c):
        return SymmetricPower(PoincareBall(c=c), assignment).dist(x, y)

    want = (dist(0.7 + 1e-5) - dist(0.7 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(dist)(0.7), want, rtol=1e-7)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(TypeError, match=r"SymmetricPower: assign is a str.*assignment"):
        SymmetricPower(Sphere(), "hungarian")
    with pytest.raises(TypeError, match=r"SymmetricPower: manifold is the class Sphere"):
        SymmetricPower(Sphere, assignment)
    with pytest.raises(ValueError, match=r"SymmetricPower.dist: y has 3 rows where x has 2"):
        SETS.dist(jnp.ones((2, 2)), jnp.ones((3, 2)))
