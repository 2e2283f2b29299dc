"""What a manifold is: the operations, their argument checks and documentation, and what follows from a few of them.

A space is a frozen dataclass that fills in the underscored methods below; the public ones, written once, check shapes
and dtypes, run compiled and carry the documentation. Metric parameters are fields, hence leaves: changing one does not
compile again. What a space has no closed form for it leaves out, and asking for it says so.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.results import Status
from geojax.typing import Key, PyTree, Scalar


@struct
class LogResult:
    """A logarithm, and whether it is the only one.

    Attributes:
        tangent: The tangent vector at x whose geodesic reaches y at time 1, as short as any.
        unique: Whether y is off the cut locus of x, so that no other tangent vector of that length does.
        error: 0 for closed forms; for iterations the largest entry of what is left of the equation.
        num_steps: Steps taken, 0 for closed forms.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    tangent: Any
    unique: Bool[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class Manifold:
    """A Riemannian manifold: immutable, a pytree, its points arrays (or trees) of ambient coordinates.

    Every operation takes one point; use `jax.vmap` for more. Points x y are trusted to lie on the manifold and tangents
    u v in the tangent space: `project` and `to_tangent` bring them there, `check_point` and `check_tangent` say
    eagerly how far off they are. Derivatives are those of the formulas in ambient coordinates, finite at coincident
    points and zero tangents too.
    """

    point_shape: ClassVar[str] = "n"
    """The axes of a point, in the words of `checks.shapes`."""

    # The operations ------------------------------------------------------------------------------------------

    def project(self, x: PyTree) -> Any:
        """Bring ambient coordinates onto the manifold, to the nearest point where that is what `x` has."""
        return self._run("project", x=x)

    def to_tangent(self, x: PyTree, u: PyTree) -> Any:
        """Project an ambient vector orthogonally onto the tangent space at x."""
        return self._run("to_tangent", x=x, u=u)

    def inner(self, x: PyTree, u: PyTree, v: PyTree) -> Float[Array, ""]:
        """Riemannian inner product of two tangent vectors at x."""
        return self._run("inner", x=x, u=u, v=v)

    def norm(self, x: PyTree, u: PyTree) -> Float[Array, ""]:
        """Length of a tangent vector at x; its derivative at 0 is 0."""
        return self._run("norm", x=x, u=u)

    def retract(self, x: PyTree, u: PyTree) -> Any:
        """Move from x along u, to first order like `exp` and never dearer; on the manifold to rounding."""
        return self._run("retract", x=x, u=u)

    def vector_transport(self, x: PyTree, u: PyTree, v: PyTree) -> Any:
        """Carry the tangent vector v from x to `retract(x, u)`, linearly in v; v itself for u = 0."""
        return self._run("vector_transport", x=x, u=u, v=v)

    def exp(self, x: PyTree, u: PyTree) -> Any:
        """Follow the geodesic that leaves x with velocity u, for time 1."""
        return self._run("exp", x=x, u=u)

    def log(self, x: PyTree, y: PyTree) -> Any:
        """Tangent vector at x of the shortest geodesic to y; one of them where there are several."""
        return self._run("log", x=x, y=y)

    def log_with_info(self, x: PyTree, y: PyTree) -> LogResult:
        """`log`, with word on whether it is unique and, where it is found by iteration, on how that ended."""
        return self._run("log_with_info", x=x, y=y)

    def dist(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Length of the shortest geodesic between two points; its derivative at x = y is 0."""
        return self._run("dist", x=x, y=y)

    def squared_dist(self, x: PyTree, y: PyTree) -> Float[Array, ""]:
        """Square of `dist`, smooth at x = y."""
        return self._run("squared_dist", x=x, y=y)

    def parallel_transport(self, x: PyTree, y: PyTree, u: PyTree) -> Any:
        """Carry the tangent vector u from x to y along the shortest geodesic, keeping inner products."""
        return self._run("parallel_transport", x=x, y=y, u=u)

    def sectional_curvature(self, x: PyTree, u: PyTree, v: PyTree) -> Float[Array, ""]:
        """Curvature of the plane that two tangent vectors at x span; NaN where they are parallel."""
        return self._run("sectional_curvature", x=x, u=u, v=v)

    def riemannian_gradient(self, x: PyTree, gradient: PyTree) -> Any:
        """Turn the ambient gradient of a function at x, as `jax.grad` gives it, into its Riemannian gradient."""
        return self._run("riemannian_gradient", x=x, gradient=gradient)

    def geodesic(self, x: PyTree, y: PyTree, t: Scalar) -> Any:
        """Point at time t of the shortest geodesic with x at time 0 and y at time 1."""
        (t,) = checks.floats(f"{self._name}.geodesic", t=t)
        return self._run("geodesic", (t,), x=x, y=y)

    def random_point(self, key: Key, shape: Any, *, dtype: Any = float) -> Any:
        """Draw a point with the given shape: uniform where the manifold has a uniform distribution."""
        checks.typed_key(f"{self._name}.random_point", key)
        return self._random_point(key, shape, jax.dtypes.canonicalize_dtype(dtype))

    def random_tangent(self, key: Key, x: PyTree) -> Any:
        """Draw a tangent vector at x, normal of mean 0 and the covariance of the ambient projection."""
        checks.typed_key(f"{self._name}.random_tangent", key)
        (x,) = self._arrays("random_tangent", x=x)
        return self._random_tangent(key, x)

    def dimension(self, x: PyTree) -> int:
        """Dimension of the manifold that x lies on, from its shape."""
        (x,) = self._arrays("dimension", x=x)
        return self._dimension(x)

    def constraint_error(self, x: PyTree) -> Float[Array, ""]:
        """Largest entry of x - project(x), relative to the largest of x: 0 on the manifold to rounding."""
        return self._run("constraint_error", x=x)

    def tangent_error(self, x: PyTree, u: PyTree) -> Float[Array, ""]:
        """Largest entry of u - to_tangent(x, u), relative to the largest of u: 0 for tangent vectors to rounding."""
        return self._run("tangent_error", x=x, u=u)

    def check_point(self, x: PyTree) -> None:
        """Raise ValueError unless x lies on the manifold to rounding; eager only."""
        self._judge("check_point", "x", "the manifold", "project(x)", x, self.constraint_error(x))

    def check_tangent(self, x: PyTree, u: PyTree) -> None:
        """Raise ValueError unless u is tangent at x to rounding; eager only."""
        self._judge(
            "check_tangent", "u", "the tangent space", "to_tangent(x, u)", u, self.tangent_error(x, u)
        )

    # What a space fills in -----------------------------------------------------------------------------------

    def _project(self, x):
        raise self._lacks("project")

    def _to_tangent(self, x, u):
        raise self._lacks("to_tangent")

    def _inner(self, x, u, v):
        raise self._lacks("inner")

    def _exp(self, x, u):
        raise self._lacks("exp")

    def _log(self, x, y):
        raise self._lacks("log")

    def _squared_dist(self, x, y):
        raise self._lacks("squared_dist")

    def _parallel_transport(self, x, y, u):
        raise self._lacks("parallel_transport")

    def _sectional_curvature(self, x, u, v):
        raise self._lacks("sectional_curvature")

    def _random_point(self, key, shape, dtype):
        raise self._lacks("random_point")

    def _dimension(self, x) -> int:
        raise self._lacks("dimension")

    def _compose(self, x, y):
        """Product of two points, where the space is a group and its metric invariant to products from the left."""
        raise self._lacks("group structure")

    def _inverse(self, x):
        raise self._lacks("group structure")

    def _identity(self, x):
        """The identity of the group, of the shape of x."""
        raise self._lacks("group structure")

    # What follows; a space with something better fills it in too ---------------------------------------------

    def _norm(self, x, u):
        return safe.sqrt(self._inner(x, u, u))

    def _retract(self, x, u):
        return self._exp(x, u)

    def _vector_transport(self, x, u, v):
        return self._to_tangent(self._retract(x, u), v)

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

    def _riemannian_gradient(self, x, gradient):
        """Right for the metric that the ambient space induces."""
        return self._to_tangent(x, gradient)

    def _mean_log(self, x, points, shares):
        """Sum of log_x(x_i) times their shares: what gradients of means are made of."""
        logs = jax.vmap(lambda point: self._log(x, point))(points)
        return jax.tree.map(lambda leaf: jnp.tensordot(shares.astype(leaf.dtype), leaf, axes=1), logs)

    def _geodesic(self, x, y, t):
        return self._exp(x, jax.tree.map(lambda u: t.astype(u.dtype) * u, self._log(x, y)))

    def _random_tangent(self, key, x):
        return self._to_tangent(x, _normal_like(key, x))

    def _constraint_error(self, x):
        return _relative_gap(x, self._project(x))

    def _tangent_error(self, x, u):
        return _relative_gap(u, self._to_tangent(x, u))

    # How the public methods run ------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _lacks(self, operation: str) -> NotImplementedError:
        return NotImplementedError(
            f"{self._name} has no {operation} in closed form, and no approximation stands in."
        )

    def _arrays(self, operation: str, **values: PyTree) -> tuple[Any, ...]:
        """Arguments of a common floating dtype, all of the shape of a point."""
        where = f"{self._name}.{operation}"
        arrays = checks.floats(where, **values)
        checks.shapes(where, **{name: (array, self.point_shape) for name, array in zip(values, arrays)})
        return arrays

    def _run(self, operation: str, others: tuple[Any, ...] = (), **values: PyTree) -> Any:
        arrays = self._arrays(operation, **values)
        return _compiled(f"_{operation}")(self, *arrays, *others)

    def _judge(self, operation: str, name: str, place: str, mend: str, value: PyTree, error: Array) -> None:
        where = f"{self._name}.{operation}"
        if isinstance(error, Tracer):
            raise TypeError(f"{where}: {name} is traced; expected concrete values. Call it outside jit.")
        dtype = jnp.result_type(*jax.tree.leaves(value), jnp.float32)
        size = max((leaf.size for leaf in map(jnp.asarray, jax.tree.leaves(value))), default=1)
        allowed = 100 * math.sqrt(size) * float(jnp.finfo(dtype).eps)
        if not float(error) <= allowed:
            raise ValueError(
                f"{where}: {name} is off {place} by {float(error):.2g} of its largest entry; expected at most "
                f"{allowed:.1g}. Use {mend}."
            )


@functools.cache
def _compiled(method: str) -> Callable[..., Any]:
    """One compiled program an operation, kind of manifold and shape; an eager call costs one dispatch."""

    def run(manifold: Manifold, *arguments: Any) -> Any:
        return getattr(manifold, method)(*arguments)

    run.__name__ = method.strip("_")
    return jax.jit(run)


def _normal_like(key: Key, x: PyTree) -> Any:
    leaves, structure = jax.tree.flatten(x)
    keys = jax.random.split(key, max(1, len(leaves)))
    return jax.tree.unflatten(
        structure, [jax.random.normal(k, a.shape, a.dtype) for k, a in zip(keys, leaves)]
    )


def _relative_gap(x: PyTree, y: PyTree) -> Float[Array, ""]:
    gaps = [jnp.max(jnp.abs(a - b), initial=0) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y))]
    sizes = [jnp.max(jnp.abs(a), initial=0) for a in jax.tree.leaves(x)]
    gap, size = jnp.max(jnp.stack(gaps)), jnp.max(jnp.stack(sizes))
    return gap / jnp.where(size > 0, size, 1)
