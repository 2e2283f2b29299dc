"""interval: sound, sharp where it says so, and honest about what it cannot bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geojax.metanets import interval

NUM = 1000
rng = np.random.default_rng(0)
W1, W2, X = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)), rng.normal(size=(3,))


def mlp(act):
    return lambda p, x: p["b"] + p["w2"] @ act(p["w1"] @ x + p["b1"])


def layer_norm(p, x):
    h = p["w1"] @ x
    h = (h - h.mean()) * lax.rsqrt(h.var() + 1e-5)
    return p["w2"] @ h + p["b"]


def attention(p, x):
    tokens = jnp.outer(p["b1"], x)
    scores = tokens @ p["w1"].T
    return p["w2"] @ (jax.nn.softmax(scores @ scores.T, axis=-1) @ tokens).sum(1) + p["b"]


def recurrent(p, x):
    def step(h, row):
        return jnp.tanh(p["w2"].T[:, 0] * row + h * p["b1"]), h.sum()

    h, sums = lax.scan(step, jnp.zeros(4, x.dtype), x)
    return p["w2"] @ h + p["b"] + sums[-1]


def powers(p, x):
    h = p["w1"] @ x
    return p["b"] + p["w2"] @ (jnp.square(h) + h**3 + jnp.abs(h) - jnp.sin(3 * h) + jnp.cos(h) / (1 + h * h))


def convolution(p, x):
    image = jnp.outer(p["b1"], x)[None, None]
    kernel = p["w2"].reshape(2, 1, 2, 2)
    out = lax.conv_general_dilated(image, kernel, (1, 1), "SAME")
    pooled = lax.reduce_window(out, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 1, 1), "VALID")
    return p["b"] + jax.nn.relu(pooled).mean((0, 2, 3))


def branches(p, x):
    h = jnp.where(p["b1"] > 0, p["b1"], 0.1 * p["b1"])
    h = lax.cond(x[0] > 0, lambda h: 2 * h, lambda h: h, h)
    h = lax.fori_loop(0, 3, lambda i, h: h.at[i].set(h[i] * h[i + 1]), h)
    _, h = lax.while_loop(
        lambda c: c[0] < jnp.argmax(x), lambda c: (c[0] + 1, jnp.sqrt(1 + c[1] ** 2)), (0, h)
    )
    return p["b"] + p["w2"] @ jnp.concatenate([jnp.sort(h)[:2], h[jnp.argsort(x)[:2]]])


def elementary(p, x):
    h = (
        jnp.exp(p["b1"])
        + jnp.log1p(jnp.exp(-p["b1"]))
        + jax.nn.softplus(p["b1"])
        + jax.nn.logsumexp(p["w1"] @ x)
    )
    return p["b"] + p["w2"] @ (jnp.sqrt(h) + jax.nn.sigmoid(h) + lax.erf(p["b1"]) + h**-2 + jnp.cumsum(h))


PROGRAMS = {
    "relu": mlp(jax.nn.relu),
    "tanh": mlp(jnp.tanh),
    "gelu": mlp(jax.nn.gelu),
    "leaky": mlp(jax.nn.leaky_relu),
    "layer_norm": layer_norm,
    "attention": attention,
    "recurrent": recurrent,
    "powers": powers,
    "convolution": convolution,
    "branches": branches,
    "elementary": elementary,
}


def box(radius, dtype):
    middle = {"w1": W1, "w2": W2, "b": rng.normal(size=2), "b1": rng.normal(size=4)}
    cast = lambda tree: {name: jnp.asarray(leaf, dtype) for name, leaf in tree.items()}
    lower = cast({name: leaf - radius for name, leaf in middle.items()})
    return lower, cast({name: leaf + radius for name, leaf in middle.items()})


def samples(lower, upper):
    """Points of the box in float64, half of them among its vertices."""

    def draw(a, b):
        t = rng.uniform(size=(NUM, *a.shape))
        t[: NUM // 2] = np.round(t[: NUM // 2])
        return np.asarray(a, float) + t * (np.asarray(b, float) - np.asarray(a, float))

    return {name: draw(lower[name], upper[name]) for name in lower}


@pytest.mark.full
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_law_a_box_of_parameters_holds_the_outputs_of_its_points(name, radius):
    f = PROGRAMS[name]
    lower, upper = box(radius, jnp.float32)
    points, x = samples(lower, upper), X.astype(np.float32)
    below, above = jax.jit(interval(f))(lower, upper, x)
    exact = np.asarray(jax.jit(jax.vmap(f, (0, None)))(points, x.astype(float)))
    assert np.all(below <= exact) and np.all(exact <= above)
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), points)
    rounded = np.asarray(jax.jit(jax.vmap(f, (0, None)))(single, x))
    assert np.all(below <= rounded) and np.all(rounded <= above)
    if radius == 0:
        scale = 1 + np.abs(exact[0]).max()
        assert np.all(above - below <= 2000 * np.finfo(np.float32).eps * scale)
        double = jax.tree.map(lambda leaf: leaf.astype(float), lower)
        wide = jax.jit(interval(f))(double, double, x.astype(float))
        assert np.all(wide[1] - wide[0] <= 2000 * np.finfo(float).eps * scale)


@pytest.mark.full
@pytest.mark.parametrize("name", PROGRAMS)
def test_law_nested_boxes_have_nested_bounds(name):
    lower, upper = box(0.02, jnp.float64)
    shrunk = jax.tree.map(lambda a, b: (a + 0.25 * (b - a), b - 0.25 * (b - a)), lower, upper)
    inner = [{key: shrunk[key][side] for key in shrunk} for side in (0, 1)]
    g = jax.jit(interval(PROGRAMS[name]))
    outside, inside = g(lower, upper, X), g(*inner, X)
    assert np.all(np.isfinite(outside))
    assert np.all(outside[0] <= inside[0]) and np.all(inside[1] <= outside[1])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_law_bounds_of_a_linear_map_are_attained_at_vertices(dtype):
    weights = jnp.asarray(rng.normal(size=(5, 6)), dtype)
    lower = jnp.asarray(rng.normal(size=6), dtype)
    upper = lower + jnp.asarray(rng.uniform(size=6), dtype)
    below, above = interval(lambda e: weights @ e)(lower, upper)
    vertex = lambda low, high: np.sum(np.where(weights > 0, low, high) * np.asarray(weights, float), 1)
    slack = 25 * jnp.finfo(dtype).eps * np.max(np.abs(weights) @ (np.abs(lower) + 1))
    np.testing.assert_allclose(below, vertex(lower, upper), rtol=0, atol=slack)
    np.testing.assert_allclose(above, vertex(upper, lower), rtol=0, atol=slack)
    assert np.all(below <= vertex(lower, upper)) and np.all(above >= vertex(upper, lower))


def test_a_box_of_weights_at_nonnegative_features_is_bounded_sharply():
    w, x = rng.normal(size=(4, 3)), rng.uniform(size=3)
    below, above = interval(lambda moved: moved[0] @ moved[1])((w - 0.3, x), (w + 0.3, x + 0.2))
    corners = np.stack([(w + s) * (x + t) for s in (-0.3, 0.3) for t in (0, 0.2)])
    np.testing.assert_allclose(below, corners.min(0).sum(1), atol=1e-13)
    np.testing.assert_allclose(above, corners.max(0).sum(1), atol=1e-13)


@pytest.mark.parametrize(
    "f", [jnp.sin, jnp.cos, jnp.square, jnp.abs, lambda x: x**3, lambda x: x**4, jnp.cosh]
)
def test_elementary_functions_have_their_exact_range(f):
    ends = np.sort(rng.uniform(-4, 4, size=(20, 2)), 1)
    below, above = interval(f)(*ends.T)
    grid = np.asarray(f(np.linspace(ends[:, 0], ends[:, 1], 2001)))
    assert np.all(below <= grid.min(0)) and np.all(above >= grid.max(0))
    np.testing.assert_allclose(below, grid.min(0), atol=2e-4 * (1 + abs(grid).max()))
    np.testing.assert_allclose(above, grid.max(0), atol=2e-4 * (1 + abs(grid).max()))


def test_law_a_network_in_the_intersection_of_boxes_keeps_every_certificate():
    hyper = lambda h, e: {
        "w1": (h["u"] @ e).reshape(4, 3),
        "w2": (h["v"] @ e).reshape(2, 4),
        "b1": h["c"],
        "b": h["d"],
    }
    h = {"u": rng.normal(size=(12, 5)), "v": rng.normal(size=(8, 5)), "c": np.ones(4), "d": np.ones(2)}
    answer = lambda e, h, x: mlp(jax.nn.relu)(hyper(h, e), x)
    tasks = rng.normal(size=5) + rng.uniform(-0.1, 0.1, size=(3, 5))
    lower, upper = (tasks - 0.2).max(0), (tasks + 0.2).min(0)
    universal = (lower + upper) / 2
    assert np.all(lower <= upper)
    for e in tasks:
        below, above = interval(answer)(e - 0.2, e + 0.2, h, X)
        assert np.all(below <= answer(universal, h, X)) and np.all(answer(universal, h, X) <= above)
    weights = interval(lambda e, h: hyper(h, e))(lower, upper, h)
    assert all(
        jax.tree.leaves(
            jax.tree.map(
                lambda a, w, b: bool(jnp.all((a <= w) & (w <= b))),
                weights[0],
                hyper(h, universal),
                weights[1],
            )
        )
    )


def test_an_empty_box_and_a_root_of_a_negative_number_have_nan_bounds():
    assert np.all(np.isnan(interval(lambda x: 2 * x)(jnp.array(1.0), jnp.array(0.0))))
    assert np.isnan(interval(jnp.sqrt)(jnp.array(-1.0), jnp.array(1.0))[0])


def test_a_quotient_by_a_box_around_zero_is_unbounded():
    below, above = interval(lambda x: 1 / x)(jnp.array([-1.0, 1.0]), jnp.array([1.0, 2.0]))
    assert (below[0], above[0]) == (-np.inf, np.inf)
    np.testing.assert_allclose((below[1], above[1]), (0.5, 1.0))


def test_a_test_with_bounds_may_turn_out_either_way():
    below, above = interval(lambda x: (x > 0, jnp.where(x > 0, 3.0, 5.0)))(
        jnp.array([-2.0, -1, 1]), jnp.array([-1.0, 1, 2])
    )
    assert below[0].tolist() == [False, False, True] and above[0].tolist() == [False, True, True]
    assert below[1].tolist() == [5, 3, 3] and above[1].tolist() == [5, 5, 3]


@pytest.mark.full
def test_derivatives_of_bounds_are_those_of_difference_quotients():
    f = interval(mlp(jnp.tanh))
    lower, upper = box(0.1, jnp.float64)
    total = lambda t: sum(
        jnp.sum(jnp.sin(end)) for end in f(jax.tree.map(lambda a, d: a + t * d, lower, push), upper, X)
    )
    push = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), lower)
    quotient = (total(1e-6) - total(-1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(total)(0.0), quotient, rtol=1e-7)


def test_half_precision_is_rounded_outwards():
    x = jnp.asarray(rng.normal(size=7), jnp.bfloat16)
    below, above = interval(lambda x: jnp.tanh(3 * x))(x, x)
    assert below.dtype == above.dtype == jnp.bfloat16
    exact = np.tanh(3 * np.asarray(x, float))
    assert np.all(np.asarray(below, float) <= exact) and np.all(exact <= np.asarray(above, float))
    assert np.all(np.asarray(above, float) - np.asarray(below, float) <= 2**-5)


@pytest.mark.parametrize(
    "f, named",
    [
        (lambda x: jnp.fft.rfft(x).real, "'fft'.*test_bounds.py"),
        (lambda x: jnp.linalg.svd(jnp.outer(x, x))[1], "'svd'.*test_bounds.py"),
        (lambda x: jnp.arange(3.0)[jnp.argmax(x)], "'argmax'.*has no rule"),
        (lambda x: x[(x > 0).astype(int)], "depends on an interval"),
        (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), "'cond'.*branches"),
        (lambda x: lax.while_loop(lambda x: x[0] < 1, lambda x: x + 1, x), "'while'.*ends when"),
    ],
)
def test_a_program_without_bounds_is_refused_with_its_line(f, named):
    with pytest.raises(ValueError, match=named):
        interval(f)(jnp.zeros(3), jnp.ones(3))


def test_what_depends_on_no_interval_may_be_any_program():
    f = lambda w, x: w @ jnp.fft.fft(2 * x).real * x[jnp.argmax(x)]
    below, above = interval(f)(W1, W1, X)
    np.testing.assert_allclose(below, f(W1, X), rtol=1e-12, atol=1e-12)
    assert np.all(below <= above)


@pytest.mark.parametrize("wrong", ["a function", "integers", "other leaves", "other shapes"])
def test_a_wrong_call_is_answered(wrong):
    x = jnp.ones(3)
    calls = {
        "a function": lambda: interval(3),
        "integers": lambda: interval(jnp.sin)(jnp.arange(3), jnp.arange(3)),
        "other leaves": lambda: interval(lambda p: p["a"])({"a": x}, {"b": x}),
        "other shapes": lambda: interval(jnp.sin)(x, jnp.ones(4)),
    }
    with pytest.raises((TypeError, ValueError), match="interval"):
        calls[wrong]()
