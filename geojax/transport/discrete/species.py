"""Configurations of atoms: a distance between them, and the choice of points that cover a set of them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax.transport.costs import Distance, pairwise
from geojax.transport.discrete.assignment import assignment_cost
from geojax.transport.measures import arrays


def species_wasserstein(
    x: Float[Array, "n d"], y: Float[Array, "n d"], species: tuple[int, ...] | np.ndarray
) -> Float[Array, ""]:
    """Sum over species of the exact 1-Wasserstein assignment costs between two configurations (not squared).

    d(x, y) = sum over species s of  min over permutations p of the atoms of s of  sum_(i in s) |x_i - y_p(i)|.

    Args:
        x: Positions, [n, d].
        y: Positions of the same atoms, up to the order within a species, [n, d].
        species: The species of each atom, n integers; static, since it determines the sizes of the assignments.

    Returns:
        Scalar in units of x. NaN if a position is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if species is traced or positions are not real.

    Differentiation: envelope, with the matching held fixed; the derivative of the distance of two atoms at one place is
        taken as 0.

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
    x, y = arrays(where, x=x, y=y)
    if isinstance(species, Tracer):
        raise TypeError(
            f"{where}: species is a traced value; expected integers known at trace time, because they "
            "determine the sizes of the assignments. Pass a tuple, or close over it."
        )
    kinds = np.asarray(species)
    checks.shapes(where, x=(x, "n d"), y=(y, "n d"), species=(kinds, "n"))
    costs = pairwise(Distance(), x, y) if len(x) else jnp.zeros((0, 0), x.dtype)
    total = jnp.zeros((), costs.dtype)
    for kind in np.unique(kinds):
        atoms = np.flatnonzero(kinds == kind)
        total = total + assignment_cost(costs[np.ix_(atoms, atoms)])
    return total


def farthest_point_sampling(
    distances: Float[Array, "n n"], k: int, *, start: int | Array = 0
) -> Int[Array, " k"]:
    """Points chosen one by one, each the farthest from the ones already chosen.

    i_(t+1) = argmax_i min_(s <= t) D[i, i_s].  The greatest distance of any point from the chosen ones is at most twice
    the least possible with k points, if D is a metric.

    Args:
        distances: Distances D, [n, n], nonnegative.
        k: Number of points, at most n; static.
        start: The first point.

    Returns:
        Indices, [k], int32, in the order of choice; the first of several equally far points. All -1 if a distance is
        NaN.

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
    (distances,) = arrays(where, distances=distances)
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
