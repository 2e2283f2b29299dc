"""How a fuzz program grows: moves that append a step or a few to what is there."""

import string

import numpy as np

from tests.symmetry.inference.fuzz import operations
from tests.symmetry.inference.fuzz.writer import Unsuitable, Writer

SIZES = (2, 3, 4, 6)


def dense(w: Writer) -> int:
    """x @ leaf along some axis, with either orientation of the leaf; often a bias and an activation."""
    x = w.pick(1, 3)
    axis = w.axis(x, longer_than=0)
    rank = w.values[x].ndim
    n, m = w.values[x].shape[axis], w.choose(SIZES)
    letters = string.ascii_lowercase[:rank]
    out = letters.replace(letters[axis], "z") if w.chance(0.7) else letters.replace(letters[axis], "") + "z"
    if w.chance(0.5):
        y = w.step("einsum", x, w.leaf(n, m), formula=f"{letters},{letters[axis]}z->{out}")
    else:
        y = w.step("einsum", x, w.leaf(m, n), formula=f"{letters},z{letters[axis]}->{out}")
    if w.chance(0.6):
        y = align(w, y, w.leaf(m), "add", {0: out.index("z")})
    return unary(w, y) if w.chance(0.6) else y


def align(w: Writer, x: int, y: int, kind: str, axes: dict[int, int] | None = None) -> int:
    """x and y by a binary operation, y's axes put on axes of x of the same size (or of size 1)."""
    shape, other = w.values[x].shape, w.values[y].shape
    if axes is None:
        free, axes = list(range(len(shape))), {}
        for k in w.random.permutation(len(other)):
            fits = [a for a in free if shape[a] == other[k] or other[k] == 1]
            if not fits:
                raise Unsuitable
            axes[int(k)] = w.choose(fits)
            free.remove(axes[int(k)])
    order = tuple(sorted(axes, key=lambda k: axes[k]))
    target = [1] * len(shape)
    for k, a in axes.items():
        target[a] = other[k]
    return w.step("aligned", x, y, order=order, shape=tuple(target), kind=kind)


def unary(w: Writer, x: int | None = None) -> int:
    return w.step(w.choose(sorted(operations.UNARY)), w.pick() if x is None else x)


def binary(w: Writer) -> int:
    x = w.pick(1)
    kind = w.choose(sorted(operations.BINARY))
    if w.chance(0.4):
        axis = w.axis(x)
        return align(w, x, w.leaf(w.values[x].shape[axis]), kind, {0: axis})
    return align(w, x, w.pick(0, w.values[x].ndim, fresh=0.4), kind)


def einsum(w: Writer) -> int:
    """A product of two values that contracts, keeps and pairs axes at random."""
    x, y = w.pick(1, 3), w.pick(1, 3, fresh=0.4)
    sizes = dict(zip("abc", w.values[x].shape))
    left = "".join(sizes)
    right, free = "", list("def")
    for n in w.values[y].shape:
        fits = [c for c in left if sizes[c] == n and c not in right]
        letter = w.choose(fits) if fits and w.chance(0.75) else free.pop(0)
        sizes[letter] = n
        right += letter
    shared = [c for c in left if c in right and w.chance(0.35)]
    alone = [c for c in left + right if (c in left) != (c in right) and w.chance(0.85)]
    out = "".join(w.random.permutation(shared + alone))
    return w.step("einsum", x, y, formula=f"{left},{right}->{out}")


def reduce(w: Writer) -> int:
    x = w.pick(1)
    rank = w.values[x].ndim
    axes = w.axis(x) if w.chance(0.8) else tuple(range(rank - 2, rank)) if rank > 2 else None
    kind = w.choose(sorted(operations.REDUCE))
    return w.step(kind, x, axis=w.axis(x) if kind == "logsumexp" else axes)


def normalise(w: Writer) -> int:
    x = w.pick(1)
    return w.step(w.choose(sorted(operations.NORMALISE)), x, axis=w.axis(x))


def transpose(w: Writer) -> int:
    x = w.pick(2)
    return w.step("transpose", x, order=tuple(int(k) for k in w.random.permutation(w.values[x].ndim)))


def reshape(w: Writer) -> int:
    """Merge two neighbouring axes, split one, or read the array in another shape altogether."""
    x = w.pick(1)
    shape = list(w.values[x].shape)
    how = w.random.random()
    if how < 0.4 and len(shape) > 1:
        k = int(w.random.integers(len(shape) - 1))
        shape[k : k + 2] = [shape[k] * shape[k + 1]]
    elif how < 0.85:
        k = w.choose([k for k, n in enumerate(shape) if n in (4, 6, 8, 9, 12, 16, 18, 24, 36)])
        factor = w.choose([f for f in (2, 3, 4, 6) if shape[k] % f == 0 and f < shape[k]])
        shape[k : k + 1] = [factor, shape[k] // factor]
    else:
        shape = shape[::-1]
    return w.step("reshape", x, shape=tuple(shape))


def join(w: Writer) -> int:
    """Concatenate or stack with a value or leaf whose other axes agree."""
    x = w.pick(1, 3)
    axis = w.axis(x, longer_than=0)
    shape = list(w.values[x].shape)
    if w.chance(0.3):
        return w.step(w.choose(["tile", "repeat"]), x, axis=axis, n=2)
    others = [i for i, v in enumerate(w.values) if v.shape == tuple(shape) and v.dtype.kind == "f"]
    if w.chance(0.5):
        return w.step(w.choose(["concatenate", "stack"]), x, w.choose(others), axis=axis)
    shape[axis] = w.choose(SIZES)
    pair = [x, w.leaf(*shape)]
    return w.step("concatenate", *(pair if w.chance(0.5) else pair[::-1]), axis=axis)


def cut(w: Writer) -> int:
    """A slice, a gate of two halves, a sum of two pieces, or padding."""
    x = w.pick(1)
    axis = w.axis(x)
    n = w.values[x].shape[axis]
    how = w.random.random()
    if how < 0.35 and n % 2 == 0:
        return w.step("gate", x, axis=axis)
    if how < 0.5:
        return w.step("pad", x, axis=axis, width=w.choose([(1, 0), (0, 2), (1, 1)]))
    width = int(w.random.integers(1, n))
    start = int(w.random.integers(n - width + 1))
    piece = w.step("piece", x, axis=axis, start=start, stop=start + width)
    if how < 0.75:
        return piece
    again = int(w.random.integers(n - width + 1))
    return w.step("aligned", w.step("piece", x, axis=axis, start=again, stop=again + width), piece,
                  order=tuple(range(w.values[x].ndim)), shape=w.values[piece].shape, kind="add")  # fmt: skip


def lookup(w: Writer) -> int:
    return w.step("lookup", w.leaf(w.choose(SIZES), w.choose(SIZES)), w.index())


def convolution(w: Writer) -> int:
    x = w.pick(3, 3)
    channels = w.values[x].shape[2]
    groups = w.choose([1, 1, 1] + [g for g in (2, 3, 6) if channels % g == 0])
    features = groups * w.choose([1, 2, 3])
    kernel = w.leaf(w.choose([1, 2, 3]), channels // groups, features)
    return w.step("conv", x, kernel, padding=w.choose(["SAME", "VALID"]), groups=groups)


def square(w: Writer) -> int:
    """A loop, a scan over stacked square leaves, or a recurrent network."""
    kind = w.choose(["repeat", "while", "layers", "recurrence", "rows", "rows", "solved"])
    x = w.pick(2, 3)
    n = w.values[x].shape[-1]
    if kind == "layers":
        return w.step("layers", x, w.leaf(w.choose((2, 3)), n, n), remat=w.chance(0.5))
    if kind == "rows":
        how = w.choose(["map", "sum", "sum", "max", "decay", "prefix", "last"])
        return w.step("rows", x, w.leaf(n, w.choose(SIZES)), kind=how)
    if kind in ("recurrence", "solved"):
        return w.step(kind, x, w.leaf(n, n))
    return w.step("loop", x, w.leaf(n, n), n=2, kind=kind)


def control(w: Writer) -> int:
    """A branch, a mapped function, or a wrapped one."""
    x = w.pick(1)
    how = w.random.random()
    kinds = tuple(w.choose(sorted(operations.UNARY)) for _ in range(2))
    if how < 0.4:
        return w.step("branch", x, w.pick(), kinds=kinds, shared=w.chance(0.5))
    if how < 0.8:
        axis, rank = w.axis(x), w.values[x].ndim
        body = w.choose(["shifted", "scaled", "centred"] + ["sorted"] * (rank > 1))
        return w.step("mapped", x, w.pick(), axis=axis, out=int(w.random.integers(rank)), body=body)
    return w.step("wrapped", x, kind=kinds[0], how=w.choose(["jit", "checkpoint"]))


def segments(w: Writer) -> int:
    x = w.pick(1, 3)
    if w.values[x].shape[0] > 4:
        raise Unsuitable
    return w.step("segments", x, w.index(), n=w.choose(SIZES))


def mask(w: Writer) -> int:
    x = w.leaf(w.choose(SIZES), w.choose(SIZES)) if w.chance(0.3) else w.pick(1)
    along = w.axis(x, longer_than=0)
    return w.step("masked", x, axis=w.axis(x), along=along, pattern=w.choose(["runs", "turns", "one"]))


def choose(w: Writer) -> int:
    """A choice among entries, often of a product with a leaf so that no two are equal, and what is read there."""
    x = dense(w) if w.chance(0.4) else w.pick(1, 3)
    shape = w.values[x].shape
    kind = w.choose(sorted(operations.CHOICES))
    if shape[-1] < 2:
        raise Unsuitable
    if kind in ("largest_row", "top_rows"):
        return w.step(kind, x, w.leaf(shape[-1], w.choose(SIZES)))
    if kind == "codes":
        return w.step(kind, x, w.leaf(w.choose(SIZES), shape[-1]))
    if kind in ("in_order", "largest_entry"):
        alike = [i for i, v in enumerate(w.values) if v.shape == shape and v.dtype.kind == "f"]
        return w.step(kind, x, w.choose(alike))
    if kind == "put_largest":
        if len(shape) != 2:
            raise Unsuitable
        return w.step(kind, x, w.leaf(max(shape[0], 2)))
    if kind == "same_choice":
        alike = [
            i
            for i, v in enumerate(w.values)
            if v.shape[-1:] == shape[-1:] and v.dtype.kind == "f" and v.ndim == 1
        ]
        return w.step(kind, x, w.choose(alike))
    return w.step(kind, x)


def breaker(w: Writer) -> int:
    how = w.random.random()
    if how < 0.2:
        squares = [i for i, v in enumerate(w.values) if v.ndim == 2 and v.shape[0] == v.shape[1] > 1]
        return w.step(w.choose(sorted(operations.SQUARE_BREAKERS)), w.choose(squares))
    x = w.pick(1)
    axis = w.axis(x)
    if how < 0.4:
        return w.step(w.choose(sorted(operations.INDEXED_BREAKERS)), x, w.index(), axis=axis)
    return w.step(w.choose(sorted(operations.BREAKERS)), x, axis=axis)


MOVES = {
    dense: 6, unary: 2, binary: 3, einsum: 2, reduce: 1.5, normalise: 1.5, transpose: 1, reshape: 2, join: 1.5,
    cut: 1.5, lookup: 0.7, convolution: 1, square: 1.2, control: 1.5, segments: 0.5, breaker: 2, choose: 1.2, mask: 0.8,
}  # fmt: skip
PROBABILITY = np.array(list(MOVES.values())) / sum(MOVES.values())


def write(w: Writer) -> None:
    """Inputs, then moves."""
    sizes = [w.choose(SIZES) for _ in range(w.choose([1, 2, 2, 2, 3]))]
    w.source("input", tuple(sizes))
    if w.chance(0.3):
        w.source("input", tuple(w.choose(SIZES) for _ in range(w.choose([1, 2]))))
    if w.chance(0.4):
        w.leaf(*(w.choose(SIZES) for _ in range(w.choose([1, 2, 2, 3]))))
    length, moves = int(w.random.integers(4, 15)), list(MOVES)
    for _ in range(20 * length):
        if len(w.steps) >= length:
            return
        move = moves[int(w.random.choice(len(moves), p=PROBABILITY))]
        w.attempt(lambda move=move: move(w))
    raise Unsuitable


def read_out(w: Writer, x: int) -> int:
    """Contracts or reduces axes of a value on its way to an output; some stay."""
    for _ in range(8):
        if not w.values[x].ndim or w.chance(0.25):
            break
        if w.attempt(lambda x=x: contract(w, x)):
            x = len(w.values) - 1
    return x


def contract(w: Writer, x: int) -> int:
    """Removes one axis by a reduction, or replaces it by that of a leaf."""
    axis = int(w.random.integers(w.values[x].ndim))
    if w.chance(0.5):
        return w.step(w.choose(["sum", "mean", "max", "norm", "logsumexp"]), x, axis=axis)
    letters = string.ascii_lowercase[: w.values[x].ndim]
    leaf = w.leaf(w.values[x].shape[axis], w.choose(SIZES))
    out = letters.replace(letters[axis], "z")
    return w.step("einsum", x, leaf, formula=f"{letters},{letters[axis]}z->{out}")
