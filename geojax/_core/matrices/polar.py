"""The polar factor of a frame near an orthonormal one, by products of small matrices.

Q = A (A^T A)^(-1/2), with the root by the coupled Newton-Schulz iteration  Y <- Y T, Z <- T Z, T = (3 - Z Y) / 2
[Higham2008]. The Gram matrix squares the condition number, so this is for well-conditioned A, such as a frame plus a
tangent vector; `linalg.polar` is for any A.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.loops import iterate
from geojax._core.matrices import linalg
from geojax.results import Status

Frame = Float[Array, "n p"]


@jax.custom_jvp
def polar_frame(a: Frame) -> Frame:
    """Orthogonal polar factor of a well-conditioned matrix of full column rank, orthonormal to rounding. O(n p^2)."""
    eye = jnp.eye(a.shape[1], dtype=a.dtype)
    root = _inverse_root(a.T @ a, eye)
    q = a @ root
    # One more step, on the frame itself, restores the digits that the Gram matrix lost.
    return q + q @ (eye - q.T @ q) / 2


@polar_frame.defjvp
def _(primals: tuple[Frame], tangents: tuple[Frame]) -> tuple[Frame, Frame]:
    (a,), (a_dot,) = primals, tangents
    q = polar_frame(a)
    p = q.T @ a
    p = (p + p.T) / 2
    inside = q.T @ a_dot
    skew = linalg.lyapunov(p, inside - inside.T)
    return q, q @ skew + jnp.linalg.solve(p, (a_dot - q @ inside).T).T


def _inverse_root(gram: Array, eye: Array) -> Array:
    """Inverse square root of a symmetric positive matrix that is not singular; NaN without convergence."""
    # If the eigenvalues reached down to 0, half of the largest row sum would centre them about 1; this is larger.
    scale = (1 + jnp.max(jnp.sum(jnp.abs(gram), axis=1))) / 2
    limit = 4 * gram.shape[0] * float(jnp.finfo(gram.dtype).eps)

    def step(state):
        y, z = state
        gap = eye - z @ y
        turn = eye + gap / 2
        return (y @ turn, turn @ z), jnp.max(jnp.abs(gap))

    # A gap g becomes 3/4 g^2: once it is below the root of the rounding error, the step just taken was the last.
    end = iterate(step, (gram / scale, eye), tol=limit**0.5, max_steps=60)
    failed = jnp.where(end.status == Status.CONVERGED, 0, jnp.nan).astype(gram.dtype)
    return end.state[1] / jnp.sqrt(scale) + failed
