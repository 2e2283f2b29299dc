"""`geojax align`: planted elements are undone, whatever the file calls its tensors; wrong input writes nothing."""

import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from geojax.architectures import from_config
from geojax.cli.files import models
from geojax.io import load_safetensors, save_safetensors
from geojax.symmetry import act, infer, random_element

pytestmark = pytest.mark.x32
A, B, OUT = "a.safetensors", "moved.safetensors", "out.safetensors"


@pytest.fixture
def moved(place, spec, draw):
    """The model a, and a copy of it moved by a random element."""
    move = jax.jit(lambda key, params: act(spec, random_element(spec, key), params))
    tensors = jax.tree.map(np.asarray, move(jax.random.key(1), draw(0)))
    save_safetensors(B, tensors, metadata={"note": "kept"})
    return tensors


def same(path, expected, **tolerance):
    found = load_safetensors(path)
    assert set(found) == set(expected)
    for name, leaf in expected.items():
        np.testing.assert_allclose(
            found[name], leaf, **(tolerance or {"rtol": 1e-4, "atol": 1e-5}), err_msg=name
        )


def test_a_planted_element_is_undone_and_reported(run, moved, draw):
    ended = run("align", A, B, "--model", "toy.json", "-o", OUT, "--json")
    assert ended.code == 0
    same(OUT, draw(0))
    found = json.loads(ended.out)
    assert found["distance"][0] > 0.1
    assert found["distance"][1] < 1e-5
    assert found["objective"][1] > found["objective"][0]
    assert found["converged"]
    assert all(share > 0 for share in found["moved"].values())
    assert json.loads(run("inspect", OUT, "--json").out)["metadata"] == {"note": "kept"}


@pytest.mark.parametrize("method", [pytest.param("activations", marks=pytest.mark.full), "both"])
def test_activations_undo_it_as_well(method, run, moved, draw):
    ended = run("align", A, B, "--model", "toy_perceptron:build", "--method", method, "-o", OUT)
    assert ended.code == 0
    same(OUT, draw(0))
    assert "relative distance" in ended.out
    assert "2 of 2" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_inputs_of_ones_own_are_used(place, run, moved):
    (place / "toy_inputs.py").write_text(
        "import jax\ndef images(): return jax.random.normal(jax.random.key(5), (16, 4))"
    )
    ended = run("align", A, B, "--model", "toy_perceptron:build", "--method", "activations",
                "--inputs", "toy_inputs:images", "-o", OUT)  # fmt: skip
    assert ended.code == 2  # these have four features, and the model takes three
    assert "toy_perceptron:build" in ended.err


def test_tensors_may_have_a_prefix_and_keep_it(place, run, moved, draw):
    save_safetensors("prefixed.safetensors", {f"model.{name}": leaf for name, leaf in moved.items()})
    assert run("align", A, "prefixed.safetensors", "--model", "toy.json", "-o", OUT).code == 0
    same(OUT, {f"model.{name}": leaf for name, leaf in draw(0).items()})


def test_half_precision_stays_and_permutations_change_no_bit(place, run, spec, draw):
    permutations = spec.without(*(name for name, group in spec.members if group.kind != "permutation"))
    (place / "permutations.json").write_text(permutations.to_json())
    half = draw(0, ml_dtypes.bfloat16)
    element = random_element(permutations, jax.random.key(2))
    save_safetensors(A, half)
    save_safetensors(B, act(permutations, element, half))
    assert run("align", A, B, "--model", "permutations.json", "-o", OUT).code == 0
    found = load_safetensors(OUT)
    for name, leaf in half.items():
        assert found[name].dtype == jnp.bfloat16
        np.testing.assert_array_equal(np.asarray(found[name]), leaf)


def test_tensors_that_the_model_does_not_know_are_refused_or_kept_as_asked(place, run, moved):
    extra = {"probe.weight": np.ones((2, 6), np.float32), "steps": np.array([3])}
    save_safetensors(B, moved | extra)
    refused = run("align", A, B, "--model", "toy.json", "-o", OUT)
    assert refused.code == 2
    assert "probe.weight" in refused.err
    assert not (place / OUT).exists()
    kept = run("align", A, B, "--model", "toy.json", "-o", OUT, "--keep-unread")
    assert kept.code == 0
    assert "probe.weight" in kept.err
    found = load_safetensors(OUT)
    for name, leaf in extra.items():
        np.testing.assert_array_equal(found[name], leaf)
    save_safetensors(A, load_safetensors(A) | extra)
    arguments = ("merge", A, B, "--model", "toy.json", "--align", "-o", "merged.safetensors")
    assert "--keep-unread" in run(*arguments).err
    assert run(*arguments, "--keep-unread").code == 0
    np.testing.assert_allclose(load_safetensors("merged.safetensors")["probe.weight"], 1)


def test_a_known_architecture_moves_tied_copies_along(place, run, monkeypatch):
    sizes = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 6, "n_embd": 4, "n_layer": 1, "n_head": 2}
    (place / "config.json").write_text(json.dumps(sizes))
    arch = from_config(sizes)
    spec = infer(arch.apply, arch.shapes(), *arch.inputs(), verify=False)
    units = [name for name, group in spec.members if group.kind != "permutation" or group.parents]
    monkeypatch.setattr(
        models, "spec_of", lambda model, verify=None: spec.without(*units)
    )  # few programs to compile
    generator = np.random.default_rng(0)
    drawn = [
        {name: generator.normal(size=like.shape).astype(np.float32) for name, like in arch.shapes().items()}
        for _ in range(2)
    ]
    for path, tensors in zip((A, B), drawn):
        named = {f"transformer.{name}": leaf for name, leaf in tensors.items()}
        save_safetensors(path, named | {"lm_head.weight": tensors["wte.weight"]})
    ended = run("align", A, B, "--model", ".", "-o", OUT, "--json")
    assert ended.code == 0, ended.err
    before, after = json.loads(ended.out)["objective"]
    assert after > before
    found = load_safetensors(OUT)
    np.testing.assert_array_equal(found["lm_head.weight"], found["transformer.wte.weight"])
    assert not np.array_equal(found["transformer.wte.weight"], drawn[1]["wte.weight"])
    x = arch.inputs()
    apply = jax.jit(arch.apply)
    outputs = [apply(params, *x) for params in (drawn[1], arch.select(found))]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-3)


def test_merging_aligned_copies_gives_the_model_back(place, run, moved, draw):
    ended = run("merge", A, B, "-o", OUT, "--model", "toy.json", "--align")
    assert ended.code == 0
    same(OUT, draw(0))
    assert "relative distance" in ended.err
    assert not list(place.glob(".geojax*"))
    dry = run("merge", A, B, "-o", "new.safetensors", "--model", "toy.json", "--align", "--dry-run")
    assert "temporary" in dry.out
    assert not (place / "new.safetensors").exists()


def test_a_dry_run_says_the_size_and_writes_nothing(place, run, moved):
    before = sorted(place.iterdir())
    ended = run("align", A, B, "--model", "toy.json", "-o", OUT, "--dry-run")
    assert ended.code == 0
    assert sorted(place.iterdir()) == before
    assert f"{(place / B).stat().st_size} bytes" in ended.out


WRONG = {
    "missing": ([A, "none.safetensors"], "none.safetensors"),
    "truncated": ([A, "cut.safetensors"], "cut.safetensors"),
    "other tensors": ([A, "small.safetensors"], "lacks 4 of the 5 leaves"),
    "other shapes": ([A, "wide.safetensors"], "has shape"),
    "not finite": ([A, "nan.safetensors"], "NaN"),
    "no such model": ([A, B, "--model", "none.json"], "none.json"),
    "unknown type": ([A, B, "--model", "strange.json"], "'strange'"),
    "unknown method": ([A, B, "--method", "magic"], "'magic'"),
    "a spec has no activations": ([A, B, "--method", "activations"], "saved spec"),
    "inputs by weights": ([A, B, "--inputs", "toy_perceptron:build"], "--inputs"),
    "over an input": ([A, B, "-o", A], "input"),
    "nowhere": ([A, B, "-o", "none/out.safetensors"], "no folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_code_two_and_writes_nothing(case, place, run, moved, draw):
    save_safetensors("small.safetensors", {"head.weight": np.ones((2, 6), np.float32)})
    save_safetensors("wide.safetensors", {name: np.ones((7, 7), np.float32) for name in draw(0)})
    save_safetensors("nan.safetensors", {name: leaf * np.nan for name, leaf in draw(1).items()})
    (place / "cut.safetensors").write_bytes((place / A).read_bytes()[:-4])
    (place / "strange.json").write_text('{"model_type": "strange"}')
    arguments, words = WRONG[case]
    defaults = [
        *([] if "--model" in arguments else ["--model", "toy.json"]),
        *([] if "-o" in arguments else ["-o", OUT]),
    ]
    before = {file: file.read_bytes() for file in place.iterdir() if file.is_file()}
    ended = run("align", *arguments, *defaults)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert {file: file.read_bytes() for file in place.iterdir() if file.is_file()} == before
