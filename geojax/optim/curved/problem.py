"""A function on a manifold, and what every method computes from it: values, gradients, Hessians, changes."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.products.power import Power
from geojax.manifolds.products.product import Product
from geojax.typing import Scalar


@runtime_checkable
class Method(Protocol):
    """A method of minimisation: an immutable pytree whose steps are pure functions of a state.

    Its state is a pytree with the attributes `point`, `value` and `gradient_norm`. `start` evaluates the function once
    at the first point; `step` makes one trial, and keeps the point if the trial is refused.
    """

    def start(self, problem: "Problem", point: Any) -> Any:
        """Return the state at the first point."""
        ...

    def step(self, problem: "Problem", state: Any) -> Any:
        """Return the state after one trial."""
        ...


@dataclasses.dataclass(frozen=True)
class Problem:
    """Minimise `function` on `manifold`; tangents are trees of ambient coordinates."""

    manifold: Manifold
    function: Callable[[Any], Array]

    def value_and_gradient(self, x: Any) -> tuple[Array, Any]:
        """Value and Riemannian gradient."""
        value, gradient = jax.value_and_grad(self.function)(x)
        return value, self.manifold.riemannian_gradient(x, gradient)

    def covector_at(self, x: Any) -> Callable[[Any], Any]:
        """Ambient gradient of v -> f(retract(x, v)), as a function of v near 0; only its tangent part counts."""
        m = self.manifold
        return jax.grad(lambda v: self.function(m.retract(x, m.to_tangent(x, v))))

    def hessian(self, x: Any, zero: Any) -> Callable[[Any], Any]:
        """Hessian at x as a map of tangent vectors, linearised once so that products are cheap.

        On a submanifold with the metric of the space around it, this is the projected derivative of the gradient field.
        On other manifolds it is the Hessian of the pullback by the retraction, which is the same where the gradient
        vanishes.
        """
        m = self.manifold
        if _is_induced(m):
            _, along = jax.linearize(lambda y: m.to_tangent(y, jax.grad(self.function)(y)), x)
            return lambda u: m.to_tangent(x, along(u))
        _, product = jax.linearize(self.covector_at(x), zero)
        return lambda u: m.riemannian_gradient(x, product(u))

    def change(self, start: Any, slope: Array, point: Any, value: Array, gradient: Any, move: Any) -> Array:
        """f(point) - f(start), for a step with this slope at the start; `move` is the step transported to the point.

        If the difference of the values is within their rounding error, which is judged on the scale of the first value
        too, it is computed from the slopes at both ends by the trapezium rule, which has no cancellation.
        """
        difference = value - start.value
        largest = jnp.maximum(jnp.maximum(jnp.abs(value), jnp.abs(start.value)), start.first_size)
        noise = 16 * jnp.finfo(value.dtype).eps * largest
        from_slopes = (slope + self.manifold.inner(point, gradient, move)) / 2
        return jnp.where(jnp.abs(difference) <= noise, from_slopes, difference)


def _is_induced(manifold: Manifold) -> bool:
    """Whether the metric is that of the ambient space; then Riemannian gradients are projections, the default."""
    if isinstance(manifold, Product):
        places = jax.tree.leaves(manifold.tree, is_leaf=lambda value: isinstance(value, Manifold))
        return all(map(_is_induced, places))
    if isinstance(manifold, Power):
        return _is_induced(manifold.manifold)
    return type(manifold)._riemannian_gradient is Manifold._riemannian_gradient


def scaled(c: Scalar, u: Any) -> Any:
    """Multiple of a tangent vector."""
    return jax.tree.map(lambda leaf: c * leaf, u)


def combined(u: Any, c: Scalar, v: Any) -> Any:
    """The sum u + c v."""
    return jax.tree.map(lambda a, b: a + c * b, u, v)


def chosen(condition: Array, yes: Any, no: Any) -> Any:
    """One of two trees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def safe_ratio(a: Array, b: Array, otherwise: Array) -> Array:
    """A / b if that is finite and positive, otherwise the third argument."""
    ratio = a / jnp.where(b == 0, 1, b)
    return jnp.where((b != 0) & jnp.isfinite(ratio) & (ratio > 0), ratio, otherwise)
