"""Matching networks of different widths: planted narrow networks, brute force, and what widening preserves."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.matching.across_widths import width_matching
from geojax.symmetry.matching.by_weights import weight_matching
from tests.symmetry.inference.handmade import attention, draw, flattened_cnn, mlp, numpy_draw, plant

NARROW, WIDE = mlp([40, 3, 4, 2]), mlp([40, 5, 6, 2])


def widened(params, sizes):
    """The layers of an MLP with zero units behind."""
    padded = {}
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        w, b = params[str(i)]["w"], params[str(i)]["b"]
        padded[str(i)] = {
            "w": jnp.pad(w, ((0, n - w.shape[0]), (0, m - w.shape[1]))),
            "b": jnp.pad(b, (0, m - b.shape[0])),
        }
    return padded


def apply(params, x):
    for i in "01":
        x = jnp.tanh(x @ params[i]["w"] + params[i]["b"])
    return x @ params["2"]["w"] + params["2"]["b"]


@pytest.mark.full
def test_law_a_narrow_network_inside_a_wide_one_is_found():
    """With small strangers beside it, and its units in any order."""

    @jax.jit
    @jax.vmap
    def law(key):
        k1, k2 = jax.random.split(key)
        a = draw(NARROW, k1)
        noise = draw(WIDE, k2)
        inside = widened(a, [40, 5, 6, 2])
        wide = jax.tree.map(lambda x, n: jnp.where(x == 0, 0.05 * n, x), inside, noise)
        perms = {name: jax.random.permutation(key, g.size) for name, g in WIDE.members}
        b = act(WIDE, perms, wide)
        result = width_matching(NARROW, WIDE, a, b, key=key)
        cut = act(WIDE, result.element, b)
        return result.status, jax.tree.map(lambda x, y: jnp.max(jnp.abs(x - y)), cut, a)

    status, apart = law(jax.random.split(jax.random.key(0), 16))
    np.testing.assert_array_equal(status, Status.CONVERGED)
    for leaf in jax.tree.leaves(apart):
        np.testing.assert_allclose(leaf, 0, atol=1e-12)


def test_a_wider_target_keeps_the_function():
    a, b = numpy_draw(WIDE, 1), numpy_draw(NARROW, 2)
    x = np.random.default_rng(4).normal(size=(7, 40))

    @jax.jit
    def grow(a, b, key):
        result = width_matching(WIDE, NARROW, a, b, key=key)
        grown = act(NARROW, result.element, b)
        return grown, apply(grown, x), apply(b, x)

    grown, after, before = grow(a, b, jax.random.key(3))
    assert jax.tree.map(np.shape, grown) == jax.tree.map(np.shape, a)
    np.testing.assert_allclose(after, before, atol=1e-12)


def test_one_group_equals_brute_force_over_injections():
    narrow, wide = mlp([4, 3, 2]), mlp([4, 5, 2])
    a, b = numpy_draw(narrow, 5), numpy_draw(wide, 6)
    gains = a["0"]["w"].T @ b["0"]["w"] + np.outer(a["0"]["b"], b["0"]["b"]) + a["1"]["w"] @ b["1"]["w"].T
    best = max(sum(gains[i, j] for i, j in enumerate(js)) for js in itertools.permutations(range(5), 3))
    result = jax.jit(functools.partial(width_matching, narrow, wide))(a, b, key=jax.random.key(7))
    np.testing.assert_allclose(result.objective, best + a["1"]["b"] @ b["1"]["b"], rtol=1e-12)


@pytest.mark.full
def test_equal_widths_are_weight_matching():
    a, b, _ = plant(WIDE, jax.random.key(8))
    result = width_matching(WIDE, WIDE, a, b, key=jax.random.key(9))
    same = weight_matching(WIDE, a, b, key=jax.random.key(9))
    for name, perm in same.element.items():
        np.testing.assert_array_equal(result.element[name], jax.nn.one_hot(perm, perm.shape[-1]))


@pytest.mark.full
@pytest.mark.parametrize(
    "narrow, wide",
    [(flattened_cnn(channels=3), flattened_cnn(channels=5)), (attention(heads=2, width=2), attention())],
    ids=["cnn", "heads and units"],
)
def test_the_result_has_the_shapes_of_the_model_to_match(narrow, wide):
    for first, second in ((narrow, wide), (wide, narrow)):
        a, b = draw(first, jax.random.key(10)), draw(second, jax.random.key(11))
        result = width_matching(first, second, a, b, key=jax.random.key(12))
        moved = act(second, result.element, b)
        assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, a)


def test_errors_say_what_to_mend():
    a = numpy_draw(NARROW, 0)
    with pytest.raises(ValueError, match="expected those of spec_a"):
        width_matching(NARROW, mlp([4, 3, 2]), a, a, key=jax.random.key(0))
    with pytest.raises(ValueError, match="width_matching: params_b: params does not fit"):
        width_matching(NARROW, WIDE, a, a, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"element\['h0'\]: got shape \(2, 2\)"):
        act(NARROW, {"h0": np.eye(2)}, a)
