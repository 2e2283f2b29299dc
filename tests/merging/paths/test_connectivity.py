"""Paths between parameters and the barrier on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import barrier, interpolate


def draw(key, dtype=jnp.float64):
    k1, k2 = jax.random.split(key)
    return {"w": jax.random.normal(k1, (3, 4), dtype), "b": [jax.random.normal(k2, (4,), dtype)]}


def models(dtype=np.float64):
    """Two models, drawn by numpy."""
    random = np.random.default_rng(0)
    one = lambda: {"w": random.normal(size=(3, 4)), "b": [random.normal(size=4)]}
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (one(), one()))


PAIRS = jax.random.split(jax.random.key(1), 64)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_law_the_ends_of_the_path_are_the_models(dtype):
    a, b = models(dtype)
    for t, end in ((0.0, a), (1.0, b)):
        got = interpolate(a, b, t)
        assert jax.tree.all(jax.tree.map(lambda x, y: np.array_equal(x, y) and x.dtype == y.dtype, got, end))


def test_law_interpolation_is_affine_in_t():
    def gap(key):
        a, b = draw(key), draw(jax.random.fold_in(key, 1))
        s, t = jax.random.uniform(key, (2,))
        inner = interpolate(a, interpolate(a, b, t), s)
        outer = interpolate(a, b, s * t)
        return jax.tree.reduce(jnp.maximum, jax.tree.map(lambda x, y: jnp.abs(x - y).max(), inner, outer))

    assert np.max(jax.jit(jax.vmap(gap))(PAIRS)) < 1e-14


def test_matches_numpy_on_each_leaf():
    a, b = models()
    got = interpolate(a, b, 0.3)
    for x, y, z in zip(*map(jax.tree.leaves, (a, b, got)), strict=True):
        np.testing.assert_allclose(z, 0.7 * np.asarray(x) + 0.3 * np.asarray(y), rtol=1e-15)


def test_leaves_that_are_not_inexact_are_those_of_the_first_model():
    activation = jnp.tanh
    a = {"w": jnp.zeros(2), "steps": jnp.array(3), "mask": jnp.array([True, False]), "f": activation}
    b = {"w": jnp.ones(2), "steps": jnp.array(5), "mask": jnp.array([False, False]), "f": activation}
    got = interpolate(a, b, 0.75)
    assert got["w"].tolist() == [0.75, 0.75]
    assert got["steps"] == 3
    assert got["mask"].tolist() == [True, False]
    assert got["f"] is activation


def test_interpolate_has_the_difference_as_its_derivative_in_t():
    a, b = models()
    slope = jax.jit(jax.jacfwd(lambda t: interpolate(a, b, t)))(0.2)
    for x, y, d in zip(*map(jax.tree.leaves, (a, b, slope)), strict=True):
        np.testing.assert_allclose(d, np.asarray(y) - np.asarray(x), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        ({"w": jnp.zeros(3)}, ValueError, "'w'"),
        ({"v": jnp.zeros(2)}, ValueError, "'v'"),
        ({"w": jnp.zeros(2, jnp.float32)}, TypeError, "float32"),
        ([jnp.zeros(2)], ValueError, "params_b"),
    ],
)
def test_trees_of_two_models_are_refused(other, error, words):
    with pytest.raises(error, match=words):
        interpolate({"w": jnp.zeros(2)}, other, 0.5)
    with pytest.raises(error, match="params_b"):
        barrier(lambda p: 0.0, {"w": jnp.zeros(2)}, other)


def test_a_batch_of_times_is_refused():
    with pytest.raises(ValueError, match=r"t has shape \[3\]"):
        interpolate(jnp.zeros(2), jnp.ones(2), jnp.arange(3.0))


def test_law_a_linear_loss_has_no_barrier():
    def value(key):
        a, b = draw(key), draw(jax.random.fold_in(key, 1))
        loss = lambda p: 3.0 + p["w"].sum() - 2.0 * p["b"][0] @ jnp.arange(4.0)
        return barrier(loss, a, b).value

    assert np.abs(jax.jit(jax.vmap(value))(PAIRS)).max() < 1e-13


def test_law_a_convex_loss_has_no_barrier():
    def value(key):
        a, b = draw(key), draw(jax.random.fold_in(key, 1))
        loss = lambda p: jax.nn.logsumexp(p["w"]) + jnp.abs(p["b"][0]).max()
        return barrier(loss, a, b).value

    assert np.max(jax.jit(jax.vmap(value))(PAIRS)) < 1e-13


def test_matches_the_closed_form_of_a_concave_parabola():
    # loss(x) = -c x^2 from x = p to x = q exceeds its chord by c (q - p)^2 t (1 - t), largest at t = 1/2.
    p, q, c = jnp.array(-1.0), jnp.array(3.0), 0.7
    result = barrier(lambda x: -c * x**2, p, q, num=25)
    np.testing.assert_allclose(result.value, c * 16 / 4, rtol=1e-12)
    np.testing.assert_allclose(result.times, np.linspace(0, 1, 25), rtol=1e-15)
    np.testing.assert_allclose(
        result.curve, -c * (-1 + 4 * np.linspace(0, 1, 25)) ** 2, rtol=1e-12, atol=1e-14
    )


def test_matches_the_closed_form_between_two_quadratic_wells():
    # min((x+1)^2, (x-1)^2 + h) rises above its chord h t most at x = h/4, where the wells meet.
    h = 0.5
    loss = lambda x: jnp.minimum((x + 1) ** 2, (x - 1) ** 2 + h)
    result = barrier(loss, jnp.array(-1.0), jnp.array(1.0), num=1601)
    t = (h / 4 + 1) / 2
    np.testing.assert_allclose(result.value, (h / 4 + 1) ** 2 - h * t, rtol=1e-2)


def test_the_gradient_of_the_barrier_is_that_of_its_highest_point():
    loss = lambda x: -(x**2)
    got = jax.jit(jax.grad(lambda q: barrier(loss, jnp.array(0.0), q, num=3).value))(2.0)
    np.testing.assert_allclose(got, 1.0, rtol=1e-12)  # value = q^2/4


def test_the_path_may_be_another_one():
    around = lambda a, b, t: jnp.stack([jnp.cos(jnp.pi * t), jnp.sin(jnp.pi * t)])
    a, b = jnp.array([1.0, 0.0]), jnp.array([-1.0, 0.0])
    loss = lambda p: p[1] ** 2
    np.testing.assert_allclose(barrier(loss, a, b, num=5).value, 0.0, atol=1e-15)
    np.testing.assert_allclose(barrier(loss, a, b, num=5, path=around).value, 1.0, rtol=1e-12)


def test_a_loss_that_is_nowhere_finite_gives_no_finite_barrier():
    assert jnp.isnan(barrier(lambda x: jnp.log(-1.0 - x**2), jnp.array(0.0), jnp.array(1.0)).value)


def test_a_loss_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match=r"loss\(params\) has shape \[2\]"):
        barrier(lambda x: x, jnp.zeros(2), jnp.ones(2))
    with pytest.raises(ValueError, match="num is 1"):
        barrier(lambda x: x.sum(), jnp.zeros(2), jnp.ones(2), num=1)


def test_the_loss_is_traced_once_and_compiled_into_one_program():
    traces = []

    @jax.jit
    def value(a, b):
        def loss(x):
            traces.append(1)
            return jnp.sum(x**2)

        return barrier(loss, a, b).value

    value(jnp.zeros(2), jnp.ones(2))
    value(jnp.ones(2), jnp.ones(2))
    assert len(traces) <= 2
