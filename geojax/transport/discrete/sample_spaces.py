"""Samples without order: n points of a space modulo the permutations of their places."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import safe
from geojax.transport.discrete.assignment import assignment_cost
from geojax.typing import Cost, Scalar


def sample_space_distance(
    x: PyTree[Float[Array, "n ..."]], y: PyTree[Float[Array, "n ..."]], *, dist: Cost
) -> Float[Array, ""]:
    """Distance between two samples of the same size in the sample space M^n / S_n.

    d(x, y) = min over permutations s of  (sum_i dist(x_i, y_s(i))^2)^(1/2),  the path metric of the quotient, which is
    sqrt(n) times the W_2 distance of the empirical measures.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [n, ...].
        dist: dist(x_i, y_j) -> scalar, the metric of the space, such as a manifold's `dist`.

    Returns:
        Scalar in units of `dist`. NaN where a distance is NaN.

    Raises:
        ValueError: At trace time, if the samples differ in size or are empty.

    Differentiation: envelope, with the matching held; 0 between equal samples. It needs `dist` to have a finite
        derivative at equal points, as those of this library do.

    Complexity: n^2 distances and one `assignment`, O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sample_space_distance
        >>> x = jnp.array([0.0, 1.0, 5.0])
        >>> round(float(sample_space_distance(x, x[::-1] + 2, dist=lambda p, q: abs(p - q))), 3)
        3.464

    References: [Harms2020].
    """
    n, m = sample_size("sample_space_distance", "x", x), sample_size("sample_space_distance", "y", y)
    if n != m:
        raise ValueError(
            f"sample_space_distance: x has {n} points and y has {m}; expected samples of one size. "
            "Compare measures instead, with a transport distance."
        )
    return safe.sqrt(assignment_cost(jnp.square(_all_pairs(dist, x, y))))


def orbit_type(x: PyTree[Float[Array, "n ..."]], *, dist: Cost, tol: Scalar = 0.0) -> Int[Array, " n"]:
    """Multiplicities of the points of a sample, in descending order.

    The partition of n into the numbers of equal points. It says which permutations leave the sample as it is, and so
    in which stratum of the sample space M^n / S_n it lies: all ones for a regular point, n alone for one repeated.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        dist: dist(x_i, x_j) -> scalar, the metric of the space.
        tol: Distance up to which points count as equal, well below that of different points.

    Returns:
        Multiplicities, [n], int32, filled up with zeros. A point at a NaN distance from itself equals none and is left
        out, so that the sum is below n.

    Raises:
        ValueError: At trace time, if the sample is empty or its leaves disagree in size.

    Differentiation: none (piecewise constant).

    Complexity: n^2 distances.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import orbit_type
        >>> orbit_type(jnp.array([3.0, 1.0, 3.0, 2.0, 3.0]), dist=lambda p, q: abs(p - q)).tolist()
        [3, 1, 1, 0, 0]

    References: [Harms2020].
    """
    n = sample_size("orbit_type", "x", x)
    equal = jax.lax.stop_gradient(_all_pairs(dist, x, x)) <= tol
    first = jnp.argmax(equal, axis=1)  # of the points that equal this one
    counts = jnp.sum((first[:, None] == jnp.arange(n)) & jnp.diagonal(equal)[:, None], axis=0)
    return jnp.sort(counts, descending=True).astype(jnp.int32)


def sample_size(where: str, name: str, points: PyTree) -> int:
    """The number of points of a sample, the same in all its leaves."""
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(points)}
    if len(sizes) != 1 or () in sizes or (0,) in sizes:
        raise ValueError(
            f"{where}: the leaves of {name} have leading axes {sorted(sizes)}; expected one size, at least 1. "
            "Stack the points along the first axis of every leaf."
        )
    return sizes.pop()[0]


def _all_pairs(dist: Cost, x: PyTree, y: PyTree) -> Float[Array, "n m"]:
    return jax.vmap(lambda p: jax.vmap(lambda q: dist(p, q))(y))(x)
