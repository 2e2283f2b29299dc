"""Conditions under which groups hold: they are noted exactly where other values of the constants break the group."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference import conditions

GENERATOR = np.random.default_rng(0)
SHAPES = {"w": (5, 6), "r": (6, 6), "b": (6,), "v": (6, 3), "skip": (5, 3)}
PARAMS = {name: GENERATOR.normal(size=shape) for name, shape in SHAPES.items()}
X = GENERATOR.normal(size=(4, 5))


def norm(h, mean, var):
    return (h - mean) * jax.lax.rsqrt(var + 1e-5)


def batch_norm(params, x, mean, var):
    return jax.nn.relu(norm(x @ params["w"], mean, var) * params["b"]) @ params["v"]


def gate(params, x, size):
    return x @ params["skip"] + size * (jnp.tanh(x @ params["w"] + jnp.arange(6)) @ params["v"])


def recurrent(params, x, shift):
    """A constant that a function inside the body of a loop closes over."""
    step = jax.jit(lambda h: jnp.tanh(h @ params["r"]) - shift)
    return jax.lax.scan(lambda h, row: (step(h) + row @ params["w"], None), jnp.zeros(6), x)[0] @ params["v"]


def branching(params, x, shift):
    h = x @ params["w"]
    return jax.lax.cond(x[0, 0] > 9, lambda: h, jax.jit(lambda: h - shift)) @ params["v"]


PROGRAMS = {
    "running statistics": (batch_norm, (jnp.zeros(6), jnp.ones(6))),
    "numpy statistics": (batch_norm, (np.zeros(6, np.float32), np.ones(6, np.float32))),
    "with axes of length one": (batch_norm, (jnp.zeros((1, 6)), jnp.ones((1, 6)))),
    "under jit": (jax.jit(batch_norm), (jnp.zeros(6), jnp.ones(6))),
    "in a loop": (recurrent, (jnp.zeros(6),)),
    "in a branch": (branching, (jnp.zeros(6),)),
    "uniform and not zero": (batch_norm, (jnp.full(6, 0.3), jnp.ones(6))),
    "a gate that starts at zero": (gate, (jnp.zeros(()),)),
    "a sum over units": (lambda p, x, ones: jnp.tanh(x @ p["w"]) @ ones, (jnp.ones(6),)),
    "on another axis": (lambda p, x, mix: mix @ jnp.tanh(x @ p["w"]) @ p["v"], (jnp.ones((4, 4)),)),
    "of the inputs": (lambda p, x, mean: jnp.tanh((x - mean) @ p["w"]) @ p["v"], (jnp.zeros(5),)),
    "not read by a group": (lambda p, x, shift: jnp.tanh(x @ p["w"]) @ p["v"] + shift, (jnp.zeros(3),)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_law_a_group_is_noted_exactly_if_other_constants_break_it(name):
    apply, constants = PROGRAMS[name]
    spec = gj.symmetry.infer(lambda p, x: apply(p, x, *constants), PARAMS, X, verify=False)
    others = [GENERATOR.uniform(0.5, 2, np.shape(one)) for one in constants]
    element = gj.symmetry.random_element(spec, jax.random.key(1))
    before = apply(PARAMS, X, *others)
    broken = set()
    for group in spec.groups:
        after = apply(gj.symmetry.act(spec, {group: element[group]}, PARAMS), X, *others)
        if np.max(np.abs(after - before)) > 1e-9:
            broken.add(group)
    assert {group for note in spec.notes for group in note.groups} == broken
    assert all(note.subject == "constant" for note in spec.notes)


def test_the_note_names_the_constants_and_what_to_do():
    mean, var = jnp.zeros(6, jnp.float32), jnp.ones(6, jnp.float32)
    spec = gj.symmetry.infer(lambda p, x: batch_norm(p, x, mean, var), PARAMS, X)
    (note,) = spec.notes
    assert "w, w:scaling, w:sign hold while the constants float32[6] of 0 (test_conditions.py:" in note.text
    assert note.text.endswith(
        "stay uniform along the axis, as now: pass them with the parameters if they may change"
    )
    assert f"\nnote: {note.text}\n" in str(spec)
    assert SymmetrySpec.from_json(spec.to_json()) == spec
    assert spec.without("w", "w:sign").notes and not spec.without("w", "w:sign", "w:scaling").notes


def test_state_that_is_passed_with_the_parameters_needs_no_note():
    params = {**PARAMS, "mean": jnp.zeros(6), "var": jnp.ones(6)}
    spec = gj.symmetry.infer(lambda p, x: batch_norm(p, x, p["mean"], p["var"]), params, X, verify=False)
    assert not spec.notes and ("permutation", 6) in {(g.kind, g.size) for g in spec.groups.values()}


def trained():
    return {"mean": GENERATOR.normal(size=6), "var": GENERATOR.uniform(1, 2, 6)}


def apart(state):
    """A transformed function of haiku: state among the arguments, before the inputs."""
    return gj.symmetry.infer(
        lambda p, s, x: batch_norm(p, x, s["mean"], s["var"]), PARAMS, state, X, verify=False
    )


def test_state_among_the_inputs_is_named_with_the_axes_it_holds():
    state = {name: one[None] for name, one in trained().items()}
    (note,) = apart(state).notes
    assert note.subject == "input"
    assert note.text == (
        "b[0], v[0], w[1] are held by input 0: mean, var; if this is state of the model, "
        "pass it with the parameters"
    )
    (uniform,) = apart({"mean": jnp.zeros(6), "var": jnp.ones(6)}).notes
    assert uniform == note, "whatever its values are"
    assert apart(jax.eval_shape(lambda: {"mean": jnp.zeros(6), "var": jnp.ones(6)})).notes == (note,)


def test_state_in_several_arguments_is_named_together():
    spec = gj.symmetry.infer(
        lambda p, x, mean, var: batch_norm(p, x, mean, var), PARAMS, X, *trained().values(), verify=False
    )
    assert [note.text.split(";")[0] for note in spec.notes] == ["b[0], v[0], w[1] are held by inputs: 1, 2"]


def test_statistics_in_the_closure_that_differ_are_named_with_the_axes_they_hold():
    state = trained()
    spec = gj.symmetry.infer(lambda p, x: batch_norm(p, x, **state), PARAMS, X, verify=False)
    (note,) = spec.notes
    assert note.text.startswith("b[0], v[0], w[1] are held by constants: float64[6] (test_conditions.py:")


PLAIN = {
    "data": lambda p, x, mask: (x + jnp.tanh(x @ p["w"]) @ p["v"] @ p["skip"].T) * mask @ p["skip"],
    "one vector of data": lambda p, x, mask: jnp.tanh(x[0] @ p["w"]) @ p["v"],
    "a table by position": lambda p, x, mask: jnp.tanh((x + np.sin(np.arange(5.0))) @ p["w"]) @ p["v"],
}


@pytest.mark.parametrize("name", PLAIN)
def test_data_is_not_called_state(name):
    spec = gj.symmetry.infer(PLAIN[name], PARAMS, X, jnp.ones((4, 1)), verify=False)
    assert spec.groups and not spec.notes


def test_a_program_that_cannot_be_run_again_has_its_groups_and_a_note(monkeypatch):
    def refuse(*args, **kwargs):
        raise NotImplementedError("no such program")

    monkeypatch.setattr(conditions, "read", refuse)
    ones = jnp.ones(6)
    spec = gj.symmetry.infer(lambda p, x: jnp.tanh(x @ p["w"]) @ ones, PARAMS, X)
    assert list(spec.groups) == ["w"]
    assert spec.notes[0].text == (
        "whether groups depend on constants and state was not examined: NotImplementedError: no such program"
    )
