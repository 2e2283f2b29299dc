"""Balanced models: least norm, elements between models as given, and trees that are checked once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, SCALING, SIGN, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models, leftover_signs
from geojax.symmetry.ascent.compact_groups import compact_groups
from geojax.symmetry.matching.by_weights import weight_matching

# A relu layer of 4 units: w [3, 4] comes in, v [4, 2] goes out.
RELU = SymmetrySpec(
    (("p", Group(PERMUTATION, 4, axis="p")), ("s", Group(SCALING, 4, axis="p"))),
    (
        Leaf("v", (4, 2), Block((Part(4, 0, "p", (("p", 1), ("s", -1))), Part(2, 1)))),
        Leaf("w", (3, 4), Block((Part(3, 0), Part(4, 1, "p", (("p", 1), ("s", 1)))))),
    ),
)


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    a = {"v": random.normal(size=(4, 2)), "w": random.normal(size=(3, 4))}

    @jax.jit
    def plant(key):
        planted = random_element(RELU, key)
        return act(RELU, planted, a), a, planted

    return jax.device_get(plant(jax.random.key(1)))


def test_each_unit_of_a_balanced_relu_layer_has_equal_norms_in_and_out(pair):
    models = balance_models(RELU, list(pair[:2]))
    for leaves in models.leaves:
        np.testing.assert_allclose(
            np.linalg.norm(leaves["w"], axis=0), np.linalg.norm(leaves["v"], axis=1), rtol=1e-9
        )
    # Two models of one orbit have the same norms, up to the order of the units.
    norms = [np.sort(np.linalg.norm(leaves["w"], axis=0)) for leaves in models.leaves]
    np.testing.assert_allclose(*norms, rtol=1e-9)


def test_an_element_between_balanced_models_becomes_one_between_models_as_given(pair):
    a, b, planted = pair
    models = balance_models(RELU, [a, b])
    start, given = models.start("test()", planted)
    assert given == ("p",)
    np.testing.assert_array_equal(start["p"], planted["p"])
    moved = act(RELU, models.element(start), b)
    for name in a:
        np.testing.assert_allclose(moved[name], a[name], rtol=1e-9)
    alone = act(RELU, models.element_of_model(start, 1), b)
    for name in a:
        np.testing.assert_allclose(alone[name], models.leaves[0][name], rtol=1e-9)


def test_signs_that_no_compact_group_combines_make_their_vector_positive():
    """Two norms read one stream: the first scale's signs are matched, the second's are read off the scale."""
    flips = lambda name: Leaf(name, (3,), Block((Part(3, 0, "r", ((f"sign {name}", 1),)),)))
    members = tuple((f"sign {name}", Group(SIGN, 3, axis="r")) for name in ("one", "two"))
    spec = SymmetrySpec(members, (flips("one"), flips("two")))
    groups = compact_groups(spec)
    (solved,) = groups
    (left,) = {"sign one", "sign two"} - set(solved.members)
    leaves = {name: jnp.array([1.0, -2.0, 3.0]) for name in ("one", "two")}
    (element,) = leftover_signs(spec, groups, [leaves.__getitem__])
    assert set(element) == {left}
    np.testing.assert_array_equal(element[left], [1, -1, 1])


def test_each_tree_is_checked_once(pair, monkeypatch):
    calls = []
    check = SymmetrySpec.check
    monkeypatch.setattr(SymmetrySpec, "check", lambda spec, params: calls.append(1) or check(spec, params))
    a, b, _ = pair
    jax.eval_shape(functools.partial(weight_matching, RELU, key=jax.random.key(0)), a, b)
    assert len(calls) == 2
