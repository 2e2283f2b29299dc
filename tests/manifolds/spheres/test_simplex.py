"""The simplex with the Fisher-Rao metric: the laws, the boundary, Fisher information, and 50 digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Simplex
from tests.manifolds import laws

SPACE, SHAPE = Simplex(), (3,)


def test_law_manifold():
    # So short that no geodesic from these points meets the boundary, where it would be reflected.
    laws.check_laws(SPACE, SHAPE, radius=1e-3)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)
    x = jnp.asarray([0.2, 0.3, 0.5])
    u = SPACE.random_tangent(jax.random.key(0), x)
    for move in (SPACE.exp, SPACE.retract):
        np.testing.assert_allclose(move(x, 0 * u), x, rtol=1e-15)
        np.testing.assert_allclose(
            jax.jvp(lambda t, move=move: move(x, t * u), (0.0,), (1.0,))[1], u, rtol=1e-12
        )
    y = SPACE.retract(x, u)
    assert float(SPACE.constraint_error(y)) < 1e-15
    assert float(SPACE.tangent_error(y, SPACE.vector_transport(x, u, u))) < 1e-13


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_the_boundary(dtype, order):
    def points(dtype):
        inside, u = jnp.asarray([0.2, 0.3, 0.5], dtype), jnp.asarray([0.1, 0.1, -0.2], dtype)
        corner, other = jnp.asarray([1.0, 0.0, 0.0], dtype), jnp.asarray([0.0, 1.0, 0.0], dtype)
        edge, along = jnp.asarray([0.5, 0.5, 0.0], dtype), jnp.asarray([0.1, -0.1, 0.0], dtype)
        return {
            "x = y": (inside, inside, 0 * u),
            "near": (inside, inside + jnp.asarray(1e-8, dtype) * u, u),
            "edge to itself": (edge, edge, along),
            "edge to inside": (edge, inside, along),
            "inside to edge": (inside, edge, u),
            "corner to itself": (corner, corner, 0 * u),
            "corner to corner": (corner, other, 0 * u),
            "corner to edge": (corner, edge, 0 * u),
        }

    laws.check_finite(SPACE, points, dtype, order)


def test_metric_is_fisher_information():
    """The metric is the second derivative of the Kullback-Leibler divergence."""
    p = jnp.asarray([0.2, 0.3, 0.5])
    u, v = (SPACE.random_tangent(jax.random.key(k), p) for k in (0, 1))

    def divergence(q):
        return jnp.sum(p * jnp.log(p / q))

    hessian = np.asarray(jax.jit(jax.hessian(divergence))(p))
    np.testing.assert_allclose(SPACE.inner(p, u, v), np.asarray(u) @ hessian @ np.asarray(v), rtol=1e-12)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_matches_mpmath(dtype, rtol):
    """Twice the angle between square roots; apart by as little as rounding of the weights allows to be meant."""
    for apart in (0.1, 1e-3, 1e-5):
        p = np.asarray([0.25, 0.25, 0.5], dtype)
        q = p + np.asarray([apart, -apart, 0], dtype)
        with mpmath.workdps(50):
            p_, q_ = ([mpmath.mpf(float(a)) for a in v] for v in (p, q))
            roots = [mpmath.sqrt(a) - mpmath.sqrt(b) for a, b in zip(p_, q_)]
            want = float(4 * mpmath.asin(mpmath.sqrt(sum(r * r for r in roots)) / 2))
        np.testing.assert_allclose(float(SPACE.dist(p, q)), want, rtol=rtol)
        np.testing.assert_allclose(float(SPACE.norm(p, SPACE.log(p, q))), want, rtol=3 * rtol)


def test_opposite_faces_are_pi_apart():
    x, y = jnp.asarray([0.5, 0.5, 0.0, 0.0]), jnp.asarray([0.0, 0.0, 0.1, 0.9])
    np.testing.assert_allclose(SPACE.dist(x, y), np.pi, rtol=1e-15)
    assert SPACE.log_with_info(x, y).unique


def test_curvature_is_a_quarter():
    x = SPACE.random_point(jax.random.key(0), SHAPE)
    u, v = (SPACE.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(SPACE.sectional_curvature(x, u, v), 0.25, rtol=1e-10)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Simplex.exp: u has shape \[3\]"):
        SPACE.exp(jnp.ones(2) / 2, jnp.zeros(3))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        SPACE.check_point(jnp.asarray([0.5, 0.6]))
    with pytest.raises(ValueError, match=r"off the tangent space"):
        SPACE.check_tangent(jnp.asarray([0.5, 0.5]), jnp.asarray([1.0, 0.0]))
    assert jnp.all(jnp.isnan(SPACE.project(jnp.zeros(3))))
    assert jnp.isnan(SPACE.dist(jnp.asarray([1.5, -0.5]), jnp.asarray([0.5, 0.5])))
