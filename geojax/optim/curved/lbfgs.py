"""Limited-memory BFGS on manifolds."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.struct import static, struct
from geojax.optim.curved.problem import Problem, chosen, combined, safe_ratio, scaled
from geojax.typing import Scalar


@struct
class LBFGSState:
    """State of the descent, with the direction to try next and the pairs of steps and changes of the gradient."""

    point: Any
    value: Array
    gradient: Any
    gradient_norm: Array
    direction: Any
    step: Array
    steps: Any
    changes: Any
    first_size: Array


@struct(kw_only=True)
class LBFGS:
    """Limited-memory BFGS, for `minimize`.

    x <- retract(x, -t H grad f(x)), where H is the BFGS approximation of the inverse Hessian from the last pairs of
    steps s and changes of the gradient y, moved to x by vector transport. t starts at 1 and is halved until

        f(new) <= f + decrease t <grad f, direction>,

    Every trial counts as a step. Pairs without positive curvature, <s, y> <= 1e-8 |s| |y|, are left out.

    Args:
        memory: Number of pairs; a Python integer >= 1.
        decrease: Fraction of the decrease that the slope predicts, in (0, 1). Traced.

    Returns:
        A method: one value and gradient, one retraction and 2 memory vector transports in each step.

    Differentiation: as `minimize`.

    Complexity: Memory of 2 memory points.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import LBFGS, minimize
        >>> f = lambda x: jnp.sum(jnp.arange(1.0, 4.0) * x**2)
        >>> result = minimize(Sphere(), f, jnp.ones(3) / jnp.sqrt(3.0), method=LBFGS(), tol=1e-4)
        >>> round(float(result.value), 4)
        1.0

    References: [HuangGallivanAbsil2015]; [Nocedal1980] for the memory.
    """

    memory: int = static(default=8)
    decrease: Scalar = 1e-4

    def start(self, problem: Problem, point: Any) -> LBFGSState:
        """State at the first point; the first trial has length 1."""
        value, gradient = problem.value_and_gradient(point)
        norm = problem.manifold.norm(point, gradient)
        direction = scaled(-safe_ratio(jnp.ones_like(norm), norm, jnp.ones_like(norm)), gradient)
        empty = jax.tree.map(lambda leaf: jnp.zeros((self.memory, *leaf.shape), leaf.dtype), gradient)
        return LBFGSState(
            point, value, gradient, norm, direction, jnp.ones_like(value), empty, empty, jnp.abs(value)
        )

    def step(self, problem: Problem, state: LBFGSState) -> LBFGSState:
        """One trial."""
        m = problem.manifold
        move = scaled(state.step, state.direction)
        point = m.retract(state.point, move)
        value, gradient = problem.value_and_gradient(point)

        def carried(pairs: Any) -> Any:
            both = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *pairs)
            moved = jax.vmap(lambda v: m.vector_transport(state.point, move, v))(both)
            return (
                jax.tree.map(lambda leaf: leaf[: self.memory], moved),
                jax.tree.map(lambda leaf: leaf[self.memory :], moved),
            )

        change = combined(gradient, -1, m.vector_transport(state.point, move, state.gradient))
        step = m.vector_transport(state.point, move, move)
        slope = m.inner(state.point, state.gradient, move)
        accepted = problem.change(state, slope, point, value, gradient, step) <= self.decrease * slope
        old_steps, old_changes = carried((state.steps, state.changes))
        steps, changes = _pushed(old_steps, step), _pushed(old_changes, change)
        direction = _direction(m, point, gradient, steps, changes)
        norm = m.norm(point, gradient)
        steepest = scaled(-safe_ratio(jnp.ones_like(norm), norm, jnp.ones_like(norm)), gradient)
        downhill = m.inner(point, gradient, direction) < 0
        moved_on = LBFGSState(
            point,
            value,
            gradient,
            norm,
            chosen(downhill, direction, steepest),
            jnp.ones_like(value),
            steps,
            changes,
            state.first_size,
        )
        kept = LBFGSState(
            state.point,
            state.value,
            state.gradient,
            state.gradient_norm,
            state.direction,
            state.step / 2,
            state.steps,
            state.changes,
            state.first_size,
        )
        return chosen(accepted, moved_on, kept)


def _pushed(stack: Any, newest: Any) -> Any:
    return jax.tree.map(lambda old, new: jnp.concatenate([old[1:], new[None]]), stack, newest)


def _direction(m: Any, x: Any, gradient: Any, steps: Any, changes: Any) -> Any:
    """-H grad by the two-loop recursion over the pairs, oldest first; pairs without curvature have weight zero."""
    inner = jax.vmap(lambda u, v: m.inner(x, u, v))
    ss, sy, yy = inner(steps, steps), inner(steps, changes), inner(changes, changes)
    curved = sy > 1e-8 * jnp.sqrt(ss * yy)
    inverse = jnp.where(curved, 1 / jnp.where(curved, sy, 1), 0)

    def back(q: Any, pair: Any) -> tuple[Any, Array]:
        s, y, rho = pair
        alpha = rho * m.inner(x, s, q)
        return combined(q, -alpha, y), alpha

    q, alphas = jax.lax.scan(back, gradient, (steps, changes, inverse), reverse=True)
    # The scale is the curvature of the newest pair with positive curvature.
    newest = ss.size - 1 - jnp.argmax(curved[::-1])
    q = scaled(jnp.where(jnp.any(curved), sy[newest] / jnp.where(curved[newest], yy[newest], 1), 1), q)

    def forth(q: Any, pair: Any) -> tuple[Any, None]:
        s, y, rho, alpha = pair
        return combined(q, alpha - rho * m.inner(x, y, q), s), None

    q, _ = jax.lax.scan(forth, q, (steps, changes, inverse, alphas))
    return scaled(-1, q)
