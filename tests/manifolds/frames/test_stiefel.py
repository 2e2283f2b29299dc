"""Frames: the laws for both metrics, scipy's exponential, spheres and rotations as special cases, awkward points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SpecialOrthogonal, Sphere, Stiefel
from geojax.results import Status
from tests.manifolds import laws

SHAPE = (5, 2)
EUCLIDEAN, CANONICAL = Stiefel(), Stiefel(beta=0.5)


@pytest.mark.full
def test_law_manifold():
    laws.check_laws(CANONICAL, SHAPE, radius=1.5, without=("distances",))


@pytest.mark.full
def test_law_distances():
    laws.check_laws(Stiefel(0.8), SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(EUCLIDEAN, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x = jnp.eye(*SHAPE, dtype=dtype)
        across = jnp.zeros(SHAPE, dtype).at[2, 0].set(1).at[3, 1].set(1)
        within = jnp.zeros(SHAPE, dtype).at[0, 1].set(-1).at[1, 0].set(1)
        grid = {"x = y": (x, x, 0 * x)}
        for gap in (0, 1e-12, 1e-6, 1e-3):
            u = across.at[3, 1].set(1 + gap)
            grid[f"angles with gap {gap}"] = (x, EUCLIDEAN.exp(x, u), u)
            grid[f"{gap} along all"] = (x, EUCLIDEAN.exp(x, gap * (within + across)), gap * u)
        grid["turned within its span"] = (x, EUCLIDEAN.exp(x, within), within)
        grid["right angles"] = (x, EUCLIDEAN.exp(x, jnp.pi / 2 * across), across)
        return grid

    laws.check_finite(EUCLIDEAN, points, dtype, order, operations=("exp", "squared_dist"))


@pytest.mark.parametrize("beta", [1.0, 0.5, 0.8])
def test_matches_scipy_expm(beta):
    """The geodesic through exponentials of n x n matrices, that of the homogeneous space SO(n) x SO(p)."""
    manifold = Stiefel(beta)
    x = manifold.random_point(jax.random.key(0), SHAPE)
    u = manifold.random_tangent(jax.random.key(1), x)
    within = np.asarray(x.T @ u)
    generator = np.asarray(u @ x.T - x @ u.T) - (2 - 2 * beta) * np.asarray(x) @ within @ np.asarray(x).T
    want = scipy.linalg.expm(generator) @ np.asarray(x) @ scipy.linalg.expm((1 - 2 * beta) * within)
    np.testing.assert_allclose(manifold.exp(x, u), want, atol=1e-13)


def test_one_column_is_the_sphere_and_a_square_turns():
    x = Sphere().random_point(jax.random.key(0), (5,))
    u = Sphere().random_tangent(jax.random.key(1), x)
    y = Sphere().exp(x, u)
    np.testing.assert_allclose(EUCLIDEAN.exp(x[:, None], u[:, None])[:, 0], y, atol=1e-14)
    np.testing.assert_allclose(EUCLIDEAN.log(x[:, None], y[:, None])[:, 0], Sphere().log(x, y), atol=1e-13)
    turn = jnp.asarray([[np.cos(2.0), -np.sin(2.0)], [np.sin(2.0), np.cos(2.0)]])
    np.testing.assert_allclose(EUCLIDEAN.dist(jnp.eye(2), turn), 2 * np.sqrt(2), rtol=1e-13)
    np.testing.assert_allclose(CANONICAL.dist(jnp.eye(2), turn), 2.0, rtol=1e-13)


@pytest.mark.parametrize(
    "dtype, rtol", [(jnp.float64, 1e-13), pytest.param(jnp.float32, 1e-6, marks=pytest.mark.full)]
)
def test_small_and_large_angles_in_a_plane(dtype, rtol):
    """One column turns by the angle between the very vectors in memory, out of the frame's span."""
    for angle in (*(10.0**-k for k in range(9)), 3.0):
        y = np.eye(*SHAPE, dtype=dtype)
        y[0, 0], y[2, 0] = np.cos(angle), np.sin(angle)
        want = np.arctan2(float(y[2, 0]), float(y[0, 0]))
        np.testing.assert_allclose(EUCLIDEAN.dist(np.eye(*SHAPE, dtype=dtype), y), want, rtol=rtol)


def test_curvature_matches_distances_spheres_and_rotations():
    """The angle sum of small triangles, by Richardson; one column is a sphere, a square frame a group of rotations."""
    x = EUCLIDEAN.random_point(jax.random.key(0), SHAPE)
    u, v = (EUCLIDEAN.random_tangent(jax.random.key(k), x) for k in (1, 2))
    t = jnp.asarray([0.02, 0.04]) / EUCLIDEAN.norm(x, u)

    @jax.jit
    @jax.vmap
    def excess(beta, t):
        space = Stiefel(beta)
        area = space.inner(x, u, u) * space.inner(x, v, v) - space.inner(x, u, v) ** 2
        flat = t**2 * space.inner(x, u - v, u - v)
        gap = flat - space.squared_dist(space.exp(x, t * u), space.exp(x, t * v))
        return 3 * gap / (t**4 * area), space.sectional_curvature(x, u, v)

    betas = jnp.repeat(jnp.asarray([1.0, 0.5, 0.8, 0.3]), 2)
    found, curvature = excess(betas, jnp.tile(t, 4))
    np.testing.assert_allclose((4 * found[::2] - found[1::2]) / 3, curvature[::2], rtol=1e-3, atol=1e-4)
    line, plane = x[:, :1], jnp.linalg.qr(x[:3, :1] + jnp.eye(3))[0]
    one, two = (EUCLIDEAN.to_tangent(line, w[:, :1]) for w in (u, v))
    np.testing.assert_allclose(EUCLIDEAN.sectional_curvature(line, one, two), 1, rtol=1e-12)
    one, two = (EUCLIDEAN.random_tangent(jax.random.key(k), plane) for k in (3, 4))
    for space, ratio in ((EUCLIDEAN, 0.5), (CANONICAL, 1.0)):
        want = ratio * SpecialOrthogonal().sectional_curvature(plane, one, two)
        np.testing.assert_allclose(space.sectional_curvature(plane, one, two), want, rtol=1e-11)


def test_law_info_tells_how_the_log_ended():
    x = jnp.eye(*SHAPE)
    u = CANONICAL.random_tangent(jax.random.key(1), x)
    u = 2.5 * u / CANONICAL.norm(x, u)
    result = CANONICAL.log_with_info(x, CANONICAL.exp(x, u))
    assert result.unique and result.status == Status.CONVERGED and result.num_steps < 20
    np.testing.assert_allclose(result.tangent, u, atol=1e-12)
    bad = CANONICAL.log_with_info(x, x.at[0, 0].set(jnp.nan))
    assert bad.status == Status.NONFINITE and not bad.unique
    opposite = CANONICAL.log_with_info(x, x.at[0, 0].set(-1))
    assert not opposite.unique


def test_frames_that_newton_does_not_reach_have_no_distance():
    """Opposite frames are at least as far as in a straight line; frames of opposite determinant are not joined."""
    x = EUCLIDEAN.random_point(jax.random.key(0), (2, 2))
    assert jnp.isnan(EUCLIDEAN.dist(x, x.at[:, 0].multiply(-1)))
    x = EUCLIDEAN.random_point(jax.random.key(0), SHAPE)
    assert EUCLIDEAN.log_with_info(x, -x).status != Status.CONVERGED
    assert not EUCLIDEAN.dist(x, -x) < jnp.linalg.norm(2 * x)


@pytest.mark.full
@pytest.mark.full  # by default the conformance of Stiefel moves frames off the manifold
def test_frames_that_float32_rounded_have_a_distance_in_float64():
    """They are off the manifold by 1e-7, and their distance is near that of the frames which they were."""
    random = np.random.default_rng(0)
    x = np.linalg.qr(random.normal(size=SHAPE))[0]
    y = np.stack([scipy.linalg.polar(x + size * random.normal(size=SHAPE))[0] for size in (0.01, 0.1, 0.3)])
    dist = jax.jit(jax.vmap(CANONICAL.dist, (None, 0)))
    rounded = dist(*(frame.astype(np.float32).astype(float) for frame in (x, y)))
    np.testing.assert_allclose(rounded, dist(x, y), atol=1e-6)
    assert np.all(np.isnan(dist(x, 1.01 * y)))


@pytest.mark.full
def test_law_log_of_a_wide_frame():
    """Beyond eight columns the linear systems are solved by GMRES."""
    x = EUCLIDEAN.random_point(jax.random.key(0), (10, 9))
    u = EUCLIDEAN.random_tangent(jax.random.key(1), x)
    u = u / EUCLIDEAN.norm(x, u)
    np.testing.assert_allclose(EUCLIDEAN.log(x, EUCLIDEAN.exp(x, u)), u, atol=1e-13)


def test_retraction_is_the_nearest_frame():
    x = EUCLIDEAN.random_point(jax.random.key(0), SHAPE)
    u = EUCLIDEAN.random_tangent(jax.random.key(1), x)
    want = scipy.linalg.polar(np.asarray(x + u))[0]
    np.testing.assert_allclose(EUCLIDEAN.retract(x, u), want, atol=1e-13)
    np.testing.assert_allclose(EUCLIDEAN.project(x + u), want, atol=1e-13)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Stiefel.exp: x has shape \[2, 3\].*Transpose x"):
        EUCLIDEAN.exp(jnp.ones((2, 3)), jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="rank 1"):
        EUCLIDEAN.project(jnp.ones(3))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        EUCLIDEAN.check_point(jnp.ones(SHAPE))
    assert jnp.all(jnp.isnan(EUCLIDEAN.project(jnp.ones(SHAPE))))
    assert jnp.all(jnp.isnan(EUCLIDEAN.project(jnp.full(SHAPE, jnp.nan))))
