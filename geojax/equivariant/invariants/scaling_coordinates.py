"""Coordinates of points that no motion of space changes: classical scaling with a rule for the signs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once


@rounded_once
def mds_coordinates(
    x: Float[Array, "n d"], num: int, *, scale: bool = False
) -> tuple[Float[Array, "n num"], Float[Array, ""]]:
    """Coordinates of points along their principal axes, which rotations, reflections and translations leave alone.

    With y the centred points and V the eigenvectors of y^T y, from the largest eigenvalue down, the coordinates are
    y V: those of classical multidimensional scaling. The sign of each makes the sum of its cubes positive, so that a
    permutation of the points permutes the rows and does nothing else. Distances are kept if num >= d.

    Args:
        x: Points, [n, d].
        num: How many coordinates; those beyond d are 0.
        scale: Whether to divide by the root mean square distance from the centre, so that units drop out.

    Returns:
        The coordinates [n, num], and their margin []: the least over the axes of the gap to the next variance, relative
        to the largest variance, and of the skewness |mean y^3| / (mean y^2)^(3/2). Where it is 0 an axis or a sign is
        not defined: clouds with a symmetry are there, and rounding decides between the answers. Near it the coordinates
        move fast: an error of x is enlarged by up to 1 / margin. Axes of variance 0 do not count.

    Raises:
        ValueError: If x is no matrix or num is negative.

    Differentiation: exact away from margin 0; directions that would mix axes of equal variance are left out there.
    Complexity: O(n d^2 + d^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import mds_coordinates
        >>> x = jnp.array([[0.0, 0.0], [0.0, 1.0], [0.0, 4.0]])
        >>> (3 * mds_coordinates(x, 1)[0]).round().astype(int).tolist()
        [[-5], [-2], [7]]

    References: [Torgerson1952]; [Zhang2021].
    """
    (x,) = checks.floats("mds_coordinates", x=x)
    n, d = checks.shapes("mds_coordinates", x=(x, "n d")).values()
    num = checks.count("mds_coordinates", "num", num)
    y = x - jnp.mean(x, axis=0)
    y = y - jnp.mean(y, axis=0)  # what rounding left of a centre that is far away
    unit = safe.norm(y) / jnp.sqrt(jnp.asarray(max(n, 1), x.dtype))
    y = y / jnp.where(unit == 0, 1, unit)
    turned = y @ _axes(y.T @ y / max(n, 1))
    variances, cubes = jnp.mean(turned**2, axis=0), jnp.mean(turned**3, axis=0)
    coordinates = jnp.where(cubes < 0, -1, 1) * turned
    coordinates = coordinates[:, :num]
    if not scale:
        coordinates = unit * coordinates
    coordinates = jnp.pad(coordinates, ((0, 0), (0, max(num - d, 0))))
    return coordinates, jax.lax.stop_gradient(_margin(variances, cubes, num))


@jax.custom_jvp
def _axes(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Eigenvectors of a symmetric matrix as columns, from the largest eigenvalue down."""
    return jnp.linalg.eigh(matrix)[1][:, ::-1]


@_axes.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (matrix,), (change,) = primals, tangents
    axes = _axes(matrix)
    values = jnp.diagonal(axes.T @ matrix @ axes)
    gaps = values - values[:, None]
    tied = jnp.abs(gaps) <= 4 * len(values) * jnp.finfo(matrix.dtype).eps * jnp.max(
        jnp.abs(values), initial=0
    )
    mixing = jnp.where(tied, 0, axes.T @ change @ axes / jnp.where(tied, 1, gaps))
    return axes, axes @ mixing


def _margin(variances: Float[Array, " d"], cubes: Float[Array, " d"], num: int) -> Float[Array, ""]:
    """The least relative gap below each variance that counts, and the least skewness."""
    largest = jnp.max(variances, initial=0)
    counts = variances > 4 * len(variances) * jnp.finfo(variances.dtype).eps * largest
    gaps = (variances[:-1] - variances[1:]) / jnp.where(largest == 0, 1, largest)
    skews = jnp.abs(cubes) / jnp.where(counts, variances, 1) ** 1.5
    gaps, skews = jnp.where(counts[:-1], gaps, jnp.inf), jnp.where(counts, skews, jnp.inf)
    least = jnp.min(jnp.concatenate([gaps[:num], skews[:num]]), initial=jnp.inf)
    return jnp.where(jnp.isnan(largest), jnp.nan, least)
