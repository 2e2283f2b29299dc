"""Small programs with primitives of other libraries, which are known by the programs that they stand for."""

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp

from tests.symmetry.inference.rules.rule_programs import BOTH, Draw, Program, n, program


def bounded(h, w):
    """Four steps in equinox's loop of at most four; every state is kept, as the solvers of diffrax do."""

    def step(carry):
        i, h, kept = carry
        h = jnp.tanh(h @ w)
        return i + 1, h, kept.at[i].set(h)

    start = (0, h, jnp.zeros((4, *h.shape)))
    return eqxi.while_loop(
        lambda c: c[0] < 4, step, start, kind="bounded", max_steps=4, buffers=lambda c: c[2]
    )[1:]


def until_large(h, w):
    """A loop whose number of steps is computed."""
    step = lambda h: h + 0.5 * jnp.tanh(h @ w) + h
    return eqxi.while_loop(lambda h: jnp.sum(h * h) < 9.0, step, h, kind="lax")


def checked(h, w):
    """An error where a number is not finite: that branch never returns."""
    return eqx.error_if(jnp.tanh(h @ w), jnp.any(jnp.isnan(h)), "not a number")


def libraries() -> list[Program]:
    square = n(4, 4)
    in_batch = ((0, 0), (0, 1), (1, 0), (1, 1))
    return [
        program("equinox loop, bounded", bounded, n(3, 4), square, free=in_batch),
        program(
            "equinox loop, bounded, one by one",
            lambda h, w: jax.vmap(bounded, (0, None))(h, w),
            n(3, 4),
            square,
            free=in_batch,
        ),
        program("equinox loop, to a condition", until_large, n(3, 4), square, free=in_batch),
        program("equinox error", checked, n(3, 4), square, free=in_batch),
        program("equinox any, of flags", lambda x: x * eqxi.unvmap_any(x > 1), n(3, 4), free=BOTH),
        program(
            "equinox any, of flags in order",
            lambda x, i: jnp.cumsum(x, 0) * eqxi.unvmap_max(i),
            n(3, 4),
            Draw((3,), "int"),
            free=((0, 1), (1, 0)),
        ),
    ]
