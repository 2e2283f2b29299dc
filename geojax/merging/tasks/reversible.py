"""Reversible merging: a few basis vectors from which every model's task vector can be had back."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.struct import struct
from geojax.merging.leaves import map_stack, merged_only, stack_size, wide
from geojax.typing import Params

__all__ = ["ReversibleMerge", "low_rank_gram", "reversible_merge", "revert"]


@struct
class ReversibleMerge:
    """A basis of task vectors, and every task vector's coordinates in it.

    Attributes:
        basis: Orthonormal vectors as one tree with a leading axis of length p.
        coefficients: Coordinates, [k, p].
        squared_error: Sum of the squared distances of the task vectors from what the basis gives back.
    """

    basis: Any
    coefficients: Float[Array, "k p"]
    squared_error: Float[Array, ""]


def reversible_merge(stack: Params, num: int) -> ReversibleMerge:
    """Merges task vectors into a few basis vectors that give each of them back as well as any can.

    The best subspace of dimension p for k vectors is spanned by their leading principal directions, which come from the
    k x k matrix of inner products: with G = U diag(l) U^T, basis_j = sum_i U_ij tau_i / sqrt(l_j).

    Args:
        stack: Task vectors, differences from one base model, as one tree with a leading axis of length k.
        num: How many basis vectors p to keep, from 1 to k; static.

    Returns:
        ReversibleMerge; `revert` gives a task vector back. The squared error is the sum of the eigenvalues of G that
        were left out. Directions of no length, where p exceeds the rank, are zero vectors.

    Raises:
        ValueError: If shapes disagree or num is not between 1 and k.

    Differentiation: exact where the eigenvalues of G are distinct; the basis has no derivative where they are not.
    Complexity: k^2 passes over the parameters; the vectors are never stacked into a matrix.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import reversible_merge, revert
        >>> merged = reversible_merge(jnp.array([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), 1)
        >>> revert(merged, 1).round(4).tolist()
        [1.0, 0.0]

    References: [Alipour2025]; [EckartYoung1936].
    """
    count = stack_size("reversible_merge", stack)
    num = checks.count("reversible_merge", "num", num, minimum=1)
    if num > count:
        raise ValueError(
            f"reversible_merge: num is {num}; expected at most {count}, the number of task vectors."
        )
    gram = _gram(stack)
    values, vectors = jnp.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    # Eigenvalues of a Gram matrix are known to k ulp of the largest.
    some = values[:num] > count * jnp.finfo(gram.dtype).eps * jnp.abs(values[0])
    lengths = jnp.sqrt(jnp.where(some, values[:num], 1))
    mixing = jnp.where(some, vectors[:, :num] / lengths, 0)
    basis = _combinations(mixing, stack)
    left_out = jnp.sum(jnp.maximum(values[num:], 0)) + 0 * jnp.sum(values)
    return ReversibleMerge(basis, jnp.where(some, vectors[:, :num] * lengths, 0), left_out)


def revert(merged: ReversibleMerge, index: int) -> Params:
    """Gives one task vector back.

    Args:
        merged: What `reversible_merge` returned.
        index: Which task, from 0; traced integers too.

    Returns:
        The projection of that task vector onto the basis, a tree like one of the vectors.

    Raises:
        ValueError: If index is not a scalar.

    Differentiation: exact in merged.
    Complexity: p passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import reversible_merge, revert
        >>> revert(reversible_merge(jnp.eye(2), 2), 0).round(4).tolist()
        [1.0, 0.0]

    References: [Alipour2025].
    """
    checks.shapes("revert", index=(index, ""))
    row = jnp.asarray(merged.coefficients)[index]
    return map_stack(lambda leaf: jnp.tensordot(row.astype(leaf.dtype), leaf, 1), merged.basis)


def low_rank_gram(factors: Sequence[tuple[Float[Array, "m r"], Float[Array, "r n"]]]) -> Float[Array, "k k"]:
    """Inner products of matrices B_i A_i of low rank, from their factors.

    <B_s A_s, B_t A_t> = sum of the entries of (B_s^T B_t) * (A_s A_t^T),  without an m x n matrix.

    Args:
        factors: Pairs (B_i [m, r_i], A_i [r_i, n]); ranks may differ.

    Returns:
        Gram matrix, [k, k].

    Raises:
        ValueError: If there are no factors or their shapes disagree.

    Differentiation: exact.
    Complexity: O(k^2 (m + n) r^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import low_rank_gram
        >>> low_rank_gram([(jnp.ones((3, 1)), jnp.ones((1, 2)))]).tolist()
        [[6.0]]

    References: [Alipour2025].
    """
    if not factors:
        raise ValueError("low_rank_gram: factors is empty; expected at least one pair (B, A).")
    for i, (b, a) in enumerate(factors):
        checks.shapes(
            "low_rank_gram",
            **{
                f"factors[0][{j}]": (x, words) for j, (x, words) in enumerate(zip(factors[0], ("m _", "_ n")))
            },
            **{f"factors[{i}] B": (b, "m r"), f"factors[{i}] A": (a, "r n")},
        )
    rows = [[jnp.sum((b.T @ d) * (a @ c.T)) for d, c in factors] for b, a in factors]
    return jnp.array(rows)


def _gram(stack: Params) -> Array:
    total = None
    for leaf in jax.tree.leaves(merged_only(stack)):
        vectors = jnp.asarray(leaf, wide(leaf.dtype)).reshape(leaf.shape[0], -1)
        part = jnp.real(jnp.conj(vectors) @ vectors.T)
        total = part if total is None else total + part
    return total  # type: ignore[return-value]


def _combinations(mixing: Float[Array, "k p"], stack: Params) -> Params:
    """Several linear combinations of the models of a stack, again a stack."""
    return jax.vmap(
        lambda column: map_stack(lambda leaf: jnp.tensordot(column.astype(leaf.dtype), leaf, 1), stack),
        in_axes=1,
    )(mixing)
