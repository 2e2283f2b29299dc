"""Networks that solve: states computed by a loop of equinox, as diffrax and optimistix write theirs; linear systems."""

import equinox as eqx
import equinox.internal as eqxi
import jax.numpy as jnp
from jax.scipy.linalg import expm

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    permutation,
    shaped,
    sign,
)

STEPS = 4


def neural_ode(params, x):
    """Euler steps in a bounded loop, which saves every state in a buffer; an error where one is not finite."""

    def step(carry):
        i, y, saved = carry
        y = y + 0.25 * jnp.tanh(y @ params["w"] + params["b"]) @ params["v"]
        y = eqx.error_if(y, ~jnp.all(jnp.isfinite(y)), "the state is not finite")
        return i + 1, y, saved.at[i].set(y)

    y = x @ params["encode"]
    start = (0, y, jnp.full((STEPS, *y.shape), jnp.inf))
    _, _, saved = eqxi.while_loop(
        lambda c: c[0] < STEPS, step, start, kind="bounded", max_steps=STEPS, buffers=lambda c: c[2]
    )
    return jnp.tanh(saved) @ params["decode"]


def build(key):
    shapes = {
        "encode": shaped(3, 4),
        "w": shaped(4, 6),
        "b": shaped(6),
        "v": shaped(6, 4),
        "decode": shaped(4, 2),
    }
    return neural_ode, draw(key, shapes), (normal(key, 5, 3),)


def linear_system(params, x):
    """The state at which a linear system with this matrix rests."""
    return jnp.linalg.solve(params["matrix"], (x @ params["encode"]).T).T @ params["decode"]


def build_system(key):
    shapes = {"encode": shaped(3, 6), "matrix": shaped(6, 6), "decode": shaped(6, 2)}
    params = draw(key, shapes)
    return linear_system, {**params, "matrix": params["matrix"] + 3 * jnp.eye(6)}, (normal(key, 5, 3),)


def flow(params, x):
    """A linear flow for a unit of time, by the exponential of its matrix, between two odd layers."""
    return jnp.tanh(jnp.tanh(x @ params["encode"]) @ expm(params["matrix"])) @ params["decode"]


def build_flow(key):
    shapes = {"encode": shaped(3, 4), "matrix": shaped(4, 4), "decode": shaped(4, 2)}
    return flow, draw(key, shapes), (normal(key, 5, 3),)


EXAMPLES = (
    Example(
        "equinox neural ode",
        build,
        (permutation(4), permutation(6)),
        "the state permutes with what encodes, drives and decodes it; the units of the field have biases and are odd; "
        "no sign of the state is found, since the buffer starts at infinity and the program does not say that all of "
        "it is written",
        continuous=(sign(6),),
    ),
    Example(
        "plain linear system",
        build_system,
        (permutation(6), permutation(6)),
        "equations are as good as their combinations, and so are unknowns",
        continuous=(general_linear(6), general_linear(6)),
    ),
    Example(
        "plain linear flow",
        build_flow,
        (permutation(4),),
        "conjugating a matrix conjugates its exponential; the identity in the series ties its two axes",
    ),
)
