"""Matrices of one rank: projections against the singular value decomposition and differences, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import FixedRank
from tests.manifolds import laws

RANK_2, SHAPE = FixedRank(2), (5, 4)


def test_law_manifold():
    laws.check_laws(RANK_2, SHAPE, radius=0.1)


def test_matches_truncated_svd():
    a = np.random.default_rng(0).normal(size=SHAPE)
    left, sizes, right = np.linalg.svd(a, full_matrices=False)
    want = (left[:, :2] * sizes[:2]) @ right[:2]
    np.testing.assert_allclose(RANK_2.project(a), want, atol=1e-13)
    np.testing.assert_allclose(RANK_2.project(a.T), want.T, atol=1e-13)


def test_tangents_are_velocities_of_curves():
    """x + t u leaves the manifold at second order, and its projection has velocity u; normals do not move it."""
    x = RANK_2.random_point(jax.random.key(0), SHAPE)
    ambient = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE))
    u = RANK_2.to_tangent(x, ambient)
    for direction, want in ((u, u), (ambient, u)):
        velocity = jax.jvp(RANK_2.project, (x,), (direction,))[1]
        np.testing.assert_allclose(velocity, want, atol=1e-12)
    left, _, right = np.linalg.svd(np.asarray(x))
    normal = np.outer(left[:, 3], right[3])
    np.testing.assert_allclose(RANK_2.to_tangent(x, normal), 0, atol=1e-13)
    assert jnp.linalg.matrix_rank(u) <= 4
    assert RANK_2.dimension(x) == 14


def test_gradients_match_differences_at_equal_singular_values():
    x = jnp.diag(jnp.asarray([2.0, 2.0, 0.0, 0.0]))
    e, f = (jnp.asarray(np.random.default_rng(k).normal(size=(4, 4))) for k in (0, 1))
    h = 1e-6
    for at in (x, x.at[2, 2].set(0.5).at[3, 3].set(0.5)):
        slope = (RANK_2.project(at + h * e) - RANK_2.project(at - h * e)) / (2 * h)
        np.testing.assert_allclose(jax.jvp(RANK_2.project, (at,), (e,))[1], slope, atol=1e-7)
    u = RANK_2.to_tangent(x, e)
    moved = [RANK_2.to_tangent(RANK_2.retract(x, t * u), f) for t in (h, -h)]
    got = jax.jvp(lambda x: RANK_2.to_tangent(x, f), (x,), (u,))[1]
    np.testing.assert_allclose(got, (moved[0] - moved[1]) / (2 * h), atol=1e-7)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="FixedRank: rank is 0"):
        FixedRank(0)
    with pytest.raises(ValueError, match=r"FixedRank.project: x has shape \[1, 4\].*Lower the rank"):
        RANK_2.project(jnp.ones((1, 4)))
    with pytest.raises(ValueError, match="off the manifold"):
        RANK_2.check_point(jnp.eye(3))
    assert jnp.all(jnp.isnan(RANK_2.project(jnp.ones((3, 3)))))
    assert jnp.all(jnp.isnan(RANK_2.project(jnp.eye(3))))
