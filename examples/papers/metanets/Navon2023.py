"""Equivariant Architectures for Learning in Deep Weight Spaces [Navon2023].

Claim: the linear maps of the weights of a perceptron that commute with all permutations of hidden units fall into
    blocks, one for each pair of weight matrices and biases, each made of pooling, broadcasting and dense maps along
    inputs and outputs; the paper tabulates how many parameters each block has.

Differs: here the blocks come from the spec that is inferred from the perceptron, with no table. Judged are the numbers
    of maps against the null space of the generators' equations, block by block at widths 2-3-4-2, that pooling and
    broadcasting reach all of it, and that a network of such layers commutes with permutations. The paper's experiments
    on implicit representations of images are not repeated.
"""

import itertools

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

import geojax as gj
from examples.papers.harness import Claim, Size, below, in_turn
from geojax.symmetry import SymmetrySpec

SHAPES = {"b1": (3,), "b2": (4,), "b3": (2,), "w1": (2, 3), "w2": (3, 4), "w3": (4, 2)}


def perceptron(params, x):
    """Two hidden layers."""
    x = jax.nn.gelu(x @ params["w1"] + params["b1"])
    x = jax.nn.gelu(x @ params["w2"] + params["b2"])
    return x @ params["w3"] + params["b3"]


def generators(spec, leaf):
    """The matrices on one leaf of all transpositions of neighbouring units."""
    zeros = {name: jnp.zeros(shape) for name, shape in SHAPES.items()}
    size = int(np.prod(SHAPES[leaf]))
    rows = []
    for name, group in spec.groups.items():
        for i in range(group.size - 1):
            order = np.arange(group.size)
            order[[i, i + 1]] = order[[i + 1, i]]
            index = jnp.arange(size).reshape(SHAPES[leaf])
            moved = gj.symmetry.act(spec, {name: jnp.asarray(order)}, {**zeros, leaf: index})[leaf]
            rows.append(np.eye(size)[np.asarray(moved).ravel()])
    return rows


def null_space(spec, left, right):
    """Dimension of the maps A from one leaf to another with g A = A g for all generators, from their equations."""
    equations = [
        np.kron(out, np.eye(len(inner))) - np.kron(np.eye(len(out)), inner.T)
        for inner, out in zip(generators(spec, left), generators(spec, right), strict=True)
    ]
    matrix = np.concatenate(equations)
    return matrix.shape[1] - np.linalg.matrix_rank(matrix)


def one_leaf(spec, name):
    """The spec of one of the leaves."""
    return SymmetrySpec(spec.members, tuple(leaf for leaf in spec.leaves if leaf.path == name))


def run(size: Size) -> list[Claim]:
    """Count, write out, and apply."""
    zeros = {name: jnp.zeros(shape) for name, shape in SHAPES.items()}
    spec = gj.symmetry.infer(perceptron, zeros, jnp.ones((5, 2)), verify=False)
    wrong = [
        gj.symmetry.linear_maps(one_leaf(spec, left), one_leaf(spec, right)).count
        - null_space(spec, left, right)
        for left, right in itertools.product(SHAPES, SHAPES)
    ]
    maps = gj.symmetry.linear_maps(spec)
    _, unravel = jax.flatten_util.ravel_pytree(zeros)
    length = sum(int(np.prod(shape)) for shape in SHAPES.values())

    def dense(theta):
        """The matrix of the map with these coefficients, one column for each entry of the weights."""

        def column(row):
            image = maps.apply(theta, jax.tree.map(lambda leaf: leaf[..., None], unravel(row)))
            return jax.flatten_util.ravel_pytree(image)[0]

        return jax.vmap(column)(jnp.eye(length)).T

    init, apply = gj.metanets.metanet(spec, width=4, depth=0)
    key = jax.eval_shape(jax.random.key, 0)
    layer = jax.eval_shape(lambda key: maps.init(key, 1, 1), key)
    layers = jax.eval_shape(init, key)

    def drawn(shapes, key):
        """Coefficients of these shapes, all drawn at once."""
        flat, fold = jax.flatten_util.ravel_pytree(
            jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes)
        )
        return fold(0.3 * jax.random.normal(key, flat.shape))

    def net(theta, tree):
        return jax.tree.map(lambda x: x[..., 0], apply(theta, jax.tree.map(lambda x: x[..., None], tree)))

    def measured(key):
        first, second, third, fourth = jax.random.split(key, 4)
        draws = jax.random.split(first, maps.count + 5)
        span = jax.lax.map(lambda k: dense(drawn(layer, k)).ravel(), draws)
        values = jnp.linalg.svd(span, compute_uv=False)
        rank = jnp.sum(values > 1e-4 * values[0])
        params, theta = unravel(jax.random.normal(second, (length,))), drawn(layers, fourth)
        element = gj.symmetry.random_element(spec, third)
        moved = net(theta, gj.symmetry.act(spec, element, params))
        expected = gj.symmetry.act(spec, element, net(theta, params))
        moved, expected = (jax.flatten_util.ravel_pytree(tree)[0] for tree in (moved, expected))
        return jnp.abs(rank - maps.count), jnp.max(jnp.abs(moved - expected)) / jnp.max(jnp.abs(expected))

    missing, error = size.seeds(measured, batch=in_turn)
    return [
        Claim(
            "blocks whose number of maps is not the null space's, of 36",
            "0",
            np.count_nonzero(wrong),
            below(0.5),
        ),
        Claim("dimensions that pooling and broadcasting do not reach", "0", missing, below(0.5)),
        Claim("equivariance error of a network of two such layers", "0", error, below(1e-5)),
    ]
