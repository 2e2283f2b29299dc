"""Derivatives of solutions of equations, by the implicit function theorem instead of through the solver's loop.

If r(x, theta) = 0 defines x(theta), then  dx = -(dr/dx)^-1 (dr/dtheta) dtheta. Only the equation is differentiated, so
the solver may be any program. Forward mode, reverse mode and their compositions work, in constant memory [Blondel2022].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from geojax._core.loops import vary_with
from geojax.typing import PyTree

LinearSolve = Callable[[Callable[[Any], Any], Any], Any]
"""linear_solve(matvec, rhs) -> x with matvec(x) = rhs; itself differentiable in rhs."""


def dense(matvec: Callable[[Any], Any], rhs: PyTree) -> PyTree:
    """Solve matvec(x) = rhs by an LU factorisation of the matrix, which is built column by column.

    For small systems: O(n^2) memory and O(n^3) time for n numbers in rhs; exact.
    """
    flat, unravel = ravel_pytree(rhs)
    columns = vary_with(jnp.eye(flat.size, dtype=flat.dtype), flat)
    matrix = jax.vmap(lambda column: ravel_pytree(matvec(unravel(column)))[0], out_axes=1)(columns)
    return unravel(jnp.linalg.solve(matrix, flat))


def krylov(matvec: Callable[[Any], Any], rhs: PyTree) -> PyTree:
    """Solve matvec(x) = rhs by restarted GMRES, up to rounding; no matrix is built.

    O(20 n) memory. For systems close to the identity, such as those of contractions.
    """
    dtype = jnp.result_type(*jax.tree.leaves(rhs))
    tol = 10 * float(jnp.finfo(dtype).eps)

    def solve(matvec: Callable[[Any], Any], rhs: PyTree) -> PyTree:
        return jax.scipy.sparse.linalg.gmres(matvec, rhs, tol=tol, restart=20, maxiter=50)[0]

    # gmres itself cannot be transposed, because its start depends on rhs; custom_linear_solve can.
    return jax.lax.custom_linear_solve(matvec, rhs, solve, transpose_solve=solve)


def root(
    solve: Callable[[Any], tuple[Any, Any]],
    residual: Callable[[Any, Any], Any],
    theta: PyTree,
    *,
    linear_solve: LinearSolve = dense,
) -> tuple[Any, Any]:
    """Solution of residual(x, theta) = 0, differentiable in theta.

    Args:
        solve: theta -> (x, aux), any program; it is not differentiated.
        residual: (x, theta) -> a tree like x, zero at the solution, with an invertible derivative with respect to x.
        theta: Everything that the solution depends on and that it shall be differentiated with respect to. Other traced
            values that `residual` closes over are differentiated too; those that `solve` closes over are not.
        linear_solve: How to solve linear systems with the derivative of the residual.

    Returns:
        (x, aux), as `solve` returned them. The derivative of aux is zero.

    If the solver stopped early, the derivative is computed as if the point where it stopped were an exact solution.
    """
    x, aux = jax.lax.stop_gradient(solve(jax.lax.stop_gradient(theta)))
    solution = jax.lax.custom_root(
        lambda x: residual(x, theta), x, lambda _residual, start: start, linear_solve
    )
    return solution, aux


def fixed_point(
    solve: Callable[[Any], tuple[Any, Any]],
    function: Callable[[Any, Any], Any],
    theta: PyTree,
    *,
    linear_solve: LinearSolve = dense,
) -> tuple[Any, Any]:
    """Fixed point x = function(x, theta), differentiable in theta; arguments as in `root`.

    (I - dF/dx) dx = (dF/dtheta) dtheta.
    """

    def residual(x: Any, parameters: Any) -> Any:
        return jax.tree.map(jnp.subtract, x, function(x, parameters))

    return root(solve, residual, theta, linear_solve=linear_solve)
