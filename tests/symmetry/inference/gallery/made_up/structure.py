"""Data with structure: graphs, sets, sequences with linear dynamics."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    permutation,
    scaling,
    shaped,
    sign,
    tokens,
)
from tests.symmetry.inference.gallery.frameworks import equinox, linen

NODES = 5


def graph_convolution(params, x, sender, receiver):
    for layer in params["layers"]:
        message = jax.ops.segment_sum((x @ layer["neighbour"])[sender], receiver, num_segments=NODES)
        x = jax.nn.relu(message + x @ layer["self"] + layer["bias"])
    return x @ params["out"]


def build_graph_convolution(key):
    layer = lambda i, o: {"neighbour": shaped(i, o), "self": shaped(i, o), "bias": shaped(o)}
    shapes = {"layers": [layer(3, 6), layer(6, 10)], "out": shaped(10, 2)}
    edges = tokens(key, NODES, 8), tokens(jax.random.fold_in(key, 7), NODES, 8)
    return graph_convolution, draw(key, shapes), (normal(key, NODES, 3), *edges)


class InteractionNetwork(eqx.Module):
    encode: eqx.nn.Linear
    edge: eqx.nn.Linear
    node: eqx.nn.Linear
    head: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 4)
        self.encode = eqx.nn.Linear(3, 4, key=keys[0])
        self.edge = eqx.nn.Linear(4 + 4 + 2, 9, key=keys[1])
        self.node = eqx.nn.Linear(4 + 9, 10, key=keys[2])
        self.head = eqx.nn.Linear(10, 2, key=keys[3])

    def __call__(self, x, feature, sender, receiver):
        h = jax.nn.relu(jax.vmap(self.encode)(x))
        message = jax.vmap(self.edge)(jnp.concatenate([h[sender], h[receiver], feature], axis=-1))
        total = jax.ops.segment_sum(jax.nn.relu(message), receiver, num_segments=NODES)
        h = jax.nn.relu(jax.vmap(self.node)(jnp.concatenate([h, total], axis=-1)))
        return self.head(h.mean(0))


def build_interaction(key):
    edges = tokens(key, NODES, 2, 8), tokens(jax.random.fold_in(key, 7), NODES, 2, 8)
    feature = normal(jax.random.fold_in(key, 8), 2, 8, 2)
    return equinox(key, InteractionNetwork, normal(key, 2, NODES, 3), feature, *edges)


class DeepSets(eqx.Module):
    inner: eqx.nn.MLP
    outer: eqx.nn.MLP

    def __init__(self, key):
        inner, outer = jax.random.split(key)
        self.inner = eqx.nn.MLP(3, 10, width_size=8, depth=1, key=inner)
        self.outer = eqx.nn.MLP(10, 2, width_size=9, depth=1, key=outer)

    def __call__(self, x):
        return self.outer(jax.vmap(self.inner)(x).sum(0))


class PointNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.leaky_relu(nn.Dense(6)(x))
        x = nn.leaky_relu(nn.Dense(10)(x)).max(1)
        return nn.Dense(4)(nn.leaky_relu(nn.Dense(9)(x)))


def perceiver(params, x):
    """Learned latents read a set by cross-attention, pass an MLP and are averaged."""
    z = params["latent"]
    scores = (z @ params["q"]) @ (x @ params["k"]).T
    z = z + jax.nn.softmax(scores) @ (x @ params["v"]) @ params["o"]
    z = z + jnp.tanh(z @ params["up"] + params["bias"]) @ params["down"]
    return z.mean(0) @ params["out"]


def build_perceiver(key):
    shapes = {
        "latent": shaped(4, 6),
        "q": shaped(6, 5),
        "k": shaped(3, 5),
        "v": shaped(3, 9),
        "o": shaped(9, 6),
        "up": shaped(6, 8),
        "bias": shaped(8),
        "down": shaped(8, 6),
        "out": shaped(6, 2),
    }
    return perceiver, draw(key, shapes), (normal(key, 7, 3),)


def radial_basis(params, x):
    offset = x[:, None, :] - params["center"]
    return jnp.exp(-jnp.sum(offset**2, axis=-1) * jax.nn.softplus(params["width"])) @ params["out"]


def build_radial_basis(key):
    shapes = {"center": shaped(10, 3), "width": shaped(10), "out": shaped(10, 4)}
    return radial_basis, draw(key, shapes), (normal(key, 5, 3),)


def diagonal_state_space(params, x):
    """A real diagonal state for each channel, h' = exp(-exp(a)) h + b u, read out by c, with a skip."""
    u = x @ params["in"] + params["bias"]
    decay = jnp.exp(-jnp.exp(params["a"]))

    def step(h, u):
        h = decay * h + params["b"] * u[:, None]
        return h, jnp.sum(params["c"] * h, axis=-1) + params["skip"] * u

    _, y = jax.lax.scan(step, jnp.zeros((4, 6)), u)
    return jax.nn.gelu(y) @ params["out"]


def build_diagonal_state_space(key):
    shapes = {name: shaped(4, 6) for name in ("a", "b", "c")}
    shapes |= {"in": shaped(3, 4), "bias": shaped(4), "skip": shaped(4), "out": shaped(4, 2)}
    return diagonal_state_space, draw(key, shapes), (normal(key, 7, 3),)


def linear_recurrent_unit(params, x):
    """A complex diagonal state shared by all channels, by a parallel scan."""
    u = x @ params["in"]
    eigenvalue = jnp.exp(jax.lax.complex(-jnp.exp(params["decay"]), params["angle"]))
    driven = u @ jax.lax.complex(params["b_real"], params["b_imag"])

    def combine(left, right):
        return left[0] * right[0], right[0] * left[1] + right[1]

    _, state = jax.lax.associative_scan(combine, (jnp.broadcast_to(eigenvalue, driven.shape), driven))
    y = jnp.real(state @ jax.lax.complex(params["c_real"], params["c_imag"]))
    return jax.nn.gelu(y + params["skip"] * u) @ params["out"]


def build_linear_recurrent_unit(key):
    shapes = {
        "in": shaped(3, 4),
        "decay": shaped(6),
        "angle": shaped(6),
        "skip": shaped(4),
        "out": shaped(4, 2),
    }
    shapes |= {"b_real": shaped(4, 6), "b_imag": shaped(4, 6), "c_real": shaped(6, 4), "c_imag": shaped(6, 4)}
    return linear_recurrent_unit, draw(key, shapes), (normal(key, 7, 3),)


def autoregressive(params, x):
    """Two hidden layers whose masks let a unit read the inputs below its degree, and what those of its degree read."""
    degrees = np.array([1, 1, 1, 2, 2, 2])
    first = np.arange(3)[:, None] < degrees
    second = degrees[:, None] <= degrees
    last = degrees[:, None] <= np.arange(3)
    h = jax.nn.relu(x @ (params["w1"] * first) + params["b1"])
    h = jax.nn.relu(h @ (params["w2"] * second) + params["b2"])
    return h @ (params["w3"] * last)


def build_autoregressive(key):
    shapes = {"w1": shaped(3, 6), "b1": shaped(6), "w2": shaped(6, 6), "b2": shaped(6), "w3": shaped(6, 3)}
    return autoregressive, draw(key, shapes), (normal(key, 7, 3),)


EXAMPLES = (
    Example(
        "plain graph convolution",
        build_graph_convolution,
        (permutation(6), permutation(10)),
        "nodes and edges are inputs; gathering and summing rows leaves features alone",
        continuous=(scaling(6), scaling(10)),
    ),
    Example(
        "equinox interaction network",
        build_interaction,
        (permutation(4), permutation(9), permutation(10)),
        "sender and receiver pieces of the edge map's columns are the same features, the edge's own are "
        "inputs",
        continuous=(scaling(4), scaling(9), scaling(10)),
    ),
    Example(
        "equinox deep sets",
        lambda key: equinox(key, DeepSets, normal(key, 2, 7, 3)),
        (permutation(8), permutation(10), permutation(9)),
        "the pooled features lie between two linear maps",
        continuous=(scaling(8), general_linear(10), scaling(9)),
    ),
    Example(
        "linen pointnet",
        lambda key: linen(key, PointNet(), normal(key, 2, 7, 3)),
        (permutation(6), permutation(10), permutation(9)),
        "leaky relu and the largest value over points are positively homogeneous",
        continuous=(scaling(6), scaling(10), scaling(9)),
    ),
    Example(
        "plain perceiver",
        build_perceiver,
        (permutation(4), permutation(6), permutation(5), permutation(9), permutation(8)),
        "learned latents are averaged, so they permute; one head without norms: stream, QK and VO are linear",
        continuous=(general_linear(6), general_linear(5), general_linear(9), sign(8)),
    ),
    Example(
        "plain radial basis",
        build_radial_basis,
        (permutation(10),),
        "centres are interchangeable and nothing else",
    ),
    Example(
        "plain diagonal state space",
        build_diagonal_state_space,
        (permutation(4), permutation(6, 4)),
        "each channel has its own states (S_6 wr S_4), read in by b and out by c; a channel may be scaled "
        "before the gelu's argument is formed: against b and the skip",
        continuous=(scaling(6, 4), sign(6, 4), scaling(4), sign(4)),
    ),
    Example(
        "plain linear recurrent unit",
        build_linear_recurrent_unit,
        (permutation(4), permutation(6)),
        "states are shared by all channels; the skip ties the channels' two ends",
        continuous=(scaling(6), sign(6), scaling(4), sign(4)),
    ),
    Example(
        "plain autoregressive network",
        build_autoregressive,
        (permutation(3, 2), permutation(3, 2)),
        "the units of one degree, in each layer",
        continuous=(scaling(3, 2), scaling(3, 2)),
    ),
)
