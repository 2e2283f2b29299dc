"""Matching through continuous groups and signs: planted elements, balancing, and the objective that never falls."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import identity, random_element
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.matching.by_activations import activation_matching
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.frank_wolfe import frank_wolfe_matching
from geojax.symmetry.matching.universe import universe_matching
from geojax.symmetry.orbits.balance import balancing_element


def layers(activation):
    def apply(p, x):
        x = activation(x @ p["w0"] + p["b0"])
        return activation(x @ p["w1"] + p["b1"]) @ p["w2"]

    return apply


def attention(p, x):
    q, k, v = (jnp.einsum("btd,dhc->bthc", x, p[n]) for n in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
    return jnp.einsum("bhts,bshc,hco->bto", weights, v, p["o"])


def rms(x):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)


def residual(p, x):
    h = x @ p["in"]
    h = h + jax.nn.gelu(rms(h) @ p["up"]) @ p["down"]
    return rms(h) @ p["out"]


def scaled_norms(p, x):
    """Three norms read one stream, each with a scale, and so with signs, of its own."""
    h = x @ p["in"]
    h = h + jax.nn.gelu((p["s0"] * rms(h)) @ p["up"]) @ p["down"]
    h = h + jax.nn.gelu((p["s1"] * rms(h)) @ p["up1"]) @ p["down1"]
    return (p["s2"] * rms(h)) @ p["out"]


def normed(p, x):
    """Each unit is divided by its size over the batch: its incoming weights scale without any to make up for it."""
    unit = lambda x: x / jnp.sqrt(jnp.mean(x * x, axis=0))
    return jax.nn.gelu(unit(jax.nn.gelu(unit(x @ p["w0"])) @ p["w1"])) @ p["w2"]


def square(p, x):
    """A linear map of the stream to itself carries its rotations on two axes."""
    h = x @ p["in"]
    h = h + rms(h) @ p["mix"]
    return rms(h) @ p["out"]


def recurrent(p, x):
    def step(h, u):
        h = jnp.tanh(h @ p["r"] + u @ p["i"])
        return h, h

    return jax.lax.scan(step, jnp.zeros(4), x)[1] @ p["o"]


MLP = {"w0": (8, 5), "b0": (5,), "w1": (5, 4), "b1": (4,), "w2": (4, 3)}
HEADS = {"q": (6, 2, 3), "k": (6, 2, 3), "v": (6, 2, 3), "o": (2, 3, 6)}
WHOLE = {"w0": (8, 5), "w1": (5, 4), "w2": (4, 3)}
NORMS = {"s0": (4,), "s1": (4,), "s2": (4,), "up1": (4, 3), "down1": (3, 4)}
STREAM = {"in": (8, 4), "up": (4, 5), "down": (5, 4), "out": (4, 3)}
MODELS = {
    "relu: permutations and scalings": (layers(jax.nn.relu), MLP, (6, 8)),
    "tanh: permutations and signs": (layers(jnp.tanh), MLP, (6, 8)),
    "attention: a linear group in each head": (attention, HEADS, (2, 5, 6)),
    "residual stream: rotations": (residual, STREAM, (6, 8)),
    "a stream with three norms: signs and scales of each": (scaled_norms, STREAM | NORMS, (6, 8)),
    "a square map: rotations on two axes": (square, {"in": (8, 4), "mix": (4, 4), "out": (4, 3)}, (6, 8)),
    "norms without an offset: scales of whole maps": (normed, WHOLE, (6, 8)),
    "recurrent: signs on two axes": (recurrent, {"i": (8, 4), "r": (4, 4), "o": (4, 3)}, (6, 8)),
}
RELU, TANH = "relu: permutations and scalings", "tanh: permutations and signs"


def some(names, fast):
    """The models as parameters of a test; all but the ``fast`` ones run in the full tier alone."""
    marks = [name if name in fast else pytest.param(name, marks=pytest.mark.full) for name in names]
    return pytest.mark.parametrize("name", marks)


each_model = some(MODELS, (RELU, TANH))


def draw(shapes, key, dtype=jnp.float64):
    keys = jax.random.split(key, len(shapes))
    return {n: jax.random.normal(k, s, dtype) for k, (n, s) in zip(keys, shapes.items())}


def numpy_draw(shapes, seed, dtype=np.float64):
    random = np.random.default_rng(seed)
    return {n: random.normal(size=s).astype(dtype) for n, s in shapes.items()}


@functools.cache
def model(name):
    apply, shapes, batch = MODELS[name]
    x = np.random.default_rng(9).normal(size=batch)
    return apply, shapes, x, infer(apply, numpy_draw(shapes, 0), x, verify=False)


def first(trees):
    return jax.tree.map(lambda leaf: leaf[0], trees)


def apart(x, y):
    """Largest difference, relative to the largest entry."""
    x, y = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (x, y))
    return np.max(np.abs(x - y)) / np.max(np.abs(x))


KEYS = jax.random.split(jax.random.key(1), 8)


@functools.cache
def matcher(name):
    """One compiled program a model: it matches 8 pairs, and moves the second of each to the first."""
    spec = model(name)[-1]

    @jax.jit
    @jax.vmap
    def match(a, b, key):
        result = weight_matching(spec, a, b, key=key)
        return result, act(spec, result.element, b)

    return lambda a, b: jax.device_get(match(a, b, KEYS))


@functools.cache
def turner(name):
    """One compiled program a model: it moves 8 models by random elements."""
    spec = model(name)[-1]
    turn = jax.jit(jax.vmap(lambda key, params: act(spec, random_element(spec, key), params)))
    return lambda keys, params: jax.device_get(turn(keys, params))


@functools.cache
def planted(name):
    """8 models, and each moved by a random element."""
    b = numpy_draw({n: (8, *s) for n, s in model(name)[1].items()}, 1)
    return turner(name)(KEYS, b), b


@each_model
def test_law_a_planted_element_is_recovered_with_its_continuous_part(name):
    a, b = planted(name)
    result, moved = matcher(name)(a, b)
    for k in range(8):
        np.testing.assert_array_less(
            apart(*(jax.tree.map(lambda leaf, k=k: leaf[k], tree) for tree in (a, moved))), 1e-6
        )
    np.testing.assert_array_equal(result.status, Status.CONVERGED)
    np.testing.assert_array_less(result.num_steps, 10)


@some([n for n in MODELS if "scal" in n or "linear" in n or "tanh" in n], (RELU,))
def test_law_the_match_does_not_depend_on_how_the_models_were_scaled(name):
    """Random pairs, each model moved through its orbit: the same objective, the same function half way."""
    apply, _, x, _ = model(name)
    a, b = planted(name)
    b = jax.tree.map(lambda leaf: np.roll(leaf, 1, axis=0), b)
    keys = jax.random.split(jax.random.key(2), (2, 8))
    turned = [turner(name)(*each) for each in zip(keys, (a, b))]
    outputs = jax.jit(jax.vmap(lambda params: apply(params, x)))
    middles, values = [], []
    for one, two in ((a, b), turned):
        result, moved = matcher(name)(one, two)
        middles.append(np.asarray(outputs(jax.tree.map(lambda u, v: (u + v) / 2, one, moved))))
        values.append(result.objective)
    same = np.isclose(*values, rtol=1e-6)
    # Coordinate ascent is a local search: another order of equals may end elsewhere.
    assert np.mean(same) > 0.6
    np.testing.assert_allclose(middles[0][same], middles[1][same], rtol=1e-4, atol=1e-5)


@some([n for n in MODELS if "residual" not in n and "norms" not in n and "tanh" not in n], ())
def test_law_the_objective_never_falls_from_a_start(name):
    spec = model(name)[-1]
    a, b = planted(name)
    b = jax.tree.map(lambda leaf: np.roll(leaf, 1, axis=0), b)

    @jax.jit
    @jax.vmap
    def climb(a, b, key):
        start = random_element(spec, key)
        at_start = weight_matching(spec, a, b, key=key, init=start, max_steps=0)
        once = weight_matching(spec, a, b, key=key, init=start, max_steps=1)
        return at_start.objective, once.objective, once.error

    before, after, rise = climb(a, b, KEYS)
    assert np.all(after >= before - 1e-12 * np.abs(before))
    np.testing.assert_allclose(after - before, rise, rtol=1e-6, atol=1e-10)


def test_signed_permutations_equal_brute_force():
    """All 3! 2^3 elements of a hidden layer of three tanh units."""
    apply = lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"]
    shapes = {"w": (2, 3), "v": (3, 2)}
    spec = infer(apply, numpy_draw(shapes, 0), np.ones((5, 2)), verify=False)
    (perm, sign) = spec.groups
    elements = {
        perm: np.array([p for p in itertools.permutations(range(3)) for _ in range(8)]),
        sign: np.array([s for _ in range(6) for s in itertools.product((-1.0, 1.0), repeat=3)]),
    }

    @jax.jit
    @jax.vmap
    def gap(key):
        a, b = draw(shapes, key), draw(shapes, jax.random.fold_in(key, 1))
        all_moved = jax.vmap(lambda g: act(spec, g, b))(elements)
        values = jnp.sum(all_moved["w"] * a["w"], (1, 2)) + jnp.sum(all_moved["v"] * a["v"], (1, 2))
        return jnp.max(values) - weight_matching(spec, a, b, key=key).objective

    np.testing.assert_allclose(gap(KEYS), 0, atol=1e-12)


def test_one_rotation_equals_scipys_procrustes():
    apply = lambda p, x: rms(x @ p["w"]) @ p["v"]
    shapes = {"w": (8, 4), "v": (4, 3)}
    spec = infer(apply, numpy_draw(shapes, 0), np.ones((5, 8)), verify=False)
    a, b = numpy_draw(shapes, 1), numpy_draw(shapes, 2)
    flat = lambda p: np.concatenate([p["w"], p["v"].T])
    _, best = scipy.linalg.orthogonal_procrustes(flat(b), flat(a))
    result = jax.jit(functools.partial(weight_matching, spec))(a, b, key=KEYS[0])
    np.testing.assert_allclose(result.objective, best, rtol=1e-12)


def test_balancing_splits_the_product_of_two_linear_maps_evenly():
    """The least norm over GL(n) of |A w|^2 + |v A^-1|^2 is twice the nuclear norm of v w."""
    spec = model("attention: a linear group in each head")[-1]
    params = numpy_draw(HEADS, 5)
    balanced = jax.jit(lambda p: act(spec, balancing_element(spec, p, dtype=jnp.dtype("float64")), p))
    least = sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(balanced(params)))
    products = (
        np.einsum("dhc,ehc->hde", params["q"], params["k"]),
        np.einsum("dhc,hce->hde", params["v"], params["o"]),
    )
    np.testing.assert_allclose(least, 2 * sum(np.linalg.svd(m)[1].sum() for m in products), rtol=1e-9)


@pytest.mark.full
def test_a_start_from_activations_may_hold_continuous_groups():
    name = "attention: a linear group in each head"
    apply, _, x, spec = model(name)
    a, b = map(first, planted(name))
    start = activation_matching(spec, apply, a, b, x)
    np.testing.assert_array_less(apart(a, act(spec, start.element, b)), 1e-6)
    result = weight_matching(spec, a, b, key=jax.random.key(0), init=start.element)
    assert result.num_steps == 1
    np.testing.assert_array_less(apart(a, act(spec, result.element, b)), 1e-6)


@pytest.mark.full
def test_activation_matching_moves_signs_too():
    apply, _, x, spec = model(TANH)
    a, b = map(first, planted(TANH))
    result = activation_matching(spec, apply, a, b, x)
    np.testing.assert_array_less(apart(a, act(spec, result.element, b)), 1e-6)


@pytest.mark.full
@pytest.mark.parametrize("name", [RELU, TANH])
def test_frank_wolfe_matching_moves_continuous_groups_too(name):
    spec = model(name)[-1]
    a, b = map(first, planted(name))
    result = frank_wolfe_matching(spec, a, b, max_steps=20)
    np.testing.assert_array_less(apart(a, act(spec, result.element, b)), 1e-6)


@pytest.mark.full
def test_universe_matching_moves_continuous_groups_too():
    spec = model(RELU)[-1]
    models = [*map(first, planted(RELU))]
    both = universe_matching(spec, models, key=jax.random.key(0))
    one, two = (act(spec, {n: g[k] for n, g in both.element.items()}, m) for k, m in enumerate(models))
    np.testing.assert_array_less(apart(one, two), 1e-6)


@pytest.mark.full
def test_the_nearest_permutation_is_told_apart_from_the_rest():
    """Where only permutations were planted beside linear groups, permutations come back."""
    name = "attention: a linear group in each head"
    _, shapes, _, spec = model(name)
    b = draw(shapes, jax.random.key(7))
    perms = {n: g for n, g in random_element(spec, jax.random.key(8)).items() if g.dtype == jnp.int32}
    result = weight_matching(spec, act(spec, perms, b), b, key=jax.random.key(9)).element
    for n, still in identity(spec).items():
        if n in perms:
            np.testing.assert_array_equal(result[n], perms[n])
        else:
            np.testing.assert_allclose(result[n], still, atol=1e-9)


@pytest.mark.full
def test_groups_taken_out_of_the_spec_stay():
    name = "relu: permutations and scalings"
    spec = model(name)[-1]
    held = spec.without(*(n for n, g in spec.members if g.kind == "scaling"))
    a, b = map(first, planted(name))
    result = weight_matching(held, a, b, key=jax.random.key(0))
    assert set(result.element) == set(held.groups)
    np.testing.assert_allclose(
        result.objective, sum(jnp.vdot(x, y) for x, y in zip(
            jax.tree.leaves(a), jax.tree.leaves(act(held, result.element, b)))), rtol=1e-12
    )  # fmt: skip


def test_dead_units_and_nan_weights():
    name = RELU
    a, b = planted(name)
    dead, broken = jax.tree.map(np.copy, (b, b))
    dead["w0"][:, :, 0] = dead["b0"][:, 0] = 0
    broken["w1"][:, 0, 0] = np.nan
    result, _ = matcher(name)(a, dead)
    assert np.all(np.isfinite(result.objective))
    result, _ = matcher(name)(a, broken)
    np.testing.assert_array_equal(result.status, Status.NONFINITE)


def test_single_precision_stays_single():
    name = "attention: a linear group in each head"
    _, shapes, _, spec = model(name)
    a, b = (numpy_draw(shapes, k, np.float32) for k in (1, 2))
    result = jax.eval_shape(lambda a, b: weight_matching(spec, a, b, key=jax.random.key(0)), a, b)
    assert result.objective.dtype == jnp.float32
    assert all(g.dtype in (jnp.int32, jnp.float32) for g in result.element.values())
