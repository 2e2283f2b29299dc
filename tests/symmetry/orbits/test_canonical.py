"""Canonical representatives: least norm, one for an orbit, and the counts of the group."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import geojax as gj
from geojax.symmetry import (
    act,
    canonical_permutation,
    canonicalize,
    infer,
    min_norm_rescaling,
    permutation_count,
    random_element,
)
from geojax.symmetry.action.groups import SCALING


def relu_network(params, x):
    h = jax.nn.relu(x @ params["a"] + params["s"])
    return jax.nn.relu(h @ params["b"] + params["t"]) @ params["c"]


def tanh_network(params, x):
    h = jnp.tanh(x @ params["a"] + params["s"])
    return jnp.tanh(h @ params["b"] + params["t"]) @ params["c"]


RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(9, 3))


def draw(shapes):
    return {name: RANDOM.normal(size=shape) for name, shape in shapes.items()}


LAYERS = {"a": (3, 6), "s": (6,), "b": (6, 4), "t": (4,), "c": (4, 2)}


def test_one_hidden_layer_gets_equal_norms_in_and_out():
    params = {"w": RANDOM.normal(size=(3, 5)), "b": np.linspace(-1, 1, 5), "v": np.ones((5, 2)) * 3}
    apply = lambda p, x: jax.nn.relu(x @ p["w"] + p["b"]) @ p["v"]
    spec = infer(apply, params, X, verify=False)

    @jax.jit
    def rescale(params):
        result = min_norm_rescaling(spec, params, tol=1e-10)
        return result, act(spec, result.element, params)

    result, moved = jax.device_get(rescale(params))
    gj.unwrap(result)
    into = np.sum(moved["w"] ** 2, 0) + moved["b"] ** 2
    np.testing.assert_allclose(into, np.sum(moved["v"] ** 2, 1), rtol=1e-8)


def test_scalings_of_whole_leaves_are_balanced_too():
    """A residual gate and the map behind it, of which g = 0.5 and g = 4 were both called least."""
    params = {"a": RANDOM.normal(size=(3, 4)), "b": RANDOM.normal(size=(4, 2)), "g": np.array(0.5)}
    spec = infer(lambda p, x: p["g"] * jnp.tanh(x @ p["a"]) @ p["b"], params, X, verify=False)
    moved = {**params, "b": params["b"] / 8, "g": params["g"] * 8}
    canonical = jax.jit(lambda params: canonicalize(spec, params, tol=1e-10))
    found = jax.device_get(canonical(params))
    for name, leaf in canonical(moved).items():
        np.testing.assert_allclose(leaf, found[name], rtol=1e-9)
    least = np.sqrt(0.5 * np.linalg.norm(params["b"]))
    np.testing.assert_allclose([found["g"], np.linalg.norm(found["b"])], least, rtol=1e-9)


def test_matches_scipy_on_two_layers():
    params = draw(LAYERS)
    spec = infer(relu_network, params, X, verify=False)
    names = [name for name, group in spec.members if group.kind == SCALING]
    sizes = [spec.groups[name].size for name in names]

    def norm(logs):
        parts = jnp.split(jnp.exp(logs), np.cumsum(sizes)[:-1])
        moved = act(spec, dict(zip(names, parts)), params)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(moved))

    oracle = scipy.optimize.minimize(
        jax.jit(jax.value_and_grad(norm)), np.zeros(sum(sizes)), jac=True, tol=1e-12
    )
    found = gj.unwrap(jax.jit(functools.partial(min_norm_rescaling, spec, tol=1e-10))(params))
    np.testing.assert_allclose(found.objective, oracle.fun, rtol=1e-9)


def test_law_one_representative_for_an_orbit(key):
    for apply in (relu_network, tanh_network):
        params = draw(LAYERS)
        spec = infer(apply, params, X, verify=False)

        @jax.jit
        def law(params, keys, spec=spec, apply=apply):
            form = lambda p: canonicalize(spec, p, tol=1e-11)
            expected = form(params)
            moved = jax.vmap(lambda key: act(spec, random_element(spec, key), params))(keys)
            same = jax.tree.map(lambda x, y: jnp.concatenate([x[None], y]), expected, moved)
            return expected, apply(expected, X), apply(params, X), jax.vmap(form)(same)

        expected, after, before, forms = jax.device_get(law(params, jax.random.split(key, 16)))
        np.testing.assert_allclose(after, before, rtol=1e-9)
        for name, one in expected.items():
            np.testing.assert_allclose(
                forms[name], np.broadcast_to(one, forms[name].shape), rtol=1e-6, atol=1e-9
            )


def test_units_are_sorted_inside_their_heads(key):
    def heads(params, x):
        q, k, v = (jnp.einsum("btd,dhc->bthc", x, params[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
        return jnp.einsum("bhts,bshc,hcd->btd", weights, v, params["o"])

    shapes = {"q": (4, 3, 2), "k": (4, 3, 2), "v": (4, 3, 2), "o": (3, 2, 4)}
    params = draw(shapes)
    x = RANDOM.normal(size=(2, 5, 4))
    spec = infer(heads, params, x, verify=False)
    permutations = {name for name, group in spec.members if group.kind == "permutation"}

    @jax.jit
    def law(params, keys):
        form = lambda p: act(spec, canonical_permutation(spec, p), p)

        def of_moved(key):
            element = {name: g for name, g in random_element(spec, key).items() if name in permutations}
            return form(act(spec, element, params))

        expected = form(params)
        return expected, heads(expected, x), heads(params, x), jax.vmap(of_moved)(keys)

    expected, after, before, forms = jax.device_get(law(params, jax.random.split(key, 8)))
    np.testing.assert_allclose(after, before, rtol=1e-9)
    for name, one in expected.items():
        np.testing.assert_array_equal(forms[name], np.broadcast_to(one, forms[name].shape))
    assert permutation_count(spec) == math.factorial(3) * 2**3 * 2**3


def test_units_without_a_least_norm_keep_their_scale():
    params = {"w": np.ones((2, 3)), "v": np.array([[1.0], [0.0], [4.0]])}
    apply = lambda p, x: jax.nn.relu(x @ p["w"]) @ p["v"]
    spec = infer(apply, params, X[:, :2], verify=False)
    found = gj.unwrap(jax.jit(functools.partial(min_norm_rescaling, spec))(params))
    (scale,) = map(np.asarray, found.element.values())
    assert scale[1] == 1 and np.all(np.isfinite(scale))


def test_not_a_number_is_reported():
    params = {**draw(LAYERS), "t": np.array([0.0, np.nan, 0.0, 0.0])}
    spec = infer(relu_network, params, X, verify=False)
    result = jax.jit(functools.partial(min_norm_rescaling, spec))(params)
    assert gj.Status(int(result.status)) == gj.Status.NONFINITE
