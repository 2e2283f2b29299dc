"""Entropic transport between more than two measures at once."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.measures import arrays, coarsest_ulp, number, same_mass, uniform
from geojax.typing import Scalar


@struct
class MultimarginalResult:
    """Potentials of an entropic problem between k measures, with the problem they belong to.

    `potentials` are k arrays [n_1], ..., [n_k] in units of cost; `cost` is the optimal value; `error` bounds the L1
    errors of all marginals, summed.
    """

    potentials: tuple[Float[Array, " _"], ...]
    cost: Float[Array, ""]
    cost_tensor: Float[Array, "..."]
    weights: tuple[Float[Array, " _"], ...]
    epsilon: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]

    @property
    def plan(self) -> Float[Array, "..."]:
        """The coupling a1_i a2_j ... exp((f1_i + f2_j + ... - C_ij...) / epsilon), [n_1, ..., n_k]."""
        return _plan(self.potentials, self.cost_tensor, self.weights, self.epsilon)


def multimarginal_sinkhorn(
    cost_tensor: Float[Array, "..."],
    weights: Sequence[Float[Array, " _"]] | None = None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> MultimarginalResult:
    """Entropic optimal transport between k measures, with a cost for each choice of one point from every measure.

    Minimises  <P, C> + epsilon sum P log(P / (a1 x a2 x ... x ak))  over tensors P with the marginals a1, ..., ak, by
    scaling for each marginal in turn, in the log domain. For k = 2 that is `sinkhorn`.

    Args:
        cost_tensor: Costs, [n_1, ..., n_k], k >= 2, finite, any sign.
        weights: k arrays of weights, [n_1], ..., [n_k], nonnegative, with equal sums; zeros are allowed. By default
            each measure is uniform.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: Error of the marginals to reach.
        max_steps: Most rounds, each of which scales for all marginals; static.

    Returns:
        MultimarginalResult. `error` is sum_k (k - 1) d_k, where d_k is the L1 error of marginal k just before its last
        scaling: a bound of the errors of all marginals at the end.

    Raises:
        ValueError: At trace time, if the shapes disagree, a measure is empty, or there is only one.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, sums differ by more than tol, or epsilon is not
        positive; NONFINITE if the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope, to first order, in cost_tensor, weights and epsilon. Others: none. The
        weights may change only so that their sums stay fixed; the gradient is defined for such changes.

    Complexity: O(k n_1 ... n_k) time per step, O(n_1 ... n_k) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import multimarginal_sinkhorn
        >>> x = jnp.array([0.0, 1.0])
        >>> C = (x[:, None, None] + x[None, :, None] + x - 1.5) ** 2  # sums near 1.5 are cheap
        >>> r = multimarginal_sinkhorn(C, epsilon=0.1)
        >>> float(r.plan[0, 0, 0]) < 1e-3, round(float(r.plan[0, 1, 1]), 3)
        (True, 0.167)

    References: [Benamou2015]; [Cuturi2013].
    """
    where = "multimarginal_sinkhorn"
    checks.no_explicit_axes(where, cost_tensor, weights)
    if weights is None:
        (cost_tensor,) = arrays(where, cost_tensor=cost_tensor)
        weights = [uniform(size, cost_tensor.dtype) for size in cost_tensor.shape]
    if isinstance(weights, jax.Array | np.ndarray):
        raise TypeError(
            f"{where}: weights is one array of shape {list(weights.shape)}; expected a list of k arrays, one for "
            "each axis of cost_tensor. Write [a1, a2, ...]."
        )
    names = {f"weights[{i}]": weight for i, weight in enumerate(weights)}
    cost_tensor, *marginals = arrays(where, cost_tensor=cost_tensor, **names)
    axes = [f"n{i}" for i in range(len(marginals))]
    named = {name: (weight, axis) for name, weight, axis in zip(names, marginals, axes)}
    size = checks.shapes(where, cost_tensor=(cost_tensor, " ".join(axes)), **named)
    if len(marginals) < 2 or 0 in size.values():
        raise ValueError(
            f"{where}: cost_tensor has shape {list(cost_tensor.shape)}; expected at least two measures, each of at "
            "least one point. One measure has nothing to be coupled with."
        )
    checks.count(where, "max_steps", max_steps)
    dtype = cost_tensor.dtype
    ulp = coarsest_ulp(dtype, *weights)
    marginals = [marginals[0], *(same_mass(marginals[0], b, ulp) for b in marginals[1:])]
    limit = number(where, "tol", tol, dtype)
    data = (cost_tensor, tuple(marginals), number(where, "epsilon", epsilon, dtype))
    data = cost_tensor, marginals, strength = vary_with(data, data, limit)
    end = iterate(
        _round(*jax.lax.stop_gradient(data)),
        tuple(jnp.zeros_like(a) for a in jax.lax.stop_gradient(marginals)),
        tol=limit,
        max_steps=max_steps,
    )
    potentials = end.state
    # With the potentials held fixed, the derivatives of the dual are those of the minimum.
    mass = jnp.sum(_plan(potentials, cost_tensor, marginals, strength))
    total = math.prod(jnp.sum(a) for a in marginals)
    value = sum(f @ a for f, a in zip(potentials, marginals)) - strength * (mass - total)
    fixed = jax.lax.stop_gradient(marginals)
    feasible = jnp.all(
        jnp.stack([dual.feasible(fixed[0], b, jax.lax.stop_gradient(strength), limit) for b in fixed[1:]])
    )
    status = dual.judged(end.status, feasible, *jax.tree.leaves(jax.lax.stop_gradient(data)))
    return MultimarginalResult(
        potentials, value, cost_tensor, marginals, strength, end.error, end.num_steps, status
    )


def _along(vector: Array, axis: int, rank: int) -> Array:
    """The vector as an array that varies along one axis of the cost tensor."""
    return vector.reshape([-1 if k == axis else 1 for k in range(rank)])


def _plan(potentials: Sequence[Array], cost_tensor: Array, weights: Sequence[Array], epsilon: Array) -> Array:
    rank = cost_tensor.ndim
    exponent = (sum(_along(f, k, rank) for k, f in enumerate(potentials)) - cost_tensor) / epsilon
    cap = 0.5 * jnp.log(jnp.finfo(cost_tensor.dtype).max)  # where all weights are zero
    return math.prod(_along(a, k, rank) for k, a in enumerate(weights)) * jnp.exp(jnp.minimum(exponent, cap))


def _round(cost_tensor: Array, weights: Sequence[Array], epsilon: Array):
    """Scale for every marginal once, and bound the errors that remain."""
    rank = cost_tensor.ndim
    logs = [jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1)), -jnp.inf) for a in weights]

    def step(potentials: tuple[Array, ...]) -> tuple[tuple[Array, ...], Array]:
        now, error = list(potentials), jnp.zeros_like(epsilon)
        for turn in range(rank):
            others = [k for k in range(rank) if k != turn]
            shifts = sum(_along(now[k] / epsilon + logs[k], k, rank) for k in others)
            best = -epsilon * logsumexp(shifts - cost_tensor / epsilon, axis=others)
            # This scaling moves as much mass as its marginal was wrong by, which may disturb every earlier marginal.
            wrong = jnp.expm1(jnp.minimum((now[turn] - best) / epsilon, 80))
            error = error + turn * jnp.sum(weights[turn] * jnp.abs(wrong))
            now[turn] = best
        return tuple(now), error

    return step
