"""What every manifold offers: projections, a metric, a retraction; and how the public operations run.

A space is a frozen dataclass that fills in the underscored methods. The public ones are written once, here and in
`geodesics.py`: they check shapes and dtypes, run compiled and carry the documentation. Metric parameters are fields,
hence leaves: a new value does not compile again. An operation that a space has no closed form for is absent.
"""

import abc
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.loops import vary_with
from geojax._core.precision import is_floating, rounded_once
from geojax.typing import Key, PyTree

_EXP = "Every space but FixedRank and KernelMetric has it; for KernelMetric see hamiltonian_geodesic."
_LOG = "Every space but FixedRank, Flag and KernelMetric has it."
_TRANSPORT = (
    "Every space but FixedRank, Flag, KernelMetric, ShapeSpace and Stiefel has it; pole_ladder approximates it from "
    "exp and log."
)
OPTIONAL = {
    "exp": _EXP,
    "sectional_curvature": _EXP,
    "log": _LOG,
    "log_with_info": _LOG,
    "dist": _LOG,
    "squared_dist": _LOG,
    "geodesic": _LOG,
    "parallel_transport": _TRANSPORT,
}
"""The operations that some spaces lack, and what to say about each."""


class Manifold(abc.ABC):
    """A Riemannian manifold: immutable, a pytree, its points arrays (or trees) of ambient coordinates.

    Every operation takes one point; use `jax.vmap` for more. Points x y are trusted to lie on the manifold and tangents
    u v in the tangent space: `project` and `to_tangent` bring them there, `check_point` and `check_tangent` say
    eagerly how far off they are. Derivatives are those of the formulas in ambient coordinates, finite at coincident
    points and zero tangents too.

    This class holds what every space has. Spaces with closed forms of `exp`, of `log` and `dist`, and of
    `parallel_transport` derive from the classes in `geodesics.py`; `hasattr(space, "log")` tells.
    """

    point_shape: ClassVar[str] = "n"
    """The axes of a point, in the words of `checks.shapes`."""

    # The operations ------------------------------------------------------------------------------------------

    def project(self, x: PyTree) -> Any:
        """Bring ambient coordinates onto the manifold, to the nearest point if there is one."""
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
        """Move from x along u, cheaply: to first order in u the geodesic, and on the manifold to rounding."""
        return self._run("retract", x=x, u=u)

    def vector_transport(self, x: PyTree, u: PyTree, v: PyTree) -> Any:
        """Carry the tangent vector v from x to `retract(x, u)`, linearly in v; v itself for u = 0."""
        return self._run("vector_transport", x=x, u=u, v=v)

    def riemannian_gradient(self, x: PyTree, gradient: PyTree) -> Any:
        """Turn the ambient gradient of a function at x, as `jax.grad` gives it, into its Riemannian gradient."""
        return self._run("riemannian_gradient", x=x, gradient=gradient)

    def random_point(self, key: Key, shape: Any, *, dtype: Any = float) -> Any:
        """Draw a point of the given shape: uniformly if the manifold has a uniform distribution."""
        checks.typed_key(f"{self._name}.random_point", key)
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        point = self._random_point(key, shape, jnp.promote_types(dtype, jnp.float32))
        return jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.finfo(dtype).bits < 32 else leaf, point)

    def random_tangent(self, key: Key, x: PyTree) -> Any:
        """Draw a tangent vector at x, normal of mean 0 and the covariance of the ambient projection."""
        checks.typed_key(f"{self._name}.random_tangent", key)
        (x,) = self._arrays("random_tangent", x=x)
        return rounded_once(self._random_tangent)(key, x)

    def dimension(self, x: PyTree) -> int:
        """Dimension of the manifold that x lies on, from its shape."""
        (x,) = self._arrays("dimension", x=x)
        return self._dimension(x)

    def constraint_error(self, x: PyTree) -> Float[Array, ""]:
        """Largest entry of x - project(x), relative to the largest entry of x: an ulp or so for points."""
        return self._run("constraint_error", x=x)

    def tangent_error(self, x: PyTree, u: PyTree) -> Float[Array, ""]:
        """Largest entry of u - to_tangent(x, u), relative to the largest entry of u: an ulp or so for tangents."""
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

    @abc.abstractmethod
    def _project(self, x) -> Any: ...

    @abc.abstractmethod
    def _to_tangent(self, x, u) -> Any: ...

    @abc.abstractmethod
    def _inner(self, x, u, v) -> Any: ...

    @abc.abstractmethod
    def _retract(self, x, u) -> Any: ...

    @abc.abstractmethod
    def _random_point(self, key, shape, dtype) -> Any: ...

    @abc.abstractmethod
    def _dimension(self, x) -> int: ...

    # Defaults; a space with a better way overrides them ------------------------------------------------------

    def _norm(self, x, u):
        return safe.sqrt(self._inner(x, u, u))

    def _vector_transport(self, x, u, v):
        return self._to_tangent(self._retract(x, u), v)

    def _riemannian_gradient(self, x, gradient):
        """Right for the metric that the ambient space induces."""
        return self._to_tangent(x, gradient)

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

    def _point_structure(self) -> Any:
        """The containers of a point: a single array, unless the space is a product."""
        return jax.tree.structure(0)

    if not TYPE_CHECKING:  # or every misspelt attribute would pass the type checker

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(self._without(name), name=name, obj=self)

    def _without(self, name: str) -> str:
        """What to say of an attribute that is absent."""
        if name not in OPTIONAL:
            return f"{self._name!r} object has no attribute {name!r}"
        return f"{self._name} has no {name}: there is no closed form. {OPTIONAL[name]}"

    def _arrays(self, operation: str, **values: PyTree) -> tuple[Any, ...]:
        """The values as arrays of one floating dtype, all of the shape of a point."""
        where = f"{self._name}.{operation}"
        arrays = checks.floats(where, **values)
        checks.no_explicit_axes(where, arrays)
        checks.shapes(where, **{name: (array, self.point_shape) for name, array in zip(values, arrays)})
        return arrays

    def _run(self, operation: str, others: tuple[Any, ...] = (), **values: PyTree) -> Any:
        arrays = self._arrays(operation, **values)
        return _compiled(f"_{operation}")(self, *arrays, *others)

    def _judge(self, operation: str, name: str, place: str, mend: str, value: PyTree, error: Array) -> None:
        where = f"{self._name}.{operation}"
        if isinstance(error, Tracer):
            raise TypeError(f"{where}: {name} is traced; expected concrete values. Call it outside jit.")
        floating = [leaf.dtype for leaf in jax.tree.leaves(value) if is_floating(leaf)]
        dtype = jnp.result_type(*(floating or [jnp.float32]))
        size = max((leaf.size for leaf in map(jnp.asarray, jax.tree.leaves(value))), default=1)
        allowed = 100 * math.sqrt(size) * float(jnp.finfo(dtype).eps)
        if not float(error) <= allowed:
            raise ValueError(
                f"{where}: {name} is off {place} by {float(error):.2g} of its largest entry; expected at most "
                f"{allowed:.1g}. Use {mend}."
            )


@functools.cache
def _compiled(method: str) -> Callable[..., Any]:
    """The jitted method: one compiled program for each kind of manifold and shape, one dispatch for an eager call."""

    def run(*given: Any) -> Any:
        # What all devices of a shard_map share would have derivatives within a method summed over them.
        manifold, *arguments = vary_with(given, given)
        return rounded_once(getattr(manifold, method))(*arguments)

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
