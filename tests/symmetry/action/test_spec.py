"""A spec as a value: equality, hash, text and back, groups taken out, and trees that do not fit."""

import copy
import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

from geojax.symmetry.action import text
from geojax.symmetry.action.facts import Leaf, Pin, VerifyResult
from geojax.symmetry.action.groups import Group, topological
from geojax.symmetry.action.layout import Block, Cut, Part
from geojax.symmetry.action.spec import SymmetrySpec

HEADS = Group("permutation", 2, axis="h")
UNITS = Group("scaling", 3, ("h",), (2,), axis="d")
PACKED = Cut(
    (6, 2),
    0,
    (3, 3),
    (
        Block((Part(3, 0, "d", (("d", -1),)), Part(2, 1, "h", (("h", 1),)))),
        Block((Part(3, 0), Part(2, 1, "h", (("h", 1),))), (("d", 2),)),
    ),
)
SPEC = SymmetrySpec(
    (("h", HEADS), ("d", UNITS)),
    (Leaf("packed", (6, 2), PACKED), Leaf("idle", (4,), Block((Part(4, 0),)), read=False)),
    (Pin("packed", 0, 3, "sort", "is sorted", "model.py:3 (net)"),),
    ("mystery (model.py:4 (net))",),
    VerifyResult(1e-9, 1e-6, 0.5, ("bad",), ("dim",)),
    (3, 5),
)


def test_law_text_and_back():
    assert SymmetrySpec.from_json(SPEC.to_json()) == SPEC
    assert json.loads(SPEC.to_json())["type"] == "SymmetrySpec"


def test_law_decode_undoes_encode():
    kinds = {"Part": Part, "Block": Block, "Cut": Cut}
    assert text.decode(text.encode(PACKED), kinds) == PACKED
    with pytest.raises(KeyError):
        text.decode(text.encode(PACKED), {"Part": Part})


def test_equal_specs_have_equal_hashes():
    other = copy.deepcopy(SPEC)
    assert other == SPEC
    assert hash(other) == hash(SPEC)
    assert dataclasses.replace(SPEC, unknown=()) != SPEC


def test_a_spec_is_static_under_jit():
    traces = []

    @jax.jit
    def count(spec):
        traces.append(spec)
        return len(spec.members)

    assert count(SPEC) == count(copy.deepcopy(SPEC)) == 2
    assert len(traces) == 1
    assert jax.tree.leaves(SPEC) == []


def test_without_takes_a_group_out_of_every_part_and_block():
    rest = SPEC.without("d")
    assert list(rest.groups) == ["h"]
    assert "d" not in {
        name for _, block, part in rest.occurrences("h") for name, _ in (*block.moves, *part.moves)
    }
    assert [part.size for _, _, part in rest.occurrences("h")] == [2, 2]
    assert SPEC.without("h", "d").members == ()


def test_occurrences_are_parts_of_blocks():
    assert [(leaf.path, part.name) for leaf, _, part in SPEC.occurrences("d")] == [("packed", "d")]


def test_dimension_counts_the_continuous_groups():
    assert SPEC.dimension == 6
    assert Group("orthogonal", 4).dimension == 6
    assert Group("general_linear", 3, ("l",), (2,)).dimension == 18
    assert Group("sign", 3).log10_order == pytest.approx(0.903, abs=1e-3)
    assert HEADS.log10_order == pytest.approx(0.301, abs=1e-3)


def test_trees_that_do_not_fit_are_named_leaf_by_leaf():
    with pytest.raises(ValueError, match=r"(?s)missing: packed.*unexpected: other.*idle: got shape"):
        SPEC.check({"other": jnp.ones(2), "idle": jnp.ones(5)})
    SPEC.check({"packed": jnp.ones((6, 2)), "idle": jnp.ones(4), "name": "net", "none": None})


def test_a_stack_in_the_place_of_one_model_is_called_so():
    with pytest.raises(ValueError, match=r"(?s)These are several models.*under jax\.vmap over the models"):
        SPEC.check({"packed": jnp.ones((5, 6, 2)), "idle": jnp.ones((5, 4))})
    with pytest.raises(ValueError, match="run `infer` on these"):
        SPEC.check({"packed": jnp.ones((5, 6, 2)), "idle": jnp.ones(4)})


def test_parents_come_before_children():
    groups = {"d": UNITS, "h": HEADS}
    assert topological(groups) == ["h", "d"]
    with pytest.raises(ValueError, match="depends on itself"):
        topological({"a": Group("sign", 1, ("b",), (1,)), "b": Group("sign", 1, ("a",), (1,))})


def test_the_table_names_everything():
    lines = str(SPEC).splitlines()
    assert lines[0].startswith("2 groups on 2 leaves, 10^0 discrete elements, found 3 of at most 5")
    assert "FAILED verification and excluded: bad" in str(SPEC)
    assert "the inputs do not exercise (pass more varied inputs): dim" in str(SPEC)
    assert "not read by the function: idle" in str(SPEC)
    assert "primitives without a rule (their axes are held): mystery (model.py:4 (net))" in str(SPEC)
    (units,) = [line for line in lines if line.startswith("d ")]
    assert units.split() == ["d", "scaling", "2", "x", "3", "h", "packed[0][0:3]^-1", "packed@[3:6,:]^2"]
    assert any(line.startswith("sort ") and "packed[0]" in line for line in lines)


def test_the_table_of_a_spec_without_groups_says_so():
    bare = SymmetrySpec((), ())
    assert str(bare) == "0 groups on 0 leaves, 10^0 discrete elements; not verified\n\nno symmetry was found"


def test_verification_passes_only_within_the_tolerance():
    assert VerifyResult(1e-9, 1e-6, 0.5).passed
    assert not VerifyResult(1e-3, 1e-6, 0.5).passed
    assert not VerifyResult(1e-9, 1e-6, 0.5, failed=("a",)).passed
    assert not VerifyResult(float("nan"), 1e-6, 0.5).passed


def layers_spec(count):
    """A network of layers that are alike, as pairs of leaves [4, 3] and [3, 4]."""
    members, leaves = [], []
    for i in range(count):
        members += [
            (f"net/{i}", Group("permutation", 3)),
            (f"net/{i}:sign", Group("sign", 3, axis=f"net/{i}")),
        ]
        moves = ((f"net/{i}", 1), (f"net/{i}:sign", 1))
        part = Part(3, 1, f"net/{i}", moves)
        leaves += [
            Leaf(f"net/{i}/w", (4, 3), Block((Part(4, 0), part))),
            Leaf(f"net/{i}/v", (3, 4), Block((dataclasses.replace(part, axis=0), Part(4, 1)))),
            Leaf(f"net/{i}/idle", (2,), Block((Part(2, 0),)), read=False),
        ]
    pins = [Pin(f"net/{i}/w", 0, 4, "sort", "is sorted", "net.py:1 (f)") for i in range(count)]
    return SymmetrySpec(tuple(members), tuple(leaves), tuple(pins))


def test_the_table_of_32_equal_layers_is_as_long_as_that_of_3():
    short = str(layers_spec(32)).splitlines()
    assert len(short) == len(str(layers_spec(3)).splitlines()) == 10
    assert any(line.split("  ")[0] == "net/{i}, i = 0..31" for line in short)
    assert any("net/{i}/w[1] net/{i}/v[0]" in line for line in short)
    assert short[-1] == "not read by the function: net/{0..31}/idle"
    assert any(line.endswith("net/{0..31}/w[0]") for line in short)


def test_the_full_table_hides_nothing():
    full = layers_spec(32).table(full=True)
    for leaf in layers_spec(32).leaves:
        assert leaf.path in full
    assert "+" not in full.partition("\n")[2]
    assert layers_spec(32).table() == str(layers_spec(32))
