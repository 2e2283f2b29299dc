"""The numerical check and the bound on dimensions are extras: whatever happens to them, `infer` answers and says so."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.facts import Note
from geojax.symmetry.action.spec import SymmetrySpec

GENERATOR = np.random.default_rng(0)
PARAMS = {
    "w": GENERATOR.normal(size=(5, 6)).astype(np.float32),
    "v": GENERATOR.normal(size=(6, 3)).astype(np.float32),
}
X = GENERATOR.normal(size=(4, 5)).astype(np.float32)
TABLE = np.sin(np.arange(4)[:, None] / 10.0 ** np.arange(5))


def net(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


@jax.custom_vjp
def squash(x):
    return jnp.tanh(x)


squash.defvjp(lambda x: (squash(x), x), lambda x, g: (g,))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def scaled(x, factor):
    return jnp.tanh(x * factor)


scaled.defvjp(lambda x, factor: (scaled(x, factor), x), lambda factor, x, g: (g,))

PROGRAMS = {
    "numpy table": lambda p, x: net(p, x + TABLE),
    "numpy table under jit": jax.jit(lambda p, x: net(p, x + TABLE)),
    "numpy table in a loop": lambda p, x: (
        jax.lax.fori_loop(0, 2, lambda i, h: jnp.tanh(h + TABLE @ p["w"]), x @ p["w"]) @ p["v"]
    ),
    "numpy integers": lambda p, x: net(p, x[np.arange(4)[::-1]] * np.arange(4)[:, None]),
    "numpy complex": lambda p, x: net(p, x) * np.exp(1j * np.arange(3)),
    "custom_vjp": lambda p, x: squash(x @ p["w"]) @ p["v"],
    "custom_vjp with a setting": lambda p, x: scaled(x @ p["w"], 2.0) @ p["v"],
    "custom_vjp in a scan": lambda p, x: (
        jax.lax.scan(lambda h, row: (squash(row @ p["w"] + h), None), jnp.zeros(6), x)[0] @ p["v"]
    ),
    "custom_vjp in a branch": lambda p, x: (
        jax.lax.cond(x[0, 0] > 0, lambda: squash(x @ p["w"]), lambda: x @ p["w"]) @ p["v"]
    ),
    "keys among the outputs": lambda p, x: (net(p, x), jax.random.split(jax.random.key(0))),
    "a type that is asked for": lambda p, x: net(p, x) if x.dtype == np.float32 else 1 / 0,
}


@pytest.mark.x32
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_crashed_a_check_are_checked(name):
    spec = gj.symmetry.infer(PROGRAMS[name], PARAMS, X)
    assert {(group.kind, group.size) for group in spec.groups.values()} == {("permutation", 6), ("sign", 6)}
    assert spec.verification.passed and spec.verification.tolerance < 1e-9
    assert spec.reach == (0, 0) and not spec.notes


def test_a_batch_without_inputs_is_no_error():
    spec = gj.symmetry.infer(net, PARAMS, np.zeros((0, 5), np.float32))
    assert spec.groups and not spec.verification.passed


def refuse(*args):
    raise RuntimeError("no device\nfor this")


def test_a_function_that_cannot_be_evaluated_keeps_its_groups():
    """It can be traced, and that is all the labels need."""

    def apply(params, x):
        noise = jax.pure_callback(refuse, jax.ShapeDtypeStruct((), x.dtype), x[0, 0])
        return net(params, x + noise)

    spec = gj.symmetry.infer(apply, PARAMS, X)
    assert {(group.kind, group.size) for group in spec.groups.values()} == {("permutation", 6), ("sign", 6)}
    assert spec.verification is None and [note.subject for note in spec.notes] == ["check"]
    assert "not verified" in str(spec) and "note: the numerical check did not run: " in str(spec)


def test_a_bound_that_fails_is_left_out_with_a_note(monkeypatch):
    module = importlib.import_module("geojax.symmetry.inference.infer")
    monkeypatch.setattr(module, "reach", refuse)
    spec = gj.symmetry.infer(net, PARAMS, X)
    assert spec.verification.passed and spec.reach is None
    text = "the bound on continuous dimensions was not computed: RuntimeError: no device"
    assert spec.notes == (Note("bound", text),)
    assert f"\nnote: {text}\n" in str(spec)
    assert SymmetrySpec.from_json(spec.to_json()) == spec
