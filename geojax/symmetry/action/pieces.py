"""Which entries of a leaf a group moves: the places of the blocks of a layout, and names such as ``w[1][0:5]``."""

from collections.abc import Iterator, Sequence

import numpy as np

from geojax.symmetry.action.layout import Block, Layout

Box = tuple[frozenset[int] | None, ...]
"""For each axis of a leaf, the indices that a block has, or None if it has all; the block is the product of them."""


def places(layout: Layout, shape: tuple[int, ...]) -> Iterator[tuple[Block, Box]]:
    """The blocks of a layout in order, each with its place in a leaf of the given ``shape``."""
    yield from _places(layout, list(shape), [None] * len(shape))


def _places(
    layout: Layout, lengths: list[int], indices: list[np.ndarray | None]
) -> Iterator[tuple[Block, Box]]:
    if isinstance(layout, Block):
        yield layout, tuple(None if axis is None else frozenset(axis.tolist()) for axis in indices)
        return
    factors, axis, at = _factors(layout.shape, lengths, layout.dim)
    known = indices[axis]
    whole = np.arange(lengths[axis]) if known is None else known
    pieces = np.split(whole.reshape(factors), np.cumsum(layout.sizes)[:-1], axis=at)
    for piece, kept in zip(layout.pieces, pieces, strict=True):
        here = [*indices[:axis], kept.reshape(-1), *indices[axis + 1 :]]
        yield from _places(piece, [*lengths[:axis], kept.size, *lengths[axis + 1 :]], here)


def _factors(shape: tuple[int, ...], lengths: Sequence[int], dim: int) -> tuple[tuple[int, ...], int, int]:
    """Factors of the axis that dimension ``dim`` of ``shape`` is one of, the axis, and the place of ``dim`` in it."""
    start = 0
    for axis, length in enumerate(lengths):
        stop, product = start, 1
        while stop < len(shape) and (product < length or (stop == dim and shape[stop] == 1)):
            product, stop = product * shape[stop], stop + 1
        if start <= dim < stop:
            return shape[start:stop], axis, dim - start
        start = stop
    raise AssertionError("a layout's shape has the factors of the leaf's axes")


def named(path: str, shape: tuple[int, ...], boxes: Sequence[tuple[int, Box]]) -> list[str]:
    """Names of the axes that a group moves in some blocks of a leaf.

    An axis is ``path[axis]``, or ``path`` if the axis is -1: the whole block. Entries of the axis follow in brackets,
    ``[0:5]``, or ``[0:5 of 15]`` if they recur with a period; restrictions of other axes follow as ``@[:,0:5]``. Blocks
    that lie side by side are named together.

    Args:
        path: The leaf.
        shape: Its shape.
        boxes: Pairs (axis, place) of the blocks.
    """
    names = []
    for axis in dict.fromkeys(axis for axis, _ in boxes):
        for box in _merged([box for other, box in boxes if other == axis]):
            text = path if axis < 0 else f"{path}[{axis}]"
            ranges = [
                ":" if kept is None else _range(sorted(kept), n) for kept, n in zip(box, shape, strict=True)
            ]
            if axis >= 0 and ranges[axis] != ":":
                text += f"[{ranges[axis]}]"
            others = [":" if k == axis else each for k, each in enumerate(ranges)]
            if any(each != ":" for each in others):
                text += f"@[{','.join(others)}]"
            names.append(text)
    return names


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """The boxes after those that differ along one axis only have become one."""
    merged = list(dict.fromkeys(boxes))
    for axis in range(len(merged[0])):
        together: dict[Box, frozenset[int] | None] = {}
        for box in merged:
            rest = (*box[:axis], None, *box[axis + 1 :])
            here, before = box[axis], together.get(rest, frozenset())
            together[rest] = None if here is None or before is None else before | here
        merged = [(*rest[:axis], kept, *rest[axis + 1 :]) for rest, kept in together.items()]
    return merged


def _range(indices: Sequence[int], length: int) -> str:
    """The indices as ranges; a colon if they are all."""
    if len(indices) == length:
        return ":"
    gaps = [k for k in range(1, len(indices)) if indices[k] != indices[k - 1] + 1]
    runs = [
        (indices[start], indices[stop - 1] + 1)
        for start, stop in zip([0, *gaps], [*gaps, len(indices)], strict=True)
    ]
    first, last = runs[0]
    period = runs[1][0] - first if len(runs) > 2 else 0
    if period and length % period == 0 and runs == [(first + k, last + k) for k in range(0, length, period)]:
        return f"{first}:{last} of {period}"
    shown = ",".join(f"{start}:{stop}" if stop > start + 1 else f"{start}" for start, stop in runs[:3])
    return shown + (",..." if len(runs) > 3 else "")
