"""Cases of means, medians and what is fitted to points of a manifold."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Euclidean, Sphere
from tests.conformance.case import Case

N = 4
SPHERE = Sphere()


def around(key, dtype, size=N):
    """Points [size, 3] of the sphere within a right angle of each other, and positive weights."""
    k1, k2 = jax.random.split(key)
    points = jnp.asarray([1.0, 1.0, 1.0], dtype) + 0.5 * jax.random.normal(k1, (size, 3), dtype)
    weights = jax.random.uniform(k2, (size,), dtype, minval=0.5)
    return jax.vmap(SPHERE.project)(points), weights


def along_the_sphere(key, points):
    return jax.vmap(SPHERE.random_tangent)(jax.random.split(key, len(points)), points)


def weighted_directions(key, item):
    points, weights = item
    return along_the_sphere(key, points), 0.1 * jnp.ones_like(weights)


def together(dtype):
    points, weights = around(jax.random.key(0), dtype)
    return jnp.broadcast_to(points[0], points.shape), weights


def pair(key, dtype):
    """Two points and a tangent vector at the first."""
    k1, k2, k3 = jax.random.split(key, 3)
    x = SPHERE.random_point(k1, (3,), dtype=dtype)
    u, v = SPHERE.random_tangent(k2, x), SPHERE.random_tangent(k3, x)
    return x, SPHERE.exp(x, u / SPHERE.norm(x, u)), v


def pair_directions(key, item):
    x, y, u = item
    k1, k2, k3 = jax.random.split(key, 3)
    return SPHERE.random_tangent(k1, x), SPHERE.random_tangent(k2, y), jax.random.normal(k3, u.shape)


def equal_pair(dtype):
    x, _, u = pair(jax.random.key(0), dtype)
    return x, x, u


def nowhere(dtype):
    x, _, u = pair(jax.random.key(0), dtype)
    return x, 0 * u


def timed(key, dtype):
    """Points at times, and another time."""
    points, _ = around(key, dtype)
    return points, jnp.arange(N, dtype=dtype), jnp.asarray(1.3, dtype)


def bending(x, scale=1.0):
    return scale * jnp.sin(2 * x[0]) * x[1] + x[2] ** 3


def based(key, dtype):
    """A base point, points around it, and weights."""
    points, weights = around(key, dtype, 6)
    return SPHERE.project(points[0] + jnp.asarray([0.3, 0.0, 0.1], dtype)), points, weights


def based_directions(key, item):
    x, points, weights = item
    return SPHERE.random_tangent(key, x), along_the_sphere(key, points), 0.1 * jnp.ones_like(weights)


def lines(key, dtype):
    """Times, points of the plane, weights."""
    k1, k2 = jax.random.split(key)
    times = jnp.arange(N, dtype=dtype)
    return times, jax.random.normal(k1, (N, 2), dtype), jax.random.uniform(k2, (N,), dtype, minval=0.5)


def on_one_point(dtype):
    times, points, weights = lines(jax.random.key(0), dtype)
    return times, jnp.ones_like(points), weights


CASES = [
    Case(
        "geodesic_regression",
        manifolds.geodesic_regression,
        lines,
        call=lambda times, points, weights: manifolds.geodesic_regression(
            Euclidean(), times, points, weights, tol=1e-11
        ),
        differentiable=(0, 1, 2),
        output=lambda result: (result.point, result.velocity),
        directions=lambda key, item: (
            0.1 * jnp.sin(item[0]),
            jax.random.normal(key, item[1].shape),
            0.1 * jnp.ones_like(item[2]),
        ),
        edges={"all points equal": on_one_point},
        tolerance=1e-9,
    ),
    Case(
        "frechet_mean",
        manifolds.frechet_mean,
        around,
        call=lambda points, weights: manifolds.frechet_mean(SPHERE, points, weights, tol=1e-12),
        differentiable=(0, 1),
        output=lambda result: result.point,
        directions=weighted_directions,
        edges={"all points equal": together},
        tolerance=1e-10,
    ),
    Case(
        "frechet_median",
        manifolds.frechet_median,
        lambda key, dtype: around(key, dtype, 5),
        call=lambda points, weights: manifolds.frechet_median(SPHERE, points, weights, tol=1e-11),
        differentiable=(0, 1),
        output=lambda result: result.point,
        directions=weighted_directions,
        edges={"all points equal": together},
        tolerance=1e-9,
    ),
    Case(
        "riemannian_grad",
        manifolds.riemannian_grad,
        lambda key, dtype: pair(key, dtype)[:1],
        call=lambda x: manifolds.riemannian_grad(bending, SPHERE)(x),
        differentiable=(0,),
        edges={"a pole": lambda dtype: (jnp.asarray([0, 0, 1], dtype),)},
    ),
    Case(
        "riemannian_hvp",
        manifolds.riemannian_hvp,
        lambda key, dtype: pair(key, dtype)[::2],
        call=lambda x, u: manifolds.riemannian_hvp(bending, SPHERE)(x, u),
        differentiable=(0, 1),
        edges={"u = 0": nowhere},
    ),
    Case(
        "bezier_curve",
        manifolds.curves.bezier_curve,
        lambda key, dtype: timed(key, dtype)[::2],
        call=lambda points, t: manifolds.curves.bezier_curve(SPHERE, points, t / 4),
        differentiable=(0, 1),
        directions=lambda key, item: (along_the_sphere(key, item[0]), jnp.ones_like(item[1])),
        edges={"all points equal": lambda dtype: (together(dtype)[0], jnp.zeros((), dtype))},
        tolerance=1e-10,
    ),
    *(
        Case(
            ladder.__name__,
            ladder,
            pair,
            call=lambda x, y, u, ladder=ladder: ladder(SPHERE, x, y, u, num_rungs=2),
            differentiable=(0, 1, 2),
            directions=pair_directions,
            edges={"x = y": equal_pair},
            tolerance=1e-10,
        )
        for ladder in (manifolds.pole_ladder, manifolds.schild_ladder)
    ),
    Case(
        "tangent_pca",
        manifolds.tangent_pca,
        based,
        call=lambda x, points, weights: manifolds.tangent_pca(SPHERE, x, points, weights),
        differentiable=(0, 1, 2),
        directions=based_directions,
        edges={"a right angle": lambda dtype: based(jax.random.key(3), dtype)},
        tolerance=1e-8,
    ),
]

DATA = {
    "MeanResult": "what frechet_mean and frechet_median return",
    "RegressionResult": "what geodesic_regression returns",
    "TangentPCA": "what tangent_pca returns",
}
