"""What the pages of examples/papers share: data, one training loop, seeds, trained networks, claims.

A training run is a pure function of a key. `fit` makes one, `sweep` gives it one more axis, `seeds` runs it for many
keys in one compiled program, and a `Claim` sets what came out beside what the paper printed. A page is a module with
`run(size) -> list[Claim]`; all its randomness comes from the keys that `size.seeds` hands out, so that
`python -m examples.papers KEY --start 100` repeats it with other seeds.
"""

import dataclasses
import functools
import hashlib
import itertools
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ROOT / ".cache" / "networks"


class Size(NamedTuple):
    """How large a page runs: `num` seeds, from `start` on; the page reads `full` for everything else."""

    full: bool
    num: int
    start: int = 0

    def seeds(self, run: Callable, num: int | None = None, *, batch: Callable | None = jax.vmap) -> Any:
        """`seeds` with this size's number of seeds and its start."""
        return seeds(run, num or self.num, batch=batch, start=self.start)


QUICK, FULL = Size(False, 3), Size(True, 10)


def seeds(run: Callable, num: int, *, batch: Callable | None = jax.vmap, start: int = 0) -> Any:
    """Results of run(key) for the keys of seeds start, ..., start + num - 1, along a first axis.

    `batch` turns a function of a key into one of keys, and the whole is compiled once: `jax.vmap`, or `in_turn` where
    memory is short or a loop should end on its own. None calls `run` seed by seed and compiles nothing.
    """
    keys = jax.vmap(jax.random.key)(jnp.arange(start, start + num))
    if batch is not None:
        return jax.jit(batch(run))(keys)
    return jax.tree.map(lambda *found: np.stack(found), *[run(key) for key in keys])


def in_turn(run: Callable) -> Callable:
    """One key after the other in one compiled loop; for `seeds`."""
    return functools.partial(jax.lax.map, run)


def sweep(run: Callable, values: Any) -> Callable:
    """A function of a key: run(value)(key) for all values, along a first axis. They are traced: rates, weights, ..."""
    return lambda key: jax.vmap(lambda value: run(value)(key))(values)


def fit(
    loss: Callable,
    init: Callable,
    optimizer: optax.GradientTransformation,
    steps: int,
    *,
    batches: Callable | None = None,
    record: Callable | None = None,
) -> Callable:
    """A function key -> (params, history): the whole training as one pure function.

    loss(params, batch) is a scalar, init(key) gives the parameters, batches(key) a batch (None without it), and
    record(params) is kept of each step, before it; without it the loss is. The optimiser is told `value`, `grad`
    and `value_fn`, for those that ask.
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def run(key):
        start, order = jax.random.split(key)
        params = init(start)

        def step(carry, key):
            params, state = carry
            batch = None if batches is None else batches(key)
            value, slope = jax.value_and_grad(loss)(params, batch)
            seen = value if record is None else record(params)
            told = {"value": value, "grad": slope, "value_fn": lambda p: loss(p, batch)}
            updates, state = optimizer.update(slope, state, params, **told)
            return (optax.apply_updates(params, updates), state), seen

        keys = jax.random.split(order, steps)
        (params, _), history = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        return params, history

    return run


@functools.cache
def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """scikit-learn's 8 x 8 digits, the mean taken off: (x, y) to train on [1397, 64], and to test on [400, 64]."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order].astype(np.int32)
    x -= x[400:].mean(0)
    return (x[400:], y[400:]), (x[:400], y[:400])


def minibatches(data: tuple, size: int) -> Callable:
    """A function key -> batch: `size` rows of all the arrays, drawn with replacement."""
    arrays = [jnp.asarray(array) for array in data]

    def draw(key):
        rows = jax.random.randint(key, (size,), 0, len(arrays[0]))
        return tuple(array[rows] for array in arrays)

    return draw


def mlp(sizes: tuple[int, ...], act: Callable = jax.nn.relu) -> tuple[Callable, Callable]:
    """(init, apply) of a perceptron: He-normal weights, zero biases, float32; apply(params, x) gives logits."""

    def init(key):
        shapes = list(itertools.pairwise(sizes))
        return [
            {"w": jax.random.normal(k, (n, m), jnp.float32) * (2 / n) ** 0.5, "b": jnp.zeros(m, jnp.float32)}
            for k, (n, m) in zip(jax.random.split(key, len(shapes)), shapes)
        ]

    def apply(params, x):
        for layer in params[:-1]:
            x = act(x @ layer["w"] + layer["b"])
        return x @ params[-1]["w"] + params[-1]["b"]

    return init, apply


def cross_entropy(apply: Callable) -> Callable:
    """loss(params, (x, y)) of a classifier."""

    def loss(params, batch):
        x, y = batch
        return optax.softmax_cross_entropy_with_integer_labels(apply(params, x), y).mean()

    return loss


def accuracy(apply: Callable, data: tuple) -> Callable:
    """right(params): the share of the data that is classified rightly."""
    x, y = data
    return lambda params: jnp.mean(jnp.argmax(apply(params, x), axis=-1) == y)


def networks(
    num: int = 12,
    *,
    hidden: tuple[int, ...] = (32, 32),
    start: int = 0,
    steps: int = 600,
    folder: Path = NETWORKS,
) -> tuple[Callable, list]:
    """(apply, params) of relu perceptrons trained on `digits`, one for each seed along a first axis of the leaves.

    Trained once, all in one program (Adam 3e-3, batches of 100), and kept in a file named after what they depend on.
    The file is renamed into place when it is whole, and one that cannot be read is written again.
    """
    init, apply = mlp((64, *hidden, 10))
    text = f"{num} {hidden} {start} {steps} {jax.__version__}".encode() + Path(__file__).read_bytes()
    path = folder / f"mlp-{hashlib.sha256(text).hexdigest()[:16]}.npz"
    like = jax.eval_shape(jax.vmap(init), jax.eval_shape(lambda: jax.random.split(jax.random.key(0), num)))
    leaves = _read(path, jax.tree.leaves(like))
    if leaves is None:
        run = fit(cross_entropy(apply), init, optax.adam(3e-3), steps, batches=minibatches(digits()[0], 100))
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(seeds(run, num, start=start)[0])]
        _write(path, leaves)
    return apply, jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaf) for leaf in leaves])


def _read(path: Path, like: list) -> list[np.ndarray] | None:
    """The arrays of a file, or None where it is absent, damaged or of other shapes."""
    try:
        with np.load(path) as saved:
            leaves = [saved[f"arr_{i}"] for i in range(len(like))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(leaves, like))
    return leaves if same else None


def _write(path: Path, leaves: list[np.ndarray]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, *leaves)
    os.replace(file.name, path)


@dataclasses.dataclass(frozen=True)
class Between:
    """The judge of a claim: a number is within two bounds, which are left out."""

    low: float = -np.inf
    high: float = np.inf

    def __call__(self, value: float) -> bool:
        """Whether it is."""
        return self.low < value < self.high

    def __str__(self) -> str:
        """As it is printed beside the number."""
        if self.low == -np.inf:
            return f"< {self.high:g}"
        return f"> {self.low:g}" if self.high == np.inf else f"in ({self.low:g}, {self.high:g})"


def above(bound: float) -> Between:
    """Judges that a number is above the bound."""
    return Between(low=bound)


def below(bound: float) -> Between:
    """Judges that a number is below the bound."""
    return Between(high=bound)


@dataclasses.dataclass(frozen=True)
class Claim:
    """One number of a paper, and ours.

    Attributes:
        what: What is measured: "accuracy in 200 dimensions / in all".
        paper: What the paper prints of it: "0.90", "linear in d".
        ours: A number, or an array with one entry for each seed.
        holds: Judges the mean of ours alone; the paper's number, of another scale, is shown and not compared.
        expected: False where it is known not to reproduce; the page's docstring says why under "Fails:".
    """

    what: str
    paper: str
    ours: Any
    holds: Callable[[float], bool]
    expected: bool = True

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(np.asarray(self.ours, float)))

    @property
    def error(self) -> float:
        """The standard error of the mean; 0 of a single number."""
        values = np.ravel(np.asarray(self.ours, float))
        return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0

    @property
    def held(self) -> bool:
        """Whether it holds here."""
        return bool(self.holds(self.mean))

    @property
    def as_expected(self) -> bool:
        """Whether it holds where it should, and does not where it should not."""
        return self.held == self.expected

    def __str__(self) -> str:
        """One line for a reader."""
        verdict = "holds" if self.held else "does not hold"
        surprise = "" if self.as_expected else " (UNEXPECTED)"
        ours = f"{self.mean:.3g} ± {self.error:.1g}, asked {self.holds}"
        return f"{self.what}: paper {self.paper}; ours {ours}: {verdict}{surprise}"


def slope(sizes: Any, counts: Any) -> float:
    """The exponent p of counts ~ sizes^p, by least squares in logarithms."""
    return float(np.polyfit(np.log(np.asarray(sizes, float)), np.log(np.asarray(counts, float)), 1)[0])


def flops(function: Callable, *arguments: Any) -> float:
    """Operations in one call of a function, as XLA counts them. It counts the body of a while loop once."""
    found = jax.jit(function).lower(*arguments).compile().cost_analysis()
    return float((found[0] if isinstance(found, list) else found)["flops"])


def seconds(function: Callable, *arguments: Any, repeats: int = 7) -> float:
    """The least wall time of a warm call. For full size only: a quick one shares its processors."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - began)
    return min(times)
