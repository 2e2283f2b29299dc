"""Small programs that read and write at positions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Draw, Program, n, program


def gather(offset, collapsed, start, sizes, batching=(), index_batching=()):
    numbers = lax.GatherDimensionNumbers(offset, collapsed, start, batching, index_batching)
    return lambda x, i: lax.gather(x, i, numbers, sizes)


def scatter(window, inserted, dims, batching=(), index_batching=(), function=lax.scatter):
    numbers = lax.ScatterDimensionNumbers(window, inserted, dims, batching, index_batching)
    return lambda x, i, u: function(x, i, u, numbers)


def positions() -> list[Program]:
    rows = scatter((1,), (0,), (0,), function=lax.scatter_add)
    whole = Draw((5, 1), "int", 3)
    writes = [lax.scatter_add, lax.scatter_sub, lax.scatter_mul, lax.scatter_max, lax.scatter_min]
    return [
        program("take rows", lambda x, i: x[i], n(3, 4), Draw((5,), "int"), free=((0, 1), (1, 0))),
        program(
            "take columns", lambda x, i: x[:, i], n(4, 3), Draw((2, 5), "int"), free=((0, 0), (1, 0), (1, 1))
        ),
        program(
            "take pairs", gather((), (0, 1), (0, 1), (1, 1)), n(3, 3), Draw((4, 2), "int"), free=((1, 0),)
        ),
        program("take pairs, turned", gather((), (0, 1), (1, 0), (1, 1)), n(3, 3), Draw((2, 2), "int")),
        program(
            "take boxes", gather((1, 2), (), (0, 1), (2, 3)), n(3, 4), Draw((4, 2), "int", 2), free=((1, 0),)
        ),
        program(
            "take whole rows",
            gather((1,), (0,), (0,), (1, 4)),
            n(4, 4),
            Draw((4, 1), "int"),
            free=((0, 1), (1, 0)),
        ),
        program(
            "take offset first",
            gather((0,), (0,), (0,), (1, 4)),
            n(4, 4),
            Draw((4, 1), "int"),
            free=((0, 1), (1, 0)),
        ),
        program(
            "take along",
            lambda x, i: jnp.take_along_axis(x, i, 1),
            n(3, 4),
            Draw((3, 2), "int"),
            free=((0, 0), (1, 0)),
        ),
        program(
            "take, batching",
            gather((), (1,), (1,), (1, 1), (0,), (0,)),
            n(3, 4),
            Draw((3, 5, 1), "int"),
            free=((0, 0), (1, 0), (1, 1)),
        ),
        program(
            "take, batching last",
            gather((2,), (1,), (1,), (1, 1, 4), (0,), (1,)),
            n(3, 4, 4),
            Draw((5, 3, 1), "int"),
            free=((0, 0), (0, 2), (1, 0), (1, 1)),
        ),
        program("take known places", lambda x: x[:, jnp.array([2, 0, 1])], n(3, 4), free=((0, 0),)),
        program(
            "take by the largest", lambda x, y: y[jnp.argmax(x, 1)], n(3, 4), n(4, 5), free=((0, 0), (1, 1))
        ),
        program(
            "embed",
            lambda i, t: jnp.take(t, i, axis=0),
            Draw((2, 3), "int"),
            n(3, 4),
            free=((0, 0), (0, 1), (1, 1)),
        ),
        program("slice known", lambda x: lax.dynamic_slice(x, (0, 1), (3, 2)), n(3, 4), free=BOTH),
        program("slice clipped", lambda x: lax.dynamic_slice(x, (0, 9), (3, 2)), n(3, 4), free=BOTH),
        program("slice rounded", lambda x: lax.dynamic_slice(x, (wrapped(),), (1,)), n(6)),
        program(
            "slice unknown",
            lambda x, i: lax.dynamic_slice(x, (0 * i, i), (3, 2)),
            n(3, 4),
            Draw((), "int"),
            free=((0, 0),),
        ),
        program(
            "slice unknown of numbers",
            lambda x, i: x * lax.dynamic_slice(jnp.ones((3, 9)), (0 * i, i), (3, 4)),
            n(3, 4),
            Draw((), "int"),
            free=((0, 0),),
        ),
        program(
            "write known", lambda x, u: lax.dynamic_update_slice(x, u, (0, 1)), n(3, 5), n(3, 2), free=PAIR
        ),
        program(
            "write whole", lambda x, u: lax.dynamic_update_slice(x, u, (0, 0)), n(3, 4), n(3, 4), free=PAIR
        ),
        program("write two partial", lambda x, u: lax.dynamic_update_slice(x, u, (0, 1)), n(3, 5), n(2, 2)),
        program(
            "write unknown",
            lambda x, u, i: lax.dynamic_update_slice(x, u, (0 * i, i)),
            n(3, 5),
            n(3, 2),
            Draw((), "int"),
            free=((0, 0), (1, 0)),
        ),
        program(
            "write to zeros",
            lambda u: lax.dynamic_update_slice(jnp.zeros((3, 5)), u, (0, 1)),
            n(3, 2),
            free=BOTH,
        ),
        program(
            "write, square", lambda x, u: lax.dynamic_update_slice(x, u, (2, 0)), n(4, 4), n(2, 4), free=PAIR
        ),
        program(
            "scatter rows",
            lambda x, i, u: x.at[i].set(u),
            n(3, 4),
            Draw((1,), "int"),
            n(1, 4),
            free=((0, 1), (2, 1)),
        ),
        program(
            "segment sum",
            lambda x, i: jax.ops.segment_sum(x, i, 3),
            n(5, 4),
            Draw((5,), "int"),
            free=((0, 1),),
        ),
        *(
            program(
                f.__name__,
                scatter((1,), (0,), (0,), function=f),
                n(3, 4),
                whole,
                n(5, 4),
                free=((0, 1), (2, 1)),
            )
            for f in writes
        ),
        program(
            "scatter to numbers", lambda i, u: rows(jnp.zeros((3, 4)), i, u), whole, n(5, 4), free=((1, 1),)
        ),
        program(
            "scatter pairs",
            scatter((), (0, 1), (0, 1), function=lax.scatter_add),
            n(3, 3),
            Draw((2, 2), "int"),
            n(2),
        ),
        program(
            "scatter numbers to pairs",
            lambda x, i: scatter((), (0, 1), (0, 1), function=lax.scatter_add)(x, i, jnp.ones(2)),
            n(3, 3),
            Draw((2, 2), "int"),
        ),
        program(
            "scatter, batching",
            scatter((), (1,), (1,), (0,), (0,), lax.scatter_add),
            n(3, 4),
            Draw((3, 5, 1), "int"),
            n(3, 5),
            free=((0, 0), (1, 0), (2, 0)),
        ),
        program(
            "scatter boxes",
            scatter((0, 1), (), (0, 1), function=lax.scatter_add),
            n(3, 4),
            Draw((2,), "int", 2),
            n(2, 2),
        ),
        program(
            "gradient of take",
            jax.grad(lambda x, i: jnp.sum(x[i] ** 2)),
            n(3, 4),
            Draw((5,), "int"),
            free=((0, 1),),
        ),
    ]


def wrapped():
    """A position known through conversions: 258 in eight bits is 2."""
    return lax.convert_element_type(
        lax.convert_element_type(lax.add(np.int32(200), np.int32(58)), np.uint8), np.int32
    )
