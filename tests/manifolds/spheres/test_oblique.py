"""Matrices with unit columns: the laws, and agreement with a sphere for each column."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Oblique, Sphere
from tests.manifolds import laws

SPACE, SHAPE = Oblique(), (3, 2)


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=2.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_where_columns_coincide_or_oppose(dtype, order):
    def points(dtype):
        x = jnp.asarray([[0.6, 0.0], [0.8, 0.0], [0.0, 1.0]], dtype)
        u = jnp.asarray([[-0.8, 1.0], [0.6, 2.0], [0.3, 0.0]], dtype)
        signs = jnp.asarray([1, -1], dtype)
        return {
            "x = y": (x, x, 0 * u),
            "one opposite": (x, x * signs, u),
            "near": (x, SPACE.exp(x, 1e-8 * u), u),
        }

    laws.check_finite(SPACE, points, dtype, order)


def test_matches_a_sphere_for_each_column():
    x, y = (SPACE.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=0), 1, rtol=1e-14)
    angles = [np.arccos(x[:, i] @ y[:, i]) for i in range(2)]
    np.testing.assert_allclose(SPACE.dist(x, y), np.hypot(*angles), rtol=1e-13)
    np.testing.assert_allclose(SPACE.log(x, y)[:, 1], Sphere().log(x[:, 1], y[:, 1]), rtol=1e-14)
    assert SPACE.dimension(x) == 4
    assert not SPACE.log_with_info(x, x.at[:, 0].multiply(-1)).unique and SPACE.log_with_info(x, y).unique
    one = jnp.zeros_like(x).at[:, 0].set(SPACE.random_tangent(jax.random.key(2), x)[:, 0])
    two = jnp.zeros_like(x).at[:, 1].set(SPACE.random_tangent(jax.random.key(3), x)[:, 1])
    assert float(SPACE.sectional_curvature(x, one, two)) == 0


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Oblique.dist: y has shape \[3\]"):
        SPACE.dist(jnp.ones((3, 2)), jnp.ones(3))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        SPACE.check_point(jnp.asarray([[2.0, 0.0], [0.0, 1.0]]))
    assert jnp.any(jnp.isnan(SPACE.project(jnp.zeros((3, 2)))))
