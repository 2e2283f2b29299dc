"""Affine-invariant geometry: the laws, awkward points, 50 digits, curvature by differences, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SPDAffineInvariant
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, N, awkward, precise_affine_invariant, spd

SPACE, SHAPE = SPDAffineInvariant(), (N, N)


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    laws.check_finite(SPACE, awkward, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath(dtype, rtol):
    """On diagonal matrices of condition 1e12, on multiples of the identity at 1e-12, and graded ones."""
    wide = jnp.asarray([1e-6, 1.0, 1e6], dtype)
    scaling = jnp.diag(jnp.sqrt(wide))
    x, y = spd([0.5, 1.0, 2.0], dtype), spd([0.7, 1.1, 1.9], dtype, OTHER)
    tiny = jnp.asarray(1e-12, dtype) * jnp.eye(N, dtype=dtype)
    pairs = {
        "diagonal": (jnp.diag(wide), jnp.diag(wide[jnp.asarray([2, 0, 1])])),
        "diagonal and identity": (jnp.eye(N, dtype=dtype), jnp.diag(wide)),
        "tiny": (tiny, 2 * tiny),
        "full": (x, y),
        "graded": (scaling @ x @ scaling, scaling @ y @ scaling),
    }
    for name, (a, b) in pairs.items():
        a, b = (a + a.T) / 2, (b + b.T) / 2
        want = precise_affine_invariant(a, b)
        got = SPACE.dist(a, b)
        assert got.dtype == dtype
        np.testing.assert_allclose(float(got), want, rtol=rtol, err_msg=name)
        np.testing.assert_allclose(float(SPACE.norm(a, SPACE.log(a, b))), want, rtol=10 * rtol, err_msg=name)


def test_matches_scipy():
    """exp and log by the textbook formulas with scipy's matrix functions."""
    x, y = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER)
    root = scipy.linalg.sqrtm(np.asarray(x))
    back = np.linalg.inv(root)
    want = root @ scipy.linalg.logm(back @ np.asarray(y) @ back) @ root
    np.testing.assert_allclose(SPACE.log(x, y), want, atol=1e-12)
    u = np.asarray(0.3 * spd([-1.0, 0.3, 0.8], rotation=OTHER))
    np.testing.assert_allclose(SPACE.exp(x, u), root @ scipy.linalg.expm(back @ u @ back) @ root, atol=1e-12)


def test_law_affine_invariance():
    def law(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        x, y = SPACE.random_point(k1, SHAPE), SPACE.random_point(k2, SHAPE)
        u = SPACE.random_tangent(k4, x)
        a = jax.random.normal(k3, SHAPE) + 2 * jnp.eye(N)

        def moved(p):
            return a @ p @ a.T

        dist = SPACE.dist(x, y)
        carried = moved(SPACE.parallel_transport(x, y, u))
        return (
            SPACE.dist(moved(x), moved(y)) - dist,
            SPACE.dist(jnp.linalg.inv(x), jnp.linalg.inv(y)) - dist,
            (SPACE.parallel_transport(moved(x), moved(y), moved(u)) - carried) / jnp.max(jnp.abs(carried)),
        )

    for error in jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 16)):
        np.testing.assert_allclose(error, 0, atol=1e-9)


def test_gradient_of_dist_at_repeated_eigenvalues():
    """By the closed form: the gradient by y is log_y(x) over the distance, turned round, in the metric at y."""
    x, y = 2 * jnp.eye(N), spd([1.5, 1.5, 1.0])
    got = SPACE.riemannian_gradient(y, jax.grad(SPACE.dist, argnums=1)(x, y))
    np.testing.assert_allclose(got, -SPACE.log(y, x) / SPACE.dist(x, y), atol=1e-13)


def test_curvature_matches_distances():
    """A small square of side t has d(exp u, exp v)^2 = t^2 |u - v|^2 - K t^4 area / 3 + ...; and K is in [-1/2, 0]."""
    x = spd([0.5, 1.0, 2.0])
    u, v = (SPACE.random_tangent(jax.random.key(k), x) for k in (1, 2))
    curvature = SPACE.sectional_curvature(x, u, v)
    area = SPACE.inner(x, u, u) * SPACE.inner(x, v, v) - SPACE.inner(x, u, v) ** 2

    def excess(t):
        flat = t**2 * SPACE.inner(x, u - v, u - v)
        return 3 * (flat - SPACE.squared_dist(SPACE.exp(x, t * u), SPACE.exp(x, t * v))) / (t**4 * area)

    # Richardson: the error is of second order in t.
    t = 0.02 / float(SPACE.norm(x, u))
    np.testing.assert_allclose((4 * excess(t) - excess(2 * t)) / 3, curvature, rtol=1e-3)
    keys = jax.random.split(jax.random.key(3), 64)

    def of(key):
        k1, k2, k3 = jax.random.split(key, 3)
        x = SPACE.random_point(k1, SHAPE)
        return SPACE.sectional_curvature(x, SPACE.random_tangent(k2, x), SPACE.random_tangent(k3, x))

    found = jax.jit(jax.vmap(of))(keys)
    assert jnp.all((found >= -0.5) & (found <= 0))
    swap, sign = jnp.asarray([[0.0, 1.0], [1.0, 0.0]]), jnp.diag(jnp.asarray([1.0, -1.0]))
    np.testing.assert_allclose(SPACE.sectional_curvature(jnp.eye(2), swap, sign), -0.5, rtol=1e-13)


def test_projection_is_flat_where_eigenvalues_are_raised():
    """Eigenvalues below the floor, equal or not, do not move; those above move one for one."""
    change = np.diag([1.0, 2.0, 3.0]) + np.eye(3)[::-1]
    slope = jax.jit(lambda x: jax.jvp(SPACE.project, (x,), (change,))[1])
    for low in (-1.0, -2.0):
        found = slope(np.diag([4.0, -1.0, low]))
        np.testing.assert_allclose(found[1:, 1:], 0, atol=1e-12)
        np.testing.assert_allclose(found[0, 0], 1, rtol=1e-12)
        np.testing.assert_allclose(found[0, 2], 4 / (4 - low), rtol=1e-9)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"SPDAffineInvariant.dist: x has shape \[2, 3\]"):
        SPACE.dist(jnp.ones((2, 3)), jnp.ones((2, 3)))
    indefinite = jnp.diag(jnp.asarray([1.0, -0.5, 1.0]))
    with pytest.raises(ValueError, match=r"off the manifold by 0.5.*project"):
        SPACE.check_point(indefinite)
    SPACE.check_point(SPACE.project(indefinite))
    SPACE.check_point(jnp.diag(jnp.asarray([1.0, 1e-12, 1.0])))
    with pytest.raises(ValueError, match=r"off the tangent space.*to_tangent"):
        SPACE.check_tangent(jnp.eye(2), jnp.asarray([[0.0, 1.0], [0.0, 0.0]]))
    assert jnp.isnan(SPACE.dist(jnp.eye(3), indefinite))
    assert jnp.isnan(SPACE.dist(indefinite, jnp.eye(3)))
    assert jnp.isnan(SPACE.dist(jnp.eye(3), jnp.eye(3).at[0, 0].set(jnp.nan)))
