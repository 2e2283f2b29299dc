"""A lower bound of Gromov-Wasserstein by sorting one number for each node, and a loss between logits from it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def sorted_gromov_wasserstein(x: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """Lower bound of the squared Gromov-Wasserstein cost between two graphs, from one number for each node.

    mean_i (sort(x)_i - sort(y)_i)^2. If x and y are the means of the rows of two cost matrices, or their root mean
    squares, this is at most the squared-loss cost sum (X_ik - Y_jl)^2 P_ij P_kl of every coupling P of uniform weights,
    by Jensen's and by the reverse triangle inequality.

    Args:
        x: A number for each node of the first graph, [n]: the means, or the root mean squares, of the rows of its cost
            matrix.
        y: The same for the second graph, [n].

    Returns:
        Scalar in squared units of x. How far it lies below the cost is not known.

    Raises:
        ValueError: At trace time, if the sizes differ or there is no node.

    Differentiation: exact where no two entries are equal.

    Complexity: O(n log n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sorted_gromov_wasserstein
        >>> float(sorted_gromov_wasserstein(jnp.array([3.0, 1.0]), jnp.array([1.0, 5.0])))
        2.0

    References: [Memoli2011]; [Wang2025].
    """
    x, y = checks.floats("sorted_gromov_wasserstein", x=x, y=y)
    if checks.shapes("sorted_gromov_wasserstein", x=(x, "n"), y=(y, "n"))["n"] == 0:
        raise ValueError(
            "sorted_gromov_wasserstein: x has shape [0]; expected at least one node. Leave empty graphs out."
        )
    return jnp.mean((jnp.sort(x) - jnp.sort(y)) ** 2)


@rounded_once
def graph_on_logits_loss(
    student: Float[Array, "s v"], teacher: Float[Array, "t v"], *, k: int
) -> Float[Array, ""]:
    """Distance between the co-activation graphs of two models' logits, blind to the order of channels.

    The co-activation graph of logits is C = sum_t l_t l_t^T / T, where l_t is row t of T with all but its k largest
    entries set to zero. The loss is `sorted_gromov_wasserstein` of the means of the rows of the two graphs.

    Args:
        student: Logits of one model, one row for each position, [s, v].
        teacher: Logits of the other, [t, v].
        k: Number of entries to keep in each row, 1 <= k <= v; static.

    Returns:
        Scalar in units of logits to the fourth power.

    Raises:
        ValueError: At trace time, if the channels disagree or k is out of range.

    Differentiation: exact where the k largest entries and the order of the row means are unique; entries that are set
        to zero have derivative zero.

    Complexity: O((s + t) v + v log v).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import graph_on_logits_loss
        >>> z = jnp.array([[1.0, 3.0, 2.0], [0.0, 1.0, 4.0]])
        >>> float(graph_on_logits_loss(z, z[:, ::-1], k=2))
        0.0

    References: [Wang2025].
    """
    where = "graph_on_logits_loss"
    student, teacher = checks.floats(where, student=student, teacher=teacher)
    size = checks.shapes(where, student=(student, "s v"), teacher=(teacher, "t v"))
    if not 1 <= checks.count(where, "k", k) <= size["v"]:
        raise ValueError(
            f"{where}: k is {k}; expected between 1 and {size['v']}, the number of columns. Keep at least one entry of "
            "each row."
        )
    return sorted_gromov_wasserstein(
        *(_row_means(_largest_of_rows(z, k)) / len(z) for z in (student, teacher))
    )


def _largest_of_rows(logits: Float[Array, "t v"], k: int) -> Float[Array, "t v"]:
    """Each row with all but its k largest entries set to zero; of equal entries the first are kept."""
    _, places = jax.lax.top_k(jax.lax.stop_gradient(logits), k)
    kept = jnp.zeros_like(logits, dtype=bool).at[jnp.arange(len(logits))[:, None], places].set(True)
    return jnp.where(kept | jnp.isnan(logits), logits, 0)


def _row_means(factors: Float[Array, "t v"]) -> Float[Array, " v"]:
    """Means of the rows of C = sum_t l_t l_t^T, from its factors l_t: C itself, [v, v], is never formed."""
    return jnp.mean(factors, axis=1) @ factors
