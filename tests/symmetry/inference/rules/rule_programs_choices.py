"""Small programs that choose entries and follow their positions; and some that must not be followed."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.symmetry.inference.rules.rule_programs import BOTH, Draw, Program, n, program


def one_hot(positions, size):
    return jax.nn.one_hot(positions, size)


def ranks(x):
    """The place of each entry in the order of its row."""
    return jnp.argsort(jnp.argsort(x, 1), 1)


def in_turn(x, y):
    """Rows of y at the position of the largest entry, one row of x after the other."""
    return lax.map(lambda row: y[jnp.argmax(row)], x)


def followed() -> list[Program]:
    """Axes along which every choice moves."""
    x, table = n(3, 4), n(4, 5)
    rows = ((0, 0), (0, 1), (1, 0), (1, 1))
    return [
        program("largest, as one hot", lambda x: one_hot(jnp.argmax(x, 1), 4), x, free=BOTH),
        program("least, as one hot", lambda x: one_hot(jnp.argmin(x, 1), 4), x, free=BOTH),
        program("row of the largest", lambda x, y: y[jnp.argmax(x, 1)], x, table, free=rows),
        program(
            "row of the largest, taken", lambda x, y: jnp.take(y, jnp.argmax(x, 1), 0), x, table, free=rows
        ),
        program(
            "column of the largest", lambda x, y: y[:, jnp.argmin(x)], n(4), n(5, 4), free=((0, 0), (1, 1))
        ),
        program("rows of the largest two", lambda x, y: y[lax.top_k(x, 2)[1]], x, table, free=rows),
        program(
            "two largest as weights",
            lambda x: jnp.einsum("bk,bke->be", lax.top_k(x, 2)[0], one_hot(lax.top_k(x, 2)[1], 4)),
            x,
            free=BOTH,
        ),
        program("in order", lambda x, y: jnp.take_along_axis(y, jnp.argsort(x, 1), 1), x, x, free=rows),
        program("rows in order", lambda x, y: y[jnp.argsort(x)], n(4), table, free=((0, 0), (1, 0), (1, 1))),
        program(
            "payload of keys", lambda x, y: lax.sort((x, y), dimension=1, num_keys=1)[1], x, x, free=rows
        ),
        program("entry of the largest", lambda x: x[jnp.arange(3), jnp.argmax(x, 1)], x, free=BOTH),
        program(
            "write at the largest",
            lambda x, u: jnp.zeros((4, 5)).at[jnp.argmax(x, 1)].add(u),
            x,
            n(3, 5),
            free=((0, 1), (1, 1)),
        ),
        program(
            "set at the largest",
            lambda x, y, u: y.at[jnp.argmax(x)].set(u),
            n(4),
            table,
            n(5),
            free=((0, 0), (1, 0), (1, 1), (2, 0)),
        ),
        program(
            "equal choices",
            lambda x, y: (jnp.argmax(x, 1)[:, None] == jnp.argmin(y, 1)[None]) * 1.0,
            x,
            n(2, 4),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "choice among choices",
            lambda p, x, y: one_hot(jnp.where(p, jnp.argmax(x, 1), jnp.argmin(y, 1)), 4),
            Draw((3,), "bool"),
            x,
            x,
            free=((0, 0), (1, 0), (1, 1), (2, 0), (2, 1)),
        ),
        program(
            "bent into range",
            lambda x: one_hot(jnp.minimum(jnp.clip(jnp.argmax(x, 1), 0, 3), 7).astype(jnp.int8), 4),
            x,
            free=BOTH,
        ),
        program("row one after another", in_turn, x, table, free=((0, 1), (1, 0), (1, 1))),
        program("plus the identity", lambda x: jnp.tanh(x + jnp.eye(4)), n(4, 4), free=BOTH),
        program("diagonal", lambda x: jnp.diagonal(x), n(4, 4), free=BOTH),
        program("off the diagonal", lambda x: jnp.where(jnp.eye(4, dtype=bool), 0, x), n(4, 4), free=BOTH),
        program(
            "by a fresh matrix", lambda x, w: one_hot(jnp.argmax(x @ w, 1), 4), n(3, 2), n(2, 4), free=rows
        ),
        program(
            "by distances",
            lambda z, c: c[jnp.argmin(jnp.sum((z[:, None] - c) ** 2, -1), 1)],
            n(3, 2),
            table_of_codes(),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "by distances, multiplied out",
            lambda z, c: c[jnp.argmin(jnp.sum(z * z, 1)[:, None] - 2 * z @ c.T + jnp.sum(c * c, 1), 1)],
            n(3, 2),
            table_of_codes(),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "by a softmax with a bias",
            lambda x, b: one_hot(lax.top_k(jax.nn.softmax(jax.nn.relu(x) + b), 2)[1], 4).sum(1),
            x,
            n(4),
            free=((0, 0), (0, 1), (1, 0)),
        ),
    ]


def table_of_codes():
    return n(4, 2)


def held() -> list[Program]:
    """Where places decide, or positions are used as numbers: the axis must not move."""
    x, table = n(3, 4), n(4, 5)
    across = ((0, 0),)
    tied = {
        "relu": jax.nn.relu,
        "sign": jnp.sign,
        "floor": jnp.floor,
        "clipped": lambda x: jnp.clip(x, -0.1, 0.1),
        "counted": lambda x: (x > 0) * 1.0,
        "masked": lambda x: jnp.where(x > 0.3, x, -jnp.inf),
        "averaged in pairs": lambda x: jnp.repeat(x.reshape(-1, 2, 2).mean(2), 2, 1),
        "less itself": lambda x: x - x,
        "half precision": lambda x: jnp.round(x, 1).astype(jnp.bfloat16),
        "of zeros": lambda x: jax.nn.relu(x) @ jnp.zeros((4, 4)),
        "largest taken off": lambda x: jnp.maximum(x - jnp.sort(x, 1)[:, 2:3], 0),
        "row by a number": lambda x: x * jnp.maximum(x[:, :1], 0),
    }
    numbers = {
        "as a number": lambda i: i * 1.0,
        "of half": lambda i: one_hot(i // 2, 2),
        "after": lambda i: one_hot(i + 1, 5),
        "before another": lambda i: one_hot(i, 4) * (i < 2)[:, None],
        "first": lambda i: (i == 0) * 1.0,
        "of more": lambda i: one_hot(i, 6),
        "above": lambda i: (jnp.arange(4) > i[:, None]) * 1.0,
        "bent": lambda i: one_hot(jnp.minimum(i, 2), 4),
        "of another table": lambda i: jnp.linspace(0, 1, 4)[i],
        "as bits": lambda i: one_hot(i, 4) * i.astype(bool)[:, None],
        "most": lambda i: jnp.max(i) * 1.0,
        "carried": lambda i: lax.fori_loop(0, 2, lambda _, c: c[::-1], i) * 1.0,
        "branched": lambda i: lax.cond(i[0] > 1, lambda j: j, lambda j: j[::-1], i) * 1.0,
        "kept": lambda i: i,
    }
    return [
        *(
            program(f"largest, {name}", lambda x, f=f: one_hot(jnp.argmax(f(x), 1), 4), x)
            for name, f in tied.items()
        ),
        *(
            program(f"row of the largest, {name}", lambda x, y, f=f: y[jnp.argmax(f(x), 1)], x, table, free=((1, 1),))
            for name, f in tied.items()
        ),
        program("two largest, tied", lambda x: one_hot(lax.top_k(jnp.sign(x), 2)[1], 4), x, free=across),
        program("order, tied", lambda x, y: jnp.take_along_axis(y, jnp.argsort(jnp.sign(x), 1), 1), x, x),
        *(
            program(f"position {name}", lambda x, f=f: f(jnp.argmax(x, 1)), x, free=across if name != "carried" else ())
            for name, f in numbers.items()
            if name not in ("carried", "branched")
        ),
        *(program(f"position {name}", lambda x, f=f: f(jnp.argmax(x, 1)), x) for name, f in numbers.items()
          if name in ("carried", "branched")),
        program("ranks", lambda x: ranks(x) * 1.0, x, free=across),
        program("different tables", lambda x, y, z: y[jnp.argmax(x, 1)] + z[jnp.argmax(x, 1), :5], x, table, n(6, 5)),
        program("numbered by hand", lambda x: x * (jnp.arange(4) + jnp.arange(4)), x, free=across),
        program("triangle", lambda x: jnp.tril(x), n(4, 4)),
        program("identity beside a triangle", lambda x: x + jnp.eye(4) + jnp.tri(4), n(4, 4)),
        program("shifted identity", lambda x: x + jnp.eye(4, k=1), n(4, 4)),
    ]  # fmt: skip
