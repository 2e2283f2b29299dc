"""Programs made to mislead an inference of symmetry.

``groups`` lists the (kind, size) pairs of all groups if they were derived by hand. In every case the groups that are
found must leave the function as it is.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import relu

P, S, F, O, G = "permutation", "scaling", "sign", "orthogonal", "general_linear"
RAMP = np.arange(1.0, 5.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Trap:
    """A function of parameters and inputs, with shapes (or arrays) of both."""

    name: str
    function: Callable[..., Any]
    params: Any
    inputs: tuple[Any, ...]
    groups: tuple[tuple[str, int], ...] | None = None


def trap(name, function, *shapes, inputs=((2,),), groups=None):
    return Trap(name, function, list(shapes), inputs, None if groups is None else tuple(groups))


def mlp(name, activation, groups=None):
    """Three inputs, four hidden units, two outputs."""
    return trap(
        name,
        lambda p, x: activation(x @ p[0] + p[1]) @ p[2],
        (3, 4),
        (4,),
        (4, 2),
        inputs=((5, 3),),
        groups=groups,
    )


def activations() -> list[Trap]:
    positive = [(P, 4), (S, 4)]
    odd_positive = [*positive, (F, 4)]
    norm = lambda h: jnp.sqrt((h**2).mean(-1, keepdims=True))
    scale = lambda h: (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True))
    return [
        mlp("max(x, 0)", lambda h: jnp.maximum(h, 0), positive),
        mlp("max(0, x)", lambda h: jnp.maximum(0, h), positive),
        mlp("min(x, 0)", lambda h: jnp.minimum(h, 0), positive),
        mlp("leaky relu", jax.nn.leaky_relu, positive),
        mlp("relu of six", jax.nn.relu6, [(P, 4)]),
        mlp("elu", jax.nn.elu, [(P, 4)]),
        mlp("softplus", jax.nn.softplus, [(P, 4)]),
        mlp("hard tanh", jax.nn.hard_tanh, [(P, 4)]),
        mlp("clip from below", lambda h: jnp.clip(h, 0, None), positive),
        mlp("clip", lambda h: jnp.clip(h, -1, 1)),
        mlp("abs", jnp.abs, odd_positive),
        mlp("cube", lambda h: h**3, odd_positive),
        mlp("square", jnp.square, odd_positive),
        mlp("root of square", lambda h: jnp.sqrt(h**2), odd_positive),
        mlp("sign times x", lambda h: jnp.sign(h) * h, odd_positive),
        mlp("step", lambda h: jnp.where(h > 0, 1.0, 0.0), positive),
        mlp("where above one", lambda h: jnp.where(h > 1, h, 0), [(P, 4)]),
        mlp("where, else one", lambda h: jnp.where(h > 0, h, 1.0), [(P, 4)]),
        mlp("where, else minus x", lambda h: jnp.where(h >= 0, h, -h), positive),
        mlp("zero times x", lambda h: h * 0.0 + h, [(P, 4), (G, 4)]),
        mlp("x over itself", lambda h: h / lax.stop_gradient(h)),
        mlp("x over one plus square", lambda h: h / (1 + h**2), [(P, 4), (F, 4)]),
        mlp("modulo", lambda h: h % 1.0, [(P, 4)]),
        mlp("round", jnp.round, [(P, 4), (F, 4)]),
        mlp("to whole numbers and back", lambda h: h.astype(jnp.int32).astype(h.dtype), [(P, 4)]),
        mlp("to truth and back", lambda h: h.astype(bool).astype(h.dtype)),
        mlp("layer norm without epsilon", scale, [(P, 4)]),
        mlp("root mean square norm", lambda h: h / norm(h), [(P, 4), (O, 4), (S, 1)]),
        mlp("relu over norm", lambda h: relu(h) / norm(h), [(P, 4), (S, 1)]),
        mlp("over the largest", lambda h: h / h.max(-1, keepdims=True), [(P, 4), (S, 1)]),
        mlp(
            "over the sum of sizes", lambda h: h / jnp.abs(h).sum(-1, keepdims=True), [(P, 4), (F, 4), (S, 1)]
        ),
        mlp("batch norm, then relu", lambda h: relu((h - h.mean(0)) / h.std(0)), [(P, 4)]),
        mlp("minus logsumexp", lambda h: h - jax.nn.logsumexp(h, -1, keepdims=True), [(P, 4)]),
        mlp("softmax", jax.nn.softmax, [(P, 4)]),
        mlp("one hot of the largest", lambda h: jax.nn.one_hot(jnp.argmax(h, -1), 4), [(P, 4)]),
        mlp("one hot of the largest after a relu", lambda h: jax.nn.one_hot(jnp.argmax(relu(h), -1), 4), []),
        mlp(
            "one hot of the largest sign", lambda h: jax.nn.one_hot(jnp.argmax(jnp.sign(h), -1), 4), [(S, 4)]
        ),
        mlp("one hot after the largest", lambda h: jax.nn.one_hot(jnp.argmax(h, -1) + 1, 4), []),
        mlp("place of the largest", lambda h: h * jnp.argmax(h, -1, keepdims=True), []),
        mlp("in order of another", lambda h: jnp.take_along_axis(h, jnp.argsort(h * h, -1), -1), [(P, 4)]),
        mlp("as in the first sample", lambda h: h[:, jnp.argsort(h[0])], [(P, 4)]),
        mlp("as in the first sample, by rank", lambda h: h[:, jnp.argsort(jnp.argsort(h[0]))], []),
        mlp("top two", lambda h: jnp.where(h >= lax.top_k(h, 2)[0][..., -1:], h, 0), [(P, 4), (S, 1)]),
        mlp("median", lambda h: h - jnp.median(h, -1, keepdims=True), [(P, 4)]),
        mlp("sorted", lambda h: jnp.sort(h, -1), [(P, 4), (S, 1)]),
        mlp("cumulative over units", lambda h: jnp.cumsum(h, -1), [(S, 1)]),
        mlp("cumulative over samples", lambda h: jnp.cumsum(h, 0), [(P, 4), (G, 4)]),
        mlp("largest so far", lambda h: lax.cummax(h, 0), positive),
        mlp("gates side by side", lambda h: jnp.tile(jax.nn.sigmoid(h[:, :2]) * h[:, 2:], 2)),
        mlp("maxout", lambda h: jnp.repeat(h.reshape(-1, 2, 2).max(-1), 2, -1)),
        mlp(
            "halves swapped and added", lambda h: relu(h + h.reshape(-1, 2, 2).swapaxes(1, 2).reshape(-1, 4))
        ),
        mlp("rolled and added", lambda h: relu(jnp.roll(h, 1, -1) + h), [(S, 1)]),
        mlp("half rolled and added", lambda h: relu(jnp.roll(h, 2, -1) + h), [(P, 2), (S, 2)]),
        mlp("flipped and added", lambda h: relu(h[:, ::-1] + h), [(S, 1)]),
        mlp("even, then odd", lambda h: relu(jnp.concatenate([h[:, ::2], h[:, 1::2]], -1))),
        mlp("interleaved and added", lambda h: relu(h + jnp.stack([h[:, :2], h[:, 2:]], -1).reshape(-1, 4))),
        mlp("outer product", lambda h: relu(jnp.einsum("bi,bj->bij", h, h)).sum(-1)),
        mlp("flattened outer product", lambda h: jnp.einsum("bi,bj->bij", h, h).reshape(-1, 16)[:, :4]),
        mlp("with its own covariance", lambda h: h @ (h.T @ h), [(P, 4), (O, 4), (S, 1)]),
        mlp("complex square", lambda h: (lax.complex(h, h * 2) ** 2).real),
        mlp("complex modulus", lambda h: jnp.abs(lax.complex(h, 2 * h)), odd_positive),
        mlp("complex exponential", lambda h: jnp.exp(1j * h).real),
        mlp("Fourier transform of units", lambda h: jnp.fft.fft(h, axis=-1).real, [(S, 1)]),
        mlp("Fourier transform of samples", lambda h: jnp.fft.fft(h, axis=0).real, [(P, 4), (G, 4)]),
        mlp("triangular mask", lambda h: h * np.triu(np.ones((5, 4)))),
        mlp(
            "mask of units",
            lambda h: jnp.where(np.array([True, False, True, True]), relu(h), 0),
            [(P, 2), (S, 2), (S, 2)],
        ),
        mlp("mask of samples", lambda h: jnp.where(np.arange(5)[:, None] < 2, relu(h), 0), positive),
        mlp(
            "mask of samples, else one",
            lambda h: jnp.where(np.arange(5)[:, None] < 2, relu(h), 1.0),
            [(P, 4)],
        ),
        mlp("numbers captured", lambda h: h * np.array([1.0, 2, 1, 2]), [(P, 2), (G, 2)]),
        mlp("equal numbers captured", lambda h: h * np.array([2.0, 2, 2, 2]), [(P, 4), (G, 4)]),
        mlp("NaN captured", lambda h: jnp.where(jnp.isnan(h + np.array([np.nan, 0, 0, 0])), 0.0, h)),
        mlp(
            "infinity times zero",
            lambda h: jnp.where(jnp.isnan(h + lax.mul(jnp.zeros(4), np.array([np.inf, 1, 2, 3]))), 0.0, h),
        ),
        mlp("padded and cropped", lambda h: jnp.pad(h, ((0, 0), (1, 1)))[:, 1:-1], [(P, 4), (G, 4)]),
        mlp("padded and shifted", lambda h: jnp.pad(h, ((0, 0), (1, 1)))[:, :4]),
        mlp(
            "padded with ones",
            lambda h: relu(jnp.pad(h, ((0, 0), (1, 1)), constant_values=1))[:, 1:5],
            [(P, 4)],
        ),
        mlp("edges repeated", lambda h: jnp.pad(h, ((0, 0), (1, 1)), mode="edge")[:, 1:-1]),
        mlp("one unit overwritten", lambda h: h.at[:, 1].set(0.0)),
        mlp("one sample overwritten", lambda h: relu(h).at[1].set(1.0), [(P, 4)]),
        mlp("units added to others", lambda h: h.at[:, 1:3].add(h[:, 0:2])),
        mlp("samples gathered", lambda h: relu(h)[jnp.array([1, 1, 0, 2, 3])], positive),
        mlp("segments", lambda h: jax.ops.segment_sum(relu(h), jnp.array([0, 1, 0, 1, 2]), 5), positive),
    ]


def uniform_and_tied() -> list[Trap]:
    tanh = jnp.tanh
    total = lambda z, x: jnp.sum(tanh(z)) * x
    same = lambda x: lax.conv_general_dilated(x, jnp.ones((3, 3, 3)), (1,), "SAME")

    def argsorted(p, x):
        return jnp.sum(jnp.argsort(p[0], axis=1) * p[1]) * x

    def chosen(p, x):
        out = jnp.where((p[0] + p[0].T > 0)[:, :, None], relu(p[1])[:, None, :], 0.0)
        return jnp.einsum("kd,hkd->h", p[2], out) * x[0]

    def turned(p, x):
        g = jnp.einsum("bi,bj->bij", p[0], p[1])
        return total(relu(g) + relu(g).transpose(0, 2, 1) * RAMP, x)

    def turned_by_broadcasting(p, x):
        g = tanh(relu(p[0])[:, :, None] * relu(p[1])[:, None, :])
        return jnp.sum(g + g.transpose(0, 2, 1) * RAMP) * x

    def quotient_turned(p, x):
        g = tanh(jnp.abs(p[0])[:, :, None] / jnp.abs(p[1])[:, None, :])
        return jnp.sum(g + g.transpose(0, 2, 1) * RAMP) * x

    def wrapped(p, x):
        byte = lax.convert_element_type(lax.add(np.int32(200), np.int32(58)), np.uint8)
        one = lax.dynamic_slice(p[0], (lax.convert_element_type(byte, np.int32),), (1,))
        return (2 * tanh(one)[0] + jnp.sum(tanh(p[0]))) * x

    return [
        trap(
            "cumulative sum of ones",
            lambda p, x: jnp.sum(jnp.cumsum(jnp.ones(4) * p[0]) * p[1]) * x,
            (1,),
            (4,),
        ),
        trap("window sums of ones", lambda p, x: jnp.sum(same(jnp.ones((1, 3, 5)))[0, 0] * p[0]) * x, (5,)),
        trap(
            "window over a broadcast",
            lambda p, x: jnp.sum(same(jnp.broadcast_to(p[0][:, :, None], (2, 3, 5))) * p[1]) * x,
            (2, 3),
            (5,),
        ),
        trap(
            "axis of length one",
            lambda p, x: tanh(x @ p[0] + p[1]) @ p[2],
            (3, 4),
            (1, 4),
            (4, 2),
            inputs=((5, 3),),
            groups=[(P, 4), (F, 4)],
        ),
        trap(
            "axis of length one, then regrouped",
            lambda p, x: relu((x @ p[0])[:, :, None] + p[1]).reshape(5, -1) @ p[2],
            (3, 4),
            (2,),
            (8, 2),
            inputs=((5, 3),),
            groups=[(P, 4), (P, 2), (S, 1)],
        ),
        trap(
            "axis of length one, then read by position",
            lambda p, x: jnp.einsum("bik,ikj->bj", relu(x[..., None] - p[0])[..., 1:-2], p[1]),
            (3, 8),
            (3, 5, 2),
            inputs=((6, 3),),
        ),
        trap(
            "differences of all pairs of rows but the first",
            lambda p, x: jnp.sum(tanh((x @ p[0])[:, None] - (x @ p[0])[None])[:, 1:] * p[1]),
            (3, 4),
            (4,),
            inputs=((5, 3),),
            groups=[(P, 4), (F, 4)],
        ),
        trap(
            "axes of length one, both ways",
            lambda p, x: total(p[0][:, None] * p[1].reshape(1, 4) + p[2].reshape(4, 1), x),
            (4,),
            (4,),
            (4,),
        ),
        trap(
            "two readings of one matrix",
            lambda p, x: tanh(x @ p[0].reshape(3, 8)) @ p[1] + tanh(x @ p[0].reshape(3, 2, 4).sum(1)) @ p[2],
            (3, 8),
            (8, 2),
            (4, 2),
            inputs=((5, 3),),
        ),
        trap(
            "a matrix and its transpose, flattened",
            lambda p, x: total(p[0].reshape(8) + p[0].T.reshape(8), x),
            (4, 2),
        ),
        trap(
            "a square matrix and its transpose",
            lambda p, x: total(p[0].ravel() + p[0].T.ravel(), x),
            (4, 4),
            groups=[(P, 4)],
        ),
        trap(
            "outer products, flattened",
            lambda p, x: total(jnp.outer(p[2], p[2]).ravel() + jnp.outer(p[0], p[1]).ravel(), x),
            (3,),
            (3,),
            (3,),
            groups=[(P, 3), (S, 1)],
        ),
        trap(
            "outer products of other factors",
            lambda p, x: total(jnp.outer(p[0], p[0]).ravel() + jnp.einsum("i,j,k->ijk", *p[1:]).ravel(), x),
            (4,),
            (2,),
            (4,),
            (2,),
        ),
        trap(
            "Gram matrix",
            lambda p, x: tanh(p[0] @ p[0].T) @ x,
            (3, 4),
            inputs=((3, 2),),
            groups=[(P, 4), (O, 4)],
        ),
        trap(
            "square matrix twice",
            lambda p, x: x @ p[0] @ p[1] @ p[1] @ p[2],
            (3, 4),
            (4, 4),
            (4, 2),
            inputs=((2, 3),),
        ),
        trap(
            "matrix by its transpose",
            lambda p, x: x @ p[0] @ (p[1] @ p[1].T + p[1]) @ p[2],
            (3, 4),
            (4, 4),
            (4, 2),
            inputs=((2, 3),),
        ),
        trap(
            "symmetrised",
            lambda p, x: x @ p[0] @ (p[1] + p[1].T) @ p[2],
            (3, 4),
            (4, 4),
            (4, 2),
            inputs=((2, 3),),
        ),
        trap(
            "trace of a product",
            lambda p, x: jnp.einsum("ij,jk,ki->", *p) * x,
            (2, 3),
            (3, 4),
            (4, 2),
            groups=[(P, 2), (P, 3), (P, 4), (G, 2), (G, 3), (G, 4)],
        ),
        trap(
            "trace of a cube",
            lambda p, x: jnp.einsum("ij,jk,ki->", p[0], p[0], p[0]) * x,
            (3, 3),
            groups=[(P, 3), (G, 3)],
        ),
        trap("diagonal", lambda p, x: total(jnp.einsum("ii->i", p[0]), x) + jnp.sum(p[0]), (4, 4)),
        trap("norm", lambda p, x: jnp.linalg.norm(p[0]) * x, (3, 3)),
        trap(
            "triple product",
            lambda p, x: jnp.sum(p[0] * p[1] * p[2]) * x,
            (3,),
            (3,),
            (3,),
            groups=[(P, 3), (S, 3), (S, 3), (F, 3), (F, 3)],
        ),
        trap("fourth powers", lambda p, x: jnp.sum(p[0] ** 4) * x, (3,), groups=[(P, 3), (F, 3)]),
        trap("order of one, payload of another", argsorted, (4, 3), (4, 3)),
        trap("a choice that tells what the cases do not", chosen, (3, 3), (3, 4), (3, 4)),
        trap("outer product met by its turn", turned, (3, 4), (3, 4), groups=[(P, 3), (S, 3), (F, 3)]),
        trap(
            "broadcast product met by its turn",
            turned_by_broadcasting,
            (3, 4),
            (3, 4),
            groups=[(P, 3), (S, 3)],
        ),
        trap("broadcast quotient met by its turn", quotient_turned, (3, 4), (3, 4)),
        trap("a position wrapped to eight bits", wrapped, (6,), groups=[(P, 2), (P, 3)]),
        trap(
            "parameter also an output",
            lambda p, x: (tanh(x @ p[0]) @ p[1], p[1]),
            (3, 4),
            (4, 2),
            inputs=((5, 3),),
            groups=[],
        ),
        trap("nothing but numbers", lambda p, x: jnp.sum(p[0] * 0.0) + x, (4,)),
        trap(
            "empty array",
            lambda p, x: jnp.concatenate([tanh(x @ p[0]), jnp.zeros((5, 0))], 1) @ p[1],
            (3, 4),
            (4, 2),
            inputs=((5, 3),),
        ),
        trap(
            "whole numbers",
            lambda p, x: x @ p[0] @ p[1],
            np.arange(6).reshape(2, 3),
            np.arange(6).reshape(3, 2),
            inputs=(np.arange(4).reshape(2, 2),),
            groups=[(P, 3)],
        ),
        trap(
            "positions as parameters",
            lambda p, x: jnp.dot(x[p[0]], p[1]),
            np.array([1, 0, 2, 2]),
            (4,),
            inputs=((3,),),
            groups=[(P, 4)],
        ),
        trap("one position as parameter", lambda p, x: x[p[0]], np.array(1), inputs=((5,),), groups=[]),
        trap(
            "words of a key",
            lambda p, x: jnp.sum(p[0] * jax.random.key_data(jax.random.key(p[1]))) * x,
            (2,),
            np.array(3),
        ),
        trap(
            "dropout",
            lambda p, x, k: (
                jnp.where(jax.random.bernoulli(jax.random.key(k), 0.5, (5, 4)), relu(x @ p[0]), 0) @ p[1]
            ),
            (3, 4),
            (4, 2),
            inputs=((5, 3), np.array(7)),
            groups=[(S, 4)],
        ),
    ]
