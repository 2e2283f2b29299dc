"""Activation matching against numpy and scipy, planted elements, and the units that have no activations."""

import functools
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


RANDOM = np.random.default_rng(0)


def mlp_params(*batch, sizes=(4, 9, 7, 3)):
    return [
        (RANDOM.normal(size=(*batch, n, m)), RANDOM.normal(size=(*batch, m)))
        for n, m in itertools.pairwise(sizes)
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


X = RANDOM.normal(size=(64, 4))
TOKENS = RANDOM.normal(size=(16, 5, 6))
PARAMS = mlp_params()


def permutations(element, spec):
    return {name: array for name, array in element.items() if spec.groups[name].kind == "permutation"}


@functools.cache
def mlp_spec():
    return infer(mlp, PARAMS, X, verify=False)


@functools.cache
def mlp_matcher():
    """One compiled program: it matches a batch of four pairs."""
    return jax.jit(jax.vmap(lambda a, b, x: activation_matching(mlp_spec(), mlp, a, b, x), (0, 0, None)))


def mlp_cases():
    """Four pairs: 2 planted, 1 of equal models, 1 of strangers; and the elements planted."""
    b = mlp_params(4)

    @jax.jit
    @jax.vmap
    def plant(key, b):
        planted = permutations(random_element(mlp_spec(), key), mlp_spec())
        return planted, act(mlp_spec(), planted, b)

    planted, moved = plant(jax.random.split(jax.random.key(2), 4), b)
    a = jax.tree.map(lambda x, y: np.concatenate([x[:2], y[2:3], y[:1]]), moved, b)
    return a, b, planted


def test_law_a_planted_element_is_recovered_and_equal_models_stay():
    a, b, planted = jax.device_get(mlp_cases())
    result = jax.device_get(mlp_matcher()(a, b, X))
    np.testing.assert_array_equal(result.status, Status.CONVERGED)
    for name, still in permutations(identity(mlp_spec()), mlp_spec()).items():
        np.testing.assert_array_equal(result.element[name][:2], planted[name][:2])
        np.testing.assert_array_equal(result.element[name][2], still)


def test_nan_inputs_are_not_a_match():
    a, b = mlp_params(4), mlp_params(4)
    broken = X.copy()
    broken[0, 0] = np.nan
    np.testing.assert_array_equal(mlp_matcher()(a, b, broken).status, Status.NONFINITE)


@pytest.mark.full
def test_law_units_inside_heads_are_recovered():
    spec = infer(attention, attention_params(jax.random.key(0)), TOKENS)

    @jax.jit
    @jax.vmap
    def law(key):
        b = attention_params(key)
        planted = permutations(random_element(spec, key), spec)
        result = activation_matching(spec, attention, act(spec, planted, b), b, TOKENS)
        return planted, {name: result.element[name] for name in planted}, result.status

    planted, element, status = law(jax.random.split(jax.random.key(1), 3))
    np.testing.assert_array_equal(status, Status.CONVERGED)
    for name in planted:
        np.testing.assert_array_equal(element[name], planted[name])


@pytest.mark.parametrize(
    "signs",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["permutations", "permutations and signs"],
)
def test_each_layer_of_an_mlp_equals_scipy_on_numpys_correlations(signs):
    """With signs the correlation of a unit with the other's negative counts as much."""
    a, b = mlp_params(), mlp_params()
    spec = mlp_spec()
    if not signs:
        spec = spec.without(*(name for name, group in spec.members if group.kind == "sign"))
    result = jax.jit(functools.partial(activation_matching, spec, mlp))(a, b, X)
    total, xs = 0.0, [X, X]
    for layer, (size, name) in enumerate(zip((9, 7), sorted(permutations(identity(spec), spec)))):
        xs = [np.tanh(x @ p[layer][0] + p[layer][1]) for x, p in zip(xs, (a, b))]
        corr = np.corrcoef(*xs, rowvar=False)[:size, size:]
        corr = np.abs(corr) if signs else corr
        rows, columns = linear_sum_assignment(corr, maximize=True)
        assert spec.groups[name].size == size
        np.testing.assert_array_equal(result.element[name], columns)
        total += corr[rows, columns].sum()
    np.testing.assert_allclose(result.objective, total, rtol=1e-9)


def test_correlations_ignore_each_units_scale_and_shift():
    x = RANDOM.normal(size=(30, 5))
    moved = x * np.array([1e-8, 1.0, 1e8, 3.0, 0.5]) + np.array([1e-6, 5.0, 0.0, -2.0, 1.0])
    correlations = jax.jit(lambda x, y: standardize(x).T @ standardize(y))(x, moved)
    np.testing.assert_allclose(correlations, np.corrcoef(x, moved, rowvar=False)[:5, 5:], atol=1e-9)


def test_dead_units_count_nothing_and_give_no_nan():
    a = mlp_params()
    relu = lambda p, x: jax.nn.relu(x @ p[0][0] + p[0][1]) @ p[1][0]
    a[0][1][:3] = -100.0
    spec = infer(relu, a[:2], X, verify=False)
    result = jax.jit(functools.partial(activation_matching, spec, relu))(a[:2], a[:2], X)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.objective, 6.0, rtol=1e-9)


@pytest.mark.full
def test_a_single_pair_is_the_item_of_a_batch():
    a, b, _ = mlp_cases()
    batched = mlp_matcher()(a, b, X)
    single = activation_matching(mlp_spec(), mlp, *jax.tree.map(lambda x: x[3], (a, b)), X)
    for name in permutations(single.element, mlp_spec()):
        np.testing.assert_array_equal(batched.element[name][3], single.element[name])
    np.testing.assert_allclose(batched.objective[3], single.objective, rtol=1e-12)
