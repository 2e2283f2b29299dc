"""Initial weights for a new modality, from those of a known one, by matching the geometry of their embeddings."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.results import Status
from geojax.transport.costs import Distance, pairwise
from geojax.transport.gromov.wasserstein import gromov_wasserstein
from geojax.transport.measures import arrays, uniform
from geojax.typing import Key, Scalar


def gw_barycentric_init(
    x: Float[Array, "n d"],
    y: Float[Array, "m e"],
    weights: Float[Array, "n r"],
    *,
    epsilon: Scalar,
    key: Key,
    num_starts: int = 8,
    max_steps: int = 500,
) -> Float[Array, "m r"]:
    """Initial weights of a new modality from those of a known one, through a Gromov-Wasserstein coupling.

    W_t = diag(1 / b) P^T W_s,  where P is the `gromov_wasserstein` coupling of the distances among x and those among y,
    with uniform weights, the best of several starts. Distances are divided by their means, so that the two modalities
    may have different units.

    Args:
        x: Embeddings of the known modality, [n, d].
        y: Embeddings of the new one, [m, e].
        weights: Weights of the known modality, one row for each point of x, [n, r].
        epsilon: Strength of the entropy, > 0, in units of squared mean distance.
        key: Random key, for the starts.
        num_starts: Number of starts, the first of which is the product coupling; static.
        max_steps: Most steps from each; static.

    Returns:
        Weights of the new modality, [m, r]. They are approximate: each row is a mean of rows of `weights`, and the
        coupling is a local optimum, the best of the starts that converged; NaN if none did.

    Raises:
        ValueError: At trace time, if the shapes disagree.
        TypeError: At trace time, if an argument is not real, or key not a typed key.

    Differentiation: exact in weights; none in x, y and epsilon (the coupling is held fixed).

    Complexity: num_starts problems of `gromov_wasserstein` at once.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import gw_barycentric_init
        >>> x = jnp.array([[0.0], [1.0], [3.0]])
        >>> y = jnp.array([[0.0, 9.0], [0.0, 3.0], [0.0, 0.0]])  # the same shape, thrice as large
        >>> w = gw_barycentric_init(x, y, jnp.eye(3), epsilon=0.02, key=jax.random.key(0))
        >>> w.argmax(1).tolist()
        [2, 1, 0]

    References: [Dutt2025].
    """
    where = "gw_barycentric_init"
    x, y, weights = arrays(where, x=x, y=y, weights=weights)
    size = checks.shapes(where, x=(x, "n d"), y=(y, "m e"), weights=(weights, "n r"))
    checks.typed_key(where, key)
    checks.count(where, "num_starts", num_starts, minimum=1)
    a, b = uniform(size["n"], x.dtype), uniform(size["m"], y.dtype)
    cost_x, cost_y = (_distances(jax.lax.stop_gradient(points)) for points in (x, y))
    noise = jax.random.normal(key, (num_starts, size["n"], size["m"]), x.dtype).at[0].set(0)
    starts = jax.nn.softmax(2 * noise, axis=(1, 2))

    def solve(start: Array) -> tuple[Array, Array]:
        result = gromov_wasserstein(cost_x, cost_y, a, b, epsilon=epsilon, init=start, max_steps=max_steps)
        converged = result.status == Status.CONVERGED
        return jnp.where(converged, result.plan, jnp.nan), jnp.where(converged, result.objective, jnp.inf)

    plans, objectives = jax.lax.stop_gradient(jax.vmap(solve)(starts))
    return plans[jnp.argmin(objectives)].T @ weights * size["m"]


def _distances(points: Array) -> Array:
    """Euclidean distances, divided by their mean."""
    distances = pairwise(Distance(), points, points)
    mean = jnp.mean(distances)
    return distances / jnp.where(mean > 0, mean, 1)
