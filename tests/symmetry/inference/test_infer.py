"""`infer` beyond the gallery: errors that say what to mend, maximality, speed, and what it does without numbers."""

import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.groups import GENERAL_LINEAR, ORTHOGONAL, PERMUTATION, SCALING
from geojax.symmetry.inference.labels.interpreter import RULES
from tests.symmetry.inference import oracle


def relu_network(params, x):
    for w, b in params[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def layers(key, *sizes):
    keys = jax.random.split(key, 2 * len(sizes))
    return [
        (jax.random.normal(keys[2 * i], (m, n)), jax.random.normal(keys[2 * i + 1], (n,)))
        for i, (m, n) in enumerate(itertools.pairwise(sizes))
    ]


def attention(params, x):
    q, k, v = (jnp.einsum("btd,dhc->bthc", x, params[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
    return jnp.einsum("bhts,bshc,hcd->btd", weights, v, params["o"])


def test_the_bound_from_the_jacobian_is_reached(key):
    x = jax.random.normal(key, (64, 3))
    spec = gj.symmetry.infer(relu_network, layers(key, 3, 7, 2), x)
    assert spec.reach == (7, 7), "one scaling for each hidden unit"
    assert "found 7 of at most 7 continuous dimensions" in str(spec)
    shapes = {"q": (4, 2, 2), "k": (4, 2, 2), "v": (4, 2, 2), "o": (2, 2, 4)}
    heads = {n: jax.random.normal(jax.random.fold_in(key, i), s) for i, (n, s) in enumerate(shapes.items())}
    spec = gj.symmetry.infer(attention, heads, jax.random.normal(key, (24, 3, 4)))
    assert spec.reach == (16, 16), "GL(2) for queries and keys and GL(2) for values, in each of two heads"


@pytest.mark.parametrize("count", [1, 24])
def test_the_bound_does_not_depend_on_the_number_of_inputs(key, count):
    """A sum of outputs of one hidden layer: its scalings, and what the sum does not show of the last layer."""
    x = jax.random.normal(key, (count, 3))
    apply = lambda p, x: (jax.nn.relu(x @ p[0]) @ p[1]).sum(-1)
    assert gj.symmetry.infer(apply, [w for w, _ in layers(key, 3, 4, 2)], x).reach == (4, 4 + 4)


def test_a_bound_that_more_inputs_would_lower_is_not_printed(key):
    """One token shows one row of a table, and there is no other input to draw."""
    params = {"table": jax.random.normal(key, (7, 3)), "out": jax.random.normal(key, (3, 4))}
    spec = gj.symmetry.infer(lambda p, i: p["table"][i] @ p["out"], params, jnp.array([2]))
    assert spec.reach is None and "9 continuous dimensions" in str(spec) and "at most" not in str(spec)


def test_leaves_that_are_not_read_count_for_no_bound(key):
    params = {"a": jax.random.normal(key, (3, 4)), "unread": jnp.ones(9)}
    spec = gj.symmetry.infer(
        lambda p, x: jnp.tanh(x @ p["a"]).sum(-1), params, jax.random.normal(key, (5, 3))
    )
    assert spec.reach == (0, 0)


def test_shapes_are_enough(key):
    params = jax.eval_shape(lambda: layers(key, 3, 5, 2))
    spec = gj.symmetry.infer(relu_network, params, jax.ShapeDtypeStruct((7, 3), jnp.float32))
    assert {(group.kind, group.size) for group in spec.groups.values()} == {(PERMUTATION, 5), (SCALING, 5)}
    assert spec.verification is None and "not verified" in str(spec)


def test_a_function_that_does_not_trace_is_reported_with_its_cause(key):
    def branches(params, x):
        return x @ params if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"(?s)apply does not trace.*jax.lax.cond") as caught:
        gj.symmetry.infer(branches, jnp.eye(3), jnp.ones((2, 3)))
    assert caught.value.__cause__ is not None
    with pytest.raises(ValueError, match="dot_general"):
        gj.symmetry.infer(lambda p, x: x @ p, jnp.ones((4, 2)), jnp.ones((5, 3)))


def test_a_primitive_without_a_rule_is_named_with_its_line_and_leaves(key, monkeypatch):
    monkeypatch.delitem(RULES, "erf_inv")

    def apply(params, x):
        return jax.scipy.special.erfinv(jnp.tanh(x @ params["a"])) @ params["b"]

    params = {"a": jnp.ones((3, 4)), "b": jnp.ones((4, 2))}
    spec = gj.symmetry.infer(apply, params, jnp.ones((5, 3)), verify=False)
    assert not spec.groups
    assert spec.unknown and spec.unknown[0].startswith("erf_inv (test_infer.py:")
    assert "erf_inv" in str(spec)
    held = {(pin.path, pin.axis) for pin in spec.pins if pin.primitive == "erf_inv"}
    assert ("a", 1) in held
    with pytest.raises(ValueError, match=r"erf_inv \(test_infer.py.*a\[1\]"):
        gj.symmetry.infer(apply, params, jnp.ones((5, 3)), strict=True)


def test_unread_leaves_are_reported_apart(key):
    params = {"used": jnp.ones((3, 4)), "unused": jnp.ones((6, 5)), "out": jnp.ones((4, 2))}
    spec = gj.symmetry.infer(
        lambda p, x: jnp.tanh(x @ p["used"]) @ p["out"], params, jnp.ones((5, 3)), verify=False
    )
    assert [leaf.path for leaf in spec.leaves if not leaf.read] == ["unused"]
    assert "not read by the function: unused" in str(spec)
    assert {group.size for group in spec.groups.values()} == {4}


def test_rotations_appear_once_the_norm_scale_is_folded(key):
    def norm(x):
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)

    def apply(params, x):
        h = x @ params["in"]
        h = h + jax.nn.silu(norm(h) * params["scale"] @ params["up"]) @ params["down"]
        return norm(h) @ params["out"]

    shapes = {"in": (3, 4), "scale": (4,), "up": (4, 6), "down": (6, 4), "out": (4, 2)}
    params = {n: jax.random.normal(jax.random.fold_in(key, i), s) for i, (n, s) in enumerate(shapes.items())}
    x = jax.random.normal(key, (8, 3))
    spec = gj.symmetry.infer(apply, params, x)
    assert ORTHOGONAL not in {group.kind for group in spec.groups.values()}
    folded = gj.symmetry.fold_scales(spec, params)
    np.testing.assert_allclose(apply(folded, x), apply(params, x), rtol=1e-10)
    np.testing.assert_allclose(folded["scale"], 1)
    rest = {name: leaf for name, leaf in folded.items() if name != "scale"}
    free = gj.symmetry.infer(lambda p, x: apply({**p, "scale": jnp.ones(4)}, x), rest, x)
    assert (ORTHOGONAL, 4) in {(group.kind, group.size) for group in free.groups.values()}
    assert free.verification.passed


def test_rotary_pairs_turn_together(key):
    angles = jnp.arange(5.0)[:, None] * jnp.array([1.0, 0.1, 0.01])

    def rotate(x):
        a, b = jnp.split(x, 2, -1)
        cos, sin = jnp.cos(angles), jnp.sin(angles)
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def apply(params, x):
        q, k = rotate(x @ params["q"]), rotate(x @ params["k"])
        return jax.nn.softmax(q @ jnp.swapaxes(k, -1, -2)) @ x

    params = {name: jax.random.normal(jax.random.fold_in(key, i), (4, 6)) for i, name in enumerate("qk")}
    spec = gj.symmetry.infer(apply, params, jax.random.normal(key, (9, 5, 4)))
    turning = [group for group in spec.groups.values() if group.kind == ORTHOGONAL]
    assert [(group.size, group.parent_sizes, group.connected) for group in turning] == [(2, (3,), True)]
    assert spec.reach == (6, 6), "one scaling and one rotation for each frequency"


def test_a_linear_axis_has_its_general_linear_group(key):
    params = [jax.random.normal(key, (3, 4)), jax.random.normal(key, (4, 2))]
    spec = gj.symmetry.infer(lambda p, x: x @ p[0] @ p[1], params, jax.random.normal(key, (5, 3)))
    kinds = {group.kind: group for group in spec.groups.values()}
    assert set(kinds) == {PERMUTATION, GENERAL_LINEAR} and kinds[GENERAL_LINEAR].dimension == 16


def test_static_leaves_are_left_alone(key):
    params = {"w": jnp.ones((3, 4)), "activation": jnp.tanh, "v": jnp.ones((4, 2)), "name": "mlp"}
    apply = lambda p, x: p["activation"](x @ p["w"]) @ p["v"]
    spec = gj.symmetry.infer(apply, params, jnp.ones((5, 3)))
    moved = gj.symmetry.act(spec, gj.symmetry.random_element(spec, key), params)
    assert moved["activation"] is jnp.tanh and moved["name"] == "mlp"


def blocks(count, width=24):
    """A stack of transformer blocks, unrolled, as a function of one dict a block."""

    def apply(params, x):
        x = x @ params["embed"]
        for p in params["blocks"]:
            h = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6) * p["scale"]
            x = x + attention(p, h)
            x = x + jax.nn.gelu(x @ p["up"]) @ p["down"]
        return x @ params["out"]

    one = {"q": (width, 4, 6), "k": (width, 4, 6), "v": (width, 4, 6), "o": (4, 6, width), "scale": (width,)}
    one |= {"up": (width, 2 * width), "down": (2 * width, width)}
    shapes = {"embed": (5, width), "blocks": [one] * count, "out": (width, 3)}
    is_shape = lambda leaf: isinstance(leaf, tuple)
    return apply, jax.tree.map(lambda s: jax.ShapeDtypeStruct(s, jnp.float32), shapes, is_leaf=is_shape)


def test_cost_is_linear_in_the_depth():
    """Four times the blocks must not cost much more than four times the work; counted in nodes, not in seconds."""
    from geojax.symmetry.inference.tracing import trace

    sizes = []
    for count in (3, 12):
        apply, params = blocks(count)
        found = trace(apply, params, (jax.ShapeDtypeStruct((2, 7, 5), jnp.float32),))
        sizes.append(len(found.interpreter.occurrences) + len(found.interpreter.contractions))
    assert sizes[1] < 4.2 * sizes[0]


def test_twelve_blocks_are_read_in_seconds():
    apply, params = blocks(12, width=768)
    x = jax.ShapeDtypeStruct((1, 197, 5), jnp.float32)
    jax.eval_shape(apply, params, x)
    start = time.process_time()
    spec = gj.symmetry.infer(apply, params, x)
    assert time.process_time() - start < 30, "an order of magnitude above what it takes"
    assert sum(group.kind == PERMUTATION for group in spec.groups.values()) == 1 + 12 * 4


def test_a_rotation_that_the_outputs_cannot_show_is_not_kept(key):
    """Halves of one axis that scale along another are no frequency pairs, and a step function hides the difference."""

    def apply(params, x):
        size = jnp.sqrt(jnp.sum(jnp.stack([params["a"], params["a"]]) ** 2, 2) + 1e-3)
        return jnp.einsum("ab,az->zb", size, params["b"]) > 0

    params = {"a": jax.random.normal(key, (2, 6)), "b": jax.random.normal(jax.random.fold_in(key, 1), (2, 4))}
    spec = gj.symmetry.infer(apply, params, jnp.ones(()), verify=False)
    assert not [name for name, group in spec.groups.items() if group.kind == "orthogonal" and group.size == 2]


def test_compose_and_inverse_hold_beside_a_linear_group_on_a_parent_axis():
    """A mean lets points be permuted for each coordinate, and coordinates be mixed: the two do not close to a group."""
    random = np.random.default_rng(0)
    params = {"c": random.normal(size=(5, 3)), "x": random.normal(size=(5, 3))}
    spec = gj.symmetry.infer(lambda p: jnp.vdot(p["c"], p["x"] - p["x"].mean(0)), params, verify=False)
    assert {(group.kind, group.shape) for group in spec.groups.values()} == {
        (PERMUTATION, (5,)),
        (PERMUTATION, (3,)),
        (GENERAL_LINEAR, (3, 3)),
    }
    g, h = (oracle.random_element(spec, random) for _ in range(2))
    together = oracle.act(spec, gj.symmetry.compose(spec, g, h), params)
    after = oracle.act(spec, g, oracle.act(spec, h, params))
    for name in params:
        np.testing.assert_allclose(together[name], after[name], atol=1e-10)
