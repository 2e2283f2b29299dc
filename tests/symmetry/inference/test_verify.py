"""`verify` catches a wrong spec, names the group at fault, and says when the inputs are blind to a group."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.inference.probing.probe import Probe


def apply(params, x):
    return jnp.tanh(jnp.cumsum(jnp.tanh(x @ params["a"]) @ params["b"], -1)) @ params["c"]


def draw(key):
    shapes = {"a": (3, 4), "b": (4, 5), "c": (5, 2)}
    return {
        name: jax.random.normal(jax.random.fold_in(key, i), s) for i, (name, s) in enumerate(shapes.items())
    }


def with_false_group(spec):
    """The spec with a group that permutes the axis that is summed in order."""
    move = (("false", 1),)
    layouts = {
        "b": lambda parts: (parts[0], Part(5, 1, "false", move)),
        "c": lambda parts: (Part(5, 0, "false", move), parts[1]),
    }
    leaves = [
        dataclasses.replace(leaf, layout=Block(layouts[leaf.path](leaf.layout.parts)))
        if leaf.path in layouts
        else leaf
        for leaf in spec.leaves
    ]
    group = ("false", Group("permutation", 5, axis="false"))
    return dataclasses.replace(spec, members=(*spec.members, group), leaves=tuple(leaves))


def test_the_culprit_is_found_among_right_groups(key):
    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = gj.symmetry.infer(apply, params, x)
    assert spec.verification.passed and "false" not in spec.groups
    result = gj.symmetry.verify(with_false_group(spec), apply, params, x, key=key)
    assert result.failed == ("false",) and not result.passed
    assert result.change <= result.tolerance, "the right groups pass"


def test_initial_zeros_hide_nothing(key):
    params = {**draw(key), "b": jnp.zeros((4, 5)), "c": jnp.zeros((5, 2))}
    x = jax.random.normal(key, (6, 3))
    spec = with_false_group(gj.symmetry.infer(apply, params, x, verify=False))
    assert gj.symmetry.verify(spec, apply, params, x, key=key).failed == ("false",)


def test_infer_drops_a_group_that_fails_and_says_so(key, monkeypatch):
    import importlib

    module = importlib.import_module("geojax.symmetry.inference.infer")
    build = module.build
    monkeypatch.setattr(module, "build", lambda trace: with_false_group(build(trace)))
    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = gj.symmetry.infer(apply, params, x)
    assert "false" not in spec.groups and spec.verification.failed == ("false",)
    assert "FAILED verification and excluded: false" in str(spec)


def test_inputs_that_exercise_nothing_are_reported(key):
    params = draw(key)
    spec = gj.symmetry.infer(apply, params, jax.random.normal(key, (6, 3)))
    result = gj.symmetry.verify(spec, apply, params, jnp.zeros((6, 3), jnp.int32), key=key)
    assert set(result.blind) == set(spec.groups)
    text = str(dataclasses.replace(spec, verification=result))
    assert "do not exercise" in text and "or the function does not depend on what these move" in text


def test_outputs_that_are_nowhere_finite_verify_nothing(key):
    def broken(params, x):
        return jnp.log(-jnp.exp(jnp.tanh(x @ params["a"]) @ params["b"]))

    spec = gj.symmetry.infer(broken, draw(key), jax.random.normal(key, (6, 3)))
    assert spec.groups, "the program's symmetry is what it is"
    assert not spec.verification.passed and jnp.isnan(spec.verification.change)
    assert "NOT VERIFIED: no output is finite" in str(spec)


def test_one_output_that_is_not_finite_hides_no_other(key):
    def partly(params, x):
        out = apply(params, x)
        return out, jnp.log(-jnp.exp(out))

    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = with_false_group(gj.symmetry.infer(partly, params, x, verify=False))
    assert gj.symmetry.verify(spec, partly, params, x, key=key).failed == ("false",)


def narrow(dtype):
    """The program with every product in a coarser type."""

    def apply(params, x):
        h = jnp.tanh(x.astype(dtype) @ params["a"].astype(dtype)) @ params["b"].astype(dtype)
        return jnp.tanh(jnp.cumsum(jnp.tanh(h), -1)).astype(jnp.float32) @ params["c"]

    return apply


@pytest.mark.x32
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_casts_to_coarser_types_hide_no_fault(key, dtype):
    """With a tolerance of .05 for such programs no control could pass, and the bound was that of rounding errors."""
    params, x, low = draw(key), jax.random.normal(key, (6, 3)), narrow(dtype)
    spec = gj.symmetry.infer(low, params, x)
    assert spec.verification.tolerance < 1e-9 and spec.verification.passed and not spec.verification.blind
    assert spec.verification.control > 1e-3
    assert spec.reach == (0, 0), "tanh leaves nothing continuous"
    result = gj.symmetry.verify(with_false_group(spec), low, params, x, key=key)
    assert result.failed == ("false",)


def test_rounding_that_cannot_be_taken_out_counts(key):
    """The bits of a float are those of its own type."""

    def apply(params, x):
        h = jnp.tanh(x @ params["a"]).astype(jnp.bfloat16)
        bits = jax.lax.bitcast_convert_type(h, jnp.uint16)
        return jax.lax.bitcast_convert_type(bits, jnp.bfloat16).astype(jnp.float32)

    params, x = draw(key), jax.random.normal(key, (6, 3))
    probe = Probe(gj.symmetry.infer(apply, params, x, verify=False), apply, params, (x,))
    assert probe.tolerance == float(jnp.finfo(jnp.bfloat16).eps) ** 0.6 and not probe.exact


ALONE = {
    "max": lambda p, x: jnp.max(x @ p["a"], -1),
    "gram": lambda p, x: x @ (p["a"] @ p["a"].T),
    "normalised": lambda p, x: x @ (p["a"] / jnp.linalg.norm(p["a"], axis=0)),
    "normalised as a whole": lambda p, x: x @ (p["a"] / jnp.linalg.norm(p["a"])),
    "mean of a sum": lambda p, x: jnp.mean(x @ p["a"] + p["d"], -1),
    "integers": lambda p, x: x * jnp.max(p["i"]),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_group_that_moves_one_leaf_alone_has_a_control_that_can_fail(key, name):
    """Whatever the inputs are, moving such a leaf changes nothing: that is the symmetry."""
    params = {"a": draw(key)["a"], "d": jnp.ones(4), "i": jnp.arange(5)}
    result = gj.symmetry.infer(ALONE[name], params, jax.random.normal(key, (6, 3))).verification
    assert result.passed and not result.blind and 1e-2 < result.control < float("inf")


def test_a_leaf_without_effect_is_not_seen(key):
    """A control that anything satisfies is none."""
    apply = lambda p, x: jnp.max(x @ p["a"], -1) + 0 * jnp.max(p["c"])
    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = gj.symmetry.infer(apply, params, x)
    assert set(spec.verification.blind) == {name for name in spec.groups if not name.startswith("a")}


def test_parameters_of_another_model_are_refused(key):
    params, x = draw(key), jnp.ones((6, 3))
    spec = gj.symmetry.infer(apply, params, x, verify=False)
    with pytest.raises(ValueError, match=r"b: got shape \(4, 6\), expected \(4, 5\)"):
        gj.symmetry.verify(spec, apply, {**params, "b": jnp.ones((4, 6))}, x, key=key)


def test_outputs_where_nothing_moves_are_computed_once_for_each_draw(key):
    """A large model's evaluations are what verification costs, and half of them were the same."""
    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = gj.symmetry.infer(apply, params, x, verify=False)
    probe, generator = Probe(spec, apply, params, (x,)), np.random.default_rng(0)
    draws, element = [probe.draw(generator) for _ in range(2)], probe.element(generator)
    calls, compiled = [], probe.compiled
    probe.compiled = lambda *arguments: calls.append(arguments) or compiled(*arguments)
    first, again, other = (probe.change(d, element, list(element)) for d in (draws[0], draws[0], draws[1]))
    assert len(calls) == 2 + 3
    assert first == again and 0 < max(first, other) < 1e-12
    assert probe.control(draws[1], element, next(iter(element))) > 1e-3
