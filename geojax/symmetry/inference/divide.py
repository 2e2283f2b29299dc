"""Dividing an array into blocks: from the factors of its axes to its layout."""

from collections.abc import Callable, Iterator

from geojax.symmetry.action.layout import Block, Cut, Layout, Part
from geojax.symmetry.inference.exponents.carriers import Carrier
from geojax.symmetry.inference.labels.axes import Factor, Stack, Sum, length, resolve

Factors = list[tuple[int, Factor]]
"""The factors of all axes of an array, each with the number of its axis."""


def divide(
    factors: Factors, part: Callable[[int, Factor], Part], whole: tuple[tuple[str, int], ...] = ()
) -> Layout:
    """The layout of an array: ``part`` makes the part of a factor, and ``whole`` are the moves of the whole array."""
    division = _division(factors)
    if division is None:
        return Block(tuple(part(axis, factor) for axis, factor in factors), whole)
    at, lengths, rests = division
    sizes = tuple(factor.size for _, factor in factors)
    return Cut(sizes, at, lengths, tuple(divide(rest, part, whole) for rest in rests))


def _division(factors: Factors) -> tuple[int, tuple[int, ...], list[Factors]] | None:
    """Where to split an array: the position among its factors, the lengths of the pieces, and the factors of each.

    None if no factor is a sum or a stack, so that the array is one block.
    """
    for k, (axis, factor) in enumerate(factors):
        if isinstance(factor, Sum):
            rests = [
                factors[:k] + [(axis, f) for f in resolve(piece)] + factors[k + 1 :]
                for piece in factor.pieces
            ]
            return k, tuple(length(piece) for piece in factor.pieces), rests
    for _, factor in factors:
        if isinstance(factor, Stack):
            over = resolve((factor.over,))[0]
            at = next(k for k, (_, f) in enumerate(factors) if f is over)
            rests = [_chosen(factors, at, i) for i in range(over.size)]
            return at, (1,) * len(rests), rests
    return None


def _chosen(factors: Factors, at: int, index: int) -> Factors:
    """The factors of the slice in which the factor at position ``at`` has the given index."""
    chosen: Factors = []
    for axis, factor in factors[:at] + factors[at + 1 :]:
        over = isinstance(factor, Stack) and resolve((factor.over,))[0] is factors[at][1]
        chosen += [(axis, f) for f in (resolve(factor.choices[index]) if over else (factor,))]  # type: ignore[union-attr]
    return chosen


def symbols_of_blocks(factors: Factors) -> Iterator[tuple[int, ...]]:
    """For each block of a leaf, in the order of `layout.blocks`, the unknown exponents of its axes."""
    division = _division(factors)
    if division is None:
        yield tuple(f.symbol for _, f in factors if isinstance(f, Carrier))
        return
    for rest in division[2]:
        yield from symbols_of_blocks(rest)
