"""Elementary functions against mpmath: values and two derivatives, at and near the awkward points."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax._core import safe

SMALL = [0.0, 1e-30, 1e-8, 1e-4, 0.01, 0.2, 0.24, 0.26, 0.4, 0.49, 0.51, 0.9]
BOTH = SMALL + [-x for x in SMALL[1:]]
mp = mpmath.mp

# name: (function, the same by mpmath, arguments); all are analytic there.
ANALYTIC = {
    "sinc": (safe.sinc, lambda x: mpmath.sin(x) / x, [*BOTH, 0.99, 1.01, 2.0, 10.0]),
    "sinhc": (safe.sinhc, lambda x: mpmath.sinh(x) / x, [*BOTH, 0.99, 1.01, 5.0]),
    "tanhc": (safe.tanhc, lambda x: mpmath.tanh(x) / x, [*BOTH, 3.0]),
    "arctanhc": (safe.arctanhc, lambda x: mpmath.atanh(x) / x, BOTH),
    "expm1c": (safe.expm1c, lambda x: mpmath.expm1(x) / x, [*BOTH, 0.99, 1.01, -4.0, 4.0]),
    "log1pc": (safe.log1pc, lambda x: mpmath.log1p(x) / x, [*BOTH, 5.0]),
    "squared_arccos1m": (safe.squared_arccos1m, lambda z: mpmath.acos(1 - z) ** 2, [*SMALL, 1.0, 1.7]),
    "cos_sqrt": (safe.cos_sqrt, lambda s: mpmath.cos(mpmath.sqrt(s)), [*SMALL, 1.1, 20.0]),
    "sinc_sqrt": (safe.sinc_sqrt, lambda s: mpmath.sinc(mpmath.sqrt(s)), [*SMALL, 1.1, 20.0]),
    "sinc_rest_sqrt": (
        safe.sinc_rest_sqrt,
        lambda s: (1 - mpmath.sin(mpmath.sqrt(s)) / mpmath.sqrt(s)) / s,
        [*SMALL, 1.1, 20.0],
    ),
    "cosh_sqrt": (safe.cosh_sqrt, lambda s: mpmath.cosh(mpmath.sqrt(s)), [*SMALL, 1.1, 20.0]),
    "sinhc_sqrt": (
        safe.sinhc_sqrt,
        lambda s: mpmath.sinh(mpmath.sqrt(s)) / mpmath.sqrt(s),
        [*SMALL, 1.1, 20.0],
    ),
    "tanhc_sqrt": (safe.tanhc_sqrt, lambda s: mpmath.tanh(mpmath.sqrt(s)) / mpmath.sqrt(s), [*SMALL, 1.1]),
    "arctanhc_sqrt": (safe.arctanhc_sqrt, lambda s: mpmath.atanh(mpmath.sqrt(s)) / mpmath.sqrt(s), SMALL),
    "angle_over_sine1m": (
        safe.angle_over_sine1m,
        lambda z: mpmath.acos(1 - z) / mpmath.sqrt(z * (2 - z)),
        [*SMALL, 1.0, 1.7],
    ),
    "length_over_sinh1p": (
        safe.length_over_sinh1p,
        lambda z: mpmath.acosh(1 + z) / mpmath.sqrt(z * (2 + z)),
        [*SMALL, 1.0, 1e3],
    ),
    "squared_arccosh1p": (safe.squared_arccosh1p, lambda z: mpmath.acosh(1 + z) ** 2, [*SMALL, 1.0, 1e3]),
}


def oracle(theirs, x):
    """Value, first and second derivative, at 60 digits."""
    with mp.workdps(60):
        x = mp.mpf(x)
        if abs(x) >= mp.mpf("1e-10"):
            taylor = mpmath.taylor(lambda t: mp.mpc(theirs(t)).real, x, 2)
        else:  # the function is 0/0 at 0: a polynomial through six points around it
            points = [mp.mpf(k) / 10**6 for k in (1, 2, 3, 4, 5, 6)]
            values = [mp.mpc(theirs(p)).real for p in points]
            rows = [[p**j for j in range(6)] for p in points]
            taylor = list(mpmath.lu_solve(mp.matrix(rows), mp.matrix(values)))
        return [float(taylor[0]), float(taylor[1]), 2 * float(taylor[2])]


@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_analytic_functions_match_mpmath_to_second_order(name, dtype):
    ours, theirs, points = ANALYTIC[name]
    x, slope = np.asarray(points, dtype), jax.grad(ours)
    values = jax.jit(jax.vmap(lambda x: (ours(x), slope(x), jax.jacfwd(slope)(x))))(x)
    want = np.array([oracle(theirs, float(point)) for point in x]).T
    assert all(value.dtype == dtype for value in values)
    # A derivative of the closed form divides by its argument, at least 1/4, once more for each order. What it divides
    # is as large as the function itself.
    for order, (got, exact) in enumerate(zip(values, want)):
        ulp = float(jnp.finfo(dtype).eps) * 4.0**order
        np.testing.assert_allclose(got, exact, rtol=40 * ulp, atol=40 * ulp)


# All are spliced from a polynomial and a closed form by one function, so that a few say what the others do.
@pytest.mark.parametrize(
    "name",
    [
        name if name in ("sinc", "sinhc_sqrt") else pytest.param(name, marks=pytest.mark.full)
        for name in ANALYTIC
    ],
)
def test_derivatives_in_reverse_and_forward_agree_at_zero(name):
    ours = ANALYTIC[name][0]
    modes = (
        jax.hessian(ours),
        jax.jacfwd(jax.jacfwd(ours)),
        jax.jacrev(jax.jacrev(ours)),
        jax.jacrev(jax.jacfwd(ours)),
    )
    want, *others = jax.jit(lambda x: [mode(x) for mode in modes])(0.0)
    np.testing.assert_allclose(others, np.full(3, want), rtol=1e-14)


ROOTS = {
    "sqrt": (safe.sqrt, np.sqrt, 0.0, [0.0, 1e-30, 0.5, 4.0], -1.0),
    "arccos": (safe.arccos, np.arccos, 1.0, [-1.0, -0.5, 0.0, 0.3, 1.0], 1.1),
    "arcsin": (safe.arcsin, np.arcsin, -1.0, [-1.0, -0.5, 0.0, 0.3, 1.0], -1.1),
    "arccosh": (safe.arccosh, np.arccosh, 1.0, [1.0, 1.5, 2.0, 1e10], 0.5),
    "arccosh1p": (safe.arccosh1p, lambda z: np.arccosh(1 + np.longdouble(z)), 0.0, [0.0, 0.5, 1e10], -0.5),
}


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_roots(name, dtype):
    ours, theirs, end, points, outside = ROOTS[name]
    x, middle = np.asarray([*points, outside, np.nan, end], dtype), points[-2]
    eps = float(jnp.finfo(dtype).eps)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(ours)))(x)
    assert values.dtype == dtype
    want = theirs(np.float64(points)).astype(float)
    np.testing.assert_allclose(values[: len(points)], want, rtol=8 * eps, atol=8 * eps)
    np.testing.assert_array_equal(np.isnan(values[len(points) : -1]), True)
    assert slopes[-1] == 0
    step = 1e-6
    quotient = (theirs(np.float64(middle) + step) - theirs(np.float64(middle) - step)) / (2 * step)
    np.testing.assert_allclose(slopes[len(points) - 2], float(quotient), rtol=1e-6 + 8 * eps)


def test_cosines_that_overshoot_by_rounding_count_as_the_end():
    for dtype in (jnp.float32, jnp.float64):
        over = jnp.asarray(1 + 4 * jnp.finfo(dtype).eps, dtype)
        assert safe.arccos(over) == 0
        assert safe.arccos(-over) == jnp.asarray(jnp.pi, dtype)
        assert safe.arcsin(over) == jnp.asarray(jnp.pi / 2, dtype)
        assert safe.arccosh(1 - 4 * jnp.finfo(dtype).eps) == 0
        assert jnp.isfinite(jax.grad(safe.arccos)(over))


def test_arccosh_of_large_numbers_does_not_overflow():
    np.testing.assert_allclose(safe.arccosh1p(jnp.float32(1e38)), np.arccosh(1e38), rtol=1e-6)
    assert jnp.isfinite(jax.grad(safe.arccosh1p)(jnp.float32(1e38)))


@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e160, 1e-300])
def test_norm_matches_numpy_at_any_scale(scale):
    x = jnp.array([3.0, -4.0, 12.0]) * scale
    value, slope = jax.jit(jax.value_and_grad(safe.norm))(x)
    np.testing.assert_allclose(value, 13 * scale, rtol=1e-15)
    np.testing.assert_allclose(slope, np.array([3, -4, 12]) / 13, rtol=1e-14)


def test_norm_at_zero_and_its_second_derivative():
    zero, x = np.zeros(3), np.array([1.0, 2.0, -2.0])

    @jax.jit
    def derivatives(x):
        squared = jax.hessian(lambda x: safe.norm(x) ** 2)(x)
        return safe.norm(x), jax.grad(safe.norm)(x), jax.hessian(safe.norm)(x), squared

    length, slope, curvature, _ = derivatives(zero)
    assert length == 0
    np.testing.assert_array_equal(slope, 0)
    assert np.all(np.isfinite(curvature))
    _, _, curvature, squared = derivatives(x)
    np.testing.assert_allclose(curvature, (np.eye(3) - np.outer(x, x) / 9) / 3, atol=1e-15)
    np.testing.assert_allclose(squared, 2 * np.eye(3), atol=1e-14)
    assert np.isnan(derivatives(np.array([1.0, np.nan, 0.0]))[0])
    assert derivatives(np.array([1.0, -np.inf, 0.0]))[0] == np.inf
    assert safe.norm(jnp.zeros(0)) == 0


def test_squared_angle_is_accurate_where_the_cosine_is_not():
    for angle in (1e-1, 1e-3, 1e-5, 1e-8, 3.0, 3.14159):
        z = 2 * np.sin(np.longdouble(angle) / 2) ** 2
        np.testing.assert_allclose(
            safe.squared_arccos1m(jnp.float64(z)), angle**2, rtol=1e-9 if angle > 3 else 1e-13
        )
