"""Partners between the units of two networks by their activations: one to one and one to many."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate
from geojax._core.struct import struct
from geojax.symmetry.matching.by_activations import standardize
from geojax.transport import assignment
from geojax.typing import Scalar


def unit_correlation(x: Float[Array, "n p"], y: Float[Array, "n q"]) -> Float[Array, "p q"]:
    """Pearson correlations between the units of two networks over the same samples.

    R[i, j] = corr(x[:, i], y[:, j]).

    Args:
        x: Activations of the first network, [n, p]: n samples of p units.
        y: Activations of the second, [n, q].

    Returns:
        Correlations in [-1, 1], [p, q]; a unit that never changes has 0 with all.

    Raises:
        ValueError: If the shapes disagree.

    Differentiation: exact; zero at units that never change.
    Complexity: O(n p q).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.units import unit_correlation
        >>> x = jnp.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
        >>> jnp.round(unit_correlation(x, -2 * x + 1), 3).tolist()
        [[-1.0, -0.5], [-0.5, -1.0]]

    References: [Li2016], Sec. 3.
    """
    x, y = checks.floats("unit_correlation", x=x, y=y)
    checks.shapes("unit_correlation", x=(x, "n p"), y=(y, "n q"))
    return jnp.einsum("ni,nj->ij", standardize(x), standardize(y), precision="highest")


def bipartite_match(correlation: Float[Array, "p q"]) -> Int[Array, " p"]:
    """One-to-one partners of largest total correlation.

    Maximises  sum_i R[i, match[i]]  over injective maps.

    Args:
        correlation: Similarities R, [p, q] with p <= q.

    Returns:
        The partner of each unit, [p]; all -1 if R is not finite.

    Raises:
        ValueError: If R is not a matrix or has more rows than columns.

    Differentiation: none (piecewise constant).
    Complexity: O(p^2 q).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.units import bipartite_match
        >>> bipartite_match(jnp.array([[0.9, 0.8], [0.85, 0.1]])).tolist()
        [1, 0]

    References: [Li2016], Sec. 3.2.
    """
    return assignment(-jnp.asarray(correlation))


def semi_match(correlation: Float[Array, "p q"]) -> Int[Array, " p"]:
    """The most correlated partner of each unit, with repeats: match[i] = argmax_j R[i, j].

    If it differs from `bipartite_match`, several units of the first network have one partner in the second.

    Args:
        correlation: Similarities R, [p, q].

    Returns:
        The partner of each unit, [p]; the first of several that are equal.

    Raises:
        ValueError: If R is not a matrix.

    Differentiation: none (piecewise constant).
    Complexity: O(p q).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.units import semi_match
        >>> semi_match(jnp.array([[0.9, 0.8], [0.85, 0.1]])).tolist()
        [0, 0]

    References: [Li2016], Sec. 3.2.
    """
    (correlation,) = checks.floats("semi_match", correlation=correlation)
    checks.shapes("semi_match", correlation=(correlation, "p q"))
    return jnp.argmax(correlation, axis=1).astype(jnp.int32)


@struct
class SparseMapResult:
    """A sparse linear prediction of one network's units from another's.

    `weights` [p, q] predict unit j of y as x @ weights[:, j], in standardised units; `error` is the largest violation
    of the optimality conditions, in units of correlation.
    """

    weights: Float[Array, "p q"]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def sparse_unit_map(
    x: Float[Array, "n p"],
    y: Float[Array, "n q"],
    *,
    penalty: Scalar,
    tol: Scalar = 1e-4,
    max_steps: int = 5000,
) -> SparseMapResult:
    """Predicts each unit of one network from few units of another: one-to-many matching.

    Minimises  1/2 |Y - X W|^2 + penalty |W|_1  over W, X and Y standardised to columns of mean 0 and norm 1, by
    accelerated proximal gradient steps with restarts.

    Args:
        x: Activations of the predicting network, [n, p].
        y: Activations of the predicted network, [n, q].
        penalty: >= 0, in units of correlation; from 1 upwards every weight is 0.
        tol: Largest violation of the optimality conditions to stop at.
        max_steps: Most steps.

    Returns:
        SparseMapResult.

    Raises:
        ValueError: If the shapes disagree.

    Status: CONVERGED, MAX_STEPS, NONFINITE.
    Differentiation: forward mode through the steps; objective: unrolled.
    Complexity: O(n p (p + q)) once, then O(p^2 q) a step.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.symmetry.units import sparse_unit_map
        >>> x = jax.random.normal(jax.random.key(0), (50, 3))
        >>> result = sparse_unit_map(x, x[:, 1:2], penalty=0.4)
        >>> bool(jnp.allclose(result.weights[:, 0], jnp.array([0.0, 0.6, 0.0]), atol=1e-3))
        True

    References: [Li2016], Sec. 4; [BeckTeboulle2009].
    """
    where = "sparse_unit_map"
    max_steps = checks.count(where, "max_steps", max_steps)
    x, y = checks.floats(where, x=x, y=y)
    checks.shapes(where, x=(x, "n p"), y=(y, "n q"))
    penalty = jnp.asarray(penalty, x.dtype)
    x, y = standardize(x), standardize(y)
    gram = jnp.einsum("ni,nj->ij", x, x, precision="highest")
    cross = jnp.einsum("ni,nj->ij", x, y, precision="highest")
    # The largest absolute row sum bounds the largest eigenvalue of the Gram matrix.
    bound = jnp.max(jnp.sum(jnp.abs(gram), axis=1), initial=0)
    length = 1 / jnp.where(bound > 0, bound, 1)

    def slope(weights: Array) -> Array:
        return jnp.matmul(gram, weights, precision="highest") - cross

    def shrink(weights: Array) -> Array:
        return jnp.sign(weights) * jnp.maximum(jnp.abs(weights) - length * penalty, 0)

    def advance(state: _Accelerated):
        weights = shrink(state.ahead - length * slope(state.ahead))
        restarts = jnp.vdot(state.ahead - weights, weights - state.weights) > 0
        momentum = jnp.where(restarts, 1.0, (1 + jnp.sqrt(1 + 4 * state.momentum**2)) / 2).astype(x.dtype)
        push = jnp.where(restarts, 0, (state.momentum - 1) / momentum)
        gradient = slope(weights)
        zero_error = jnp.maximum(jnp.abs(gradient) - penalty, 0)
        nonzero_error = jnp.abs(gradient + penalty * jnp.sign(weights))
        error = jnp.max(jnp.where(weights == 0, zero_error, nonzero_error), initial=0)
        return _Accelerated(weights, weights + push * (weights - state.weights), momentum), error

    zero = jnp.zeros_like(cross)
    end = iterate(advance, _Accelerated(zero, zero, jnp.ones((), x.dtype)), tol=tol, max_steps=max_steps)
    weights = end.state.weights
    residual = y - jnp.matmul(x, weights, precision="highest")
    objective = jnp.sum(jnp.square(residual)) / 2 + penalty * jnp.sum(jnp.abs(weights))
    return SparseMapResult(weights, objective, end.error, end.num_steps, end.status)


class _Accelerated(NamedTuple):
    """The weights, the point ahead of them at which the next gradient is taken, and the momentum."""

    weights: Array
    ahead: Array
    momentum: Array
