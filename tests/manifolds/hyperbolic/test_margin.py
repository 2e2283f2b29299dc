"""Hyperplanes in hyperbolic space and their support vector machine, against 200 digits and far beyond the ball."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Hyperbolic, PoincareBall, hyperplane_distance, lorentz_svm_loss

SPACE = Hyperbolic()
signed = jax.jit(hyperplane_distance)


def exact_product(point, normal, offset):
    """The Lorentz product of the point and the hyperplane's unit normal, sinh of the distance, of what is in memory."""
    z, w = ([mpmath.mpf(float(a)) for a in v] for v in (point, normal))
    r, length, offset = (*(mpmath.sqrt(sum(a * a for a in v)) for v in (z, w)), mpmath.mpf(float(offset)))
    inner = sum(a * b for a, b in zip(z, w)) / length * (mpmath.sinh(r) / r if r else 1)
    return mpmath.cosh(offset) * inner - mpmath.sinh(offset) * mpmath.cosh(r)


def points_and_planes(dtype):
    rng = np.random.default_rng(0)
    found = []
    for radius in (0.0, 0.5, 0.99, 1.01, 10.0, 40.0):
        for offset in (-40.0, -1.0, 0.0, 0.5, 10.0, 40.0):
            for angle in (1e-6, 0.3, 2.0):
                u, v = np.linalg.qr(rng.normal(size=(3, 2)))[0].T
                z = radius * (np.cos(angle) * u + np.sin(angle) * v)
                found.append((z.astype(dtype), (2 * u).astype(dtype), dtype(offset)))
    return [np.stack(column) for column in zip(*found)]


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_hyperplane_distance_matches_mpmath(dtype, rtol):
    inputs = points_and_planes(dtype)
    got = jax.jit(jax.vmap(hyperplane_distance))(*inputs)
    with mpmath.workdps(200):
        want = [float(mpmath.asinh(exact_product(*item))) for item in zip(*inputs)]
    # r - offset is as good as r: an ulp of 40.
    np.testing.assert_allclose(np.asarray(got, float), want, rtol=rtol, atol=80 * float(jnp.finfo(dtype).eps))


def test_law_walking_away_from_the_hyperplane():
    """Points on it are at 0, and a walk of length t along its normal geodesic ends at t."""
    normal, offset = np.asarray([1.0, 2.0, -2.0]), 0.8
    foot = offset * normal / 3
    aside = np.asarray([2.0, -1.0, 0.0])
    on_it = SPACE.exp(foot, aside)
    np.testing.assert_allclose(signed(on_it, normal, offset), 0, atol=1e-13)
    straight = np.asarray(SPACE.parallel_transport(foot, on_it, normal / 3))
    for t in (-1.5, 0.7, 3.0):
        away = SPACE.exp(on_it, t * straight)
        np.testing.assert_allclose(signed(away, normal, offset), t, rtol=1e-11)


def test_gradient_at_radius_700_where_the_ball_has_none():
    """A point on the wrong side is pulled across as hard at radius 700 as at radius 7; the ball stops at 38."""
    normal, labels, origin, ball = np.asarray([1.0, 0.5]), np.asarray([-1]), np.zeros(2), PoincareBall()
    gradient = jax.jit(jax.grad(lambda z: lorentz_svm_loss(z[None], labels, normal, 0.3, penalty=2.0)))
    for radius in (7.0, 60.0, 300.0, 700.0):
        z = radius * np.asarray([0.8, 0.6])
        assert np.isfinite(signed(z, normal, 0.3))
        np.testing.assert_allclose(np.vdot(gradient(z), z) / radius, 2.0, rtol=1e-4)
        limited = float(ball.dist(origin, ball.exp(origin, z / 2)))
        assert (limited < 38) and ((abs(limited - radius) < 1e-3) == (radius < 37))


@jax.jit
def moved_distance(t, z, offset):
    step = 1e-6 * np.asarray([1.0, 0.5])
    return hyperplane_distance(z + t * step, np.asarray([1.0, 0.7]) - t * step, offset + t * 1e-6)


slope_of_distance = jax.jit(jax.grad(moved_distance))


@pytest.mark.parametrize(
    "z, offset", [([0.3, -0.2], 0.4), ([3.0, 4.0], 0.4), ([0.0, 0.0], -1.0), ([30.0, 40.0], 45.0)]
)
def test_gradient_matches_differences(z, offset):
    z = np.asarray(z)
    want = (moved_distance(1.0, z, offset) - moved_distance(-1.0, z, offset)) / 2
    np.testing.assert_allclose(slope_of_distance(0.0, z, offset), want, rtol=1e-6)


def test_svm_loss_matches_its_formula():
    rng = np.random.default_rng(1)
    points, labels, normal = rng.normal(size=(6, 2)), np.asarray([1, -1, 1, 1, -1, -1]), rng.normal(size=2)
    hinges = [
        max(
            0.0,
            np.arcsinh(1) - np.arcsinh(label * np.linalg.norm(normal) * float(exact_product(z, normal, 0.3))),
        )
        for z, label in zip(points, labels)
    ]
    got = jax.jit(lorentz_svm_loss)(points, labels, normal, 0.3, penalty=1.7)
    np.testing.assert_allclose(got, normal @ normal / 2 + 1.7 * sum(hinges), rtol=1e-12)


@pytest.mark.full
def test_svm_separates_far_clusters():
    """Gradient descent on the loss separates two clusters at radius 50, which the ball would have on its boundary."""
    rng = np.random.default_rng(2)
    angles = np.concatenate([rng.uniform(0.1, 0.9, 8), rng.uniform(1.6, 2.6, 8)])
    points = jnp.asarray(50 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    labels = jnp.asarray([1] * 8 + [-1] * 8)

    @jax.jit
    def descend(normal, offset):
        def step(carry, _):
            gradients = jax.grad(
                lambda w, a: lorentz_svm_loss(points, labels, w, a, penalty=1.0), argnums=(0, 1)
            )(*carry)
            return tuple(p - 0.01 * g for p, g in zip(carry, gradients)), None

        return jax.lax.scan(step, (normal, offset), length=300)[0]

    normal, offset = descend(jnp.asarray([0.3, 0.4]), jnp.asarray(0.1))
    sides = jax.vmap(hyperplane_distance, (0, None, None))(points, normal, offset)
    assert jnp.all(jnp.sign(sides) == labels)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"hyperplane_distance: normal has shape \[3\]"):
        hyperplane_distance(jnp.zeros(2), jnp.ones(3), 0.0)
    with pytest.raises(ValueError, match=r"lorentz_svm_loss: labels has shape \[3\]"):
        lorentz_svm_loss(jnp.zeros((2, 2)), jnp.ones(3), jnp.ones(2), 0.0, penalty=1.0)
    assert np.isnan(signed(np.ones(2), np.zeros(2), 0.0))
    assert np.isnan(signed(np.asarray([np.nan, 0.0]), np.ones(2), 0.0))
