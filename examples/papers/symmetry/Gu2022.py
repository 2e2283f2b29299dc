"""On the Parameterization and Initialization of Diagonal State Space Models [Gu2022].

Claim: dropping the part of rank one from S4's matrix leaves a diagonal model of the same kernel in the limit of many
    states; its kernel is a Vandermonde product of two lines, and it performs as S4 does if it starts from that matrix.

Differs: the limit is measured as the paper proves it, weakly: responses to smooth inputs u(t) = t^a exp(-b t), against
    those of the full matrix. The paper trains six layers on sequences of up to 16,384; here one layer with frozen
    states and a trained readout classifies the digits, read as 64 pixels in a row, and its frequencies are compared
    with random ones. The difference to full S4 itself was 0.05 in accuracy; what is claimed is the share of the way
    from random frequencies to full S4.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg

from examples.papers.harness import (
    Claim,
    Size,
    above,
    accuracy,
    below,
    cross_entropy,
    digits,
    fit,
    flops,
    in_turn,
    minibatches,
    slope,
    sweep,
)
from geojax.symmetry.layers import hippo_legs, s4d_kernel, s4d_legs, zero_order_hold

STATES, LENGTH, STEP = 32, 64, 1 / 16


def response(a, b, decay, time):
    """The first state at a time under the input t^2 exp(-decay t), itself the output of three states: exact."""
    n = len(b)
    whole = np.zeros((n + 3, n + 3))
    whole[:n, :n], whole[:n, n] = a, b
    whole[n:, n:] = -decay * np.eye(3) + np.diag([1.0, 2.0], 1)
    return scipy.linalg.expm(time * whole)[0, -1]


def limit_error(key, n):
    """Root mean square over inputs of the diagonal model's relative error against the full one."""
    a, b, p = (np.asarray(part, float) for part in hippo_legs(n))
    decays, times = np.asarray(jax.random.uniform(key, (2, 8), minval=0.5, maxval=2.0), float)
    found = [
        response(a + np.outer(p, p), b / 2, *each) / response(a, b, *each) - 1 for each in zip(decays, times)
    ]
    return np.sqrt(np.mean(np.square(found)))


def dense_responses():
    """Each state's answer to a held unit input, over time, of the full matrix: [length, states]."""
    a, b, _ = (np.asarray(part, float) for part in hippo_legs(STATES))
    forward = scipy.linalg.expm(STEP * a)
    state, found = np.linalg.solve(a, (forward - np.eye(STATES)) @ b), []
    for _ in range(LENGTH):
        found.append(state)
        state = forward @ state
    return jnp.asarray(np.array(found), jnp.float32)


def diagonal_responses(rates):
    """The same of a diagonal model: real and imaginary parts of half as many states."""
    z, factor = zero_order_hold(rates, STEP)
    found = factor * z ** jnp.arange(LENGTH)[:, None]
    return jnp.concatenate([found.real, found.imag], axis=1)


def states_of(x, responses):
    """All states at all times of digits read pixel by pixel, of root mean square 1: [digits, length, states]."""
    lags = jnp.arange(LENGTH)[:, None] - jnp.arange(LENGTH)
    states = jnp.where(lags >= 0, jnp.asarray(x)[:, jnp.maximum(lags, 0)], 0) @ responses
    return states / jnp.sqrt(jnp.mean(states**2))


def classified(responses, steps):
    """A function key -> test accuracy of a trained layer: mean over time of gelu(states C), and a linear readout."""
    train, test = ((states_of(x, responses), y) for x, y in digits())

    def apply(params, states):
        return jax.nn.gelu(states @ params["c"] + params["d"]).mean(1) @ params["out"]

    def init(key):
        first, second = jax.random.split(key)
        c = jax.random.normal(first, (STATES, STATES)) / STATES**0.5
        return {"c": c, "d": jnp.zeros(STATES), "out": jax.random.normal(second, (STATES, 10)) / STATES**0.5}

    training = fit(cross_entropy(apply), init, optax.adam(1e-2), steps, batches=minibatches(train, 100))
    return lambda key: accuracy(apply, test)(training(key)[0])


def run(size: Size) -> list[Claim]:
    """The limit, the cost of a kernel, and three kinds of states under one trained layer."""
    small, large = (size.seeds(lambda key, n=n: limit_error(key, n), batch=None) for n in (16, 64))
    diagonal, dense, states = [], [], (16, 32, 64, 128)
    for n in states:
        ones = jnp.ones(n)
        diagonal.append(flops(lambda r, c: s4d_kernel(r, c, c, STEP, length=1024), s4d_legs(n), ones))
        dense.append(flops(lambda a, x: a @ x, jnp.ones((n, n)), ones))

    known = dense_responses(), diagonal_responses(s4d_legs(STATES // 2))

    def one(key):
        random = -0.5 + 1j * jax.random.normal(key, (STATES // 2,))
        kinds = jnp.stack([*known, diagonal_responses(random)])
        return sweep(lambda r: classified(r, 600 if size.full else 250), kinds)(key)

    full, legs, random = size.seeds(one, batch=in_turn).T
    closed = (legs - random) / (full - random)
    return [
        Claim("error of the diagonal model, 64 states / 16 states", "tends to 0", large / small, below(0.2)),
        Claim("exponent of a kernel's operations in its states", "1", slope(states, diagonal), below(1.1)),
        Claim("the same for a step of the dense matrix", "2", slope(states, dense), above(1.9)),
        Claim("accuracy, started at the matrix - at random", "above 0", legs - random, above(0)),
        Claim("(diagonal - random) / (full S4 - random) in accuracy", "close to 1", closed, above(0.5)),
    ]
