"""Mixtures of data sources: their transport cost to a target, and scores that are predicted from it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.costs import SquaredEuclidean, cost_matrix_of
from geojax.transport.entropic.newton import sinkhorn_newton
from geojax.typing import Cost, Scalar


@struct
class ScorePredictor:
    """A linear model of scores: `intercepts` and `slopes` [s], one for each source; `growth` with log(size)."""

    intercepts: Float[Array, " s"]
    slopes: Float[Array, " s"]
    growth: Float[Array, ""]

    def predict(
        self, alpha: Float[Array, " s"], cost: Float[Array, ""], size: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Score of the mixture alpha at this transport cost and sample size."""
        return alpha @ (self.intercepts + self.slopes * cost) + self.growth * jnp.log(size)


@struct
class MixtureSelectionResult:
    """The mixture `alpha` [s] that was selected, its `objective`, and how the descent ended."""

    alpha: Float[Array, " s"]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def mixture_ot(
    sources: Float[Array, "s n d"],
    target: Float[Array, "m d"],
    alpha: Float[Array, " s"],
    *,
    cost: Cost = SquaredEuclidean(),
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> Float[Array, ""]:
    """Entropic transport cost between a mixture of sources and a target.

    OT_epsilon(sum_k alpha_k mu_k, nu),  the optimal value of `sinkhorn`, where mu_k is the uniform measure on source k
    and nu the uniform measure on the target. Its gradient with respect to alpha_k is the mean of the optimal potential
    over source k, up to a constant, which does not matter since the shares sum to 1.

    Args:
        sources: Points of the sources, [s, n, d].
        target: Points of the target, [m, d].
        alpha: Shares of the sources, [s], nonnegative, of sum 1.
        cost: cost(x_i, y_j) -> scalar; by default the squared Euclidean distance.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach.
        max_steps: Most Sinkhorn iterations, and forty times the most Newton steps; static.

    Returns:
        Scalar in units of cost; NaN if the problem is infeasible or not finite, or the iterations did not converge.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if an argument is not real.

    Differentiation: envelope in sources, target, alpha and epsilon. alpha may change only so that its sum stays
        fixed; the gradient is defined for such changes.

    Complexity: O(s n m) memory and time per iteration.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport.laws import mixture_ot
        >>> sources = jnp.array([[[0.0], [1.0]], [[5.0], [6.0]]])
        >>> value = lambda alpha: mixture_ot(sources, sources[0], alpha, epsilon=0.1)
        >>> slope = jax.grad(value)(jnp.array([0.5, 0.5]))
        >>> bool(slope[0] < slope[1])  # more of the first source brings the mixture closer
        True

    References: [Kang2023]; [Cuturi2013].
    """
    where = "mixture_ot"
    sources, target, alpha = checks.floats(where, sources=sources, target=target, alpha=alpha)
    size = checks.shapes(where, sources=(sources, "s n d"), target=(target, "m d"), alpha=(alpha, "s"))
    points = sources.reshape(-1, size["d"])
    a = jnp.repeat(alpha / size["n"], size["n"])
    costs = cost_matrix_of(where, "cost", cost, points, target)
    checks.count(where, "max_steps", max_steps)
    # Shares of zero and sources equal to the target make hard problems; some Newton steps end what iterations do not.
    few = max_steps // 40
    result = sinkhorn_newton(costs, a, epsilon=epsilon, tol=tol, max_steps=few, max_sinkhorn_steps=max_steps)
    return jnp.where(result.status == Status.CONVERGED, result.cost, jnp.nan)


@rounded_once
def fit_ot_predictor(
    alphas: Float[Array, "r s"],
    sizes: Float[Array, " r"],
    costs: Float[Array, " r"],
    scores: Float[Array, " r"],
) -> ScorePredictor:
    """Least-squares fit of scores by mixture, transport cost and sample size.

    score = sum_k alpha_k (u_k + v_k cost) + w log(size),  the solution of least norm if the trials do not determine
    it.

    Args:
        alphas: Mixtures of the trials, [r, s], each of sum 1.
        sizes: Their sample sizes, [r], > 0.
        costs: Their transport costs to the target, [r].
        scores: Their measured scores, [r].

    Returns:
        ScorePredictor; `.predict(alpha, cost, size)` is the fitted score.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact in scores, and in the others if the trials determine the fit.

    Complexity: O(r s^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import fit_ot_predictor
        >>> alphas = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])
        >>> costs = jnp.array([0.1, 2.0, 1.0, 1.5, 0.5, 0.3])
        >>> fit = fit_ot_predictor(alphas, jnp.full(6, 100.0), costs, 0.9 - 0.2 * costs)
        >>> round(float(fit.predict(alphas[0], jnp.asarray(1.0), jnp.asarray(100.0))), 3)
        0.7

    References: [Kang2023].
    """
    where = "fit_ot_predictor"
    alphas, sizes, costs, scores = checks.floats(
        where, alphas=alphas, sizes=sizes, costs=costs, scores=scores
    )
    size = checks.shapes(
        where, alphas=(alphas, "r s"), sizes=(sizes, "r"), costs=(costs, "r"), scores=(scores, "r")
    )
    features = jnp.concatenate([alphas, alphas * costs[:, None], jnp.log(sizes)[:, None]], axis=1)
    coefficients = jnp.linalg.pinv(features, rtol=1e3 * float(jnp.finfo(scores.dtype).eps)) @ scores
    return ScorePredictor(coefficients[: size["s"]], coefficients[size["s"] : -1], coefficients[-1])


@rounded_once
def project_scale(
    score_small: Scalar, score_large: Scalar, size_small: Scalar, size_large: Scalar, size: Scalar
) -> Float[Array, ""]:
    """Extrapolation of a score to a new sample size from its values at two sizes.

    log(score) is taken as linear in log(size) through both points, which is exact for power laws, score = c size^-beta.

    Args:
        score_small: Score at `size_small`, > 0.
        score_large: Score at `size_large`, > 0.
        size_small: A sample size, > 0.
        size_large: Another one.
        size: The size to extrapolate to, > 0.

    Returns:
        Scalar in units of score; NaN if a score or size is not positive, or the sizes are equal.

    Raises:
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact.

    Complexity: O(1).

    Example:
        >>> from geojax.transport.laws import project_scale
        >>> round(float(project_scale(0.4, 0.2, 100, 400, 1600)), 4)  # an error that halves as the data quadruple
        0.1

    References: [Kang2023].
    """
    small, large, n0, n1, n = checks.floats(
        "project_scale",
        score_small=score_small,
        score_large=score_large,
        size_small=size_small,
        size_large=size_large,
        size=size,
    )
    place = (jnp.log(n) - jnp.log(n0)) / (jnp.log(n1) - jnp.log(n0))
    valid = (small > 0) & (large > 0) & (n0 > 0) & (n1 > 0) & (n > 0) & (n0 != n1)
    return jnp.where(valid, jnp.exp((1 - place) * jnp.log(small) + place * jnp.log(large)), jnp.nan)


@rounded_once
def select_mixture(
    objective: Callable[[Float[Array, " s"]], Float[Array, ""]],
    init: Float[Array, " s"],
    *,
    step_size: Scalar,
    tol: Scalar = 1e-4,
    max_steps: int = 500,
) -> MixtureSelectionResult:
    """Mixture that minimises an objective over the simplex, by exponentiated gradients.

    alpha_k <- alpha_k exp(-step_size d objective / d alpha_k), normalised. `error` is the gap
    max over mixtures beta of <grad, alpha - beta>, which bounds how far a convex objective, such as `mixture_ot`, is
    from its minimum.

    Args:
        objective: Mixture [s] -> scalar, differentiable.
        init: Mixture to start from, [s], positive, of sum 1; a share of zero stays zero.
        step_size: Step, > 0, in units of 1 / objective.
        tol: Gap to reach, in units of the objective.
        max_steps: Most steps; static.

    Returns:
        MixtureSelectionResult.

    Raises:
        ValueError: At trace time, if init is not a vector.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the objective or its gradient is not finite; INFEASIBLE if init has a
        negative entry or sums to zero.

    Differentiation: `objective` (of the result): envelope in what the function closes over. Others: none.

    Complexity: one gradient of the objective per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import select_mixture
        >>> r = select_mixture(lambda alpha: alpha @ jnp.array([1.0, 0.0]), jnp.array([0.5, 0.5]), step_size=1.0)
        >>> [round(float(share), 2) for share in r.alpha]
        [0.0, 1.0]

    References: [Kang2023]; [Kivinen1997].
    """
    (init,) = checks.floats("select_mixture", init=init)
    checks.shapes("select_mixture", init=(init, "s"))
    checks.count("select_mixture", "max_steps", max_steps)
    step_size, tol = (jnp.asarray(x, init.dtype) for x in (step_size, tol))
    slope = jax.grad(lambda alpha: objective(alpha))

    def step(alpha: Array) -> tuple[Array, Array]:
        gradient = jax.lax.stop_gradient(slope(alpha))
        gap = alpha @ gradient - jnp.min(jnp.where(alpha > 0, gradient, jnp.inf))
        moved = jnp.log(alpha) - step_size * gradient
        return jnp.where(gap <= tol, alpha, jax.nn.softmax(moved)), gap

    start = jax.lax.stop_gradient(vary_with(init / jnp.sum(init), init, step_size, tol))
    end = iterate(step, start, tol=tol, max_steps=max_steps)
    valid = jnp.all(init >= 0) & (jnp.sum(init) > 0)
    status = jnp.where(valid | jnp.isnan(jnp.sum(init)), end.status, Status.INFEASIBLE).astype(jnp.int32)
    alpha = jax.lax.stop_gradient(end.state)
    value = objective(alpha)
    status = jnp.where((status == Status.CONVERGED) & ~jnp.isfinite(value), Status.NONFINITE, status)
    return MixtureSelectionResult(alpha, value, end.error, end.num_steps, status.astype(jnp.int32))
