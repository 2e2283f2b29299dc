"""Canonical representatives: least norm, one for an orbit, and the counts of the group."""

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


def draw(key):
    shapes = {"a": (3, 6), "s": (6,), "b": (6, 4), "t": (4,), "c": (4, 2)}
    return {
        name: jax.random.normal(jax.random.fold_in(key, i), s) for i, (name, s) in enumerate(shapes.items())
    }


X = np.random.default_rng(0).normal(size=(9, 3))


def test_one_hidden_layer_gets_equal_norms_in_and_out(key):
    params = {"w": jax.random.normal(key, (3, 5)), "b": jnp.linspace(-1, 1, 5), "v": jnp.ones((5, 2)) * 3}
    apply = lambda p, x: jax.nn.relu(x @ p["w"] + p["b"]) @ p["v"]
    spec = infer(apply, params, X, verify=False)
    moved = act(spec, gj.unwrap(min_norm_rescaling(spec, params, tol=1e-10)).element, params)
    into = jnp.sum(moved["w"] ** 2, 0) + moved["b"] ** 2
    np.testing.assert_allclose(into, jnp.sum(moved["v"] ** 2, 1), rtol=1e-8)


def test_matches_scipy_on_two_layers(key):
    params = draw(key)
    spec = infer(relu_network, params, X, verify=False)
    names = [name for name, group in spec.members if group.kind == SCALING]
    sizes = [spec.groups[name].size for name in names]

    def norm(logs):
        parts = jnp.split(jnp.exp(logs), np.cumsum(sizes)[:-1])
        moved = act(spec, dict(zip(names, parts)), params)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(moved))

    oracle = scipy.optimize.minimize(
        jax.jit(norm), np.zeros(sum(sizes)), jac=jax.jit(jax.grad(norm)), tol=1e-12
    )
    found = gj.unwrap(min_norm_rescaling(spec, params, tol=1e-10))
    np.testing.assert_allclose(found.objective, oracle.fun, rtol=1e-9)


def test_law_one_representative_for_an_orbit(key):
    for apply in (relu_network, tanh_network):
        params = draw(key)
        spec = infer(apply, params, X, verify=False)
        form = jax.jit(lambda p, spec=spec: canonicalize(spec, p, tol=1e-11))
        expected = form(params)
        np.testing.assert_allclose(apply(expected, X), apply(params, X), rtol=1e-9)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), form(expected), expected
        )
        moves = jax.vmap(lambda k, spec=spec, params=params: act(spec, random_element(spec, k), params))
        for i, moved in enumerate(gj._core.tree.unstack(moves(jax.random.split(key, 16)))):
            jax.tree.map(
                lambda a, b, i=i: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9, err_msg=str(i)),
                form(moved),
                expected,
            )


def test_units_are_sorted_inside_their_heads(key):
    def heads(params, x):
        q, k, v = (jnp.einsum("btd,dhc->bthc", x, params[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
        return jnp.einsum("bhts,bshc,hcd->btd", weights, v, params["o"])

    shapes = {"q": (4, 3, 2), "k": (4, 3, 2), "v": (4, 3, 2), "o": (3, 2, 4)}
    params = {n: jax.random.normal(jax.random.fold_in(key, i), s) for i, (n, s) in enumerate(shapes.items())}
    x = jax.random.normal(key, (2, 5, 4))
    spec = infer(heads, params, x, verify=False)
    permutations = {name for name, group in spec.members if group.kind == "permutation"}

    def form(p):
        return act(spec, canonical_permutation(spec, p), p)

    expected = form(params)
    np.testing.assert_allclose(heads(expected, x), heads(params, x), rtol=1e-9)
    for k in jax.random.split(key, 8):
        element = {name: g for name, g in random_element(spec, k).items() if name in permutations}
        jax.tree.map(np.testing.assert_array_equal, form(act(spec, element, params)), expected)
    assert permutation_count(spec) == math.factorial(3) * 2**3 * 2**3


def test_units_without_a_least_norm_keep_their_scale(key):
    params = {"w": jnp.ones((2, 3)), "v": jnp.array([[1.0], [0.0], [4.0]])}
    apply = lambda p, x: jax.nn.relu(x @ p["w"]) @ p["v"]
    spec = infer(apply, params, X[:, :2], verify=False)
    found = gj.unwrap(min_norm_rescaling(spec, params))
    (scale,) = found.element.values()
    assert scale[1] == 1 and jnp.all(jnp.isfinite(scale))


def test_not_a_number_is_reported(key):
    params = {**draw(key), "t": jnp.array([0.0, jnp.nan, 0.0, 0.0])}
    spec = infer(relu_network, draw(key), X, verify=False)
    assert gj.Status(int(min_norm_rescaling(spec, params).status)) == gj.Status.NONFINITE
