"""Small programs with masks: constants of two numbers, some of whose rows or columns are equal."""

import jax.numpy as jnp
import numpy as np

from tests.symmetry.inference.rules.rule_programs import BOTH, Program, n, program


def degrees(*numbers):
    """The mask of an autoregressive layer from four inputs: unit j reads the inputs below its degree."""
    return (np.arange(4)[:, None] < np.array(numbers)[None]) * 1.0


def constants() -> list[Program]:
    across = {
        "in runs": degrees(1, 1, 1, 2, 2, 2),
        "in uneven runs": degrees(1, 1, 2, 2, 2, 2),
        "with one alone": degrees(1, 2, 2, 2, 3, 3),
        "in turn": degrees(1, 2, 3, 1, 2, 3),
        "in turn, broken off": degrees(1, 2, 1, 2, 1),
        "in pairs in turn": degrees(1, 1, 2, 2, 1, 1, 2, 2),
        "for attention": np.where(degrees(1, 1, 1, 3, 3, 3) > 0, 0.0, -1e9),
        "of truths": degrees(2, 2, 1, 1) > 0,
    }
    return [
        *(program(f"mask {name}", lambda w, m=m: jnp.tanh(w * m), n(*m.shape)) for name, m in across.items()),
        program("mask on both sides", lambda w: w * np.kron(np.eye(2), np.ones((2, 3))), n(4, 6)),
        program(
            "mask of a product", lambda x, w: x @ (w * degrees(1, 1, 2, 2)), n(3, 4), n(4, 4), free=((0, 0),)
        ),
        program("identity as a constant", lambda x: jnp.tanh(x - 3 * np.eye(4)), n(4, 4), free=BOTH),
        program("exchange", lambda x: jnp.tanh(x + np.eye(4)[::-1]), n(4, 4)),
        program("mask without order", lambda w: w * degrees(1, 2, 2, 1, 3, 1), n(4, 6)),
        program(
            "mask of three numbers", lambda w: w * np.array([1.0, 1, 2, 2, 3, 3]), n(4, 6), free=((0, 0),)
        ),
        program("mask read by position", lambda w: w[np.array([0, 0, 1, 1])], n(4, 6), free=((0, 1),)),
        program("mask, accumulated", lambda w: jnp.cumsum(w * degrees(1, 1, 1, 2, 2, 2), 1), n(4, 6)),
        program("mask, reshaped across", lambda w: (w * degrees(1, 1, 2, 2, 2, 2)).reshape(4, 3, 2), n(4, 6)),
        program("mask and a stack", lambda w: jnp.stack([w * degrees(1, 1, 2), -w]), n(4, 3), free=((0, 1),)),
    ]
