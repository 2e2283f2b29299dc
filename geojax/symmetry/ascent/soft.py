"""Soft elements of a problem: points in the convex hulls of its groups, and how they move pairs of arrays.

A soft element holds the coordinates of `kinds` for each group: a doubly stochastic matrix in place of a permutation, a
matrix of spectral norm at most 1 in place of a rotation.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.ascent.kinds import best, centre, coordinates, matrix
from geojax.symmetry.ascent.problem import CompactElement, Pair, Problem, inner_product, real_dtype

SoftElement = dict[str, Array]
"""{compact group: coordinates}."""


def harden(problem: Problem, soft: Mapping[str, Array]) -> CompactElement:
    """The element nearest to a soft element."""
    return {name: best(problem.kind(name), point) for name, point in soft.items()}


def soften(problem: Problem, element: Mapping[str, Array], dtype) -> SoftElement:
    """The coordinates of an element."""
    return {name: coordinates(problem.kind(name), element[name], dtype) for name in problem.parents}


def mean_element(problem: Problem, element: Mapping[str, Array], dtype) -> SoftElement:
    """The mean of all elements; ``element`` is any one of them and gives the shapes."""
    return {name: centre(problem.kind(name), element[name], dtype) for name in problem.parents}


def soft_move(problem: Problem, pair: Pair, b: Array, soft: Mapping[str, Array]) -> Array:
    """One array moved along every axis by a soft element, parents before children."""
    names = [name for name in problem.parents if name in pair.groups]
    for name in sorted(names, key=lambda name: len(problem.parents[name])):
        batch = [pair.names.index(parent) for parent in problem.parents[name]]
        for axis in pair.positions(name):
            b = multiply(b, axis, batch, matrix(problem.kind(name), soft[name], axis in pair.signed))
    return b


def soft_objective(
    problem: Problem, a: Sequence[Array], b: Sequence[Array], soft: Mapping[str, Array]
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved by a soft element>."""
    products = [
        inner_product(x, soft_move(problem, pair, y, soft))
        for pair, x, y in zip(problem.pairs, a, b, strict=True)
    ]
    return sum(products, start=jnp.zeros((), real_dtype(a)))
