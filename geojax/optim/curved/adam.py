"""Adam on manifolds: one second moment for each point, so that steps do not depend on coordinates."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import ArrayLike

from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.products.power import Power
from geojax.manifolds.products.product import Product
from geojax.optim.arguments import check_learning_rate
from geojax.optim.curved.transform import Places, is_flat, over_places, places_of, riemannian
from geojax.typing import PyTree, Scalar


class RiemannianAdamState(NamedTuple):
    """State of the adaptive scaling.

    Attributes:
        count: Steps taken.
        mu: First moments, shaped like the parameters; tangent vectors at the points of manifolds.
        nu: Second moments: one scalar for each point of a manifold, elementwise for ordinary parameters.
    """

    count: ArrayLike
    mu: Any
    nu: Any


def riemannian_adam(
    learning_rate: Scalar | optax.Schedule,
    manifolds: Places,
    *,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Adam on manifolds, with one scalar second moment for each point; `optax.adam` on ordinary leaves.

    m <- b1 m + (1 - b1) grad,   v <- b2 v + (1 - b2) <grad, grad>_p,
    p <- retract(p, -learning_rate m^ / (sqrt(v^ + eps_root) + eps)),   m <- transport(m),  with m^, v^ bias-corrected.

    Args:
        learning_rate: Step, in units of length on the manifolds; a number or an optax schedule.
        manifolds: Prefix tree of manifolds and None, or a function of path and leaf, as for `riemannian`. Each part of
            a `Product` and each row of a `Power` counts as a point.
        b1: Decay of the first moment.
        b2: Decay of the second moment.
        eps: Added to the root of the second moment.
        eps_root: Added to the second moment under the root.

    Returns:
        GradientTransformationExtraArgs. Lengths are those of the metric, so an isometry of the manifold maps iterates
        to iterates; with elementwise second moments they would depend on the coordinates.

    Raises:
        ValueError, TypeError: As `riemannian`.

    Differentiation: exact, through the steps, after the first gradient that is not zero.

    Complexity: One retraction, one vector transport and one inner product for each point.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import riemannian_adam
        >>> optimiser, x = riemannian_adam(0.1, Sphere()), jnp.array([0.6, 0.8])
        >>> state = optimiser.init(x)
        >>> for _ in range(100):
        ...     updates, state = optimiser.update(jnp.array([1.0, 0.0]), state, x)
        ...     x = optax.apply_updates(x, updates)
        >>> print(jnp.round(x[0], 1))
        -1.0

    References: [BecigneulGanea2019]; [Kingma2015].
    """
    check_learning_rate("riemannian_adam", learning_rate)
    scaling = _scale_by_adam(manifolds, b1, b2, eps, eps_root)
    return riemannian(manifolds, optax.chain(scaling, optax.scale_by_learning_rate(learning_rate)))


def _scale_by_adam(
    manifolds: Places, b1: Scalar, b2: Scalar, eps: Scalar, eps_root: Scalar
) -> optax.GradientTransformation:
    def init(params: PyTree) -> RiemannianAdamState:
        moments = jax.tree.map(jnp.zeros_like, params)
        squares = over_places(_square, places_of("riemannian_adam", manifolds, params), params, moments)
        return RiemannianAdamState(jnp.zeros((), jnp.int32), moments, squares)

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[Any, Any]:
        mu = optax.tree.update_moment(updates, state.mu, b1, 1)
        places = places_of("riemannian_adam", manifolds, params)
        squares = over_places(_square, places, params, updates)
        nu = optax.tree.update_moment(squares, state.nu, b2, 1)
        count = optax.safe_increment(state.count)
        mu_hat, nu_hat = optax.tree.bias_correction(mu, b1, count), optax.tree.bias_correction(nu, b2, count)
        scales = jax.tree.map(lambda v: jnp.sqrt(v + eps_root) + eps, nu_hat)
        return over_places(_divide, places, mu_hat, scales), RiemannianAdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


def _square(manifold: Manifold | None, point: Any, gradient: Any) -> Any:
    """Squared lengths, one for each part of a product and each row of a power; elementwise at flat places."""
    if is_flat(manifold):
        return jax.tree.map(jnp.square, gradient)
    if isinstance(manifold, Product):
        return over_places(_square, manifold.tree, point, gradient)
    if isinstance(manifold, Power):
        return jax.vmap(lambda p, g: _square(manifold.manifold, p, g))(point, gradient)
    assert manifold is not None
    return manifold.inner(point, gradient, gradient)


def _divide(manifold: Manifold | None, moment: Any, scale: Any) -> Any:
    """Each part of a moment divided by its scale."""
    if is_flat(manifold):
        return jax.tree.map(lambda m, s: (m / s).astype(m.dtype), moment, scale)
    if isinstance(manifold, Product):
        return over_places(_divide, manifold.tree, moment, scale)
    if isinstance(manifold, Power):
        return jax.vmap(lambda m, s: _divide(manifold.manifold, m, s))(moment, scale)
    return jax.tree.map(lambda m: (m / scale).astype(m.dtype), moment)
