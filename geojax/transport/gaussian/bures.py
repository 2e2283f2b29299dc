"""Transport between Gaussian measures: the Bures-Wasserstein distance of their covariances."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.matrices import bures
from geojax._core.precision import rounded_once

Matrix = Float[Array, "d d"]


def bures_wasserstein(s1: Matrix, s2: Matrix) -> Float[Array, ""]:
    """Squared Bures-Wasserstein distance between two covariance matrices.

    B^2 = tr S_1 + tr S_2 - 2 tr (S_1^(1/2) S_2 S_1^(1/2))^(1/2),  the squared W_2 between the centred Gaussians.

    Args:
        s1: Covariance, [d, d], symmetric positive semidefinite, in squared units of the points. Only the symmetric
            part is read.
        s2: Covariance, [d, d].

    Returns:
        Scalar >= 0, in squared units of the points. NaN if a matrix is not positive semidefinite or not finite. Between
        singular matrices it is right to the root of an ulp of the traces: rounding moves their eigenvalues from zero to
        an ulp, and the distance is made of roots. If the zeros are exact it is right to some ulp.

    Raises:
        ValueError: At trace time, if the shapes disagree or the matrices are not square.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact for definite matrices, twice: the gradient with respect to S_1 is I - T, where the
        symmetric T is the optimal map, T S_1 T = S_2. Singular matrices, at which the distance may have no
        derivative, have a finite one: that after adding d ulp of the trace to the diagonal, and I at zero.

    Complexity: O(d^3): two Cholesky factors and O(log of the condition number) matrix products, no eigenvalues; the
        value and both gradients share them. Second derivatives need a symmetric eigenvalue problem.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import bures_wasserstein
        >>> round(float(bures_wasserstein(jnp.diag(jnp.array([4.0, 1.0])), jnp.eye(2))), 4)
        1.0

    References: [Bhatia2019]; [ChenChow2014] for the iteration.
    """
    checks.no_explicit_axes("bures_wasserstein", s1, s2)
    s1, s2 = checks.floats("bures_wasserstein", s1=s1, s2=s2)
    d = checks.shapes("bures_wasserstein", s1=(s1, "d d"), s2=(s2, "d d"))["d"]
    dtype = jnp.promote_types(s1.dtype, jnp.float32)
    if d == 0:
        return jnp.zeros((), dtype)
    s1, s2 = s1.astype(dtype), s2.astype(dtype)
    return _squared_distance((s1 + s1.T) / 2, (s2 + s2.T) / 2)


@rounded_once
def gaussian_wasserstein(
    m1: Float[Array, " d"], s1: Matrix, m2: Float[Array, " d"], s2: Matrix
) -> Float[Array, ""]:
    """Squared Wasserstein distance W_2^2 between two Gaussian measures.

    W_2^2 = |m_1 - m_2|^2 + B^2(S_1, S_2),  with B^2 as in `bures_wasserstein`.

    Args:
        m1: Mean, [d].
        s1: Covariance, [d, d], symmetric positive semidefinite, in squared units of the mean.
        m2: Mean, [d].
        s2: Covariance, [d, d].

    Returns:
        Scalar >= 0, in squared units of the means. NaN if a covariance is not positive semidefinite, or an
        argument not finite.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact, with the conventions of `bures_wasserstein` for singular covariances.

    Complexity: O(d^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import gaussian_wasserstein
        >>> round(float(gaussian_wasserstein(jnp.zeros(2), jnp.eye(2), jnp.ones(2), 4 * jnp.eye(2))), 4)
        4.0

    References: [Dowson1982]; [Ma2024].
    """
    m1, s1, m2, s2 = checks.floats("gaussian_wasserstein", m1=m1, s1=s1, m2=m2, s2=s2)
    checks.shapes("gaussian_wasserstein", m1=(m1, "d"), s1=(s1, "d d"), m2=(m2, "d"), s2=(s2, "d d"))
    covariances = bures_wasserstein(s1, s2)
    return jnp.sum(jnp.square((m1 - m2).astype(covariances.dtype))) + covariances


@jax.custom_jvp
def _squared_distance(a: Matrix, b: Matrix) -> Float[Array, ""]:
    """B^2 of symmetric matrices, at least zero; the derivative ignores that bound."""
    return _value(a, b)[0]


@_squared_distance.defjvp
def _(primals, tangents):
    (a, b), (a_dot, b_dot) = primals, tangents
    value, to_b, to_a = _value(a, b)
    eye = jnp.eye(a.shape[0], dtype=a.dtype)
    return value, jnp.vdot(eye - to_b, a_dot) + jnp.vdot(eye - to_a, b_dot)


def _value(a: Matrix, b: Matrix) -> tuple[Float[Array, ""], Matrix, Matrix]:
    """B^2, at least zero, and the optimal maps.

    A ridge r on singular matrices raises the fidelity by c sqrt(r), as it raises the root of an eigenvalue of zero.
    Twice the fidelity less that with four times the ridge is free of it.
    """
    fidelity, to_b, to_a, _, added = bures.maps(a, b, 1)
    held = jax.lax.stop_gradient((a, b))
    excess = jax.lax.cond(
        added > 0, lambda: bures.maps(*held, 4)[0] - jax.lax.stop_gradient(fidelity), lambda: 0 * fidelity
    )
    fidelity = jnp.where(added > 0, jnp.maximum(fidelity - jax.lax.stop_gradient(excess), 0), fidelity)
    return _not_negative(jnp.trace(a) + jnp.trace(b) - 2 * fidelity), to_b, to_a


@jax.custom_jvp
def _not_negative(x: Float[Array, ""]) -> Float[Array, ""]:
    """The number, or zero if rounding made it negative; the derivative is 1 either way."""
    return jnp.maximum(x, 0)


@_not_negative.defjvp
def _(primals, tangents):
    return _not_negative(*primals), tangents[0]
