"""Labels of known numbers: the permutations that they allow are those that leave the numbers as they are."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from geojax.symmetry.inference.labels.axes import Node, Reason, Sum, Uniform, is_uniform, length, resolve
from geojax.symmetry.inference.labels.constants import PIECES, constant_axes

HELD = Reason("constant", "differs")


def labels(numbers):
    return constant_axes(np.asarray(numbers), lambda n: (Node(n, pin=HELD),) if n > 1 else ())


def order(label):
    """The number of permutations of an axis that leave an array with this label as it is, as far as the label says."""
    factors = resolve(label)
    if not factors:
        return 1
    head, rest = factors[0], factors[1:]
    if isinstance(head, Uniform):
        return math.factorial(head.size) ** length(rest) * order(rest) ** head.size
    if isinstance(head, Sum):
        assert not rest
        return math.prod(order(piece) for piece in head.pieces)
    return order(rest) ** head.size


def equal_columns(numbers):
    """The number of permutations of the columns that leave a matrix as it is."""
    counts = Counter(column.tobytes() for column in np.asarray(numbers).T.copy())
    return math.prod(math.factorial(n) for n in counts.values())


def mask(*degrees):
    return (np.arange(max(degrees) + 1)[:, None] <= np.array(degrees)) * 1.0


@pytest.mark.parametrize(
    "degrees",
    [
        (0, 0, 1, 1),
        (0, 0, 0, 1),
        (0, 1, 1, 1, 2),
        (0, 1, 2, 3),
        (0, 1, 0, 1),
        (0, 1, 2, 0, 1, 2),
        (0, 0, 1, 1, 2, 2, 2),
    ],
)
def test_matches_brute_force_equal_columns(degrees):
    numbers = mask(*degrees)
    assert order(labels(numbers)[1]) == equal_columns(numbers)
    found = sum(
        np.array_equal(numbers[:, list(p)], numbers) for p in itertools.permutations(range(len(degrees)))
    )
    assert found == equal_columns(numbers)


def test_rows_are_held_where_all_differ():
    for label in labels(np.tri(4)):
        (node,) = label
        assert node.pin is HELD


def test_part_of_the_order_where_columns_are_out_of_order():
    """Sound, not complete: (0, 1, 1, 0) allows four permutations, of which its one run gives two."""
    assert order(labels(mask(0, 1, 1, 0))[1]) == 2
    assert order(labels(mask(0, 1, 0, 1, 0))[1]) == 4


def test_chance_is_no_mask():
    """Equal columns of an array with more than two numbers are held, as they were drawn or measured."""
    (_, columns) = labels([[1.0, 1, 2, 2], [3, 3, 4, 4]])
    assert [f.pin for f in columns] == [HELD]
    (_, columns) = labels([[1.0, 1, np.nan, np.nan]])
    assert [f.pin for f in columns] == [HELD]


def test_many_pieces_are_held():
    lengths = np.random.default_rng(0).integers(1, 4, 4 * PIECES)
    numbers = np.repeat(np.arange(4 * PIECES) % 2, lengths)
    (label,) = labels(numbers)
    assert all(isinstance(f, Node) and f.pin for f in label)


def test_identity_moves_on_both_sides():
    rows, columns = labels(2 * np.eye(3) - 1)
    assert rows == columns
    assert rows[0].pin is None
    assert all(map(is_uniform, labels(np.ones((3, 3)))))
    assert labels(np.eye(3)[::-1])[0] != labels(np.eye(3)[::-1])[1]
    assert labels(np.eye(3)[::-1])[0][0].pin is HELD
