"""The flat torus: the laws, the seam against 50 digits, and half turns."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Torus
from tests.manifolds import laws

SPACE, SHAPE = Torus(), (2,)


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=3.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_the_seam(dtype, order):
    def points(dtype):
        x, u = jnp.asarray([3.0, -1.0], dtype), jnp.asarray([0.5, 2.0], dtype)
        seam = jnp.asarray([np.pi, -np.pi], dtype)
        return {
            "x = y": (x, x, 0 * u),
            "across": (x, -x, u),
            "seam": (seam, -seam, u),
            "half": (0 * x, seam, u),
        }

    laws.check_finite(SPACE, points, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_matches_mpmath_across_the_seam(dtype, rtol):
    """The difference of the very numbers in memory, which is small only modulo a turn with all its digits."""
    for apart in (1.0, 1e-2, 1e-5, 1e-8):
        for middle in (np.pi, 0.3):
            x, y = (
                np.asarray([a if a <= np.pi else a - 2 * np.pi], dtype)
                for a in (middle - apart, middle + apart)
            )
            with mpmath.workdps(50):
                angle = mpmath.mpf(float(y[0])) - mpmath.mpf(float(x[0]))
                want = float(angle - 2 * mpmath.pi * mpmath.nint(angle / (2 * mpmath.pi)))
            np.testing.assert_allclose(float(SPACE.log(x, y)[0]), want, rtol=rtol, atol=1e-300)
            np.testing.assert_allclose(float(SPACE.dist(x, y)), abs(want), rtol=rtol, atol=1e-300)


def test_matches_unit_complex_numbers():
    x, u = SPACE.random_point(jax.random.key(0), (8,)), 10 * jax.random.normal(jax.random.key(1), (8,))
    np.testing.assert_allclose(np.exp(1j * SPACE.exp(x, u)), np.exp(1j * (x + u)), atol=1e-14)
    y = SPACE.random_point(jax.random.key(2), (8,))
    np.testing.assert_allclose(SPACE.log(x, y), np.angle(np.exp(1j * (y - x))), atol=1e-14)


def test_half_turns_have_no_unique_log():
    x = jnp.asarray([0.0, 1.0])
    assert not SPACE.log_with_info(x, jnp.asarray([np.pi, 1.0])).unique
    assert SPACE.log_with_info(x, jnp.asarray([3.1, 1.0])).unique
    u = jnp.asarray([1.0, 0.0])
    assert float(SPACE.sectional_curvature(x, u, x)) == 0 and jnp.isnan(SPACE.sectional_curvature(x, u, u))


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Torus.exp: u has shape \[3\]"):
        SPACE.exp(jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        SPACE.check_point(jnp.asarray([4.0]))
    assert jnp.isnan(SPACE.dist(jnp.asarray([jnp.nan]), jnp.asarray([1.0])))
