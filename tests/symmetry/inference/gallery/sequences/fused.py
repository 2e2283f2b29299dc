"""Attention whose queries, keys and values come from one fused matrix, in its three usual codings."""

import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    orthogonal,
    permutation,
    shaped,
)

HEADS, INNER, WIDTH = 2, 3, 10


def thirds_first(y):
    """Columns ordered (third, head, inner): all queries, then all keys, then all values."""
    return [z.reshape(-1, HEADS, INNER) for z in jnp.split(y, 3, axis=-1)]


def heads_first(y):
    """Columns ordered (head, third, inner)."""
    y = y.reshape(-1, HEADS, 3 * INNER)
    return [y[..., :INNER], y[..., INNER : 2 * INNER], y[..., 2 * INNER :]]


def thirds_last(y):
    """Columns ordered (head, inner, third)."""
    y = y.reshape(-1, HEADS, INNER, 3)
    return [y[..., i] for i in range(3)]


def network(unpack):
    """One attention block on an RMS-normalised stream without a scale."""

    def apply(params, x):
        x = x @ params["in"]
        y = x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
        q, k, v = unpack(y @ params["qkv"] + params["bias"])
        scores = jnp.einsum("thi,shi->hts", q, k) / jnp.sqrt(INNER)
        mixed = jnp.einsum("hts,shi->thi", jax.nn.softmax(scores), v).reshape(-1, HEADS * INNER)
        x = x + mixed @ params["project"]
        return x @ params["out"]

    def build(key):
        shapes = {
            "in": shaped(4, WIDTH),
            "qkv": shaped(WIDTH, 3 * HEADS * INNER),
            "bias": shaped(3 * HEADS * INNER),
            "project": shaped(HEADS * INNER, WIDTH),
            "out": shaped(WIDTH, 2),
        }
        return apply, draw(key, shapes), (normal(key, 5, 4),)

    return build


def fused(name, unpack):
    return Example(
        f"plain fused qkv {name}",
        network(unpack),
        (permutation(WIDTH), permutation(HEADS), permutation(INNER, HEADS), permutation(INNER, HEADS)),
        "the same attention group whatever the order of columns: heads as wholes, queries with keys, values "
        "with the projection's rows; the norm has no scale, so the stream admits every rotation and "
        "reflection",
        continuous=(orthogonal(WIDTH), general_linear(INNER, HEADS), general_linear(INNER, HEADS)),
    )


EXAMPLES = (
    fused("thirds first", thirds_first),
    fused("heads first", heads_first),
    fused("thirds last", thirds_last),
)
