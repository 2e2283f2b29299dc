"""Scaled gradient descent for factors of low-rank matrices."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax._core.precision import rounded_once, wide
from geojax.typing import Key, PyTree, Scalar


@rounded_once
def scaled_gradient(
    gradient: Float[Array, "n r"], factor: Float[Array, "m r"], *, damping: Scalar = 0.0
) -> Float[Array, "n r"]:
    """Precondition the gradient with respect to a factor of a low-rank matrix by the Gram matrix of its partner.

    G (F^T F + damping I)^-1.  For M = X X^T the partner of X is X itself; for M = L R^T the partner of L is R, and that
    of R is L. The step of M does not depend on the basis of the factors: X -> X Q with Q orthogonal does not change it,
    and without damping neither does L -> L A, R -> R A^-T for any invertible A.

    Args:
        gradient: Gradient with respect to a factor, [n, r].
        factor: The partner, [m, r], of full column rank or with damping > 0.
        damping: >= 0, in units of the squared factor; choose it smaller than the smallest squared singular value that
            matters. Traced.

    Returns:
        Array [n, r]; NaN if the Gram matrix is singular.

    Raises:
        ValueError: At trace time, if the ranks differ.

    Differentiation: exact.

    Complexity: O((n + m) r^2 + r^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import scaled_gradient
        >>> scaled_gradient(jnp.ones((1, 2)), jnp.diag(jnp.array([1.0, 2.0]))).tolist()
        [[1.0, 0.25]]

    References: [XuShenChiMa2023]; [TongMaChi2021] without damping.
    """
    return _preconditioned("scaled_gradient", "", gradient, factor, damping)


def scale_by_scaled_gd(
    *, damping: Scalar = 0.0, partners: Callable[[PyTree], PyTree] = lambda params: params
) -> optax.GradientTransformation:
    """Scaled gradient descent on factors of low-rank matrices, as an optax transformation.

    update_X = gradient_X (F^T F + damping I)^-1  for every leaf X and its partner F.

    Args:
        damping: As for `scaled_gradient`. Traced.
        partners: Maps the parameters to a tree like them with the partner of each factor. For M = X X^T these are the
            parameters themselves (the default); for M = L R^T write `lambda p: {"l": p["r"], "r": p["l"]}`.

    Returns:
        GradientTransformation without state; `update` needs `params`, whose leaves are matrices.

    Raises:
        ValueError: If `update` is called without `params`; at trace time, if a leaf is not a matrix.

    Differentiation: exact.

    Complexity: O((n + m) r^2 + r^3) for each leaf.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import scale_by_scaled_gd
        >>> optimiser, x = scale_by_scaled_gd(damping=1.0), jnp.ones((1, 1))
        >>> updates, _ = optimiser.update(jnp.ones((1, 1)), optimiser.init(x), x)
        >>> round(float(updates[0, 0]), 4)
        0.5

    References: [XuShenChiMa2023].
    """

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "scale_by_scaled_gd: params is None; expected the factors, whose Gram matrices precondition. "
                "Call update(gradients, state, params)."
            )

        def scaled(path: str, gradient: Any, factor: Any) -> Array:
            return _preconditioned("scale_by_scaled_gd", path, gradient, factor, damping)

        return tree.map_named(scaled, updates, partners(params)), state

    def init(params: PyTree) -> optax.EmptyState:
        checks.arrays_only("scale_by_scaled_gd", "params", params)
        return optax.EmptyState()

    return optax.GradientTransformation(init, update)


def small_init(key: Key, shape: tuple[int, int], *, scale: Scalar, dtype: Any = float) -> Float[Array, "n r"]:
    """Small random factors: from them descent with too many columns finds low ranks first.

    X_ij ~ scale N(0, 1 / n).

    Args:
        key: Typed random key.
        shape: (n, r).
        scale: > 0; the smaller, the closer the result is to the true rank. The number of steps grows with the logarithm
            of 1 / scale. Traced.
        dtype: Floating dtype of the result.

    Returns:
        Array [n, r].

    Raises:
        TypeError: If key is not a typed key.

    Differentiation: exact in scale.

    Complexity: O(n r).

    Example:
        >>> import jax
        >>> from geojax.optim import small_init
        >>> small_init(jax.random.key(0), (100, 3), scale=1e-3).shape
        (100, 3)

    References: [XuShenChiMa2023].
    """
    checks.typed_key("small_init", key)
    factor = jnp.asarray(scale, wide(dtype)) / shape[0] ** 0.5
    return (factor * jax.random.normal(key, shape, wide(dtype))).astype(jax.dtypes.canonicalize_dtype(dtype))


@rounded_once
def _preconditioned(where: str, path: str, gradient: Any, factor: Any, damping: Scalar) -> Array:
    """G (F^T F + damping I)^-1; messages name the leaf at `path`."""
    names = [checks.leaf_of(name, path) for name in ("gradient", "factor")]
    gradient, factor = checks.floats(where, **dict(zip(names, (gradient, factor))))
    checks.shapes(where, **dict(zip(names, ((gradient, "n r"), (factor, "m r")))))
    identity = jnp.eye(factor.shape[1], dtype=factor.dtype)
    gram = factor.T @ factor + jnp.asarray(damping, factor.dtype) * identity
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram, lower=True), gradient.T).T
