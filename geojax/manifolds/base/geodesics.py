"""Spaces with closed forms of exp, of log and dist, and of parallel transport: each class adds to the one above.

Manifold        projections, metric, retraction: every space
WithExp         exp, sectional_curvature
WithLog         log, dist, squared_dist, geodesic, log_with_info
WithTransport   parallel_transport
InvariantGroup  a product that keeps distances, for internal use
"""

import abc
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.manifolds.base.manifold import Manifold
from geojax.results import Status
from geojax.typing import PyTree, Scalar


@struct
class LogResult:
    """A logarithm, and whether it is the only one.

    Attributes:
        tangent: The tangent vector at x whose geodesic reaches y at time 1, as short as any.
        unique: Whether y is off the cut locus of x: then no other tangent vector of that length reaches y.
        error: 0 for closed forms; for iterations the largest entry of the residual.
        num_steps: Steps taken, 0 for closed forms.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    tangent: Any
    unique: Bool[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class WithExp(Manifold):
    """A manifold with its exponential map and curvature in closed form."""

    def exp(self, x: PyTree, u: PyTree) -> Any:
        """Follow the geodesic that leaves x with velocity u, for time 1."""
        return self._run("exp", x=x, u=u)

    def sectional_curvature(self, x: PyTree, u: PyTree, v: PyTree) -> Float[Array, ""]:
        """Curvature of the plane that two tangent vectors at x span; NaN if they are parallel."""
        return self._run("sectional_curvature", x=x, u=u, v=v)

    @abc.abstractmethod
    def _exp(self, x, u) -> Any: ...

    @abc.abstractmethod
    def _sectional_curvature(self, x, u, v) -> Any: ...

    def _retract(self, x, u):
        return self._exp(x, u)


class WithLog(WithExp):
    """A manifold with distances: logarithms in closed form, or by an iteration that says how it ended."""

    def log(self, x: PyTree, y: PyTree) -> Any:
        """Tangent vector at x of the shortest geodesic to y; one of them if there are several."""
        return self._run("log", x=x, y=y)

    def log_with_info(self, x: PyTree, y: PyTree) -> LogResult:
        """`log`, whether it is unique and, if it was computed by iteration, how that ended."""
        return self._run("log_with_info", x=x, y=y)

    def dist(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Length of the shortest geodesic between two points; its derivative at x = y is 0."""
        return self._run("dist", x=x, y=y)

    def squared_dist(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Square of `dist`, smooth at x = y."""
        return self._run("squared_dist", x=x, y=y)

    def geodesic(self, x: PyTree, y: PyTree, t: Scalar) -> Any:
        """Point at time t of the shortest geodesic with x at time 0 and y at time 1."""
        (t,) = checks.floats(f"{self._name}.geodesic", t=t)
        return self._run("geodesic", (t,), x=x, y=y)

    @abc.abstractmethod
    def _log(self, x, y) -> Any: ...

    @abc.abstractmethod
    def _squared_dist(self, x, y) -> Any: ...

    def _dist(self, x, y):
        return safe.sqrt(self._squared_dist(x, y))

    def _unique(self, x, y):
        """Whether the logarithm is unique; true everywhere on a space without cut locus."""
        return jnp.asarray(True)

    def _log_with_info(self, x, y):
        tangent = self._log(x, y)
        error = jnp.sum(jnp.stack([jnp.sum(leaf * 0) for leaf in jax.tree.leaves(tangent)]))
        status = jnp.where(error == 0, Status.CONVERGED, Status.NONFINITE).astype(jnp.int32)
        return LogResult(tangent, self._unique(x, y) & (error == 0), error, jnp.asarray(0, jnp.int32), status)

    def _geodesic(self, x, y, t):
        return self._exp(x, jax.tree.map(lambda u: t.astype(u.dtype) * u, self._log(x, y)))

    def _mean_log(self, x, points, shares):
        """Sum of log_x(x_i) times their shares: minus the gradient of half the weighted squared distances."""
        logs = jax.vmap(lambda point: self._log(x, point))(points)
        return jax.tree.map(lambda leaf: jnp.tensordot(shares.astype(leaf.dtype), leaf, axes=1), logs)


class WithTransport(WithLog):
    """A manifold with distances and parallel transport in closed form."""

    def parallel_transport(self, x: PyTree, y: PyTree, u: PyTree) -> Any:
        """Carry the tangent vector u from x to y along the shortest geodesic, keeping inner products."""
        return self._run("parallel_transport", x=x, y=y, u=u)

    @abc.abstractmethod
    def _parallel_transport(self, x, y, u) -> Any: ...

    def _recentred(self, mean, center, factor, x):
        """The point x with its step from `mean` made `factor` times as long, carried to `center`."""
        carried = self._parallel_transport(mean, center, self._log(mean, x))
        return self._exp(center, jax.tree.map(lambda leaf: factor.astype(leaf.dtype) * leaf, carried))


class InvariantGroup(WithTransport):
    """A group with a metric that products from the left do not change."""

    @abc.abstractmethod
    def _compose(self, x, y) -> Any:
        """Product of two points."""

    @abc.abstractmethod
    def _inverse(self, x) -> Any:
        """Inverse of a point."""

    @abc.abstractmethod
    def _identity(self, x) -> Any:
        """The identity of the group, of the shape of x."""

    def _recentred(self, mean, center, factor, x):
        # Moved by the product with center mean^-1, an isometry that takes the mean to the center.
        identity = self._identity(x)
        step = self._log(identity, self._compose(self._inverse(mean), x))
        return self._compose(center, self._exp(identity, factor * step))


def plane_area(uu: Array, vv: Array, uv: Array) -> Array:
    """Squared area of the parallelogram of two vectors, from their inner products."""
    return uu * vv - uv * uv


def constant_curvature(value: Any, uu: Array, vv: Array, uv: Array) -> Array:
    """The value as the curvature of the plane of two vectors with these inner products; NaN if they are parallel."""
    area = plane_area(uu, vv, uv)
    return value * (area / area)
