"""A coupling of low rank as a value, and what the calls of ott's two solvers have in common."""

import functools
import importlib
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.entropic import dual
from geojax.transport.measures import number, with_weights
from geojax.typing import Scalar

CHECK_EVERY = 10  # steps of ott after which it looks at its error


@struct
class LowRankResult:
    """A coupling P = q diag(1 / g) r^T of low rank, and what it costs.

    `q` [n, k] and `r` [m, k] have the marginals a and b along their rows and g [k] along their columns. `cost` is the
    transport cost of P, without any entropy; `error` is the L1 error of these marginals plus the Jensen-Shannon
    distance between the factors of the last two steps.
    """

    q: Float[Array, "n k"]
    r: Float[Array, "m k"]
    g: Float[Array, " k"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]

    def apply(self, v: Float[Array, "m ..."]) -> Float[Array, "n ..."]:
        """The product P v, in time and memory linear in n and m."""
        return jnp.tensordot(self.q / self.g, jnp.tensordot(self.r, v, axes=(0, 0)), axes=1)

    def apply_transposed(self, u: Float[Array, "n ..."]) -> Float[Array, "m ..."]:
        """The product P^T u, in time and memory linear in n and m."""
        return jnp.tensordot(self.r / self.g, jnp.tensordot(self.q, u, axes=(0, 0)), axes=1)

    @property
    def plan(self) -> Float[Array, "n m"]:
        """The coupling as a dense matrix, [n, m]."""
        return (self.q / self.g) @ self.r.T


def ott_module(where: str, name: str) -> Any:
    """Import a module of ott, or say how to install it."""
    try:
        return importlib.import_module(f"ott.{name}")
    except ImportError as error:
        raise ImportError(
            f"{where}: the package ott-jax is not installed. Install it with `pip install 'geojax-transforms[ott]'`."
        ) from error


def clouds(
    where: str, x: Array, y: Array, a: Array | None, b: Array | None, rank: int
) -> tuple[Array, Array, Array, Array]:
    """Check two clouds with weights and the rank of a coupling between them."""
    x, y, a, b = with_weights(where, a, b, x=(x, "n d"), y=(y, "m e"))
    smaller = min(a.size, b.size)
    if checks.count(where, "rank", rank, minimum=1) > smaller:
        raise ValueError(
            f"{where}: rank is {rank}; expected at most {smaller}, the size of the smaller cloud. Lower it, or use "
            "sinkhorn, which has no bound on the rank."
        )
    return x, y, a, b


def unless_all_zero(points: Array) -> Array:
    """The points, or arbitrary ones if all are zero: every coupling is then optimal, but ott would divide by zero."""
    arbitrary = jnp.cos(jnp.arange(points.size, dtype=points.dtype)).reshape(points.shape)
    return jnp.where(jnp.any(points != 0), points, arbitrary)


def options(
    where: str, rank: int, epsilon: Scalar, tol: Scalar, max_steps: int, max_inner_steps: int
) -> dict[str, Any]:
    """The options of ott's low-rank solvers that stand for ours."""
    initializers = ott_module(where, "initializers.linear.initializers_lr")
    max_steps = checks.count(where, "max_steps", max_steps, minimum=1)
    limit = number(where, "tol", tol, float)
    return {
        "rank": rank,
        "epsilon": number(where, "epsilon", epsilon, float),
        "initializer": initializers.RandomInitializer(rank),
        # Half of the tolerance is for the change of the factors, whose distance is the root of ott's divergence, and
        # half for the marginals.
        "threshold": (limit / 2) ** 2,
        "inner_iterations": CHECK_EVERY,
        "min_iterations": 0,
        "max_iterations": -(-max_steps // CHECK_EVERY) * CHECK_EVERY,
        "kwargs_dys": {
            "tolerance": limit / 2,
            "max_iter": checks.count(where, "max_inner_steps", max_inner_steps, minimum=1),
        },
    }


def result_of(
    end: Any, cost: Any, a: Array, b: Array, epsilon: Scalar, tol: Scalar, *data: Array
) -> LowRankResult:
    """Our result from ott's: factors that are held fixed, their cost, error and status."""
    dtype = a.dtype
    q, r, g = (jax.lax.stop_gradient(factor).astype(dtype) for factor in (end.q, end.r, end.g))
    num_checks = jnp.sum(end.errors != -1)
    change = safe.sqrt(jnp.maximum(end.errors[jnp.maximum(num_checks - 1, 0)], 0)).astype(dtype)
    wrong = [jnp.sum(q, axis=1) - a, jnp.sum(r, axis=1) - b, jnp.sum(q, axis=0) - g, jnp.sum(r, axis=0) - g]
    error = jax.lax.stop_gradient(change + functools.reduce(jnp.add, [jnp.sum(jnp.abs(w)) for w in wrong]))
    limit, strength = jnp.asarray(tol, dtype), jnp.asarray(epsilon, dtype)
    value = cost(q, r, g)
    status = jnp.where(end.converged & (error <= limit), Status.CONVERGED, Status.MAX_STEPS)
    # ott allows epsilon = 0, and may report a NaN as converged.
    feasible = dual.feasible(a, b, strength + 1, limit) & (strength >= 0)
    status = dual.judged(status, feasible, a, b, *data)
    broken = (status <= Status.MAX_STEPS) & ~(jnp.isfinite(error) & jnp.isfinite(value))
    status = jnp.where(broken, Status.NONFINITE, status).astype(jnp.int32)
    return LowRankResult(q, r, g, value, error, (num_checks * CHECK_EVERY).astype(jnp.int32), status)
