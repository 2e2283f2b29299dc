"""Laws of the axis algebra: equations between labels and taking labels apart."""

import itertools
import math

import numpy as np
import pytest

from geojax.symmetry.inference.labels.algebra import Algebra
from geojax.symmetry.inference.labels.axes import (
    Node,
    Reason,
    Stack,
    Sum,
    Uniform,
    is_uniform,
    length,
    resolve,
    terminals,
    uniform,
)

WHY = Reason("add", "is matched index by index", "here")


def atoms(*sizes):
    return tuple(Node(size) for size in sizes)


def shape_of(label):
    """The sizes of the factors, nested sums spelled out."""
    return tuple(tuple(map(shape_of, f.pieces)) if isinstance(f, Sum) else f.size for f in resolve(label))


def free(label):
    return [node for node in terminals(label) if isinstance(node, Node) and node.pin is None]


def moved(label, permutations):
    """Where each position's entry comes from when every free node is moved by a random permutation of its own."""
    positions = np.zeros(1, int)
    offsets = lambda sizes: [0, *itertools.accumulate(sizes)]
    for factor in resolve(label):
        if isinstance(factor, Sum):
            starts = offsets(map(length, factor.pieces))
            own = np.concatenate(
                [s + moved(p, permutations) for s, p in zip(starts, factor.pieces, strict=False)]
            )
        elif isinstance(factor, Uniform) or factor.pin:
            own = np.arange(factor.size)
        else:
            draw = np.random.default_rng(factor.serial).permutation(factor.size)
            own = permutations.setdefault(factor, draw)
        positions = (positions[:, None] * factor.size + own).ravel()
    return positions


def labels(generator, size, depth=2):
    """A random label of an axis of given length."""
    divisors = [d for d in range(2, size) if size % d == 0]
    kind = generator.integers(4)
    if kind == 0 and divisors:
        lead = int(generator.choice(divisors))
        return (*labels(generator, lead, depth), *labels(generator, size // lead, depth))
    if kind == 1 and depth and size > 2:
        at = int(generator.integers(1, size))
        return (Sum((labels(generator, at, depth - 1), labels(generator, size - at, depth - 1))),)
    if kind == 2:
        return uniform(size)
    return atoms(size) if size > 1 else ()


CASES = [(seed, size) for seed in range(24) for size in (6, 8, 12)]


@pytest.mark.parametrize(("seed", "size"), CASES)
def test_unify_makes_both_sides_one_label(seed, size):
    generator = np.random.default_rng(seed)
    algebra = Algebra()
    first, second = labels(generator, size), labels(generator, size)
    uniform_parts = any(isinstance(t, Uniform) for t in (*terminals(first), *terminals(second)))
    merged = algebra.unify(first, second, WHY)
    assert length(merged) == size
    held = not free(first) and not free(second)
    if held or uniform_parts:
        return
    ways = [moved(one, {}).tolist() for one in (first, second, merged)]
    assert ways[0] == ways[1] == ways[2]


@pytest.mark.parametrize(("seed", "size"), CASES)
def test_unify_is_symmetric(seed, size):
    results = []
    for turned in (False, True):
        generator = np.random.default_rng(seed)
        algebra = Algebra()
        first, second = labels(generator, size), labels(generator, size)
        pair = (second, first) if turned else (first, second)
        merged = algebra.unify(*pair, WHY)
        counted = [sorted(n.size for n in free(x)) for x in (first, second, merged)]
        results.append((counted, [shape_of(x) for x in (first, second)]))
    assert results[0] == results[1]


@pytest.mark.parametrize(("seed", "size"), CASES)
def test_unify_again_changes_nothing(seed, size):
    generator = np.random.default_rng(seed)
    algebra = Algebra()
    first, second = labels(generator, size), labels(generator, size)
    merged = algebra.unify(first, second, WHY)
    before = [shape_of(x) for x in (first, second, merged)], [resolve(x) for x in (first, second)]
    algebra.unify(first, second, WHY)
    algebra.unify(merged, merged, WHY)
    assert before == ([shape_of(x) for x in (first, second, merged)], [resolve(x) for x in (first, second)])


def test_unify_is_transitive():
    algebra = Algebra()
    a, b, c = atoms(6), atoms(6), atoms(6)
    algebra.unify(a, b, WHY)
    algebra.unify(b, c, WHY)
    assert resolve(a) == resolve(b) == resolve(c)
    algebra.pin(b, WHY)
    assert not free(a) and not free(c)


def test_refinement_is_global():
    algebra = Algebra()
    a, b = atoms(12), atoms(12)
    algebra.unify(a, b, WHY)
    h, d = algebra.regroup(a, (3, 4), WHY)
    assert shape_of(b) == (3, 4)
    assert resolve(b) == (*resolve(h), *resolve(d))
    pieces = algebra.part(d, 0, 1), algebra.part(d, 1, 4)
    assert shape_of(b) == (3, ((), (3,)))
    assert pieces[0] == () and resolve(b)[1].pieces[1] == pieces[1]


def test_products_meet_at_their_common_factors():
    algebra = Algebra()
    first, second = atoms(4, 6), atoms(8, 3)
    algebra.unify(first, second, WHY)
    assert shape_of(first) == shape_of(second) == (4, 2, 3)
    assert free(first) and resolve(first) == resolve(second)


def test_products_that_do_not_nest_are_held_with_the_reason():
    algebra = Algebra()
    first, second = atoms(4, 3), atoms(3, 4)
    merged = algebra.unify(first, second, WHY)
    assert not free(first) and not free(second) and not free(merged)
    assert {node.pin.primitive for node in terminals(first)} == {"add"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_one_node_met_several_times_links_them_all(order):
    """The same node on both sides and more than once: no equation may be lost."""
    algebra = Algebra()
    nodes = atoms(3, 3, 3)
    a, b, c = (nodes[i] for i in order)
    algebra.unify((c, c), (a, b), WHY)
    assert len({resolve((n,)) for n in nodes}) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_product_and_its_own_turn(order):
    """(a, b) = (b, a) with a of length 4, b of length 2: the whole index is tied in a circle."""
    algebra = Algebra()
    a, b = (Node(4), Node(2)) if order[0] == 0 else reversed((Node(2), Node(4)))
    algebra.unify((a, b), (b, a), WHY)
    assert moved((a, b), {}).tolist() == moved((b, a), {}).tolist()
    assert len(set(map(id, free((a, b))))) <= 1


def test_three_turns_of_a_product():
    algebra = Algebra()
    a, b, c = atoms(2, 2, 2)
    algebra.unify((a, b, c), (b, c, a), WHY)
    assert len({resolve((n,)) for n in (a, b, c)}) == 1


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ((12,), (3, 4)),
        ((3, 4), (12,)),
        ((2, 6), (4, 3)),
        ((4, 3), (2, 2, 3)),
        ((6,), (1, 6, 1)),
        ((2, 3, 4), (6, 4)),
    ],
)
def test_regroup_back_is_the_same_label(sizes, wanted):
    algebra = Algebra()
    label = atoms(*sizes)
    groups = algebra.regroup(label, wanted, WHY)
    assert [length(group) for group in groups] == list(wanted)
    back = algebra.regroup(tuple(itertools.chain.from_iterable(groups)), (math.prod(sizes),), WHY)
    assert resolve(back[0]) == resolve(label)
    assert free(label)


def test_regroup_across_factors_is_refused():
    assert Algebra().regroup(atoms(3, 4), (4, 3), WHY) is None


def test_regroup_of_a_sum_keeps_the_trailing_factor():
    algebra = Algebra()
    (x, y) = atoms(6, 9)
    groups = algebra.regroup((Sum(((x,), (y,))),), (5, 3), WHY)
    assert [length(g) for g in groups] == [5, 3]
    trail = resolve(groups[1])
    assert resolve((x,))[1:] == resolve((y,))[1:] == trail


@pytest.mark.parametrize(("outer", "inner"), [((2, 9), (1, 4)), ((0, 6), (2, 6)), ((3, 4), (0, 1))])
def test_part_of_part_is_the_part(outer, inner):
    start, stop = outer[0] + inner[0], outer[0] + inner[1]
    algebra = Algebra()
    whole = atoms(10)
    nested = algebra.part(algebra.part(whole, *outer), *inner)
    direct = algebra.part(whole, start, stop)
    assert resolve(nested) == resolve(direct)
    other = Algebra()
    fresh = atoms(10)
    direct = other.part(fresh, start, stop)
    nested = other.part(other.part(fresh, *outer), *inner)
    assert resolve(nested) == resolve(direct)


@pytest.mark.parametrize("cuts", [((0, 3), (3, 10)), ((0, 5), (2, 7), (7, 10)), ((1, 9), (4, 5), (0, 10))])
def test_parts_share_entries_where_they_overlap(cuts):
    algebra = Algebra()
    whole = atoms(10)
    parts = [algebra.part(whole, *cut) for cut in cuts]
    everything = moved(whole, {})
    for (start, stop), part in zip(cuts, parts, strict=True):
        assert (start + moved(part, {})).tolist() == everything[start:stop].tolist()


def test_part_across_factors_is_refused():
    assert Algebra().part(atoms(3, 4), 2, 6) is None


def test_part_of_a_row_inside_a_product():
    algebra = Algebra()
    a, b = atoms(3, 4)
    assert resolve(algebra.part((a, b), 4, 8)) == (b,)
    assert shape_of((a,)) == ((((), (), ()),)) or shape_of((a,)) == (((), (), ()),)


def test_sums_meet_at_all_their_edges():
    algebra = Algebra()
    a, b, c, d = atoms(4, 6, 7, 3)
    algebra.unify((Sum(((a,), (b,))),), (Sum(((c,), (d,))),), WHY)
    assert sorted(node.size for node in free((Sum(((a,), (b,))),))) == [3, 3, 4]
    assert moved((Sum(((a,), (b,))),), {}).tolist() == moved((Sum(((c,), (d,))),), {}).tolist()


def test_sum_of_a_sum_and_a_product():
    algebra = Algebra()
    a, b = atoms(6, 6)
    node = atoms(12)
    algebra.unify((Sum(((a,), (b,))),), node, WHY)
    assert shape_of(node) == (((6,), (6,)),)
    h, d = algebra.regroup(node, (2, 6), WHY)
    assert length(h) == 2 and length(d) == 6
    assert free((a,)) and free((b,))


def test_a_sum_turned_against_itself():
    algebra = Algebra()
    a, b = atoms(3, 3)
    algebra.unify((Sum(((a,), (b,))),), (Sum(((b,), (a,))),), WHY)
    assert resolve((a,)) == resolve((b,))
    x, y = atoms(2, 4)
    algebra.unify((Sum(((x,), (y,))),), (Sum(((y,), (x,))),), WHY)
    assert moved((Sum(((x,), (y,))),), {}).tolist() == moved((Sum(((y,), (x,))),), {}).tolist()


def test_uniform_fits_anything_and_links_nothing():
    algebra = Algebra()
    a, b = atoms(4, 4)
    assert algebra.unify((a,), uniform(4), WHY) == (a,)
    assert algebra.unify(uniform(4), (b,), WHY) == (b,)
    assert resolve((a,)) != resolve((b,)) and free((a,)) and free((b,))
    assert is_uniform(algebra.unify(uniform(12), (*uniform(3), *uniform(4)), WHY))
    product = atoms(3, 4)
    assert resolve(algebra.unify(uniform(12), product, WHY)) == product
    assert uniform(1) == () and is_uniform(()) and not is_uniform((a,))


def test_a_node_bound_to_something_partly_uniform_is_linked_by_what_it_became():
    """An axis tied first to (uniform, h) and then to (k, d): the uniform part may not stay so."""
    algebra = Algebra()
    node, h = atoms(12, 4)
    algebra.unify((node,), (*uniform(3), h), WHY)
    k, d = atoms(3, 4)
    algebra.unify((node,), (k, d), WHY)
    assert resolve((d,)) == resolve((h,))
    assert resolve((node,)) == (*resolve((k,)), *resolve((d,)))
    algebra.pin((node,), WHY)
    assert not free((k,)) and not free((h,))


def test_pin_keeps_the_first_reason():
    algebra = Algebra()
    a = atoms(4)
    algebra.pin(a, WHY)
    algebra.pin(a, Reason("sort", "is sorted"))
    assert a[0].pin is WHY
    b = atoms(4)
    algebra.unify(b, a, Reason("mul", "is matched"))
    assert resolve(b)[0].pin is WHY


def test_pinning_a_composite_pins_its_parts():
    algebra = Algebra()
    a = atoms(12)
    algebra.regroup(a, (3, 4), WHY)
    algebra.pin(a, WHY)
    assert not free(a)
    held = atoms(12)
    algebra.pin(held, WHY)
    assert not free(tuple(itertools.chain.from_iterable(algebra.regroup(held, (3, 4), WHY))))
    assert not free(algebra.part(held, 0, 3) or ())


def test_stacks_over_one_index_meet_choice_by_choice():
    algebra = Algebra()
    over = Node(2, pin=WHY, listed=True)
    a, b, c, d = atoms(3, 3, 3, 3)
    merged = algebra.unify((Stack(over, ((a,), (b,))),), (Stack(over, ((c,), (d,))),), WHY)
    assert resolve((a,)) == resolve((c,)) != resolve((b,)) == resolve((d,))
    assert length(merged) == 3


def test_stacks_over_different_indices_collapse():
    algebra = Algebra()
    a, b, c, d = atoms(3, 3, 3, 3)
    stacks = [Stack(Node(2, pin=WHY, listed=True), pair) for pair in (((a,), (b,)), ((c,), (d,)))]
    algebra.unify((stacks[0],), (stacks[1],), WHY)
    assert len({resolve((n,)) for n in (a, b, c, d)}) == 1


def test_stack_against_a_node_collapses():
    algebra = Algebra()
    a, b, n = atoms(3, 3, 3)
    algebra.unify((n,), (Stack(Node(2, pin=WHY, listed=True), ((a,), (b,))),), WHY)
    assert len({resolve((x,)) for x in (a, b, n)}) == 1


def test_collapse_keeps_the_stacks_it_is_told_to():
    algebra = Algebra()
    over = Node(2, pin=WHY, listed=True)
    a, b = atoms(3, 3)
    stack = (Stack(over, ((a,), (b,))),)
    assert algebra.collapse(stack, WHY, frozenset({(over,)})) == stack
    assert resolve((a,)) != resolve((b,))
    assert resolve(algebra.collapse(stack, WHY)) == resolve((a,)) == resolve((b,))


def test_a_factor_of_length_one_does_not_hang():
    """One entry of each choice of a stack has no label of its own; a factor of length one is met by nothing."""
    algebra = Algebra(stacks=True)
    over = algebra.listed(2, Reason("slice", "is read"))
    choices = ((Node(4),), (Node(4),))
    assert algebra.part((Stack(over, choices),), 1, 2) == ()
    empty = Stack(over, ((), ()))
    assert algebra.unify((empty,), uniform(2), Reason("add", "matches")) is not None
    node = Node(3)
    assert algebra.unify((empty, node), (node,), Reason("add", "matches")) == (node,)
    assert node.pin is None
