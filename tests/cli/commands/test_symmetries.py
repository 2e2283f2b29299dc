"""`geojax symmetries`: what it prints is what `infer` finds; models of every kind; wrong ones."""

import json

import pytest

from geojax.symmetry import SymmetrySpec

pytestmark = pytest.mark.x32


def test_a_function_of_ones_own_is_verified_and_saved(place, run, spec):
    ended = run("symmetries", "toy_perceptron:build", "--save", "saved.json", "--pins")
    assert ended.code == 0
    assert "verified: " in ended.out
    assert "layers.*.weight" in ended.out
    assert "input" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    saved = SymmetrySpec.from_json((place / "saved.json").read_text())
    assert saved.members == spec.members
    assert saved.leaves == spec.leaves
    assert saved.verification.passed


def test_json_says_what_the_spec_holds(place, run, spec):
    ended = run("symmetries", "toy.json", "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert {group["name"]: group["kind"] for group in found["groups"]} == {n: g.kind for n, g in spec.members}
    assert found["dimension"] == spec.dimension
    assert found["verification"] is None
    moved = {(move["leaf"], move["axis"]) for move in found["groups"][0]["moves"]}
    assert moved == {(leaf.path, part.axis) for leaf, _, part in spec.occurrences(found["groups"][0]["name"])}
    assert {pin["leaf"] for pin in found["pins"]} == {pin.path for pin in spec.pins}


def test_layers_that_repeat_are_one_row(place, run):
    shown = run("symmetries", "toy.json").out
    rows = [line for line in shown.splitlines() if line.startswith(("permutation", "scaling"))]
    assert len(rows) == 2
    assert all(row.split()[1:3] == ["6", "2"] for row in rows)


def test_a_known_architecture_is_read_from_its_config(place, run):
    sizes = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 8, "n_embd": 4, "n_layer": 2, "n_head": 2}
    (place / "config.json").write_text(json.dumps(sizes))
    for model in (".", "config.json"):
        ended = run("symmetries", model, "--json", "--no-verify")
        assert ended.code == 0
        found = json.loads(ended.out)
        assert (4 * 4 in {group["size"] for group in found["groups"]}) and found["verification"] is None


def test_a_check_that_cannot_be_made_ends_with_code_one_and_saves_nothing(place, run):
    ended = run("symmetries", "toy_perceptron:log_model", "--save", "saved.json")
    assert ended.code == 1
    assert "numerical check" in ended.err
    assert not (place / "saved.json").exists()


WRONG = {
    "nowhere": "no such file",
    "nowhere:f": "no module named 'nowhere'",
    "toy_perceptron:nothing": "has no 'nothing'",
    "toy_perceptron:WIDTHS": "expected a function",
    "toy_perceptron:broken": "RuntimeError: on purpose (",
    "toy_perceptron:shapeless": "returned a int; expected a tuple",
    "toy_perceptron.py": "toy_perceptron:model",
    ".": "config.json",
    "a.safetensors": "not JSON",
    "list.json": "neither a config",
    "strange.json": "'strange'",
    "half.json": "not a saved SymmetrySpec",
    "small.json": "is missing",
}


@pytest.mark.parametrize("model", WRONG)
def test_wrong_models_are_one_line_and_code_two(model, place, run):
    (place / "list.json").write_text("[]")
    (place / "strange.json").write_text('{"model_type": "strange"}')
    (place / "half.json").write_text('{"type": "SymmetrySpec"}')
    (place / "small.json").write_text('{"model_type": "gpt2"}')
    ended = run("symmetries", model)
    assert ended.code == 2
    assert ended.err.startswith("geojax: ")
    assert ended.err.count("\n") == 1
    assert model in ended.err
    assert WRONG[model] in ended.err


def test_an_error_in_the_users_module_names_its_line(place, run):
    (place / "toy_broken.py").write_text("import json\n\nraise KeyError('setting')\n")
    ended = run("symmetries", "toy_broken:build")
    assert ended.code == 2
    assert "toy_broken.py, line 3" in ended.err


def test_the_users_function_may_import_from_the_current_folder_late(place, run):
    (place / "toy_late.py").write_text(
        "def build():\n    from toy_perceptron import log_model\n    return log_model()\n"
    )
    assert run("symmetries", "toy_late:build", "--no-verify").code == 0


@pytest.mark.parametrize("target", ["toy.json", "none/spec.json", "."])
def test_a_spec_is_not_saved_where_it_must_not_be(target, place, run):
    before = (place / "toy.json").read_text()
    ended = run("symmetries", "toy.json", "--save", target)
    assert ended.code == 2
    assert "--save" in ended.err
    assert (place / "toy.json").read_text() == before
