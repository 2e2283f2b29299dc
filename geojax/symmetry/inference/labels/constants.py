"""The labels of an array of known numbers: which permutations of its axes leave it as it is.

An axis along which the numbers do not change is uniform. A mask, which has two different numbers, may also have equal
rows: runs of equal rows are pieces of a sum that are uniform, and rows that repeat with a period are a product with
a uniform factor. (Other equal rows are held, and so are those of arrays with more numbers, where they are chance.)
The two axes of an identity matrix, or of any with one number on its diagonal and another elsewhere, move together.
"""

import itertools
from collections.abc import Callable

import numpy as np

from geojax.symmetry.inference.labels.axes import Label, Node, Sum, uniform

PIECES = 16
LARGEST = 1 << 24

Fixed = Callable[[int], Label]
"""The label of a fresh axis of given length that is held."""


def constant_axes(numbers: np.ndarray, fixed: Fixed) -> tuple[Label, ...]:
    """A label for each axis of an array of known numbers."""
    flat = [
        n <= 1 or bool(np.all(numbers == np.take(numbers, [0], axis=axis)))
        for axis, n in enumerate(numbers.shape)
    ]
    if all(flat) or not _is_mask(numbers):
        return tuple(uniform(n) if same else fixed(n) for n, same in zip(numbers.shape, flat, strict=True))
    if _is_identity(numbers):
        both: Label = (Node(len(numbers)),)
        return both, both
    return tuple(
        uniform(n) if same else _pattern(_classes(numbers, axis), fixed)
        for axis, (n, same) in enumerate(zip(numbers.shape, flat, strict=True))
    )


def _is_mask(numbers: np.ndarray) -> bool:
    """Whether there are at most two different numbers."""
    if numbers.size > LARGEST:
        return False
    others = numbers[numbers != numbers.reshape(-1)[0]]
    return bool(np.all(others == others[:1]))


def _is_identity(numbers: np.ndarray) -> bool:
    if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1]:
        return False
    diagonal = np.eye(len(numbers), dtype=bool)
    inside, outside = numbers[diagonal], numbers[~diagonal]
    return bool(np.all(inside == inside[0]) and np.all(outside == outside[0]))


def _classes(numbers: np.ndarray, axis: int) -> list[int]:
    """A number for each row along an axis, the same for equal rows."""
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(np.moveaxis(numbers, axis, 0) != numbers.reshape(-1)[0])
    return [seen.setdefault(row.tobytes(), len(seen)) for row in rows]


def _pattern(classes: list[int], fixed: Fixed) -> Label:
    """The label of an axis whose rows are of these classes."""
    n = len(classes)
    for period in range(1, n // 2 + 1):
        times, rest = divmod(n, period)
        if all(one == classes[i % period] for i, one in enumerate(classes)):
            inner = _pattern(classes[:period], fixed) if period > 1 else ()
            whole = (*uniform(times), *inner)
            return (Sum((whole, fixed(rest))),) if rest else whole
    runs = [len(list(group)) for _, group in itertools.groupby(classes)]
    if len(set(runs)) == 1 and runs[0] > 1:
        return (*fixed(len(runs)), *uniform(runs[0]))
    pieces: list[Label] = []
    for alone, group in itertools.groupby(runs, key=lambda length: length == 1):
        lengths = list(group)
        pieces += [fixed(len(lengths))] if alone else [uniform(length) for length in lengths]
    return (Sum(tuple(pieces)),) if 1 < len(pieces) <= PIECES else fixed(n)
