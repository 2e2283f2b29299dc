"""`verify` catches a wrong spec, names the group at fault, and says when the inputs are blind to a group."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.inference.verify import Probe


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


def test_a_program_in_low_precision_gets_its_own_tolerance(key):
    def low(params, x):
        return (jnp.tanh(x.astype(jnp.bfloat16) @ params["a"].astype(jnp.bfloat16))).astype(
            jnp.float32
        ) @ params["b"]

    params = {"a": jax.random.normal(key, (3, 8)), "b": jax.random.normal(key, (8, 2))}
    spec = gj.symmetry.infer(low, params, jax.random.normal(key, (6, 3)))
    assert spec.verification.tolerance > 1e-2 and spec.verification.passed
    assert spec.groups


def test_parameters_of_another_model_are_refused(key):
    params, x = draw(key), jnp.ones((6, 3))
    spec = gj.symmetry.infer(apply, params, x, verify=False)
    with pytest.raises(ValueError, match=r"b: got shape \(4, 6\), expected \(4, 5\)"):
        gj.symmetry.verify(spec, apply, {**params, "b": jnp.ones((4, 6))}, x, key=key)


def test_outputs_where_nothing_moves_are_computed_once_for_each_draw(key):
    """A large model's evaluations are what verification costs, and half of them were the same."""
    params, x = draw(key), jax.random.normal(key, (6, 3))
    spec = gj.symmetry.infer(apply, params, x, verify=False)
    probe, generator = Probe(spec, apply, params, (x,), double=True), np.random.default_rng(0)
    draws, element = [probe.draw(generator) for _ in range(2)], probe.element(generator)
    calls, compiled = [], probe.compiled
    probe.compiled = lambda *arguments: calls.append(arguments) or compiled(*arguments)
    first, again, other = (probe.change(d, element, list(element)) for d in (draws[0], draws[0], draws[1]))
    assert len(calls) == 2 + 3
    assert first == again and 0 < max(first, other) < 1e-12
    assert probe.control(draws[1], element, next(iter(element))) > 1e-3
