"""Soft permutations: doubly stochastic matrices in the place of permutations, and what they do to pairs of arrays.

A soft element holds for each permutation group an array [parents..., new, old]; its rows say where each new position
takes its values from, so a permutation p is the matrix with ones at (i, p[i]). Where a matrix mixes, new = S @ old.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.symmetry.layout import blocks, join, split
from geojax.symmetry.pairing import (
    Pair,
    Permutations,
    Problem,
    inner_product,
    pair_of,
    permutation_groups,
    real_dtype,
)
from geojax.symmetry.spec import SymmetrySpec
from geojax.transport import assignment
from geojax.typing import Params

Soft = dict[str, Array]


def harden(soft: Mapping[str, Array]) -> Permutations:
    """The nearest permutations: the assignments of largest total weight."""
    return {name: maximum_assignment(matrix) for name, matrix in soft.items()}


def soften(permutations: Mapping[str, Array], dtype) -> Soft:
    """Permutations as matrices."""
    return {name: jax.nn.one_hot(perm, perm.shape[-1], dtype=dtype) for name, perm in permutations.items()}


def barycenter(permutations: Mapping[str, Array], dtype) -> Soft:
    """The centre of the doubly stochastic matrices, every entry 1/n."""
    return {
        name: jnp.full((*perm.shape, perm.shape[-1]), 1 / perm.shape[-1], dtype)
        for name, perm in permutations.items()
    }


def maximum_assignment(gains: Float[Array, "*p n n"]) -> Int[Array, "*p n"]:
    """The permutation of largest total gain for each leading index; the identity where gains are not finite."""
    solve = assignment
    for _ in range(gains.ndim - 2):
        solve = jax.vmap(solve)
    found = solve(-gains)
    return jnp.where(found < 0, jnp.arange(gains.shape[-1], dtype=found.dtype), found)


def mix(x: Array, axis: int, batch: Sequence[int], matrix: Float[Array, "*p new old"]) -> Array:
    """``x`` multiplied along ``axis`` by a matrix for each index of the ``batch`` axes."""
    letters = list(range(x.ndim))
    old = [x.ndim if i == axis else i for i in letters]
    return jnp.einsum(matrix.astype(x.dtype), [*batch, axis, x.ndim], x, old, letters, precision="highest")


def soft_move(problem: Problem, pair: Pair, b: Array, soft: Mapping[str, Array]) -> Array:
    """One array moved along every axis by the soft element, parents before children."""
    names = [name for name in problem.parents if name in pair.movers]
    for name in sorted(names, key=lambda name: len(problem.parents[name])):
        batch = [pair.names.index(parent) for parent in problem.parents[name]]
        for axis in pair.positions(name):
            b = mix(b, axis, batch, soft[name])
    return b


def soft_act(spec: SymmetrySpec, soft: Mapping[str, Array], params: Params) -> Params:
    """Parameters moved by a soft element: `act`, with matrices in the place of permutations.

    Differentiation: exact in soft and params.
    """
    spec.check(params)
    problem = Problem((), permutation_groups(spec))
    leaves = {leaf.path: leaf for leaf in spec.leaves}

    def moved(path, value):
        leaf = leaves.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        if leaf is None or not jnp.issubdtype(value.dtype, jnp.inexact):
            return value
        pieces = zip(blocks(leaf.layout), split(leaf.layout, value), strict=True)
        return join(
            leaf.layout,
            [soft_move(problem, pair_of(spec, block), x, soft) for block, x in pieces],
            leaf.shape,
        )

    return jax.tree_util.tree_map_with_path(moved, params)


def soft_objective(
    problem: Problem, a: Sequence[Array], b: Sequence[Array], soft: Mapping[str, Array]
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved softly>."""
    products = [
        inner_product(x, soft_move(problem, pair, y, soft))
        for pair, x, y in zip(problem.pairs, a, b, strict=True)
    ]
    return sum(products, start=jnp.zeros((), real_dtype(a)))
