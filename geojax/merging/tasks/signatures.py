"""Robust weight signatures: what robust training changed, as a patch for other models."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax.merging.leaves import is_merged, merged_only, same_model, stack_size, wide
from geojax.typing import Params, Scalar

__all__ = ["layer_energy", "patch", "quantize_signature", "weight_signature"]


def weight_signature(robust: Params, clean: Params, basis: Params | None = None) -> Params:
    """What robust training changed in a model: its weights less those of the same model trained without.

    robust - clean,  projected in each leaf onto the span of a basis where one is given.

    Args:
        robust: Parameters trained to withstand a corruption.
        clean: Parameters trained without, a tree like robust.
        basis: Directions to keep, a tree like robust whose leaves have a leading axis, [p, ...]; they need not be
            orthonormal or independent.

    Returns:
        A tree like robust: a difference in each leaf of real or complex numbers, zero in others.

    Raises:
        ValueError: If trees or shapes disagree.
        TypeError: If leaves differ in dtype.

    Differentiation: exact; by a basis only where it is independent.
    Complexity: linear, and a QR factorisation of each leaf of the basis.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import weight_signature
        >>> weight_signature(jnp.array([3.0, 4.0]), jnp.array([1.0, 1.0]), jnp.array([[2.0, 0.0]])).tolist()
        [2.0, 0.0]

    References: [Cai2023].
    """
    same_model("weight_signature", "clean", clean, "robust", robust)
    difference = jax.tree.map(
        lambda x, y: jnp.asarray(x) - jnp.asarray(y) if is_merged(x) else jnp.zeros_like(x), robust, clean
    )
    if basis is None:
        return difference
    stack_size("weight_signature", basis)
    first = jax.tree.map(lambda leaf: leaf[0] if is_merged(leaf) else leaf, merged_only(basis))
    same_model("weight_signature", "a direction of basis", first, "robust", merged_only(robust))
    directions = iter(jax.tree.leaves(merged_only(basis)))

    def project(x: Array) -> Array:
        if not is_merged(x):
            return x
        dtype = wide(x.dtype)
        rows = jnp.asarray(next(directions), dtype)
        rows, vector = rows.reshape(rows.shape[0], -1), jnp.asarray(x, dtype).ravel()
        coordinates = jnp.linalg.lstsq(rows.T, vector)[0]
        return (rows.T @ coordinates).reshape(x.shape).astype(x.dtype)

    return jax.tree.map(project, difference)


def patch(params: Params, stack: Params, weights: Float[Array, " k"]) -> Params:
    """Adds signatures to a model; the opposite weights take them off again.

    theta + sum_i w_i s_i  in every leaf of real or complex numbers.

    Args:
        params: Any model of the architecture.
        stack: Signatures as one tree with a leading axis of length k.
        weights: What each counts, [k].

    Returns:
        A tree like params.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact.
    Complexity: linear in the signatures.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import patch
        >>> patch(jnp.zeros(2), jnp.eye(2), jnp.array([1.0, 2.0])).tolist()
        [1.0, 2.0]

    References: [Cai2023].
    """
    count = stack_size("patch", stack)
    checks.shapes("patch", weights=(weights, str(count)))
    first = jax.tree.map(lambda leaf: leaf[0] if is_merged(leaf) else leaf, merged_only(stack))
    same_model("patch", "a signature of stack", first, "params", merged_only(params))
    signatures = iter(jax.tree.leaves(merged_only(stack)))

    def add(x: Array) -> Array:
        if not is_merged(x):
            return x
        dtype = wide(jnp.result_type(x))
        total = jnp.tensordot(jnp.asarray(weights, dtype), jnp.asarray(next(signatures), dtype), 1)
        return (jnp.asarray(x, dtype) + total).astype(jnp.result_type(x))

    return jax.tree.map(add, params)


def quantize_signature(signature: Params, *, num_bits: Scalar) -> Params:
    """Rounds a signature to a few bits an entry, each leaf on a scale of its own.

    q s / Q  with  s the largest magnitude of the leaf, Q = 2^(num_bits - 1) - 1 and q = round(Q x / s).

    Args:
        signature: A tree of real leaves.
        num_bits: Bits an entry, at least 2, the sign included. Traced.

    Returns:
        A tree like signature, of values that num_bits and one scale a leaf can tell apart; off by at most s / (2 Q).

    Raises:
        ValueError: If num_bits is not a scalar.
        TypeError: If a leaf is not real.

    Differentiation: straight through: as if nothing were rounded.
    Complexity: linear.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import quantize_signature
        >>> quantize_signature(jnp.array([3.0, 1.0, -3.0, 0.4]), num_bits=3).tolist()
        [3.0, 1.0, -3.0, 0.0]

    References: [Cai2023]; [Bengio2013] for the derivative.
    """
    checks.shapes("quantize_signature", num_bits=(num_bits, ""))

    def quantize(name: str, leaf: Array) -> Array:
        (x,) = checks.floats("quantize_signature", **{name or "signature": leaf})
        levels = 2.0 ** (jnp.asarray(num_bits, x.dtype) - 1) - 1
        largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), initial=0))
        scale = jnp.where(largest == 0, 1, largest)
        rounded = jnp.round(levels * x / scale) * scale / levels
        return x + jax.lax.stop_gradient(rounded - x)

    return tree.map_named(quantize, signature)


def layer_energy(signature: Params) -> Params:
    """Share of a signature's squared norm that lies in each leaf.

    Args:
        signature: A tree of real or complex leaves.

    Returns:
        A tree like signature of scalars that sum to one, None in place of leaves that are not mixed; NaN for zero.

    Raises:
        ValueError: If there is no leaf of real or complex numbers.

    Differentiation: exact.
    Complexity: linear.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import layer_energy
        >>> float(layer_energy({"b": jnp.array([1.0]), "w": jnp.array([1.0, 1.0, 1.0])})["b"])
        0.25

    References: [Cai2023].
    """
    parts = jax.tree.map(
        lambda leaf: jnp.sum(jnp.square(jnp.abs(jnp.asarray(leaf, wide(jnp.result_type(leaf)))))),
        merged_only(signature),
    )
    found = jax.tree.leaves(parts)
    if not found:
        raise ValueError(
            "layer_energy: signature has no leaf of real or complex numbers; expected at least one."
        )
    total = sum(found[1:], start=found[0])
    return jax.tree.map(lambda part: part / total, parts)
