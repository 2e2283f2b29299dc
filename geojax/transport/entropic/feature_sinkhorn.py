"""Entropic transport in linear time, for kernels that are inner products of positive features."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.measures import number, with_weights
from geojax.typing import Scalar


@struct
class FeatureSinkhornResult:
    """Potentials of an entropic transport problem whose kernel is phi_x phi_y^T.

    `f` [n] and `g` [m] are in units of epsilon, normalised so that <f, a> = 0; `cost` is the optimal value; `error` is
    the L1 error of the marginals, in units of weight.
    """

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    cost: Float[Array, ""]
    phi_x: Float[Array, "n k"]
    phi_y: Float[Array, "m k"]
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    epsilon: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]

    @property
    def plan(self) -> Float[Array, "n m"]:
        """The coupling P_ij = a_i exp(f_i / epsilon) (phi_x phi_y^T)_ij exp(g_j / epsilon) b_j, [n, m]: dense."""
        left, right = self.factors
        return left @ right.T

    @property
    def factors(self) -> tuple[Float[Array, "n k"], Float[Array, "m k"]]:
        """Factors of the coupling, P = left right^T: products with it in linear time and memory."""
        u, v = jnp.exp(self.f / self.epsilon), jnp.exp(self.g / self.epsilon)
        return (self.a * u)[:, None] * self.phi_x, (self.b * v)[:, None] * self.phi_y


def feature_sinkhorn(
    phi_x: Float[Array, "n k"],
    phi_y: Float[Array, "m k"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> FeatureSinkhornResult:
    """Entropic optimal transport with the kernel of positive features, in linear time and memory.

    Minimises  <P, C> + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over couplings P of a and b for the cost
    C = -epsilon log(phi_x phi_y^T), by scaling rows and columns. With `gaussian_features` of points times
    sqrt(2 / epsilon) the cost approximates |x_i - y_j|^2, to the accuracy of the features.

    Args:
        phi_x: Features of the first points, [n, k], nonnegative, with positive inner products with those of phi_y.
        phi_y: Features of the second points, [m, k].
        a: Weights of the first points, [n], nonnegative; zeros are allowed. By default 1 / n each.
        b: Weights of the second points, [m], nonnegative, with the same sum as a. By default 1 / m each.
        epsilon: Strength of the entropy, > 0, in units of cost. It only sets the unit of the cost: the features already
            determine the plan.
        tol: L1 error of the marginals to reach.
        max_steps: Most row and column scalings; static.

    Returns:
        FeatureSinkhornResult. `cost` is the dual value, a lower bound of the minimum, equal to it at convergence.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, the sums differ by more than tol, or epsilon is
        not positive; NONFINITE if the data hold a NaN or an infinity, or an inner product of features is not
        positive, as happens by underflow.

    Differentiation: `cost`: envelope, in phi_x, phi_y, a, b, and in epsilon with the features held fixed. Others: none.
        a and b may change only so that their sums stay fixed; the gradient is defined for such changes.

    Complexity: O((n + m) k) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> phi = jnp.array([[1.0, 0.2], [0.2, 1.0]])
        >>> result = gj.unwrap(gj.transport.feature_sinkhorn(phi, phi, epsilon=1.0))
        >>> [[round(float(mass), 2) for mass in row] for row in result.plan]
        [[0.36, 0.14], [0.14, 0.36]]

    References: [Scetbon2020]; [Reid2023].
    """
    where = "feature_sinkhorn"
    phi_x, phi_y, a, b = with_weights(where, a, b, phi_x=(phi_x, "n k"), phi_y=(phi_y, "m k"))
    checks.count(where, "max_steps", max_steps)
    dtype = phi_x.dtype
    strength, limit = number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    data = phi_x, phi_y, a, b, strength
    left, right, row, column, _ = jax.lax.stop_gradient(data)

    def step(state: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        u, v = state
        sums = left @ ((column * v) @ right)
        error = jnp.sum(row * jnp.abs(u * sums - 1))  # of the rows; the last step made the columns exact
        u = 1 / sums
        return (u, 1 / (right @ ((row * u) @ left))), error

    start = vary_with((jnp.ones_like(a), jnp.ones_like(b)), *data, limit)
    end = iterate(step, start, tol=limit, max_steps=max_steps)
    u, v = end.state
    # The scalings of a feasible problem are positive and finite, unless inner products of features vanish.
    feasible = dual.feasible(row, column, strength, limit)
    usable = jnp.all((u > 0) & jnp.isfinite(u)) & jnp.all((v > 0) & jnp.isfinite(v))
    f, g = (strength * jnp.log(z) for z in (u, v))
    f, g = jax.lax.stop_gradient(dual.centred(f, g, a))
    value = _value((f, g), data)
    broken = jnp.where(usable | ~feasible, 0, jnp.nan)
    status = dual.judged(end.status, feasible, *data, broken)
    return FeatureSinkhornResult(f, g, value, phi_x, phi_y, a, b, strength, end.error, end.num_steps, status)


@dual.envelope
def _value(potentials: tuple[Array, Array], data: tuple[Array, ...]) -> Float[Array, ""]:
    """The dual  <f, a> + <g, b> - epsilon (sum of the plan - sum of b)."""
    f, g = potentials
    phi_x, phi_y, a, b, epsilon = data
    total = ((a * jnp.exp(f / epsilon)) @ phi_x) @ ((b * jnp.exp(g / epsilon)) @ phi_y)
    return f @ a + g @ b - epsilon * (total - jnp.sum(b))
