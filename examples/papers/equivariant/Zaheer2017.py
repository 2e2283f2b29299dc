"""Deep Sets [Zaheer2017].

Claim: a linear map of n numbers commutes with their permutations only if it is lambda 1 + gamma 1 1^T, and a function
    of a set is rho(sum of phi(x)); a network made of such layers estimates statistics of populations better than one
    that sees a set as a vector.

Differs: the theorem is checked by linear algebra at four sizes, without using its answer. The statistics are the log of
    the spread, and the largest, of 12 normal numbers of random mean and spread, learned from 128 sets; the paper takes
    entropies and mutual informations of Gaussians, from sets of hundreds of points. The other network is a perceptron
    of more weights on the 12 numbers in the order drawn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import geojax as gj
from examples.papers.harness import Claim, Size, above, below, fit, mlp

POINTS, WIDTH = 12, 24
SET = gj.symmetry.declare(jnp.zeros(POINTS), ("points",))
NUMBER = gj.symmetry.declare(jnp.zeros(()), ())
FIRST, POOL = gj.symmetry.linear_maps(SET), gj.symmetry.linear_maps(SET, NUMBER)


def commuting(n):
    """Dimension of the matrices that commute with a cycle and a swap, and their distance from span{1, 1 1^T}."""
    cycle, swap = np.roll(np.eye(n), 1, axis=0), np.eye(n)[[1, 0, *range(2, n)]]
    found = np.asarray(gj.symmetry.commutant([cycle, swap])).reshape(-1, n * n)
    span = np.linalg.qr(np.stack([np.eye(n).ravel(), np.ones(n * n)], axis=1))[0]
    return len(found), np.max(np.abs(found - found @ span @ span.T))


def init(key):
    """The coefficients of a layer, of a pool and of a readout."""
    first, second, last = jax.random.split(key, 3)
    maps = FIRST.init(first, 1, WIDTH), POOL.init(second, WIDTH, WIDTH)
    return *maps, 0.2 * jax.random.normal(last, (WIDTH, 2)), jnp.zeros(2)


def deep_set(params, x):
    """An equivariant layer, a pool and a readout, for one set [points]."""
    first, pool, readout, bias = params
    h = jax.nn.relu(FIRST.apply(first, x[:, None]))
    return jax.nn.relu(POOL.apply(pool, h)) @ readout + bias


def drawn(key, num):
    """Sets, and two statistics of each."""
    keys = jax.random.split(key, 3)
    spread = jnp.exp(jax.random.uniform(keys[0], (num, 1), minval=-1, maxval=1))
    x = jax.random.normal(keys[1], (num, 1)) + spread * jax.random.normal(keys[2], (num, POINTS))
    return x, jnp.stack([jnp.log(jnp.std(x, axis=1)), jnp.max(x, axis=1)], axis=1)


def masked_sum(x, mask):
    """Sums of powers of the entries that count: the sufficient statistics of moments."""
    return jnp.sum(jnp.where(mask, x, 0) ** jnp.arange(1, 5)[:, None], axis=1)


def run(size: Size) -> list[Claim]:
    """The commutant, the invariance of a pool with padding, and two networks trained on the same sets."""
    sizes = (2, 3, 5, 12)
    dimensions, distances = zip(*map(commuting, sizes), strict=True)
    plain_init, plain = mlp((POINTS, 64, 2))
    steps = 2000 if size.full else 200

    def trained(key):
        data, fresh, start, order = jax.random.split(key, 4)
        x, y = drawn(data, 128)
        test, truth = drawn(fresh, 500)
        shuffled = test[:, jax.random.permutation(order, POINTS)]

        def error(apply, begin):
            net = jax.vmap(apply, (None, 0))

            def loss(params, _):
                return jnp.mean((net(params, x) - y) ** 2)

            params, _ = fit(loss, begin, optax.adam(5e-3), steps)(start)
            out = net(params, test)
            moved = jnp.max(jnp.abs(net(params, shuffled) - out)) / jnp.max(jnp.abs(out))
            return jnp.mean((out - truth) ** 2, axis=0), moved

        (sets, moved), (vectors, changed) = error(deep_set, init), error(plain, plain_init)
        mask = jnp.arange(POINTS) < 7
        padded = jnp.where(mask, test[0], 100.0)
        alone = masked_sum(test[0, :7], jnp.ones(7, bool))
        padding = jnp.max(jnp.abs(masked_sum(jnp.roll(padded, 3), jnp.roll(mask, 3)) - alone))
        return vectors / sets, moved, changed, padding / jnp.max(jnp.abs(alone))

    gains, moved, changed, padding = size.seeds(trained)
    return [
        Claim("dimension of the equivariant linear maps, least over n", "2", min(dimensions), above(1.5)),
        Claim("dimension of the equivariant linear maps, most over n", "2", max(dimensions), below(2.5)),
        Claim("distance of those from span{1, 1 1^T}", "0", max(distances), below(1e-6)),
        Claim("change of a deep set's output under a permutation", "0", moved, below(1e-5)),
        Claim("change of a perceptron's output under a permutation", "above 0", changed, above(0.1)),
        Claim("change of the sums by padding and order", "0", padding, below(1e-6)),
        Claim("error of the perceptron / of the deep set, log spread", "above 1", gains[:, 0], above(1.5)),
        Claim("error of the perceptron / of the deep set, largest", "above 1", gains[:, 1], above(1.5)),
    ]
