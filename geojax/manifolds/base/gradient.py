"""Riemannian gradients and Hessians of functions, as transforms of functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core.precision import rounded_once
from geojax.manifolds.base.doors import check_function, check_manifold
from geojax.manifolds.base.geodesics import WithExp
from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree


def riemannian_grad(f: Callable[..., Any], manifold: Manifold) -> Callable[..., Any]:
    """Riemannian gradient of a function on a manifold, as a function.

    <grad f(x), v>_x = Df(x)[v]  for every tangent vector v at x.

    Args:
        f: f(x, ...) -> real scalar, defined in ambient coordinates near the manifold and traceable by JAX.
        manifold: The space that x lies on; its metric parameters may be traced.

    Returns:
        The function (x, ...) -> tangent vector at x, shaped like x; further arguments are passed on to f.

    Raises:
        TypeError: If f is no function or the manifold none.
        ValueError: When the result is called, if x has not the shape of a point.

    Differentiation: exact; the result may be differentiated again (that is an ambient derivative; `riemannian_hvp`
        gives the Riemannian Hessian).

    Complexity: one gradient of f and one projection.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere, riemannian_grad
        >>> height = riemannian_grad(lambda x: x[2], Sphere())
        >>> height(jnp.array([1.0, 0.0, 0.0])).tolist()
        [0.0, 0.0, 1.0]

    References: [Absil2008], section 3.6.
    """
    where = "riemannian_grad"
    check_function(where, "f", f, "riemannian_grad(f, manifold)")
    check_manifold(where, manifold)

    def gradient(x: PyTree, *arguments: Any) -> Any:
        (x,) = manifold._arrays(where, x=x)
        return manifold.riemannian_gradient(x, jax.grad(f)(x, *arguments))

    return gradient


def riemannian_hvp(f: Callable[..., Any], manifold: WithExp) -> Callable[..., Any]:
    """Riemannian Hessian-vector product of a function on a manifold, as a function.

    <Hess f(x)[u], v>_x = D^2 (f o exp_x)(0)[u, v],  also away from stationary points, as exp follows geodesics.

    Args:
        f: f(x, ...) -> real scalar, defined in ambient coordinates near the manifold and traceable by JAX.
        manifold: The space that x lies on; its metric parameters may be traced.

    Returns:
        The function (x, u, ...) -> tangent vector Hess f(x)[u] at x; further arguments are passed on to f.

    Raises:
        TypeError: If f is no function, or the manifold none or without `exp`.
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
    where = "riemannian_hvp"
    check_function(where, "f", f, "riemannian_hvp(f, manifold)")
    check_manifold(where, manifold, "exp")

    @rounded_once
    def product(x: PyTree, u: PyTree, *arguments: Any) -> Any:
        x, u = manifold._arrays(where, x=x, u=u)

        def pulled(v: PyTree) -> Any:
            return f(manifold._exp(x, manifold._to_tangent(x, v)), *arguments)

        zero = jax.tree.map(jnp.zeros_like, x)
        covector = jax.jvp(jax.grad(pulled), (zero,), (u,))[1]
        return manifold.riemannian_gradient(x, covector)

    return product
