"""Transport between Gaussian mixtures, restricted to couplings that are Gaussian mixtures too."""

import jax
from jaxtyping import Array, Float

from geojax.transport.entropic.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.gaussian.bures import gaussian_wasserstein
from geojax.transport.measures import with_weights
from geojax.typing import Scalar


def gaussian_mixture_wasserstein(
    m1: Float[Array, "k d"],
    s1: Float[Array, "k d d"],
    a: Float[Array, " k"] | None,
    m2: Float[Array, "l d"],
    s2: Float[Array, "l d d"],
    b: Float[Array, " l"] | None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> SinkhornResult:
    """Squared mixture Wasserstein distance MW_2^2 between Gaussian mixtures, approximate: by entropic transport.

    MW_2^2 = min over couplings P of a and b of  sum_ij P_ij W_2^2(N(m1_i, S1_i), N(m2_j, S2_j)),  an upper bound of
    W_2^2 between the mixtures. The entropic value of `sinkhorn` lies above MW_2^2 by at most epsilon times the smaller
    entropy of a and b, which is at most epsilon log min(k, l).

    Args:
        m1: Means of the first mixture, [k, d].
        s1: Its covariances, [k, d, d], symmetric positive semidefinite, in squared units of the means.
        a: Its weights, [k], nonnegative; None for 1 / k each.
        m2: Means of the second mixture, [l, d].
        s2: Its covariances, [l, d, d].
        b: Its weights, [l], nonnegative, with the same sum as a; None for 1 / l each.
        epsilon: Strength of the entropy, > 0, in squared units of the means.
        tol: L1 error of the marginals to reach.
        max_steps: Most scalings; static.

    Returns:
        SinkhornResult: `cost` is the value, `plan` [k, l] the coupling of the components, `cost_matrix` their squared
        distances.

    Raises:
        ValueError: At trace time, if the shapes disagree or a mixture has no component.

    Status: as `sinkhorn`; NONFINITE also if a covariance is not positive semidefinite.

    Differentiation: as `sinkhorn`, through the distances of the components: `cost` has its envelope gradient in the
        means, covariances and weights. a and b may change only so that their sums stay fixed; the gradient is defined
        for such changes.

    Complexity: k l distances of Gaussians, O(d^3) each, and O(k l) per step.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> means, covariances = jnp.array([[0.0], [9.0]]), jnp.ones((2, 1, 1))
        >>> result = gj.transport.gaussian_mixture_wasserstein(
        ...     means, covariances, None, means + 1, 4 * covariances, None, epsilon=0.01
        ... )
        >>> round(float((gj.unwrap(result).plan * result.cost_matrix).sum()), 3)
        2.0

    References: [Delon2020]; [Cuturi2013].
    """
    where = "gaussian_mixture_wasserstein"
    m1, s1, m2, s2, a, b = with_weights(
        where, a, b, m1=(m1, "n d"), s1=(s1, "n d d"), m2=(m2, "m d"), s2=(s2, "m d d")
    )
    to_all = jax.vmap(gaussian_wasserstein, in_axes=(None, None, 0, 0))
    costs = jax.vmap(to_all, in_axes=(0, 0, None, None))(m1, s1, m2, s2)
    return sinkhorn(costs, a, b, epsilon=epsilon, tol=tol, max_steps=max_steps)
