"""Small programs that go through the rows of an array one by one: in any order, or in theirs."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Program, n, program


def ends(step, start):
    """What a loop over the rows carries at its end."""
    return lambda *rows: lax.scan(step, start, rows if len(rows) > 1 else rows[0])[0]


def any_order() -> list[Program]:
    zeros = jnp.zeros(4)
    add = jax.jit(lambda c, r: jnp.tanh(r) + c)
    return [
        program("map", lambda w: lax.map(jnp.tanh, w), n(3, 4), free=BOTH),
        program("map with a constant", lambda w, b: lax.map(lambda r: r * b, w), n(3, 4), n(4), free=(*BOTH, (1, 0))),
        program("map of two", lambda v, w: lax.map(lambda r: r[0] * r[1], (v, w)), n(3, 4), n(3, 4), free=PAIR),
        program("map in chunks", lambda w: lax.map(jnp.tanh, w, batch_size=2), n(4, 3), free=((0, 1),)),
        program("map in a map", lambda w: lax.map(lambda r: lax.map(jnp.sin, r), w), n(3, 4), free=BOTH),
        program("map, then add", lambda w: lax.map(jnp.tanh, w) + w, n(3, 4), free=BOTH),
        program("map of sums", lambda w: lax.map(lambda r: jnp.sum(jnp.sin(r)), w), n(3, 4), free=BOTH),
        program(
            "sum of sums",
            ends(lambda c, r: (c + jnp.tanh(jnp.sum(jnp.sin(r))), None), 0.0),
            n(3, 4),
            free=BOTH,
        ),
        program(
            "largest of joined rows",
            lambda v, w, u: ends(lambda c, r: (jnp.maximum(c, r @ u), None), jnp.zeros((2, 3)))(
                jnp.concatenate([v, w]).reshape(5, 2, 2)
            ),
            n(2, 4),
            n(3, 4),
            n(2, 3),
            free=((0, 0), (1, 0), (2, 1)),
        ),
        program(
            "largest of rows mixed by a symmetric matrix",
            lambda v, w: ends(lambda c, r, s=w + w.T: (jnp.maximum(c, r @ s), None), zeros)(v),
            n(3, 4),
            n(4, 4),
            free=PAIR,
        ),
        program(
            "map of rows mixed by a symmetric matrix",
            lambda v, w: lax.map(lambda r, s=w + w.T: r @ s, v),
            n(3, 4),
            n(4, 4),
            free=PAIR,
        ),
        program("sum of rows", ends(lambda c, r: (c + jnp.tanh(r), None), zeros), n(3, 4), free=BOTH),
        program("sum from the right", ends(lambda c, r: (jnp.tanh(r) + (1.0 + c), None), zeros), n(3, 4), free=BOTH),
        program("differences", ends(lambda c, r: (c - jnp.tanh(r), None), zeros), n(3, 4), free=BOTH),
        program("product of rows", ends(lambda c, r: (c * r, None), jnp.ones(4)), n(3, 4), free=BOTH),
        program("largest row", ends(lambda c, r: (jnp.maximum(c, r), None), zeros), n(3, 4), free=BOTH),
        program("sum by a call", ends(lambda c, r: (add(c, r), None), zeros), n(3, 4), free=BOTH),
        program(
            "sum beside a map",
            lambda w: lax.scan(lambda c, r: (c + r, jnp.sin(r)), zeros, w),
            n(3, 4),
            free=BOTH,
        ),
        program(
            "sum and largest",
            ends(lambda c, r: ((c[0] + r, jnp.minimum(r, c[1]), c[2]), None), (zeros, zeros, 1.0)),
            n(3, 4),
            free=BOTH,
        ),
        program(
            "constant carried",
            lambda w, b: lax.scan(lambda c, r: (c, jnp.tanh(r * c)), b, w)[1],
            n(3, 4),
            n(4),
            free=(*BOTH, (1, 0)),
        ),
        program(
            "sum of branches",
            lambda x, v, w: lax.scan(lambda c, r: (c + jnp.tanh(x @ r[0]) @ r[1], None), jnp.zeros((2, 5)), (v, w))[0],
            n(2, 4),
            n(3, 4, 6),
            n(3, 6, 5),
            free=((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)),
        ),
        program("sum, reversed", lambda w: lax.scan(lambda c, r: (c + r, None), zeros, w, reverse=True)[0], n(3, 4),
                free=BOTH),
    ]  # fmt: skip


def in_order() -> list[Program]:
    zeros = jnp.zeros(4)
    steps = {
        "decay": lambda c, r: (0.5 * c + r, None),
        "last": lambda c, r: (jnp.tanh(r), None),
        "first": lambda c, r: (jnp.where(c == 0, r, c), None),
        "nested": lambda c, r: (jnp.tanh(c + r), None),
        "twice": lambda c, r: (c + c + r, None),
        "sum of products": lambda c, r: ((c + r) * r, None),
        "subtracted from": lambda c, r: (r - c, None),
        "read beside": lambda c, r: (c + r * jnp.sum(c), None),
        "by a call": lambda c, r: (jax.jit(lambda a, b: b + jnp.tanh(a))(c, r), None),
    }
    pairs = {
        "exchanged": lambda c, r: ((c[1], c[0] + r), None),
        "counted": lambda c, r: ((c[0] + 1, c[1] + r * c[0]), None),
        "largest first": lambda c, r: ((jnp.maximum(c[0], r), c[1] + c[0]), None),
    }
    return [
        *(program(f"steps in order: {name}", ends(f, zeros), n(3, 4)) for name, f in steps.items()),
        *(program(f"steps in order: {name}", ends(f, (zeros, zeros)), n(3, 4)) for name, f in pairs.items()),
        program("sums on the way", lambda w: lax.scan(lambda c, r: (c + r, c), zeros, w)[1], n(3, 4), free=((0, 1),)),
        program(
            "sums on the way, of equal rows",
            lambda w: lax.scan(lambda c, r: (c + jnp.sum(r), c), 0.0, jnp.broadcast_to(w, (3, 4)))[1] * jnp.ones(3),
            n(4),
            free=((0, 0),),
        ),
        program(
            "rows by number",
            lambda w: lax.map(lambda i: w[0] * i, jnp.arange(3)) + w,
            n(3, 4),
        ),
        program("rows and their numbers", lambda w: lax.map(lambda r: r[0] * r[1], (w, jnp.arange(3.0))), n(3, 4),
                free=((0, 1),)),
    ]  # fmt: skip
