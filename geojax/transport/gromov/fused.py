"""Fused Gromov-Wasserstein transport: distances within each space, and costs between features of the two."""

from jaxtyping import Array, Float

from geojax.transport.gromov.wasserstein import GromovResult, Problem, check_square, for_kl, solve
from geojax.transport.measures import number, with_weights
from geojax.typing import Scalar


def fused_gromov_wasserstein(
    cost_matrix: Float[Array, "n m"],
    cost_x: Float[Array, "n n"],
    cost_y: Float[Array, "m m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    alpha: Scalar = 0.5,
    proximal: Scalar = 0.0,
    tol: Scalar | None = None,
    max_steps: int = 1000,
    max_inner_steps: int = 500,
    init: Float[Array, "n m"] | None = None,
    kl_loss: bool = False,
) -> GromovResult:
    """Entropic coupling of two spaces by inner distances and by features of their points (a local optimum).

    Minimises  (1 - alpha) <P, C> + alpha sum_ijkl (X_ik - Y_jl)^2 P_ij P_kl + epsilon sum_ij P_ij log(P_ij / (a_i b_j))
    over couplings P of a and b, by the steps of `gromov_wasserstein`. alpha = 0 is `sinkhorn`.

    Args:
        cost_matrix: Costs C between the features of the two spaces, [n, m], finite.
        cost_x: Distances within the first space, [n, n], finite.
        cost_y: Distances within the second space, [m, m].
        a: Weights of the first space, [n], nonnegative. By default 1 / n each.
        b: Weights of the second space, [m], nonnegative, with the same sum as a. By default 1 / m each.
        epsilon: Strength of the entropy, >= 0, in units of C and of squared distances.
        alpha: Share of the distances in the objective, in [0, 1]; the rest is that of the features.
        proximal: Strength of the proximal term of `gromov_wasserstein`, >= 0.
        tol: Error to reach: L1 change of the plan and L1 error of its marginals together; by default 1e-6 or 1000 ulp,
            whichever is larger.
        max_steps: Most steps; static.
        max_inner_steps: Most scalings of rows and columns in one step; static.
        init: Coupling to start from, [n, m]; a b^T by default.
        kl_loss: Compare distances by the KL loss, as `gromov_wasserstein` does; static.

    Returns:
        GromovResult. `cost` is the objective without the entropy.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: as `gromov_wasserstein`.

    Differentiation: `objective`: envelope, to first order, in cost_matrix, cost_x, cost_y, a, b, epsilon and alpha.
        `cost`: with the plan held fixed. Others: none. a and b may change only so that their sums stay fixed; the
        gradient is defined for such changes.

    Complexity: O(n m) memory; O(n^2 m + n m^2) time per step, and O(n m) per scaling.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import fused_gromov_wasserstein
        >>> x = jnp.array([0.0, 1.0, 2.0])  # symmetric, so distances alone do not tell the ends apart
        >>> ends = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> d = abs(x[:, None] - x)
        >>> fused_gromov_wasserstein(ends, d, d, epsilon=0.05).plan.argmax(1).tolist()
        [2, 1, 0]

    References: [Vayer2019]; [Peyre2016].
    """
    where = "fused_gromov_wasserstein"
    check_square(where, cost_x=cost_x, cost_y=cost_y)
    cost_matrix, cost_x, cost_y, a, b = with_weights(
        where, a, b, cost_matrix=(cost_matrix, "n m"), cost_x=(cost_x, "n n"), cost_y=(cost_y, "m m")
    )
    scalars = (
        number(where, name, value, a.dtype)
        for name, value in (("alpha", alpha), ("epsilon", epsilon), ("proximal", proximal))
    )
    spaces = for_kl(cost_x, cost_y) if kl_loss else (cost_x, cost_y)
    problem = Problem(cost_matrix, *spaces, a, b, *scalars)
    mode = {"fused": True, "kl": kl_loss}
    return solve(where, problem, init, tol=tol, max_steps=max_steps, max_inner_steps=max_inner_steps, **mode)
