"""How far two weight matrices share their singular vectors."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def singular_alignment(weight_a: Float[Array, "n m"], weight_b: Float[Array, "n m"]) -> Float[Array, ""]:
    """Agreement of the left and right singular vectors of two matrices, weighted by their singular values.

    R = max(0, sum_ij s_i t_j (u_i . x_j) (v_i . y_j)) / sum_i s_i t_i  for A = U diag(s) V^T and B = X diag(t) Y^T. The
    sum is <A, B>, and it is at most the denominator (von Neumann): R is 1 if the singular vectors are the same, in
    the same order, and near 0 for unrelated matrices. Permutations change the singular vectors but not the singular
    values: raising R is all that a matching of weights can do.

    Args:
        weight_a: A, [n, m].
        weight_b: B, [n, m].

    Returns:
        R in [0, 1]; 0 if a matrix is zero.

    Raises:
        ValueError: If the shapes disagree.

    Differentiation: exact if the singular values of each matrix are distinct and R > 0.
    Complexity: two singular value decompositions, without vectors.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.units import singular_alignment
        >>> float(singular_alignment(jnp.diag(jnp.array([2.0, 1.0])), jnp.diag(jnp.array([4.0, 2.0]))))
        1.0

    References: [Ito2025].
    """
    weight_a, weight_b = checks.floats("singular_alignment", weight_a=weight_a, weight_b=weight_b)
    checks.shapes("singular_alignment", weight_a=(weight_a, "n m"), weight_b=(weight_b, "n m"))
    product = jnp.vdot(weight_a, weight_b, precision="highest")
    largest = jnp.vdot(*(jnp.linalg.svd(weight, compute_uv=False) for weight in (weight_a, weight_b)))
    ratio = product / jnp.where(largest > 0, largest, 1)
    return jnp.where(jnp.isfinite(largest), jnp.clip(ratio, 0, 1), jnp.nan)
