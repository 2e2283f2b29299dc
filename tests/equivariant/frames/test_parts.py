"""Frames of parts: the theorem on finer partitions, planted errors of a partition, and padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import equivariance_error, pca_frame, piecewise, sampled, symmetrize

pytestmark = pytest.mark.full

relative_error = jax.jit(equivariance_error, static_argnums=(0, 1, 2))

RNG = np.random.default_rng(5)
NUM = 24
TRUE = np.repeat([0, 1], NUM // 2)
FINE = np.repeat([0, 2, 1, 3], NUM // 4)
X = RNG.normal(size=(NUM, 2)) * [2, 1] + 3 * TRUE[:, None]
W, V = RNG.normal(size=(2 * NUM, 16)) / 4, RNG.normal(size=(16, 2 * NUM))
plane = functools.partial(pca_frame, proper=True)


def network(x):
    """Any function of all points together."""
    return (jnp.tanh(x.ravel() @ W.astype(x.dtype) + 1) @ V.astype(x.dtype)).reshape(x.shape)


def act(labels):
    return lambda g, x: jnp.einsum("nij,nj->ni", g[labels, :2, :2], x) + g[labels, :2, 2]


def motions(num, parts):
    """Random rigid motions [num, parts, 3, 3] of the plane, one for each part."""
    angle = RNG.uniform(0, 2 * np.pi, size=(num, parts))
    g = np.zeros((num, parts, 3, 3))
    g[..., 0, 0] = g[..., 1, 1] = np.cos(angle)
    g[..., 1, 0], g[..., 0, 1] = np.sin(angle), -np.sin(angle)
    g[..., :2, 2], g[..., 2, 2] = RNG.normal(size=(num, parts, 2)), 1
    return g


@jax.jit
def defect(labels, elements, x):
    """Error under one motion for each true part, of a function averaged over the frames of four parts."""
    f = symmetrize(network, piecewise(plane, labels, 4), act(labels), act(labels))
    return relative_error(f, act(TRUE), act(TRUE), elements, x)


def test_law_a_finer_partition_keeps_the_motions_of_the_true_parts():
    moves = motions(16, 2)
    assert defect(FINE, moves, X).worst < 1e-11
    assert defect(TRUE, moves, X).worst < 1e-11  # two parts without points
    assert defect(FINE, moves.astype(np.float32), X.astype(np.float32)).worst < 1e-3
    whole = symmetrize(
        network, plane, lambda g, x: x @ g[:2, :2].T + g[:2, 2], lambda g, x: x @ g[:2, :2].T + g[:2, 2]
    )
    assert relative_error(whole, act(TRUE), act(TRUE), moves, X).worst > 0.1


def test_law_the_defect_grows_with_the_planted_share_of_merged_points():
    moves = motions(16, 2)
    means = []
    for merged in (0, 1, 3, 6):
        labels = FINE.copy()
        labels[:merged] = 3  # points of the first true part in a part of the second
        means.append(float(defect(labels, moves, X).mean))
    assert means[0] < 1e-11 < 1e-3 < means[1] < means[2] < means[3]


def test_elements_are_all_tuples_of_the_elements_of_the_parts():
    labels = np.array([0, 0, 0, 1, 1, 1])
    x = RNG.normal(size=(6, 2))
    found = jax.jit(piecewise(plane, labels, 2))(x)
    both = jax.jit(jax.vmap(plane))(x.reshape(2, 3, 2))
    first, second = both.elements
    assert found.elements.shape == (4, 2, 3, 3)
    for i in range(2):
        for j in range(2):
            want = jnp.stack([first[i], second[j]])
            assert jnp.min(jnp.max(jnp.abs(found.elements - want), axis=(1, 2, 3))) < 1e-13
    np.testing.assert_allclose(found.weights, 1 / 4)
    np.testing.assert_allclose(found.gap, jnp.min(both.gap), rtol=1e-12)
    drawn = jax.eval_shape(sampled(piecewise(plane, labels, 2), key=jax.random.key(0), num=3), x)
    assert drawn.elements.shape == (3, 2, 3, 3)
    # a part of no points changes no gap, and what it lists is of the group
    more = jax.jit(piecewise(plane, labels, 3))(x)
    np.testing.assert_allclose(more.gap, found.gap, rtol=1e-12)
    np.testing.assert_allclose(jnp.linalg.det(more.elements), 1, rtol=1e-13)


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="labels are float"):
        piecewise(plane, jnp.ones(3), 2)
    with pytest.raises(TypeError, match="num_parts is a traced value"):
        jax.jit(lambda k: piecewise(plane, TRUE, k)(X).gap)(2)
    with pytest.raises(TypeError, match="frame is a tuple"):
        piecewise((), TRUE, 2)  # pyright: ignore[reportArgumentType]
