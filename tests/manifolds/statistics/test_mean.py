"""Fréchet means: closed forms, brute force, what a mean obeys, derivatives through it, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from geojax.manifolds import Euclidean, Sphere, frechet_mean
from geojax.manifolds.base.geodesics import WithLog
from geojax.results import Status

SPHERE, N = Sphere(), 5


@jax.jit
def cloud(key, radius=1.0):
    """Points [N, 3] of the sphere within `radius` of a random one, and weights."""
    k1, k2, k3 = jax.random.split(key, 3)
    centre = SPHERE.random_point(k1, (3,))

    def near(key):
        u = SPHERE.random_tangent(key, centre)
        return SPHERE.exp(centre, radius * jax.random.uniform(key) * u / SPHERE.norm(centre, u))

    return jax.vmap(near)(jax.random.split(k2, N)), jax.random.uniform(k3, (N,), minval=0.1)


def solve(points, weights):
    return frechet_mean(SPHERE, points, weights, tol=1e-12)


def test_matches_scipy_on_the_sphere():
    """The minimum of the sum of squared angles over spherical coordinates, by Nelder and Mead."""
    points, weights = cloud(jax.random.key(0), 1.3)

    def objective(angles):
        a, b = angles
        x = np.array([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)])
        return float(np.sum(weights * np.arccos(np.clip(np.asarray(points) @ x, -1, 1)) ** 2))

    start = np.asarray(points[0])
    start = np.array([np.arccos(start[2]), np.arctan2(start[1], start[0])])
    a, b = scipy.optimize.minimize(
        objective, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14}
    ).x
    want = [np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)]
    np.testing.assert_allclose(solve(points, weights).point, want, atol=1e-6)


def test_matches_the_arithmetic_mean_and_the_midpoint():
    x, w = np.random.default_rng(0).normal(size=(N, 3)), np.arange(1.0, N + 1)
    found = frechet_mean(Euclidean(), x, w)
    np.testing.assert_allclose(found.point, np.average(x, axis=0, weights=w), rtol=1e-14)
    assert int(found.num_steps) == 1
    points, _ = cloud(jax.random.key(1))
    two = frechet_mean(SPHERE, points[:2], jnp.array([1.0, 3.0]), tol=1e-12).point
    np.testing.assert_allclose(two, SPHERE.geodesic(points[0], points[1], 0.75), atol=1e-12)


def test_opposite_points_do_not_keep_the_mean_at_one_of_them():
    """There the gradient vanishes too, at a maximum: the means of x and -x are the points at right angles to both."""
    x = SPHERE.random_point(jax.random.key(4), (3,))
    mean = frechet_mean(SPHERE, jnp.stack([x, -x]), tol=1e-8)
    assert mean.status == Status.CONVERGED
    np.testing.assert_allclose(jnp.vdot(mean.point, x), 0, atol=1e-7)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    axes = jnp.concatenate([turn, -turn])
    corner = frechet_mean(SPHERE, axes, tol=1e-8).point
    np.testing.assert_allclose(jnp.abs(turn @ corner), 3**-0.5, atol=1e-6)


def test_law_gradient_is_zero_and_rotations_move_the_mean():
    def terms(key):
        points, weights = cloud(key, 1.4)
        rotation = jnp.linalg.qr(jax.random.normal(key, (3, 3)))[0]
        found, turned = solve(points, weights), solve(points @ rotation.T, 7 * weights)
        shares = weights / jnp.sum(weights)
        by_definition = WithLog._mean_log(SPHERE, found.point, points, shares)
        return (
            jnp.max(jnp.abs(by_definition)),
            jnp.max(jnp.abs(turned.point - rotation @ found.point)),
            found.num_steps,
        )

    gradient, turn, steps = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 16))
    assert float(jnp.max(gradient)) < 1e-12
    assert float(jnp.max(turn)) < 1e-11
    assert int(jnp.max(steps)) <= 20


def test_mean_log_of_the_sphere_is_that_of_its_logs():
    """The sphere has a faster sum of logarithms; here at near, far and antipodal points."""
    points = np.random.default_rng(3).normal(size=(N, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    x, shares = points[0], np.linspace(0.1, 0.5, N)
    opposite = np.where(np.arange(N)[:, None] == 1, -x, points)

    @jax.jit
    @jax.vmap
    def both(points):
        return SPHERE._mean_log(x, points, shares), WithLog._mean_log(SPHERE, x, points, shares)

    got, want = both(np.stack([points, opposite]))
    np.testing.assert_allclose(got[0], want[0], atol=1e-13)
    assert np.all(np.isfinite(got[1]))


@pytest.mark.full
def test_points_that_agree_and_points_all_around():
    points, weights = cloud(jax.random.key(0))
    same = solve(jnp.broadcast_to(points[0], points.shape), weights)
    np.testing.assert_allclose(same.point, points[0], atol=1e-15)
    assert same.status == Status.CONVERGED
    # Antipodes have no ambient mean to start from; the answer is still a unit vector.
    around = jnp.concatenate([points, -points])
    found = frechet_mean(SPHERE, around)
    np.testing.assert_allclose(jnp.linalg.norm(found.point), 1, rtol=1e-12)


@pytest.mark.full
def test_gradient_matches_differences():
    points, weights = cloud(jax.random.key(2))
    direction, change = cloud(jax.random.key(4))
    direction = jax.vmap(SPHERE.to_tangent)(points, direction)

    def function(t):
        moved = jax.vmap(SPHERE.exp)(points, t * direction)
        return solve(moved, weights + t * change).point[0]

    def slope(t):
        return jax.jvp(function, (t,), (1.0,))[1]

    h = 1e-5
    reverse = jax.jit(jax.vmap(jax.grad(function)))(jnp.zeros(1))
    values, slopes = jax.jit(jax.vmap(lambda t: (function(t), slope(t))))(jnp.asarray([-h, 0.0, h]))
    wanted = (values[2] - values[0]) / (2 * h)
    np.testing.assert_allclose(slopes[1], wanted, rtol=1e-7)
    np.testing.assert_allclose(reverse[0], slopes[1], rtol=1e-12)
    second = jax.jit(lambda t: jax.jvp(slope, (t,), (1.0,))[1])(0.0)
    np.testing.assert_allclose(second, (slopes[2] - slopes[0]) / (2 * h), rtol=1e-6)


def test_gradient_of_a_batch_of_means():
    """By the closed form: jax 0.10 gave it a wrong shape where the equation's start had no batch."""
    points = jax.random.normal(jax.random.key(6), (2, 3, 4))

    def total(points):
        return jnp.sum(jax.vmap(lambda cloud: frechet_mean(Euclidean(), cloud).point)(points)[:, 0])

    wanted = jnp.zeros_like(points).at[:, :, 0].set(1 / 3)
    np.testing.assert_allclose(jax.grad(total)(points), wanted, atol=1e-14)


def test_single_precision_converges():
    points, weights = cloud(jax.random.key(5))
    found = frechet_mean(SPHERE, points.astype(jnp.float32), weights.astype(jnp.float32))
    assert found.point.dtype == jnp.float32
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.point, solve(points, weights).point, atol=1e-6)


def test_bad_input_says_what_is_wrong():
    points, weights = cloud(jax.random.key(0))
    assert solve(points.at[0, 0].set(jnp.nan), weights).status == Status.NONFINITE
    assert solve(points, weights.at[0].set(-1.0)).status == Status.INFEASIBLE
    assert solve(points, 0 * weights).status in (Status.INFEASIBLE, Status.NONFINITE)
    with pytest.raises(ValueError, match="holds no point"):
        frechet_mean(SPHERE, points[:0])
    with pytest.raises(ValueError, match=r"weights has shape \[4\].*\[5\]"):
        frechet_mean(SPHERE, points, weights[:4])
    with pytest.raises(ValueError, match=r"each of points has shape \[\], rank 0"):
        frechet_mean(SPHERE, points[0])
    with pytest.raises(ValueError, match="leading axes"):
        frechet_mean(SPHERE, jnp.asarray(1.0))
    with pytest.raises(TypeError, match="max_steps"):
        frechet_mean(SPHERE, points, max_steps=1.5)
