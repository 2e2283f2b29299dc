"""Least squares over rigid motions of space."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.loops import iterate, reachable
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.groups.rigid_motions import se3_exp
from geojax.typing import Scalar


@struct
class PoseResult:
    """A rigid motion fitted by least squares.

    Attributes:
        transform: Homogeneous matrix, [4, 4].
        cost: Half the sum of squared residuals there.
        error: Norm of the change of the residuals that the last step was to bring about, in parts of the residuals at
            the start; 0 if that is no more than rounding.
        num_steps: Steps taken.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    transform: Float[Array, "4 4"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def se3_gauss_newton(
    residual: Callable[[Any], Any],
    start: Float[Array, "4 4"],
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 50,
    damping: Scalar = 0.0,
) -> PoseResult:
    """Rigid motion that minimises a sum of squared residuals, by Gauss-Newton steps in the group.

    Minimises |r(T)|^2 / 2 by  T <- T se3_exp(-(J^T J + damping diag(J^T J))^-1 J^T r),
      J = d r(T se3_exp(xi)) / d xi  at xi = 0.

    Args:
        residual: Maps a homogeneous matrix, [4, 4], to residuals, [m], m >= 6. May close over traced values.
        start: Where to start, [4, 4]; so near that the residuals are nearly linear on the way.
        tol: Largest change of the residuals by a step, in parts of the residuals at the start, that counts as
            converged; 0 or more. Changes that rounding may explain count as 0. Traced.
        max_steps: Most steps to take.
        damping: Levenberg-Marquardt damping relative to the diagonal, >= 0; 0 is Gauss-Newton. Traced.

    Returns:
        PoseResult. Moving the world, r(T) -> r(G T) with start G^-1 T, moves the answer to G^-1 T: steps are
        left-invariant.

    Raises:
        ValueError: At trace time, if `start` is not [4, 4] or the residuals are not a vector.

    Status: MAX_STEPS; NONFINITE, also if the residuals do not determine the motion.

    Differentiation: none through the loop in reverse mode; forward mode is that of the steps taken. For
        derivatives of the answer differentiate the equation J^T r = 0.

    Complexity: six directional derivatives of `residual` and O(m) a step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import se3_exp, se3_gauss_newton
        >>> points = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> truth = se3_exp(jnp.array([0.1, 0.2, 0.3, 1.0, 2.0, 3.0]))
        >>> def residual(t):
        ...     moved = points @ (t[:3, :3] - truth[:3, :3]).T + t[:3, 3] - truth[:3, 3]
        ...     return moved.ravel()
        >>> fit = se3_gauss_newton(residual, jnp.eye(4))
        >>> bool(jnp.allclose(fit.transform, truth, atol=1e-4))
        True

    References: [ParkRigid1995] for the exponential; [Mei2025] for the use, inverting a field from a coarse pose.
    """
    (start,) = checks.floats("se3_gauss_newton", start=start)
    checks.shapes("se3_gauss_newton", start=(start, "4 4"))
    shape = jax.eval_shape(residual, start)
    checks.shapes("se3_gauss_newton", **{"residual(start)": (shape, "m")})
    damping = jnp.asarray(damping, start.dtype)

    def step(transform):
        def moved(xi):
            return residual(transform @ se3_exp(xi))

        zero = jnp.zeros(6, transform.dtype)
        left, jacobian = moved(zero), jax.jacfwd(moved)(zero)
        normal = jacobian.T @ jacobian
        change = jnp.linalg.solve(normal + damping * jnp.diag(jnp.diagonal(normal)), jacobian.T @ left)
        # A unit in the last place of the motion moves the residuals by about this much.
        turned, shifted = jnp.linalg.norm(jacobian[:, :3]), jnp.linalg.norm(jacobian[:, 3:])
        rounding = jnp.finfo(start.dtype).eps * (turned + shifted * jnp.linalg.norm(transform[:3, 3]))
        error = jnp.linalg.norm(jacobian @ change) / unit
        return transform @ se3_exp(-change), jnp.where(error <= reachable(0, 4 * rounding, unit), 0, error)

    unit = safe.norm(residual(start))
    unit = jnp.where(unit == 0, 1, unit)
    end = iterate(step, start, tol=tol, max_steps=max_steps)
    cost = jnp.sum(jnp.square(residual(end.state))) / 2
    return PoseResult(end.state, cost, end.error, end.num_steps, end.status)
