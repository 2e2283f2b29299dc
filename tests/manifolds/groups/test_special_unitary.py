"""Special unitary matrices: the laws, the 3-sphere that SU(2) is, awkward points, complex gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SpecialUnitary, Sphere
from tests.manifolds import laws

UNITARY, SHAPE = SpecialUnitary(), (3, 3)


def as_matrix(q):
    """A unit vector of R^4 as an element of SU(2)."""
    a, b = jax.lax.complex(q[0], q[1]), jax.lax.complex(q[2], q[3])
    return jnp.array([[a, -b.conj()], [b, a.conj()]])


def test_law_manifold():
    # Distances are those of the 3-sphere, below.
    laws.check_laws(UNITARY, SHAPE, radius=2.0, without=("distances",))


@pytest.mark.full
def test_law_distances():
    laws.check_laws(UNITARY, SHAPE, radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(UNITARY, SHAPE)


def test_law_su2_is_the_unit_sphere():
    sphere = Sphere()

    def gaps(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        p, q = (sphere.random_point(k, (4,)) for k in (k1, k2))
        x, y = as_matrix(p), as_matrix(q)
        u, v = (UNITARY.random_tangent(k, x) for k in (k3, k4))
        log = UNITARY.log(x, y)
        apart = jnp.max(jnp.abs(log - as_matrix(sphere.log(p, q))))
        return apart, UNITARY.norm(x, log) - sphere.dist(p, q), UNITARY.sectional_curvature(x, u, v) - 1

    for gap in jax.jit(jax.vmap(gaps))(jax.random.split(jax.random.key(0), 64)):
        # Nearly opposite points lose digits of the direction, as nearly parallel tangents do of the curvature.
        np.testing.assert_allclose(gap, 0, atol=1e-9)


def test_matches_scipy_expm():
    x = np.asarray(UNITARY.random_point(jax.random.key(0), SHAPE))
    u = 3 * np.asarray(UNITARY.random_tangent(jax.random.key(1), x))
    want = x @ scipy.linalg.expm(x.conj().T @ u)
    np.testing.assert_allclose(UNITARY.exp(x, u), want, atol=1e-13)


def test_projection_is_unitary_of_determinant_one_and_near():
    a = np.random.default_rng(2).normal(size=(*SHAPE, 2)) @ np.asarray([1, 1j])
    q = UNITARY.project(a)
    left, _, right = np.linalg.svd(a)
    polar = left @ right
    np.testing.assert_allclose(q, polar / np.linalg.det(polar) ** (1 / 3), atol=1e-12)
    assert np.all(np.isnan(UNITARY.project(np.zeros(SHAPE))))


def test_gradient_is_the_direction_of_steepest_ascent():
    target = np.random.default_rng(4).normal(size=(*SHAPE, 2)) @ np.asarray([1, 1j])

    def f(x):
        return jnp.real(jnp.vdot(target, x @ x))

    @jax.jit
    def sides():
        x = UNITARY.random_point(jax.random.key(3), SHAPE)
        gradient = UNITARY.riemannian_gradient(x, jax.grad(f)(x))
        v = UNITARY.random_tangent(jax.random.key(5), x)
        return UNITARY.inner(x, gradient, v), jax.jvp(f, (x,), (v,))[1]  # v is tangent

    np.testing.assert_allclose(*sides(), rtol=1e-10)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x, a = (np.asarray(as_matrix(np.asarray(q, dtype))) for q in ([0.6, 0.8, 0, 0], [0, 0.6, 0, 0.8]))
        turns = (0.0, 1e-8, 1.0, np.pi - 1e-4, np.pi)
        return {f"angle {t}": (x, UNITARY.exp(x, t * (x @ a)), t * (x @ a)) for t in turns}

    laws.check_finite(
        UNITARY, points, dtype, order, operations=("exp", "log", "squared_dist", "parallel_transport")
    )


def test_opposite_points_have_no_unique_log():
    result = UNITARY.log_with_info(jnp.eye(2), -jnp.eye(2))
    assert not result.unique
    np.testing.assert_allclose(UNITARY.exp(jnp.eye(2), result.tangent), -jnp.eye(2), atol=1e-12)
    assert UNITARY.log_with_info(jnp.eye(2), jnp.diag(jnp.array([1j, -1j]))).unique


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"SpecialUnitary\.exp"):
        UNITARY.exp(jnp.eye(2), jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        UNITARY.check_point(2j * jnp.eye(2))
    with pytest.raises(TypeError, match="dist"):
        UNITARY.dist("x", jnp.eye(2))
