"""Points of a manifold stacked on a leading axis: their checks, their weights, and sums over them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.tree import named_leaves
from geojax.manifolds.base.doors import is_manifold_class
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree


def points_of(where: str, manifold: Manifold, points: PyTree, name: str = "points") -> tuple[Any, int]:
    """The points as floating arrays, stacked, and how many there are; at least one.

    A list or tuple of points is stacked.
    """
    if isinstance(points, Manifold) or is_manifold_class(points):
        raise TypeError(
            f"{where}: {name} is {checks.described(points)}; expected points. Pass the manifold first, then the points."
        )
    points = _stacked_list(where, manifold, points, name)
    leaves = {key: jnp.shape(leaf)[:1] for key, leaf in named_leaves(points).items()}
    sizes = {shape[0] for shape in leaves.values() if shape}
    if () in leaves.values() or len(sizes) != 1:
        got = ", ".join(f"{key or name}: {list(shape)}" for key, shape in leaves.items())
        raise ValueError(
            f"{where}: {name} has the leading axes {{{got}}}; expected points stacked on one leading axis, of the same "
            "size in every leaf. Stack them with jax.numpy.stack."
        )
    (num,) = sizes
    if num == 0:
        raise ValueError(f"{where}: {name} holds no point; expected at least one. Leave the empty set out.")
    first = manifold._arrays(
        where, **{f"each of {name}": jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], points)}
    )[0]
    return jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), points, first), num


def like_points(where: str, manifold: Manifold, points: PyTree, **others: PyTree) -> tuple[Any, ...]:
    """Single points or tangents of the shape and in the dtypes of stacked points."""
    first = jax.tree.map(lambda leaf: leaf[0], points)
    _, *arrays = manifold._arrays(where, **{"each of points": first}, **others)
    return tuple(jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), array, points) for array in arrays)


def _stacked_list(where: str, manifold: Manifold, points: PyTree, name: str) -> Any:
    """A list or tuple of points as one stack; anything else as it is."""
    structure = manifold._point_structure()
    if not isinstance(points, list | tuple) or jax.tree.structure(points) == structure:
        return points
    if not points:
        raise ValueError(f"{where}: {name} holds no point; expected at least one. Leave the empty set out.")
    if any(jax.tree.structure(point) != structure for point in points):
        return points  # its own containers are wrong, which the check of a point says better
    for point in points[1:]:
        checks.same_tree(where, f"a point of {name}", point, "the first point", points[0])
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *points)


def real_dtype(tree: PyTree) -> Any:
    """The floating dtype of distances between points: that of the leaves, without the imaginary part."""
    return jnp.finfo(jnp.result_type(*jax.tree.leaves(tree))).dtype


def weights_of(
    where: str, weights: Float[Array, " n"] | None, num: int, dtype: Any, name: str = "weights"
) -> Float[Array, " n"]:
    """The weights as they were given, or 1 each."""
    if weights is None:
        return jnp.ones(num, dtype)
    (weights,) = checks.floats(where, **{name: weights})
    if jnp.shape(weights) != (num,):
        raise ValueError(
            f"{where}: {name} has shape {list(jnp.shape(weights))}; expected real numbers [{num}], one for each point."
            + (" Leave it out for equal weights." if name == "weights" else "")
        )
    return jnp.asarray(weights, dtype)


def logs(manifold: WithLog, x: PyTree, points: PyTree) -> Any:
    """log_x of every point."""
    return jax.vmap(lambda point: manifold._log(x, point))(points)


def combination(weights: Float[Array, " n"], vectors: PyTree) -> Any:
    """sum_i w_i v_i, leaf by leaf."""
    return jax.tree.map(lambda leaf: jnp.tensordot(weights.astype(leaf.dtype), leaf, axes=1), vectors)


def scaled(c: Float[Array, ""], tree: PyTree) -> Any:
    """C times a tree, in the dtypes of the tree."""
    return jax.tree.map(lambda leaf: c.astype(leaf.dtype) * leaf, tree)


def chosen(condition: Array, x: PyTree, y: PyTree) -> Any:
    """Tree x if the condition holds, else tree y."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), x, y)
