"""`geojax barrier`: the curve is that of `merging.barrier`; the probe sees functions, not weights."""

import json

import jax
import numpy as np
import pytest

from geojax.io import load_safetensors, save_safetensors
from geojax.merging import barrier
from geojax.symmetry import act, random_element

pytestmark = pytest.mark.x32
AB = ("barrier", "a.safetensors", "b.safetensors")


def test_a_loss_of_ones_own_gives_the_curve_of_the_library(place, run):
    ended = run(*AB, "--data", "toy_perceptron:loss", "--num", 5, "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    a, b = (load_safetensors(f"{name}.safetensors") for name in "ab")
    expected = barrier(lambda p: sum(((leaf - 1) ** 2).sum() for leaf in p.values()), a, b, num=5)
    np.testing.assert_allclose(found["curve"], expected.curve, rtol=1e-5)
    np.testing.assert_allclose(found["times"], [0, 0.25, 0.5, 0.75, 1])
    assert found["barrier"] == pytest.approx(float(expected.value), abs=1e-4)


def test_the_probe_is_zero_between_a_model_and_itself_and_not_between_a_model_and_its_copy(
    place, run, spec, draw
):
    same = json.loads(
        run("barrier", *["a.safetensors"] * 2, "--model", "toy_perceptron:build", "--num", 3, "--json").out
    )
    np.testing.assert_allclose(same["curve"], 0, atol=1e-10)
    moved = act(spec, random_element(spec, jax.random.key(0)), draw(0))
    save_safetensors("moved.safetensors", moved)
    other = json.loads(
        run(
            "barrier",
            "a.safetensors",
            "moved.safetensors",
            "--model",
            "toy_perceptron:build",
            "--num",
            3,
            "--json",
        ).out
    )
    np.testing.assert_allclose([other["curve"][0], other["curve"][-1]], 0, atol=1e-9)
    assert other["barrier"] == pytest.approx(other["curve"][1], rel=1e-3)
    assert other["barrier"] > 1e-3


@pytest.mark.full
def test_a_known_architecture_is_probed(place, run):
    sizes = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 8, "n_embd": 4, "n_layer": 1, "n_head": 2}
    (place / "config.json").write_text(json.dumps(sizes))
    from geojax.architectures import from_config

    found = from_config(sizes)
    for seed, name in enumerate("de"):
        params = found.init(jax.random.key(seed))
        save_safetensors(f"{name}.safetensors", {f"transformer.{key}": leaf for key, leaf in params.items()})
    ended = run("barrier", "d.safetensors", "e.safetensors", "--model", ".", "--num", 2, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["curve"][0] > 0


def test_the_table_and_the_picture(place, run):
    ended = run(*AB, "--data", "toy_perceptron:loss", "--num", 3, "--plot", "path.png")
    assert ended.code == 0
    assert "barrier: 0" in ended.out
    assert len([line for line in ended.out.splitlines() if line.startswith(("0.000", "0.500", "1.000"))]) == 3
    assert (place / "path.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_not_finite_ends_with_code_one(place, run, draw):
    save_safetensors("nan.safetensors", {name: leaf * np.nan for name, leaf in draw(0).items()})
    ended = run("barrier", "a.safetensors", "nan.safetensors", "--data", "toy_perceptron:loss", "--num", 3)
    assert ended.code == 1
    assert "--check" in ended.err


WRONG = {
    "neither": ([], "--model"),
    "no such loss": (["--data", "toy_perceptron:none"], "has no 'none'"),
    "form": (["--data", "toy_perceptron"], "module:function"),
    "not a scalar": (["--data", "toy_perceptron:vector"], "expected a scalar"),
    "a spec has no function": (["--model", "toy.json"], "saved spec"),
    "too few points": (["--data", "toy_perceptron:loss", "--num", "1"], "--num"),
    "plot over an input": (["--data", "toy_perceptron:loss", "--plot", "a.safetensors"], "input"),
    "plot nowhere": (["--data", "toy_perceptron:loss", "--plot", "no/where.png"], "no folder"),
    "another model": (["--model", "toy_perceptron:log_model"], "missing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_code_two(case, place, run):
    arguments, words = WRONG[case]
    ended = run(*AB, *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert sorted(file.name for file in place.glob("*.png")) == []


def test_models_that_differ_are_named(place, run):
    save_safetensors("small.safetensors", {"head.weight": np.ones((2, 5), np.float32)})
    ended = run("barrier", "a.safetensors", "small.safetensors", "--data", "toy_perceptron:loss")
    assert ended.code == 2
    assert "small.safetensors" in ended.err
