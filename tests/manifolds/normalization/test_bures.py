"""Normalisation under Bures-Wasserstein metrics: mean and variance of the output, ill conditions, ties, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status
from geojax.manifolds import SPDAffineInvariant, SPDBuresWasserstein, SPDPower, frechet_mean
from geojax.manifolds.normalization import (
    BatchNormState,
    batch_norm,
    batch_norm_eval,
    frechet_variance,
)
from tests.manifolds.spd_points import OTHER, N, spd

METRIC = spd([0.7, 1.2, 2.5], rotation=OTHER)
SPACES = {
    "plain": SPDBuresWasserstein(),
    "general": SPDBuresWasserstein(metric=METRIC),
    "power": SPDPower(SPDBuresWasserstein(metric=METRIC), theta=0.5),
}
BIAS, SCALE = spd([0.7, 1.1, 1.9], rotation=OTHER), 0.1
START = BatchNormState(jnp.eye(N), jnp.ones(()))


def batch(num=5):
    keys = jax.random.split(jax.random.key(0), num)
    draw = jax.vmap(lambda key: SPDAffineInvariant().random_point(key, (N, N), dtype=jnp.float64))
    return jax.jit(draw)(keys)


@pytest.mark.parametrize(
    "name", ["plain", *(pytest.param(name, marks=pytest.mark.full) for name in ("general", "power"))]
)
def test_law_mean_is_bias_and_variance_is_scale_squared(name):
    space, points = SPACES[name], batch()

    @jax.jit
    def terms(points):
        result = batch_norm(space, points, START, BIAS, SCALE, epsilon=0.0, tol=1e-11, momentum=1.0)
        return (
            result,
            jax.vmap(lambda y: space.log(BIAS, y))(result.points),
            frechet_mean(space, result.points, tol=1e-10).point if name == "plain" else None,
            frechet_variance(space, result.points, BIAS),
            batch_norm_eval(space, points, result.state, BIAS, SCALE, epsilon=0.0),
        )

    result, logs, mean, variance, again = terms(points)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(np.mean(logs, axis=0), 0, atol=1e-9)
    if name == "plain":
        np.testing.assert_allclose(mean, BIAS, atol=1e-6)
    np.testing.assert_allclose(variance, SCALE**2, rtol=1e-6)
    np.testing.assert_allclose(again, result.points, atol=1e-8)


def test_matches_the_fixed_point_of_the_mean():
    """The mean m is where the average optimal map from m is the identity; the state moves along a geodesic to it."""
    space, points = SPACES["plain"], batch()
    result = batch_norm(space, points, START, BIAS, SCALE, momentum=0.25, tol=1e-10)
    mean = np.mean(points, axis=0)
    for _ in range(60):
        values, vectors = np.linalg.eigh(mean)
        root = (vectors * np.sqrt(values)) @ vectors.T
        back = np.linalg.inv(root)
        inner = []
        for point in np.asarray(points):
            v, w = np.linalg.eigh(root @ point @ root)
            inner.append((w * np.sqrt(v)) @ w.T)
        mean = back @ np.mean(inner, axis=0) @ np.mean(inner, axis=0) @ back
    np.testing.assert_allclose(result.state.mean, space.geodesic(jnp.eye(N), mean, 0.25), atol=1e-8)
    variance = np.mean(jax.jit(jax.vmap(space.squared_dist, (None, 0)))(mean, points))
    np.testing.assert_allclose(result.state.variance, 0.75 + 0.25 * variance, rtol=1e-8)


def test_ill_conditioned_float32():
    """At condition 1e6 in float32 the normalised batch is within 1e-3 of what float64 gives."""
    space = SPDBuresWasserstein()
    wide = [1e-6, 0.3, 1.0]
    points = jnp.stack(
        [spd(wide), spd(wide, rotation=OTHER), spd([1e-5, 1.0, 1.0]), spd([1.0, 2.0, 3.0]), BIAS]
    )
    exact, single = (
        batch_norm(
            space,
            points.astype(dtype),
            BatchNormState(jnp.eye(N, dtype=dtype), jnp.ones((), dtype)),
            BIAS.astype(dtype),
            SCALE,
            tol=1e-4,
        )
        for dtype in (jnp.float64, jnp.float32)
    )
    assert single.points.dtype == jnp.float32
    assert jnp.max(jnp.abs(single.points - exact.points)) < 1e-3


@pytest.mark.full
def test_derivatives_match_differences_and_are_finite_at_ties():
    tied = jnp.stack([spd([1.5, 1.5, 1.0]), 2 * jnp.eye(N), jnp.eye(N), spd([1.0, 1.0 + 1e-9, 3.0])])
    direction = jnp.stack([spd([-1.0, 0.3, 0.8], rotation=OTHER)] * 2 + [jnp.eye(N), BIAS]) / 4
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(N, N)))

    @jax.jit
    def value(points, metric, scale):
        space = SPDBuresWasserstein(metric=metric)
        result = batch_norm(space, points, START, BIAS, scale, tol=1e-11)
        return jnp.vdot(weights, jnp.sum(result.points**2, axis=0)) + result.state.variance

    gradients = jax.jit(jax.grad(value, argnums=(0, 1, 2)))(tied, jnp.eye(N), SCALE)
    change = spd([0.2, -0.3, 0.5])
    got = jnp.vdot(gradients[0], direction) + jnp.vdot(gradients[1], change) + gradients[2]
    step = 1e-5
    ahead, back = (value(tied + s * direction, jnp.eye(N) + s * change, SCALE + s) for s in (step, -step))
    np.testing.assert_allclose(got, (ahead - back) / (2 * step), rtol=1e-6)


def test_bad_input():
    broken = batch_norm(SPACES["plain"], batch().at[0, 0, 0].set(jnp.nan), START, BIAS, SCALE)
    assert broken.status == Status.NONFINITE
