"""Weights that are used more than once, or made by another network."""

import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    orthogonal,
    permutation,
    scaling,
    shaped,
    sign,
    tokens,
)


def recurrent_mlp(params, x):
    """Four passes through one hidden layer."""
    h = jnp.tanh(x @ params["in"])
    for _ in range(3):
        h = jnp.tanh(x @ params["in"] + h @ params["loop"] + params["bias"])
    return h @ params["out"]


def build_recurrent_mlp(key):
    shapes = {"in": shaped(3, 6), "loop": shaped(6, 6), "bias": shaped(6), "out": shaped(6, 4)}
    return recurrent_mlp, draw(key, shapes), (normal(key, 5, 3),)


def tied_autoencoder(params, x):
    h = jnp.tanh(x @ params["w1"] + params["b1"])
    z = jnp.tanh(h @ params["w2"] + params["b2"])
    h = jnp.tanh(z @ params["w2"].T + params["c2"])
    return h @ params["w1"].T + params["c1"]


def build_tied_autoencoder(key):
    shapes = {
        "w1": shaped(6, 10),
        "b1": shaped(10),
        "w2": shaped(10, 4),
        "b2": shaped(4),
        "c2": shaped(10),
        "c1": shaped(6),
    }
    return tied_autoencoder, draw(key, shapes), (normal(key, 5, 6),)


def relu_tied_autoencoder(params, x):
    return jax.nn.relu(x @ params["w"] + params["b"]) @ params["w"].T


def build_relu_tied_autoencoder(key):
    return relu_tied_autoencoder, draw(key, {"w": shaped(6, 10), "b": shaped(10)}), (normal(key, 5, 6),)


def siamese(params, x, y):
    def encode(z):
        return jax.nn.relu(z @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"]

    return jnp.sum(encode(x) * encode(y), axis=-1)


def build_siamese(key):
    shapes = {"w1": shaped(3, 10), "b1": shaped(10), "w2": shaped(10, 6), "b2": shaped(6)}
    other = jax.random.fold_in(key, 7)
    return siamese, draw(key, shapes), (normal(key, 5, 3), normal(other, 5, 3))


def hypernetwork(params, x, task):
    h = jax.nn.relu(task @ params["task"] + params["task_bias"])
    w1 = (h @ params["w1"]).reshape(3, 10)
    b1 = h @ params["b1"]
    w2 = (h @ params["w2"] + params["w2_bias"]).reshape(10, 4)
    return jax.nn.relu(x @ w1 + b1) @ w2


def build_hypernetwork(key):
    shapes = {
        "task": shaped(2, 6),
        "task_bias": shaped(6),
        "w1": shaped(6, 30),
        "b1": shaped(6, 10),
        "w2": shaped(6, 40),
        "w2_bias": shaped(40),
    }
    return hypernetwork, draw(key, shapes), (normal(key, 5, 3), normal(jax.random.fold_in(key, 7), 2))


def factorisation(params, word, context):
    return jnp.sum(params["words"][word] * params["contexts"][context], axis=-1)


def build_factorisation(key):
    shapes = {"words": shaped(7, 6), "contexts": shaped(9, 6)}
    return factorisation, draw(key, shapes), (tokens(key, 7, 5), tokens(key, 9, 5))


def low_rank_adapter(params, x):
    frozen = jnp.asarray(_FROZEN)
    w = frozen + params["down"] @ params["up"]
    return jax.nn.gelu(x @ w) @ params["out"]


_FROZEN = [[0.3, -1.0, 0.7, 0.2, 1.1], [0.5, 0.9, -0.4, 1.3, -0.6], [-0.8, 0.1, 0.6, -1.2, 0.4]]


def build_low_rank_adapter(key):
    shapes = {"down": shaped(3, 4), "up": shaped(4, 5), "out": shaped(5, 2)}
    return low_rank_adapter, draw(key, shapes), (normal(key, 6, 3),)


EXAMPLES = (
    Example(
        "plain weight-shared recurrent mlp",
        build_recurrent_mlp,
        (permutation(6),),
        "one hidden axis, on both sides of the loop's square matrix; tanh is odd",
        continuous=(sign(6),),
    ),
    Example(
        "plain tied autoencoder",
        build_tied_autoencoder,
        (permutation(10), permutation(4)),
        "the decoder's hidden layer is tied to the encoder's through w2; c2 moves with b1",
        continuous=(sign(10), sign(4)),
    ),
    Example(
        "plain tied autoencoder relu",
        build_relu_tied_autoencoder,
        (permutation(10),),
        "w appears on both sides of the hidden layer, so a scaling would have to be its own inverse",
    ),
    Example(
        "plain siamese pair",
        build_siamese,
        (permutation(10), permutation(6)),
        "the embeddings meet in an inner product, which every orthogonal matrix keeps",
        continuous=(scaling(10), orthogonal(6)),
    ),
    Example(
        "plain hypernetwork",
        build_hypernetwork,
        (permutation(6), permutation(10)),
        "the hypernetwork's hidden axis, and the main network's hidden axis inside its flattened heads",
        continuous=(scaling(6), scaling(10)),
    ),
    Example(
        "plain matrix factorisation",
        build_factorisation,
        (permutation(6),),
        "rows are looked up, so the vocabularies are fixed; the factors are defined up to an invertible "
        "matrix",
        continuous=(general_linear(6),),
    ),
    Example(
        "plain low-rank adapter",
        build_low_rank_adapter,
        (permutation(4),),
        "the frozen matrix is a constant and holds the hidden axis; the rank axis is free",
        continuous=(general_linear(4),),
    ),
)
