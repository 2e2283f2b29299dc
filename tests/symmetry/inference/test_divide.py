"""From factors to layouts: products, sums and stacks become reshapes and cuts."""

from geojax.symmetry.action.layout import Block, Cut, Part
from geojax.symmetry.inference.divide import divide, symbols_of_blocks
from geojax.symmetry.inference.exponents.carriers import NOTHING, Carrier
from geojax.symmetry.inference.labels.axes import Node, Reason, Stack, Sum

HELD = Reason("slice", "is read one by one")


def part(axis, factor):
    return Part(factor.size, axis)


def test_a_product_is_one_block():
    a, b, c = Node(2), Node(3), Node(5)
    assert divide([(0, a), (0, b), (1, c)], part) == Block((Part(2, 0), Part(3, 0), Part(5, 1)))


def test_a_sum_is_cut_into_its_pieces():
    a, b, c = Node(2), Node(3), Node(4)
    layout = divide([(0, Sum(((a,), (b,)))), (1, c)], part)
    rest = Part(4, 1)
    assert layout == Cut((5, 4), 0, (2, 3), (Block((Part(2, 0), rest)), Block((Part(3, 0), rest))))


def test_a_stack_is_cut_along_the_index_that_chooses():
    over, a, b = Node(2, pin=HELD, listed=True), Node(3), Node(3)
    seen = []
    layout = divide(
        [(0, over), (1, Stack(over, ((a,), (b,))))], lambda axis, f: seen.append(f) or part(axis, f)
    )
    assert layout == Cut((2, 3), 0, (1, 1), (Block((Part(3, 1),)), Block((Part(3, 1),))))
    assert seen == [a, b]


def test_the_moves_of_the_whole_array_are_those_of_each_block():
    whole = (("scale", 2),)
    layout = divide([(0, Sum(((Node(2),), (Node(3),))))], part, whole)
    assert isinstance(layout, Cut)
    assert [piece.moves for piece in layout.pieces] == [whole, whole]


def test_unknowns_are_listed_block_by_block():
    carriers = [Carrier(Node(n), NOTHING, symbol) for symbol, n in enumerate((2, 3, 4))]
    factors = [(0, Sum(((carriers[0],), (carriers[1],)))), (1, carriers[2])]
    assert list(symbols_of_blocks(factors)) == [(0, 2), (1, 2)]
