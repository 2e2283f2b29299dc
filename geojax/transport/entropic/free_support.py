"""Barycentres of point clouds whose own points move."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, implicit
from geojax._core.loops import iterate, reachable, vary_with
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.costs import SquaredEuclidean, pairwise
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import scaling
from geojax.transport.measures import arrays, coarsest_ulp, number, sums_to_one, uniform
from geojax.typing import Scalar

DENSE = 256  # coordinates and potentials up to which derivatives use a direct solve


@struct
class FreeSupportResult:
    """The `points` [n, d] of a barycentre, its `cost`, and how the iteration ended.

    `error` is the root mean square move of the points in the last step, in units of length.
    """

    points: Float[Array, "n d"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def free_support_barycenter(
    y: Float[Array, "k m d"],
    b: Float[Array, "k m"] | None = None,
    weights: Float[Array, " k"] | None = None,
    *,
    init: Float[Array, "n d"],
    epsilon: Scalar,
    tol: Scalar | None = None,
    max_steps: int = 500,
    max_inner_steps: int = 2000,
) -> FreeSupportResult:
    """Barycentre of point clouds under squared Euclidean costs, as n points of equal weight (a local optimum).

    Minimises  sum_k w_k OT_epsilon(x, y_k)  over the points x, where OT_epsilon is the optimal value of `sinkhorn`
    between x with weights 1 / n and y_k with weights b_k, for the cost |x_i - y_kj|^2. Each step moves every point to
    the mean of the targets that the couplings assign to it, x_i = n sum_k w_k sum_j P_kij y_kj, which never raises
    the objective.

    Args:
        y: Points of the measures, [k, m, d]. If the clouds differ in size, pad them with points of weight zero.
        b: Weights of the points, [k, m], nonnegative, each row of sum 1. By default 1 / m each.
        weights: Weights of the measures in the mean, [k], nonnegative, of sum 1. By default 1 / k each.
        init: Points to start from, [n, d]; n is the size of the barycentre. Points that coincide stay together.
        epsilon: Strength of the entropy, > 0, in units of squared length.
        tol: Root mean square move of the points to reach, in units of length; by default 1e-5 of the extent of y. Where
            rounding allows less, what it allows counts. The couplings of a step are solved until the mass that is
            misplaced moves the points by a tenth of that.
        max_steps: Most steps; static.
        max_inner_steps: Most Sinkhorn iterations of a step; static.

    Returns:
        FreeSupportResult.

    Raises:
        ValueError: At trace time, if the shapes disagree or something is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED; MAX_STEPS, also if the couplings of the last step did not converge; INFEASIBLE and NONFINITE as
        `sinkhorn`.

    Differentiation: `cost`: envelope, to first order. `points`: implicit. In y, b, weights and epsilon; not in init.
        b and weights may change only so that their sums stay fixed; the gradient is defined for such changes.

    Complexity: O(k n m) memory; k problems of `sinkhorn` per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import free_support_barycenter
        >>> y = jnp.array([[[0.0, 0.0], [0.0, 1.0]], [[4.0, 0.0], [4.0, 1.0]]])
        >>> r = free_support_barycenter(
        ...     y, init=jnp.array([[1.0, 0.2], [1.0, 0.9]]), epsilon=0.05
        ... )
        >>> [[round(float(v), 2) + 0.0 for v in p] for p in r.points]
        [[2.0, 0.0], [2.0, 1.0]]

    References: [Cuturi2014].
    """
    where = "free_support_barycenter"
    checks.no_explicit_axes(where, y, b, weights, init)
    y, init = arrays(where, y=y, init=init)
    ulp = coarsest_ulp(y.dtype, b, weights)
    if jnp.ndim(y) == 3:
        b = jnp.broadcast_to(uniform(y.shape[1], y.dtype), y.shape[:2]) if b is None else b
        weights = uniform(y.shape[0], y.dtype) if weights is None else weights
    elif b is None or weights is None:
        checks.shapes(where, y=(y, "k m d"))
    y, b, weights, init = arrays(where, y=y, b=b, weights=weights, init=init)
    size = checks.shapes(where, y=(y, "k m d"), b=(b, "k m"), weights=(weights, "k"), init=(init, "n d"))
    if 0 in (size["k"], size["m"], size["n"]):
        raise ValueError(
            f"{where}: y has shape {list(y.shape)} and init {list(init.shape)}; expected at least one measure, one "
            "point in each and one in the barycentre. Leave empty problems out."
        )
    checks.count(where, "max_steps", max_steps)
    checks.count(where, "max_inner_steps", max_inner_steps, minimum=1)
    dtype = y.dtype
    extent = _extent(jax.lax.stop_gradient(y))
    asked = 1e-5 * extent if tol is None else number(where, "tol", tol, dtype)
    data = _Data(y, b, weights, number(where, "epsilon", epsilon, dtype))
    start, *values = vary_with((init, *data), init, tuple(data), asked)
    data = _Data(*values)
    # A share of the mass that is misplaced moves a point by that share of the extent.
    ulp_of_costs = float(jnp.finfo(dtype).eps) * extent**2
    share = reachable(asked / extent, ulp_of_costs, jax.lax.stop_gradient(data.epsilon))
    limit = extent * share
    inner = jnp.maximum(_rounding(dtype), 0.1 * share)

    def solve(data: _Data) -> tuple[_Unknown, Any]:
        first = _State(_Unknown(jax.lax.stop_gradient(start), jnp.zeros_like(data.b)), jnp.zeros_like(limit))
        end = iterate(_step(data, inner, max_inner_steps), first, tol=limit, max_steps=max_steps)
        return end.state.unknown, (end.state.misplaced, end.error, end.num_steps, end.status)

    linear_solve = implicit.dense if init.size + b.size <= DENSE else implicit.krylov
    solution, aux = implicit.fixed_point(solve, _updated, data, linear_solve=linear_solve)
    misplaced, error, num_steps, status = aux
    fixed, held = jax.lax.stop_gradient((data, solution))
    slack = 8 * (weights.size + b.size) * ulp + _rounding(dtype)
    feasible = sums_to_one(fixed.b, slack) & sums_to_one(fixed.weights, slack) & (fixed.epsilon > 0)
    coupled = misplaced <= inner
    status = jnp.where(coupled | (status != Status.CONVERGED), status, Status.MAX_STEPS)
    value = _value(held, _row_potentials(held, fixed), data)
    return FreeSupportResult(
        solution.x,
        value,
        error,
        num_steps,
        dual.judged(status, feasible, *fixed, jax.lax.stop_gradient(init)),
    )


class _Data(NamedTuple):
    y: Float[Array, "k m d"]
    b: Float[Array, "k m"]
    weights: Float[Array, " k"]
    epsilon: Float[Array, ""]


class _Unknown(NamedTuple):
    """The points and the potentials of the clouds, <g_k, b_k> = 0."""

    x: Float[Array, "n d"]
    g: Float[Array, "k m"]


class _State(NamedTuple):
    unknown: _Unknown
    misplaced: Float[Array, ""]  # largest marginal error of the couplings


def _rounding(dtype: Any) -> float:
    """A marginal error that is nothing but rounding."""
    return 16 * float(jnp.finfo(dtype).eps)


def _extent(y: Array) -> Float[Array, ""]:
    """The largest extent of the points along a coordinate; 1 if they are all the same."""
    size = jnp.max(jnp.max(y, axis=(0, 1)) - jnp.min(y, axis=(0, 1)))
    return jnp.where(size > 0, size, 1)


def _costs(x: Array, y: Array) -> Float[Array, "k n m"]:
    """Squared distances from the points x to those of each cloud."""
    return jax.vmap(lambda cloud: pairwise(SquaredEuclidean(), x, cloud))(y)


def _centred(g: Array, b: Array) -> Array:
    """The potentials with their constants chosen so that <g_k, b_k> = 0."""
    return g - jnp.sum(g * b, axis=1, keepdims=True) / jnp.sum(b, axis=1, keepdims=True)


def _row_potentials(unknown: _Unknown, data: _Data) -> Float[Array, "k n"]:
    """The best f_k for each g_k."""
    shifted = _costs(unknown.x, data.y) - unknown.g[:, None]
    return jax.vmap(dual.softmin, (0, 0, None))(shifted, data.b, data.epsilon)


def _means(f: Array, unknown: _Unknown, data: _Data) -> Float[Array, "n d"]:
    """The mean target of each point under the couplings with these potentials, averaged over the clouds."""
    kernels = jax.vmap(dual.kernel, (0, 0, 0, None))(f, unknown.g, _costs(unknown.x, data.y), data.epsilon)
    shares = kernels * data.b[:, None]
    shares = shares / jnp.sum(shares, axis=2, keepdims=True)
    return jnp.einsum("k,knm,kmd->nd", data.weights, shares, data.y)


def _updated(unknown: _Unknown, data: _Data) -> _Unknown:
    """One scaling of rows and columns and one move of the points; the solution is its fixed point."""
    f = _row_potentials(unknown, data)
    a = jnp.full_like(f[0], 1 / f.shape[1])
    shifted = jnp.swapaxes(_costs(unknown.x, data.y), 1, 2) - f[:, None]
    g = jax.vmap(dual.softmin, (0, None, None))(shifted, a, data.epsilon)
    return _Unknown(_means(f, unknown, data), _centred(g, data.b))


def _step(data: _Data, inner_tol: Array, max_inner_steps: int):
    """Solve for the couplings from the last potentials, then move the points."""

    def step(now: _State) -> tuple[_State, Array]:
        x, g = now.unknown
        a = jnp.full_like(x[:, 0], 1 / x.shape[0])

        def couple(costs: Array, b: Array, g: Array) -> tuple[Array, Array, Array]:
            end = scaling(
                costs, a, b, data.epsilon, g, tol=inner_tol, max_steps=max_inner_steps, start_epsilon=None
            )
            # What converged, by what rounding allows, is within the tolerance.
            done = end.status == Status.CONVERGED
            return *end.state, jnp.where(done, jnp.minimum(end.error, inner_tol), end.error)

        f, g, errors = jax.vmap(couple)(_costs(x, data.y), data.b, g)
        following = _means(f, _Unknown(x, g), data)
        move = jnp.sqrt(jnp.mean(jnp.sum((following - x) ** 2, axis=1)))
        return _State(_Unknown(following, _centred(g, data.b)), jnp.max(errors)), move

    return step


def _value(held: _Unknown, f: Array, data: _Data) -> Array:
    """The dual value; with points and potentials held fixed, its derivatives are those of the minimum."""
    kernels = jax.vmap(dual.kernel, (0, 0, 0, None))(f, held.g, _costs(held.x, data.y), data.epsilon)
    mass = jnp.sum(data.b * jnp.mean(kernels, axis=1), axis=1)
    values = jnp.mean(f, axis=1) + jnp.sum(held.g * data.b, axis=1) - data.epsilon * (mass - 1)
    return data.weights @ values
