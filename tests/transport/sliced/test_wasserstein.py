"""Sliced distances against ott and closed forms, their control variates, and the directions."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from ott.tools import sliced as ott_sliced

from geojax.transport import (
    lower_control,
    orthogonal_directions,
    random_directions,
    simplex_directions,
    sliced_wasserstein,
    upper_control,
    wasserstein_1d,
)

N, M, D, K = 40, 30, 5, 24


def clouds(seed, shift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(size=(N, D)), 0.5 * random.normal(size=(M, D)) + shift


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


THETA = unit(np.random.default_rng(99).normal(size=(K, D)))
sliced = jax.jit(sliced_wasserstein, static_argnames="control")


@pytest.mark.full
def test_matches_ott_on_the_same_directions():
    x, y = clouds(0, 0.3)
    want, _ = ott_sliced.sliced_wasserstein(x, y, proj_fn=lambda z: z @ THETA.T)
    np.testing.assert_allclose(sliced_wasserstein(x, y, projections=THETA).value, want, rtol=1e-10)


@pytest.mark.parametrize(
    "p", [2, pytest.param(1, marks=pytest.mark.full), pytest.param(3.0, marks=pytest.mark.full)]
)
def test_matches_the_line_along_each_direction(p):
    x, y = clouds(1)
    line = jax.jit(lambda x, y: wasserstein_1d(x, y, p=p) ** p)
    lines = np.stack([line(x @ t, y @ t) for t in THETA[:4]])
    got = jax.jit(lambda x, y: sliced_wasserstein(x, y, projections=THETA[:4], p=p))(x, y)
    np.testing.assert_allclose(got.value, np.mean(lines), rtol=1e-12)
    np.testing.assert_allclose(got.std_error, np.std(lines, ddof=1) / 2, rtol=1e-10)


def weights(seed):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(N)), rng.dirichlet(np.ones(M))


@pytest.mark.parametrize("p", [2, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "dtype, rtol", [(np.float64, 1e-10), pytest.param(np.float32, 1e-5, marks=pytest.mark.full)]
)
def test_weights_match_pot_on_the_same_directions(p, dtype, rtol):
    (x, y), (a, b) = clouds(0, 0.3), weights(1)
    want = ot.sliced_wasserstein_distance(x, y, a, b, projections=THETA.T, p=p) ** p
    data = [v.astype(dtype) for v in (x, y, a, b)]
    got = jax.jit(lambda *d: sliced_wasserstein(*d, projections=THETA.astype(dtype), p=p))(*data)
    np.testing.assert_allclose(got.value, want, rtol=rtol)


@pytest.mark.full
def test_weights_count_copies_of_points_with_and_without_a_control():
    (x, y), count = clouds(1), np.arange(N) % 3
    a = count / count.sum()
    copies = np.repeat(x, count, axis=0)
    for control in (None, lower_control, upper_control):
        got = sliced(x, y, a, projections=THETA, control=control)
        want = sliced(copies, y, projections=THETA, control=control)
        np.testing.assert_allclose(got.value, want.value, rtol=1e-9)
        np.testing.assert_allclose(got.std_error, want.std_error, rtol=1e-9)


@pytest.mark.full
def test_lower_control_has_no_variance_under_translation():
    x, _ = clouds(2)
    c = jnp.arange(1.0, D + 1)
    plain = sliced_wasserstein(x, x + c, projections=THETA)
    got = sliced_wasserstein(x, x + c, projections=THETA, control=lower_control)
    np.testing.assert_allclose(got.value, c @ c / D, rtol=1e-12)
    assert got.std_error < 1e-12 * plain.std_error


@jax.jit
def values_along(x, y, directions):
    return jax.vmap(lambda t: sliced_wasserstein(x, y, projections=t[None]).value)(directions)


@pytest.mark.parametrize("control", [lower_control, upper_control])
def test_control_has_the_stated_mean_and_bounds_the_value(control):
    x, y = clouds(3, 0.4)
    theta = unit(np.random.default_rng(5).normal(size=(20_000, D)))
    c, mean = map(np.asarray, jax.jit(control)(x, y, theta))
    np.testing.assert_allclose(np.mean(c), mean, atol=4 * float(np.std(c)) / np.sqrt(20_000))
    values = np.asarray(values_along(x, y, theta[:K]))
    sign = 1 if control is upper_control else -1
    assert np.all(sign * (c[:K] - values) >= -1e-12)


def drawn_by_jax(seed, shift=0.0):
    k1, k2 = jax.random.split(jax.random.key(seed))
    return jax.random.normal(k1, (N, D)), 0.5 * jax.random.normal(k2, (M, D)) + shift


def data_sets():
    """Far apart, equal means with different spreads, and heavy-tailed points: seed -> (x, y)."""
    scales = jnp.asarray([3.0, 1.0, 1.0, 0.3, 0.1])
    x, y = drawn_by_jax(6, 1.0)
    yield "apart", x, y
    x, y = drawn_by_jax(7)
    yield "equal means", (x - x.mean(0)) * scales, (y - y.mean(0))
    yield "heavy tails", jax.random.t(jax.random.key(8), 3.0, (N, D)) * scales, y


@pytest.mark.full
@pytest.mark.parametrize("control", [lower_control, upper_control])
def test_law_control_is_unbiased_and_reduces_variance(control):
    """Over 500 keys the mean is that of many directions within 3 standard errors; the best control halves variance."""
    many = random_directions(jax.random.key(10), (20_000, D))
    names, xs, ys = zip(*data_sets())
    xs, ys = jnp.stack(xs), jnp.stack(ys)

    @jax.jit
    def estimates(x, y):
        def one(key):
            theta = random_directions(key, (K, D))
            plain = sliced_wasserstein(x, y, projections=theta)
            return plain, sliced_wasserstein(x, y, projections=theta, control=control)

        keys = jax.random.split(jax.random.key(11), 500)
        return *jax.vmap(one)(keys), sliced_wasserstein(x, y, projections=many)

    for name, x, y in zip(names, xs, ys):
        plain, controlled, exact = estimates(x, y)
        error = np.hypot(np.std(controlled.value) / np.sqrt(500), exact.std_error)
        assert abs(np.mean(controlled.value) - exact.value) <= 3 * error, name
        ratio = np.var(controlled.value) / np.var(plain.value)
        # With equal means the lower bound is constant zero and explains nothing; it must not hurt either.
        limit = 1 + 1e-6 if control is lower_control and name == "equal means" else 0.5
        assert ratio <= limit, (name, ratio)
        np.testing.assert_allclose(np.mean(controlled.std_error), np.std(controlled.value), rtol=0.25)


@pytest.mark.full
def test_gradient_matches_finite_differences():
    x, y = clouds(12, 0.2)
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=x.shape), rng.normal(size=y.shape)
    for control in (None, upper_control):
        value = jax.jit(lambda x, y, c=control: sliced_wasserstein(x, y, projections=THETA, control=c).value)
        gx, gy = jax.grad(value, (0, 1))(x, y)
        h = 1e-6
        slope = (value(x + h * u, y + h * v) - value(x - h * u, y - h * v)) / (2 * h)
        np.testing.assert_allclose(jnp.vdot(gx, u) + jnp.vdot(gy, v), slope, rtol=1e-6)


@pytest.mark.full
def test_gradient_is_finite_between_equal_clouds():
    x, _ = clouds(13)
    for control in (None, lower_control, upper_control):
        both = lambda x, y, c=control: sum(
            jax.tree.leaves(
                jax.tree.map(jnp.sum, vars_of(sliced_wasserstein(x, y, projections=THETA, control=c)))
            )
        )
        assert jnp.all(jnp.isfinite(jax.grad(both)(x, x)))


def vars_of(result):
    return result.value, result.std_error


def test_one_direction_says_nothing_about_the_error():
    x, y = clouds(14)
    got = sliced(x, y, projections=THETA[:1], control=lower_control)
    assert np.isfinite(got.value)
    assert np.isnan(got.std_error)


def test_bad_input():
    x, y = clouds(15)
    broken = x.copy()
    broken[0, 0] = np.nan
    assert np.isnan(sliced(broken, y, projections=THETA, p=2.0).value)
    assert np.isnan(sliced(x, y, projections=THETA, p=0.5).value)
    with pytest.raises(ValueError, match=r"y has shape \[30, 4\].*d = 5"):
        sliced_wasserstein(x, y[:, :4], projections=THETA)
    with pytest.raises(ValueError, match=r"a have shape \[3\]"):
        sliced_wasserstein(x, y, np.ones(3) / 3, projections=THETA)
    assert np.isnan(sliced(x, y, -np.ones(N) / N, projections=THETA, p=2.0).value)
    with pytest.raises(ValueError, match="x has no rows"):
        sliced_wasserstein(x[:0], y, projections=THETA)
    with pytest.raises(ValueError, match=r"shape is \(3,\)"):
        random_directions(jax.random.key(0), (3,))
    with pytest.raises(ValueError, match="at least 2"):
        simplex_directions(jax.random.key(0), (3, 1))


def test_directions_are_unit_and_spread_as_promised():
    drawers = random_directions, orthogonal_directions, simplex_directions
    few, blocks = jax.device_get(
        jax.jit(lambda key: [[draw(key, (n, D)) for draw in drawers] for n in (7, 2 * D)])(jax.random.key(1))
    )
    for rows in few:
        assert rows.shape == (7, D)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-12)
    block = blocks[1][D:]
    np.testing.assert_allclose(block @ block.T, np.eye(D), atol=1e-12)
    block = blocks[2][D:]
    off = (block @ block.T)[~np.eye(D, dtype=bool)]
    np.testing.assert_allclose(off, -1 / (D - 1), atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("draw", [random_directions, orthogonal_directions, simplex_directions])
def test_law_each_direction_is_uniform_on_the_sphere(draw):
    """First and second moments of one row over 4000 keys: 0 and I / d, within 4.5 standard errors."""
    rows = jax.vmap(lambda k: draw(k, (D, D))[1])(jax.random.split(jax.random.key(3), 4000))
    np.testing.assert_allclose(rows.mean(0), 0, atol=4.5 / np.sqrt(4000 * D))
    np.testing.assert_allclose(rows.T @ rows / 4000, np.eye(D) / D, atol=4.5 / np.sqrt(4000) * 0.25)
