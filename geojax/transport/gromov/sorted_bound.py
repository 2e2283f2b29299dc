"""A lower bound of Gromov-Wasserstein by sorting, on graphs that are known by their factors."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe


def coactivation_graph(logits: Float[Array, "t v"], k: int) -> Float[Array, "t v"]:
    """Factors of the graph of logits that are large together.

    C = sum_t l_t l_t^T,  where l_t is row t with all but its k largest entries set to zero. The v x v matrix C is never
    formed: `graph_row_means` and `graph_row_norms` read it through the factors l_t.

    Args:
        logits: One row for each position, one column for each channel, [t, v].
        k: Entries to keep in each row, 1 <= k <= v; static. Of equal entries the first are kept.

    Returns:
        The rows l_t, [t, v], in units of logits.

    Raises:
        ValueError: At trace time, if logits is not a matrix or k is out of range.

    Differentiation: exact; entries that are left out have derivative zero.

    Complexity: O(t v).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import coactivation_graph
        >>> coactivation_graph(jnp.array([[1.0, 3.0, 2.0]]), 2).tolist()
        [[0.0, 3.0, 2.0]]

    References: [Wang2025].
    """
    (logits,) = checks.floats("coactivation_graph", logits=logits)
    size = checks.shapes("coactivation_graph", logits=(logits, "t v"))
    if not 1 <= checks.count("coactivation_graph", "k", k) <= size["v"]:
        raise ValueError(
            f"coactivation_graph: k is {k}; expected between 1 and {size['v']}, the columns of logits. "
            "Keep at least one entry of each row, and no more than there are."
        )
    _, places = jax.lax.top_k(jax.lax.stop_gradient(logits), k)
    kept = jnp.zeros_like(logits, dtype=bool).at[jnp.arange(size["t"])[:, None], places].set(True)
    return jnp.where(kept | jnp.isnan(logits), logits, 0)


def graph_row_means(factors: Float[Array, "t v"]) -> Float[Array, " v"]:
    """Means of the rows of C = sum_t l_t l_t^T, from its factors.

    mean_j C_ij = sum_t l_ti mean_j l_tj.

    Args:
        factors: The rows l_t, [t, v].

    Returns:
        One number for each node, [v].

    Raises:
        ValueError: At trace time, if factors is not a matrix.

    Differentiation: exact.

    Complexity: O(t v).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import graph_row_means
        >>> graph_row_means(jnp.array([[1.0, 3.0]])).tolist()
        [2.0, 6.0]

    References: [Wang2025].
    """
    checks.shapes("graph_row_means", factors=(factors, "t v"))
    return jnp.mean(factors, axis=1) @ factors


def graph_row_norms(factors: Float[Array, "t v"]) -> Float[Array, " v"]:
    """Root mean squares of the rows of C = sum_t l_t l_t^T, from its factors.

    sqrt(mean_j C_ij^2),  with  sum_j C_ij^2 = l_i^T (L L^T) l_i  for the columns l_i of L = (l_t).

    Args:
        factors: The rows l_t, [t, v].

    Returns:
        One number for each node, [v].

    Raises:
        ValueError: At trace time, if factors is not a matrix.

    Differentiation: exact; 0 at nodes without edges.

    Complexity: O(t^2 v).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import graph_row_norms
        >>> [round(float(s), 4) for s in graph_row_norms(jnp.array([[1.0, 3.0]]))]
        [2.2361, 6.7082]

    References: [Memoli2011].
    """
    checks.shapes("graph_row_norms", factors=(factors, "t v"))
    squares = jnp.sum(factors * ((factors @ factors.T) @ factors), axis=0) / factors.shape[1]
    return safe.sqrt(jnp.where(squares < 0, 0, squares))  # negative by rounding alone


def sorted_gromov_wasserstein(x: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """Lower bound of the squared Gromov-Wasserstein cost between two graphs, from a feature of their nodes.

    mean_i (sort(x)_i - sort(y)_i)^2. If x and y are the means of the rows of two cost matrices, or their root mean
    squares, this is at most the squared-loss cost sum (X_ik - Y_jl)^2 P_ij P_kl of every coupling P of uniform weights,
    by Jensen's and by the reverse triangle inequality.

    Args:
        x: A feature of the nodes of the first graph, [n].
        y: The same feature of the second, [n].

    Returns:
        Scalar in squared units of x; the bound's error is not known beforehand.

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


def graph_on_logits_loss(
    student: Float[Array, "s v"], teacher: Float[Array, "t v"], *, k: int
) -> Float[Array, ""]:
    """Distance between the co-activation graphs of two models' logits, blind to the order of channels.

    `sorted_gromov_wasserstein` of the `graph_row_means` of the two `coactivation_graph`s, each divided by its number of
    positions.

    Args:
        student: Logits of one model, [s, v].
        teacher: Logits of the other, [t, v].
        k: Entries to keep in each row; static.

    Returns:
        Scalar in units of logits to the fourth power.

    Raises:
        ValueError: At trace time, if the channels disagree or k is out of range.

    Differentiation: exact where the k largest entries and the order of the row means are unique.

    Complexity: O((s + t) v + v log v).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import graph_on_logits_loss
        >>> z = jnp.array([[1.0, 3.0, 2.0], [0.0, 1.0, 4.0]])
        >>> float(graph_on_logits_loss(z, z[:, ::-1], k=2))
        0.0

    References: [Wang2025].
    """
    checks.shapes("graph_on_logits_loss", student=(student, "s v"), teacher=(teacher, "t v"))
    means = [graph_row_means(coactivation_graph(z, k)) / z.shape[0] for z in (student, teacher)]
    return sorted_gromov_wasserstein(*means)
