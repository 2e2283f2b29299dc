"""The compact groups of a spec: which groups they combine, and their elements back and forth."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import GENERAL_LINEAR, ORTHOGONAL, PERMUTATION, SCALING, SIGN, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact_groups import (
    by_member,
    compact_groups,
    compact_identity,
    decode,
    encode,
    pair_of,
    pair_up,
)
from geojax.symmetry.ascent.kinds import ROTATION, SIGNED
from geojax.symmetry.ascent.problem import Pair, objective


def spec_of(*kinds, size=3, parents=(), connected=False):
    """A leaf [2, size] whose second axis is moved by one group of each kind."""
    sizes = (2,) * len(parents)
    members = tuple((kind, Group(kind, size, parents, sizes, "axis", connected)) for kind in kinds)
    part = Part(size, 1, "axis", tuple((kind, 1) for kind in kinds))
    return SymmetrySpec(members, (Leaf("w", (2, size), Block((Part(2, 0, *parents), part))),))


@pytest.mark.parametrize(
    "kinds, expected",
    [
        ((PERMUTATION,), PERMUTATION),
        ((SIGN,), SIGN),
        ((PERMUTATION, SIGN), SIGNED),
        ((PERMUTATION, SIGN, SCALING), SIGNED),
        ((ORTHOGONAL,), ORTHOGONAL),
        ((PERMUTATION, GENERAL_LINEAR), ORTHOGONAL),
        ((SCALING,), None),
    ],
)
def test_the_groups_on_one_axis_become_one(kinds, expected):
    groups = compact_groups(spec_of(*kinds))
    assert [group.kind for group in groups] == ([] if expected is None else [expected])
    assert set(by_member(groups)) == set(kinds) - (
        {SCALING} if expected is None or SCALING in kinds else set()
    )


def test_connected_groups_are_rotations():
    (group,) = compact_groups(spec_of(ORTHOGONAL, connected=True))
    assert group.kind == ROTATION and group.name == ORTHOGONAL


def test_signs_with_other_parents_than_the_permutations_are_left_out():
    members = (
        ("p", Group(PERMUTATION, 3, ("l",), (2,), "axis")),
        ("s", Group(SIGN, 3, (), (), "axis")),
    )
    (group,) = compact_groups(SymmetrySpec(members, ()))
    assert group.members == ("p",)


@pytest.mark.parametrize("kinds", [(PERMUTATION, SIGN), (PERMUTATION, ORTHOGONAL), (SIGN,)], ids=str)
def test_law_a_compact_element_moves_arrays_as_the_element_of_the_spec_does(kinds):
    spec = spec_of(*kinds, parents=("l",))
    groups = compact_groups(spec)
    a, b = ({"w": w} for w in np.random.default_rng(0).normal(size=(2, 2, 3)))

    @jax.jit
    def law(key):
        element = random_element(spec, key)
        encoded = encode(groups, element, jnp.float64)
        problem, (x, y) = pair_up(spec, groups, [a, b])
        back = decode(groups, spec, encoded, jnp.float64)
        moved = [act(spec, each, b)["w"] for each in (element, back)]
        return objective(problem, x, y, encoded), *moved

    value, moved, moved_back = law(jax.random.key(0))
    np.testing.assert_allclose(value, np.vdot(a["w"], moved), rtol=1e-12)
    np.testing.assert_allclose(moved_back, moved, atol=1e-12)


def test_the_identity_moves_nothing():
    spec = spec_of(PERMUTATION, SIGN)
    groups = compact_groups(spec)
    problem, (x,) = pair_up(spec, groups, [{"w": jnp.ones((2, 3))}])
    assert objective(problem, x, x, compact_identity(groups, jnp.float64)) == 6


def test_a_sign_of_a_whole_block_is_an_axis_of_length_one():
    block = Block((Part(4, 0),), (("s", 1), ("t", 2)))
    spec = SymmetrySpec((("s", Group(SIGN, 1)), ("t", Group(SIGN, 1))), (Leaf("w", (4,), block),))
    groups = compact_groups(spec)
    assert pair_of(by_member(groups), block) == Pair(("", ""), ("s", ""), (0,))
    _, (x,) = pair_up(spec, groups, [{"w": jnp.arange(4.0)}])
    assert x[0].shape == (1, 4)


def test_models_are_read_in_the_widest_dtype_and_integers_take_no_part():
    spec = SymmetrySpec((), (Leaf("n", (2,), Block((Part(2, 0),))), Leaf("w", (2,), Block((Part(2, 0),)))))
    make = functools.partial(jnp.ones, 2)
    models = [{"n": jnp.arange(2), "w": make(dtype)} for dtype in (jnp.float16, jnp.float32)]
    _, arrays = pair_up(spec, (), models)
    assert [[x.dtype for x in each] for each in arrays] == [[jnp.float32], [jnp.float32]]
