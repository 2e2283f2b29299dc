"""Random group elements from Haar measure, and invariant integrals by Monte Carlo."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.matrices.linalg import symmetric
from geojax._core.precision import rounded_once, wide
from geojax._core.struct import struct
from geojax.manifolds.base.doors import check_function
from geojax.manifolds.groups.linear_groups import GeneralLinear, PolarGroup, SpecialLinear
from geojax.manifolds.groups.polar_coordinates import gl_exp
from geojax.manifolds.groups.special_orthogonal import SpecialOrthogonal
from geojax.typing import Key, Scalar


@struct
class HaarSample:
    """A random group element and its weight.

    Attributes:
        element: Matrix, [n, n].
        weight: Density of Haar measure at the element, relative to the density it was drawn with: 1 for SO(n).
    """

    element: Float[Array, "n n"]
    weight: Float[Array, ""]


def haar_sample(
    key: Key,
    group: SpecialOrthogonal | GeneralLinear | SpecialLinear,
    n: int,
    *,
    scale: Scalar = 1.0,
    dtype: Any = float,
) -> HaarSample:
    """Random element of a linear group, with its weight with respect to Haar measure.

    A = R exp(S) with R uniform on SO(n) and S symmetric normal of standard deviation `scale`; the measure of GL+(n) is
      dA = dR prod_{i<j} sinh(s_i - s_j) / (s_i - s_j) dS,  s the eigenvalues of S,
    so E[weight f(A)] is the invariant integral of f; on SL(n) the same with tr S = 0.

    Args:
        key: Random key.
        group: SpecialOrthogonal(), GeneralLinear() or SpecialLinear().
        n: Size of the matrices.
        scale: Standard deviation of the coordinates of S, > 0: as wide as the functions to be integrated. Traced.
        dtype: Floating dtype of the matrix.

    Returns:
        HaarSample. Haar measure is that of total mass 1 on SO(n), and has dS of mass 1 on the unit cube of orthonormal
        coordinates.

    Raises:
        TypeError: At trace time, if `group` is none of those or `key` not a random key.

    Differentiation: the element exact in `scale`; the weight too, if the eigenvalues of S are distinct.

    Complexity: O(n^3).

    Example:
        >>> import jax
        >>> from geojax.manifolds import SpecialOrthogonal
        >>> from geojax.manifolds import haar_sample
        >>> float(haar_sample(jax.random.key(0), SpecialOrthogonal(), 3).weight)
        1.0

    References: [Mironenco2024]; [Helgason1984] for the measure.
    """
    checks.typed_key("haar_sample", key)
    n = checks.count("haar_sample", "n", n, minimum=1)
    if not isinstance(group, SpecialOrthogonal | PolarGroup):
        raise TypeError(
            f"haar_sample: group is {checks.described(group)}; expected SpecialOrthogonal(), "
            "GeneralLinear() or SpecialLinear(). Pass one of those."
        )
    drawn = _drawn(key, group, n, jnp.asarray(scale, wide(dtype)))
    return jax.tree.map(lambda leaf: leaf.astype(dtype), drawn)


def _drawn(
    key: Key, group: SpecialOrthogonal | GeneralLinear | SpecialLinear, n: int, scale: Float[Array, ""]
) -> HaarSample:
    dtype = scale.dtype
    turning, stretching = jax.random.split(key)
    turn = SpecialOrthogonal().random_point(turning, (n, n), dtype=dtype)
    if isinstance(group, SpecialOrthogonal):
        return HaarSample(turn, jnp.ones((), dtype))
    # The symmetric part of a normal matrix has orthonormal coordinates of standard deviation 1.
    normal = symmetric(jax.random.normal(stretching, (n, n), dtype))
    s = scale * group._free(normal)
    size = n * (n + 1) // 2 - isinstance(group, SpecialLinear)
    values = jnp.linalg.eigvalsh(s)
    first, second = jnp.triu_indices(n, 1)
    measure = jnp.prod(safe.sinhc(values[second] - values[first]))
    density = jnp.exp(-jnp.sum(jnp.square(s)) / (2 * scale**2)) / (2 * jnp.pi * scale**2) ** (size / 2)
    return HaarSample(turn @ gl_exp(jnp.zeros_like(s), s), measure / density)


def invariant_average(
    f: Callable[[Any], Any],
    group: SpecialOrthogonal | GeneralLinear | SpecialLinear,
    n: int,
    *,
    key: Key,
    num_samples: int,
    scale: Scalar = 1.0,
    dtype: Any = float,
) -> Any:
    """Integral of a function over a linear group with respect to Haar measure, estimated by Monte Carlo.

    (1 / N) sum_k weight_k f(A_k)  ->  integral of f(A) dA,  the same for f and for A -> f(B A).

    Args:
        f: Maps a matrix, [n, n], to an array or tree of them; integrable: any bounded function on SO(n); on the
            others it must fall off faster than the measure grows.
        group: SpecialOrthogonal(), for which the integral is the mean, GeneralLinear() or SpecialLinear().
        n: Size of the matrices.
        key: Random key.
        num_samples: Number of draws.
        scale: Width of the draws, as in `haar_sample`. Traced.
        dtype: Floating dtype of the matrices.

    Returns:
        The integral of what `f` returns. Unbiased; its standard error falls with the root of num_samples.

    Raises:
        TypeError: At trace time, as `haar_sample`.

    Differentiation: exact, of the estimate, in what `f` closes over.

    Complexity: num_samples times O(n^3) and `f`, at once.

    Example:
        >>> import jax
        >>> from geojax.manifolds import SpecialOrthogonal
        >>> from geojax.manifolds import invariant_average
        >>> turns, key = SpecialOrthogonal(), jax.random.key(0)
        >>> mean = invariant_average(lambda r: r[0, 0] ** 2, turns, 3, key=key, num_samples=4096)
        >>> bool(abs(mean - 1 / 3) < 0.03)
        True

    References: [Mironenco2024].
    """
    check_function("invariant_average", "f", f, "invariant_average(f, group, n, key=key, num_samples=1000)")
    checks.typed_key("invariant_average", key)
    num_samples = checks.count("invariant_average", "num_samples", num_samples, minimum=1)

    def weighted(key):
        drawn = haar_sample(key, group, n, scale=scale, dtype=dtype)
        return drawn.weight, f(drawn.element)

    return _weighted_mean(*jax.vmap(weighted)(jax.random.split(key, num_samples)))


@rounded_once
def _weighted_mean(weights: Float[Array, " n"], values: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.mean(jax.vmap(jnp.multiply)(weights, leaf), axis=0), values)
