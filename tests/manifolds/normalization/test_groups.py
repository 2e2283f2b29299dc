"""Normalisation on groups and spheres: the theorem on mean and variance, ordinary batch norm, ties, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax import Status
from geojax.manifolds import (
    Correlation,
    Euclidean,
    SPDAffineInvariant,
    SPDLogCholesky,
    SPDLogEuclidean,
    SPDPower,
    SpecialOrthogonal,
    Sphere,
    frechet_mean,
)
from geojax.manifolds.normalization import (
    BatchNormState,
    batch_norm,
    batch_norm_eval,
    frechet_variance,
)
from tests.manifolds.spd_points import OTHER, N, spd

AFFINE, LOG, CHOLESKY = SPDAffineInvariant(), SPDLogEuclidean(), SPDLogCholesky()
GROUPS = {
    "affine, theta 0.5": SPDPower(AFFINE, theta=0.5),
    "log-Euclidean": LOG,
    "log-Cholesky, theta -0.5": SPDPower(CHOLESKY, theta=-0.5),
    "correlation": Correlation(),
}
BIAS, SCALE = spd([0.7, 1.1, 1.9], rotation=OTHER), 0.6
START = BatchNormState(jnp.eye(N), jnp.ones(()))


def batch(manifold, num=5):
    keys = jax.random.split(jax.random.key(0), num)
    return jax.jit(jax.vmap(lambda key: manifold.random_point(key, (N, N), dtype=jnp.float64)))(keys)


def test_rotations():
    """The theorem on SO(3), for points within a ball in which means are unique."""
    group, identity = SpecialOrthogonal(), jnp.eye(3)
    keys = jax.random.split(jax.random.key(1), 6)
    sizes = np.asarray([0.4] * 5 + [1.0])

    @jax.jit
    @jax.vmap
    def draw(key, size):
        return group.exp(identity, size * group.random_tangent(key, identity))

    *points, bias = np.asarray(draw(keys, sizes))
    points = np.stack(points)

    @jax.jit
    def terms(points, bias):
        result = batch_norm(group, points, START, bias, 0.5, epsilon=0.0, tol=1e-10, momentum=1.0)
        return (
            result,
            frechet_mean(group, result.points, tol=1e-9).point,
            frechet_variance(group, result.points, bias),
            batch_norm_eval(group, points, result.state, bias, 0.5, epsilon=0.0),
        )

    result, mean, variance, again = terms(points, bias)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(mean, bias, atol=1e-6)
    np.testing.assert_allclose(variance, 0.25, rtol=1e-6)
    np.testing.assert_allclose(again, result.points, atol=1e-8)


OTHERS = [pytest.param(name, marks=pytest.mark.full) for name in GROUPS if name != "log-Euclidean"]


@pytest.mark.parametrize("name", ["log-Euclidean", *OTHERS])
def test_law_mean_is_bias_and_variance_is_scale_squared(name):
    group = GROUPS[name]
    points, bias = batch(group), group.project(BIAS)

    @jax.jit
    def terms(points, bias):
        result = batch_norm(group, points, START, bias, SCALE, epsilon=0.0, tol=1e-9, momentum=1.0)
        after, before = (frechet_mean(group, p, tol=1e-9).point for p in (result.points, points))
        variance = frechet_variance(group, result.points, bias)
        again = batch_norm_eval(group, points, result.state, bias, SCALE, epsilon=0.0)
        return result, after, before, variance, again

    result, after, before, variance, again = terms(points, bias)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(after, bias, atol=1e-6)
    np.testing.assert_allclose(variance, SCALE**2, rtol=1e-6)
    # With momentum 1 the state is this batch's, and evaluation with it gives the same.
    np.testing.assert_allclose(result.state.mean, before, atol=1e-6)
    np.testing.assert_allclose(again, result.points, atol=1e-6)


def test_points_of_a_sphere():
    """By parallel transport: the mean of points within a right angle of each other, and their variance."""
    sphere, pole = Sphere(), np.asarray([0.48, -0.6, 0.64])
    keys = jax.random.split(jax.random.key(3), 6)

    @jax.jit
    @jax.vmap
    def draw(key, size):
        return sphere.exp(pole, size * sphere.random_tangent(key, pole))

    points = np.asarray(draw(keys, np.full(6, 0.3)))
    bias = np.asarray(draw(keys, np.full(6, 1.5)))[0]

    @jax.jit
    def terms(points, bias):
        result = batch_norm(sphere, points, BatchNormState(pole, 1.0), bias, 0.2, epsilon=0.0, tol=1e-11)
        mean = frechet_mean(sphere, result.points, tol=1e-10).point
        return mean, frechet_variance(sphere, result.points, bias)

    mean, variance = terms(points, bias)
    np.testing.assert_allclose(mean, bias, atol=1e-9)
    np.testing.assert_allclose(variance, 0.04, rtol=1e-9)


def test_theta_one_is_the_standard_metric():
    for base in (AFFINE, CHOLESKY):
        one, two = (
            batch_norm(group, batch(AFFINE), START, BIAS, SCALE).points
            for group in (base, SPDPower(base, theta=1.0))
        )
        np.testing.assert_allclose(one, two, atol=1e-8)


def test_euclidean_group_is_ordinary_batch_norm():
    rng = np.random.default_rng(0)
    x, bias, scale = rng.normal(size=(8, 3)), rng.normal(size=3), rng.uniform(1, 2, 3)
    state = BatchNormState(jnp.zeros(3), jnp.ones(3))

    def feature(x, state, bias, scale):
        return batch_norm(Euclidean(), x, state, bias, scale, momentum=0.1, epsilon=1e-3)

    result = jax.jit(jax.vmap(feature, in_axes=(1, 0, 0, 0)))(jnp.asarray(x), state, bias, scale)
    want = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) * scale + bias
    np.testing.assert_allclose(result.points.T, want, atol=1e-12)
    np.testing.assert_allclose(result.state.mean, 0.1 * x.mean(0), atol=1e-12)
    np.testing.assert_allclose(result.state.variance, 0.9 + 0.1 * x.var(0), atol=1e-12)


def test_log_euclidean_is_batch_norm_of_logarithms():
    points = batch(AFFINE)
    logs = np.stack([scipy.linalg.logm(np.asarray(p)) for p in points])
    centred = logs - logs.mean(0)
    variance = np.mean(np.sum(centred**2, axis=(1, 2)))
    want = scipy.linalg.logm(np.asarray(BIAS)) + SCALE / np.sqrt(variance + 1e-5) * centred
    got = batch_norm(LOG, points, START, BIAS, SCALE)
    for point, log in zip(got.points, want):
        np.testing.assert_allclose(point, scipy.linalg.expm(log), atol=1e-10)
    np.testing.assert_allclose(got.state.variance, 0.9 + 0.1 * variance, rtol=1e-10)
    running = scipy.linalg.expm(0.1 * logs.mean(0))
    np.testing.assert_allclose(got.state.mean, running, atol=1e-10)


@pytest.mark.full
def test_derivatives_match_differences_and_are_finite_at_ties():
    tied = jnp.stack([spd([1.5, 1.5, 1.0]), 2 * jnp.eye(N), jnp.eye(N), spd([1.0, 1.0 + 1e-9, 3.0])])
    direction = jnp.stack([spd([-1.0, 0.3, 0.8], rotation=OTHER)] * 2 + [jnp.eye(N), BIAS]) / 4
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(N, N)))

    @jax.jit
    def value(points, theta, scale):
        group = SPDPower(AFFINE, theta=theta)
        result = batch_norm(group, points, START, BIAS, scale, tol=1e-11)
        return jnp.vdot(weights, jnp.sum(result.points**2, axis=0)) + result.state.variance

    gradients = jax.jit(jax.grad(value, argnums=(0, 1, 2)))(tied, 0.5, SCALE)
    got = jnp.vdot(gradients[0], direction) + 0.3 * gradients[1] + gradients[2]
    step = 1e-5
    ahead, back = (value(tied + s * direction, 0.5 + 0.3 * s, SCALE + s) for s in (step, -step))
    np.testing.assert_allclose(got, (ahead - back) / (2 * step), rtol=1e-6)


def test_frechet_variance_matches_numpy():
    x = np.random.default_rng(0).normal(size=(7, 2))
    got = frechet_variance(Euclidean(), jnp.asarray(x), jnp.asarray(x.mean(0)))
    np.testing.assert_allclose(got, x.var(0).sum(), rtol=1e-13)
    weights = np.arange(7.0)
    want = np.average(np.sum((x - 1) ** 2, axis=1), weights=weights)
    np.testing.assert_allclose(frechet_variance(Euclidean(), x, np.ones(2), weights), want, rtol=1e-13)


def test_bad_input():
    with pytest.raises(ValueError, match=r"batch_norm: bias has shape \[2, 2\]"):
        batch_norm(LOG, batch(LOG), START, jnp.eye(2), SCALE)
    with pytest.raises(ValueError, match=r"batch_norm: scale has shape \[3\]"):
        batch_norm(LOG, batch(LOG), START, BIAS, jnp.ones(3))
    with pytest.raises(ValueError, match="holds no point"):
        batch_norm(LOG, jnp.zeros((0, N, N)), START, BIAS, SCALE)
    broken = batch_norm(LOG, batch(LOG).at[0, 0, 0].set(jnp.nan), START, BIAS, SCALE)
    assert broken.status == Status.NONFINITE
