"""The vocabulary of fuzz programs: operations on arrays, each (backend, *arrays, **static) -> array.

Those in the tables of breakers treat positions along an axis unequally; elsewhere positions are interchangeable
unless two uses of an axis contradict each other.
"""

import functools
from collections.abc import Callable

import numpy as np

UNARY: dict[str, Callable] = {
    "tanh": lambda b, x: b.np.tanh(x),
    "relu": lambda b, x: b.relu(x),
    "leaky_relu": lambda b, x: b.leaky_relu(x),
    "relu6": lambda b, x: b.relu6(x),
    "elu": lambda b, x: b.elu(x),
    "silu": lambda b, x: b.silu(x),
    "sigmoid": lambda b, x: b.sigmoid(x),
    "softplus": lambda b, x: b.softplus(x),
    "soft_sign": lambda b, x: b.soft_sign(x),
    "erf": lambda b, x: b.erf(x),
    "sin": lambda b, x: b.np.sin(x),
    "abs": lambda b, x: b.np.abs(x),
    "negative": lambda b, x: -x,
    "square": lambda b, x: b.np.square(x),
    "cube": lambda b, x: x**3,
    "exp": lambda b, x: b.np.exp(b.np.minimum(x, 2.0)),
    "sqrt": lambda b, x: b.np.sqrt(b.np.abs(x) + 1.0),
    "reciprocal": lambda b, x: 1.0 / (1.0 + x * x),
    "clip": lambda b, x: b.np.clip(x, -1.0, 1.0),
    "sign": lambda b, x: b.np.sign(b.decide(x)),
    "floor": lambda b, x: b.np.floor(b.decide(x)),
    "positive": lambda b, x: (b.decide(x) > 0) * 1.0,
    "halve": lambda b, x: x * 0.5,
    "shift": lambda b, x: x + 0.5,
}

BINARY: dict[str, Callable] = {
    "add": lambda b, x, y: x + y,
    "subtract": lambda b, x, y: x - y,
    "multiply": lambda b, x, y: x * y,
    "divide": lambda b, x, y: x / (1.0 + b.np.abs(y)),
    "maximum": lambda b, x, y: b.np.maximum(x, y),
    "minimum": lambda b, x, y: b.np.minimum(x, y),
    "logaddexp": lambda b, x, y: b.np.logaddexp(x, y),
    "arctan2": lambda b, x, y: b.np.arctan2(x, 1.0 + y * y),
    "where": lambda b, x, y: b.np.where(b.decide(x) > b.decide(y), x, 2.0 * y),
}

REDUCE: dict[str, Callable] = {
    "sum": lambda b, x, axis: b.np.sum(x, axis),
    "mean": lambda b, x, axis: b.np.mean(x, axis),
    "max": lambda b, x, axis: b.np.max(x, axis),
    "min": lambda b, x, axis: b.np.min(x, axis),
    "prod": lambda b, x, axis: b.np.prod(x, axis),
    "var": lambda b, x, axis: b.np.var(x, axis),
    "norm": lambda b, x, axis: b.np.sqrt(b.np.sum(x * x, axis) + 1e-3),
    "logsumexp": lambda b, x, axis: b.logsumexp(x, axis),
    "any": lambda b, x, axis: b.np.any(b.decide(x) > 0.5, axis) * 1.0,
}

NORMALISE: dict[str, Callable] = {
    "softmax": lambda b, x, axis: b.softmax(x, axis),
    "layer_norm": lambda b, x, axis: (
        (x - x.mean(axis, keepdims=True)) / b.np.sqrt(x.var(axis, keepdims=True) + 1e-3)
    ),
    "rms_norm": lambda b, x, axis: x / b.np.sqrt(b.np.mean(x * x, axis, keepdims=True) + 1e-3),
    "unit_norm": lambda b, x, axis: x / (1e-3 + b.np.sqrt(b.np.sum(x * x, axis, keepdims=True))),
    "top_mask": lambda b, x, axis: b.np.where(b.decide(x) >= b.decide(x).max(axis, keepdims=True), x, 0.0),
    "center": lambda b, x, axis: x - x.mean(axis, keepdims=True),
}


def aligned(b, x, y, *, order, shape, kind):
    """A binary operation after y has been transposed and reshaped so that it broadcasts against x."""
    return BINARY[kind](b, x, b.np.reshape(b.np.transpose(y, order), shape))


def loop(b, x, w, *, n, kind):
    """A few steps of a square map by one of the loops."""
    step = lambda y: b.np.tanh(y @ w + 0.5 * x)
    if kind == "while":
        return b.repeat_while(
            lambda y: b.np.sum(b.decide(y * y)) > 1.0, lambda y: 0.5 * y / (1.0 + b.np.abs(y @ w)), x
        )
    return b.repeat(n, step, x)


def layers(b, x, w, *, remat):
    """x passes through layers stacked along the first axis of w."""

    def layer(h, p):
        return b.np.tanh(h @ p) + h, None

    return b.scan(b.checkpoint(layer) if remat else layer, x, w)[0]


def recurrence(b, x, w):
    """A recurrent network along the first axis of x; its states."""

    def step(h, u):
        h = b.np.tanh(h @ w + u)
        return h, h * 1.0

    return b.scan(step, 0.0 * x[0], x)[1]


def solved(b, x, w):
    """The rows of x as right sides of systems with one well-conditioned matrix."""
    matrix = b.np.tanh(w) + 4.0 * b.np.eye(w.shape[0])
    return b.np.swapaxes(b.np.linalg.solve(matrix, b.np.swapaxes(x, -1, -2)), -1, -2)


def rows(b, x, w, *, kind):
    """The rows of x one after another: mapped, or gathered in what the loop carries."""
    steps = {
        "map": lambda c, u: (c, b.np.tanh(u @ w)),
        "sum": lambda c, u: (c + b.np.tanh(u @ w), b.np.sin(u)),
        "max": lambda c, u: (b.np.maximum(c, u @ w), u * 2.0),
        "decay": lambda c, u: (0.5 * c + u @ w, u * 2.0),
        "prefix": lambda c, u: (c + u @ w, c * 1.0),
        "last": lambda c, u: (u @ w, u * 2.0),
    }
    carry, out = b.scan(steps[kind], 0.0 * (x[0] @ w), x)
    return out if kind in ("map", "prefix") else carry


def branch(b, x, y, *, kinds, shared):
    """One of two functions of x, by the sign of y's sum."""
    f, g = ((lambda z, kind=kind: UNARY[kind](b, z)) for kind in kinds)
    total = b.decide(b.np.sum(y))
    if shared:
        return b.cond(total > 0, lambda z: f(z) + z, g, x)
    return b.cond(total > 0, f, g, x)


def mapped(b, x, y, *, axis, out, body):
    """A function of a slice of x and the whole of y, mapped over one axis of x."""
    bodies = {
        "shifted": lambda u, v: b.np.tanh(u) + b.np.sum(v),
        "scaled": lambda u, v: u * b.np.max(v),
        "centred": lambda u, v: b.relu(u - b.np.mean(u)) + b.np.mean(v),
        "sorted": lambda u, v: b.np.sort(u, axis=0) + b.np.sum(v),
    }
    return b.vmap(bodies[body], (axis, None), out)(x, y)


def wrapped(b, x, *, kind, how):
    f = lambda z: UNARY[kind](b, UNARY["halve"](b, z))
    return (b.jit if how == "jit" else b.checkpoint)(f)(x)


def ramp(b, x, *, axis, kind):
    """x times a constant that looks uniform before it is made: a trap for uniformity."""
    n = x.shape[axis]
    ones = b.np.ones(n)
    make = {
        "cumsum": lambda: b.np.cumsum(ones),
        "arange": lambda: b.np.arange(n) + 1.0,
        "constant": lambda: np.linspace(0.5, 1.5, n),
        "pad": lambda: b.np.pad(b.np.ones(n - 1), (1, 0)),
        "window": lambda: b.pool(ones, 0, "sum"),
        "put": lambda: b.put(ones, 0, np.array([0]), np.array([3.0]), "set"),
    }
    return x * b.np.reshape(make[kind](), [n if i == axis else 1 for i in range(x.ndim)])


def masked(b, x, *, axis, along, pattern):
    """x where a mask of equal rows lets it pass: rows of one class are alike along an axis, and differ by class."""
    n, m = x.shape[axis], x.shape[along]
    classes = {"runs": np.arange(n) * 2 // n, "turns": np.arange(n) % 2, "one": (np.arange(n) > 0) * 1}[
        pattern
    ]
    mask = np.arange(m)[:, None] <= classes if along != axis else classes
    shape = [n if k == axis else m if k == along else 1 for k in range(x.ndim)]
    return x * np.reshape((mask if along <= axis else mask.T) * 1.0, shape)


OPERATIONS: dict[str, Callable] = {
    **UNARY,
    **REDUCE,
    **NORMALISE,
    "aligned": aligned,
    "einsum": lambda b, x, y, *, formula: b.np.einsum(formula, x, y),
    "transpose": lambda b, x, *, order: b.np.transpose(x, order),
    "reshape": lambda b, x, *, shape: b.np.reshape(x, shape),
    "concatenate": lambda b, *xs, axis: b.np.concatenate(xs, axis),
    "stack": lambda b, *xs, axis: b.np.stack(xs, axis),
    "piece": lambda b, x, *, axis, start, stop: x[(slice(None),) * axis + (slice(start, stop),)],
    "gate": lambda b, x, *, axis: (lambda y: y[0] * b.np.tanh(y[1]))(b.np.split(x, 2, axis)),
    "tile": lambda b, x, *, axis, n: b.np.concatenate([x] * n, axis),
    "repeat": lambda b, x, *, axis, n: b.np.repeat(x, n, axis),
    "pad": lambda b, x, *, axis, width: b.np.pad(x, [width if i == axis else (0, 0) for i in range(x.ndim)]),
    "lookup": lambda b, w, index: w[index % w.shape[0]],
    "conv": lambda b, x, w, *, padding, groups: b.conv(x, w, padding, groups),
    "loop": loop,
    "layers": layers,
    "recurrence": recurrence,
    "rows": rows,
    "solved": solved,
    "branch": branch,
    "mapped": mapped,
    "wrapped": wrapped,
    "masked": masked,
    "segments": lambda b, x, index, *, n: b.segment_sum(x, index[: x.shape[0]] % n, n),
}

BREAKERS: dict[str, Callable] = {
    "cumsum": lambda b, x, *, axis: b.np.cumsum(x, axis),
    "cumprod": lambda b, x, *, axis: b.np.cumprod(x, axis),
    "cummax": lambda b, x, *, axis: b.cummax(x, axis),
    "sort": lambda b, x, *, axis: b.np.sort(x, axis=axis),
    "rank": lambda b, x, *, axis: b.np.argsort(b.decide(x), axis=axis, stable=True) * 1.0 + x,
    "sort_payload": lambda b, x, *, axis: b.sort_payload(b.decide(x), b.np.tanh(x * x), axis),
    "argmax": lambda b, x, *, axis: b.np.argmax(b.decide(x), axis) * 1.0,
    "fft": lambda b, x, *, axis: b.np.fft.fft(x, axis=axis).real,
    "reverse": lambda b, x, *, axis: b.np.flip(x, axis) + 2.0 * x,
    "roll": lambda b, x, *, axis: b.np.roll(x, 1, axis) - 0.5 * x,
    "strided": lambda b, x, *, axis: x[(slice(None),) * axis + (slice(None, None, 2),)],
    "special": lambda b, x, *, axis: x + 2.0 * x[(slice(None),) * axis + (slice(0, 1),)],
    "difference": lambda b, x, *, axis: b.np.diff(x, axis=axis),
    "window_sum": lambda b, x, *, axis: b.pool(x, axis, "sum"),
    "window_max": lambda b, x, *, axis: b.pool(x, axis, "max"),
    "top_values": lambda b, x, *, axis: b.top_k(b.np.moveaxis(x, axis, -1), 2)[0],
    "top_indices": lambda b, x, *, axis: b.top_k(b.decide(b.np.moveaxis(x, axis, -1)), 2)[1] * 1.0,
    **{
        f"ramp_{kind}": functools.partial(ramp, kind=kind)
        for kind in ("cumsum", "arange", "constant", "pad", "window", "put")
    },
    "constant_gather": lambda b, x, *, axis: b.np.take(x, np.array([1, 0, 1]), axis),
}

INDEXED_BREAKERS: dict[str, Callable] = {
    "take": lambda b, x, index, *, axis: b.np.take(x, index % x.shape[axis], axis),
    "take_along": lambda b, x, index, *, axis: b.np.take_along_axis(
        x, b.np.reshape(index[:1] % x.shape[axis], (1,) * x.ndim), axis
    ),
    "dynamic_slice": lambda b, x, index, *, axis: b.dynamic_slice(x, axis, index[0] % 3, 2),
    "dynamic_update": lambda b, x, index, *, axis: b.dynamic_update(
        x, axis, index[0] % 3, 2.0 * b.dynamic_slice(x, axis, 0, 1)
    ),
    "put_set": lambda b, x, index, *, axis: b.put(
        x, axis, index[:2] % x.shape[axis], 0.0 * b.np.take(x, np.array([0, 0]), axis) + 0.5, "set"
    ),
    "put_add": lambda b, x, index, *, axis: b.put(
        x, axis, index % x.shape[axis], b.np.take(b.np.tanh(x), index % x.shape[axis], axis), "add"
    ),
}

SQUARE_BREAKERS: dict[str, Callable] = {
    "tril": lambda b, x: b.np.tril(x),
    "triu": lambda b, x: b.np.triu(x),
    "diagonal": lambda b, x: b.np.diagonal(x, axis1=-2, axis2=-1) * 1.0,
    "plus_identity": lambda b, x: x + b.np.eye(x.shape[-1]),
    "inverse": lambda b, x: b.np.linalg.inv(b.np.tanh(x) + 4.0 * b.np.eye(x.shape[-1])),
}


def marks(b, positions, n):
    """A new last axis, one where it is the position and zero elsewhere."""
    return (b.np.expand_dims(positions, -1) == np.arange(n)) * 1.0


CHOICES: dict[str, Callable] = {
    "largest_row": lambda b, x, w: w[b.np.argmax(b.decide(x), -1)],
    "least_mark": lambda b, x: marks(b, b.np.argmin(b.decide(x), -1), x.shape[-1]),
    "top_rows": lambda b, x, w: b.np.sum(w[b.top_k(b.decide(x), 2)[1]], -2),
    "top_gate": lambda b, x: b.np.sum(
        marks(b, b.top_k(b.decide(x), 2)[1], x.shape[-1]) * b.np.expand_dims(b.top_k(x, 2)[0], -1), -2
    ),
    "codes": lambda b, x, w: w[b.np.argmin(b.decide(b.np.sum((x[..., None, :] - w) ** 2, -1)), -1)],
    "in_order": lambda b, x, y: b.np.take_along_axis(y, b.np.argsort(b.decide(x), axis=-1, stable=True), -1),
    "largest_entry": lambda b, x, y: b.np.take_along_axis(
        y, b.np.expand_dims(b.np.argmax(b.decide(x), -1), -1), -1
    ),
    "put_largest": lambda b, x, y: b.put(
        0.0 * x[0], 0, b.np.argmax(b.decide(x), -1), b.np.tanh(y[: x.shape[0]]), "add"
    ),
    "same_choice": lambda b, x, y: (
        (b.np.expand_dims(b.np.argmax(b.decide(x), -1), -1) == b.np.argmin(b.decide(y), -1)) * 1.0
    ),
    "choice_number": lambda b, x: marks(b, (b.np.argmax(b.decide(x), -1) + 1) % x.shape[-1], x.shape[-1]),
}
"""Operations that choose among the entries along the last axis and follow their positions."""

VOCABULARY = {**CHOICES, **OPERATIONS, **BREAKERS, **INDEXED_BREAKERS, **SQUARE_BREAKERS}
