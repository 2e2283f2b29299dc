"""Set partitions: which axes of an invariant of permutations have one index."""

import itertools
from collections.abc import Callable, Iterator, Sequence

Parts = tuple[tuple[int, ...], ...]
"""Disjoint tuples of points, each in increasing order, in the order of their first points."""


def set_partitions(
    points: Sequence[int], most: int, allowed: Callable[[tuple[int, ...]], bool] = lambda _: True
) -> Iterator[Parts]:
    """The partitions of ``points`` into at most ``most`` blocks, each of them allowed.

    The partitions into at most n blocks are the orbits of S_n on the index tuples [n]^m. As every allowed condition
    here (a sum of exponents that vanishes, an even number) passes from two blocks to their union, the sums over the
    orbits of a partition and of all coarser ones are a basis too: the two are related by the zeta matrix, which is
    triangular.
    """
    for parts in _partitions(list(points), most):
        if all(allowed(part) for part in parts):
            yield parts


def _partitions(points: list[int], most: int) -> Iterator[Parts]:
    if not points:
        yield ()
        return
    if most <= 0:
        return
    # Restricted growth: each point goes into a block that stands, or opens the next one.
    for growth in _growths(len(points), most):
        parts: list[list[int]] = [[] for _ in range(max(growth) + 1)]
        for point, part in zip(points, growth, strict=True):
            parts[part].append(point)
        yield tuple(map(tuple, parts))


def _growths(length: int, most: int) -> Iterator[tuple[int, ...]]:
    def grow(prefix: tuple[int, ...], used: int) -> Iterator[tuple[int, ...]]:
        if len(prefix) == length:
            yield prefix
            return
        for part in range(min(used + 1, most)):
            yield from grow((*prefix, part), max(used, part + 1))

    yield from grow((), 0)


def jellyfish(points: Sequence[int], size: int) -> list[Parts]:
    """The partitions on which a function of sign type lives: of n or n - 1 blocks, for the alternating group A_n.

    An orbit of S_n on index tuples falls into two orbits of A_n exactly if no odd permutation fixes a tuple of it, so
    if at most one index is left out. The sign of the permutation that a tuple spells tells the two apart.
    """
    if size < 2:
        return []
    return [parts for parts in set_partitions(points, size) if len(parts) >= size - 1]


def injective(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The tuples of different indices of one axis; ``sizes`` repeats the length of the axis."""
    return list(itertools.permutations(range(sizes[0]), len(sizes))) if sizes else [()]
