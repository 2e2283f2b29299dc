"""Networks on weights commute with the whole group of any architecture, as `infer` reads it."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.metanets import features, fix_gauge, invariant, learned_optimizer, metanet
from geojax.symmetry import act, declare, infer, random_element


def mlp(activation, p, x):
    return activation(activation(x @ p["a"] + p["b"]) @ p["c"]) @ p["d"]


def recurrent(p, x):
    step = lambda h, u: (jax.nn.gelu(h @ p["kernel"] + u @ p["in"] + p["bias"]), None)
    return jax.lax.scan(step, jnp.zeros((2, 4)), jnp.swapaxes(x, 0, 1))[0] @ p["out"]


def convolutional(p, x):
    """Two convolutions, the second in a residual branch, and a linear readout of means."""
    conv = lambda h, w: jax.lax.conv_general_dilated(
        h, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    h = jax.nn.gelu(conv(x, p["first"]))
    h = h + jax.nn.gelu(conv(h, p["second"]) + p["bias"])
    return h.mean((1, 2)) @ p["out"]


def attention(p, x):
    """Two heads on a residual stream that a gelu layer makes."""
    h = jax.nn.gelu(x @ p["w"] + p["b"])
    q, k, v = (jnp.einsum("btd,dhc->bthc", h, p[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
    return (h + jnp.einsum("bhts,bshc,hcd->btd", weights, v, p["o"])) @ p["out"]


MLP = {"a": (3, 4), "b": (4,), "c": (4, 5), "d": (5, 2)}
PROGRAMS = {
    "gelu": (functools.partial(mlp, jax.nn.gelu), MLP, (6, 3), {"permutation"}),
    "relu": (functools.partial(mlp, jax.nn.relu), MLP, (6, 3), {"permutation", "scaling"}),
    "tanh": (functools.partial(mlp, jnp.tanh), MLP, (6, 3), {"permutation", "sign"}),
    "recurrent": (
        recurrent,
        {"kernel": (4, 4), "in": (3, 4), "bias": (4,), "out": (4, 2)},
        (2, 5, 3),
        {"permutation"},
    ),
    "convolutional": (
        convolutional,
        {"first": (2, 2, 1, 3), "second": (2, 2, 3, 3), "bias": (3,), "out": (3, 2)},
        (2, 4, 4, 1),
        {"permutation"},
    ),
    "attention": (
        attention,
        {
            "w": (3, 4),
            "b": (4,),
            "q": (4, 2, 2),
            "k": (4, 2, 2),
            "v": (4, 2, 2),
            "o": (2, 2, 4),
            "out": (4, 2),
        },
        (2, 3, 3),
        {"permutation", "general_linear"},
    ),
}


def draw(name, number, dtype=np.float64, channels=()):
    rng = np.random.default_rng(number)
    return {k: rng.normal(size=(*shape, *channels)).astype(dtype) for k, shape in PROGRAMS[name][1].items()}


@functools.cache
def spec_of(name):
    program, _, shape, kinds = PROGRAMS[name]
    spec = infer(program, draw(name, 0), jnp.ones(shape), verify=False)
    assert {group.kind for group in spec.groups.values()} == kinds
    return spec


def moved(spec, element, tree):
    return jax.vmap(lambda part: act(spec, element, part), in_axes=-1, out_axes=-1)(tree)


def cast(tree, dtype):
    return jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def drawn(init, dtype=np.float64):
    """Coefficients of the shapes that `init` makes, constants too; drawing them one by one compiles for long."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(init, jax.random.key(0))
    return jax.tree.map(lambda x: rng.normal(0.1, 1 / x.size ** (1 / 4), x.shape).astype(dtype), shapes)


TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def close(a, b, dtype):
    for name in b:
        assert a[name].dtype == b[name].dtype == dtype
        scale = np.max(np.abs(b[name]))
        assert scale > 1e-3
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=TOLERANCE[dtype] * scale)


CASES = [(name, np.float64) for name in PROGRAMS] + [(name, np.float32) for name in ("relu", "attention")]


@pytest.mark.full
@pytest.mark.parametrize("name, dtype", CASES)
def test_law_networks_commute_with_the_inferred_group(name, dtype):
    spec = spec_of(name)
    init, apply = metanet(spec, channels_in=2, channels_out=3, width=4, depth=1)
    init_pooled, pooled = invariant(spec, size=3, channels_in=2, width=4, depth=1)
    theta, other = drawn(init, dtype), drawn(init_pooled, dtype)
    both = jax.jit(lambda tree: (apply(theta, tree), pooled(other, tree)))
    tree = draw(name, 1, dtype, (2,))
    image, vector = both(tree)
    element = cast(random_element(spec, jax.random.key(2)), dtype)
    again, same = both(moved(spec, element, tree))
    close(again, moved(spec, element, image), dtype)
    close({"": same}, {"": vector}, dtype)
    _, different = both(jax.tree.map(lambda x: x[..., ::-1], tree))
    assert np.max(np.abs(different - vector)) > 1e-3 * np.max(np.abs(vector)), "it reads its input"


@pytest.mark.full
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_law_scales_and_signs_may_be_fixed_instead(name):
    """A network under permutations alone, between fix_gauge and its inverse, commutes with the whole group."""
    spec = spec_of(name)
    free = spec.without(*(n for n, group in spec.groups.items() if group.kind != "permutation"))
    init, apply = metanet(free, channels_in=3, width=4, depth=1)
    theta = drawn(init)

    @jax.jit
    def net(params):
        fixed, element = fix_gauge(spec, params, tol=1e-12 if name == "relu" else 1e-6)
        image = jax.tree.map(lambda x: x[..., 0], apply(theta, features(free, fixed)))
        back = {n: 1 / g for n, g in element.items()}  # scales and signs commute
        return act(spec, back, image)

    params = draw(name, 4)
    element = random_element(spec, jax.random.key(5))
    image, again = net(params), net(act(spec, element, params))
    for leaf, expected in act(spec, element, image).items():
        np.testing.assert_allclose(again[leaf], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.full
def test_gradients_are_finite_at_zero_and_reach_every_layer():
    spec = spec_of("relu")
    init, apply = metanet(spec, channels_in=1, width=4, depth=2)
    theta = drawn(init)
    square = lambda theta, tree: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(apply(theta, tree)))
    slope = jax.jit(jax.grad(square, argnums=(0, 1)))
    for tree in (draw("relu", 6, channels=(1,)), jax.tree.map(np.zeros_like, draw("relu", 6, channels=(1,)))):
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slope(theta, tree)))
    at_weights, _ = slope(theta, draw("relu", 6, channels=(1,)))
    for path, leaf in jax.tree_util.tree_flatten_with_path(at_weights["trunk"]["first"]["maps"])[0]:
        assert np.any(leaf != 0), path


def test_other_trees_out_and_containers_in():
    tree = {"x": jnp.ones((3, 4)), "h": jnp.ones(3)}
    points = declare(tree, {"x": ("points", None), "h": ("points",)})
    pairs = declare({"edge": jnp.ones((3, 3))}, {"edge": ("points", "points")})
    init, apply = metanet(points, pairs, channels_in=1, width=2, depth=0)
    theta = jax.eval_shape(init, jax.random.key(0))
    image = jax.eval_shape(apply, theta, jax.tree.map(lambda x: x[..., None], tree))
    assert image["edge"].shape == (3, 3, 1)


def test_wrong_calls_are_answered():
    spec = declare(jnp.ones(3), ("points",))
    init, apply = metanet(spec, width=2, depth=0)
    with pytest.raises(ValueError, match="expected 1 channels"):
        jax.eval_shape(apply, jax.eval_shape(init, jax.random.key(0)), jnp.ones((3, 2)))
    with pytest.raises(ValueError, match="does not act on every entry"):
        metanet(spec, nonlinearity=jax.nn.softmax)
    with pytest.raises(TypeError, match="nonlinearity is"):
        metanet(spec, nonlinearity=1.0)
    with pytest.raises(TypeError, match="spec is"):
        invariant({"a": 1}, size=2)
    with pytest.raises(ValueError, match="size is 0"):
        invariant(spec, size=0)
    with pytest.raises(TypeError, match="typed random key"):
        init(0)
    charged = declare({"a": jnp.ones(3)}, {"a": ("u:scaling",)})
    with pytest.raises(ValueError, match=re.escape("'u:scaling' (scaling)")):
        invariant(charged, size=2)


@pytest.mark.full
def test_law_init_keeps_the_size_of_its_input():
    """Entries of variance one come out with a variance near one, whatever the lengths of the axes."""
    tree = {"a": jnp.ones((9, 4)), "b": jnp.ones(4)}
    spec = declare(tree, {"a": (None, "units"), "b": ("units",)})
    init, apply = invariant(spec, size=8, channels_in=2, width=8, depth=0)
    rng = np.random.default_rng(7)
    tree = {name: rng.normal(size=(*leaf.shape, 2)) for name, leaf in tree.items()}
    made = jax.jit(jax.vmap(lambda key: apply(init(key), tree)))(jax.random.split(jax.random.key(4), 64))
    assert 0.1 < np.std(made) < 10


@pytest.mark.full
def test_law_a_learned_optimiser_takes_the_same_steps_in_another_order():
    spec = spec_of("gelu")
    init, apply = metanet(spec, channels_in=9, width=4, depth=1)
    optimiser = learned_optimizer(spec, apply, drawn(init), decays=(0.9, 0.5))

    @jax.jit
    def steps(params, slopes):
        state = optimiser.init(params)
        for slope in slopes:
            updates, state = optimiser.update(slope, state, params)
            params = jax.tree.map(jnp.add, params, updates)
        return params

    params, slopes = draw("gelu", 1), [draw("gelu", 2), draw("gelu", 3)]
    element = random_element(spec, jax.random.key(6))
    there = act(spec, element, steps(params, slopes))
    close(
        steps(act(spec, element, params), [act(spec, element, slope) for slope in slopes]), there, np.float64
    )


@pytest.mark.full
def test_without_coefficients_the_steps_are_those_of_normalised_momentum():
    spec = spec_of("gelu")
    init, apply = metanet(spec, channels_in=9, width=4, depth=1)
    nothing = jax.tree.map(jnp.zeros_like, drawn(init))
    optimiser = learned_optimizer(spec, apply, nothing, learning_rate=0.1, decays=(0.9, 0.5))
    params, slope = draw("gelu", 1), draw("gelu", 2)
    updates, _ = jax.jit(lambda p, g: optimiser.update(g, optimiser.init(p), p))(params, slope)
    for name, leaf in slope.items():
        np.testing.assert_allclose(updates[name], -0.1 * leaf / np.sqrt(np.mean(leaf**2)), rtol=1e-12)


def test_learned_optimizer_refuses_wrong_calls():
    spec = declare({"w": jnp.ones(3)}, {"w": ("units",)})
    with pytest.raises(TypeError, match="apply is"):
        learned_optimizer(spec, {"w": 1}, {})
    with pytest.raises(ValueError, match="decays is empty"):
        learned_optimizer(spec, lambda theta, tree: tree, {}, decays=())
    optimiser = learned_optimizer(spec, lambda theta, tree: tree, {})
    with pytest.raises(ValueError, match="got no params"):
        optimiser.update({"w": jnp.ones(3)}, optimiser.init({"w": jnp.ones(3)}))
