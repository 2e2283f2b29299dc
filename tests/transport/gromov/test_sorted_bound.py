"""The sorted bound against enumeration, against the entropic solver, and on factored graphs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ott.geometry import geometry
from ott.problems.quadratic import quadratic_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn
from ott.solvers.quadratic import gromov_wasserstein as ott_gromov

from geojax.transport import graph_on_logits_loss, sorted_gromov_wasserstein
from geojax.transport.gromov.sorted_bound import _largest_of_rows, _row_means

T, V, K = 5, 6, 3


def factors(key):
    return _largest_of_rows(jax.random.normal(key, (T, V)), K)


def row_means(factors):
    return jnp.mean(factors.T @ factors, axis=1)


def row_norms(factors):
    return jnp.sqrt(jnp.mean((factors.T @ factors) ** 2, axis=1))


def test_keeps_the_largest_of_each_row():
    logits = np.random.default_rng(0).normal(size=(T, V))
    kept = np.array(jax.jit(_largest_of_rows, static_argnums=1)(logits, K))
    for row, left in zip(logits, kept):
        np.testing.assert_array_equal(np.sort(left[left != 0]), np.sort(row)[-K:])
    ties = jax.jit(_largest_of_rows, static_argnums=1)(np.ones((1, 4)), 2)
    np.testing.assert_array_equal(ties, [[1, 1, 0, 0]])


def test_row_means_from_factors_are_those_of_the_dense_graph():
    rows = np.asarray(jax.jit(factors)(jax.random.key(1)))
    of_factors, dense = jax.jit(_row_means), np.mean(rows.T @ rows, axis=1)
    np.testing.assert_allclose(of_factors(rows), dense, atol=1e-12)
    np.testing.assert_allclose(of_factors(rows.astype(np.float32)), dense, atol=1e-5)


@pytest.mark.parametrize("feature", [row_means, row_norms])
def test_law_never_above_the_best_relabelling(feature):
    """The bound holds for every coupling, so for every relabelling; 50 pairs of graphs, all 720 of them."""
    orders = np.array(list(itertools.permutations(range(V))))

    @jax.jit
    @jax.vmap
    def draw(key):
        graph = factors(key)
        return graph.T @ graph, feature(graph)

    dense, nodes = map(np.asarray, draw(jax.random.split(jax.random.key(2), 100)))
    bound = jax.jit(sorted_gromov_wasserstein)
    for one, two in zip(range(0, 100, 2), range(1, 100, 2)):
        relabelled = dense[two][orders[:, :, None], orders[:, None]]
        best = ((dense[one] - relabelled) ** 2).mean((1, 2)).min()
        assert bound(nodes[one], nodes[two]) <= best + 1e-12


def test_never_above_ott():
    solver = ott_gromov.GromovWasserstein(
        ott_sinkhorn.Sinkhorn(), epsilon=0.1, relative_epsilon=None, max_iterations=50
    )

    @jax.jit
    def bounds(keys):
        one, two = factors(keys[0]), factors(keys[1])
        weights = jnp.full(V, 1 / V)
        problem = quadratic_problem.QuadraticProblem(
            geometry.Geometry(one.T @ one), geometry.Geometry(two.T @ two), a=weights, b=weights
        )
        ours = [sorted_gromov_wasserstein(f(one), f(two)) for f in (row_means, row_norms)]
        return ours, solver(problem).primal_cost

    ours, theirs = bounds(jax.random.split(jax.random.key(3)))
    assert all(bound <= theirs + 1e-9 for bound in ours)


@pytest.mark.full
def test_law_blind_to_relabelling():
    @jax.jit
    @jax.vmap
    def law(key):
        k1, k2, k3 = jax.random.split(key, 3)
        student, teacher = jax.random.normal(k1, (T, V)), jax.random.normal(k2, (T + 2, V))
        order = jax.random.permutation(k3, V)
        loss = lambda s, t: graph_on_logits_loss(s, t, k=K)
        return loss(teacher, teacher[:, order]), loss(student, teacher[:, order]) - loss(student, teacher)

    for difference in law(jax.random.split(jax.random.key(4), 32)):
        np.testing.assert_allclose(difference, 0, atol=1e-10)


@pytest.mark.full
def test_gradient_descent_matches_the_teachers_graph():
    teacher = jax.random.normal(jax.random.key(5), (T, V))
    loss = jax.jit(lambda s: graph_on_logits_loss(s, teacher, k=K))
    student = jax.random.normal(jax.random.key(6), (T, V))
    start = loss(student)
    descend = lambda _, s: s - 0.5 * jax.grad(loss)(s)
    student = jax.jit(lambda s: jax.lax.fori_loop(0, 1000, descend, s))(student)
    assert loss(student) < 0.01 * start


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="k is 7"):
        graph_on_logits_loss(np.ones((2, 6)), np.ones((2, 6)), k=7)
    with pytest.raises(ValueError, match="teacher"):
        graph_on_logits_loss(np.ones((2, 6)), np.ones((2, 5)), k=2)
    with pytest.raises(ValueError, match="at least one node"):
        sorted_gromov_wasserstein(np.ones(0), np.ones(0))
    largest = jax.jit(_largest_of_rows, static_argnums=1)(np.array([[np.nan, 1.0, 2.0]]), 1)
    assert np.any(np.isnan(largest))
