"""Unitary matrices of determinant 1 with the bi-invariant metric."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, safe
from geojax._core.matrices.unitary import skew_traceless, unitary_log
from geojax._core.struct import struct
from geojax._core.trigonometric import exp1m_skew, exp_skew
from geojax.manifolds.base.geodesics import InvariantGroup, plane_area

POLAR_STEPS = 12  # steps of Newton's iteration: enough for condition numbers up to 10^4


@struct
class SpecialUnitary(InvariantGroup):
    """Unitary matrices: {x in C^(n x n) : x^* x = 1, det x = 1}, with the metric <u, v> = Re tr(u^* v) / 2.

    exp(x, x A) = x e^A for A skew-Hermitian of trace zero, and dist(x, y)^2 is half the sum of the squared angles of
    the eigenvalues of x^* y, taken so that they add up to zero. SU(2) is the unit 3-sphere.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are complex matrices [n, n]; real ones are taken as complex, and the `dtype` of
        `random_point` is that of the real and imaginary parts. Distances are in radians. `project` is the polar
        factor, turned by the n-th root of its determinant. If two angles of x^* y differ by 2 pi the logarithm is not
        unique. `vector_transport` is left translation. `riemannian_gradient` takes what `jax.grad` gives for complex
        arguments, the conjugate of the direction of steepest ascent.

    Differentiation: exact, at equal angles too; at the cut locus derivatives are those of a point just before it.

    Complexity: O(n^3): products only in `exp`; two Hermitian eigenvalue problems and a solve in `log` and `dist`. Their
        derivatives solve a system in 2 n^2 numbers, directly up to n = 5, by iteration beyond.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SpecialUnitary
        >>> phase = jnp.diag(jnp.exp(1j * jnp.array([0.5, -0.5])))
        >>> round(float(SpecialUnitary().dist(jnp.eye(2), phase)), 4)
        0.5

    References: [Edelman1998]; [Higham2008] for the polar factor.
    """

    point_shape = "n n"

    def _arrays(self, operation, **values):
        where = f"SpecialUnitary.{operation}"
        arrays = [_complex(where, name, value) for name, value in values.items()]
        dtype = jnp.result_type(*arrays)
        arrays = tuple(array.astype(dtype) for array in arrays)
        checks.shapes(where, **{name: (array, self.point_shape) for name, array in zip(values, arrays)})
        return arrays

    def _project(self, x):
        def step(q, _):
            return (q + jnp.linalg.inv(q).conj().T) / 2, None

        # Newton's iteration needs few steps from a matrix of size 1.
        scale = jnp.sqrt(len(x) / jnp.sum(jnp.square(jnp.abs(x)))).astype(x.dtype)
        q, _ = jax.lax.scan(step, scale * x, None, length=POLAR_STEPS)
        sign, _ = jnp.linalg.slogdet(q)
        return q * jnp.exp(-1j * jnp.angle(sign) / len(x)).astype(x.dtype)

    def _to_tangent(self, x, u):
        return x @ skew_traceless(x.conj().T @ u)

    def _inner(self, x, u, v):
        return jnp.real(jnp.vdot(u, v)) / 2

    def _norm(self, x, u):
        parts = jnp.stack([u.real, u.imag])
        return safe.norm(parts) / jnp.asarray(2**0.5, parts.dtype)

    def _riemannian_gradient(self, x, gradient):
        return 2 * self._to_tangent(x, gradient.conj())

    def _exp(self, x, u):
        return x + x @ exp1m_skew(skew_traceless(x.conj().T @ u))

    def _vector_transport(self, x, u, v):
        return self._exp(x, u) @ (x.conj().T @ v)

    def _log(self, x, y):
        return x @ unitary_log(x.conj().T @ (y - x))

    def _squared_dist(self, x, y):
        log = unitary_log(x.conj().T @ (y - x))
        # Not |log|^2: the derivative of a complex modulus stops at 0.
        return jnp.sum(jnp.square(log.real) + jnp.square(log.imag)) / 2

    def _unique(self, x, y):
        log = unitary_log(x.conj().T @ (y - x))
        values = jnp.linalg.eigvalsh(-1j * log)
        return values[-1] - values[0] < 2 * jnp.pi - 64 * x.size * jnp.finfo(values.dtype).eps

    def _parallel_transport(self, x, y, u):
        half = exp_skew(unitary_log(x.conj().T @ (y - x)) / 2)
        return y @ (half.conj().T @ (x.conj().T @ u) @ half)

    def _sectional_curvature(self, x, u, v):
        a, b = x.conj().T @ u, x.conj().T @ v
        area = plane_area(*(jnp.real(jnp.vdot(a, b)) for a, b in ((u, u), (v, v), (u, v))))
        return jnp.sum(jnp.square(jnp.abs(a @ b - b @ a))) / (2 * area)

    def _compose(self, x, y):
        return x @ y

    def _inverse(self, x):
        return x.conj().T

    def _identity(self, x):
        return jnp.eye(len(x), dtype=x.dtype)

    def _random_point(self, key, shape, dtype):
        return self._project(jax.random.normal(key, shape, jnp.result_type(dtype, jnp.complex64)))

    def _dimension(self, x):
        return x.size - 1


def _complex(where: str, name: str, value: Any) -> Array:
    if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.complexfloating):
        return jnp.asarray(value)
    (array,) = checks.floats(where, **{name: value})
    return array.astype(jnp.result_type(array.dtype, jnp.complex64))
