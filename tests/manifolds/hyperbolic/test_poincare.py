"""The Poincare ball: the laws, the boundary, distances against 50 digits, and what a curvature may be."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import PoincareBall
from tests.manifolds import laws

BALL, SHAPE = PoincareBall(c=0.7), (3,)


def exact_dist(x, y, c):
    """Of the very numbers in memory, with 60 digits."""
    with mpmath.workdps(60):
        x, y = ([mpmath.mpf(float(a)) for a in p] for p in (x, y))
        c = mpmath.mpf(float(c))
        gaps = [1 - c * sum(a * a for a in p) for p in (x, y)]
        apart = sum((a - b) ** 2 for a, b in zip(x, y))
        return float(mpmath.acosh(1 + 2 * c * apart / (gaps[0] * gaps[1])) / mpmath.sqrt(c))


def test_law_manifold():
    laws.check_laws(BALL, SHAPE, radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(BALL, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        zero, u = jnp.zeros(3, dtype), jnp.asarray([0.3, -0.2, 0.1], dtype)
        x = jnp.asarray([0.4, 0.5, 0.1], dtype)
        last = BALL.project(10 * x)
        return {
            "x = y": (x, x, zero),
            "at the origin": (zero, zero, zero),
            "from the origin": (zero, x, u),
            "near": (x, x + jnp.asarray(1e-12, dtype) * u, u),
            "to the boundary": (x, last, 100 * u),
            "on the boundary": (last, last, zero),
            "across": (last, -last, last),
        }

    laws.check_finite(BALL, points, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath(dtype, rtol):
    for apart in (0.5, 1e-2, 1e-5, 1e-8):
        x = np.asarray([0.3, -0.2, 0.4], dtype)
        y = np.asarray(x + apart * np.asarray([0.6, 0.0, 0.8]), dtype)
        c = np.asarray(0.7, dtype)
        want = exact_dist(x, y, c)
        ball = PoincareBall(c=c)
        np.testing.assert_allclose(float(ball.dist(x, y)), want, rtol=rtol)
        np.testing.assert_allclose(float(ball.norm(x, ball.log(x, y))), want, rtol=3 * rtol, atol=1e-300)


def test_matches_the_disc_as_complex_numbers():
    """In the plane, log x y carries x to 0 by a Moebius map of complex numbers; exp goes back."""
    x, y = 0.3 + 0.4j, -0.5 + 0.2j
    moved = (y - x) / (1 - np.conj(x) * y)
    want = (1 - abs(x) ** 2) * np.arctanh(abs(moved)) * moved / abs(moved)
    ball = PoincareBall()
    x, y = (jnp.asarray([z.real, z.imag]) for z in (x, y))
    log = ball.log(x, y)
    np.testing.assert_allclose(log, [want.real, want.imag], rtol=1e-13)
    np.testing.assert_allclose(ball.exp(x, log), y, rtol=1e-13)


@pytest.mark.parametrize("dtype, want", [(jnp.float64, (37, 38)), (jnp.float32, (17, 18))])
def test_max_radius_is_where_round_trips_end(dtype, want):
    """Distances come back from exp up to the largest radius, and no farther."""
    ball = PoincareBall(c=jnp.asarray(1.0, dtype))
    limit = float(ball.max_radius(dtype))
    assert want[0] < limit < want[1]
    origin, direction = jnp.zeros(2, dtype), jnp.asarray([0.5, 0.0], dtype)
    for share, holds in ((0.5, True), (0.9, True), (1.1, False), (2.0, False)):
        back = float(ball.dist(origin, ball.exp(origin, share * limit * direction)))
        assert (abs(back - share * limit) < 0.1 * limit * share / 2) == holds
        assert back <= limit * (1 + 1e-6)


def test_gradient_by_the_curvature_matches_differences():
    x, y = jnp.asarray([0.3, -0.2]), jnp.asarray([0.1, 0.5])

    def dist(c):
        return PoincareBall(c=c).dist(x, y)

    want = (dist(0.7 + 1e-5) - dist(0.7 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(dist)(0.7), want, rtol=1e-8)


def test_curvature_is_minus_c():
    x = BALL.random_point(jax.random.key(0), SHAPE)
    u, v = (BALL.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(BALL.sectional_curvature(x, u, v), -0.7, rtol=1e-12)
    assert jnp.isnan(BALL.sectional_curvature(x, u, 0 * u))


def test_curvature_must_be_positive():
    for c in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=r"PoincareBall: c is .*Euclidean\(\)"):
            PoincareBall(c=c)
    x, y = jnp.asarray([0.3, -0.2]), jnp.asarray([0.1, 0.5])
    values = jax.vmap(lambda c: PoincareBall(c=c).dist(x, y))(jnp.asarray([1.0, 0.0, -1.0]))
    assert jnp.isfinite(values[0]) and jnp.all(jnp.isnan(values[1:]))
    moved = jax.jit(lambda c: PoincareBall(c=c).exp(x, y))(-1.0)
    assert jnp.all(jnp.isnan(moved))


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"PoincareBall.exp: u has shape \[3\]"):
        BALL.exp(jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        BALL.check_point(jnp.asarray([2.0, 0.0]))
    BALL.check_point(BALL.project(jnp.asarray([2.0, 0.0])))
    assert jnp.isnan(BALL.dist(jnp.zeros(2), jnp.asarray([2.0, 0.0])))
