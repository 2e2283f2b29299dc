"""Configurations of atoms: a distance between them, subsets that cover them, and a barrier that keeps to them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax.transport.discrete.assignment import assignment_cost
from geojax.typing import Scalar


def species_wasserstein(
    x: Float[Array, "n d"], y: Float[Array, "n d"], species: tuple[int, ...] | np.ndarray
) -> Float[Array, ""]:
    """Sum over species of the exact 1-Wasserstein assignment costs between two configurations (not squared).

    d(x, y) = sum over species s of  min over permutations p of the atoms of s of  sum_(i in s) |x_i - y_p(i)|.

    Args:
        x: Positions, [n, d].
        y: Positions of the same atoms, up to the order within a species, [n, d].
        species: The species of each atom, n integers; static, as it fixes the sizes of the assignments.

    Returns:
        Scalar in units of x. NaN where a position is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if species is traced or positions are not real.

    Differentiation: envelope, with the matching held; where atoms coincide the derivative of their distance is taken
        as 0.

    Complexity: one `assignment` for each species, O(n_s^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import species_wasserstein
        >>> x = jnp.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
        >>> swapped = x[jnp.array([1, 0, 2])]
        >>> float(species_wasserstein(x, swapped, (8, 8, 1))), float(species_wasserstein(x, swapped, (8, 1, 1)))
        (0.0, 2.0)

    References: [Goswami2025].
    """
    where = "species_wasserstein"
    x, y = checks.floats(where, x=x, y=y)
    if isinstance(species, Tracer):
        raise TypeError(
            f"{where}: species is a traced value; expected integers known at trace time, because they fix the sizes of "
            "the assignments. Pass a tuple, or close over it."
        )
    kinds = np.asarray(species)
    checks.shapes(where, x=(x, "n d"), y=(y, "n d"), species=(kinds, "n"))
    costs = jax.vmap(jax.vmap(lambda p, q: safe.norm(p - q), (None, 0)), (0, None))(x, y)
    total = jnp.zeros((), costs.dtype)
    for kind in np.unique(kinds):
        atoms = np.flatnonzero(kinds == kind)
        total = total + assignment_cost(costs[np.ix_(atoms, atoms)])
    return total


def farthest_point_sampling(
    distances: Float[Array, "n n"], k: int, *, start: int | Array = 0
) -> Int[Array, " k"]:
    """Points chosen one by one, each the farthest from those before it.

    i_(t+1) = argmax_i min_(s <= t) D[i, i_s].  The greatest distance of any point from the chosen ones is at most twice
    the least possible with k points, if D is a metric.

    Args:
        distances: Distances D, [n, n], nonnegative.
        k: Number of points, at most n; static.
        start: The first point.

    Returns:
        Indices, [k], int32, in the order of choice; of equals the first. All -1 where a distance is NaN.

    Raises:
        ValueError: At trace time, if distances is not square, or k is not between 1 and n.

    Differentiation: none (piecewise constant).

    Complexity: O(n k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import farthest_point_sampling
        >>> x = jnp.array([0.0, 1.0, 2.0, 10.0])
        >>> farthest_point_sampling(abs(x[:, None] - x), 3).tolist()
        [0, 3, 2]

    References: [Gonzalez1985]; [Goswami2025].
    """
    where = "farthest_point_sampling"
    (distances,) = checks.floats(where, distances=distances)
    n = checks.shapes(where, distances=(distances, "n n"))["n"]
    if checks.count(where, "k", k, minimum=1) > n:
        raise ValueError(f"{where}: k is {k}; expected at most the number of points, {n}. Lower it.")
    distances = jax.lax.stop_gradient(distances)
    first = jnp.asarray(start, jnp.int32) + jnp.zeros_like(distances[0, 0], dtype=jnp.int32)

    def choose(carry: tuple[Array, Array], _) -> tuple[tuple[Array, Array], Array]:
        nearest, chosen = carry
        nearest = jnp.minimum(nearest, distances[chosen])
        return (nearest, jnp.argmax(nearest).astype(jnp.int32)), chosen

    infinite = jnp.full_like(distances[0], jnp.inf)
    _, chosen = jax.lax.scan(choose, (infinite, first), length=k)
    return jnp.where(jnp.any(jnp.isnan(distances)), -1, chosen)


def log_barrier(value: Float[Array, ""], bound: Scalar, strength: Scalar) -> Float[Array, ""]:
    """Logarithmic barrier that keeps a quantity, such as a predicted variance, below a bound.

    -mu log(1 - value / bound):  0 at value = 0, infinite at the bound.

    Args:
        value: The quantity, below the bound.
        bound: Its upper bound, > 0, in the same units.
        strength: mu, in units of what the barrier is added to.

    Returns:
        Scalar in units of strength; +inf at the bound and beyond it, so that a line search steps back. NaN for a bound
        that is not positive.

    Raises:
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact below the bound; 0 from the bound on.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import log_barrier
        >>> [round(float(log_barrier(jnp.asarray(v), 1.0, 2.0)), 3) for v in (0.0, 0.5, 1.0)]
        [0.0, 1.386, inf]

    References: [Goswami2025]; [Boyd2004], Sec. 11.2.
    """
    value, bound, strength = checks.floats("log_barrier", value=value, bound=bound, strength=strength)
    checks.shapes("log_barrier", value=(value, ""), bound=(bound, ""), strength=(strength, ""))
    beyond = value >= bound
    inside = jnp.where(beyond, 0, value / jnp.where(bound > 0, bound, 1))
    barrier = jnp.where(beyond, jnp.inf, -strength * jnp.log1p(-inside))
    return jnp.where((bound > 0) & ~jnp.isnan(strength), barrier, jnp.nan)
