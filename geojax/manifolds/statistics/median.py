"""The Fréchet median: the point with the least weighted sum of distances, by Weiszfeld's iteration, accelerated.

Away from the points the gradient of sum_i w_i d_i is -sum_i w_i log_x(x_i) / d_i, and Weiszfeld's step divides it by
sum_i w_i / d_i. At a point x_k the sum has a kink of strength w_k: the smallest subgradient is the others' pull less
w_k, and if the pull is at most w_k, x_k is the median [Vardi2000]. The iteration only creeps towards such a point, so a
point whose term is more than half of sum_i w_i / d_i is tried at once; no point is tried twice.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks, safe
from geojax._core.loops import iterate, vary_with
from geojax._core.precision import rounded_once
from geojax.manifolds.base import stacked
from geojax.manifolds.base.descent import stationary
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.units import unit_and_tol
from geojax.manifolds.statistics.mean import MeanResult, ambient_mean, judged
from geojax.typing import PyTree, Scalar

LONGEST = 30  # the longest step, in units of Weiszfeld's


class _State(NamedTuple):
    x: Any
    pull: Any
    length: Float[Array, ""]
    nearest: Int[Array, ""]
    tries_point: Bool[Array, ""]
    tried: Bool[Array, " n"]
    started: Bool[Array, ""]


class _Pull(NamedTuple):
    descent: Any
    total: Float[Array, ""]
    nearest: Int[Array, ""]
    near_share: Float[Array, ""]


@rounded_once
def frechet_median(
    manifold: WithLog,
    points: PyTree,
    weights: Float[Array, " n"] | None = None,
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 200,
) -> MeanResult:
    """Weighted Fréchet (geometric) median of points on a manifold.

    Minimises  sum_i w_i dist(x, x_i) / sum_i w_i.

    Args:
        manifold: The space; its metric parameters may be traced.
        points: Points stacked on a leading axis of size n (of each leaf, if points are trees), or a list of points.
        weights: Weights, [n], nonnegative, of positive sum; equal if left out.
        tol: Norm of the smallest subgradient to reach; a pure number, as the gradient of a distance is; or
            what rounding allows, if that is more.
        max_steps: Most gradients to evaluate; static.

    Returns:
        MeanResult. The median is unique if the points are not all on one geodesic and lie within a ball that is small
        enough (any ball if curvature is nowhere positive). If it is one of the points, it is exactly that one.

    Raises:
        ValueError: At trace time, if there is no point, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN or an infinity; INFEASIBLE if a weight is
        negative or none is positive.

    Differentiation: `point`: implicit, in points, weights and the manifold's parameters; if the median is one of the
        points, it moves with that point alone.

    Complexity: n logarithms a step; about 10 to 30 steps to rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, frechet_median
        >>> float(frechet_median(Euclidean(), jnp.array([[0.0], [1.0], [9.0]])).point[0])
        1.0

    References: [Weiszfeld1937]; [Vardi2000]; [Fletcher2009] on manifolds.
    """
    check_manifold("frechet_median", manifold, "log")
    checks.no_explicit_axes("frechet_median", points)
    return _median(manifold, points, weights, tol, checks.count("frechet_median", "max_steps", max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _median(
    manifold: WithLog, points: PyTree, weights: Array | None, tol: Scalar, max_steps: int
) -> MeanResult:
    points, num = stacked.points_of("frechet_median", manifold, points)
    weights = stacked.weights_of("frechet_median", weights, num, stacked.real_dtype(points))
    theta = manifold, points, weights
    held, fixed, shares = jax.lax.stop_gradient((manifold, points, weights / jnp.sum(weights)))
    start = ambient_mean(held, fixed, shares)
    # The gradient of a distance is a pure number: rounding changes it by its share of the distance.
    _, tol = unit_and_tol(held, start, fixed, tol)
    end = iterate(
        _step(held, fixed, shares),
        _start(start, num, (held, fixed, shares)),
        tol=tol,
        max_steps=max_steps,
    )
    x, nearest = end.state.x, end.state.nearest
    own = jax.tree.map(lambda leaf: leaf[nearest], points)
    at_point = held._dist(x, jax.lax.stop_gradient(own)) == 0
    # The implicit equation has no derivative at a kink: there it is posed elsewhere, and its solution is not used.
    aside = jax.tree.map(lambda leaf: leaf[jnp.argmax(_distances(held, x, fixed))], fixed)
    smooth = stationary(
        lambda theta: theta[0],
        lambda y, theta: _gradient(y, *theta),
        stacked.chosen(at_point, held._geodesic(x, aside, jnp.asarray(0.5, shares.dtype)), x),
        theta,
    )
    return MeanResult(
        stacked.chosen(at_point, own, smooth), end.error, end.num_steps, judged(end.status, weights)
    )


def _start(x: PyTree, num: int, others: PyTree) -> _State:
    dtype = stacked.real_dtype(x)
    no = jnp.asarray(False)
    zero = jax.tree.map(jnp.zeros_like, x)
    state = _State(x, zero, jnp.zeros((), dtype), jnp.asarray(0, jnp.int32), no, jnp.zeros(num, bool), no)
    return vary_with(state, x, others)


def _step(manifold: WithLog, points: PyTree, shares: Array):
    """Try one of the points, or move along the pull; if the pull then points back, undo the move and shorten it."""

    def step(state: _State) -> tuple[_State, Array]:
        def move(t: Array) -> Any:
            return manifold._exp(state.x, stacked.scaled(t * state.length, state.pull))

        one = jnp.ones_like(state.length)
        moved, velocity = jax.jvp(move, (one,), (one,))
        candidate = jax.tree.map(lambda leaf: leaf[state.nearest], points)
        trial = stacked.chosen(state.tries_point, candidate, moved)
        ahead = _pull(manifold, trial, points, shares)
        before = state.length * jnp.square(manifold._norm(state.x, state.pull))
        back = -manifold._inner(trial, velocity, ahead.descent)
        accepted = (back <= 0.9 * before) | state.tries_point | ~state.started
        tried = state.tried.at[state.nearest].set(state.tried[state.nearest] | state.tries_point)
        x, pull = stacked.chosen(accepted, (trial, ahead.descent), (state.x, state.pull))
        # Weiszfeld's length is a safe one; if the slope along the last step allows it, the next is longer.
        secant = jnp.where(before + back > 0, before / jnp.where(before + back > 0, before + back, 1), 4)
        safe_length = 1 / jnp.where(ahead.total > 0, ahead.total, 1)
        longer = jnp.clip(secant * state.length, safe_length, LONGEST * safe_length)
        longer = jnp.where(state.tries_point | ~state.started, safe_length, longer)
        length = jnp.where(accepted, longer, state.length * jnp.clip(secant, 0.1, 0.5))
        nearest = jnp.where(accepted, ahead.nearest, state.nearest)
        tries = accepted & (ahead.near_share > ahead.total / 2) & ~tried[nearest]
        following = _State(x, pull, length, nearest, tries, tried, jnp.asarray(True))
        return following, manifold._norm(x, pull)

    return step


def _distances(manifold: WithLog, x: PyTree, points: PyTree) -> Float[Array, " n"]:
    return jax.vmap(lambda point: manifold._dist(x, point))(points)


def _pull(manifold: WithLog, x: PyTree, points: PyTree, shares: Array) -> _Pull:
    """Minus the smallest subgradient, and Weiszfeld's sum with its largest term."""
    logs = stacked.logs(manifold, x, points)
    apart = jax.vmap(lambda u: manifold._norm(x, u))(logs)
    here = apart == 0
    strength = jnp.where(here, 0, shares / jnp.where(here, 1, apart))
    pull = stacked.combination(strength, logs)
    size = manifold._norm(x, pull)
    held = jnp.sum(jnp.where(here, shares, 0))
    left = jnp.maximum(1 - held / jnp.where(size > 0, size, 1), 0)
    nearest = jnp.where(jnp.any(here), jnp.argmax(here), jnp.argmax(strength)).astype(jnp.int32)
    left = jnp.where(jnp.isnan(size), size, left)
    return _Pull(stacked.scaled(left, pull), jnp.sum(strength), nearest, strength[nearest])


def _gradient(x: PyTree, manifold: WithLog, points: PyTree, weights: Array) -> Any:
    apart = safe.sqrt(jax.vmap(lambda point: manifold._squared_dist(x, point))(points))
    strength = jnp.where(apart > 0, weights / jnp.where(apart > 0, apart, 1), 0)
    return manifold._mean_log(x, points, -strength / jnp.sum(weights))
