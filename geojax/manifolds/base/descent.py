"""Steepest descent along geodesics with the step length that the last step was found to want [BarzilaiBorwein1988].

Along the step t -> exp_x(-t a g), 0 <= t <= 1, the slope of the function is -a |g|^2 at the start and
<velocity, new gradient> at the end. Where the line through them is zero is the next step length. A step at whose end
the slope is nearly as steep upwards as it was downwards has not gone down (by the trapezium rule, which does not
drown in rounding near the minimum as a difference of values does), and is taken back and shortened.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import implicit
from geojax._core.loops import Iteration, iterate, vary_with
from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.base.stacked import chosen, real_dtype, scaled
from geojax.typing import PyTree, Scalar

DENSE = 64  # coordinates up to which derivatives are found by a direct solve
RISE = 0.8  # slope at the end of a step, relative to that at its start, from which it counts as too long


class _State(NamedTuple):
    x: Any
    gradient: Any
    length: Float[Array, ""]
    started: Bool[Array, ""]


def descend(
    manifold: Manifold,
    gradient: Callable[[Any], Any],
    start: PyTree,
    *,
    length: Scalar = 1.0,
    tol: Scalar,
    max_steps: int,
) -> Iteration:
    """Walk down from `start` until the norm of the Riemannian gradient is within `tol`; `state` is the point.

    `length` is the first step in units of the gradient: 1 for functions with Hessian near the identity. Each step
    evaluates the gradient once.
    """
    dtype = real_dtype(start)

    def step(state: _State) -> tuple[_State, Array]:
        def move(t: Array) -> Any:
            return manifold._exp(state.x, scaled(-t * state.length, state.gradient))

        trial, velocity = jax.jvp(move, (jnp.ones((), dtype),), (jnp.ones((), dtype),))
        found = gradient(trial)
        down = state.length * jnp.square(manifold._norm(state.x, state.gradient))
        up = manifold._inner(trial, velocity, found)
        # The first step goes nowhere: it measures the gradient at the start.
        accepted = (up <= RISE * down) | ~state.started
        wanted = state.length * down / jnp.where(down + up > 0, down + up, jnp.inf)
        longer = jnp.where(
            down + up > 0, jnp.clip(wanted, 0.1 * state.length, 4 * state.length), 2 * state.length
        )
        shorter = jnp.clip(wanted, 0.1 * state.length, 0.5 * state.length)
        shorter = jnp.where(jnp.isfinite(shorter), shorter, 0.25 * state.length)
        following = jnp.where(state.started, jnp.where(accepted, longer, shorter), state.length)
        x, kept = chosen(accepted, (trial, found), (state.x, state.gradient))
        return _State(x, kept, following, jnp.asarray(True)), manifold._norm(x, kept)

    zero = jax.tree.map(jnp.zeros_like, start)
    state = _State(start, zero, jnp.asarray(length, dtype), jnp.asarray(False))
    shapes = jax.eval_shape(step, state)[0]
    end = iterate(step, vary_with(state, shapes), tol=tol, max_steps=max_steps)
    return Iteration(end.state.x, end.error, end.num_steps, end.status)


def stationary(
    manifold: Callable[[Any], Manifold],
    gradient: Callable[[Any, Any], Any],
    x: PyTree,
    theta: PyTree,
) -> Any:
    """The point x again, with the derivative in theta of the solution of gradient(x, theta) = 0 through it.

    manifold(theta) is the manifold: where its metric moves its points, x is kept on it. The equation is solved in
    the tangent space at x, its normal directions filled up with the identity.
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
    # Zero, yet batched by vmap where x is: jax 0.10 gives the derivative of a start without a batch a wrong shape.
    zero = vary_with(jnp.where(False, flatten(x), 0), x, theta)
    flat, _ = implicit.root(lambda theta: (zero, ()), residual, theta, linear_solve=linear_solve)
    space = manifold(theta)
    base = space._project(x)
    moved = space._exp(base, space._to_tangent(base, unflatten(flat)))
    return jax.tree.map(lambda a, b: a + (b - jax.lax.stop_gradient(b)), x, moved)


def coordinates(x: PyTree) -> tuple[Callable[[Any], Array], Callable[[Array], Any], int]:
    """Real coordinates of a tree, complex leaves as pairs: derivatives of gradients are linear over the reals only."""
    leaves, structure = jax.tree.flatten(x)
    dtype = real_dtype(x)

    def flatten(tree: Any) -> Array:
        parts = []
        for leaf in jax.tree.leaves(tree):
            whole = [jnp.real(leaf), jnp.imag(leaf)] if jnp.iscomplexobj(leaf) else [leaf]
            parts += [jnp.ravel(part).astype(dtype) for part in whole]
        return jnp.concatenate(parts)

    def unflatten(flat: Array) -> Any:
        found, start = [], 0
        for leaf in leaves:
            part = flat[start : start + leaf.size].reshape(leaf.shape)
            start += leaf.size
            if jnp.iscomplexobj(leaf):
                part = jax.lax.complex(part, flat[start : start + leaf.size].reshape(leaf.shape))
                start += leaf.size
            found.append(part.astype(leaf.dtype))
        return jax.tree.unflatten(structure, found)

    return flatten, unflatten, sum(leaf.size * (2 if jnp.iscomplexobj(leaf) else 1) for leaf in leaves)
