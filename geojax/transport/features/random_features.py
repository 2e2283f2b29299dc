"""Positive random features of the softmax and Gaussian kernels, from coupled random frequencies."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.transport.features.directions import orthogonal_directions, rotations, simplex
from geojax.typing import Key

Directions = Callable[[Key, tuple[int, int]], Float[Array, "k d"]]


def gaussian_frequencies(
    key: Key, shape: tuple[int, int], *, directions: Directions = orthogonal_directions
) -> Float[Array, "k d"]:
    """Standard Gaussian vectors with coupled directions.

    w_i = r_i theta_i, where the r_i are independent of each other and of the directions, and distributed as the norm
    of a standard Gaussian vector. If each direction is uniform on the sphere, each w_i has the standard Gaussian law.

    Args:
        key: Random key.
        shape: (k, d), the number of vectors and their dimension.
        directions: (key, shape) -> unit rows: `random_directions` makes the vectors independent,
            `orthogonal_directions` and `simplex_directions` spread them out.

    Returns:
        Vectors, [k, d], of the default floating dtype.

    Raises:
        ValueError: If shape is not two positive integers.

    Differentiation: none; the key is the only argument.

    Complexity: that of `directions`, at most O(k d^2).

    Example:
        >>> import jax
        >>> from geojax.transport import simplex_directions
        >>> from geojax.transport.features import gaussian_frequencies
        >>> gaussian_frequencies(jax.random.key(0), (8, 4), directions=simplex_directions).shape
        (8, 4)

    References: [Yu2016]; [Reid2023].
    """
    key_rows, key_norms = jax.random.split(_typed("gaussian_frequencies", key))
    return directions(key_rows, shape) * _norms(key_norms, shape)[:, None]


def simplex_plus_frequencies(key: Key, shape: tuple[int, int], *, num_sweeps: int = 5) -> Float[Array, "k d"]:
    """Standard Gaussian vectors in sets of d, coupled so that the sum of each set is small.

    In each set the norms r_i are drawn first. The directions start at the corners of a simplex; then each vector in
    turn is set opposite to the sum of the others, which lowers |sum_i w_i|. A random rotation makes each direction
    uniform. This is asymptotically the best coupling of directions and norms.

    Args:
        key: Random key.
        shape: (k, d), the number of vectors and their dimension; d >= 2.
        num_sweeps: Number of times that every vector of a set is turned; static.

    Returns:
        Vectors, [k, d], of the default floating dtype; each has the standard Gaussian law.

    Raises:
        ValueError: If shape is not two positive integers, or d = 1.

    Differentiation: none; the key is the only argument.

    Complexity: O(k d (d + num_sweeps)).

    Example:
        >>> import jax
        >>> from geojax.transport.features import simplex_plus_frequencies
        >>> w = simplex_plus_frequencies(jax.random.key(0), (3, 3))
        >>> bool(abs(w.sum(0)).max() < 1)
        True

    References: [Reid2023], Sec. 3.3.
    """
    key_turn, key_norms = jax.random.split(_typed("simplex_plus_frequencies", key))
    checks.count("simplex_plus_frequencies", "num_sweeps", num_sweeps)
    k, d = shape
    turns = rotations(key_turn, k, d)
    norms = _norms(key_norms, (turns.shape[0] * d, d)).reshape(-1, d)

    def coupled_set(radii: Array) -> Float[Array, "d d"]:
        def turn(i: Array, rows: Array) -> Array:
            rest = jnp.sum(rows, axis=0) - rows[i % d]
            size = jnp.linalg.norm(rest)
            # If the others sum to zero every direction is equally good, and the vector stays.
            opposite = jnp.where(size > 0, -radii[i % d] * rest / jnp.where(size > 0, size, 1), rows[i % d])
            return rows.at[i % d].set(opposite)

        return jax.lax.fori_loop(0, num_sweeps * d, turn, radii[:, None] * simplex(d))

    return (jax.vmap(coupled_set)(norms) @ turns).reshape(-1, d)[:k]


@rounded_once
def softmax_features(x: Float[Array, "n d"], frequencies: Float[Array, "k d"]) -> Float[Array, "n k"]:
    """Positive random features of the softmax kernel, unbiased: phi(x) . phi(y) approximates exp(x . y).

    phi(x)_i = exp(w_i . x - |x|^2 / 2) / sqrt(k).

    Args:
        x: Points, [n, d].
        frequencies: Vectors w, [k, d], each standard Gaussian: `gaussian_frequencies`, `simplex_plus_frequencies`.

    Returns:
        Features, [n, k], positive; far from the origin they underflow to 0. With independent frequencies the mean
        squared error of the approximation is (exp(|x + y|^2) - 1) exp(2 x . y) / k; coupled frequencies have a
        smaller one.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: O(n k d).

    Example:
        >>> import jax
        >>> from geojax.transport.features import gaussian_frequencies, softmax_features
        >>> x = jax.random.normal(jax.random.key(0), (5, 3)) / 4
        >>> phi = softmax_features(x, gaussian_frequencies(jax.random.key(1), (3000, 3)))
        >>> bool(abs(phi @ phi.T / jax.numpy.exp(x @ x.T) - 1).max() < 0.5)
        True

    References: [Choromanski2021]; [Reid2023].
    """
    return _features("softmax_features", x, frequencies, 0.5)


@rounded_once
def gaussian_features(x: Float[Array, "n d"], frequencies: Float[Array, "k d"]) -> Float[Array, "n k"]:
    """Positive random features of the Gaussian kernel: phi(x) . phi(y) approximates exp(-|x - y|^2 / 2), unbiased.

    phi(x)_i = exp(w_i . x - |x|^2) / sqrt(k).  For the kernel exp(-|x - y|^2 / epsilon) of entropic transport with the
    squared distance as cost, scale the points by sqrt(2 / epsilon).

    Args:
        x: Points, [n, d], in units of the kernel's width.
        frequencies: Vectors w, [k, d], each standard Gaussian: `gaussian_frequencies`, `simplex_plus_frequencies`.

    Returns:
        Features, [n, k], positive; far from the origin they underflow to 0.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: O(n k d).

    Example:
        >>> import jax
        >>> from geojax.transport.features import gaussian_features, gaussian_frequencies
        >>> x = jax.random.normal(jax.random.key(0), (5, 3)) / 4
        >>> phi = gaussian_features(x, gaussian_frequencies(jax.random.key(1), (3000, 3)))
        >>> bool(abs((phi**2).sum(1) - 1).max() < 0.5)
        True

    References: [Choromanski2021]; [Reid2023].
    """
    return _features("gaussian_features", x, frequencies, 1.0)


def _features(where: str, x: Array, frequencies: Array, share: float) -> Float[Array, "n k"]:
    x, frequencies = checks.floats(where, x=x, frequencies=frequencies)
    size = checks.shapes(where, x=(x, "n d"), frequencies=(frequencies, "k d"))
    exponent = x @ frequencies.T - share * jnp.sum(jnp.square(x), axis=1, keepdims=True)
    return jnp.exp(exponent) / jnp.sqrt(jnp.asarray(max(size["k"], 1), x.dtype))


def _norms(key: Key, shape: tuple[int, int]) -> Float[Array, " k"]:
    """Norms of independent standard Gaussian vectors."""
    return jnp.linalg.norm(jax.random.normal(key, shape), axis=1)


def _typed(where: str, key: Key) -> Key:
    checks.typed_key(where, key)
    return key
