"""Multivectors of a geometric algebra: their product, and attention between points by products of their vectors."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.equivariant.perceptrons import HIGHEST, part_of, perceptron, perceptron_init
from geojax.typing import Key, Params

SPACE = (1, 1, 1)


@rounded_once
def geometric_product(
    a: Float[Array, " k"], b: Float[Array, " k"], *, signature: tuple[int, ...]
) -> Float[Array, " k"]:
    """Product of two multivectors of a geometric (Clifford) algebra.

    It is bilinear and associative, with e_i e_i = signature_i and e_i e_j = -e_j e_i for i != j.

    Args:
        a: Coefficients, [2^n]. Place A belongs to the product, in ascending order, of the e_i with bit i set in A:
            (1, e_0, e_1, e_0 e_1, e_2, e_0 e_2, e_1 e_2, e_0 e_1 e_2) for n = 3. Vectors are at the places 2^i.
        b: Coefficients, [2^n].
        signature: The squares of e_0, ..., e_(n-1), each 1, 0 or -1: (1, 1, 1) for space, (1, -1, -1, -1) for
            space-time, (0, 1, 1, 1) for motions of space; static.

    Returns:
        Coefficients of a b, [2^n].

    Raises:
        ValueError: At trace time, if a shape is not [2^n], or an entry of signature is not 1, 0 or -1.

    Differentiation: exact.

    Complexity: O(4^n), where the dense table of structure constants takes O(8^n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import geometric_product
        >>> u, v = jnp.zeros(4).at[1].set(3.0), jnp.zeros(4).at[jnp.array([1, 2])].set(1.0)
        >>> geometric_product(u, v, signature=(1, 1)).tolist()
        [3.0, 0.0, 0.0, 3.0]

    References: [Spellings2021].
    """
    where = "geometric_product"
    a, b = checks.floats(where, a=a, b=b)
    squares = tuple(int(each) for each in signature)
    if not all(each in (-1, 0, 1) for each in signature):
        raise ValueError(
            f"{where}: signature is {signature}; expected squares that are 1, 0 or -1. Scale the basis."
        )
    size = str(2 ** len(squares))
    checks.shapes(where, a=(a, size), b=(b, size))
    partner, sign = _table(squares)
    return jnp.sum(jnp.asarray(sign, a.dtype) * b[partner] * a, axis=1)


@functools.cache
def _table(signature: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For each place C of a product and A of its first factor: the place of the second, and the sign, 0 or +-1."""
    n = len(signature)
    places = np.arange(2**n)
    first, second = np.broadcast_to(places, (2**n, 2**n)), places[:, None] ^ places
    one, two = ((each[..., None] >> np.arange(n)) & 1 for each in (first, second))
    # Each basis vector of the second factor passes those of the first that are above it.
    above = np.cumsum(one[..., ::-1], axis=-1)[..., ::-1] - one
    sign = 1 - 2 * (np.sum(above * two, axis=-1) % 2)
    shared = one & two
    return second.astype(np.int32), sign * np.prod(np.where(shared == 1, np.asarray(signature), 1), axis=-1)


def geometric_attention_init(features: int, *, width: int, order: int = 2, key: Key) -> dict[str, Any]:
    """Random parameters of `geometric_attention`, in the default floating dtype.

    Perceptrons: message [2 + order c] -> [width], and heads [width] -> [1 + c + order + 1] for score, value and vector.

    Args:
        features: Number of features of a point, c >= 1; static.
        width: Width of the messages and hidden layers; static.
        order: How many vectors are multiplied, 2 or 3; static.
        key: Typed random key.

    Returns:
        {"message", "heads"} -> {"w1", "b1", "w2", "b2"}.

    Raises:
        TypeError, ValueError: If a size is not a positive integer, order is not 2 or 3, or key is no typed key.

    Differentiation: none; the key is the only argument that is no size.

    Complexity: O(width (width + order c)) numbers.

    Example:
        >>> import jax
        >>> from geojax.equivariant import geometric_attention_init
        >>> sorted(geometric_attention_init(2, width=4, key=jax.random.key(0)))
        ['heads', 'message']

    References: [Spellings2021].
    """
    where = "geometric_attention_init"
    checks.typed_key(where, key)
    c = checks.count(where, "features", features, minimum=1)
    width = checks.count(where, "width", width, minimum=1)
    if order not in (2, 3):
        raise ValueError(f"{where}: order is {order}; expected 2 or 3, the number of vectors to multiply.")
    first, second = jax.random.split(key)
    return {
        "message": perceptron_init(first, 2 + order * c, width, width),
        "heads": perceptron_init(second, width, width, 2 + c + order),
    }


@rounded_once
def geometric_attention(
    theta: Params,
    points: Float[Array, "n 3"],
    values: Float[Array, "n c"],
    *,
    weights: Float[Array, " n"] | None = None,
) -> tuple[Float[Array, "n c"], Float[Array, "n 3"]]:
    """Attention between points by geometric products of their vectors.

    For pairs p_ij = r_i r_j, which holds r_i . r_j and the plane r_i ^ r_j; for triples r_i r_j r_k, which holds a
    vector and a volume. What rotations leave of it (a number and a length, or a length and a number) and the values
    make a message m. Softmax of score(m) over all j (and k), with weights w_j (and w_k), averages value(m), and
    r_i, r_j and the normal of the plane (or r_i, r_j, r_k and the vector of the product) with factors vector(m).

    Args:
        theta: Parameters, as `geometric_attention_init` makes them; their shapes say pairs or triples.
        points: Vectors r_i from a common centre, [n, 3].
        values: Features, [n, c].
        weights: How much each point counts, [n], >= 0, such as 0 for padding; by default 1.

    Returns:
        (values [n, c], vectors [n, 3]). A rotation of the points turns the vectors and leaves the values; both follow a
        change of order. Where no point counts both are 0.

    Raises:
        ValueError: At trace time, if shapes disagree, or theta is not made for them.

    Differentiation: exact; where the plane (or the vector) of a product is 0, the derivative of its length is taken
        as 0.

    Complexity: O(n^2 width (width + c)) for pairs, n times as much for triples.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import geometric_attention, geometric_attention_init
        >>> theta = geometric_attention_init(1, width=4, key=jax.random.key(0))
        >>> values, vectors = geometric_attention(theta, jnp.eye(3), jnp.ones((3, 1)))
        >>> values.shape, vectors.shape
        ((3, 1), (3, 3))

    References: [Spellings2021].
    """
    where = "geometric_attention"
    points, values = checks.floats(where, points=points, values=values)
    n = checks.shapes(where, points=(points, "n 3"), values=(values, "n c"))["n"]
    counts = jnp.ones(n, points.dtype)
    if weights is not None:
        points, values, counts = checks.floats(where, points=points, values=values, weights=weights)
        checks.shapes(where, points=(points, "n 3"), weights=(counts, "n"))
    c = values.shape[1]
    order = jnp.shape(part_of(where, theta, "heads", ("w1", "b1", "w2"))["w2"])[1] - 2 - c
    if order not in (2, 3):
        raise ValueError(
            f"{where}: theta['heads'] is not made for {c} features; expected those of values. "
            "Make theta for these sizes, with the init function of the layer."
        )
    blades = jnp.zeros((n, 8), points.dtype).at[:, [1, 2, 4]].set(points)
    product = functools.partial(geometric_product, signature=SPACE)
    products = jax.vmap(jax.vmap(product, (None, 0)), (0, None))(blades, blades)
    if order == 2:
        normal = jnp.stack([products[..., 6], -products[..., 5], products[..., 3]], axis=-1)
        invariants = [products[..., 0], _lengths(normal)]
        made = normal
    else:
        products = jax.vmap(jax.vmap(jax.vmap(product, (None, 0)), (0, None)), (0, None))(products, blades)
        made = products[..., jnp.array([1, 2, 4])]
        invariants = [_lengths(made), products[..., 7]]
    inputs = [jnp.stack(invariants, axis=-1), *(_along(axis, values, order) for axis in range(order))]
    messages = perceptron(where, theta, "message", jnp.concatenate(inputs, axis=-1))
    heads = perceptron(where, theta, "heads", messages)
    scores, new, factors = jnp.split(heads, [1, 1 + c], axis=-1)
    shares = _softmax(scores.reshape(n, -1), counts if order == 2 else jnp.outer(counts, counts).ravel())
    sides = jnp.stack([*(_along(axis, points, order) for axis in range(order)), made], axis=-2)
    vectors = jnp.sum(factors[..., None] * sides, axis=-2)
    new, vectors = (
        jnp.einsum("it,itc->ic", shares, each.reshape(*shares.shape, -1), precision=HIGHEST)
        for each in (new, vectors)
    )
    return new, vectors


def _along(axis: int, rows: Float[Array, "n c"], order: int) -> Float[Array, "*tuples c"]:
    """Rows repeated over all pairs or triples, along one of their places."""
    n, c = rows.shape
    others = [each for each in range(order) if each != axis]
    return jnp.broadcast_to(jnp.expand_dims(rows, others), (n,) * order + (c,))


def _softmax(scores: Float[Array, "n t"], weights: Float[Array, " t"]) -> Float[Array, "n t"]:
    """Softmax along the last axis with weights; zero where no weight is positive."""
    largest = jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True))
    shares = weights * jnp.exp(scores - largest)
    total = jnp.sum(shares, axis=-1, keepdims=True)
    return shares / jnp.where(total == 0, 1, total)


def _lengths(vectors: Float[Array, "*shape 3"]) -> Float[Array, "*shape"]:
    flat = jax.vmap(safe.norm)(vectors.reshape(-1, 3))
    return flat.reshape(vectors.shape[:-1])
