"""Loops whose steps may be taken in any order: the structure says so exactly where the numbers do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geojax._program import jaxprs
from geojax._program.accumulation import in_any_order

ROWS = np.random.default_rng(0).normal(size=(4, 3))
START = np.array([0.3, -0.2, 0.5])
STEPS = {
    "sum": (lambda c, r: (c + jnp.sin(r), r), True),
    "difference": (lambda c, r: (c - r, r), True),
    "sum, by a call": (lambda c, r: (jax.jit(lambda a, b: b + a * 2)(r, c), None), True),
    "passed by a call": (lambda c, r: (jax.jit(lambda a, b: b)(r, c), r), True),
    "product": (lambda c, r: (c * r, None), True),
    "largest": (lambda c, r: (jnp.maximum(r, c), jnp.tanh(r)), True),
    "constant, read": (lambda c, r: (c, r * c), True),
    "difference from": (lambda c, r: (r - c, r), False),
    "sum and product": (lambda c, r: ((c + r) * r, None), False),
    "last": (lambda c, r: (r, None), False),
    "read": (lambda c, r: (c + r, c), False),
    "read by a call": (lambda c, r: (c + jax.jit(lambda a, b: jnp.sin(a * b))(c, r), None), False),
    "average": (lambda c, r: ((c + r) / 2, None), False),
    "doubled": (lambda c, r: (c + c + r, None), False),
    "squashed": (lambda c, r: (jnp.tanh(c + r), None), False),
}


def loop(step):
    return lambda rows, start: lax.scan(step, start, rows)


@pytest.mark.parametrize("name", STEPS)
def test_law_order_matters_or_not(name):
    step, expected = STEPS[name]
    program = jaxprs.trace(loop(step), ROWS, START)
    (eqn,) = (e for e in program.jaxpr.eqns if e.primitive.name == "scan")
    assert in_any_order(jaxprs.scan(eqn)) is expected
    order = np.array([2, 0, 3, 1])
    end, out = loop(step)(ROWS, START)
    again, moved = loop(step)(ROWS[order], START)
    same = np.allclose(end, again, atol=1e-12) and (out is None or np.allclose(out[order], moved, atol=1e-12))
    assert same is expected


def test_entries_that_change_places_are_in_order():
    steps = lambda c, r: ((c[1], c[0] + r), None)
    program = jaxprs.trace(lambda rows, a, b: lax.scan(steps, (a, b), rows), ROWS, START, START)
    (eqn,) = (e for e in program.jaxpr.eqns if e.primitive.name == "scan")
    assert not in_any_order(jaxprs.scan(eqn))
