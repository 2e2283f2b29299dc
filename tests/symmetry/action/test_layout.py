"""Layouts: blocks of a leaf and back; the order in which groups act; arrays moved along one axis."""

import jax.numpy as jnp
import numpy as np

from geojax.symmetry.action.arrays import multiply, spread, take
from geojax.symmetry.action.elements import acting_order
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Cut, Part, blocks, join, size, split
from geojax.symmetry.action.spec import SymmetrySpec

INNER = Cut(
    (2, 3, 4), 1, (1, 2), (Block((Part(2, 0), Part(4, 1))), Block((Part(2, 0), Part(2, 0), Part(4, 1))))
)
LAYOUT = Cut((10, 4), 0, (6, 4), (INNER, Block((Part(2, 0), Part(2, 0), Part(4, 1)))))  # fmt: skip


def test_law_join_undoes_split():
    leaf = np.arange(40.0).reshape(10, 4)
    arrays = split(LAYOUT, leaf)
    assert [array.shape for array in arrays] == [block.shape for block in blocks(LAYOUT)]
    np.testing.assert_array_equal(join(LAYOUT, arrays, leaf.shape), leaf)
    assert size(LAYOUT) == 40


def test_a_longer_block_makes_a_longer_leaf():
    leaf = np.arange(40.0).reshape(10, 4)
    first, second, third = split(LAYOUT, leaf)
    wider = jnp.concatenate([third, third], axis=0)
    assert join(LAYOUT, [first, second, wider], leaf.shape).shape == (14, 4)


def test_permutations_act_first_and_parents_before_children():
    members = (
        ("scale", Group("scaling", 3, axis="unit")),
        ("unit", Group("permutation", 3, ("head",), (2,), axis="unit")),
        ("head", Group("permutation", 2, axis="head")),
    )
    spec = SymmetrySpec(members, (Leaf("w", (2, 3), Block((Part(2, 0), Part(3, 1)))),))
    element = dict.fromkeys(("scale", "unit", "head"))
    assert acting_order(spec, element) == ["head", "unit", "scale"]
    assert acting_order(spec, {"unit": None}) == ["unit"]


def test_take_and_multiply_agree_on_permutations_inside_parents():
    random = np.random.default_rng(0)
    x = random.normal(size=(4, 3, 2))
    inside = np.stack([random.permutation(4) for _ in range(2)])
    matrices = np.eye(4)[inside]
    taken = take(x, 0, [2], inside)
    np.testing.assert_allclose(taken, multiply(x, 0, [2], matrices))
    np.testing.assert_array_equal(taken[:, 1, 1], x[inside[1], 1, 1])
    plain = random.permutation(3)
    np.testing.assert_array_equal(take(x, 1, [], plain), x[:, plain])


def test_spread_puts_axes_where_they_broadcast():
    value = np.arange(6.0).reshape(2, 3)
    assert spread(value, (2, 0), 4).shape == (3, 1, 2, 1)
    np.testing.assert_array_equal(spread(value, (2, 0), 4)[:, 0, :, 0], value.T)
