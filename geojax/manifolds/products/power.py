"""Powers of a manifold: k points of one space as one point of another."""

from typing import Any

import jax
import jax.numpy as jnp

from geojax._core.struct import struct
from geojax.manifolds.base.composite import Composite
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import LogResult, plane_area
from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree


@struct
class Power(Composite):
    """Rows of k points of one manifold, M^k, with the sum of the metrics.

    <u, v> = sum_i <u_i, v_i>, and squared_dist(x, y) = sum_i dist(x_i, y_i)^2; exp, log, projections and transports act
    row by row.

    Args:
        manifold: The manifold of each row; its parameters are shared by the rows and stay leaves.

    Returns:
        A manifold whose points have a leading axis of any size k before the axes of a point of `manifold`, on every
        leaf if that is a tree. `random_point` takes shapes with k in front. `log_with_info` is unique if it is in every
        row, with the largest error, status and number of steps. It has those operations that `manifold` has.

    Raises:
        TypeError if `manifold` is not one; ValueError if leaves have leading axes of different sizes.

    Differentiation: as the manifold's.

    Complexity: k times the manifold's, vectorised.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Power, Sphere
        >>> x = jnp.array([[1.0, 0.0], [0.0, 1.0]])
        >>> y = jnp.array([[1.0, 0.0], [1.0, 0.0]])
        >>> round(float(Power(Sphere()).dist(x, y)), 4)
        1.5708

    References: [Absil2008].
    """

    manifold: Manifold

    def __post_init__(self) -> None:
        check_manifold(self._name, self.manifold)

    def _components(self) -> list[Manifold]:
        return [self.manifold]

    def _point_structure(self) -> Any:
        return self.manifold._point_structure()

    def _arrays(self, operation, **values):
        sizes = {}
        for name, value in values.items():
            for leaf in jax.tree.leaves(value):
                if jnp.ndim(leaf) == 0:
                    raise ValueError(
                        f"{self._name}.{operation}: {name} has a leaf of rank 0; expected an axis of rows in front. "
                        "One point of the manifold is value[None]."
                    )
                sizes.setdefault(jnp.shape(leaf)[0], name)
        if len(sizes) > 1:
            (first, one), (second, other) = list(sizes.items())[:2]
            raise ValueError(
                f"{self._name}.{operation}: {other} has {second} rows where {one} has {first}; expected the same "
                "number. Stack as many points on each side."
            )
        # By position: as a dict the rows would come back sorted by name.
        return jax.vmap(lambda *rows: self.manifold._arrays(operation, **dict(zip(values, rows))))(
            *values.values()
        )

    def _rows(self, method: str, *values: PyTree) -> Any:
        return jax.vmap(lambda *row: getattr(self.manifold, method)(*row))(*values)

    def _project(self, x):
        return self._rows("_project", x)

    def _to_tangent(self, x, u):
        return self._rows("_to_tangent", x, u)

    def _inner(self, x, u, v):
        return jnp.sum(self._rows("_inner", x, u, v))

    def _exp(self, x, u):
        return self._rows("_exp", x, u)

    def _log(self, x, y):
        return self._rows("_log", x, y)

    def _squared_dist(self, x, y):
        return jnp.sum(self._rows("_squared_dist", x, y))

    def _parallel_transport(self, x, y, u):
        return self._rows("_parallel_transport", x, y, u)

    def _sectional_curvature(self, x, u, v):
        uu, vv, uv = (self._rows("_inner", x, a, b) for a, b in ((u, u), (v, v), (u, v)))
        # The Riemann tensor is a sum over the rows: each adds its curvature times the area of its part of the plane.
        areas = plane_area(uu, vv, uv)
        curved = jnp.where(areas == 0, 0, self._rows("_sectional_curvature", x, u, v) * areas)
        return jnp.sum(curved) / plane_area(jnp.sum(uu), jnp.sum(vv), jnp.sum(uv))

    def _random_point(self, key, shape, dtype):
        rows = {one[0] for one in jax.tree.leaves(shape, is_leaf=_is_shape)}
        if len(rows) != 1:
            raise ValueError(
                f"{self._name}.random_point: shape has the leading sizes {sorted(rows)}; expected one number of rows. "
                "Put the number of rows in front of every shape."
            )
        inner = jax.tree.map(lambda one: one[1:], shape, is_leaf=_is_shape)
        keys = jax.random.split(key, rows.pop())
        return jax.vmap(lambda k: self.manifold._random_point(k, inner, dtype))(keys)

    def _random_tangent(self, key, x):
        keys = jax.random.split(key, jax.tree.leaves(x)[0].shape[0])
        return jax.vmap(self.manifold._random_tangent)(keys, x)

    def _dimension(self, x):
        rows = jax.tree.leaves(x)[0].shape[0]
        return rows * self.manifold._dimension(jax.tree.map(lambda leaf: leaf[0], x)) if rows else 0

    def _retract(self, x, u):
        return self._rows("_retract", x, u)

    def _vector_transport(self, x, u, v):
        return self._rows("_vector_transport", x, u, v)

    def _riemannian_gradient(self, x, gradient):
        return self._rows("_riemannian_gradient", x, gradient)

    def _unique(self, x, y):
        return jnp.all(self._rows("_unique", x, y))

    def _log_with_info(self, x, y):
        rows = self._rows("_log_with_info", x, y)
        return LogResult(
            rows.tangent,
            jnp.all(rows.unique),
            jnp.max(rows.error),
            jnp.max(rows.num_steps),
            jnp.max(rows.status),
        )

    def _geodesic(self, x, y, t):
        row: Any = self.manifold
        return jax.vmap(lambda a, b: row._geodesic(a, b, t))(x, y)

    def _constraint_error(self, x):
        return jnp.max(self._rows("_constraint_error", x))

    def _tangent_error(self, x, u):
        return jnp.max(self._rows("_tangent_error", x, u))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int) for size in value)
