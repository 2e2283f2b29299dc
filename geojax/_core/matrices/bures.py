"""The optimal maps between two covariance matrices, on which the Bures-Wasserstein geometry rests.

Between centred Gaussians of covariances A and B the optimal map is the symmetric T with T A T = B [Bhatia2019]. It is
computed from two Cholesky factors and the orthogonal polar factor of their product; that comes from the Newton-Schulz
iteration, which needs products of matrices only [ChenChow2014].
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.loops import iterate
from geojax._core.matrices import linalg
from geojax.results import Status

Matrix = Float[Array, "d d"]
Scalar = Float[Array, ""]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def maps(a: Matrix, b: Matrix, ridge: int) -> tuple[Scalar, Matrix, Matrix, Scalar, Scalar]:
    """The fidelity tr (A^(1/2) B A^(1/2))^(1/2), optimal maps from A to B and back, squared distance, what was added.

    A matrix that is nearly singular gets `ridge` times d ulp of its trace added to its diagonal; if that is 0 nothing
    is added, and a singular one gives NaN. From A = L L^T, B = R R^T and the orthogonal polar factor Q of M =
    L^T R the fidelity is <Q, M>, to second order in an error of Q, the maps are T = R Q^T L^-1 and its inverse L Q
    R^-1, and the squared distance is |L - R Q^T|^2, without the cancellation of  tr A + tr B - 2 fidelity.
    """
    units, both = _units(a, b)
    unit_a, unit_b = units
    factors, (ridge_a, ridge_b) = _factors(jnp.stack([a, b]) / units[:, None, None], ridge)
    left, right = factors
    left_inverse, right_inverse = jax.vmap(linalg.triangular_inverse)(factors)
    m = left.T @ right
    q = _polar(m, right_inverse @ left_inverse.T)
    to_b, to_a = right @ q.T @ left_inverse, left @ q @ right_inverse
    # The ridges change the fidelity; the change is removed to first order.
    fidelity = jnp.vdot(q, m) - (ridge_a * jnp.trace(to_b) + ridge_b * jnp.trace(to_a)) / 2
    stretch = jnp.sqrt(unit_b / unit_a)
    gap = jnp.sqrt(unit_a) * left - jnp.sqrt(unit_b) * (right @ q.T)
    return (
        jnp.where(both, jnp.sqrt(unit_a) * jnp.sqrt(unit_b), 0) * fidelity,
        jnp.where(both, stretch, 0) * linalg.symmetric(to_b),
        jnp.where(both, 1 / stretch, 0) * linalg.symmetric(to_a),
        jnp.sum(jnp.square(gap)),
        ridge_a + ridge_b,
    )


@maps.defjvp
def _(ridge, primals, tangents):
    """T A T = B gives  dT A T + T A dT = dB - T dA T:  a Lyapunov equation for L^T dT L with L^T T L."""
    (a, b), (a_dot, b_dot) = primals, tangents
    fidelity, to_b, to_a, apart, added = maps(a, b, ridge)
    eye = jnp.eye(a.shape[0], dtype=a.dtype)
    (unit, _), both = _units(a, b)
    lower = jnp.sqrt(unit) * _factors(a[None] / unit, ridge)[0][0]
    inverse = linalg.triangular_inverse(lower)
    middle = jnp.where(both, linalg.symmetric(lower.T @ to_b @ lower), eye)
    right = lower.T @ linalg.symmetric(b_dot - to_b @ a_dot @ to_b) @ lower
    to_b_dot = linalg.symmetric(inverse.T @ linalg.lyapunov(middle, right) @ inverse)
    return (fidelity, to_b, to_a, apart, added), (
        (jnp.vdot(to_b, a_dot) + jnp.vdot(to_a, b_dot)) / 2,
        to_b_dot,
        -to_a @ to_b_dot @ to_a,
        jnp.vdot(eye - to_b, a_dot) + jnp.vdot(eye - to_a, b_dot),
        jnp.zeros_like(added),
    )


def _units(a: Matrix, b: Matrix):
    """The scales of both matrices, and whether both have one."""
    sizes = jnp.stack([jnp.trace(a), jnp.trace(b)])
    return jnp.where(sizes > 0, sizes, 1), jnp.all(sizes > 0)


def _factors(matrices: Float[Array, "n d d"], ridge: int):
    """Cholesky factors of matrices of trace 1, and what was added to each diagonal: 0 if no pivot is small.

    They are factorised as one batch: on CPU separate factorisations wait for each other's threads.
    """
    n, d, _ = matrices.shape
    if not ridge:
        return jnp.linalg.cholesky(matrices), jnp.zeros(n, matrices.dtype)
    ulps = d * float(jnp.finfo(matrices.dtype).eps)
    pivots = jnp.diagonal(jnp.linalg.cholesky(jax.lax.stop_gradient(matrices)), axis1=-2, axis2=-1) ** 2
    definite = jnp.min(pivots, axis=-1) > 64 * ulps  # a NaN is not
    ridges = jnp.where(definite, 0, jnp.asarray(ridge * ulps, matrices.dtype))
    return jnp.linalg.cholesky(matrices + ridges[:, None, None] * jnp.eye(d, dtype=matrices.dtype)), ridges


def _polar(m: Matrix, inverse: Matrix) -> Matrix:
    """Orthogonal polar factor by the scaled Newton-Schulz iteration, given the inverse.

    With the singular values of X in [l, 1] the step  X <- rho X (3 I - rho^2 X^T X) / 2,  rho^2 = 3 / (1 + l + l^2),
    brings them into [l', 1] with l' = rho l (3 - rho^2 l^2) / 2; no cubic does better. But it takes the largest value 1
    to l' too, by a cancellation: for l near an ulp nothing is left of it. So rho is that of l = 1/10 if l is less,
    which keeps the largest at 1/4 and makes small ones grow by 2.47 a step instead of 2.6. NaN without convergence. It
    starts from l = 1 / (|M| |M^-1|) in Frobenius norms.
    """
    size = jnp.linalg.norm(m)
    least = 1 / (size * jnp.linalg.norm(inverse))

    def step(state: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        x, low = state
        held = jnp.maximum(low, 0.1)
        square = 3 / (1 + held + held * held)
        scale = jnp.sqrt(square) / 2
        x = (3 * scale) * x - (scale * square) * (x @ (x.T @ x))
        low = scale * low * (3 - square * low * low)
        return (x, low), 1 - low

    tol = 4 * float(jnp.finfo(m.dtype).eps)
    end = iterate(step, (m / size, least), tol=tol, max_steps=100)
    return end.state[0] + jnp.where(end.status == Status.CONVERGED, 0, jnp.nan).astype(m.dtype)
