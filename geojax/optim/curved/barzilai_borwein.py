"""Gradient descent with Barzilai-Borwein steps."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.struct import static, struct
from geojax.optim.curved.problem import Problem, chosen, combined, safe_ratio, scaled
from geojax.typing import Scalar


@struct
class BarzilaiBorweinState:
    """State of the descent; `step` is the length to try next, in units of the gradient.

    `recent` holds the last values minus the current one.
    """

    point: Any
    value: Array
    gradient: Any
    gradient_norm: Array
    step: Array
    recent: Array
    parity: Array
    first_size: Array


@struct(kw_only=True)
class BarzilaiBorwein:
    """Gradient descent with Barzilai-Borwein step lengths, for `minimize`.

    x <- retract(x, -t grad f(x)), where t is <s, s> / |<s, y>| and |<s, y>| / <y, y> in turn, for the last step s and
    the change y of the gradient along it. A trial is accepted if

        f(new) <= max of the last values - decrease t |grad f|^2,

    otherwise t is divided by four. Every trial counts as a step.

    Args:
        memory: Number of values that the maximum is taken over, a Python integer. With 1 the values decrease.
        decrease: Fraction of the decrease that the slope predicts, in (0, 1). Traced.

    Returns:
        A method: one value and gradient, one retraction and one vector transport in each step.

    Differentiation: as `minimize`.

    Complexity: Memory of four points.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import BarzilaiBorwein, minimize
        >>> f = lambda x: jnp.sum(jnp.arange(1.0, 4.0) * x**2)
        >>> result = minimize(Sphere(), f, jnp.ones(3) / jnp.sqrt(3.0), method=BarzilaiBorwein(), tol=1e-4)
        >>> round(float(result.value), 4)
        1.0

    References: [BarzilaiBorwein1988]; [IannazzoPorcelli2018] on manifolds.
    """

    memory: int = static(default=10)
    decrease: Scalar = 1e-4

    def start(self, problem: Problem, point: Any) -> BarzilaiBorweinState:
        """State at the first point; the first trial has length 1."""
        value, gradient = problem.value_and_gradient(point)
        norm = problem.manifold.norm(point, gradient)
        step = safe_ratio(jnp.ones_like(norm), norm, jnp.ones_like(norm)).astype(value.dtype)
        recent, parity = jnp.zeros(self.memory, value.dtype), jnp.asarray(False)
        return BarzilaiBorweinState(point, value, gradient, norm, step, recent, parity, jnp.abs(value))

    def step(self, problem: Problem, state: BarzilaiBorweinState) -> BarzilaiBorweinState:
        """One trial."""
        m, t = problem.manifold, state.step
        move = scaled(-t, state.gradient)
        point = m.retract(state.point, move)
        value, gradient = problem.value_and_gradient(point)
        carried = m.vector_transport(state.point, move, state.gradient)
        turned = combined(gradient, -1, carried)
        slope = -t * state.gradient_norm**2
        rise = problem.change(state, slope, point, value, gradient, scaled(-t, carried))
        accepted = rise <= jnp.max(state.recent) + self.decrease * slope
        # s is -t times the carried gradient.
        ss, yy = t**2 * m.inner(point, carried, carried), m.inner(point, turned, turned)
        sy = jnp.abs(t * m.inner(point, carried, turned))
        following = jnp.where(state.parity, safe_ratio(sy, yy, t), safe_ratio(ss, sy, t))
        moved = BarzilaiBorweinState(
            point,
            value,
            gradient,
            m.norm(point, gradient),
            following,
            jnp.roll(state.recent, 1).at[0].set(0) - jnp.where(jnp.arange(self.memory) > 0, rise, 0),
            ~state.parity,
            state.first_size,
        )
        kept = BarzilaiBorweinState(
            state.point,
            state.value,
            state.gradient,
            state.gradient_norm,
            t / 4,
            state.recent,
            state.parity,
            state.first_size,
        )
        return chosen(accepted, moved, kept)
