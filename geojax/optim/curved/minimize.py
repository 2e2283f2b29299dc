"""Minimisation on manifolds: one loop for all methods."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base.manifold import Manifold
from geojax.optim.curved.problem import Method, Problem
from geojax.optim.curved.trust_region import TrustRegion
from geojax.typing import PyTree, Scalar


@struct
class MinimizeResult:
    """A local minimum on a manifold, and how the search for it ended.

    Attributes:
        point: The last accepted point, on the manifold.
        value: The function at that point.
        error: Norm of the Riemannian gradient at that point.
        num_steps: Number of trials, accepted or not.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    point: Any
    value: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def minimize(
    manifold: Manifold,
    f: Callable[[Any], Any],
    x0: PyTree,
    *,
    method: Method | None = None,
    tol: Scalar = 1e-6,
    max_steps: int = 500,
) -> MinimizeResult:
    """Find a local minimum of a function on a manifold.

    x_(k+1) = retract(x_k, u_k)  until  |grad f(x_k)| <= tol,  with steps u_k that the method chooses.

    Args:
        manifold: The manifold to search; it needs `retract`, `vector_transport`, `inner` and `riemannian_gradient`.
            `Product` searches a tree of points.
        f: A real function of ambient coordinates, differentiable by JAX; it may close over traced values.
        x0: The start, a point.
        method: `TrustRegion()` (the default), `LBFGS()`, `BarzilaiBorwein()`, or any value with their methods `start`
            and `step`.
        tol: Norm of the Riemannian gradient that counts as zero, in units of f per unit of length. Traced.
        max_steps: Largest number of trials; a Python integer.

    Returns:
        MinimizeResult. Run it under `jax.jit`: an eager call compiles the loop again each time. Under `jax.vmap` all
        problems share one loop, which runs until the slowest is done.

    Raises:
        ValueError: At trace time, if x0 is not shaped like a point, or f does not return a scalar.
        TypeError: At trace time, if an argument is of the wrong kind, or f does not return a real number.

    Status: MAX_STEPS if the gradient did not get small, NONFINITE if it or the first value is not a number.

    Differentiation: with respect to the values that f closes over, not x0. `value` by the envelope theorem, `point` by
        the implicit function theorem (solved by conjugate gradients), exact at a minimum with a definite Hessian. Along
        symmetries of f the point does not move. The rest has derivative zero. No second derivatives.

    Complexity: One value and gradient in each step, and what the method adds.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import minimize
        >>> A = jnp.array([[2.0, 1.0], [1.0, 2.0]])
        >>> solve = jax.jit(lambda A: minimize(Sphere(), lambda x: x @ A @ x, jnp.array([1.0, 0.0]), tol=1e-3))
        >>> round(float(solve(A).value), 3)
        1.0

    References: [Absil2008].
    """
    _check_kinds(manifold, f, method)
    (x0,) = manifold._arrays("minimize", x0=x0)
    shape = jax.eval_shape(f, x0)
    if getattr(shape, "shape", None) != ():
        raise ValueError(
            f"minimize: f returned {getattr(shape, 'shape', type(shape).__name__)}; expected a scalar. "
            "Reduce it with jax.numpy.sum or jax.numpy.mean."
        )
    if not jnp.issubdtype(shape.dtype, jnp.floating):
        raise TypeError(f"minimize: f returned {shape.dtype}; expected a real number. Take its real part.")
    function, constants = jax.closure_convert(f, x0)
    fixed_manifold, fixed, start = jax.lax.stop_gradient((manifold, constants, x0))
    problem = Problem(fixed_manifold, lambda x: function(x, *fixed))
    used: Method = TrustRegion() if method is None else method

    def step(state: Any) -> tuple[Any, Array]:
        state = used.step(problem, state)
        return state, state.gradient_norm

    end = iterate(step, used.start(problem, start), tol=tol, max_steps=max_steps)
    point = _implicit(function, (fixed_manifold, end.state.point), constants)
    value = function(jax.lax.stop_gradient(point), *constants)
    return MinimizeResult(point, value, end.error, end.num_steps, end.status)


def _check_kinds(manifold: Any, f: Any, method: Any) -> None:
    """Say what to write if a class is given for an instance, or if arguments are swapped."""
    if not isinstance(manifold, Manifold):
        raise TypeError(
            f"minimize: manifold is {checks.described(manifold)}; expected a manifold. "
            "Call minimize(manifold, f, x0) with an instance, such as Sphere()."
        )
    if not callable(f):
        raise TypeError(
            f"minimize: f is {checks.described(f)}; expected a function of a point. Call minimize(manifold, f, x0)."
        )
    if method is not None and (isinstance(method, type) or not isinstance(method, Method)):
        raise TypeError(
            f"minimize: method is {checks.described(method)}; expected a method. Pass an instance, such as LBFGS()."
        )


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _implicit(function: Callable[..., Array], where: tuple[Manifold, Any], constants: list[Array]) -> Any:
    """The point as a function of the constants: the gradient of the pullback vanishes there."""
    return where[1]


@_implicit.defjvp
def _(function: Callable[..., Array], primals: Any, tangents: Any) -> tuple[Any, Any]:
    (manifold, x), constants = primals
    zero = jax.tree.map(jnp.zeros_like, x)

    def covector(v: Any, *constants: Array) -> Any:
        return Problem(manifold, lambda y: function(y, *constants)).covector_at(x)(v)

    _, moved = jax.jvp(lambda *c: covector(zero, *c), tuple(constants), tuple(tangents[1]))
    _, hessian = jax.linearize(lambda v: covector(v, *constants), zero)
    v = jax.lax.custom_linear_solve(hessian, moved, _conjugate_gradients, symmetric=True)
    return x, manifold.to_tangent(x, jax.tree.map(jnp.negative, v))


def _conjugate_gradients(matvec: Callable[[Any], Any], rhs: Any) -> Any:
    """Solve a consistent symmetric system up to rounding; the part of rhs outside the range is ignored."""
    eps = float(jnp.finfo(jnp.result_type(*jax.tree.leaves(rhs))).eps)
    return jax.scipy.sparse.linalg.cg(matvec, rhs, tol=10 * eps, maxiter=1000)[0]
