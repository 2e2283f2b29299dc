"""The Lorentz model: the laws, far and near points against 60 digits, and agreement with the ball."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Lorentz, PoincareBall
from tests.manifolds import laws

SHEET, SHAPE = Lorentz(c=0.7), (4,)


def exact_dist(x, y):
    """Of the space coordinates in memory, curvature -1."""
    with mpmath.workdps(60):
        x, y = ([mpmath.mpf(float(a)) for a in p[1:]] for p in (x, y))
        times = [mpmath.sqrt(1 + sum(a * a for a in p)) for p in (x, y)]
        return float(mpmath.acosh(max(1, times[0] * times[1] - sum(a * b for a, b in zip(x, y)))))


def test_law_manifold():
    laws.check_laws(SHEET, SHAPE, radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SHEET, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        def at(space):
            return SHEET.project(jnp.asarray([0.0, *space], dtype))

        def to(x, v):
            return SHEET.to_tangent(x, jnp.asarray([0.0, *v], dtype))

        origin, x = at([0.0, 0.0, 0.0]), at([0.4, 0.5, 0.1])
        near, far = at([0.4, 0.5, 0.1 + 1e-12]), at([3000.0, 4000.0, 0.0])
        u = to(x, [0.3, -0.2, 0.1])
        return {
            "x = y": (x, x, 0 * u),
            "at the origin": (origin, origin, 0 * u),
            "near": (x, near, 1e-12 * u),
            "far": (x, far, 9 * u),
            "far and equal": (far, far, 0 * u),
            "far and opposite": (far, far * jnp.asarray([1, -1, -1, -1], dtype), 0 * u),
        }

    laws.check_finite(SHEET, points, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath_near_the_origin(dtype, rtol):
    sheet = Lorentz()
    for apart in (0.5, 1e-2, 1e-5, 1e-8):
        x = sheet.project(jnp.asarray([0.0, 0.3, -0.2, 0.4], dtype))
        y = sheet.project(x + jnp.asarray([0.0, 0.6 * apart, 0.0, 0.8 * apart], dtype))
        want = exact_dist(x, y)
        np.testing.assert_allclose(float(sheet.dist(x, y)), want, rtol=rtol)
        np.testing.assert_allclose(float(sheet.norm(x, sheet.log(x, y))), want, rtol=3 * rtol)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_far_points_match_mpmath_as_well_as_their_coordinates_say(dtype):
    """An ulp of a coordinate is a step of eps exp(radius): nothing can be more accurate than that. Nor negative."""
    sheet = Lorentz()
    rng = np.random.default_rng(0)
    for radius in (2.0, 5.0, 8.0):
        directions = rng.normal(size=(2, 3))
        directions[1] = directions[0] + 1e-3 * directions[1]
        space = np.sinh(radius) * directions / np.linalg.norm(directions, axis=1)[:, None]
        space[1] *= 0.9
        x, y = (sheet.project(jnp.asarray([0.0, *p], dtype)) for p in space)
        got, want = float(sheet.dist(x, y)), exact_dist(x, y)
        assert got > 0
        np.testing.assert_allclose(
            got, want, rtol=1e-7, atol=8 * float(jnp.finfo(dtype).eps) * np.exp(radius)
        )


def test_matches_the_ball():
    """Stereographic projection x' / (1 + x_0) is an isometry onto the ball."""
    sheet, ball = Lorentz(c=0.7), PoincareBall(c=0.7)
    root = np.sqrt(0.7)
    x, y = (sheet.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    p, q = (z[1:] / (1 + root * z[0]) for z in (x, y))
    np.testing.assert_allclose(sheet.dist(x, y), ball.dist(p, q), rtol=1e-12)
    half = sheet.geodesic(x, y, 0.5)
    np.testing.assert_allclose(half[1:] / (1 + root * half[0]), ball.geodesic(p, q, 0.5), rtol=1e-11)


@pytest.mark.parametrize("dtype, want", [(np.float64, 19), (np.float32, 9)])
def test_max_radius_is_where_time_and_space_meet(dtype, want):
    """Found by rounding: beyond it cosh and sinh are the same number, or their squares differ by anything but 1."""
    limit = float(Lorentz().max_radius(dtype))
    assert want < limit < want + 1
    radii = np.linspace(0.5 * limit, 1.5 * limit, 400)
    time, space = np.cosh(radii).astype(dtype), np.sinh(radii).astype(dtype)
    good = np.abs(time * time - space * space - 1) < 0.5
    assert good[radii < 0.9 * limit].all() and not good[radii > 1.1 * limit].any()


def test_gradient_by_the_curvature_matches_differences():
    def dist(c):
        x, y = (Lorentz(c=c).project(jnp.asarray(z)) for z in ([0.0, 0.3, -0.2], [0.0, 1.0, 0.5]))
        return Lorentz(c=c).dist(x, y)

    want = (dist(0.7 + 1e-5) - dist(0.7 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(dist)(0.7), want, rtol=1e-8)


def test_curvature_is_minus_c():
    x = SHEET.random_point(jax.random.key(0), SHAPE)
    u, v = (SHEET.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(SHEET.sectional_curvature(x, u, v), -0.7, rtol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Lorentz: c is -1.0.*positive"):
        Lorentz(c=-1.0)
    assert jnp.any(jnp.isnan(jax.jit(lambda c: Lorentz(c=c).project(jnp.ones(3)))(0.0)))
    with pytest.raises(ValueError, match=r"Lorentz.project: x is empty.*time"):
        SHEET.project(jnp.zeros(0))
    with pytest.raises(ValueError, match=r"off the manifold"):
        SHEET.check_point(jnp.asarray([1.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match=r"off the tangent space"):
        SHEET.check_tangent(SHEET.project(jnp.asarray([0.0, 1.0, 0.0])), jnp.asarray([1.0, 0.0, 0.0]))
    assert jnp.isnan(SHEET.dist(jnp.asarray([jnp.nan, 0.0]), jnp.asarray([1.0, 0.0])))
