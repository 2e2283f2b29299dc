"""Ground costs: what it costs to move a unit of mass from one point to another, for one pair and for all pairs."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from geojax._core import checks, safe
from geojax._core.loops import vary_with
from geojax._core.precision import widened
from geojax._core.struct import struct
from geojax.transport.measures import check_cost, check_same_space, num_points
from geojax.typing import Cost

DIRECT = 8  # coordinates up to which differences are squared one by one: as fast as a product, and more exact


@struct
class SquaredEuclidean:
    """The cost |x - y|^2 between arrays, or between trees of arrays, summed over all entries.

    `pairwise` evaluates it for all pairs by one matrix product.
    """

    def __call__(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Cost of one pair of points."""
        parts = [jnp.sum(jnp.square(jnp.subtract(p, q))) for p, q in _paired_leaves(x, y)]
        return functools.reduce(jnp.add, parts)


@struct
class Distance:
    """The cost dist(x, y) of a metric space: a space that has `.dist`, or a function; Euclidean by default.

    `Distance(Sphere())` and `Distance(Sphere().dist)` are the same cost. Its derivative at x = y is 0, also for
    functions such as `jnp.linalg.norm` whose own derivative there is NaN.
    """

    metric: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.metric, type):
            raise TypeError(
                f"Distance: metric is the class {self.metric.__name__}; expected an instance. "
                f"Write Distance({self.metric.__name__}())."
            )
        if self.metric is not None and not hasattr(self.metric, "dist"):
            if not callable(self.metric):
                raise TypeError(
                    f"Distance: metric is a {type(self.metric).__name__}; expected a space that has `.dist`, such as "
                    "geojax.manifolds.Sphere(), or a function dist(x, y) -> scalar. Distance() is the Euclidean one."
                )
            # A Partial is a pytree without leaves, so that the cost may be an argument of a compiled function.
            object.__setattr__(self, "metric", jax.tree_util.Partial(self.metric))

    def __call__(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Cost of one pair of points."""
        if self.metric is None:
            return safe.norm(
                jnp.concatenate([jnp.ravel(jnp.subtract(p, q)) for p, q in _paired_leaves(x, y)])
            )
        return getattr(self.metric, "dist", self.metric)(x, y)


def pairwise(
    cost: Cost, x: PyTree[Float[Array, "n ..."]], y: PyTree[Float[Array, "m ..."]]
) -> Float[Array, "n m"]:
    """Costs between all points of two sets.

    C_ij = cost(x_i, y_j). `SquaredEuclidean` takes one matrix product, of points whose mean has been taken off, so
    that no digits are lost far from the origin.

    Args:
        cost: cost(x_i, y_j) -> scalar: `SquaredEuclidean()`, `Distance(space)` or any function of two points.
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].

    Returns:
        Costs, [n, m]. Those of `SquaredEuclidean` are not negative; beyond 8 coordinates they are exact to d ulp of
        the squared distances from the mean of y, and so are only nearly zero between equal points.

    Raises:
        ValueError: At trace time, if a set is empty, its leaves disagree in size, or the cost is not a scalar.
        TypeError: At trace time, if cost is not a cost: a string, a class or a space.

    Differentiation: exact, in x, y and in what `cost` closes over. At equal points, where the derivative of a
        distance is not defined, it is 0.

    Complexity: n m costs; O(n m d) as a matrix product for `SquaredEuclidean`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import Distance, SquaredEuclidean, pairwise
        >>> x, y = jnp.array([[0.0, 0.0], [3.0, 4.0]]), jnp.array([[0.0, 0.0]])
        >>> pairwise(SquaredEuclidean(), x, y)[:, 0].tolist(), pairwise(Distance(), x, y)[:, 0].tolist()
        ([0.0, 25.0], [0.0, 5.0])

    References: [Peyre2019].
    """
    return cost_matrix_of("pairwise", "cost", cost, x, y)


def cost_matrix_of(where: str, name: str, cost: Cost, x: PyTree, y: PyTree) -> Float[Array, "n m"]:
    """`pairwise`, with messages that name the calling function and its argument."""
    check_cost(where, name, cost)
    num_points(where, x=x, y=y)
    # JAX 0.10 refuses a numpy array as a constant of a mapped function with a derivative of its own.
    x, y = widened(jax.tree.map(jnp.asarray, (x, y)))
    if isinstance(cost, SquaredEuclidean) or (isinstance(cost, Distance) and cost.metric is None):
        check_same_space(where, x=x, y=y)
    if isinstance(cost, SquaredEuclidean):
        return _squared_distances(*checks.floats(where, x=_rows(x), y=_rows(y)))
    result = _scalar_of(where, name, cost, *_first_pair(x, y))
    # Inside shard_map the derivative by points that all devices hold would be summed over the devices at each pair.
    x, y = vary_with((x, y), x, y, result)
    first = _first_pair(x, y)
    # Arrays that the cost closes over become arguments, so that they are differentiated too.
    function, closed_over = jax.closure_convert(lambda p, q: cost(p, q), *first)

    def entry(p: PyTree, q: PyTree) -> Array:
        return _cost_of_pair(function, p, q, closed_over)

    costs = jax.vmap(lambda p: jax.vmap(lambda q: entry(p, q))(y))(x)
    return checks.floats(where, costs=costs)[0]


def _cost_of_pair(function: Callable[..., Array], p: PyTree, q: PyTree, closed_over: list[Array]) -> Array:
    """One cost; at p = q a derivative that is not finite is 0."""
    leaves, structure = jax.tree.flatten((p, q))
    moving = [jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in leaves]
    fixed = [leaf for leaf, moves in zip(leaves, moving) if not moves]

    def rebuilt(floats: list[Array]) -> tuple[PyTree, PyTree]:
        given, others = iter(floats), iter(fixed)
        return jax.tree.unflatten(structure, [next(given) if moves else next(others) for moves in moving])

    @jax.custom_jvp
    def value(floats: list[Array], closed_over: list[Array]) -> Array:
        return function(*rebuilt(floats), *closed_over)

    @value.defjvp
    def _(primals, tangents):
        (floats, closed_over), (changes, closed_changes) = primals, tangents
        result, slope = jax.vjp(lambda z: function(*rebuilt(z), *closed_over), floats)
        # As an array of its own the derivative can be looked at, and a part of it replaced.
        (slopes,) = slope(jnp.ones_like(result))
        equal = jnp.all(jnp.stack([jnp.all(u == v) for u, v in _paired_leaves(*rebuilt(floats))]))
        slopes = [jnp.where(equal & ~jnp.isfinite(s), 0, s) for s in slopes]
        change = sum(jnp.sum(jnp.real(s * dot)) for s, dot in zip(slopes, changes))

        def partial_cost(values: list[Array]) -> Array:
            return function(*rebuilt(floats), *values)

        if closed_over:
            change = change + jax.jvp(partial_cost, (closed_over,), (closed_changes,))[1]
        return result, jnp.asarray(change, result.dtype)

    return value([leaf for leaf, moves in zip(leaves, moving) if moves], closed_over)


@jax.custom_jvp
def _squared_distances(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
    if x.shape[1] <= DIRECT:
        return jnp.sum(jnp.square(x[:, None] - y), axis=-1)
    x, y = _centred(x, y)
    squares = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)
    return jnp.maximum(squares - 2 * _products(x, y), 0)


@_squared_distances.defjvp
def _(primals, tangents):
    (x, y), (x_dot, y_dot) = _centred(*primals), tangents
    own = jnp.sum(x * x_dot, axis=1)[:, None] + jnp.sum(y * y_dot, axis=1)
    return _squared_distances(*primals), 2 * (own - _products(x, y_dot) - _products(x_dot, y))


def _centred(x: Array, y: Array) -> tuple[Array, Array]:
    centre = jax.lax.stop_gradient(jnp.mean(y, axis=0))
    return x - centre, y - centre


def _products(x: Array, y: Array) -> Float[Array, "n m"]:
    """Inner products of all pairs, to full precision on accelerators too."""
    return jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)


def _rows(points: PyTree) -> Float[Array, "n d"]:
    """The points of a tree as the rows of one matrix."""
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(points)]
    rows = [leaf.reshape(leaf.shape[0], -1) for leaf in leaves]
    return rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=1)


def centred_rows(where: str, points: PyTree, weights: Array | None) -> tuple[Array, Array]:
    """The points of a tree as rows [n, d] less their weighted mean, and that mean [d]."""
    points, weights = widened((points, weights))
    (rows,) = checks.floats(where, points=_rows(points))
    if weights is None:
        mean = jnp.mean(rows, axis=0)
    else:
        mass = jnp.sum(weights)
        mean = weights @ rows / jnp.where(mass > 0, mass, 1)
    return rows - mean, mean


def _paired_leaves(x: PyTree, y: PyTree) -> list[tuple[Any, Any]]:
    return list(zip(jax.tree.leaves(x), jax.tree.leaves(y)))


def _first_pair(x: PyTree, y: PyTree) -> tuple[PyTree, PyTree]:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], (x, y))


def _scalar_of(where: str, name: str, cost: Cost, p: PyTree, q: PyTree) -> jax.ShapeDtypeStruct:
    """The type of the cost of one pair; raises unless it is a scalar."""
    result = jax.eval_shape(cost, p, q)
    shape = getattr(result, "shape", None)
    if shape != ():
        got = f"an array of shape {list(shape)}" if shape is not None else f"a {type(result).__name__}"
        raise ValueError(
            f"{where}: {name} returns {got} for one pair of points; expected a scalar. Sum over the coordinates, "
            "or use SquaredEuclidean() or Distance()."
        )
    return result
