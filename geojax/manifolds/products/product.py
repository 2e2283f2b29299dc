"""Products of manifolds: a point is a tree of points, and every operation acts part by part."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax._core.struct import struct
from geojax._core.tree import path_name
from geojax.manifolds.base.composite import Composite
from geojax.manifolds.base.doors import is_manifold_class
from geojax.manifolds.base.geodesics import LogResult, plane_area
from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree


def _is_manifold(value: Any) -> bool:
    return isinstance(value, Manifold)


@struct
class Product(Composite):
    """Tuples, dicts or other trees of points, one of each manifold, with the sum of the metrics.

    <u, v> = sum_i <u_i, v_i>_i, and squared_dist(x, y) = sum_i dist_i(x_i, y_i)^2; exp, log, projections and transports
    act on each part by itself.

    Args:
        tree: A tree with manifolds in place of leaves. Points and tangents are trees of the same containers, with a
            point of each manifold in its place, be that an array or a tree. The containers are static, the parameters
            of the manifolds are leaves.

    Returns:
        A manifold whose points are trees. `random_point` takes a tree of shapes. `log_with_info` is unique if it is in
        every part, with the largest error, status and number of steps of the parts. It has those operations that
        all its parts have.

    Raises:
        TypeError if something in the tree is not a manifold; ValueError if a point's containers are not those of the
        tree.

    Differentiation: as each part.

    Complexity: the sum of the parts.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, Product, Sphere
        >>> space = Product({"place": Euclidean(), "heading": Sphere()})
        >>> x = {"place": jnp.zeros(2), "heading": jnp.array([1.0, 0.0])}
        >>> y = {"place": jnp.array([3.0, 4.0]), "heading": jnp.array([1.0, 0.0])}
        >>> float(space.dist(x, y))
        5.0

    References: [Absil2008].
    """

    tree: PyTree

    def __post_init__(self) -> None:
        for path, part in jax.tree_util.tree_flatten_with_path(self.tree, is_leaf=_is_manifold)[0]:
            if not _is_manifold(part):
                mend = (
                    f"Write {part.__name__}()"
                    if is_manifold_class(part)
                    else "Use Euclidean() for flat coordinates"
                )
                raise TypeError(
                    f"Product: tree has {checks.described(part)} at {path_name(path) or 'the root'!r}; "
                    f"expected a manifold. {mend}."
                )

    def _components(self) -> list[Manifold]:
        return jax.tree.leaves(self.tree, is_leaf=_is_manifold)

    def _point_structure(self) -> Any:
        parts = jax.tree.map(
            lambda part: jax.tree.unflatten(*_with_zeros(part)), self.tree, is_leaf=_is_manifold
        )
        return jax.tree.structure(parts)

    def _arrays(self, operation, **values):
        named, structure = jax.tree_util.tree_flatten_with_path(self.tree, is_leaf=_is_manifold)
        split = {name: self._split(operation, name, value) for name, value in values.items()}
        parts = []
        for index, (path, part) in enumerate(named):
            place = path_name(path)
            parts.append(
                part._arrays(operation, **{f"{name} at {place!r}": split[name][index] for name in values})
            )
        return tuple(structure.unflatten(list(column)) for column in zip(*parts))

    def _split(self, operation: str, name: str, value: PyTree) -> list[Any]:
        """The parts of a tree whose containers are those of the manifolds' tree."""
        structure = jax.tree.structure(self.tree, is_leaf=_is_manifold)
        try:
            return structure.flatten_up_to(value)
        except (ValueError, TypeError):
            raise ValueError(
                f"{self._name}.{operation}: {name} is {jax.tree.structure(value)}; expected the containers "
                f"of {structure}. Give it one entry for each manifold."
            ) from None

    def _parts(self, method: str, *values: PyTree) -> list[Any]:
        """The results of each manifold's own method for its parts of the values."""
        manifolds, structure = jax.tree.flatten(self.tree, is_leaf=_is_manifold)
        columns = [structure.flatten_up_to(value) for value in values]
        return [getattr(m, method)(*parts) for m, *parts in zip(manifolds, *columns, strict=True)]

    def _each(self, method: str, *values: PyTree) -> Any:
        structure = jax.tree.structure(self.tree, is_leaf=_is_manifold)
        return structure.unflatten(self._parts(method, *values))

    def _joined(self, join: Callable[[Any, Any], Any], method: str, *values: PyTree) -> Any:
        return functools.reduce(join, self._parts(method, *values))

    def _project(self, x):
        return self._each("_project", x)

    def _to_tangent(self, x, u):
        return self._each("_to_tangent", x, u)

    def _inner(self, x, u, v):
        return self._joined(jnp.add, "_inner", x, u, v)

    def _exp(self, x, u):
        return self._each("_exp", x, u)

    def _log(self, x, y):
        return self._each("_log", x, y)

    def _squared_dist(self, x, y):
        return self._joined(jnp.add, "_squared_dist", x, y)

    def _parallel_transport(self, x, y, u):
        return self._each("_parallel_transport", x, y, u)

    def _sectional_curvature(self, x, u, v):
        # The Riemann tensor is a sum over the parts: each adds its curvature times the area of its part of the plane.
        areas = [
            plane_area(*terms)
            for terms in zip(
                self._parts("_inner", x, u, u),
                self._parts("_inner", x, v, v),
                self._parts("_inner", x, u, v),
                strict=True,
            )
        ]
        curvatures = self._parts("_sectional_curvature", x, u, v)
        curved = [jnp.where(area == 0, 0, k * area) for k, area in zip(curvatures, areas, strict=True)]
        return functools.reduce(jnp.add, curved) / plane_area(
            self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v)
        )

    def _random_point(self, key, shape, dtype):
        shapes = self._split("random_point", "shape", shape)
        manifolds, structure = jax.tree.flatten(self.tree, is_leaf=_is_manifold)
        keys = jax.random.split(key, len(manifolds))
        return structure.unflatten(
            [m._random_point(k, s, dtype) for m, k, s in zip(manifolds, keys, shapes, strict=True)]
        )

    def _random_tangent(self, key, x):
        manifolds, structure = jax.tree.flatten(self.tree, is_leaf=_is_manifold)
        keys = structure.unflatten(list(jax.random.split(key, len(manifolds))))
        return self._each("_random_tangent", keys, x)

    def _dimension(self, x):
        return sum(self._parts("_dimension", x))

    def _retract(self, x, u):
        return self._each("_retract", x, u)

    def _vector_transport(self, x, u, v):
        return self._each("_vector_transport", x, u, v)

    def _riemannian_gradient(self, x, gradient):
        return self._each("_riemannian_gradient", x, gradient)

    def _unique(self, x, y):
        return self._joined(jnp.logical_and, "_unique", x, y)

    def _log_with_info(self, x, y):
        structure = jax.tree.structure(self.tree, is_leaf=_is_manifold)
        parts = self._parts("_log_with_info", x, y)
        return LogResult(
            structure.unflatten([part.tangent for part in parts]),
            functools.reduce(jnp.logical_and, [part.unique for part in parts]),
            functools.reduce(jnp.maximum, [part.error for part in parts]),
            functools.reduce(jnp.maximum, [part.num_steps for part in parts]),
            functools.reduce(jnp.maximum, [part.status for part in parts]),
        )

    def _geodesic(self, x, y, t):
        manifolds, structure = jax.tree.flatten(self.tree, is_leaf=_is_manifold)
        return self._each("_geodesic", x, y, structure.unflatten([t] * len(manifolds)))

    def _constraint_error(self, x):
        return self._joined(jnp.maximum, "_constraint_error", x)

    def _tangent_error(self, x, u):
        return self._joined(jnp.maximum, "_tangent_error", x, u)


def _with_zeros(part: Manifold) -> tuple[Any, list[int]]:
    """The containers of a point of one part, and a leaf for each place in them."""
    structure = part._point_structure()
    return structure, [0] * structure.num_leaves
