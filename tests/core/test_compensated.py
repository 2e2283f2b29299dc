"""Differences of products against exact rational arithmetic."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core import compensated


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_minus_product_matches_fractions(dtype):
    """y = a x to an ulp or a little more: what is left is below an ulp of y, and right all the same."""
    rng = np.random.default_rng(0)
    a, x = (jnp.asarray(rng.normal(size=256) * 10.0 ** rng.integers(-3, 3, 256), dtype) for _ in range(2))
    eps = float(jnp.finfo(dtype).eps)
    for apart in (0.0, 1.5 * eps, 1e-3):
        y = (a * x) * jnp.asarray(1 + apart, dtype)
        for function in (compensated.minus_product, jax.jit(compensated.minus_product)):
            got = np.asarray(function(y, a, x), float)
            exact = [Fraction(float(p)) - Fraction(float(q)) * Fraction(float(r)) for p, q, r in zip(y, a, x)]
            want = np.asarray([float(value) for value in exact])
            np.testing.assert_allclose(got, want, rtol=4 * eps, atol=8 * eps**2 * float(jnp.max(jnp.abs(y))))


def test_law_fused_in_any_program():
    """Compiled together with what makes and uses the operands, the digits are the same."""

    def program(a, b, x):
        return 3 * compensated.minus_product(a * x, a, x) + 0 * b

    a, b, x = (jnp.asarray(np.random.default_rng(k).normal(size=64), jnp.float32) for k in range(3))
    y = a * x
    want = np.asarray(y, float) - np.asarray(a, float) * np.asarray(x, float)
    np.testing.assert_allclose(3 * compensated.minus_product(y, a, x), 3 * want, rtol=1e-6, atol=1e-14)
    fused = np.asarray(jax.jit(program)(a, b, x), float)
    # The product may be fused into the first sum and then has no rounding to recover: either is right.
    assert np.all(np.isclose(fused, 3 * want, rtol=1e-6, atol=1e-13) | (np.abs(fused) < 1e-13))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_across_sees_angles_below_an_ulp(dtype):
    eps = float(jnp.finfo(dtype).eps)
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=5), dtype)
    y = jnp.asarray(1.7 * x, dtype)
    exact_x, exact_y = ([Fraction(float(v)) for v in p] for p in (x, y))
    ratio = sum(p * q for p, q in zip(exact_x, exact_y)) / sum(p * p for p in exact_x)
    want = np.asarray([float(q - ratio * p) for p, q in zip(exact_x, exact_y)])
    assert 0 < np.abs(want).max() < eps * np.abs(np.asarray(y)).max()
    np.testing.assert_allclose(np.asarray(jax.jit(compensated.across)(x, y), float), want, atol=8 * eps**2)


def test_derivatives_are_those_of_the_plain_formula():
    x, y = (np.random.default_rng(k).normal(size=4) for k in (0, 1))

    def plain(x, y):
        return y - jnp.vdot(x, y) / jnp.vdot(x, x) * x

    @jax.jit
    def derivatives(x, y):
        def of(function):
            total = lambda x: jnp.sum(function(x, y) ** 3)
            return jax.jacrev(function, (0, 1))(x, y), jax.hessian(total)(x)

        return of(compensated.across), of(plain)

    (jacobians, hessian), (want, want_hessian) = derivatives(x, y)
    np.testing.assert_allclose(jacobians, want, atol=1e-14)
    np.testing.assert_allclose(hessian, want_hessian, atol=1e-12)
