"""Multilayer perceptrons: one free permutation for each hidden layer, and what the activation adds to it."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    permutation,
    scaling,
    shaped,
    sign,
)
from tests.symmetry.inference.gallery.frameworks import equinox, linen, nnx_module

HIDDEN = (permutation(10), permutation(6))


class LinenMLP(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(10)(x))
        x = nn.relu(nn.Dense(6)(x))
        return nn.Dense(4)(x)


class NnxMLP(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 10, rngs=rngs)
        self.second = nnx.Linear(10, 6, rngs=rngs)
        self.last = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.gelu(self.second(nnx.gelu(self.first(x)))))


def plain_mlp(params, x):
    *hidden, last = params
    for layer in hidden:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ last["w"] + last["b"]


def linear_net(params, x):
    return (x @ params["first"] + params["bias"]) @ params["second"]


def binary_net(params, x):
    return threshold(x @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"]


@jax.custom_vjp
def threshold(x):
    """The sign of x with the derivative of the identity."""
    return jnp.sign(x)


threshold.defvjp(lambda x: (threshold(x), None), lambda _, g: (g,))


def weight_normalised(params, x):
    direction = params["v"] / jnp.linalg.norm(params["v"], axis=0, keepdims=True)
    return jax.nn.relu(x @ (direction * params["g"]) + params["b"]) @ params["out"]


def build_plain(key):
    shapes = [{"w": shaped(i, o), "b": shaped(o)} for i, o in ((3, 10), (10, 6), (6, 4))]
    return plain_mlp, draw(key, shapes), (normal(key, 5, 3),)


def build_linear(key):
    shapes = {"first": shaped(3, 10), "bias": shaped(10), "second": shaped(10, 4)}
    return linear_net, draw(key, shapes), (normal(key, 5, 3),)


def build_binary(key):
    shapes = {"w1": shaped(3, 10), "b1": shaped(10), "w2": shaped(10, 4), "b2": shaped(4)}
    return binary_net, draw(key, shapes), (normal(key, 5, 3),)


def build_weight_normalised(key):
    shapes = {"v": shaped(3, 10), "g": shaped(10), "b": shaped(10), "out": shaped(10, 4)}
    return weight_normalised, draw(key, shapes), (normal(key, 5, 3),)


EXAMPLES = (
    Example(
        "linen mlp relu",
        lambda key: linen(key, LinenMLP(), normal(key, 5, 3)),
        HIDDEN,
        "inputs and outputs are fixed, every hidden unit is interchangeable; relu(s x) = s relu(x) for s > 0",
        continuous=(scaling(10), scaling(6)),
    ),
    Example(
        "nnx mlp gelu",
        lambda key: nnx_module(key, NnxMLP, normal(key, 5, 3)),
        HIDDEN,
        "gelu is neither homogeneous nor odd, so permutations are all there is",
    ),
    Example(
        "equinox mlp tanh",
        lambda key: equinox(
            key,
            lambda k: eqx.nn.MLP(3, 4, width_size=10, depth=2, activation=jnp.tanh, key=k),
            normal(key, 5, 3),
        ),
        (permutation(10), permutation(10)),
        "two hidden layers of equal width move independently; tanh is odd",
        continuous=(sign(10), sign(10)),
    ),
    Example(
        "plain mlp relu",
        build_plain,
        HIDDEN,
        "as in the linen version, from a list of dicts",
        continuous=(scaling(10), scaling(6)),
    ),
    Example(
        "plain linear network",
        build_linear,
        (permutation(10),),
        "no activation: any invertible matrix may be put between the two maps",
        continuous=(general_linear(10),),
    ),
    Example(
        "plain binary network",
        build_binary,
        (permutation(10),),
        "sign(s x) = sign(x) for s > 0 moves the first layer alone; sign is odd",
        continuous=(scaling(10), sign(10)),
    ),
    Example(
        "plain weight-normalised mlp",
        build_weight_normalised,
        (permutation(10),),
        "v/|v| does not change when a column of v is scaled; g, b and the next layer carry the relu's "
        "scaling; flipping a column of v and its g leaves the weights alone",
        continuous=(scaling(10), scaling(10), sign(10)),
    ),
)
