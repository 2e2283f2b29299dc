"""Steepest descent along geodesics, each step as long as the last one should have been [BarzilaiBorwein1988].

Along the step t -> exp_x(-t a g), 0 <= t <= 1, the slope of the function is -a |g|^2 at the start and
<velocity, new gradient> at the end. The straight line through these two slopes is zero at some t; t a is the next step
length. If the slope at the end is nearly as steep upwards as it was downwards at the start, the function has not
decreased, by the trapezium rule (a difference of values would drown in rounding near the minimum): the step is taken
back and shortened.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import implicit
from geojax._core.loops import Iteration, iterate, vary_with
from geojax.manifolds.base.geodesics import WithExp
from geojax.manifolds.base.stacked import chosen, real_dtype, scaled
from geojax.typing import PyTree, Scalar

DENSE = 64  # with at most so many coordinates derivatives come from a direct solve
RISE = 0.8  # a step is too long if the slope at its end exceeds this part of that at its start


class _State(NamedTuple):
    x: Any
    gradient: Any
    length: Float[Array, ""]
    started: Bool[Array, ""]


def descend(
    manifold: WithExp,
    gradient: Callable[[Any], Any],
    start: PyTree,
    *,
    length: Scalar = 1.0,
    unit: Scalar = 1.0,
    tol: Scalar,
    max_steps: int,
) -> Iteration:
    """Walk down from `start` until the norm of the Riemannian gradient is within `tol`; `state` is the point.

    The norm is measured in parts of `unit`. `length` is the length of the first step, relative to the gradient: 1 if
    the Hessian is near the identity. Each step evaluates the gradient once.
    """
    dtype = real_dtype(start)

    def step(state: _State) -> tuple[_State, Array]:
        def move(t: Array) -> Any:
            return manifold._exp(state.x, scaled(-t * state.length, state.gradient))

        trial, velocity = jax.jvp(move, (jnp.ones((), dtype),), (jnp.ones((), dtype),))
        following_gradient = gradient(trial)
        down = state.length * jnp.square(manifold._norm(state.x, state.gradient))
        up = manifold._inner(trial, velocity, following_gradient)
        # The first step goes nowhere: it measures the gradient at the start.
        accepted = (up <= RISE * down) | ~state.started
        wanted = state.length * down / jnp.where(down + up > 0, down + up, jnp.inf)
        longer = jnp.where(
            down + up > 0, jnp.clip(wanted, 0.1 * state.length, 4 * state.length), 2 * state.length
        )
        shorter = jnp.clip(wanted, 0.1 * state.length, 0.5 * state.length)
        shorter = jnp.where(jnp.isfinite(shorter), shorter, 0.25 * state.length)
        following = jnp.where(state.started, jnp.where(accepted, longer, shorter), state.length)
        x, kept = chosen(accepted, (trial, following_gradient), (state.x, state.gradient))
        return _State(x, kept, following, jnp.asarray(True)), manifold._norm(x, kept) / unit

    zero = jax.tree.map(jnp.zeros_like, start)
    state = _State(start, zero, jnp.asarray(length, dtype), jnp.asarray(False))
    shapes = jax.eval_shape(step, state)[0]
    end = iterate(step, vary_with(state, shapes), tol=tol, max_steps=max_steps)
    return Iteration(end.state.x, end.error, end.num_steps, end.status)


def stationary(
    manifold: Callable[[Any], WithExp],
    gradient: Callable[[Any, Any], Any],
    x: PyTree,
    theta: PyTree,
) -> Any:
    """The point x, with the derivative with respect to theta of the solution of gradient(x, theta) = 0.

    x is to solve that equation. manifold(theta) is the manifold; if theta changes which points lie on it, x moves with
    it. The equation is posed in the tangent space at x, and made regular by the identity in the normal directions.
    """
    x = jax.lax.stop_gradient(x)

    def residual(flat: Array, theta: Any) -> Array:
        space = manifold(theta)
        base, v = space._project(x), unflatten(flat)
        tangent = space._to_tangent(base, v)
        steepest = space._to_tangent(base, gradient(space._exp(base, tangent), theta))
        return flatten(jax.tree.map(lambda a, b, c: a + b - c, steepest, v, tangent))

    flatten, unflatten, size = coordinates(x)
    linear_solve = implicit.dense if size <= DENSE else implicit.krylov
    # Zero, but with the batch axes of x: jax 0.10 gives the derivative of a start without them a wrong shape.
    zero = vary_with(jnp.where(False, flatten(x), 0), x, theta)
    flat, _ = implicit.root(lambda theta: (zero, ()), residual, theta, linear_solve=linear_solve)
    space = manifold(theta)
    base = space._project(x)
    moved = space._exp(base, space._to_tangent(base, unflatten(flat)))
    return jax.tree.map(lambda a, b: a + (b - jax.lax.stop_gradient(b)), x, moved)


def coordinates(x: PyTree) -> tuple[Callable[[Any], Array], Callable[[Array], Any], int]:
    """Functions from a tree to a vector of real numbers and back, and its size; a complex entry is two numbers.

    Derivatives of gradients are linear over the reals only.
    """
    leaves, structure = jax.tree.flatten(x)
    dtype = real_dtype(x)

    def flatten(tree: Any) -> Array:
        parts = []
        for leaf in jax.tree.leaves(tree):
            whole = [jnp.real(leaf), jnp.imag(leaf)] if jnp.iscomplexobj(leaf) else [leaf]
            parts += [jnp.ravel(part).astype(dtype) for part in whole]
        return jnp.concatenate(parts)

    def unflatten(flat: Array) -> Any:
        rebuilt, start = [], 0
        for leaf in leaves:
            part = flat[start : start + leaf.size].reshape(leaf.shape)
            start += leaf.size
            if jnp.iscomplexobj(leaf):
                part = jax.lax.complex(part, flat[start : start + leaf.size].reshape(leaf.shape))
                start += leaf.size
            rebuilt.append(part.astype(leaf.dtype))
        return jax.tree.unflatten(structure, rebuilt)

    return flatten, unflatten, sum(leaf.size * (2 if jnp.iscomplexobj(leaf) else 1) for leaf in leaves)
