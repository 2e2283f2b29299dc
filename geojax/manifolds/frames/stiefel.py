"""Orthonormal frames with the metrics that weigh turning within the frame's span by beta."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import implicit, safe
from geojax._core.loops import iterate
from geojax._core.matrices.linalg import symmetric
from geojax._core.struct import struct
from geojax._core.trigonometric import exp1m_skew
from geojax.manifolds.base.geodesics import LogResult, WithLog, plane_area
from geojax.manifolds.frames.orthonormal import Frames, skew
from geojax.results import Status
from geojax.typing import Scalar

MAX_STEPS = 30
LENGTHS = (1.0, 0.4, 0.1, 0.0)
"""Fractions of a Newton step to try; the best one is taken, and none if the equation holds already."""
_DENSE = 128
"""With at most so many unknowns a Newton step solves by LU, with more by GMRES."""


@struct
class Stiefel(Frames, WithLog):
    """Orthonormal frames: {x in R^(n x p) : x^T x = 1}, with <u, v> = tr u^T v + (beta - 1) tr (x^T u)^T (x^T v).

    With A = x^T u, K = u - x A and S = K^T K, the geodesic from x along u ends in
      exp(x, u) = [x, K] exp([[2 beta A, -S], [1, 0]]) [1; 0] exp((1 - 2 beta) A).

    Args:
        beta: Weight of turning within the span of the frame, > 0; traced. 1 is the metric of the space of matrices
            (Euclidean), 1/2 the canonical one.

    Returns:
        A manifold whose points are matrices [n, p], n >= p. `retract` is the polar factor of x + u. `log` solves
        an equation in matrices of size p by Newton's method, which seldom fails below 2 radians;
        `log_with_info` says how that ended, and calls the logarithm unique if it is shorter than
        0.89 pi min(1, (2 beta)^(1/2)), within the injectivity radius for 1/2 <= beta <= 1. `dist` is the length of that
        logarithm. Both are NaN if Newton's method failed, as between frames that no curve joins. There is no
        `parallel_transport`; `pole_ladder` approximates it.

    Status: CONVERGED; MAX_STEPS if Newton's method found no geodesic; NONFINITE.

    Differentiation: exact; `log`, `dist` and `squared_dist` implicit, in the points and beta.

    Complexity: O(n p^2) an operation, and O(p^3) or, for p > 8, some tens of O(p^3) a Newton step of `log`; O(p^6)
        if p is at most 8. `project` takes a singular value decomposition.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Stiefel
        >>> x = jnp.eye(3, 2)
        >>> y = Stiefel().exp(x, jnp.array([[0.0, -0.3], [0.3, 0.0], [0.0, 0.4]]))
        >>> round(float(Stiefel().dist(x, y)), 4)
        0.5831

    References: [Edelman1998]; [Zimmermann2022] for the family of metrics and its geodesics; [ONeill1983], ch. 11, for
        the curvature.
    """

    beta: Scalar = 1.0

    def _to_tangent(self, x, u):
        return u - x @ symmetric(x.T @ u)

    def _inner(self, x, u, v):
        return jnp.vdot(u, v) + (self._beta(x) - 1) * jnp.vdot(x.T @ u, x.T @ v)

    def _riemannian_gradient(self, x, gradient):
        within = skew(x.T @ gradient)
        return self._to_tangent(x, gradient) + (1 / self._beta(x) - 1) * (x @ within)

    def _exp(self, x, u):
        within = x.T @ u
        across = u - x @ within
        first, second = _motion(skew(within), across.T @ across, self._beta(x))
        return x + (x @ first + across @ second)

    def _log(self, x, y):
        result = self._log_with_info(x, y)
        # The last iterate of a failed search is no logarithm.
        return result.tangent + jnp.where(result.status == Status.CONVERGED, 0, jnp.nan).astype(x.dtype)

    def _log_with_info(self, x, y):
        apart = y - x
        within = x.T @ apart
        across = apart - x @ within
        solution = _solve(within, across.T @ across, self._beta(x), _defect(x) + _defect(y))
        tangent = x @ solution.within + across @ solution.across
        reach = 0.89 * jnp.pi * jnp.minimum(1, safe.sqrt(2 * self._beta(x)))
        unique = (solution.status == 0) & (self._norm(x, tangent) < reach)
        return LogResult(tangent, unique, solution.error, solution.num_steps, solution.status)

    def _squared_dist(self, x, y):
        tangent = self._log(x, y)
        return self._inner(x, tangent, tangent)

    def _sectional_curvature(self, x, u, v):
        # Of a naturally reductive space: |[u, v]_m|^2 / 4 + |[u, v]_h|^2 in so(n) + so(p), with a form of either sign.
        beta = self._beta(x)
        a, b = skew(x.T @ u), skew(x.T @ v)
        k, l = u - x @ (x.T @ u), v - x @ (x.T @ v)
        bracket, mixed = a @ b - b @ a, l.T @ k
        across = 2 * beta * (k @ b - l @ a)
        inner = 4 * beta**2 * bracket + mixed - mixed.T
        moving = inner - (1 - 2 * beta) ** 2 * bracket
        held = inner + 2 * beta * (1 - 2 * beta) * bracket
        outer = jnp.vdot(k.T @ k, l.T @ l) - jnp.vdot(mixed.T, mixed)
        square = (beta * jnp.vdot(moving, moving) + jnp.vdot(across, across)) / 4
        square = square + (1 - 2 * beta) / 2 * jnp.vdot(held, held) + outer
        area = plane_area(self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v))
        return square / area

    def _dimension(self, x):
        n, p = x.shape
        return n * p - p * (p + 1) // 2

    def _beta(self, x):
        return jnp.asarray(self.beta, x.dtype)


class _Log(NamedTuple):
    """A logarithm x A + H B, H the part of y - x orthogonal to the span of x, and how Newton's method ended."""

    within: Float[Array, "p p"]
    across: Float[Array, "p p"]
    error: Array
    num_steps: Array
    status: Array


def _motion(within, gram, beta):
    """Coefficients (c_1 - 1, c_2) of exp(x, x A + K) = x c_1 + K c_2, with A = within and K^T K = gram."""
    p = within.shape[0]
    # The result does not depend on `size`; dividing by it makes the two off-diagonal blocks equally large.
    size = jnp.sqrt(jnp.max(jnp.sum(jnp.abs(jax.lax.stop_gradient(gram)), axis=1), initial=0))
    size = jnp.where(size > 0, size, 1)
    eye = jnp.eye(p, dtype=within.dtype)
    generator = jnp.block([[2 * beta * within, -gram / size], [size * eye, jnp.zeros_like(eye)]])
    turned = exp1m_skew(generator)[:, :p]
    back = exp1m_skew((1 - 2 * beta) * within)
    return turned[:p] + back + turned[:p] @ back, (turned[p:] + turned[p:] @ back) / size


def _defect(x):
    """How far the columns of x are from orthonormal; 0 if that is more than rounding, even of float32, explains."""
    defect = jax.lax.stop_gradient(jnp.max(jnp.abs(x.T @ x - jnp.eye(x.shape[1], dtype=x.dtype))))
    return jnp.where(defect < 1e-4, defect, 0)


def _solve(overlap, gram, beta, defect):
    """A and B with exp(x, x A + H B) = y, given x^T (y - x) = overlap and H^T H = gram.

    The unknowns are A / size and B, which are of order 1 even for points that are very near. The curve ends in a frame,
    so it misses a y that is none by about `defect`, which is forgiven.
    """
    size = jax.lax.stop_gradient(jnp.maximum(jnp.max(jnp.abs(overlap)), jnp.sqrt(jnp.max(jnp.abs(gram)))))
    size = jnp.where(size == 0, 1, size)
    eye = jnp.eye(overlap.shape[0], dtype=overlap.dtype)
    theta = overlap, gram, beta

    def residual(unknown, theta):
        overlap, gram, beta = theta
        turn, stretch = unknown
        first, second = _motion(size * skew(turn), stretch.T @ gram @ stretch, beta)
        rest = stretch @ second
        # Near the root y^T exp(x, .) - 1 vanishes if its skew part does; x^T (exp(x, .) - y) vanishes at the root only.
        joint = overlap.T + first + overlap.T @ first + gram @ rest
        return (skew(joint) / size + symmetric(turn), rest - eye), first - overlap

    def equation(unknown, theta):
        return residual(unknown, theta)[0]

    linear_solve = implicit.dense if 2 * overlap.size <= _DENSE else implicit.krylov
    tol = 20 * overlap.shape[0] * float(jnp.finfo(overlap.dtype).eps)

    def newton(theta):
        overlap, gram, beta = theta

        def at(part):
            """The problem for a metric between the Euclidean one, for which the start is good, and the given one."""
            return overlap, gram, beta + part * (1 - beta)

        def judged(unknown, part):
            left, gap = residual(unknown, at(part))
            missed = jnp.maximum(jnp.abs(gap) - 4 * defect, 0)
            return jnp.max(jnp.abs(jnp.stack([*left, missed])))

        def step(state):
            unknown, part = state
            left, pushed = jax.linearize(lambda w: equation(w, at(part)), unknown)
            change = linear_solve(pushed, left)
            lengths = jnp.asarray(LENGTHS, overlap.dtype)
            tried = jax.vmap(
                lambda t: jax.tree.map(lambda w, v: jnp.where(t == 0, w, w - t * v), unknown, change)
            )(lengths)
            errors = jax.vmap(judged, (0, None))(tried, part)
            # At a right angle to the span of x the derivative is singular, and a step from the solution leads away.
            useless = jnp.isnan(errors) | ((lengths == 0) & (errors > tol))
            best = jnp.argmin(jnp.where(useless, jnp.inf, errors))
            error = errors[best]
            following = jnp.where(error < 0.3, jnp.maximum(part - 0.5, 0), part)
            state = jax.tree.map(lambda leaf: leaf[best], tried), following
            return state, jnp.where(part > 0, jnp.maximum(error, 1), error)

        start = _start(overlap, size), jnp.where(size > 0.5, jnp.ones_like(size), 0)
        end = iterate(step, start, tol=tol, max_steps=MAX_STEPS)
        return end.state[0], (end.error, end.num_steps, end.status)

    (turn, stretch), ended = implicit.root(newton, equation, theta, linear_solve=linear_solve)
    return _Log(size * skew(turn), stretch, *ended)


def _start(overlap, size):
    """The solution if turns within the span and out of it commute: t / sin(t), cos(t) the symmetric part of x^T y."""
    near = 4 * float(jnp.finfo(overlap.dtype).eps) ** 0.5
    values, vectors = jnp.linalg.eigh(-symmetric(overlap))
    stretch = (vectors * safe.angle_over_sine1m(jnp.clip(values, 0, 2 - near))) @ vectors.T
    return skew(stretch @ skew(overlap)) / size, stretch
