"""Riemannian gradients and Hessian-vector products: closed forms on the sphere and definite matrices, and geodesics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import SPDAffineInvariant, Sphere, riemannian_grad, riemannian_hvp

SPHERE = Sphere()
MATRIX = jnp.asarray(np.diag([3.0, 1.0, -2.0, 0.5]) + 0.3)


def rayleigh(x, scale=1.0):
    return scale * x @ MATRIX @ x


def test_matches_the_closed_form_on_the_sphere():
    """grad x'Ax = 2 P A x and Hess[u] = 2 P A u - 2 (x'Ax) u, at stationary points and away from them."""
    gradient, product = jax.jit(riemannian_grad(rayleigh, SPHERE)), jax.jit(riemannian_hvp(rayleigh, SPHERE))
    stationary = jnp.linalg.eigh(MATRIX)[1][:, 1]
    for x in (SPHERE.random_point(jax.random.key(0), (4,)), stationary):
        u = SPHERE.random_tangent(jax.random.key(1), x)
        tangential = jnp.eye(4) - jnp.outer(x, x)
        np.testing.assert_allclose(gradient(x), 2 * tangential @ MATRIX @ x, atol=1e-13)
        want = 2 * tangential @ MATRIX @ u - 2 * (x @ MATRIX @ x) * u
        np.testing.assert_allclose(product(x, u), want, atol=1e-12)
        np.testing.assert_allclose(product(x, u, 3.0), 3 * want, atol=1e-11)


def test_matches_the_closed_form_for_definite_matrices():
    """log det has gradient X in the affine-invariant metric, and Hessian zero; tr X has Hessian (XU + UX) / 2."""
    spd = SPDAffineInvariant()
    x = spd.random_point(jax.random.key(0), (3, 3))
    u = spd.random_tangent(jax.random.key(1), x)

    def log_det(x):
        return 2 * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(x))))

    np.testing.assert_allclose(riemannian_grad(log_det, spd)(x), x, atol=1e-11)
    hess = jax.jit(lambda x, u: (riemannian_hvp(log_det, spd)(x, u), riemannian_hvp(jnp.trace, spd)(x, u)))
    flat, trace = hess(x, u)
    np.testing.assert_allclose(flat, 0 * u, atol=1e-10)
    np.testing.assert_allclose(trace, (x @ u + u @ x) / 2, atol=1e-10)


def test_law_hessian_is_symmetric_and_second_derivative_along_geodesics():
    def f(x):
        return jnp.sin(3 * x[0]) * x[1] + x[2] ** 3

    def terms(key):
        k1, k2, k3 = jax.random.split(key, 3)
        x = SPHERE.random_point(k1, (4,))
        u, v = SPHERE.random_tangent(k2, x), SPHERE.random_tangent(k3, x)
        hu, hv = riemannian_hvp(f, SPHERE)(x, u), riemannian_hvp(f, SPHERE)(x, v)

        def along(t):
            return f(SPHERE.exp(x, t * u))

        second = jax.grad(jax.grad(along))(0.0)
        return hu @ v - u @ hv, hu @ u - second, hu @ x

    for term in jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 16)):
        np.testing.assert_allclose(term, 0, atol=1e-11)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="rank 2"):
        riemannian_grad(jnp.sum, SPHERE)(jnp.ones((2, 2)))
    with pytest.raises(ValueError, match="riemannian_hvp: u has shape"):
        riemannian_hvp(jnp.sum, SPHERE)(jnp.ones(2), jnp.ones(3))
