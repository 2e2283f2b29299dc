"""GL+(n) and SL(n): the laws, round trips beyond the matrix exponential, Haar moments and invariant integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import (
    GeneralLinear,
    SpecialLinear,
    SpecialOrthogonal,
    gl_exp,
    gl_log,
    gl_polar,
    haar_sample,
    invariant_average,
)
from geojax.manifolds.spd import affine_kernel_coords
from tests.manifolds import laws

FAR = np.diag([-2.0, -0.5])  # in SL(2), and without a real logarithm


@pytest.mark.full
def test_law_manifold():
    laws.check_laws(SpecialLinear(), (2, 2), radius=2.0, without=("distances",))


@pytest.mark.full
def test_law_manifold_of_larger_matrices():
    for space in (GeneralLinear(), SpecialLinear()):
        laws.check_laws(space, (3, 3), radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SpecialLinear(), (2, 2))


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x = np.eye(2, dtype=dtype)
        pairs = {
            "equal": x,
            "far": FAR.astype(dtype),
            "scaled": np.diag(np.asarray([3.0, 3 + 1e-7], dtype)),
        }
        return {name: (x, y, np.ones((2, 2), dtype)) for name, y in pairs.items()}

    laws.check_finite(GeneralLinear(), points, dtype, order, operations=("exp", "squared_dist"))


def test_law_round_trips():
    """Random matrices with positive determinant, and one that the matrix exponential does not reach."""

    def gap(key):
        a = jax.random.normal(key, (3, 3))
        a = a * jnp.sign(jnp.linalg.det(a))
        return jnp.max(jnp.abs(gl_exp(*gl_log(a)) - a)) / jnp.max(jnp.abs(a))

    assert jnp.max(jax.jit(jax.vmap(gap))(jax.random.split(jax.random.key(0), 64))) < 1e-11
    s, again = jax.jit(lambda a: (gl_log(a)[1], gl_exp(*gl_log(a))))(FAR)
    np.testing.assert_allclose(again, FAR, atol=1e-13)
    np.testing.assert_allclose(np.trace(s), 0, atol=1e-14)
    assert np.abs(np.imag(scipy.linalg.logm(np.asarray(FAR)))).max() > 1
    log = SpecialLinear().log(np.eye(2), FAR)
    np.testing.assert_allclose(SpecialLinear().exp(np.eye(2), log), FAR, atol=1e-13)


def test_matches_scipy_polar_and_is_smooth():
    a = np.random.default_rng(0).normal(size=(3, 3))
    a = a * np.sign(np.linalg.det(a))
    polar = jax.jit(gl_polar)
    for got, want in zip(polar(a), scipy.linalg.polar(a)):
        np.testing.assert_allclose(got, want, atol=1e-13)
    derivative = jax.jit(jax.jacfwd(lambda a: jnp.stack(gl_log(a))))
    for at in (a, np.eye(3), np.diag([-2.0, -0.5, 1.0])):
        assert np.all(np.isfinite(derivative(at)))
    assert np.all(np.isnan(polar(-np.eye(3))[0]))


def test_affine_coordinates_are_a_chart():
    exponential, chart = jax.jit(gl_exp), jax.jit(affine_kernel_coords)
    g = np.eye(3)
    g[:2, :2] = exponential(np.asarray([[0, -0.7], [0.7, 0]]), np.eye(2))
    g[0, 2] = 4.0
    coordinates = chart(g)
    np.testing.assert_allclose(coordinates, [4, 0, 0.7, 1, 1, 0], atol=1e-14)
    a = np.asarray([[1.0, 0.3, 2.0], [-0.2, 0.8, -1.0], [0.0, 0.0, 1.0]])
    b, turn, x, y, z = np.split(np.asarray(chart(a)), [2, 3, 4, 5])
    omega = np.asarray([[0, -turn[0]], [turn[0], 0]])
    z = z / np.sqrt(2)
    s = np.asarray([[x[0], z[0]], [z[0], y[0]]])
    np.testing.assert_allclose(exponential(omega, s), a[:2, :2], atol=1e-13)
    np.testing.assert_allclose(b, a[:2, 2])


def test_law_haar_moments():
    def moments(r):
        return r, jnp.outer(r.ravel(), r.ravel())

    average = jax.jit(
        lambda key: invariant_average(moments, SpecialOrthogonal(), 3, key=key, num_samples=4096)
    )
    mean, second = average(jax.random.key(0))
    np.testing.assert_allclose(mean, 0, atol=0.05)
    np.testing.assert_allclose(second, np.eye(9) / 3, atol=0.05)


@pytest.mark.parametrize("group", [GeneralLinear(), SpecialLinear()])
def test_law_integrals_do_not_change_under_translation(group):
    """A bump on the group, and the same bump translated from the left; the standard error is the yardstick."""
    turn = scipy.linalg.expm(np.asarray([[0, -0.5], [0.5, 0]]))
    shift = turn @ np.diag(np.exp([0.4, -0.4]))

    def bump(a):
        value = jnp.exp(
            -jnp.sum(jnp.square(a - jnp.eye(2))) - jnp.sum(jnp.square(jnp.linalg.inv(a) - jnp.eye(2)))
        )
        return jnp.stack([value, value**2])

    def both(a):
        return bump(a), bump(shift @ a)

    count = 20000

    def squares(key):
        drawn = haar_sample(key, group, 2, scale=0.8)
        return (drawn.weight * jnp.asarray([bump(drawn.element)[0], bump(shift @ drawn.element)[0]])) ** 2

    @jax.jit
    def averages():
        drawn = jax.vmap(squares)(jax.random.split(jax.random.key(2), count))
        key = jax.random.key(1)
        return drawn, invariant_average(both, group, 2, key=key, num_samples=count, scale=0.8)

    drawn, (here, there) = averages()
    here, there = np.asarray(here), np.asarray(there)
    assert here[0] > 0.01
    error = np.sqrt(np.sum(np.mean(drawn, axis=0)) / count)
    assert np.abs(here[0] - there[0]) < 4 * error < 0.3 * here[0]


def test_weights_are_the_density_of_haar_measure():
    """Of GL+(2) against the Jacobian of the chart: dA / det^n by differences, up to one constant."""

    def density(omega, s):
        def entries(v):
            w = jnp.asarray([[0, -v[0]], [v[0], 0]])
            return gl_exp(w, jnp.asarray([[v[1], v[3] / np.sqrt(2)], [v[3] / np.sqrt(2), v[2]]])).ravel()

        v = jnp.asarray([omega, s[0, 0], s[1, 1], np.sqrt(2) * s[0, 1]])
        return jnp.abs(jnp.linalg.det(jax.jacfwd(entries)(v))) / jnp.linalg.det(entries(v).reshape(2, 2)) ** 2

    @jax.jit
    def ratio(key):
        drawn = haar_sample(key, GeneralLinear(), 2, scale=0.7)
        omega, s = gl_log(drawn.element)
        normal = jnp.exp(-jnp.sum(jnp.square(s)) / (2 * 0.49)) / (2 * np.pi * 0.49) ** 1.5
        return drawn.weight * normal / density(omega[1, 0], s)

    ratios = [ratio(jax.random.key(k)) for k in range(4)]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-10)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"gl_log: a has shape \[2, 3\]"):
        gl_log(jnp.ones((2, 3)))
    with pytest.raises(TypeError, match="haar_sample: group is 'SO"):
        haar_sample(jax.random.key(0), "SO(3)", 3)
    with pytest.raises(ValueError, match="off the manifold"):
        SpecialLinear().check_point(2 * jnp.eye(2))
    assert np.isnan(GeneralLinear().dist(np.eye(2), np.diag([1.0, -1.0])))
