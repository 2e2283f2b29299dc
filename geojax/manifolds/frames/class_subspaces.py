"""Classes represented by subspaces."""

import jax
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once


@rounded_once
def grassmann_logits(x: Float[Array, " d"], s: Float[Array, "c d k"]) -> Float[Array, " c"]:
    """Length of a feature's projection onto the subspace of each class.

    logit_c = |S_c^T x|;  its gradients are S S^T x / |S^T x| with respect to x and x x^T S / |S^T x| with respect to S.

    Args:
        x: Feature, [d]; divide it by its norm for cosines of the angles to the subspaces.
        s: Orthonormal frames of the class subspaces, [c, d, k]: points of `Power(Grassmann())`. With k = 1 each
            class is a vector up to its sign.

    Returns:
        Logits, [c], in units of x, nonnegative. They do not depend on the frames chosen for the subspaces. Scale them
        by a temperature before a softmax.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact; 0 for features orthogonal to a subspace.

    Complexity: O(c d k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import grassmann_logits
        >>> planes = jnp.stack([jnp.eye(3)[:, :2], jnp.eye(3)[:, 1:]])
        >>> grassmann_logits(jnp.array([3.0, 4.0, 0.0]), planes).tolist()
        [5.0, 4.0]

    References: [Wang2023].
    """
    x, s = checks.floats("grassmann_logits", x=x, s=s)
    checks.shapes("grassmann_logits", x=(x, "d"), s=(s, "c d k"))
    return jax.vmap(safe.norm)(x @ s)
