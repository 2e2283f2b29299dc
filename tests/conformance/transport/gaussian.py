"""Cases of transport between Gaussians and their mixtures."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

D = 3


def covariance(key, dtype):
    factor = jax.random.normal(key, (D, D + 1), dtype)
    return factor @ factor.T


def covariances(key, dtype):
    return tuple(covariance(k, dtype) for k in jax.random.split(key))


def gaussians(key, dtype):
    """m1, s1, m2, s2."""
    s1, s2 = covariances(key, dtype)
    m1, m2 = jax.random.normal(jax.random.fold_in(key, 2), (2, D), dtype)
    return m1, s1, m2, s2


def equal(dtype):
    s1, _ = covariances(jax.random.key(0), dtype)
    return s1, s1


def of_rank_one(dtype):
    v = jnp.arange(1, D + 1, dtype=dtype)
    return jnp.outer(v, v), jnp.eye(D, dtype=dtype)


def mixtures(key, dtype):
    """m1, s1, a, m2, s2, b."""
    k1, k2, k3 = jax.random.split(key, 3)
    s1, s2 = jax.vmap(lambda k: covariance(k, dtype))(jax.random.split(k1, 4)).reshape(2, 2, D, D)
    m1, m2 = jax.random.normal(k2, (2, 2, D), dtype)
    a, b = jax.nn.softmax(jax.random.normal(k3, (2, 2), dtype), axis=1)
    return m1, s1, a, m2, s2, b


CASES = [
    Case(
        "gaussian_mixture_wasserstein",
        transport.gaussian_mixture_wasserstein,
        lambda key, dtype: (*mixtures(key, dtype), jnp.asarray(1.0, dtype)),
        call=lambda *arguments: transport.gaussian_mixture_wasserstein(
            *arguments[:-1], epsilon=arguments[-1], tol=1e-12
        ),
        output=lambda result: result.cost,
        differentiable=(0, 1, 3, 4, 6),
        edges={
            "equal mixtures": lambda dtype: (
                *mixtures(jax.random.key(0), dtype)[:3],
                *mixtures(jax.random.key(0), dtype)[:3],
                jnp.asarray(1.0, dtype),
            )
        },
        tolerance=1e-9,
    ),
    Case(
        "bures_wasserstein",
        transport.bures_wasserstein,
        covariances,
        differentiable=(0, 1),
        edges={
            "equal matrices": equal,
            "repeated eigenvalues": lambda dtype: (jnp.eye(D, dtype=dtype), 2 * jnp.eye(D, dtype=dtype)),
            "rank one": of_rank_one,
            "zero": lambda dtype: (jnp.zeros((D, D), dtype), jnp.zeros((D, D), dtype)),
        },
    ),
    Case(
        "gaussian_wasserstein",
        transport.gaussian_wasserstein,
        gaussians,
        differentiable=(0, 1, 2, 3),
        edges={"equal measures": lambda dtype: 2 * (jnp.ones(D, dtype), equal(dtype)[0])},
    ),
]
