"""Hyperbolic space in the Euclidean parametrisation: the laws, radius 40 in float32 against 200 digits, gradients."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Hyperbolic, Lorentz, PoincareBall
from tests.manifolds import laws

SPACE, SHAPE = Hyperbolic(), (3,)
RADII = (0.3, 0.9, 1.1, 5.0, 20.0, 40.0)
ANGLES = (1e-9, 1e-7, 1e-4, 0.1, 1.0, 3.0, np.pi)


class Exact:
    """The hyperboloid with 200 digits: what the formulas are when digits cost nothing."""

    @staticmethod
    def vector(x):
        return mpmath.matrix([mpmath.mpf(float(a)) for a in x])

    @staticmethod
    def dot(x, y):
        return mpmath.fsum(a * b for a, b in zip(x, y))

    @classmethod
    def radius(cls, x):
        return mpmath.sqrt(cls.dot(x, x))

    @classmethod
    def dist(cls, x, y):
        a, b = cls.radius(x), cls.radius(y)
        inner = mpmath.sinh(a) / a * mpmath.sinh(b) / b * cls.dot(x, y)
        return mpmath.re(mpmath.acosh(mpmath.cosh(a) * mpmath.cosh(b) - inner)) if x != y else mpmath.mpf(0)

    @classmethod
    def exp(cls, x, u):
        a = cls.radius(x)
        along = cls.dot(x, u) / a
        side = (u - along / a * x) * (mpmath.sinh(a) / a)
        length = mpmath.sqrt(along**2 + cls.dot(side, side))
        ratio = mpmath.sinh(length) / length
        time = mpmath.cosh(length) * mpmath.cosh(a) + ratio * along * mpmath.sinh(a)
        space = mpmath.cosh(length) * mpmath.sinh(a) + ratio * along * mpmath.cosh(a)
        space = space / a * x + ratio * side
        return mpmath.acosh(time) / cls.radius(space) * space, length


def far_pairs(dtype):
    """Directions in general position, every pair of radii, angles from below an ulp to opposite."""
    rng = np.random.default_rng(0)
    pairs = []
    for a in RADII:
        for b in RADII:
            for t in ANGLES:
                frame = np.linalg.qr(rng.normal(size=(3, 2)))[0]
                y = b * (np.cos(t) * frame[:, 0] + np.sin(t) * frame[:, 1])
                pairs.append(((a * frame[:, 0]).astype(dtype), y.astype(dtype)))
    return [np.stack(column) for column in zip(*pairs)]


@pytest.mark.full
def test_law_manifold():
    # Distances and transports, which are large programs, are compared with mpmath and with the ball below.
    laws.check_laws(SPACE, SHAPE, radius=2.0, without=("distances", "parallel transport"))


@pytest.mark.full
def test_law_distances_and_transports():
    laws.check_laws(SPACE, SHAPE, radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    # Any curve through the point will do at the least of d^2, and that by addition compiles soonest.
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("operation", ["exp", "log", "squared_dist", "parallel_transport"])
@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_up_to_radius_40(operation, dtype, order):
    def points(dtype):
        def vector(*entries):
            return jnp.asarray(entries, dtype)

        u = vector(0.3, -0.2, 0.1)
        grid = {"at the origin": (0 * u, 0 * u, 0 * u), "from the origin": (0 * u, u, u)}
        for radius in (0.5, 1.0, 40.0):
            # Far out only a point on an axis has tangents whose coordinates hold both parts.
            stored = operation in ("log", "parallel_transport") and radius == 40
            x = radius * (vector(1.0, 0.0, 0.0) if stored else vector(0.6, 0.0, 0.8))
            grid |= {
                f"x = y at {radius}": (x, x, 0 * u),
                f"near at {radius}": (x, x + vector(0, 1e-12, 0), vector(0, 1e-17, 0)),
                f"to the origin from {radius}": (x, 0 * u, -x),
                f"near the origin from {radius}": (x, 1e-3 * u, -x),
                f"same ray at {radius}": (x, x * jnp.asarray(0.9, dtype), x * jnp.asarray(0.01, dtype)),
                f"opposite at {radius}": (x, -x, -2 * x),
                f"aside at {radius}": (
                    x,
                    radius * (vector(0.0, 0.0, -1.0) if stored else vector(0.8, 0.0, -0.6)),
                    float(np.exp(-radius)) * u,
                ),
            }
        return grid

    # One program each: they are large.
    laws.check_finite(SPACE, points, dtype, order, operations=(operation,))


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_dist_matches_mpmath_up_to_radius_40(dtype, rtol):
    """Of the numbers in memory: even an angle of 1e-9 in float32, which rounding makes another one."""
    x, y = far_pairs(dtype)
    got = jax.jit(jax.vmap(SPACE.dist))(x, y)
    with mpmath.workdps(200):
        want = [float(Exact.dist(Exact.vector(a), Exact.vector(b))) for a, b in zip(x, y)]
    np.testing.assert_allclose(np.asarray(got, float), want, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_exp_and_log_match_mpmath_at_radius_40(dtype, rtol):
    """Along axes, so that a short step at a far point is something that floating numbers can hold."""
    for radius in (3.0, 10.0, 40.0):
        for along, aside in ((0.5, 0.0), (0.0, 0.5), (0.3, -0.4), (-2.0, 1.0), (0.0, 1e-3), (-radius, 0.1)):
            x = np.asarray([radius, 0, 0], dtype)
            u = np.asarray([along, aside * radius / np.sinh(radius), 0], dtype)
            with mpmath.workdps(200):
                y, length = Exact.exp(Exact.vector(x), Exact.vector(u))
                y, length = [float(a) for a in y], float(length)
            moved = SPACE.exp(x, u)
            np.testing.assert_allclose(SPACE.norm(x, u), length, rtol=rtol)
            # Across the axis the step is a small number of its own, with digits of its own.
            np.testing.assert_allclose(moved[1], y[1], rtol=rtol * 5, atol=1e-300)
            np.testing.assert_allclose(moved[0], y[0], rtol=rtol, atol=rtol * length)
            back = SPACE.log(x, np.asarray(y, dtype))
            scale = np.asarray([1, np.sinh(radius) / radius, 1])
            ulp = 4 * float(jnp.finfo(dtype).eps) * radius
            np.testing.assert_allclose(scale * back, scale * u, rtol=rtol, atol=rtol * length + ulp)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_log_off_the_axes_far_out_is_right_or_nan_and_geodesics_are_right(dtype):
    """Turned by 0.3 the sideways part falls below the last digit of the coordinates from some radius on."""

    @jax.jit
    @jax.vmap
    def measured(radius, turn):
        x = radius * jnp.stack([jnp.cos(turn), jnp.sin(turn)])
        there = turn + jnp.exp(-radius)
        y = (radius + 0.5) * jnp.stack([jnp.cos(there), jnp.sin(there)])
        u = SPACE.log(x, y)
        middle = SPACE.geodesic(x, y, 0.5)
        return (
            SPACE.dist(x, y),
            SPACE.norm(x, u),
            SPACE.dist(SPACE.exp(x, u), y),
            jnp.stack([SPACE.dist(x, middle), SPACE.dist(middle, y)]),
        )

    radii = np.repeat([3.0, 10.0, 20.0, 30.0, 40.0], 4).astype(dtype)
    turns = np.tile([0.0, 0.3, 1.1, 2.5], 5).astype(dtype)
    dist, norm, missed, halves = (np.asarray(each, float) for each in measured(radii, turns))
    held = np.isfinite(norm)
    assert np.all(held[turns == 0]) and np.all(held[radii < 4])
    np.testing.assert_allclose(norm[held], dist[held], rtol=0.02)
    # A point off the axes is itself no better known: this far apart are points whose coordinates differ by four ulps.
    grain = (turns != 0) * 2 * np.arcsinh(4 * np.finfo(dtype).eps * np.sinh(radii.astype(float)))
    assert np.all(missed[held] < 0.02 * np.maximum(dist[held], 1) + grain[held])
    assert np.all(np.abs(halves - dist[:, None] / 2) < 1e-3 * dist[:, None] + grain[:, None] + 1e-5)


def test_law_far_points():
    """Never negative, symmetric, and within the triangle inequality, at radius 40 in float32."""
    x, y = far_pairs(np.float32)
    dist = np.asarray(jax.jit(jax.vmap(SPACE.dist))(x, y), float)
    assert np.all(dist >= 0)
    np.testing.assert_allclose(jax.jit(jax.vmap(SPACE.dist))(y, x), dist, rtol=1e-5)
    a, b = (np.linalg.norm(z.astype(float), axis=1) for z in (x, y))
    assert np.all(dist <= (a + b) * (1 + 1e-6)) and np.all(dist >= np.abs(a - b) * (1 - 1e-5) - 1e-5)


@pytest.mark.parametrize("radius", [50.0, 300.0, 700.0])
def test_distance_and_gradient_at_radius_700(radius):
    """To the origin exact, to far points within 1e-13; derivatives finite, where the ball has long had none."""
    x = radius * jnp.asarray([0.36, 0.48, 0.8])
    value, gradient = jax.value_and_grad(SPACE.dist, argnums=1)(jnp.zeros(3), x)
    np.testing.assert_allclose(value, radius, rtol=1e-14)
    np.testing.assert_allclose(gradient, x / radius, rtol=1e-12)
    for y in (x, -x, 0.9 * x, radius * jnp.asarray([0.8, 0.6, 0.0])):
        value, gradients = jax.value_and_grad(SPACE.dist, argnums=(0, 1))(x, y)
        assert jnp.isfinite(value) and all(jnp.all(jnp.isfinite(g)) for g in gradients)
    ball = PoincareBall()
    assert float(ball.dist(jnp.zeros(3), ball.exp(jnp.zeros(3), x / 2))) < 38


def test_matches_the_ball_and_the_hyperboloid():
    ball, sheet = PoincareBall(), Lorentz()
    x, y = (SPACE.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    x, y = 1.5 * x, 0.5 * y
    p, q = (SPACE.to_ball(z) for z in (x, y))
    a, b = (SPACE.to_hyperboloid(z) for z in (x, y))
    dist, half = SPACE.dist(x, y), SPACE.geodesic(x, y, 0.5)
    np.testing.assert_allclose(ball.dist(p, q), dist, rtol=1e-13)
    np.testing.assert_allclose(sheet.dist(a, b), dist, rtol=1e-13)
    np.testing.assert_allclose(SPACE.to_ball(half), ball.geodesic(p, q, 0.5), rtol=1e-12)
    np.testing.assert_allclose(SPACE.to_hyperboloid(half), sheet.geodesic(a, b, 0.5), rtol=1e-12)
    np.testing.assert_allclose(SPACE.from_ball(p), x, rtol=1e-13)
    np.testing.assert_allclose(SPACE.from_hyperboloid(a), x, rtol=1e-13)
    # Transport and metric too: the derivative of the chart carries tangents over.
    u = SPACE.random_tangent(jax.random.key(2), x)
    _, v = jax.jvp(SPACE.to_ball, (x,), (u,))
    np.testing.assert_allclose(ball.inner(p, v, v), SPACE.inner(x, u, u), rtol=1e-12)
    _, carried = jax.jvp(SPACE.to_ball, (y,), (SPACE.parallel_transport(x, y, u),))
    np.testing.assert_allclose(carried, ball.parallel_transport(p, q, v), rtol=1e-12)


@pytest.mark.parametrize("dtype, limit", [(jnp.float32, 88), (jnp.float64, 709)])
def test_max_radius_is_that_of_sinh(dtype, limit):
    radius = SPACE.max_radius(dtype)
    assert radius.dtype == dtype and limit < float(radius) < limit + 1
    assert jnp.isfinite(jnp.sinh(radius)) and not jnp.isfinite(jnp.sinh(radius + 1))


def test_curvature_is_minus_one():
    x = SPACE.random_point(jax.random.key(0), SHAPE)
    u, v = (SPACE.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(SPACE.sectional_curvature(x, u, v), -1, rtol=1e-12)
    assert jnp.isnan(SPACE.sectional_curvature(x, u, 0 * u))


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Hyperbolic.exp: u has shape \[3\]"):
        SPACE.exp(jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(ValueError, match="rank 2"):
        SPACE.to_ball(jnp.zeros((2, 2)))
    assert jnp.isnan(SPACE.dist(jnp.asarray([jnp.nan, 0.0]), jnp.asarray([1.0, 0.0])))
    assert jnp.all(jnp.isnan(SPACE.from_ball(jnp.asarray([2.0, 0.0]))))
