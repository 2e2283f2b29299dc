"""Power deformations: the laws, theta = 1 and theta near 0, commuting closed forms, derivatives by theta."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import (
    SPDAffineInvariant,
    SPDBuresWasserstein,
    SPDLogCholesky,
    SPDLogEuclidean,
    SPDPower,
)
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, N, awkward, spd

SHAPE = (N, N)
DEFORMED = SPDPower(SPDAffineInvariant(), theta=0.5)
X, Y = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER)


@pytest.mark.full
def test_law_manifold():
    # Distances are compared with those of the other spaces below.
    laws.check_laws(DEFORMED, SHAPE, radius=1.0, without=("distances",))


@pytest.mark.full
def test_law_distances():
    laws.check_laws(DEFORMED, SHAPE, radius=1.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(DEFORMED, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    laws.check_finite(
        SPDPower(SPDBuresWasserstein(), theta=0.5), awkward, dtype, order, operations=("dist", "squared_dist")
    )


@pytest.mark.parametrize("base", [SPDAffineInvariant(), SPDLogCholesky(), SPDBuresWasserstein()])
def test_theta_one_changes_nothing(base):
    same = SPDPower(base, theta=1.0)
    np.testing.assert_allclose(same.dist(X, Y), base.dist(X, Y), rtol=1e-12)
    np.testing.assert_allclose(same.log(X, Y), base.log(X, Y), atol=1e-12)


def test_small_theta_tends_to_logarithms():
    """Affine-invariant to log-Euclidean, Bures-Wasserstein to half of it; log-Euclidean is its own deformation."""
    flat = SPDLogEuclidean().dist(X, Y)
    for base, ratio in ((SPDAffineInvariant(), 1.0), (SPDBuresWasserstein(), 0.5)):
        gaps = [float(SPDPower(base, theta=t).dist(X, Y) - ratio * flat) for t in (1e-2, 1e-3)]
        assert abs(gaps[1]) < 1e-3 * flat
        assert abs(gaps[1]) < 0.2 * abs(gaps[0])
    np.testing.assert_allclose(SPDPower(SPDLogEuclidean(), theta=0.3).dist(X, Y), flat, rtol=1e-12)


def test_matches_closed_form_on_commuting_matrices():
    one, two = np.asarray([0.5, 1.0, 2.0]), np.asarray([0.6, 0.9, 2.5])
    theta = 0.6
    space = SPDPower(SPDBuresWasserstein(), theta=theta)
    want = np.linalg.norm(one ** (theta / 2) - two ** (theta / 2)) / theta
    np.testing.assert_allclose(space.dist(spd(one), spd(two)), want, rtol=1e-12)


def test_derivative_by_theta():
    @jax.jit
    def squared(theta):
        return SPDPower(SPDBuresWasserstein(), theta=theta).squared_dist(X, Y)

    step = 1e-5
    quotient = (squared(0.5 + step) - squared(0.5 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(squared)(0.5), quotient, rtol=1e-8)


def test_curvature_scales():
    """In one eigenbasis nothing curves; elsewhere the sign is that of the base."""
    u, v = (DEFORMED.random_tangent(jax.random.key(k), X) for k in (1, 2))
    assert -0.5 * 0.25 <= DEFORMED.sectional_curvature(X, u, v) < 0
    flat = DEFORMED.sectional_curvature(X, X, X @ X)
    np.testing.assert_allclose(flat, 0, atol=1e-12)


def test_zero_power_and_bad_input_are_nan():
    assert jnp.isnan(SPDPower(SPDAffineInvariant(), theta=0.0).dist(X, Y))
    assert not jnp.isfinite(DEFORMED.dist(X, jnp.diag(jnp.asarray([1.0, -1.0, 1.0]))))
