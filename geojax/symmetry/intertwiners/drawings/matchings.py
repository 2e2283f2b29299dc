"""Perfect matchings: which axes of an invariant of matrix groups are contracted with which.

Where an axis is shorter than half the number of points the matchings are linearly dependent. Read a matching as the
word of its involution: the point p has the letter that it is matched to. The second fundamental theorem of each group
says that antisymmetrising n + 1 of the vectors gives 0, and in each such relation the matching with the long monotone
subsequence is the first or the last in the order of words; so those without one span. Their number is the number of
standard tableaux (Robinson-Schensted), which is the dimension; so they are a basis.
"""

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from geojax.symmetry.intertwiners.drawings.partitions import Parts

PRIME = 2_147_483_629
"""Modulus of the arithmetic in which independent invariants of rotations are chosen."""


def matchings(
    points: Sequence[int], allowed: Callable[[tuple[int, ...]], bool] = lambda _: True
) -> Iterator[Parts]:
    """The perfect matchings of ``points`` with every pair allowed."""
    if not points:
        yield ()
        return
    first, *rest = points
    for place, other in enumerate(rest):
        if allowed((first, other)):
            for pairs in matchings([*rest[:place], *rest[place + 1 :]], allowed):
                yield ((first, other), *pairs)


def orthogonal(points: Sequence[int], size: int) -> list[Parts]:
    """A basis of the invariants of O(n): matchings whose word has no increasing subsequence longer than n."""
    return [pairs for pairs in matchings(points) if _longest(_word(pairs)) <= size]


def symplectic(points: Sequence[int], size: int) -> list[Parts]:
    """A basis of the invariants of Sp(n): matchings whose word has no decreasing subsequence longer than n."""
    return [pairs for pairs in matchings(points) if _longest([-p for p in _word(pairs)]) <= size]


def walled(points: Sequence[int], charges: Sequence[int], size: int) -> list[Parts]:
    """A basis of the invariants of GL(n): matchings of covariant with contravariant points.

    Bijections from the first to the second whose word has no increasing subsequence longer than n.
    """
    charge = dict(zip(points, charges, strict=True))
    chosen = []
    for pairs in matchings(points, lambda pair: charge[pair[0]] + charge[pair[1]] == 0):
        up = {a if charge[a] > 0 else b: b if charge[a] > 0 else a for a, b in pairs}
        if _longest([up[point] for point in sorted(up)]) <= size:
            chosen.append(pairs)
    return chosen


def rotational(points: Sequence[int], size: int) -> list[tuple[tuple[int, ...], Parts]]:
    """A basis of the invariants of SO(n) that change sign under reflections: (points of the determinant, pairs).

    det(v_1, ..., v_n) <w_1, w_2> ... of n of the points, and a matching of the others. Independent ones are chosen by
    their values at random vectors, in exact arithmetic modulo a prime.
    """
    spare = len(points) - size
    if spare < 0 or spare % 2:
        return []
    found = []
    for head in itertools.combinations(points, size):
        rest = [point for point in points if point not in head]
        found += [(head, pairs) for pairs in matchings(rest)]
    if spare == 0:
        return found
    rows = _values(found, points, size)
    return [found[row] for row in _independent(rows)]


def _word(pairs: Parts) -> list[int]:
    other = {point: partner for a, b in pairs for point, partner in ((a, b), (b, a))}
    return [other[point] for point in sorted(other)]


def _longest(word: Sequence[int]) -> int:
    """Length of the longest increasing subsequence."""
    ends: list[int] = []
    for letter in word:
        place = bisect.bisect_left(ends, letter)
        ends[place : place + 1] = [letter]
    return len(ends)


def _values(
    found: Sequence[tuple[tuple[int, ...], Parts]], points: Sequence[int], size: int
) -> list[list[int]]:
    """Values of the invariants at more sets of vectors than there are invariants, modulo the prime."""
    rng = np.random.default_rng(0)
    place = {point: i for i, point in enumerate(points)}
    columns = []
    for _ in range(len(found) + 8):
        vectors = rng.integers(-50, 51, (len(points), size)).astype(object)
        gram = vectors @ vectors.T
        determinants: dict[tuple[int, ...], int] = {}
        column = []
        for head, pairs in found:
            if head not in determinants:
                determinants[head] = _determinant(vectors[[place[point] for point in head]].tolist())
            value = determinants[head]
            for a, b in pairs:
                value = value * int(gram[place[a], place[b]]) % PRIME
            column.append(value)
        columns.append(column)
    return [list(row) for row in zip(*columns, strict=True)]


def _determinant(rows: list[list[int]]) -> int:
    """The determinant modulo the prime."""
    rows = [list(row) for row in rows]
    value = 1
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k] % PRIME), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot], value = rows[pivot], rows[k], -value
        value = value * rows[k][k] % PRIME
        scale = pow(int(rows[k][k]), -1, PRIME)
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] * scale % PRIME
            rows[i] = [(a - factor * b) % PRIME for a, b in zip(rows[i], rows[k], strict=True)]
    return value % PRIME


def _independent(rows: Sequence[Sequence[int]]) -> list[int]:
    """The first rows, by number, that are linearly independent modulo the prime."""
    basis: dict[int, np.ndarray] = {}
    chosen = []
    for number, row in enumerate(rows):
        rest = np.array(row, dtype=object) % PRIME
        while rest.any():
            lead = int(np.flatnonzero(rest)[0])
            if lead not in basis:
                basis[lead] = rest * pow(int(rest[lead]), -1, PRIME) % PRIME
                chosen.append(number)
                break
            rest = (rest - rest[lead] * basis[lead]) % PRIME
    return chosen
