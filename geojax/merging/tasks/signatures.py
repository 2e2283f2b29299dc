"""Robust weight signatures: the change that robust training makes to the weights, as a patch for other models."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax._core.precision import rounded_once
from geojax.merging.leaves import (
    as_stack,
    coefficients,
    is_merged,
    merged_only,
    model_of,
    same_model,
    stack_size,
    wide,
)
from geojax.typing import Params, Scalar

__all__ = ["layer_energy", "patch", "quantize_signature", "weight_signature"]


@rounded_once
def weight_signature(robust: Params, clean: Params, basis: Params | None = None) -> Params:
    """The change that robust training makes to a model's weights.

    robust - clean;  if a basis is given, projected onto its span in each leaf.

    Args:
        robust: Parameters trained to withstand a corruption.
        clean: Parameters of the same model without that training, a tree like robust.
        basis: Directions to keep, a list of p trees like robust, or one tree with a leading axis of length p. They need
            not be orthonormal or independent.

    Returns:
        A tree like robust: a difference in each leaf of real or complex numbers, and zero in other arrays.

    Raises:
        ValueError: If trees or shapes disagree.
        TypeError: If leaves differ in dtype.

    Differentiation: exact; with respect to the basis only if it is independent.
    Complexity: linear, and a QR factorisation of each leaf of the basis.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import weight_signature
        >>> weight_signature(jnp.array([3.0, 4.0]), jnp.array([1.0, 1.0]), jnp.array([[2.0, 0.0]])).tolist()
        [2.0, 0.0]

    References: [Cai2023].
    """
    same_model("weight_signature", "clean", clean, "robust", robust)
    difference = jax.tree.map(_difference, robust, clean)
    if basis is None:
        return difference
    basis = as_stack("weight_signature", basis, like=robust)
    same_model("weight_signature", "a direction of basis", model_of(merged_only(basis)), "robust", robust)
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


def _difference(robust: Any, clean: Any) -> Any:
    if is_merged(robust):
        return jnp.asarray(robust) - jnp.asarray(clean)
    return jnp.zeros_like(robust) if tree.is_array(robust) and not tree.is_key(robust) else robust


def patch(params: Params, stack: Params, weights: Float[Array, " k"] | None = None) -> Params:
    """Adds signatures to a model; the opposite weights remove them again.

    theta + sum_i w_i s_i  in every leaf of real or complex numbers.

    Args:
        params: Any model of the architecture.
        stack: Signatures, a list of k, or one tree with a leading axis of length k.
        weights: How much each signature counts, [k]. If None, 1 each.

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
    stack = as_stack("patch", stack, like=params)
    weights = coefficients("patch", weights, stack_size("patch", stack))
    same_model("patch", "a signature of stack", model_of(merged_only(stack)), "params", params)
    signatures = iter(jax.tree.leaves(merged_only(stack)))

    def add(x: Array) -> Array:
        if not is_merged(x):
            return x
        dtype = wide(jnp.result_type(x))
        total = jnp.tensordot(jnp.asarray(weights, dtype), jnp.asarray(next(signatures), dtype), 1)
        return (jnp.asarray(x, dtype) + total).astype(jnp.result_type(x))

    return jax.tree.map(add, params)


@rounded_once
def quantize_signature(signature: Params, *, num_bits: Scalar) -> Params:
    """Rounds a signature to a few bits for each entry, with one scale for each leaf.

    q s / Q,  where s is the largest magnitude in the leaf, Q = 2^(num_bits - 1) - 1 and q = round(Q x / s).

    Args:
        signature: A tree of real leaves.
        num_bits: Bits for each entry, at least 2, the sign included. Traced.

    Returns:
        A tree like signature; each entry is off by at most s / (2 Q).

    Raises:
        ValueError: If num_bits is not a scalar.
        TypeError: If a leaf is not real.

    Differentiation: straight-through, that is as if nothing were rounded.
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
        A tree like signature of scalars that sum to one, with None in place of leaves that are not real or complex. NaN
        if the signature is zero.

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
    energies = jax.tree.leaves(parts)
    if not energies:
        raise ValueError(
            "layer_energy: signature has no leaf of real or complex numbers; expected at least one."
        )
    total = sum(energies[1:], start=energies[0])
    return jax.tree.map(lambda part: part / total, parts)
