"""Heat kernel of SU(n): Weyl's characters by force, both forms, mass, semigroup, derivatives where angles coincide."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import SpecialUnitary
from geojax.manifolds.heat import su_heat_kernel, unitary

PI = np.pi
GROUP = SpecialUnitary()
kernel = jax.jit(jax.vmap(su_heat_kernel, (None, 0, 0)))
series = jax.jit(jax.vmap(unitary._series, (0, None)))
geodesics = jax.jit(jax.vmap(unitary._geodesics, (0, None)))


def at(angles, n):
    """The diagonal matrices of these angles, less their mean, turned by some fixed matrix."""
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n, 2)) @ np.asarray([1, 1j]))[0]
    angles = np.asarray(angles, float)
    turns = np.exp(1j * (angles - angles.mean(axis=1, keepdims=True)))
    return jnp.asarray((frame * turns[:, None, :]) @ frame.conj().T)


def characters(angles, time):
    """The series over highest weights, with characters as quotients of Weyl's alternating sums."""
    n = len(angles)
    total = 0.0
    for steps in itertools.product(range(1, 26 if n < 4 else 14), repeat=n - 1):
        l = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
        rho = np.arange(n)[::-1] * 1.0
        dimension = np.linalg.det(np.vander(l, n)) / np.linalg.det(np.vander(rho, n))
        character = np.linalg.det(np.exp(1j * np.outer(angles, l)))
        character = character / np.linalg.det(np.exp(1j * np.outer(angles, rho)))
        exponent = 2 * (np.sum((l - l.mean()) ** 2) - np.sum((rho - rho.mean()) ** 2))
        total += dimension * character.real * np.exp(-exponent * time)
    return total


@pytest.mark.parametrize("angles", [(0.7, -0.7), (1.3, 0.4, -1.7), (1.6, 0.5, -0.4, -1.7)], ids=len)
def test_matches_weyl_characters(angles):
    times = np.asarray([0.1, 0.19, 0.2, 0.7, 3.0])
    got = kernel(jnp.eye(len(angles)), jnp.repeat(at([angles], len(angles)), 5, axis=0), times)
    np.testing.assert_allclose(got, [characters(np.asarray(angles), t) for t in times], rtol=1e-10)


TIES = {
    3: [
        [0, 0, 0],
        [PI, -PI, 0],
        [PI, 1e-6 - PI, 0],
        [1, 1, -2],
        [2 * PI / 3, 2 * PI / 3, -4 * PI / 3],
        [1e-7, 0, 0],
    ],
    4: [
        [0, 0, 0, 0],
        [PI, -PI, 0, 0],
        [PI, PI, -PI, -PI],
        [PI / 2, PI / 2, PI / 2, -3 * PI / 2],
        [1, 1, -1, -1],
    ],
}


@pytest.mark.parametrize("n", [3, pytest.param(4, marks=pytest.mark.full)])
def test_law_both_forms_agree_where_angles_coincide(n):
    """Relative to each value, which on the far side is 10^-4 of the largest."""
    points = at(TIES[n], n)
    long, short = series(points, 0.2), geodesics(points, 0.2)
    np.testing.assert_allclose(short, long, rtol=3e-10)
    single = geodesics(points.astype(jnp.complex64), jnp.float32(0.2))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, long, rtol=1e-4)
    top = float(jnp.max(long))
    np.testing.assert_allclose(series(points.astype(jnp.complex64), jnp.float32(0.2)), long, atol=1e-5 * top)


def test_law_mass_one_semigroup_and_characters():
    """Weyl's integration formula over the torus of SU(3), where equally spaced points are exact."""
    grid = 2 * PI * np.arange(24) / 24
    first, second = (side.ravel() for side in np.meshgrid(grid, grid))
    angles = np.stack([first, second, -first - second], axis=1)
    points = jax.vmap(jnp.diag)(jnp.exp(1j * angles))
    sides = np.exp(1j * angles)
    weights = np.prod([np.abs(sides[:, i] - sides[:, j]) ** 2 for i, j in ((0, 1), (0, 2), (1, 2))], axis=0)
    weights = weights / (6 * len(angles))
    values = {t: np.asarray(kernel(jnp.eye(3), points, np.full(len(angles), t))) for t in (0.15, 0.19, 0.4)}
    ahead = kernel(jnp.eye(3), jnp.eye(3)[None].repeat(2, axis=0), np.asarray([0.34, 0.55]))
    for value in values.values():
        np.testing.assert_allclose(weights @ value, 1, rtol=1e-11)
    np.testing.assert_allclose(weights @ (values[0.15] * values[0.19]), ahead[0], rtol=1e-11)
    np.testing.assert_allclose(weights @ (values[0.15] * values[0.4]), ahead[1], rtol=1e-11)
    # The defining representation has dimension 3 and eigenvalue 16 / 3, twice 8 / 3.
    for t, value in values.items():
        np.testing.assert_allclose(weights @ (value * sides.sum(axis=1)), 3 * np.exp(-16 / 3 * t), rtol=1e-10)


def test_law_symmetric_and_invariant():
    x, y, g = (GROUP.random_point(jax.random.key(k), (3, 3)) for k in range(3))
    times = jnp.asarray([0.1, 1.0])
    value = kernel(x, jnp.stack([y, y]), times)
    for a, b in ((y, x), (g @ x, g @ y), (x @ g, y @ g)):
        np.testing.assert_allclose(kernel(a, jnp.stack([b, b]), times), value, rtol=1e-10)


def test_law_short_times_are_the_distance():
    """Varadhan: -4 t log K tends to the squared distance, on the cut locus too, and nothing overflows on the way."""
    points, t = at(TIES[3], 3), 5e-3
    values = kernel(jnp.eye(3), points, np.full(len(points), t))
    squared = jax.jit(jax.vmap(GROUP.squared_dist, (None, 0)))(jnp.eye(3), points)
    np.testing.assert_allclose(-4 * t * jnp.log(values), squared, atol=0.7)
    single = geodesics(at(TIES[4], 4).astype(jnp.complex64), jnp.float32(1e-2))
    assert jnp.all(jnp.isfinite(single))


@pytest.mark.full
def test_derivatives_at_ties_are_those_of_differences():
    points = at(TIES[3][:5], 3)
    u = GROUP.random_tangent(jax.random.key(5), jnp.eye(3) + 0j)

    def along(s, x, t):
        return su_heat_kernel(jnp.eye(3), x @ GROUP.exp(jnp.eye(3), s * u), t)

    slopes = jax.jit(jax.vmap(jax.value_and_grad(along), (0, 0, 0)))
    h, zero = 1e-5, np.zeros(10)
    points, times = jnp.concatenate([points, points]), np.repeat([0.1, 0.5], 5)
    value, slope = slopes(zero, points, times)
    wanted = (slopes(zero + h, points, times)[0] - slopes(zero - h, points, times)[0]) / (2 * h)
    np.testing.assert_allclose(slope, wanted, rtol=1e-7, atol=1e-6 * float(jnp.max(value)))
    bend = jax.jit(jax.vmap(jax.grad(jax.grad(along)), (0, 0, 0)))(zero[5:], points[5:], times[5:])
    wanted = (slopes(zero + h, points, times)[1] - slopes(zero - h, points, times)[1]) / (2 * h)
    np.testing.assert_allclose(bend, wanted[5:], rtol=1e-6, atol=1e-6)


def test_bad_input_says_what_is_wrong():
    eye = jnp.eye(3)
    values = kernel(eye, jnp.stack([eye, eye, eye * jnp.nan]) + 0j, np.asarray([-1.0, np.nan, 1.0]))
    assert jnp.all(jnp.isnan(values))
    with pytest.raises(ValueError, match="su_heat_kernel: y has shape"):
        su_heat_kernel(eye + 0j, jnp.eye(2) + 0j, 1.0)
    with pytest.raises(ValueError, match="2 <= n <= 6"):
        su_heat_kernel(jnp.eye(7) + 0j, jnp.eye(7) + 0j, 1.0)
