"""Riemannian gradients and Hessians of functions, as transforms of functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree


def riemannian_grad(f: Callable[..., Any], manifold: Manifold) -> Callable[..., Any]:
    """Transform a function on a manifold into its Riemannian gradient.

    <grad f(x), v>_x = Df(x)[v]  for every tangent vector v at x.

    Args:
        f: f(x, ...) -> real scalar, defined in ambient coordinates near the manifold and traceable by JAX.
        manifold: The space that x lies on; its metric parameters may be traced.

    Returns:
        The function (x, ...) -> tangent vector at x, shaped like x; further arguments are passed on to f.

    Raises:
        ValueError: When the result is called, if x has not the shape of a point.

    Differentiation: exact; the result may be differentiated again (an ambient derivative: for the Riemannian Hessian
        take `riemannian_hvp`).

    Complexity: one gradient of f and one projection.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere, riemannian_grad
        >>> height = riemannian_grad(lambda x: x[2], Sphere())
        >>> height(jnp.array([1.0, 0.0, 0.0])).tolist()
        [0.0, 0.0, 1.0]

    References: [Absil2008], section 3.6.
    """

    def gradient(x: PyTree, *arguments: Any) -> Any:
        return manifold.riemannian_gradient(x, jax.grad(f)(x, *arguments))

    return gradient


def riemannian_hvp(f: Callable[..., Any], manifold: Manifold) -> Callable[..., Any]:
    """Transform a function on a manifold into its Riemannian Hessian-vector product.

    <Hess f(x)[u], v>_x = D^2 (f o exp_x)(0)[u, v],  right away from stationary points too, as exp follows geodesics.

    Args:
        f: f(x, ...) -> real scalar, defined in ambient coordinates near the manifold and traceable by JAX.
        manifold: The space that x lies on; its metric parameters may be traced.

    Returns:
        The function (x, u, ...) -> tangent vector Hess f(x)[u] at x; further arguments are passed on to f.

    Raises:
        ValueError: When the result is called, if x or u has not the shape of a point.

    Differentiation: exact.

    Complexity: forward over reverse mode of f(exp_x(.)): a few evaluations of f and exp; no Hessian is formed.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere, riemannian_hvp
        >>> height = riemannian_hvp(lambda x: x[2], Sphere())
        >>> height(jnp.array([0.0, 0.0, 1.0]), jnp.array([1.0, 0.0, 0.0])).tolist()
        [-1.0, 0.0, 0.0]

    References: [Absil2008], section 5.5.
    """

    def product(x: PyTree, u: PyTree, *arguments: Any) -> Any:
        x, u = manifold._arrays("riemannian_hvp", x=x, u=u)

        def pulled(v: PyTree) -> Any:
            return f(manifold._exp(x, manifold._to_tangent(x, v)), *arguments)

        zero = jax.tree.map(jnp.zeros_like, x)
        covector = jax.jvp(jax.grad(pulled), (zero,), (u,))[1]
        return manifold.riemannian_gradient(x, covector)

    return product
