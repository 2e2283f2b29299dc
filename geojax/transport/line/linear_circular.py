"""Linear circular transport: measures on the circle as vectors whose distances approximate those of transport."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax.transport.line.circular import continued
from geojax.transport.line.sorting import ascending
from geojax.transport.line.univariate import line_points
from geojax.transport.measures import arrays, number, uniform
from geojax.typing import Scalar


def lcot_embedding(x: Float[Array, " n"], *, num: int, period: Scalar = 1.0) -> Float[Array, " num"]:
    """Displacement that carries the uniform measure on the circle to a given one, at evenly spaced places.

    e(t) = F^-1(t - mean + 1/2) - t  in turns, where F^-1 is the quantile function continued around the circle and mean
    the mean of the points in [0, 1): the optimal map from the uniform measure minus the identity. It is 0 for the
    uniform measure, and two embeddings are compared modulo the period.

    Args:
        x: Points, [n], each of weight 1 / n; taken modulo the period.
        num: Number of places t = (k + 1/2) / num; static.
        period: Length of the circle, > 0.

    Returns:
        Displacements, [num], in units of x. NaN if a point is not finite or period <= 0.

    Raises:
        ValueError: At trace time, if x is not a vector or is empty, or num < 1.

    Differentiation: exact in x and period unless F^-1 jumps at one of the places.

    Complexity: O(n log n + num).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import lcot_embedding
        >>> uniform = jnp.array([0.125, 0.375, 0.625, 0.875])
        >>> lcot_embedding(uniform, num=4).tolist()
        [0.0, 0.0, 0.0, 0.0]

    References: [Martin2024].
    """
    checks.count("lcot_embedding", "num", num, minimum=1)
    (x,) = line_points("lcot_embedding", x=x)
    length = number("lcot_embedding", "period", period, x.dtype)
    turns = ascending(jnp.mod(x, length) / length)
    places = _places(num, x.dtype)
    held = jax.lax.stop_gradient(turns)
    index = jnp.ceil((places - jnp.mean(held) + 0.5) * x.size).astype(jnp.int32) - 1
    valid = jnp.all(jnp.isfinite(held)) & (length > 0)
    return jnp.where(valid, length * (continued(turns, index, jnp.ones_like(length)) - places), jnp.nan)


def lcot_distance(
    x: Float[Array, " n"], y: Float[Array, " m"], *, num: int, period: Scalar = 1.0
) -> Float[Array, ""]:
    """Linear circular transport distance between two measures on a circle, by quadrature (not squared).

    d^2 = int |e_x(t) - e_y(t)|^2 dt,  where e are the embeddings of `lcot_embedding` and |.| the length of the shorter
    arc. A metric on measures; equal to the circular W_2 if one of them is uniform or both are single points. The
    quadrature has num places and an error of O(1 / num).

    Args:
        x: Points, [n], each of weight 1 / n; taken modulo the period.
        y: Points, [m], each of weight 1 / m.
        num: Number of places; static.
        period: Length of the circle, > 0.

    Returns:
        Scalar in units of x. NaN if a point is not finite or period <= 0.

    Raises:
        ValueError: At trace time, if x or y is not a vector or is empty, or num < 1.

    Differentiation: exact in x, y and period where smooth; 0 between equal measures.

    Complexity: O(n log n + m log m + num). For all pairs of many measures compute each embedding once.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import lcot_distance
        >>> round(float(lcot_distance(jnp.array([0.1]), jnp.array([0.8]), num=8)), 4)
        0.3

    References: [Martin2024].
    """
    x, y = line_points("lcot_distance", x=x, y=y)
    gaps = lcot_embedding(x, num=num, period=period) - lcot_embedding(y, num=num, period=period)
    return safe.norm(_arc(gaps, jnp.asarray(period, x.dtype))) / jnp.sqrt(jnp.asarray(num, x.dtype))


def lcot_inverse(embedding: Float[Array, " num"], *, period: Scalar = 1.0) -> Float[Array, " num"]:
    """Points of the measure that has a given embedding.

    x_k = t_k + e(t_k)  modulo the period. From the embedding of n points at n places it recovers the points.

    Args:
        embedding: Displacements at even places, [num], from `lcot_embedding` or `lcot_barycenter`.
        period: Length of the circle, > 0.

    Returns:
        Points, [num], in [0, period).

    Raises:
        ValueError: At trace time, if the embedding is not a vector or is empty.

    Differentiation: exact.

    Complexity: O(num).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import lcot_embedding, lcot_inverse
        >>> x = jnp.array([0.5, 0.25, 0.75, 0.625])
        >>> jnp.sort(lcot_inverse(lcot_embedding(x, num=4))).tolist()
        [0.25, 0.5, 0.625, 0.75]

    References: [Martin2024].
    """
    (embedding,) = line_points("lcot_inverse", embedding=embedding)
    length = number("lcot_inverse", "period", period, embedding.dtype)
    return jnp.mod(length * _places(embedding.size, embedding.dtype) + embedding, length)


def lcot_barycenter(
    embeddings: Float[Array, "k num"], weights: Float[Array, " k"] | None = None, *, period: Scalar = 1.0
) -> Float[Array, " num"]:
    """Mean of embeddings, place by place on the circle: the embedding nearest to all of them.

    Minimises  sum_i w_i |e - e_i(t)|^2  over e at each place t, where |.| is the length of the shorter arc. A minimiser
    is the mean of numbers e_i + j_i period, with integers j_i, that lie within a period of one of them; the function
    compares all such means.

    Args:
        embeddings: Displacements at the same even places, [k, num], from `lcot_embedding`.
        weights: Weights, [k], nonnegative with a positive sum. By default 1 / k each.
        period: Length of the circle, > 0.

    Returns:
        Displacements, [num]; `lcot_inverse` gives the points of the mean measure.

    Raises:
        ValueError: At trace time, if the shapes disagree or there is no embedding.

    Differentiation: envelope: exact in embeddings, weights and period if the minimiser is unique.

    Complexity: O(k^2 num).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import lcot_barycenter, lcot_embedding, lcot_inverse
        >>> points = jnp.array([[0.9], [0.2]])
        >>> mean = lcot_barycenter(jax.vmap(lambda x: lcot_embedding(x, num=4))(points))
        >>> [round(float(x), 3) for x in lcot_inverse(mean)]
        [0.05, 0.05, 0.05, 0.05]

    References: [Martin2024].
    """
    (embeddings,) = arrays("lcot_barycenter", embeddings=embeddings)
    k = checks.shapes("lcot_barycenter", embeddings=(embeddings, "k num"))["k"]
    if k == 0:
        raise ValueError(
            "lcot_barycenter: embeddings has no rows; expected at least one. Leave empty problems out."
        )
    weights = uniform(k, embeddings.dtype) if weights is None else weights
    embeddings, weights = arrays("lcot_barycenter", embeddings=embeddings, weights=weights)
    checks.shapes("lcot_barycenter", embeddings=(embeddings, "k num"), weights=(weights, "k"))
    weights = weights / jnp.sum(weights)
    length = number("lcot_barycenter", "period", period, embeddings.dtype)

    def mean_from(first: Array) -> tuple[Array, Array]:
        """Means of the numbers lifted to [first, first + period), and their spreads."""
        lifts = first + jnp.mod(embeddings - first, length)
        mean = weights @ lifts
        return mean, weights @ jnp.square(_arc(lifts - mean, length))

    means, spreads = jax.vmap(mean_from)(embeddings)
    best = jnp.argmin(jax.lax.stop_gradient(spreads), axis=0)
    mean = jnp.take_along_axis(means, best[None], axis=0)[0]
    return jnp.where(jnp.all(weights >= 0) & (length > 0), mean, jnp.nan)


def _places(num: int, dtype) -> Float[Array, " num"]:
    return (jnp.arange(num, dtype=dtype) + 0.5) / num


def _arc(gaps: Array, length: Array) -> Array:
    """Signed length of the shorter of the two arcs that join the ends of each gap."""
    return gaps - length * jnp.round(jax.lax.stop_gradient(gaps / length))
