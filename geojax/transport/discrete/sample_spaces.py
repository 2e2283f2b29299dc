"""Samples without order: n points of a space modulo permutations."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import safe
from geojax.transport.costs import Distance, cost_matrix_of
from geojax.transport.discrete.assignment import assignment_cost
from geojax.transport.measures import num_points, number
from geojax.typing import Cost, Scalar


def sample_space_distance(
    x: PyTree[Float[Array, "n ..."]], y: PyTree[Float[Array, "n ..."]], *, dist: Cost = Distance()
) -> Float[Array, ""]:
    """Distance between two samples of the same size in the sample space M^n / S_n.

    d(x, y) = min over permutations s of  (sum_i dist(x_i, y_s(i))^2)^(1/2),  the path metric of the quotient, which is
    sqrt(n) times the W_2 distance of the empirical measures.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [n, ...].
        dist: dist(x_i, y_j) -> scalar, the metric of the space, such as `Sphere().dist`; by default the Euclidean one.

    Returns:
        Scalar in units of `dist`. NaN if a distance is NaN.

    Raises:
        ValueError: At trace time, if the samples differ in size or are empty.

    Differentiation: envelope, with the matching held fixed; 0 between equal samples. The derivative of `dist` at equal
        points is taken as 0 if it is not finite.

    Complexity: n^2 distances and one `assignment`, O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sample_space_distance
        >>> x = jnp.array([0.0, 1.0, 5.0])
        >>> round(float(sample_space_distance(x, x[::-1] + 2)), 3)
        3.464

    References: [Harms2020].
    """
    where = "sample_space_distance"
    n, m = num_points(where, x=x, y=y)
    if n != m:
        raise ValueError(
            f"sample_space_distance: x has {n} points and y has {m}; expected samples of one size. "
            "Compare measures instead, with a transport distance."
        )
    return safe.sqrt(assignment_cost(jnp.square(cost_matrix_of(where, "dist", dist, x, y))))


def orbit_type(
    x: PyTree[Float[Array, "n ..."]], *, dist: Cost = Distance(), tol: Scalar = 0.0
) -> Int[Array, " n"]:
    """Multiplicities of the points of a sample, in descending order.

    The numbers of equal points, a partition of n. They determine which permutations leave the sample unchanged, and so
    the stratum of M^n / S_n that it lies in: all ones for n different points, n alone for n equal ones.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        dist: dist(x_i, x_j) -> scalar, the metric of the space; by default the Euclidean one.
        tol: Distance up to which points count as equal; it should be well below the distances of different points.

    Returns:
        Multiplicities, [n], int32, padded with zeros. A point whose distance to itself is NaN is not counted, so that
        the sum is less than n.

    Raises:
        ValueError: At trace time, if the sample is empty or its leaves disagree in size.

    Differentiation: none (piecewise constant).

    Complexity: n^2 distances.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import orbit_type
        >>> orbit_type(jnp.array([3.0, 1.0, 3.0, 2.0, 3.0])).tolist()
        [3, 1, 1, 0, 0]

    References: [Harms2020].
    """
    where = "orbit_type"
    (n,) = num_points(where, x=x)
    distances = jax.lax.stop_gradient(cost_matrix_of(where, "dist", dist, x, x))
    equal = distances <= number(where, "tol", tol, distances.dtype)
    first = jnp.argmax(equal, axis=1)  # the first of the points equal to this one
    counts = jnp.sum((first[:, None] == jnp.arange(n)) & jnp.diagonal(equal)[:, None], axis=0)
    return jnp.sort(counts, descending=True).astype(jnp.int32)
