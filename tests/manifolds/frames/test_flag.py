"""Flags: horizontal tangents and geodesics, the subspaces they are made of, turns of a frame that do not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Flag, Grassmann, Stiefel
from tests.manifolds import laws

FLAG, SHAPE = Flag((1, 3)), (5, 3)


def turned(key, x):
    """The same flag by another frame: turns within the blocks of one and two columns."""
    angle = jax.random.uniform(key, (), maxval=3.0)
    c, s = jnp.cos(angle), jnp.sin(angle)
    return x @ jnp.array([[-1, 0, 0], [0, c, -s], [0, s, c]])


def projectors(x):
    return [x[:, :d] @ x[:, :d].T for d in FLAG.dims]


def test_law_manifold():
    laws.check_laws(FLAG, SHAPE, radius=1.0)


def test_law_geodesics_are_horizontal_and_keep_their_speed():
    x = FLAG.random_point(jax.random.key(0), SHAPE)
    u = FLAG.random_tangent(jax.random.key(1), x)
    assert FLAG.tangent_error(x, u) < 1e-12

    @jax.jit
    def at(t):
        y, v = jax.jvp(lambda t: FLAG.exp(x, t * u), (t,), (1.0,))
        errors = FLAG.constraint_error(y), FLAG.tangent_error(y, v)
        return y, errors, FLAG.norm(y, v), Stiefel(beta=0.5).exp(x, t * u)

    speed = FLAG.norm(x, u)
    for t in (0.1, 0.7, 2.0):
        y, (astray, off), length, along_frames = at(t)
        assert astray < 1e-12
        assert off < 1e-9
        np.testing.assert_allclose(length, speed, rtol=1e-10)
        np.testing.assert_allclose(y, along_frames, atol=1e-13)


def test_law_the_frame_does_not_matter():
    x = FLAG.random_point(jax.random.key(2), SHAPE)
    u = FLAG.random_tangent(jax.random.key(3), x)
    q = x.T @ turned(jax.random.key(4), x)
    for one, other in zip(projectors(FLAG.exp(x, u)), projectors(FLAG.exp(x @ q, u @ q))):
        np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(FLAG.norm(x @ q, u @ q), FLAG.norm(x, u), rtol=1e-12)


def test_one_subspace_is_the_grassmannian():
    flag, grassmann = Flag((2,)), Grassmann()
    x = grassmann.random_point(jax.random.key(5), (5, 2))
    u = grassmann.random_tangent(jax.random.key(6), x)
    np.testing.assert_allclose(flag.to_tangent(x, u), u, atol=1e-13)
    np.testing.assert_allclose(flag.norm(x, u), grassmann.norm(x, u), rtol=1e-13)
    np.testing.assert_allclose(grassmann.dist(flag.exp(x, 0.3 * u), grassmann.exp(x, 0.3 * u)), 0, atol=1e-12)
    assert flag.dimension(x) == grassmann.dimension(x) == 6


def test_dimension_is_that_of_the_tangent_space():
    x = FLAG.random_point(jax.random.key(7), SHAPE)
    matrix = jax.jit(jax.jacobian(lambda u: FLAG.to_tangent(x, u).ravel()))(np.ones(SHAPE)).reshape(15, 15)
    assert np.linalg.matrix_rank(np.asarray(matrix)) == FLAG.dimension(x) == 8


def test_bad_input_says_what_is_wrong():
    for dims in ((), (2, 1), (0, 2), (1.5,)):
        with pytest.raises(ValueError, match="increasing positive integers"):
            Flag(dims)
    with pytest.raises(ValueError, match=r"Flag\(\(1, 3\)\).project: x has shape \[5, 2\]"):
        FLAG.project(jnp.ones((5, 2)))
