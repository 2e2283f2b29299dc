"""Ladders: the closed form on symmetric spaces, and the order of the error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Euclidean, SPDAffineInvariant, pole_ladder, schild_ladder
from tests.manifolds.test_mean import SPHERE


def problem(manifold, shape):
    x = manifold.random_point(jax.random.key(0), shape, dtype=jnp.float64)
    u, v = (manifold.random_tangent(jax.random.key(k), x) for k in (1, 2))
    return x, manifold.exp(x, 0.7 * u / manifold.norm(x, u)), 0.5 * v / manifold.norm(x, v)


@pytest.mark.parametrize("manifold, shape", [(SPHERE, (4,)), (SPDAffineInvariant(), (3, 3))])
def test_matches_parallel_transport_on_symmetric_spaces(manifold, shape):
    """The pole ladder with one rung, and Schild's to first order of the number of rungs squared."""
    x, y, u = problem(manifold, shape)
    want = manifold.parallel_transport(x, y, u)
    np.testing.assert_allclose(pole_ladder(manifold, x, y, u), want, atol=1e-11)
    carried = jax.jit(schild_ladder, static_argnames="num_rungs")
    error = [float(jnp.linalg.norm(carried(manifold, x, y, u, num_rungs=n) - want)) for n in (8, 16)]
    assert 1.9 < np.log2(error[0] / error[1]) < 2.1


def test_law_several_rungs_on_the_sphere_and_none_in_flat_space():
    x, y, u = problem(SPHERE, (4,))
    want = SPHERE.parallel_transport(x, y, u)
    np.testing.assert_allclose(pole_ladder(SPHERE, x, y, u, num_rungs=4), want, atol=1e-11)
    for ladder in (pole_ladder, schild_ladder):
        np.testing.assert_allclose(ladder(Euclidean(), x, y, u), u, atol=1e-13)
        np.testing.assert_allclose(ladder(SPHERE, x, x, u), u, atol=1e-12)


def test_bad_input_says_what_is_wrong():
    x, y, u = problem(SPHERE, (4,))
    with pytest.raises(ValueError, match="num_rungs is 0"):
        pole_ladder(SPHERE, x, y, u, num_rungs=0)
    with pytest.raises(ValueError, match="schild_ladder: u has shape"):
        schild_ladder(SPHERE, x, y, u[:3])
