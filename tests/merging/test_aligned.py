"""Every rule with `align` aligns first: copies that a group element has moved merge to what the copies merge to."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import (
    WeightMatching,
    aggregate,
    average,
    balanced_average,
    concrete_fit,
    concrete_merge,
    dare,
    fisher_average,
    interpolate,
    karcher,
    learn_aggregation,
    model_stock,
    regmean,
    slerp,
    task_arithmetic,
    ties,
)
from geojax.symmetry import act, infer, random_element

K = 3
KEY = jax.random.key(3)
ONES = jnp.ones(K)
X = jax.random.normal(jax.random.key(4), (5, 3))


def mlp(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def draw(key):
    shapes = {"b": (4,), "v": (4, 2), "w": (3, 4)}
    return {n: jax.random.normal(jax.random.fold_in(key, i), s) for i, (n, s) in enumerate(shapes.items())}


def gap(x, y):
    leaves = zip(jax.tree.leaves(x), jax.tree.leaves(y))
    return max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in leaves)


def loss(params):
    return jnp.mean(jnp.square(mlp(params, X) - 1))


def pair(stack):
    return (jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in (0, 1))


BASE = jax.jit(draw)(jax.random.key(0))
OTHERS = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), K))
STACK = jax.tree.map(lambda x, e: jnp.asarray(np.asarray(x) + 0.01 * np.asarray(e)), BASE, OTHERS)
LOGITS = jax.tree.map(jnp.zeros_like, BASE)
TO_BASE = {
    "task_arithmetic": lambda s, **kw: task_arithmetic(BASE, s, ONES, **kw),
    "ties": lambda s, **kw: ties(BASE, s, ONES, density=0.5, **kw),
    "model_stock": lambda s, **kw: model_stock(BASE, s, **kw),
}
TO_FIRST = {
    "interpolate": lambda s, **kw: interpolate(*pair(s), 0.3, **kw),
    "average": lambda s, **kw: average(s, ONES, **kw),
    "aggregate": lambda s, **kw: aggregate(s, ONES / K, 0.9, **kw),
    "learn_aggregation": lambda s, **kw: learn_aggregation(loss, s, max_steps=3, **kw).params,
    "karcher": lambda s, **kw: karcher(s, ONES, **kw).params,
    "slerp": lambda s, **kw: slerp(*pair(s), 0.3, **kw),
    "balanced_average": lambda s, **kw: balanced_average(
        mlp, *pair(s), 0.5, X, head=lambda n: n == "v", **kw
    ),
}


@pytest.fixture(scope="module")
def spec():
    return infer(mlp, BASE, jnp.ones((5, 3)))


@functools.cache
def moved(spec):
    """The copies moved by an element each, and the elements."""

    @jax.jit
    @jax.vmap
    def one(key, params):
        element = random_element(spec, key)
        return act(spec, element, params), element

    return one(jax.random.split(jax.random.key(2), K), STACK)


def in_frame(stack):
    """The stack with the first model where it was, as it is the frame of the others."""
    return jax.tree.map(lambda x, y: np.concatenate([x[:1], y[1:]]), STACK, stack)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.full if name in ("karcher", "slerp") else ())
        for name in TO_BASE | TO_FIRST
    ],
)
def test_a_rule_aligns_first_if_asked(name, spec):
    rule, stack = (TO_BASE | TO_FIRST)[name], moved(spec)[0]
    given = stack if name in TO_BASE else in_frame(stack)
    compiled = jax.jit(rule)
    want = compiled(STACK)
    aligned = jax.jit(lambda models: rule(models, align=WeightMatching(spec, key=KEY)))
    assert gap(aligned(given), want) < 1e-9
    assert gap(compiled(given), want) > 1e-3
    with pytest.raises(TypeError, match=f"{name}: align is a SymmetrySpec; expected None or how to align"):
        rule(STACK, align=spec)


def test_weights_without_a_sign_move_along_with_permutations(spec):
    permutations = spec.without(*(n for n, group in spec.members if group.kind != "permutation"))
    stack, elements = moved(permutations)
    given = in_frame(stack)
    ranks = np.arange(1.0, 5)
    fishers = {"b": ranks, "v": np.outer(ranks, ranks[:2]), "w": np.outer(ranks[:3], ranks)}
    fishers = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf, leaf + 1]), fishers)
    carried = jax.jit(jax.vmap(functools.partial(act, permutations)))(elements, fishers)
    carried = jax.tree.map(lambda x, y: np.concatenate([x[:1], y[1:]]), fishers, carried)
    plain = jax.jit(fisher_average)
    # The spec has signs too, which take no part.
    aligned = jax.jit(functools.partial(fisher_average, align=WeightMatching(spec, key=KEY)))
    want = plain(STACK, fishers)
    assert gap(aligned(given, carried), want) < 1e-9
    assert gap(plain(given, carried), want) > 1e-3


def test_gram_matrices_move_along_with_the_units_they_are_of(spec):
    permutations = spec.without(*(n for n, group in spec.members if group.kind != "permutation"))
    stack, elements = moved(permutations)
    given = in_frame(stack)
    features = np.random.default_rng(5).normal(size=(K, 9, 4))
    inner = np.einsum("kni,knj->kij", features, features)
    outer = inner[:, :3, :3]
    (order,) = map(np.asarray, elements.values())
    carried = np.stack([inner[0], *(inner[i][order[i]][:, order[i]] for i in range(1, K))])
    grams = {"b": None, "v": inner, "w": outer}
    plain, aligned = (
        jax.jit(regmean),
        jax.jit(functools.partial(regmean, align=WeightMatching(spec, key=KEY))),
    )
    want = plain(STACK, grams)
    assert gap(aligned(given, grams | {"v": carried}), want) < 1e-9
    assert gap(plain(given, grams | {"v": carried}), want) > 1e-3


def test_rules_with_a_key_of_their_own_align_with_that_of_the_matching(spec):
    stack, align = moved(spec)[0], WeightMatching(spec, key=jax.random.key(8))
    kept = jax.tree.map(lambda leaf: np.full(leaf.shape, np.inf), LOGITS)
    rule = lambda s, **kw: concrete_fit(loss, loss, BASE, s, key=KEY, num_steps=2, **kw).losses

    @jax.jit
    def of_moved(stack):
        dropped = dare(BASE, stack, ONES, density=1.0, key=KEY, align=align)
        masked = concrete_merge(BASE, stack, kept, ONES, key=KEY, temperature=1.0, align=align)
        return dropped, masked, rule(stack, align=align)

    dropped, masked, losses = of_moved(stack)
    want, want_losses = jax.jit(lambda s: (task_arithmetic(BASE, s, ONES), rule(s)))(STACK)
    assert gap(dropped, want) < 1e-9
    assert gap(masked, want) < 1e-9
    np.testing.assert_allclose(losses, want_losses, rtol=1e-9)


def test_leaves_that_are_no_arrays_go_around_the_alignment(spec):
    """An alignment of several models is vectorised, which takes arrays only."""
    stack = in_frame(moved(spec)[0])
    others = {"name": "mlp", "act": jnp.tanh, "steps": jnp.arange(K)}
    whole = infer(lambda p, x: mlp(p, x), BASE | {"name": "mlp", "act": jnp.tanh, "steps": jnp.array(0)}, X)
    got = average(stack | others, align=WeightMatching(whole, key=KEY))
    assert got.pop("name") == "mlp"
    assert got.pop("act") is jnp.tanh
    assert got.pop("steps") == 0
    assert gap(got, average(STACK)) < 1e-9


def test_how_to_align_is_one_value_that_cannot_be_half_given(spec):
    with pytest.raises(TypeError, match="key"):
        WeightMatching(spec)
    with pytest.raises(TypeError, match=r"WeightMatching: key is uint32\[2\]; expected a typed random key"):
        WeightMatching(spec, key=jax.random.PRNGKey(0))
    with pytest.raises(TypeError, match="WeightMatching: spec is the function mlp; expected a SymmetrySpec"):
        WeightMatching(mlp, key=KEY)
    average_of = jax.jit(lambda align: average(STACK, align=align))
    assert gap(average_of(WeightMatching(spec, key=KEY)), average(STACK)) < 1e-6
