"""A Novel Convolutional Neural Network Architecture with a Continuous Symmetry [Liu2023].

Claim: a convolutional network whose blocks are steps of a quasi-linear hyperbolic system classifies as well as a plain
    one, and its weights can be moved by a continuous group, the changes of basis of its channels, without changing what
    it computes.

Differs: the paper trains large networks on photographs; here two blocks of 6 channels, one of 4 at quick size, read the
    8 x 8 digits, with the means over quarters of the image as features, beside a plain network with gelu of about as
    many parameters. `geojax.symmetry.infer` reads the group off the program with the trained weights.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

import geojax as gj
from examples.papers.harness import (
    Claim,
    Size,
    above,
    accuracy,
    below,
    cross_entropy,
    digits,
    fit,
    minibatches,
)
from geojax.symmetry.layers import gauge_act, quasilinear_block

CLASSES = 10


def convolved(u, kernel):
    """A 3 x 3 convolution on a periodic grid, of [h, w, c] by [9 c, d]."""
    for axis in (0, 1):
        u = jnp.concatenate([jnp.roll(u, move, axis) for move in (-1, 0, 1)], 2)
    return u @ kernel


def read(params, u):
    """Logits from the means over the quarters of the image: decode is [channels, quarters * classes]."""
    quarters = u.reshape(2, 4, 2, 4, -1).mean((1, 3)).reshape(4, -1)
    return jnp.einsum("qc,cqn->n", quarters, params["decode"].reshape(-1, 4, CLASSES))


def quasilinear(params, x):
    """The network with the symmetry, of one digit [64]."""
    u = convolved(x.reshape(8, 8, 1), params["encode"])
    for tensor in params["tensors"]:
        u = quasilinear_block(u, tensor)
    return read(params, u)


def plain(params, x):
    """The network to compare with: convolutions and gelu."""
    u = jax.nn.gelu(convolved(x.reshape(8, 8, 1), params["encode"]))
    for kernel in params["kernels"]:
        u = jax.nn.gelu(convolved(u, kernel))
    return read(params, u)


APPLY = tuple(jax.vmap(network, (None, 0)) for network in (quasilinear, plain))


def start(key, shapes):
    """Normal weights of a network, from a tree of shapes; the variance of each is one over its inputs."""
    ends = np.cumsum([math.prod(shape) for shape, _ in shapes.values()])
    parts = jnp.split(jax.random.normal(key, (ends[-1],)), ends[:-1])
    return {name: x.reshape(shape) / fan**0.5 for x, (name, (shape, fan)) in zip(parts, shapes.items())}


def trained(width, other, blocks, steps):
    """A function of a key: weights of both networks, trained on the same digits."""
    ends = {"encode": ((9, width), 9), "decode": ((width, 4 * CLASSES), width)}
    ours = {**ends, "tensors": ((blocks, 2, width, width, width), 2 * width**2)}
    ends = {"encode": ((9, other), 9), "decode": ((other, 4 * CLASSES), other)}
    theirs = {**ends, "kernels": ((blocks, 9 * other, other), 4.5 * other)}

    def init(key):
        return tuple(start(k, shapes) for k, shapes in zip(jax.random.split(key), (ours, theirs)))

    def loss(params, batch):
        return sum(cross_entropy(apply)(p, batch) for apply, p in zip(APPLY, params))

    ran = fit(loss, init, optax.adam(2e-2), steps, batches=minibatches(digits()[0], 32))
    return lambda key: ran(key)[0]


def change(after, before):
    """The relative change of a tree."""
    return optax.tree.norm(jax.tree.map(jnp.subtract, after, before)) / optax.tree.norm(before)


def moved(params, direction, test):
    """Of a trained network: change of logits along the orbit, of weights, and the slope of the loss along it."""
    apply = APPLY[0]

    def act(t):
        return gauge_act(params, jnp.eye(len(direction)) + t * direction)

    there, along = act(1.0), jax.jvp(act, (0.0,), (1.0,))[1]
    slope = jax.grad(cross_entropy(apply))(params, test)
    cosine = abs(optax.tree.vdot(slope, along)) / optax.tree.norm(slope) / optax.tree.norm(along)
    return change(apply(there, test[0]), apply(params, test[0])), change(there, params), cosine


def broken(params, direction, x):
    """Change of a plain network's logits if its last channels change their basis and the readout follows."""
    g = jnp.eye(len(direction)) + direction
    kernels = params["kernels"].at[-1].set(params["kernels"][-1] @ g.T)
    there = {**params, "kernels": kernels, "decode": jnp.linalg.inv(g).T @ params["decode"]}
    return change(APPLY[1](there, x), APPLY[1](params, x))


def run(size: Size) -> list[Claim]:
    """Both networks trained, and the groups of both."""
    width, other, blocks, steps = (6, 7, 2, 400) if size.full else (4, 4, 1, 150)
    test = digits()[1]
    some = tuple(part[:100] for part in test)

    def one(key):
        first, last = jax.random.split(key)
        params = trained(width, other, blocks, steps)(first)
        right = [accuracy(apply, test)(p) for apply, p in zip(APPLY, params)]
        direction = jax.random.normal(last, (other, other)) / 6
        return (
            right,
            moved(params[0], direction[:width, :width], some),
            broken(params[1], direction, some[0]),
            params,
        )

    (ours, theirs), (same, far, cosine), breaks, params = size.seeds(one)
    first = jax.tree.map(lambda leaf: leaf[0], params)
    ours_found, theirs_found = (
        gj.symmetry.infer(network, p, some[0][0], verify=size.full).dimension
        for network, p in zip((quasilinear, plain), first)
    )
    return [
        Claim("accuracy of the quasi-linear network", "comparable", ours, above(0.85)),
        Claim("accuracy, quasi-linear - plain", "comparable", ours - theirs, above(-0.05)),
        Claim("change of logits along the orbit", "0", same, below(1e-4)),
        Claim("change of weights along the orbit", "above 0", far, above(0.1)),
        Claim("cosine of the loss's gradient and the orbit", "0", cosine, below(1e-4)),
        Claim("change of a plain network's logits by the same", "above 0", breaks, above(0.01)),
        Claim("continuous dimension / channels squared", "1", ours_found / width**2, above(0.999)),
        Claim("continuous dimension of the plain network", "0", theirs_found, below(0.5)),
    ]
