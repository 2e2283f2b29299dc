"""Predictions by Fréchet means of classes: argmax, paths, trees, complete graphs, and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse.csgraph

from geojax.manifolds import frechet_locus, frechet_predict, next_class

RNG = np.random.default_rng(0)


def tree(num):
    """Distances on a random tree with unit edges, and its leaves."""
    graph = np.zeros((num, num))
    for child in range(1, num):
        graph[child, RNG.integers(child)] = 1
    degree = (graph + graph.T).sum(0)
    return scipy.sparse.csgraph.shortest_path(graph, directed=False), degree == 1


def test_matches_argmax_for_the_zero_one_metric():
    p = RNG.dirichlet(np.ones(6), size=32)
    got = jax.jit(jax.vmap(lambda p: frechet_predict(p, 1 - np.eye(6))))(p)
    np.testing.assert_array_equal(got, p.argmax(axis=1))


def test_matches_the_node_nearest_the_mean_on_a_path():
    nodes, classes = np.arange(9.0), np.asarray([0, 3, 8])
    p = RNG.dirichlet(np.ones(3), size=32)
    got = jax.jit(jax.vmap(lambda p: frechet_predict(p, np.abs(nodes[:, None] - classes))))(p)
    np.testing.assert_array_equal(got, np.rint(p @ classes))


def test_law_certain_classes_are_predicted():
    distances, leaves = tree(10)
    for k, node in enumerate(np.flatnonzero(leaves)):
        assert int(frechet_predict(np.eye(leaves.sum())[k], distances[:, leaves])) == node


def test_law_leaves_of_a_tree_reach_every_node():
    """And a mixture of two leaves on either side, at the ratio of its distances, predicts a node."""
    distances, leaves = tree(10)
    assert frechet_locus(distances[:, leaves]).all()
    ends = np.flatnonzero(leaves)
    for node in np.flatnonzero(~leaves):
        a, b = next(
            (a, b)
            for a, b in itertools.combinations(ends, 2)
            if distances[a, node] + distances[node, b] == distances[a, b]
        )
        p = np.zeros(10)
        p[a], p[b] = distances[node, b] / distances[a, b], distances[node, a] / distances[a, b]
        assert int(frechet_predict(p[leaves], distances[:, leaves])) == node


def test_law_complete_graphs_reach_no_unobserved_node_strictly():
    complete = 1 - np.eye(5)
    p = RNG.dirichlet(np.ones(3), size=64)
    got = jax.jit(jax.vmap(lambda p: frechet_predict(p, complete[:, :3])))(p)
    assert np.asarray(got).max() < 3
    np.testing.assert_array_equal(frechet_locus(complete[:, :3]), [True] * 3 + [False] * 2)


def test_next_class_matches_brute_force():
    """The locus by mixtures on a fine grid of the simplex, instead of linear programmes."""
    points = RNG.normal(size=(7, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    observed = np.zeros(7, bool)
    observed[[0, 1]] = True
    grid = np.asarray([p for p in itertools.product(range(41), repeat=3) if sum(p) == 40]) / 40
    sizes = {}
    for candidate in range(2, 7):
        costs = distances[:, [0, 1, candidate]] ** 2
        sizes[candidate] = len(set((grid @ costs.T).argmin(axis=1)))
        chosen = observed.copy()
        chosen[candidate] = True
        assert set((grid @ costs.T).argmin(axis=1)) <= set(
            np.flatnonzero(frechet_locus(distances[:, chosen]))
        )
    best = next_class(distances, observed)
    assert sizes[best] == max(sizes.values())


def test_bad_input_says_what_is_wrong():
    assert int(frechet_predict(jnp.asarray([0.5, jnp.nan]), jnp.ones((3, 2)))) == -1
    with pytest.raises(ValueError, match=r"distances has shape \[3, 2\]; expected \[N, K\] with K = 4"):
        frechet_predict(jnp.ones(4), jnp.ones((3, 2)))
    with pytest.raises(ValueError, match="no row"):
        frechet_predict(jnp.ones(2), jnp.ones((0, 2)))
    with pytest.raises(ValueError, match="finite: False"):
        frechet_locus(np.full((2, 2), np.inf))
    with pytest.raises(ValueError, match=r"boolean \[N\]"):
        next_class(np.ones((3, 3)), np.ones(3))
    with pytest.raises(ValueError, match="left to observe"):
        next_class(np.ones((3, 3)), np.ones(3, bool))
    with pytest.raises(TypeError, match="traced"):
        jax.jit(frechet_locus)(np.ones((3, 3)))
