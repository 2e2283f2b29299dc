"""Rigid motions: the laws, scipy's matrix exponential for twists, and poses recovered by Gauss-Newton."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SpecialEuclidean
from geojax.manifolds.poses import se3_exp, se3_gauss_newton, se3_log
from geojax.results import Status
from tests.manifolds import laws

MOTIONS, SHAPE = SpecialEuclidean(), (4, 4)
exponential = jax.jit(se3_exp)


def twist_matrix(xi):
    w, v = xi[:3], xi[3:]
    top = [[0, -w[2], w[1], v[0]], [w[2], 0, -w[0], v[1]], [-w[1], w[0], 0, v[2]]]
    return np.asarray([*top, [0, 0, 0, 0]], float)


def test_law_manifold():
    laws.check_laws(MOTIONS, SHAPE, radius=3.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(MOTIONS, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x = np.eye(4, dtype=dtype)
        twists = [np.r_[angle * np.asarray([0.6, 0.0, 0.8]), 1, 2, 3] for angle in (0, 1e-8, 1, np.pi)]
        return {
            str(xi): (x, exponential(np.asarray(xi, dtype)), np.asarray(twist_matrix(xi), dtype))
            for xi in twists
        }

    laws.check_finite(MOTIONS, points, dtype, order, operations=("exp", "squared_dist", "parallel_transport"))


def test_matches_scipy_expm():
    rng = np.random.default_rng(0)
    for angle in (0.0, 1e-12, 1e-6, 1e-2, 1.0, 3.0, 10.0):
        xi = rng.normal(size=6)
        xi[:3] *= angle / np.linalg.norm(xi[:3])
        np.testing.assert_allclose(
            exponential(xi), scipy.linalg.expm(twist_matrix(xi)), atol=1e-14 * (1 + angle)
        )


def test_law_se3_log_undoes_se3_exp():
    def gap(key):
        k1, k2 = jax.random.split(key)
        xi = jax.random.normal(k1, (6,))
        xi = xi.at[:3].multiply(jax.random.uniform(k2, maxval=3.1) / jnp.linalg.norm(xi[:3]))
        return jnp.max(jnp.abs(se3_log(se3_exp(xi)) - xi))

    assert jnp.max(jax.jit(jax.vmap(gap))(jax.random.split(jax.random.key(0), 64))) < 1e-12
    logarithm = jax.jit(se3_log)
    half_turn = np.asarray([np.pi, 0, 0, 1.0, 2.0, 3.0])
    turned = exponential(half_turn)
    np.testing.assert_allclose(exponential(logarithm(turned)), turned, atol=1e-13)
    tiny = np.asarray([1e-9, 0, 2e-9, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(logarithm(exponential(tiny)), tiny, rtol=1e-13, atol=1e-22)
    jacobian = jax.jit(jax.jacfwd(lambda xi: se3_log(se3_exp(xi))))
    for at in (np.zeros(6), np.asarray([0.3, 0.1, -0.2, 1.0, 0.0, 2.0])):
        np.testing.assert_allclose(jacobian(at), np.eye(6), atol=1e-12)


POINTS = np.random.default_rng(1).normal(size=(6, 3))
TRUTH = scipy.linalg.expm(twist_matrix(np.asarray([0.4, -0.2, 0.25, 0.3, -0.1, 0.5])))


def seen(transform):
    """A camera's view of the points: perspective projection."""
    local = POINTS @ transform[:3, :3].T + transform[:3, 3]
    return (local[:, :2] / (local[:, 2:] + 6)).ravel()


@pytest.mark.full
def test_planted_pose_is_recovered_from_thirty_degrees_off():
    off = np.asarray(exponential(np.asarray([0.0, np.pi / 6, 0.0, 0.1, 0.1, -0.1])))
    found = jax.jit(lambda t: se3_gauss_newton(lambda t: seen(t) - seen(TRUTH), t, tol=1e-10))(TRUTH @ off)
    assert found.status == Status.CONVERGED and found.num_steps < 15
    np.testing.assert_allclose(found.transform, TRUTH, atol=1e-10)

    @jax.jit
    def register(start):
        def residual(t):
            return blobs(t) - blobs(TRUTH)

        near = se3_gauss_newton(residual, start, max_steps=20, damping=0.3)
        return se3_gauss_newton(residual, near.transform, tol=1e-8)

    found = register(TRUTH @ off)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.transform, TRUTH, atol=1e-5)


def blobs(transform):
    """The same view, blurred onto 8 x 8 pixels, one layer a point."""
    centres = seen(transform).reshape(-1, 2)
    axis = jnp.linspace(-0.6, 0.6, 8)
    x, y = (jnp.exp(-jnp.square(axis - centres[:, k, None]) / 0.18) for k in (0, 1))
    return (x[:, :, None] * y[:, None, :]).ravel()


def test_law_a_change_of_world_frame_moves_the_answer_with_it():
    world = np.asarray(exponential(np.asarray([1.0, 2.0, -0.5, 3.0, 1.0, -2.0])))
    start = TRUTH @ np.asarray(exponential(np.asarray([0.2, 0.1, 0.0, 0.1, 0.0, 0.0])))

    @jax.jit
    def register(frame, start):
        return se3_gauss_newton(lambda t: seen(frame @ t) - seen(TRUTH), start, max_steps=3)

    back = np.linalg.inv(world)
    found, moved = register(np.eye(4), start), register(world, back @ start)
    np.testing.assert_allclose(moved.transform, back @ found.transform, atol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"se3_exp: xi has shape \[3\]"):
        se3_exp(jnp.ones(3))
    with pytest.raises(ValueError, match=r"se3_gauss_newton: residual\(start\) has shape \[4, 4\]"):
        se3_gauss_newton(lambda t: t, jnp.eye(4))
    lost = se3_gauss_newton(lambda t: t[:2, 3], jnp.eye(4))
    assert lost.status == Status.NONFINITE
    with pytest.raises(ValueError, match="off the manifold"):
        MOTIONS.check_point(2 * jnp.eye(4))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_lengths_in_other_units_give_the_scaled_pose(dtype):
    points = np.random.default_rng(0).normal(size=(7, 3))
    twist = np.asarray([0.4, -0.2, 0.3, 1.0, 2.0, -1.0])

    @jax.vmap
    def register(unit):
        scaled = unit * jnp.asarray(points, dtype)
        goal = se3_exp(jnp.asarray(twist, dtype) * jnp.where(jnp.arange(6) < 3, 1, unit))

        def residual(t):
            return (scaled @ (t[:3, :3] - goal[:3, :3]).T + t[:3, 3] - goal[:3, 3]).ravel()

        return se3_gauss_newton(residual, jnp.eye(4, dtype=dtype)), goal

    units = np.array([1e-4, 1.0, 1e4])
    found, goal = jax.jit(register)(jnp.asarray(units, dtype))
    assert np.all(np.asarray(found.status) == Status.CONVERGED)
    error = np.abs(found.transform - goal)
    assert np.max(error[:, :3, :3]) < 1e-5
    assert np.max(error[:, :3, 3] / units[:, None]) < 1e-5
