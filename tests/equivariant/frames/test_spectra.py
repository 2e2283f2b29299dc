"""Frames of graphs: orders by scipy's exponentials, relabelled graphs, and a pair that colour refinement confuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.equivariant import equivariance_error, laplacian_frame, symmetrize

pytestmark = pytest.mark.full

RNG = np.random.default_rng(7)
NUM = 6
W, V = RNG.normal(size=(NUM * NUM, 16)) / 2, RNG.normal(size=(16, NUM))
PERMS = np.stack([RNG.permutation(NUM) for _ in range(16)])


def act(g, a):
    return a[g][:, g]


def network(a):
    """Any function of an adjacency matrix, with a number for each vertex."""
    return jnp.tanh(a.ravel() @ W.astype(a.dtype) + 1) @ V.astype(a.dtype)


def leave(g, y):
    return y


def cycles(*sizes):
    return scipy.linalg.block_diag(*(np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) for n in sizes))


def weighted():
    a = np.triu(RNG.uniform(size=(NUM, NUM)) * (RNG.uniform(size=(NUM, NUM)) < 0.7), 1)
    return a + a.T


def by_heat(f, depth, act_out):
    return symmetrize(f, lambda a: laplacian_frame(a, depth=depth), act, act_out)


@jax.jit
def errors(a):
    """Of a function of vertices, with no and with two marked vertices."""
    relabel = lambda g, y: y[g]
    functions = [by_heat(network, depth, relabel) for depth in (0, 2)]
    return jnp.stack([equivariance_error(f, act, relabel, PERMS, a).worst for f in functions])


@jax.jit
def number(a):
    return by_heat(lambda a: network(a)[0], 2, leave)(a)


def test_law_outputs_are_relabelled_with_the_vertices():
    a = weighted()
    np.testing.assert_allclose(laplacian_frame(1e9 * a).gap, laplacian_frame(a).gap, rtol=1e-6)
    assert jnp.all(errors(a) < 1e-13)
    assert errors(cycles(6))[0] > 0.1  # a cycle needs marks: two of them
    assert errors(cycles(6))[1] < 1e-13


def test_two_graphs_that_colour_refinement_confuses_are_told_apart():
    """One cycle of six vertices and two of three: all vertices have two neighbours of the same colour."""
    hexagon, triangles = cycles(6), cycles(3, 3)
    values = [[float(number(act(g, a))) for g in PERMS[:4]] for a in (hexagon, triangles)]
    assert np.ptp(values[0]) < 1e-13 and np.ptp(values[1]) < 1e-13
    assert abs(values[0][0] - values[1][0]) > 0.01


def test_matches_the_order_by_exponentials_of_scipy():
    a = weighted()
    laplacian = np.diag(a.sum(1)) - a
    laplacian /= np.abs(laplacian).sum(1).max()
    found = laplacian_frame(a)
    for root in range(NUM):
        marked = laplacian + np.diag(np.eye(NUM)[root]) / 2
        heats = np.diagonal(scipy.linalg.expm(-4 * marked))
        np.testing.assert_array_equal(found.elements[root], np.argsort(np.argsort(heats)))
    np.testing.assert_allclose(found.weights, 1 / NUM)
    single = laplacian_frame(a.astype(np.float32))
    assert single.weights.dtype == single.gap.dtype == np.float32
    np.testing.assert_array_equal(single.elements, found.elements)


def test_ties_are_reported_and_keep_the_order_they_have():
    assert laplacian_frame(jnp.asarray(cycles(6)), depth=0).gap == 0
    np.testing.assert_array_equal(laplacian_frame(jnp.zeros((4, 4)), depth=0).elements, [[0, 1, 2, 3]])
    full = laplacian_frame(jnp.asarray(cycles(6)), depth=2)
    assert full.gap > 1e-4
    assert np.sum(full.weights > 0) == 24  # not twice the same vertex, nor two opposite ones
    f = lambda a: jnp.sum(a @ a)
    np.testing.assert_allclose(by_heat(f, 0, leave)(cycles(6)), f(cycles(6)))


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="adjacency has shape"):
        laplacian_frame(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="a vertex at least"):
        laplacian_frame(jnp.ones((0, 0)))
    with pytest.raises(ValueError, match="depth is -1"):
        laplacian_frame(jnp.ones((2, 2)), depth=-1)
