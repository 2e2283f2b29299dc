"""Joint draws from several laws that are equal as often as possible, and the total variation between laws."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Key


@rounded_once
def total_variation(p: Float[Array, " n"], q: Float[Array, " n"]) -> Float[Array, ""]:
    """Total variation distance between two laws on the same points.

    TV(p, q) = sum_i |p_i - q_i| / 2,  the optimal transport cost for the cost 1 between different points, and
    1 - P(equal) of a `maximal_coupling`.

    Args:
        p: Probabilities, [n], nonnegative, of sum 1.
        q: Probabilities, [n].

    Returns:
        Scalar in [0, 1].

    Raises:
        ValueError: At trace time, if the sizes differ.

    Differentiation: exact in coordinates with p_i different from q_i, 0 in the others.

    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import total_variation
        >>> float(total_variation(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75])))
        0.25

    References: [Kalavasis2023].
    """
    p, q = checks.floats("total_variation", p=p, q=q)
    checks.shapes("total_variation", p=(p, "n"), q=(q, "n"))
    return jnp.sum(jnp.abs(p - q)) / 2


@rounded_once
def maximal_coupling(
    p: Float[Array, " n"], q: Float[Array, " n"], *, key: Key
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """One draw from each of two laws, equal with the largest possible probability.

    i ~ p and j ~ q with P(i = j) = 1 - TV(p, q): with that probability both are one draw from
    min(p, q), otherwise they are draws from p - min(p, q) and q - min(p, q).

    Args:
        p: Probabilities, [n], nonnegative, of sum 1.
        q: Probabilities, [n].
        key: Random key.

    Returns:
        (i, j), int32 scalars.

    Raises:
        ValueError: At trace time, if the sizes differ.
        TypeError: At trace time, if key is not a typed key.

    Differentiation: none; the draws are integers.

    Complexity: O(n).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport.laws import maximal_coupling
        >>> p = jnp.array([0.2, 0.8])
        >>> i, j = maximal_coupling(p, p, key=jax.random.key(0))
        >>> bool(i == j)
        True

    References: [Kalavasis2023]; [Lindvall1992].
    """
    p, q = checks.floats("maximal_coupling", p=p, q=q)
    checks.shapes("maximal_coupling", p=(p, "n"), q=(q, "n"))
    checks.typed_key("maximal_coupling", key)
    which, together, first, second = jax.random.split(key, 4)
    common = jnp.minimum(p, q)
    same = jax.random.uniform(which, (), p.dtype) < jnp.sum(common)

    def draw(key: Key, weights: Array) -> Array:
        return jax.random.categorical(key, jnp.log(weights)).astype(jnp.int32)

    shared = draw(together, common)
    return jnp.where(same, shared, draw(first, p - common)), jnp.where(same, shared, draw(second, q - common))


@rounded_once
def shared_randomness_coupling(p: Float[Array, "k n"], *, key: Key) -> Int[Array, " k"]:
    """One draw from each of many laws with shared random numbers, so that draws from similar laws mostly agree.

    i_k = argmin_i E_i / p_ki  with exponential numbers E_i shared by all laws. Draw k has law p_k, and any two
    draws differ with probability at most 2 TV / (1 + TV). Each draw depends only on its own law and the key.

    Args:
        p: Probabilities, one law in each row, [k, n], nonnegative, each of sum 1.
        key: Random key of the shared numbers.

    Returns:
        The draws, [k], int32.

    Raises:
        ValueError: At trace time, if p is not a matrix.
        TypeError: At trace time, if key is not a typed key.

    Differentiation: none; the draws are integers.

    Complexity: O(k n).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport.laws import shared_randomness_coupling
        >>> draws = shared_randomness_coupling(jnp.full((3, 5), 0.2), key=jax.random.key(0))
        >>> len(set(draws.tolist()))
        1

    References: [Kalavasis2023]; [Angel2019].
    """
    (p,) = checks.floats("shared_randomness_coupling", p=p)
    size = checks.shapes("shared_randomness_coupling", p=(p, "k n"))
    checks.typed_key("shared_randomness_coupling", key)
    # If E is an exponential number, -log E is a Gumbel number.
    gumbel = jax.random.gumbel(key, (size["n"],), p.dtype)
    return jnp.argmax(jnp.log(p) + gumbel, axis=1).astype(jnp.int32)
