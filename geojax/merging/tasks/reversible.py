"""Reversible merging: a few basis vectors from which the task vector of every model can be restored."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.merging.leaves import as_stack, check_rows, map_stack, merged_only, split_arrays, stack_size, wide
from geojax.typing import Params

__all__ = ["ReversibleMerge", "low_rank_gram", "reversible_merge", "revert"]


@struct
class ReversibleMerge:
    """A basis of task vectors, and every task vector's coordinates in it.

    Attributes:
        basis: Orthonormal vectors as one tree with a leading axis of length p.
        coefficients: Coordinates of the task vectors, [k, p].
        squared_error: Sum of the squared distances between the task vectors and the restored ones.
    """

    basis: Any
    coefficients: Float[Array, "k p"]
    squared_error: Float[Array, ""]


def reversible_merge(stack: Params, *, num: int, gram: Float[Array, "k k"] | None = None) -> ReversibleMerge:
    """Merges task vectors into the few basis vectors from which all of them can be restored best.

    The best subspace of dimension p for k vectors is spanned by their leading principal directions. These follow from
    the k x k matrix G of inner products: if G = U diag(l) U^T, then basis_j = sum_i U_ij tau_i / sqrt(l_j).

    Args:
        stack: Task vectors, that is differences from one base model: a list of k, or one tree with a leading axis of
            length k.
        num: Number of basis vectors p to keep, from 1 to k; static.
        gram: G, if the stack holds task vectors in coordinates that are not orthonormal: factors of low rank, whose
            inner products are those of `low_rank_gram`, added over layers. The stack must be linear in the task
            vectors: with B = [B_1 ... B_k] side by side, vector i is B C_i, where C_i has A_i in its own rows and zeros
            in the others. A stack of the C_i is merged, and B times what `revert` restores is the task vector.

    Returns:
        ReversibleMerge; `revert` restores a task vector. The squared error is the sum of the eigenvalues of G that were
        left out. If p exceeds the rank, the directions beyond it are zero vectors. The basis is orthonormal in G.

    Raises:
        TypeError: If gram is not an array of real numbers.
        ValueError: If shapes disagree or num is not between 1 and k.

    Differentiation: exact if the eigenvalues of G are distinct; otherwise the basis has no derivative.
    Complexity: k^2 passes over the parameters; the vectors are never joined into one matrix.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import reversible_merge, revert
        >>> merged = reversible_merge(jnp.array([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), num=1)
        >>> revert(merged, 1).round(4).tolist()
        [1.0, 0.0]

    References: [Alipour2025]; [EckartYoung1936].
    """
    return principal_merge("reversible_merge", as_stack("reversible_merge", stack), num, gram)


def principal_merge(where: str, stack: Params, num: int, gram: Array | None = None) -> ReversibleMerge:
    """The leading principal directions of the vectors of a stack, and their coordinates."""
    count = stack_size(where, stack)
    num = checks.count(where, "num", num, minimum=1)
    if num > count:
        raise ValueError(f"{where}: num is {num}; expected at most {count}, the number of vectors. Lower it.")
    if gram is None:
        gram = _gram(stack)
    else:
        (gram,) = checks.floats(where, gram=gram)
        checks.shapes(where, gram=(gram, f"{count} {count}"))
        gram = gram.astype(wide(gram.dtype))
    values, vectors = jnp.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    # Rounding changes the eigenvalues of a Gram matrix by k ulp of the largest: below that they count as zero.
    nonzero = values[:num] > count * jnp.finfo(gram.dtype).eps * jnp.abs(values[0])
    lengths = jnp.sqrt(jnp.where(nonzero, values[:num], 1))
    mixing = jnp.where(nonzero, vectors[:, :num] / lengths, 0)
    basis = _combinations(mixing, stack)
    left_out = jnp.sum(jnp.maximum(values[num:], 0)) + 0 * jnp.sum(values)
    return ReversibleMerge(basis, jnp.where(nonzero, vectors[:, :num] * lengths, 0), left_out)


def revert(merged: ReversibleMerge, index: int) -> Params:
    """Restores one task vector from a reversible merge.

    Args:
        merged: The result of `reversible_merge`.
        index: Number of the task, from 0; may be traced.

    Returns:
        The projection of that task vector onto the basis, a tree like one of the vectors.

    Raises:
        ValueError: If index is not a scalar.

    Differentiation: exact in merged.
    Complexity: p passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import reversible_merge, revert
        >>> revert(reversible_merge(jnp.eye(2), num=2), 0).round(4).tolist()
        [1.0, 0.0]

    References: [Alipour2025].
    """
    checks.shapes("revert", index=(index, ""))
    check_rows("revert", "merged.basis", merged.basis)
    row = jnp.asarray(merged.coefficients)[index]
    return map_stack(lambda leaf: jnp.tensordot(row.astype(leaf.dtype), leaf, 1), merged.basis)


@rounded_once
def low_rank_gram(factors: Sequence[tuple[Float[Array, "m r"], Float[Array, "r n"]]]) -> Float[Array, "k k"]:
    """Inner products of matrices B_i A_i of low rank, from their factors.

    <B_s A_s, B_t A_t> = sum of the entries of (B_s^T B_t) * (A_s A_t^T);  no m x n matrix is formed.

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
    """Linear combinations of the models of a stack, as a stack."""
    whole = split_arrays(stack)[1]

    def combine(column: Array) -> list[Array]:
        combined = map_stack(lambda leaf: jnp.tensordot(column.astype(leaf.dtype), leaf, 1), stack)
        return split_arrays(combined)[0]

    return whole(jax.vmap(combine, in_axes=1)(mixing))
