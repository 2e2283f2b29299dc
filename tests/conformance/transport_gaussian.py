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


CASES = [
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
