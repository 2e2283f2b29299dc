"""Adafactor: Adaptive Learning Rates with Sublinear Memory Cost [Shazeer2018].

Claim: the second moments of a matrix of gradients may be kept as their sums over rows and over columns. The product of
    the sums is the nearest matrix of rank one in the generalised Kullback-Leibler divergence; training is as good
    as Adam's, with memory for rows and columns alone.

Differs: the paper trains Transformers on WMT 2014; here perceptrons learn the 8 x 8 digits, by optax's Adafactor
    without relative step sizes, each optimiser at the best of three rates. The divergence is compared with that of
    matrices of rank one nearby and far off, and the product with the plan that Sinkhorn finds for a cost of zero,
    which it is: the independent coupling of the two marginals.
"""

import jax
import jax.numpy as jnp
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
    mlp,
    sweep,
)

BUDGET = 20  # processor seconds at quick size, most of them to compile two optimisers


def divergence(v, w):
    """The generalised Kullback-Leibler divergence, sum v log(v / w) - v + w."""
    return jnp.sum(v * jnp.log(v / w) - v + w)


def product(v):
    """Row sums times column sums, divided by the sum."""
    return jnp.outer(v.sum(1), v.sum(0)) / v.sum()


def approximated(key):
    """Least relative loss of divergence against other matrices of rank one, and the distance from Sinkhorn's plan."""
    drawn, *moved = jax.random.split(key, 4)
    v = jax.random.exponential(drawn, (12, 8)) ** 2
    found = product(v)
    sizes = jnp.repeat(jnp.geomspace(0.03, 1, 50), 4)
    rows, columns = (jnp.exp(sizes[:, None] * jax.random.normal(k, (200, n))) for k, n in zip(moved, v.shape))
    others = jax.vmap(lambda row, column: divergence(v, found * jnp.outer(row, column)))(rows, columns)
    a, b = v.sum(1) / v.sum(), v.sum(0) / v.sum()
    coupling = gj.transport.sinkhorn(jnp.zeros_like(v), a, b, epsilon=1.0).plan
    return jnp.min(others / divergence(v, found)) - 1, jnp.max(
        jnp.abs(coupling * v.sum() - found)
    ) / found.max()


def numbers(optimizer, params):
    """How many numbers the optimiser remembers."""
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(optimizer.init, params)))


def run(size: Size) -> list[Claim]:
    """The approximation, and the training beside Adam's."""
    train, test = digits()
    width = 256 if size.full else 32
    init, apply = mlp((64, width, width, 10))
    right = accuracy(apply, test)

    def adafactor(rate):
        return optax.adafactor(rate, min_dim_size_to_factor=8, multiply_by_parameter_scale=False)

    def trained(optimizer):
        def at(rate):
            steps, batches = 600 if size.full else 150, minibatches(train, 100)
            ran = fit(cross_entropy(apply), init, optimizer(rate), steps, batches=batches)
            return lambda key: right(ran(key)[0])

        return size.seeds(sweep(at, jnp.array([1e-3, 3e-3, 1e-2]))).max(1)

    loss, apart = size.seeds(approximated)
    params = jax.tree.map(lambda leaf: leaf[0], size.seeds(init, 1))
    memory = numbers(adafactor(1e-3), params) / numbers(optax.adam(1e-3), params)
    return [
        Claim("divergence of other matrices of rank one / of the product - 1", "at least 0", loss, above(0)),
        Claim("distance of the product from the independent coupling", "0", apart, below(1e-5)),
        Claim(
            "numbers remembered, Adafactor / Adam", "rows + columns, not rows x columns", memory, below(0.1)
        ),
        Claim(
            "accuracy, Adafactor - Adam", "comparable", trained(adafactor) - trained(optax.adam), above(-0.02)
        ),
    ]
