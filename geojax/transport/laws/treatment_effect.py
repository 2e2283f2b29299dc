"""Effects of a treatment, from pairs of treated and untreated units with similar covariates."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Scalar


@rounded_once
def ate_ustatistic(
    u: Float[Array, "n d"], y: Float[Array, " n"], treat: Bool[Array, " n"], *, h: Scalar
) -> Float[Array, ""]:
    """Mean difference of outcomes over pairs of a treated and an untreated unit, weighted by their nearness.

    tau = sum_(i treated, j not) K_h(u_i - u_j) (y_i - y_j) / sum_(i treated, j not) K_h(u_i - u_j),
    with K_h(v) = prod_k max(0, 1 - |v_k| / h). As h -> 0 it estimates the effect averaged over the product of the two
    groups' densities of u. `uniform_transform` with one group as the reference makes the density of that group
    constant; the result is then the average effect over the other group: on the treated, if the untreated are the
    reference.

    Args:
        u: Covariates, [n, d], such as those from `uniform_transform`.
        y: Outcomes, [n].
        treat: Whether each unit was treated, [n].
        h: Bandwidth, > 0, in units of u.

    Returns:
        Scalar in units of y. NaN if no pair is within h, or u, y or h is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact in u, y and h, except at the kinks of the kernel.

    Complexity: O(n^2 d) time, O(n^2) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import ate_ustatistic
        >>> u, y = jnp.array([[0.1], [0.2], [0.8], [0.9]]), jnp.array([1.0, 3.0, 6.0, 8.0])
        >>> round(float(ate_ustatistic(u, y, jnp.array([False, True, False, True]), h=0.2)), 3)
        2.0

    References: [YuWang2020].
    """
    u, y = checks.floats("ate_ustatistic", u=u, y=y)
    checks.shapes("ate_ustatistic", u=(u, "n d"), y=(y, "n"), treat=(treat, "n"))
    width = jnp.asarray(h, u.dtype)
    kernel = jnp.prod(jnp.maximum(0, 1 - jnp.abs(u[:, None] - u) / width), axis=-1)
    treated = jnp.asarray(treat).astype(bool)
    weights = jnp.where(treated[:, None] & ~treated, kernel, 0)
    total = jnp.sum(weights)
    defined = (total > 0) & (width > 0) & ~jnp.any(jnp.isnan(u))
    gaps = y[:, None] - y
    return jnp.where(defined, jnp.sum(weights * gaps) / jnp.where(defined, total, 1), jnp.nan)
