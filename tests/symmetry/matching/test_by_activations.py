"""Activation matching against numpy and scipy, planted elements, and the units that have no activations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import identity, random_element
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.matching.by_activations import activation_matching, standardize


def mlp(params, x):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def mlp_params(key, sizes=(4, 9, 7, 3)):
    keys = jax.random.split(key, 2 * len(sizes))
    return [
        (jax.random.normal(keys[2 * i], (n, m)), jax.random.normal(keys[2 * i + 1], (m,)))
        for i, (n, m) in enumerate(itertools.pairwise(sizes))
    ]


def attention(params, x):
    """One self-attention layer over tokens [batch, time, model], heads in front, then a gated read-out."""
    q, k, v = (jnp.einsum("btm,mhd->bthd", x, params[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthd,bshd->bhts", q, k), axis=-1)
    mixed = jnp.einsum("bhts,bshd->bthd", weights, v)
    return jnp.einsum("bthd,hdo->bto", mixed, params["o"])


def attention_params(key, model=6, heads=4, width=3, out=5):
    shapes = {
        "q": (model, heads, width),
        "k": (model, heads, width),
        "v": (model, heads, width),
        "o": (heads, width, out),
    }
    return {
        name: jax.random.normal(k, shape)
        for k, (name, shape) in zip(jax.random.split(key, 4), shapes.items())
    }


X = jax.random.normal(jax.random.key(100), (64, 4))
TOKENS = jax.random.normal(jax.random.key(101), (16, 5, 6))


def permutations(element, spec):
    return {name: array for name, array in element.items() if spec.groups[name].kind == "permutation"}


@pytest.mark.parametrize(
    "apply, make, x", [(mlp, mlp_params, X), (attention, attention_params, TOKENS)], ids=["mlp", "attention"]
)
def test_law_a_planted_element_is_recovered(apply, make, x):
    spec = infer(apply, make(jax.random.key(0)), x)
    for key in jax.random.split(jax.random.key(1), 3):
        b = make(key)
        planted = permutations(random_element(spec, key), spec)
        a = act(spec, planted, b)
        found = activation_matching(spec, apply, a, b, x)
        assert found.status == Status.CONVERGED
        for name in planted:
            np.testing.assert_array_equal(found.element[name], planted[name])


@pytest.mark.parametrize("signs", [False, True], ids=["permutations", "permutations and signs"])
def test_each_layer_of_an_mlp_equals_scipy_on_numpys_correlations(signs):
    """With signs the correlation of a unit with the other's negative counts as much."""
    a, b = mlp_params(jax.random.key(2)), mlp_params(jax.random.key(3))
    spec = infer(mlp, a, X)
    if not signs:
        spec = spec.without(*(name for name, group in spec.members if group.kind == "sign"))
    found = activation_matching(spec, mlp, a, b, X)
    total, xs = 0.0, [np.asarray(X), np.asarray(X)]
    for layer, (size, name) in enumerate(zip((9, 7), sorted(permutations(identity(spec), spec)))):
        xs = [np.tanh(x @ p[layer][0] + p[layer][1]) for x, p in zip(xs, (a, b))]
        corr = np.corrcoef(*xs, rowvar=False)[:size, size:]
        corr = np.abs(corr) if signs else corr
        rows, columns = linear_sum_assignment(corr, maximize=True)
        assert spec.groups[name].size == size
        np.testing.assert_array_equal(found.element[name], columns)
        total += corr[rows, columns].sum()
    np.testing.assert_allclose(found.objective, total, rtol=1e-9)


def test_correlations_ignore_each_units_scale_and_shift():
    x = jax.random.normal(jax.random.key(4), (30, 5))
    moved = x * jnp.array([1e-8, 1.0, 1e8, 3.0, 0.5]) + jnp.array([1e-6, 5.0, 0.0, -2.0, 1.0])
    np.testing.assert_allclose(
        standardize(x).T @ standardize(moved), np.corrcoef(x, moved, rowvar=False)[:5, 5:], atol=1e-9
    )


def test_dead_units_count_nothing_and_give_no_nan():
    a = mlp_params(jax.random.key(5))
    relu = lambda p, x: jax.nn.relu(x @ p[0][0] + p[0][1]) @ p[1][0]
    a[0] = (a[0][0], a[0][1].at[:3].set(-100.0))
    spec = infer(relu, a[:2], X)
    found = activation_matching(spec, relu, a[:2], a[:2], X)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.objective, 6.0, rtol=1e-9)


def test_identical_models_stay_where_they_are():
    a = mlp_params(jax.random.key(6))
    spec = infer(mlp, a, X)
    found = activation_matching(spec, mlp, a, a, X)
    for name, array in permutations(identity(spec), spec).items():
        np.testing.assert_array_equal(found.element[name], array)


def test_nan_inputs_are_not_a_match():
    a, b = mlp_params(jax.random.key(7)), mlp_params(jax.random.key(8))
    spec = infer(mlp, a, X)
    assert activation_matching(spec, mlp, a, b, X.at[0, 0].set(jnp.nan)).status == Status.NONFINITE


def test_jit_and_vmap_are_the_loop():
    spec = infer(mlp, mlp_params(jax.random.key(0)), X)
    a, b = (jax.vmap(mlp_params)(jax.random.split(jax.random.key(seed), 3)) for seed in (9, 10))
    match = lambda a, b: activation_matching(spec, mlp, a, b, X)
    batched = jax.jit(jax.vmap(match))(a, b)
    for i in range(3):
        single = match(*jax.tree.map(lambda leaf, i=i: leaf[i], (a, b)))
        for name in permutations(single.element, spec):
            np.testing.assert_array_equal(batched.element[name][i], single.element[name])
        np.testing.assert_allclose(batched.objective[i], single.objective, rtol=1e-12)


def test_errors_name_the_argument():
    a = mlp_params(jax.random.key(11))
    spec = infer(mlp, a, X)
    with pytest.raises(ValueError, match="activation_matching: params_b"):
        activation_matching(spec, mlp, a, mlp_params(jax.random.key(11), (4, 8, 7, 3)), X)
