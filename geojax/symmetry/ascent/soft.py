"""Soft elements: points of the convex hull of a compact group, and what they do to pairs of arrays.

A soft element holds for each group its coordinates as `compact` has them: doubly stochastic matrices in the place of
permutations, matrices of spectral norm at most 1 in the place of rotations.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.ascent.compact import best, centre, coordinates, matrix
from geojax.symmetry.ascent.problem import Moves, Pair, Problem, inner_product, real_dtype

Soft = dict[str, Array]


def harden(problem: Problem, soft: Mapping[str, Array]) -> Moves:
    """The nearest elements."""
    return {name: best(problem.kind(name), point) for name, point in soft.items()}


def soften(problem: Problem, moves: Mapping[str, Array], dtype) -> Soft:
    """Elements in coordinates."""
    return {name: coordinates(problem.kind(name), moves[name], dtype) for name in problem.parents}


def barycenter(problem: Problem, moves: Mapping[str, Array], dtype) -> Soft:
    """The centre of the hull."""
    return {name: centre(problem.kind(name), moves[name], dtype) for name in problem.parents}


def soft_move(problem: Problem, pair: Pair, b: Array, soft: Mapping[str, Array]) -> Array:
    """One array moved along every axis by the soft element, parents before children."""
    names = [name for name in problem.parents if name in pair.movers]
    for name in sorted(names, key=lambda name: len(problem.parents[name])):
        batch = [pair.names.index(parent) for parent in problem.parents[name]]
        for axis in pair.positions(name):
            b = multiply(b, axis, batch, matrix(problem.kind(name), soft[name], axis in pair.signed))
    return b


def soft_objective(
    problem: Problem, a: Sequence[Array], b: Sequence[Array], soft: Mapping[str, Array]
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved softly>."""
    products = [
        inner_product(x, soft_move(problem, pair, y, soft))
        for pair, x, y in zip(problem.pairs, a, b, strict=True)
    ]
    return sum(products, start=jnp.zeros((), real_dtype(a)))
