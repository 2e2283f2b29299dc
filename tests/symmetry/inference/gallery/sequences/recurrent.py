"""Recurrent networks: one hidden permutation, shared by the packed gates and the recurrent kernel."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from tests.symmetry.inference.gallery.example import Example, draw, normal, permutation, scaling, shaped, sign
from tests.symmetry.inference.gallery.frameworks import equinox, linen, nnx_module


class EquinoxLSTM(eqx.Module):
    cell: eqx.nn.LSTMCell
    head: eqx.nn.Linear

    def __init__(self, key):
        cell, head = jax.random.split(key)
        self.cell = eqx.nn.LSTMCell(3, 6, key=cell)
        self.head = eqx.nn.Linear(6, 4, key=head)

    def __call__(self, xs):
        start = (jnp.zeros(6), jnp.zeros(6))
        (h, _), _ = jax.lax.scan(lambda state, x: (self.cell(x, state), None), start, xs)
        return self.head(h)


class EquinoxGRU(eqx.Module):
    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, key):
        cell, head = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(3, 6, key=cell)
        self.head = eqx.nn.Linear(6, 4, key=head)

    def __call__(self, xs):
        h, _ = jax.lax.scan(lambda h, x: (self.cell(x, h), None), jnp.zeros(6), xs)
        return self.head(h)


class LinenLSTM(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(nn.RNN(nn.OptimizedLSTMCell(6, param_dtype=jnp.float64))(x)[:, -1])


class NnxGRU(nnx.Module):
    def __init__(self, rngs):
        self.cell = nnx.GRUCell(3, 6, rngs=rngs)
        self.head = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x):
        h = jnp.zeros((x.shape[0], 6))
        for t in range(x.shape[1]):
            h, _ = self.cell(h, x[:, t])
        return self.head(h)


class BidirectionalStack(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Bidirectional(
            nn.RNN(nn.LSTMCell(4, param_dtype=jnp.float64)), nn.RNN(nn.LSTMCell(6, param_dtype=jnp.float64))
        )(x)
        x = nn.Bidirectional(
            nn.RNN(nn.GRUCell(3, param_dtype=jnp.float64)), nn.RNN(nn.GRUCell(10, param_dtype=jnp.float64))
        )(x)
        return nn.Dense(2)(x.mean(1))


def interleaved_lstm(params, xs):
    """An LSTM whose four gates are the minor factor of the packed axis."""

    def step(state, x):
        h, c = state
        gates = (x @ params["input"] + h @ params["recurrent"] + params["bias"]).reshape(-1, 6, 4)
        i, f, g, o = (gates[..., k] for k in range(4))
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((xs.shape[1], 6))
    _, hs = jax.lax.scan(step, (start, start), xs)
    return hs @ params["head"]


def build_interleaved_lstm(key):
    shapes = {"input": shaped(3, 24), "recurrent": shaped(6, 24), "bias": shaped(24), "head": shaped(6, 4)}
    return interleaved_lstm, draw(key, shapes), (normal(key, 5, 2, 3),)


def selective_scan(params, x):
    """A selective state-space layer: step, input and output maps depend on the input; scanned in parallel."""
    u, gate = x @ params["in"], jax.nn.silu(x @ params["gate"])
    step = jax.nn.softplus(u @ params["step"] + params["bias"])
    decay = jnp.exp(-step[..., None] * jnp.exp(params["rate"]))
    drive = (step * u)[..., None] * (u @ params["b"])[:, :, None, :]
    join = lambda left, right: (left[0] * right[0], right[0] * left[1] + right[1])
    _, h = jax.lax.associative_scan(join, (decay, drive), axis=1)
    y = jnp.einsum("btds,bts->btd", h, u @ params["c"]) + u * params["skip"]
    return (y * gate) @ params["out"]


def build_selective_scan(key):
    shapes = dict.fromkeys(("in", "gate"), shaped(4, 6)) | dict.fromkeys(("b", "c", "rate"), shaped(6, 3))
    shapes |= {"step": shaped(6, 6), "bias": shaped(6), "skip": shaped(6), "out": shaped(6, 4)}
    return selective_scan, draw(key, shapes), (normal(key, 2, 8, 4),)


GATES = (
    "one permutation moves all gates, the state and the recurrent kernel's rows; flipping a unit flips its "
    "candidate (tanh) and its rows everywhere, not the sigmoid gates"
)

EXAMPLES = (
    Example(
        "equinox lstm",
        lambda key: equinox(key, EquinoxLSTM, normal(key, 2, 5, 3)),
        (permutation(6),),
        GATES,
        (sign(6),),
    ),
    Example(
        "equinox gru",
        lambda key: equinox(key, EquinoxGRU, normal(key, 2, 5, 3)),
        (permutation(6),),
        GATES,
        (sign(6),),
    ),
    Example(
        "linen lstm",
        lambda key: linen(key, LinenLSTM(), normal(key, 2, 5, 3)),
        (permutation(6),),
        GATES,
        (sign(6),),
    ),
    Example(
        "nnx gru",
        lambda key: nnx_module(key, NnxGRU, normal(key, 2, 5, 3)),
        (permutation(6),),
        GATES,
        (sign(6),),
    ),
    Example("plain lstm interleaved gates", build_interleaved_lstm, (permutation(6),), GATES, (sign(6),)),
    Example(
        "linen bidirectional stack",
        lambda key: linen(key, BidirectionalStack(), normal(key, 2, 5, 2)),
        (permutation(4), permutation(6), permutation(3), permutation(10)),
        "each direction of each layer has its own units, pieces of the concatenated axis above. " + GATES,
        (sign(4), sign(6), sign(3), sign(10)),
    ),
    Example(
        "plain selective scan",
        build_selective_scan,
        (permutation(6), permutation(3)),
        "channels and states permute; a channel and the rows that read it scale, and so do b and c per state",
        (sign(6), sign(3), scaling(6), scaling(3), scaling(1)),
    ),
)
