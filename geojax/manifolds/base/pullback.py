"""Spaces that a chart maps onto another space: all their operations follow from that space's."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.manifolds.base.geodesics import WithTransport


class Pullback(WithTransport):
    """A space with the metric <u, v>_x = c <D chart(x) u, D chart(x) v>, the chart a diffeomorphism onto `_base()`.

    The chart is an isometry up to the constant c, `_ratio`, so exp, log, distances, transport and curvature are those
    of the base at the images of the points, carried back. Points are single arrays.
    """

    @abc.abstractmethod
    def _base(self) -> WithTransport:
        """The space that the chart maps onto."""

    @abc.abstractmethod
    def _chart(self, x: Array) -> Array:
        """The image of x in the base."""

    @abc.abstractmethod
    def _unchart(self, z: Array) -> Array:
        """The inverse of the chart."""

    def _ratio(self, dtype: Any) -> Any:
        """The constant c."""
        return 1

    def _charted(self, *points: Array) -> Array:
        """The images of several points as one batch: on CPU separate factorisations wait for each other's threads."""
        return jax.vmap(self._chart)(jnp.stack(points))

    def _push(self, x: Array, u: Array) -> Array:
        """D chart(x) u."""
        return jax.jvp(self._chart, (x,), (u,))[1]

    def _pull(self, x: Array, v: Array) -> Array:
        """The u with D chart(x) u = v."""
        return jax.jvp(self._unchart, (self._chart(x),), (v,))[1]

    def _pull_transposed(self, x: Array, u: Array) -> Array:
        """The transpose of v -> _pull(x, v)."""
        return jax.vjp(self._unchart, self._chart(x))[1](u)[0]

    def _inner(self, x, u, v):
        return self._ratio(x.dtype) * self._base()._inner(self._chart(x), self._push(x, u), self._push(x, v))

    def _exp(self, x, u):
        return self._unchart(self._base()._exp(self._chart(x), self._push(x, u)))

    def _retract(self, x, u):
        return self._unchart(self._base()._retract(self._chart(x), self._push(x, u)))

    def _log(self, x, y):
        z, w = self._charted(x, y)
        return self._pull(x, self._base()._log(z, w))

    def _geodesic(self, x, y, t):
        z, w = self._charted(x, y)
        return self._unchart(self._base()._geodesic(z, w, t))

    def _squared_dist(self, x, y):
        return self._ratio(x.dtype) * self._base()._squared_dist(*self._charted(x, y))

    def _dist(self, x, y):
        return jnp.sqrt(jnp.asarray(self._ratio(x.dtype), x.dtype)) * self._base()._dist(*self._charted(x, y))

    def _unique(self, x, y):
        return self._base()._unique(*self._charted(x, y))

    def _parallel_transport(self, x, y, u):
        z, w = self._charted(x, y)
        return self._pull(y, self._base()._parallel_transport(z, w, self._push(x, u)))

    def _riemannian_gradient(self, x, gradient):
        charted = self._pull_transposed(x, self._to_tangent(x, gradient))
        return self._pull(x, self._base()._riemannian_gradient(self._chart(x), charted)) / self._ratio(
            x.dtype
        )

    def _sectional_curvature(self, x, u, v):
        charted = self._base()._sectional_curvature(self._chart(x), self._push(x, u), self._push(x, v))
        return charted / self._ratio(x.dtype)
