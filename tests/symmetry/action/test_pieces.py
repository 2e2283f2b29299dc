"""The places of blocks against the arrays that `split` gives, and their names."""

import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.layout import Block, Cut, Part, split
from geojax.symmetry.action.pieces import named, places
from geojax.symmetry.inference.infer import infer

ROW = Part(2, 0)


def block(*sizes):
    return Block((ROW, *(Part(n, 1) for n in sizes)))


LAYOUTS = {
    "whole": ((2, 6), block(6)),
    "three gates": ((2, 6), Cut((2, 6), 1, (2, 2, 2), (block(2),) * 3)),
    "unequal pieces": ((2, 7), Cut((2, 7), 1, (1, 4, 2), (block(), block(2, 2), block(2)))),
    "packed inside heads": ((2, 12), Cut((2, 3, 4), 2, (3, 1), (block(3, 3), block(3)))),
    "pieces of pieces": (
        (2, 12),
        Cut((2, 12), 1, (4, 8), (block(4), Cut((2, 2, 4), 2, (1, 3), (block(2), block(2, 3))))),
    ),
    "rows, then columns": (
        (2, 4),
        Cut(
            (2, 4), 0, (1, 1), (Block((Part(4, 1),)), Cut((4,), 0, (3, 1), (Block((Part(3, 1),)), Block(()))))
        ),
    ),
}


@pytest.mark.parametrize("shape, layout", LAYOUTS.values(), ids=LAYOUTS)
def test_law_a_place_has_the_entries_of_its_block(shape, layout):
    leaf = np.arange(np.prod(shape)).reshape(shape)
    found = list(places(layout, shape))
    for (_, box), array in zip(found, split(layout, jnp.asarray(leaf)), strict=True):
        kept = [range(n) if axis is None else sorted(axis) for axis, n in zip(box, shape, strict=True)]
        np.testing.assert_array_equal(np.sort(np.ravel(array)), np.sort(leaf[np.ix_(*kept)].ravel()))


def names_of(key, axis, *numbers):
    shape, layout = LAYOUTS[key]
    boxes = [box for _, box in places(layout, shape)]
    return named("w", shape, [(axis, boxes[k]) for k in numbers])


def test_blocks_are_named_by_their_entries_and_neighbours_together():
    assert names_of("whole", 1, 0) == ["w[1]"]
    assert names_of("three gates", 1, 0, 1, 2) == ["w[1]"]
    assert names_of("three gates", 1, 1) == ["w[1][2:4]"]
    assert names_of("three gates", 1, 0, 2) == ["w[1][0:2,4:6]"]
    assert names_of("three gates", 0, 1, 2) == ["w[0]@[:,2:6]"]
    assert names_of("three gates", -1, 0) == ["w@[:,0:2]"]
    assert names_of("packed inside heads", 1, 0) == ["w[1][0:3 of 4]"]
    assert names_of("unequal pieces", 0, 0) == ["w[0]@[:,0]"]


def test_two_groups_on_pieces_of_one_packed_leaf_read_the_same():
    def packed(p, x):
        a, b = jnp.split(x @ p["in"], [5], axis=-1)
        return jnp.tanh(a) @ p["a"] + jnp.exp(b) @ p["b"]

    params = {"in": np.ones((3, 10)), "a": np.ones((5, 2)), "b": np.ones((5, 2))}
    table = str(infer(packed, params, np.ones((4, 3)), verify=False))
    assert "in[1][0:5]" in table and "in[1][5:10]" in table
