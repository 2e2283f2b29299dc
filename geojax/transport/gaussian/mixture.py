"""Transport between Gaussian mixtures by couplings that are Gaussian mixtures themselves."""

import jax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.transport.entropic.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.gaussian.bures import gaussian_wasserstein
from geojax.typing import Scalar


def gaussian_mixture_wasserstein(
    m1: Float[Array, "k d"],
    s1: Float[Array, "k d d"],
    a: Float[Array, " k"],
    m2: Float[Array, "l d"],
    s2: Float[Array, "l d d"],
    b: Float[Array, " l"],
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
        a: Its weights, [k], nonnegative.
        m2: Means of the second mixture, [l, d].
        s2: Its covariances, [l, d, d].
        b: Its weights, [l], nonnegative, of the same sum as a.
        epsilon: Strength of the entropy, > 0, in squared units of the means.
        tol: L1 error of the marginals to reach.
        max_steps: Most scalings; static.

    Returns:
        SinkhornResult: `cost` is the value, `plan` [k, l] the coupling of the components, `cost_matrix` their squared
        distances.

    Raises:
        ValueError: At trace time, if the shapes disagree or a mixture has no component.

    Status: as `sinkhorn`; NONFINITE also where a covariance is not positive semidefinite.

    Differentiation: as `sinkhorn`, through the distances of the components: `cost` has its envelope gradient in the
        means, covariances and weights.

    Complexity: k l distances of Gaussians, O(d^3) each, and O(k l) a step.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> means, covariances, w = jnp.array([[0.0], [9.0]]), jnp.ones((2, 1, 1)), jnp.array([0.5, 0.5])
        >>> found = gj.transport.gaussian_mixture_wasserstein(
        ...     means, covariances, w, means + 1, 4 * covariances, w, epsilon=0.01
        ... )
        >>> round(float((gj.unwrap(found).plan * found.cost_matrix).sum()), 3)
        2.0

    References: [Delon2020]; [Cuturi2013].
    """
    where = "gaussian_mixture_wasserstein"
    m1, s1, a, m2, s2, b = checks.floats(where, m1=m1, s1=s1, a=a, m2=m2, s2=s2, b=b)
    checks.shapes(
        where,
        m1=(m1, "k d"),
        s1=(s1, "k d d"),
        a=(a, "k"),
        m2=(m2, "l d"),
        s2=(s2, "l d d"),
        b=(b, "l"),
    )
    to_all = jax.vmap(gaussian_wasserstein, in_axes=(None, None, 0, 0))
    costs = jax.vmap(to_all, in_axes=(0, 0, None, None))(m1, s1, m2, s2)
    return sinkhorn(costs, a, b, epsilon=epsilon, tol=tol, max_steps=max_steps)
