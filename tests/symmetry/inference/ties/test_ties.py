"""What is said of the entries of an array holds when parameters and inputs are drawn: no zeros, no signs, no ties."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geojax._program import jaxprs
from geojax._program.walk import walk
from geojax.symmetry.inference.labels.values import numbers_of
from geojax.symmetry.inference.ties.places import Finder, untied
from geojax.symmetry.inference.ties.spread import Spread
from geojax.symmetry.inference.ties.spread import constant as spread_of
from tests.symmetry.inference.fuzz.generate import generate

DRAWS = 3


@dataclasses.dataclass
class Known:
    """An array with what is said of its entries."""

    array: np.ndarray
    spread: Spread


def check(program, arrays):
    """Runs a program on arrays and on spreads side by side, and compares every array with what is said of it."""
    finder, said = Finder(), 0

    def step(eqn, values):
        if any(0 in np.shape(v.array) for v in values):
            pytest.skip("an empty array")
        results = jaxprs.evaluate(eqn, [v.array for v in values])
        spreads = finder.step(eqn, [v.spread for v in values])
        known = [Known(np.asarray(r), s) for r, s in zip(results, spreads, strict=True)]
        nonlocal said
        said += sum(agrees(one, eqn) for one in known)
        return known

    def constant(number):
        known = Known(np.asarray(number), spread_of(numbers_of(number), np.shape(number)))
        agrees(known, "constant")
        return known

    values = [
        Known(np.asarray(a), finder.variable(v)) for a, v in zip(arrays, program.jaxpr.invars, strict=True)
    ]
    walk(program, values, step, constant=constant, unused=None, cursor=finder.cursor)
    return said


def agrees(known, eqn):
    """Compares an array with what is said of it; returns whether anything was said."""
    array, spread = known.array, known.spread
    assert array.shape == spread.shape, eqn
    if array.dtype.kind not in "fiub" or not np.all(np.isfinite(array)):
        return False
    assert not spread.nonzero or np.all(array != 0), f"a zero: {eqn}"
    assert not spread.positive or np.all(array > 0), f"not positive: {eqn}"
    for axis in range(array.ndim):
        steps = np.diff(np.sort(array, axis), axis=axis)
        if spread.differs(axis):
            assert np.all(steps > 0), f"equal entries along axis {axis}: {eqn}"
        if axis in spread.flat:
            assert not np.any(steps), f"different entries along axis {axis}: {eqn}"
    for reading in spread.readings.values():
        assert all(axis < array.ndim for axis, _ in reading.axes), eqn
    return spread.nonzero or any(spread.differs(axis) for axis in range(array.ndim))


@pytest.mark.parametrize(
    "chunk", [pytest.param(i, marks=() if i == 0 else pytest.mark.full) for i in range(20)]
)
def test_law_arrays_of_random_programs_are_as_said(chunk):
    said = 0
    for seed in range(20_000 + 2 * chunk, 20_000 + 2 * chunk + 2):
        program = generate(seed)
        generator = np.random.default_rng(seed)
        params, inputs = program.draw(generator)
        tree = jax.tree.structure((params, inputs))
        flat = lambda *arrays, program=program, tree=tree: program.apply(*jax.tree.unflatten(tree, arrays))
        traced = jaxprs.trace(flat, *jax.tree.leaves((params, inputs)))
        for _ in range(DRAWS):
            said += check(traced, jax.tree.leaves(program.draw(generator)))
    assert said > 0


def chosen(function, *shapes, dtype=jnp.float64):
    """Whether each choice of a program is free of ties."""
    program = jaxprs.trace(function, *(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes))
    finder = Finder()
    finder.run(program, [finder.variable(var) for var in program.jaxpr.invars])
    assert untied(program) == {place for place, free in finder.places.items() if free}
    return list(finder.places.values())


X, W, B, C = (3, 4), (4, 5), (5,), (5, 4)
FREE = {
    "an input": (lambda x: x, [X]),
    "a product with a fresh matrix": (lambda x, w: x @ w, [X, W]),
    "a product of products": (lambda x, v, w: (x @ v) @ w, [X, (4, 4), W]),
    "a softmax": (lambda x, w: jax.nn.softmax(x @ w), [X, W]),
    "a log softmax": (lambda x, w: jax.nn.log_softmax(x @ w), [X, W]),
    "a bias after a relu": (lambda x, w, b: jax.nn.relu(x @ w) @ jnp.ones((5, 5)) + b, [X, W, B]),
    "distances": (lambda z, c: jnp.sum((z[:, None] - c) ** 2, -1), [X, C]),
    "distances multiplied out": (lambda z, c: (z * z).sum(1)[:, None] - 2 * z @ c.T + (c**2).sum(1), [X, C]),
    "a residual": (lambda x, v, w: (x + jax.nn.relu(x) @ v) @ w, [X, (4, 4), W]),
    "a root mean square norm": (
        lambda x, w: (x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)) @ w,
        [X, W],
    ),
    "a layer norm with its bias": (
        lambda x, s, b, w: (lambda h: (h / jnp.sqrt(jnp.mean(h * h)) * s + b) @ w)(x - jnp.mean(x)),
        [X, (4,), (4,), W],
    ),
    "embeddings": (lambda e, w: e[np.array([0, 1, 0])] @ w, [(2, 4), W]),
    "another table of a stack": (
        lambda z, c: (lambda y: jnp.sum((y[:, None] - c[1]) ** 2, -1))(z - jax.nn.relu(c[0, :3])),
        [X, (2, 5, 4)],
    ),
    "pairs": (lambda x: x[:, :, None] * x[:, None, :], [X]),
    "leaky": (lambda x, w: jax.nn.leaky_relu(x @ w), [X, W]),
    "a sigmoid": (lambda x, w, b: jax.nn.sigmoid(x @ w) + b, [X, W, B]),
}
TIED = {
    "a relu": (jax.nn.relu, [X]),
    "a product of a relu": (lambda x, w: jax.nn.relu(x) @ w, [X, W]),
    "constants": (lambda x: x[:, :1] * 0 + jnp.arange(5.0), [X]),
    "repeated": (lambda x: jnp.concatenate([x, x], 1), [X]),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, :1], (3, 4)), [X]),
    "a difference": (lambda x: x - x, [X]),
    "a tied product": (lambda x, w: (x @ w) - (x @ w), [X, W]),
    "a matrix and its own rows": (lambda w: (w @ w[0])[None], [(4, 4)]),
    "saturated by a tanh": (lambda x, w: jnp.tanh(x @ w), [X, W]),
    "saturated": (lambda x: jnp.clip(x, -1, 1), [X]),
    "masked": (lambda x: jnp.where(x > 0, x, -jnp.inf), [X]),
    "less the largest": (lambda x: x - jnp.max(x, 0), [X]),
    "rounded": (jnp.round, [X]),
    "the same table": (lambda z, c: jnp.sum(((z - c[:3])[:, None] - c) ** 2, -1), [X, C]),
    "a dead factor": (lambda x, w: (x @ w) * jax.nn.relu(x[:, :1]), [X, W]),
    "a bias for all": (lambda x, b: jax.nn.relu(x) + b, [X, (1,)]),
}


@pytest.mark.parametrize("name", FREE)
def test_no_ties_where_each_entry_has_its_own_part(name):
    function, shapes = FREE[name]
    assert chosen(lambda *arrays: jnp.argmax(function(*arrays), 1), *shapes) == [True]


@pytest.mark.parametrize("name", TIED)
def test_ties_are_possible(name):
    function, shapes = TIED[name]
    assert chosen(lambda *arrays: jnp.argmax(function(*arrays), 1), *shapes) == [False]


def test_half_precision_ties():
    product = lambda x, w: jnp.argmax(x @ w, 1)
    assert chosen(product, X, W, dtype=jnp.bfloat16) == [False]
    widened = lambda x, w: jnp.argmax(x.astype(jnp.float32) @ w.astype(jnp.float32), 1)
    assert chosen(widened, X, W, dtype=jnp.bfloat16) == [True]
    residual = lambda x, v, w: jnp.argmax(
        (x + jax.nn.relu(x) @ v).astype(jnp.float32) @ w.astype(jnp.float32), 1
    )
    assert chosen(residual, X, (4, 4), W, dtype=jnp.bfloat16) == [True]


def layers(step):
    return lambda h, g, w: lax.scan(lambda h, p: (step(h, *p), jnp.argmax(h @ p[0], 1)), h, (g, w))


def test_a_step_reads_its_own_row():
    shapes = [X, (2, 4, 5), (2, 4, 4)]
    assert chosen(layers(lambda h, g, w: h + jnp.tanh(h) @ w), *shapes) == [True]
    assert chosen(layers(lambda h, g, w: jax.nn.relu(h @ w)), *shapes) == [False]
    reused = lambda h, g, w: lax.scan(
        lambda h, p: (h + jnp.sum(g) + jnp.tanh(h) @ p[1], jnp.argmax(h @ p[0], 1)), h, (g, w)
    )
    assert chosen(reused, *shapes) == [False]


def test_every_visit_counts():
    """One jitted function, called on an array that may have ties and on one that has none."""
    largest = jax.jit(lambda x: jnp.argmax(x, 1))
    both = chosen(lambda x: (largest(x), largest(jax.nn.relu(x))), X)
    assert sorted(both) == [False, True]
    inside = lambda x: lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + jnp.argmax(c[1]), c[1] * 2), (0, x[0])
    )
    assert chosen(inside, X) == [False]
