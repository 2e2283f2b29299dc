"""Symmetric positive definite matrices with the metric that no change of basis changes."""

import jax
import jax.numpy as jnp

from geojax._core.matrices import linalg
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import InvariantGroup, plane_area
from geojax.manifolds.spd.cone import SPDMetric


@struct
class SPDAffineInvariant(SPDMetric, InvariantGroup):
    """Symmetric positive definite matrices with the affine-invariant metric <u, v> = tr(x^-1 u x^-1 v).

    With x = L L^T:  exp(x, u) = L expm(L^-1 u L^-T) L^T,  and dist(x, y)^2 = sum log^2 of the eigenvalues of
    L^-1 y L^-T. For every invertible A, dist(A x A^T, A y A^T) = dist(x, y), and dist(x^-1, y^-1) = dist(x, y).

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite, of nonpositive curvature and
        without cut locus. Distances have no unit: scaling both points changes nothing. `retract` is the second-order
        x + u + u x^-1 u / 2, always positive definite. Of x and y only the symmetric parts are read; if they are
        not positive definite results are NaN.

    Differentiation: exact, twice, at equal points and at repeated eigenvalues; `dist` has derivative 0 at x = y.

    Complexity: O(n^3): one Cholesky factor and one symmetric eigenvalue problem for exp, log, dist (its gradient
        included) and parallel transport.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDAffineInvariant
        >>> round(float(SPDAffineInvariant().dist(jnp.eye(4), jnp.e * jnp.eye(4))), 4)
        2.0

    References: [Pennec2006]; [Thanwerdas2023] for the curvature.
    """

    def _inner(self, x, u, v):
        _, inverse = _factor(x)
        return jnp.vdot(_congruence(inverse, u), _congruence(inverse, v))

    def _exp(self, x, u):
        lower, inverse = _factor(x)
        return _congruence(lower, linalg.expm(_congruence(inverse, u)))

    def _retract(self, x, u):
        lower, inverse = _factor(x)
        w = _congruence(inverse, u)
        return linalg.symmetric(x) + linalg.symmetric(u) + _congruence(lower, w @ w) / 2

    def _log(self, x, y):
        lower, inverse = _factor(x)
        return _congruence(lower, linalg.logm(_congruence(inverse, y)))

    def _squared_dist(self, x, y):
        return _squared_distance(linalg.symmetric(x), linalg.symmetric(y))

    def _geodesic(self, x, y, t):
        lower, inverse = _factor(x)
        return _congruence(lower, linalg.expm(t.astype(x.dtype) * linalg.logm(_congruence(inverse, y))))

    def _parallel_transport(self, x, y, u):
        # E u E^T with E = (y x^-1)^(1/2) = L A^(1/2) L^-1, A = L^-1 y L^-T.
        lower, inverse = _factor(x)
        root = linalg.sqrtm(_congruence(inverse, y))
        return _congruence(lower, _congruence(root, _congruence(inverse, u)))

    def _mean_log(self, x, points, shares):
        lower, inverse = _factor(x)
        logs = jax.vmap(lambda y: linalg.logm(_congruence(inverse, y)))(points)
        return _congruence(lower, jnp.tensordot(shares.astype(x.dtype), logs, axes=1))

    def _compose(self, x, y):
        # The group of Cholesky factors acts on the space as on itself.
        return _congruence(_factor(x)[0], y)

    def _inverse(self, x):
        inverse = _factor(x)[1]
        return inverse @ inverse.T

    def _identity(self, x):
        return jnp.eye(x.shape[0], dtype=x.dtype)

    def _riemannian_gradient(self, x, gradient):
        return _congruence(linalg.symmetric(x), gradient)

    def _sectional_curvature(self, x, u, v):
        _, inverse = _factor(x)
        u, v = _congruence(inverse, u), _congruence(inverse, v)
        bracket = u @ v - v @ u
        area = plane_area(jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))
        return -jnp.vdot(bracket, bracket) / (4 * area)


def _factor(x):
    """The Cholesky factor and its inverse."""
    lower = jnp.linalg.cholesky(linalg.symmetric(x))
    return lower, linalg.triangular_inverse(lower)


def _congruence(a, x):
    """A sym(x) A^T, exactly symmetric."""
    return linalg.symmetric(a @ linalg.symmetric(x) @ a.T)


@jax.custom_jvp
def _squared_distance(x, y):
    _, inverse = _factor(x)
    return jnp.sum(jnp.square(jnp.log(jnp.linalg.eigvalsh(_congruence(inverse, y)))))


@_squared_distance.defjvp
def _(primals, tangents):
    value, by_x, by_y = _squared_distance_and_slopes(*primals)
    return value, jnp.vdot(by_x, tangents[0]) + jnp.vdot(by_y, tangents[1])


@jax.custom_jvp
def _squared_distance_and_slopes(x, y):
    """With B^T x B = I and B^T y B = diag(l): sum log^2 l, -2 B diag(log l) B^T and 2 B diag(log l / l) B^T."""
    _, inverse = _factor(x)
    values, vectors = jnp.linalg.eigh(_congruence(inverse, y))
    logs, basis = jnp.log(values), inverse.T @ vectors
    return jnp.sum(logs * logs), (basis * (-2 * logs)) @ basis.T, (basis * (2 * logs / values)) @ basis.T


@_squared_distance_and_slopes.defjvp
def _(primals, tangents):
    def smooth(x, y):
        _, inverse = _factor(x)
        a = _congruence(inverse, y)
        log = linalg.logm(a)
        slope = linalg.sym_fn(a, lambda s: jnp.log(s) / s, lambda s: (1 - jnp.log(s)) / (s * s))
        return (
            jnp.vdot(log, log),
            -2 * _congruence(inverse.T, log),
            2 * _congruence(inverse.T, slope),
        )

    return jax.jvp(smooth, primals, tangents)
