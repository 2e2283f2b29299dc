"""Polynomials of numbers whose order does not count."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Inexact

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def power_sums(x: Inexact[Array, "n *d"], degrees: Sequence[int]) -> Inexact[Array, "k *d"]:
    """Sums of powers of numbers: invariant to their order, and with the degrees 1 to n they determine the set.

    p_k = k^(-1/2) sum_i x_i^k.  With the factor they are orthonormal for the eigenvalues of a random unitary matrix of
    size n >= k [Diaconis1994].

    Args:
        x: Numbers, real or complex, [n]; of vectors [n, *d] each coordinate is summed by itself.
        degrees: The degrees k, at least 1.

    Returns:
        p_k for each degree, [k, *d].

    Raises:
        TypeError: If a degree is no integer, or x holds no numbers.
        ValueError: If a degree is below 1, or x has no axis.

    Differentiation: exact.
    Complexity: O(n max(degrees)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import power_sums
        >>> power_sums(jnp.array([1.0, 2.0, 3.0]), [1, 4]).tolist()
        [6.0, 49.0]

    References: [Zweig2024]; [Diaconis1994].
    """
    where = "power_sums"
    given: Any = x
    if jnp.issubdtype(getattr(given, "dtype", float), jnp.complexfloating):
        x = jnp.asarray(given)
    else:
        (x,) = checks.floats(where, x=x)
    if x.ndim == 0:
        raise ValueError(
            f"{where}: x is a single number; expected numbers along an axis, [n]. Add it with [None]."
        )
    degrees = [checks.count(where, "a degree", degree, minimum=1) for degree in degrees]
    powers = [x]
    for _ in range(1, max(degrees, default=1)):
        powers.append(powers[-1] * x)
    sums = [jnp.sum(powers[degree - 1], axis=0) / degree**0.5 for degree in degrees]
    return jnp.stack(sums) if sums else jnp.zeros((0, *x.shape[1:]), x.dtype)
