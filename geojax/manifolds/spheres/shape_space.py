"""Kendall's shapes: landmarks modulo translations, scales and rotations."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import safe
from geojax._core.matrices import linalg
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithLog, plane_area
from geojax.manifolds.spheres.sphere import Sphere

_SPHERE = Sphere()


@struct
class ShapeSpace(WithLog):
    """Shapes of k landmarks in R^m: centred matrices of norm 1, modulo rotations of R^m.

    dist(x, y) = min over rotations R of the angle between x and y R, which is arccos(s_1 + ... + s_(m-1) + sign s_m)
    with the singular values s and the sign of the determinant of y^T x. Reflections are other shapes.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [k, m], k landmarks by rows, with mean 0 and Frobenius norm 1; a rotated
        matrix is the same shape. Tangents are horizontal: x^T u is symmetric, <x, u> = 0, and the mean is 0. `log`
        is horizontal, and exp(x, log(x, y)) is y rotated onto x. A logarithm is unique if the best rotation is:
        s_(m-1) + sign s_m > 0. It has no `parallel_transport`, as there is no closed form; `pole_ladder` approximates
        it.

    Differentiation: exact, through the best rotation too; rotations of either argument do not change distances. If
    the best rotation is not unique there is no derivative, and the result is finite.

    Complexity: O(k m^2 + m^3) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import ShapeSpace
        >>> triangle = ShapeSpace().project(jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        >>> turned = triangle @ jnp.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> bool(ShapeSpace().dist(triangle, turned) < 1e-3)
        True

    References: [Kendall1984]; [Le1991].
    """

    point_shape = "k m"

    def _project(self, x):
        centred = x - jnp.mean(x, axis=0)
        return centred / safe.norm(centred)

    def _to_tangent(self, x, u):
        u = u - jnp.mean(u, axis=0)
        u = u - jnp.vdot(x, u) * x
        turning = x.T @ u
        return u - x @ linalg.lyapunov_least(x.T @ x, turning - turning.T)

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _norm(self, x, u):
        return safe.norm(u)

    def _exp(self, x, u):
        return _as_vectors(_SPHERE._exp, x, u)

    def _retract(self, x, u):
        return _as_vectors(_SPHERE._retract, x, u)

    def _log(self, x, y):
        return _as_vectors(_SPHERE._log, x, y @ _best_rotation(y.T @ x))

    def _squared_dist(self, x, y):
        return _SPHERE._squared_dist(x.ravel(), (y @ _best_rotation(y.T @ x)).ravel())

    def _unique(self, x, y):
        product = y.T @ x
        values = jnp.linalg.svd(product, compute_uv=False)
        slack = 8 * x.size * jnp.finfo(x.dtype).eps
        if len(values) < 2:
            return values[0] >= -slack
        sign = jnp.sign(jnp.linalg.det(product))
        return values[-2] + sign * values[-1] > slack * values[0]

    def _sectional_curvature(self, x, u, v):
        # O'Neill's formula for the quotient of the sphere: 1 + 3/4 of the squared vertical part of the bracket, x a.
        area = plane_area(jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))
        turning = u.T @ v
        bracket = x @ linalg.lyapunov_least(x.T @ x, 2 * (turning - turning.T))
        return (area + 0.75 * jnp.sum(jnp.square(bracket))) / area

    def _random_point(self, key, shape, dtype):
        return self._project(jax.random.normal(key, shape, dtype))

    def _dimension(self, x):
        landmarks, m = x.shape
        return (landmarks - 1) * m - 1 - m * (m - 1) // 2


def _as_vectors(operation, *matrices):
    """An operation on vectors, applied to matrices whose entries are read as one vector each."""
    return operation(*(matrix.ravel() for matrix in matrices)).reshape(matrices[0].shape)


@jax.custom_jvp
def _best_rotation(product: Array) -> Array:
    """The rotation R that maximises <R, product>: from product = U S V^T, R = U D V^T with D = (1, ..., 1, +-1)."""
    left, _, right = jnp.linalg.svd(product)
    sign = jnp.sign(jnp.linalg.det(left) * jnp.linalg.det(right))
    last = jnp.arange(len(left)) == len(left) - 1
    return (left * jnp.where(last, sign, 1)) @ right


@_best_rotation.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # R^T product stays symmetric: with R' = R W, W skew, it says W P + P W = R^T product' - its transpose.
    (product,), (change,) = primals, tangents
    rotation = _best_rotation(product)
    symmetric, turned = rotation.T @ product, rotation.T @ change
    skew = linalg.lyapunov_least((symmetric + symmetric.T) / 2, turned - turned.T)
    return rotation, rotation @ skew
