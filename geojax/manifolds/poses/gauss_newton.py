"""Least squares over rigid motions of space."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate
from geojax._core.struct import struct
from geojax.manifolds.groups.rigid_motions import se3_exp
from geojax.typing import Scalar


@struct
class PoseResult:
    """A rigid motion fitted by least squares.

    Attributes:
        transform: Homogeneous matrix, [4, 4].
        cost: Half the sum of squared residuals there.
        error: Length of the last step, the twist's norm, in radians and units of length.
        num_steps: Steps taken.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    transform: Float[Array, "4 4"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


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
        tol: Largest step, the norm of the twist, that counts as converged; 0 or more. Traced.
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
        return transform @ se3_exp(-change), jnp.linalg.norm(change)

    end = iterate(step, start, tol=tol, max_steps=max_steps)
    cost = jnp.sum(jnp.square(residual(end.state))) / 2
    return PoseResult(end.state, cost, end.error, end.num_steps, end.status)
