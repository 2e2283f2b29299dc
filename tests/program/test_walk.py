"""The walk over a program: order, calls, dead equations, positions; and the tables of rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._program import jaxprs
from geojax._program.observe import observe
from geojax._program.walk import Cursor, Rules, walk


def program(x, y):
    unused = jnp.sin(x) * 3
    z = jax.jit(lambda a, b: (jnp.cos(a), jnp.exp(b)))(x, y)[1] * 2
    del unused
    return z + y, y


def traced():
    x = jnp.ones(3)
    return jaxprs.trace(program, x, x)


def names(needed=None):
    """The primitives that a walk meets, with their positions."""
    cursor, met = Cursor(), []

    def step(eqn, values):
        met.append((cursor.position, eqn.primitive.name, len(cursor.place)))
        return [None] * len(eqn.outvars)

    walk(traced(), [None, None], step, constant=lambda c: None, unused=None, cursor=cursor, needed=needed)
    return met


def test_calls_are_entered_and_dead_equations_skipped():
    assert names() == [(0, "exp", 1), (1, "mul", 0), (2, "add", 0)]


def test_only_needed_outputs_are_computed():
    assert names(needed=[False, True]) == []


def scanned(a, b, c):
    return jax.lax.scan(lambda h, rows: (h * rows[0], rows[1]), c[0], (a, b))[0]


def shifted(a, b, c):
    """The last entry of the carry comes to the first in two steps."""
    step = lambda h, row: ((h[1], h[2] + row, h[2], h[3] * 2), h[3])
    return jax.lax.scan(step, (1.0, 2.0, a[0], b[0]), c)[0][0]


def counted(a, b, c):
    """The condition reads what the result does not depend on otherwise."""
    step = lambda h: (h[0] + 1, h[1] * 2, h[2] - 1)
    return jax.lax.while_loop(lambda h: h[2] > 0, step, (a[0], b[0], c[0]))[0]


def branched(a, b, c):
    return jax.lax.cond(c[0] > 0, lambda a, b: a, lambda a, b: 2 * a, a, b)


def nested(a, b, c):
    inner = lambda h, rows: (
        h + jax.lax.scan(lambda k, row: (k + row[0], None), 0.0, (a, jnp.sin(b)))[0],
        None,
    )
    return jax.lax.scan(inner, 0.0, c)[0]


# `nested` scans c for its length alone.
@pytest.mark.parametrize(
    "function, read",
    [(scanned, "ac"), (shifted, "ac"), (counted, "ac"), (branched, "ac"), (nested, "a")],
)
def test_an_input_that_the_bodies_of_loops_and_branches_ignore_is_not_read(function, read):
    traced = jaxprs.trace(function, *[jnp.ones(3)] * 3)
    found = jaxprs.live(traced, loops=True).inputs
    assert "".join(name for name, use in zip("abc", found) if use) == read


def test_law_walking_on_arrays_is_evaluating():
    x, y = np.linspace(0, 1, 3), np.linspace(1, 2, 3)
    values = walk(traced(), [x, y], jaxprs.evaluate, constant=lambda c: c, unused=None)
    for got, wanted in zip(values, program(x, y), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_an_output_that_is_an_input_passes_through_calls():
    body = jaxprs.trace(lambda x, y: jax.checkpoint(lambda a, b: (b, a))(x, y), jnp.ones(2), jnp.ones(2))
    walked = walk(body, ["x", "y"], lambda eqn, values: values, constant=str, unused="")
    assert walked == ["y", "x"]


def test_constants_and_literals_are_values_too():
    table = np.arange(3.0)
    body = jaxprs.trace(lambda x: x * table + 2.0, jnp.ones(3))
    seen = []
    walk(body, ["x"], lambda eqn, values: ["made"], constant=lambda c: seen.append(c) or "number", unused="")
    assert any(np.shape(c) == (3,) for c in seen)
    assert any(np.shape(c) == () and c == 2 for c in seen)


def test_observed_arrays_of_a_scan_are_stacked():
    def steps(w, xs):
        return jax.lax.scan(lambda h, x: (h @ w + x, None), jnp.zeros(2), xs)[0]

    w, xs = jnp.eye(2), jnp.arange(6.0).reshape(3, 2)
    body = jaxprs.trace(steps, w, xs)
    scan = next(eqn for eqn in body.jaxpr.eqns if eqn.primitive.name == "scan")
    inner = jaxprs.scan(scan).body.jaxpr.eqns
    dot = next(eqn for eqn in inner if eqn.primitive.name == "dot_general")
    place = (id(scan), id(dot))
    states, _ = observe(body, [w, xs], [place])[place]
    np.testing.assert_array_equal(states, np.cumsum(np.vstack([np.zeros(2), xs[:-1]]), axis=0))


def test_a_cursor_comes_back_out_of_an_equation():
    cursor, eqn = Cursor(), object()
    with cursor.inside(eqn):
        assert cursor.place == (id(eqn),)
    assert cursor.place == ()


def test_one_rule_serves_several_primitives():
    rules = Rules()

    @rules.register("add", "sub")
    def linear():
        return "linear"

    assert rules == {"add": linear, "sub": linear}
