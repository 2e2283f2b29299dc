"""Affine maps: the laws of a product of linear and moving parts."""

import jax
import numpy as np
import pytest

from geojax.manifolds import AffineGroup, GeneralLinear
from tests.manifolds import laws

AFFINE, SHAPE = AffineGroup(), (3, 3)


@pytest.mark.full
def test_law_manifold():
    laws.check_laws(AFFINE, SHAPE, radius=2.0, tolerance=1e-8)


def test_distance_is_that_of_the_parts():
    draw = jax.jit(lambda key: AFFINE.random_point(key, SHAPE))
    x, y = (np.asarray(draw(jax.random.key(k))) for k in (0, 1))
    linear = GeneralLinear().squared_dist(x[:2, :2], y[:2, :2])
    np.testing.assert_allclose(
        AFFINE.squared_dist(x, y), linear + np.sum((x[:2, 2] - y[:2, 2]) ** 2), rtol=1e-12
    )
    assert AFFINE.dimension(x) == 6
    u = np.asarray(jax.jit(AFFINE.random_tangent)(jax.random.key(1), x))
    assert np.all(u[2] == 0)
    assert np.all(np.asarray(AFFINE.exp(x, u))[2] == [0, 0, 1])
