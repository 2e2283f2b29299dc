"""The trust-region method on manifolds, with truncated conjugate gradients."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.loops import iterate
from geojax._core.struct import static, struct
from geojax.optim.curved.problem import Problem, chosen, combined, safe_ratio, scaled
from geojax.typing import Scalar


@struct
class TrustRegionState:
    """State of the descent: the point, and the radius within which the quadratic model is trusted."""

    point: Any
    value: Array
    gradient: Any
    gradient_norm: Array
    radius: Array
    first_norm: Array
    first_size: Array


@struct(kw_only=True)
class TrustRegion:
    """The trust-region method with exact Hessian-vector products, for `minimize`.

    x <- retract(x, u), where u is an approximate minimum, by truncated conjugate gradients, of the quadratic model

        f + <grad f, u> + <Hess f[u], u> / 2   over  |u| <= radius,

    Hess f is the Riemannian Hessian if the metric is that of the space around the manifold. On other manifolds it is
    the Hessian of the pullback v -> f(retract(x, v)), which is the same at critical points for every retraction. A step
    is refused if f falls by less than `decrease` times the fall that the model predicts. The radius starts at eight
    times the length of the model's steepest descent step. It is divided by four after a poor prediction, and doubled
    after a good one that ends on the boundary.

    Args:
        decrease: Smallest accepted fraction of the predicted decrease, in (0, 1/4). Traced.
        max_inner_steps: Largest number of Hessian-vector products in a step; a Python integer.

    Returns:
        A method; superlinear at minima with a definite Hessian. `num_steps` counts steps, not products. The function
        must be differentiable twice, reverse mode then forward mode.

    Differentiation: as `minimize`.

    Complexity: Up to max_inner_steps Hessian-vector products in each step, each at the cost of two gradients.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import TrustRegion, minimize
        >>> f = lambda x: jnp.sum(jnp.arange(1.0, 4.0) * x**2)
        >>> result = minimize(Sphere(), f, jnp.ones(3) / jnp.sqrt(3.0), method=TrustRegion(), tol=1e-4)
        >>> round(float(result.value), 4)
        1.0

    References: [Absil2007]; [Absil2008], ch. 7.
    """

    decrease: Scalar = 0.1
    max_inner_steps: int = static(default=100)

    def start(self, problem: Problem, point: Any) -> TrustRegionState:
        """State at the first point, one Hessian-vector product along the gradient."""
        value, gradient = problem.value_and_gradient(point)
        m, zero = problem.manifold, scaled(0, gradient)
        norm = m.norm(point, gradient)
        curvature = m.inner(point, gradient, problem.hessian(point, zero)(gradient))
        radius = 8 * safe_ratio(norm**3, jnp.abs(curvature), jnp.ones_like(norm))
        return TrustRegionState(point, value, gradient, norm, radius, norm, jnp.abs(value))

    def step(self, problem: Problem, state: TrustRegionState) -> TrustRegionState:
        """One trial."""
        m = problem.manifold
        move, predicted, at_boundary = self._inner(problem, state)
        point = m.retract(state.point, move)
        value, gradient = problem.value_and_gradient(point)
        slope, carried = (
            m.inner(state.point, state.gradient, move),
            m.vector_transport(state.point, move, move),
        )
        change = problem.change(state, slope, point, value, gradient, carried)
        ratio = -change / jnp.where(predicted > 0, predicted, 1)
        # Comparisons with NaN are false, so a step that is not known to be good is refused.
        radius = jnp.where(ratio >= 0.25, state.radius, state.radius / 4)
        radius = jnp.where((ratio > 0.75) & at_boundary, 2 * state.radius, radius)
        moved = TrustRegionState(
            point, value, gradient, m.norm(point, gradient), radius, state.first_norm, state.first_size
        )
        kept = TrustRegionState(
            state.point,
            state.value,
            state.gradient,
            state.gradient_norm,
            radius,
            state.first_norm,
            state.first_size,
        )
        return chosen(ratio > self.decrease, moved, kept)

    def _inner(self, problem: Problem, state: TrustRegionState) -> tuple[Any, Array, Array]:
        """Minimise the model in the ball: the step, the decrease it predicts, and whether it ends on the boundary."""
        m, x, radius, g = problem.manifold, state.point, state.radius, state.gradient
        zero = scaled(0, g)
        hessian = problem.hessian(x, zero)
        size = state.gradient_norm
        unit = jnp.where(size > 0, size, 1)
        goal = jnp.minimum(0.1, size / jnp.where(state.first_norm > 0, state.first_norm, 1))

        def step(carry: Any) -> tuple[Any, Array]:
            u, hu, residual, direction, squared, _ = carry
            h = hessian(direction)
            curvature = m.inner(x, direction, h)
            length = squared / jnp.where(curvature > 0, curvature, 1)
            ahead = combined(u, length, direction)
            outside = ~((curvature > 0) & (m.norm(x, ahead) < radius))
            length = jnp.where(outside, _to_boundary(m, x, u, direction, radius), length)
            u, hu = combined(u, length, direction), combined(hu, length, h)
            residual = combined(residual, length, h)
            following = m.inner(x, residual, residual)
            ratio = following / jnp.where(squared > 0, squared, 1)
            direction = combined(scaled(-1, residual), ratio, direction)
            error = jnp.where(outside, 0, jnp.sqrt(following) / unit)
            return (u, hu, residual, direction, following, outside), error

        start = zero, zero, g, scaled(-1, g), size**2, jnp.asarray(False)
        end = iterate(step, start, tol=goal, max_steps=self.max_inner_steps)
        u, hu, _, _, _, outside = end.state
        predicted = -m.inner(x, g, u) - m.inner(x, u, hu) / 2
        return u, predicted, outside


def _to_boundary(m: Any, x: Any, u: Any, direction: Any, radius: Array) -> Array:
    """The positive t with |u + t direction| = radius, for |u| <= radius."""
    dd, ud, uu = m.inner(x, direction, direction), m.inner(x, u, direction), m.inner(x, u, u)
    room = jnp.maximum(radius**2 - uu, 0)
    root = jnp.sqrt(ud**2 + dd * room)
    # The root has two forms; this is the one without cancellation.
    steep = ud > 0
    return jnp.where(steep, room / jnp.where(steep, ud + root, 1), (root - ud) / jnp.where(dd > 0, dd, 1))
