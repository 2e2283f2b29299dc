"""Momentum on Kronecker products of positive definite matrices, and second-order steps with it, without inverses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax.optim.preconditioned.spd_momentum import generalized_normal_coords
from geojax.optim.preconditioned.spd_structures import square, symmetric_structure
from geojax.typing import PyTree, Scalar

Structure = Callable[[Array], Array]
Sides = tuple[Float[Array, "p p"], Float[Array, "q q"]]
BOTH = symmetric_structure, symmetric_structure


@rounded_once
def kronecker_normal_coords(
    factors: Sides, z: Sides, *, structures: tuple[Structure, Structure] = BOTH
) -> Sides:
    """Factors of the Kronecker product with generalised normal coordinates z about (A A^T) x (C C^T).

    A h(N), C h(M)  for  N = structure(z_1) / sqrt(q),  M = structure(z_2) / sqrt(p) with its trace subtracted,

    with h as for `generalized_normal_coords`. The trace is subtracted because a scale of the product can move between
    the factors. The affine-invariant metric of the product is then |dz|^2 at z = 0, for dz in the structures and dz_2
    of trace zero.

    Args:
        factors: A, [p, p], and C, [q, q], invertible and in their structures.
        z: Coordinates, [p, p] and [q, q].
        structures: For each side a linear map from coordinates into a matrix algebra with unit.

    Returns:
        Factors [p, p] and [q, q], in their structures.

    Raises:
        ValueError: At trace time, if a pair is not square of one size.

    Differentiation: exact.

    Complexity: Two products of matrices for each side; no matrix with p q rows is formed.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import kronecker_normal_coords
        >>> a, c = kronecker_normal_coords((jnp.eye(2), jnp.eye(1)), (2 * jnp.eye(2), jnp.eye(1)))
        >>> a.tolist(), c.tolist()
        ([[2.5, 0.0], [0.0, 2.5]], [[1.0]])

    References: [Lin2023].
    """
    where = "kronecker_normal_coords"
    pairs = [square(where, factor=factor, z=side) for factor, side in zip(factors, z, strict=True)]
    factors, z = zip(*pairs)
    return _factors_after(factors, _algebra(z, structures))


@rounded_once
def kronecker_momentum_step(
    factors: Sides,
    momenta: Sides,
    gradients: Sides,
    *,
    learning_rate: Scalar,
    decay: Scalar = 0.9,
    structures: tuple[Structure, Structure] = BOTH,
) -> tuple[Sides, Sides]:
    """A step of Riemannian gradient descent with momentum on (A A^T) x (C C^T), without inverses.

    m <- decay m + dL/dz,   (A, C) <- kronecker_normal_coords((A, C), -learning_rate m),  for both sides at once.

    Args:
        factors: A, [p, p], and C, [q, q], invertible and in their structures.
        momenta: Coordinates, [p, p] and [q, q]; zeros at first.
        gradients: Gradients of the loss with respect to A A^T and to C C^T, symmetric.
        learning_rate: Step. Traced.
        decay: Decay of the momentum, in [0, 1). Traced.
        structures: As for `kronecker_normal_coords`.

    Returns:
        (factors, momenta) of the next step; the product stays positive definite for every learning rate.

    Raises:
        ValueError: At trace time, if a side's matrices are not square of one size.

    Differentiation: exact.

    Complexity: Four products of matrices for each side and no factorisation, so bfloat16 can be used.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import kronecker_momentum_step
        >>> sides, momenta = (jnp.eye(1), jnp.eye(1)), (jnp.zeros((1, 1)),) * 2
        >>> for _ in range(50):  # of S / 4 - log(S) for the product S, least at 4
        ...     first, second = (side @ side.T for side in sides)
        ...     gradients = second / 4 - 1 / first, first / 4 - 1 / second
        ...     sides, momenta = kronecker_momentum_step(sides, momenta, gradients, learning_rate=0.3, decay=0.3)
        >>> round(float((sides[0] * sides[1])[0, 0] ** 2), 3)
        4.0

    References: [Lin2023].
    """
    where = "kronecker_momentum_step"
    triples = zip(factors, momenta, gradients, strict=True)
    checked = [square(where, factor=f, momentum=m, gradient=g) for f, m, g in triples]
    factors, momenta, gradients = zip(*checked)
    # dS = A (N + N^T) A^T for one side, so the derivative with respect to N is 2 A^T gradient A.
    curvatures = tuple(f.T @ (g + g.T) @ f / 2 for f, g in zip(factors, gradients))
    algebra, momenta = _descent(momenta, curvatures, learning_rate, decay, structures)
    return _factors_after(factors, algebra), momenta


class InverseFreeKFACState(NamedTuple):
    """State of `scale_by_inverse_free_kfac`.

    Attributes:
        factors: For each leaf a pair (K, C); an empty tuple if the leaf is not a matrix.
        momenta: The same for the momenta, in coordinates.
    """

    factors: Any
    momenta: Any


def scale_by_inverse_free_kfac(
    *,
    rate: Scalar = 0.1,
    decay: Scalar = 0.6,
    damping: Scalar = 1e-3,
    structures: tuple[Structure, Structure] = BOTH,
) -> optax.GradientTransformationExtraArgs:
    """Gradients times the inverse of a Kronecker-factored curvature, which is fitted without inverting a matrix.

    update = K K^T g C C^T,  (K K^T) x (C C^T) -> the minimum of  tr P (U x G + damping I) - log det P

    over Kronecker products P in the structures, by one step of `kronecker_momentum_step` in each update. Without
    damping and with full structures the update converges to U^-1 g G^-1.

    Args:
        rate: Step of the fit; a step in the algebra of a factor has norm 1 at most. Traced.
        decay: Decay of the momentum of the fit, in [0, 1). Traced.
        damping: In units of the curvature; > 0 if U or G may be singular. Traced.
        structures: For the inputs' side and the outputs' side of a matrix, as for `kronecker_normal_coords`.

    Returns:
        GradientTransformationExtraArgs; `update` needs `curvature`, a tree like the parameters with a pair (U, G) at
        each matrix [p, q]. U [p, p] is the mean of a a^T over the inputs a of the layer, and G [q, q] the mean of d d^T
        over the gradients d with respect to its outputs. Leaves that are not matrices are passed on, and their
        curvature is not read.

    Raises:
        ValueError: If `update` is called without curvature; at trace time, if sizes disagree.
        TypeError: If a parameter is not an array of numbers.

    Differentiation: exact.

    Complexity: Ten products of matrices for each leaf and no factorisation, so bfloat16 can be used.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import scale_by_inverse_free_kfac
        >>> optimiser, gradient = scale_by_inverse_free_kfac(damping=0.0), jnp.ones((2, 1))
        >>> curvature = jnp.diag(jnp.array([1.0, 4.0])), 2 * jnp.eye(1)
        >>> state = optimiser.init(gradient)
        >>> for _ in range(100):
        ...     update, state = optimiser.update(gradient, state, curvature=curvature)
        >>> update.round(3).ravel().tolist()
        [0.5, 0.125]

    References: [Lin2023].
    """

    def init(params: PyTree) -> InverseFreeKFACState:
        checks.arrays_only("scale_by_inverse_free_kfac", "params", params)
        params = jax.tree.map(jnp.asarray, params)

        def pair(make: Callable[..., Array]) -> Any:
            return jax.tree.map(
                lambda leaf: (
                    tuple(make(size, dtype=leaf.dtype) for size in leaf.shape) if leaf.ndim == 2 else ()
                ),
                params,
            )

        return InverseFreeKFACState(pair(jnp.eye), pair(lambda size, dtype: jnp.zeros((size, size), dtype)))

    def update(
        updates: PyTree, state: Any, params: PyTree | None = None, *, curvature: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        if curvature is None:
            raise ValueError(
                "scale_by_inverse_free_kfac: curvature is None; expected pairs of second moments. "
                "Call update(g, state, params, curvature=...)."
            )
        leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, updates))
        parts = [structure.flatten_up_to(tree) for tree in (*state, curvature)]
        steps = [each(*leaf) if leaf[0].ndim == 2 else leaf[:3] for leaf in zip(leaves, *parts)]
        scaled, factors, momenta = (structure.unflatten(part) for part in zip(*steps))
        return scaled, InverseFreeKFACState(factors, momenta)

    def each(gradient: Array, factors: Sides, momenta: Sides, moments: Sides) -> tuple[Array, Sides, Sides]:
        inputs, outputs = (jnp.asarray(moment, gradient.dtype) for moment in moments)
        checks.shapes(
            "scale_by_inverse_free_kfac",
            gradient=(gradient, "p q"),
            inputs=(inputs, "p p"),
            outputs=(outputs, "q q"),
        )
        seen = [f.T @ moment @ f for f, moment in zip(factors, (inputs, outputs))]
        grams = [f.T @ f for f in factors]
        # In these coordinates the inverses in the gradient of -log det P are unit matrices.
        curvatures = tuple(
            jnp.trace(seen[1 - i]) * seen[i]
            + jnp.asarray(damping, gradient.dtype) * jnp.trace(grams[1 - i]) * grams[i]
            - len(seen[1 - i]) * jnp.eye(len(seen[i]), dtype=gradient.dtype)
            for i in range(2)
        )
        algebra, momenta = _descent(momenta, curvatures, rate, decay, structures)
        factors = _factors_after(factors, tuple(n / jnp.maximum(safe.norm(n), 1) for n in algebra))
        left, right = (f @ f.T for f in factors)
        return left @ gradient @ right, factors, momenta

    return optax.GradientTransformationExtraArgs(init, update)


def _algebra(z: Any, structures: tuple[Structure, Structure]) -> Sides:
    """The pair (N, M) of the coordinates."""
    first, second = (structure(side) for structure, side in zip(structures, z, strict=True))
    p, q = len(first), len(second)
    second = second - jnp.trace(second) / q * jnp.eye(q, dtype=second.dtype)
    return first / jnp.asarray(q**0.5, first.dtype), second / jnp.asarray(p**0.5, second.dtype)


def _descent(
    momenta: Any, curvatures: Any, rate: Scalar, decay: Scalar, structures: tuple[Structure, Structure]
) -> tuple[Sides, Sides]:
    """The step in the algebra and the next momenta, from the gradients A^T (dL/dS) A."""
    doubled = tuple(2 * c for c in curvatures)
    momenta = vary_with(momenta, doubled)
    (by_z,) = jax.linear_transpose(lambda z: _algebra(z, structures), momenta)(doubled)
    momenta = tuple(jnp.asarray(decay, m.dtype) * m + b for m, b in zip(momenta, by_z))
    return _algebra(tuple(-jnp.asarray(rate, m.dtype) * m for m in momenta), structures), momenta


def _factors_after(factors: Any, algebra: Any) -> Sides:
    """The factors after a step in their algebras."""
    first, second = (generalized_normal_coords(f, n, structure=lambda n: n) for f, n in zip(factors, algebra))
    return first, second
