"""Cases of functional maps."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from tests.conformance.case import Case

INTEGER = "the result is made of integers"
K = 3


def spectra(key, dtype):
    k1, k2, k3 = jax.random.split(key, 3)
    evals = jnp.arange(K, dtype=dtype) / K
    coef_a, coef_b = (jax.random.normal(k, (K, 5), dtype) for k in (k1, k2))
    return evals, evals + 0.1 * jax.random.uniform(k3, (K,), dtype), coef_a, coef_b, jnp.asarray(0.5, dtype)


def equal_spectra(dtype):
    evals, _, *others = spectra(jax.random.key(0), dtype)
    return evals, evals, *others


def bases(key, dtype):
    k1, k2, k3 = jax.random.split(key, 3)
    return (
        jax.random.normal(k3, (K, K), dtype),
        jnp.linalg.qr(jax.random.normal(k1, (6, K), dtype))[0],
        jnp.linalg.qr(jax.random.normal(k2, (6, K), dtype))[0],
    )


def growing(key, dtype):
    small, phi_a, phi_b = bases(key, dtype)
    return small[:2, :2], phi_a, phi_b, jnp.ones(6, dtype)


def score(z, t):
    return -z / (1 + t * t)


CASES = [
    Case(
        "functional_map",
        manifolds.meshes.functional_map,
        spectra,
        call=lambda ea, eb, a, b, alpha: manifolds.meshes.functional_map(ea, eb, a, b, alpha=alpha),
        differentiable=(0, 1, 2, 3, 4),
        edges={"equal spectra": equal_spectra},
        tolerance=1e-10,
    ),
    Case(
        "regularized_functional_map",
        manifolds.meshes.regularized_functional_map,
        lambda key, dtype: spectra(key, dtype)[2:],
        call=lambda a, b, w: manifolds.meshes.regularized_functional_map(
            a, b, lambda c: c, weight=w, tol=1e-9
        ),
        tolerance=1e-7,
        exemptions={
            "gradient_matches_differences": "a while loop has no reverse mode, as documented",
            "forward_equals_reverse": "a while loop has no reverse mode, as documented",
            "gradient_finite_at_edges": "a while loop has no reverse mode, as documented",
        },
    ),
    Case(
        "fmap_to_pointwise",
        manifolds.meshes.fmap_to_pointwise,
        bases,
        exemptions={
            "nan_is_honest": "the result is integers; -1 says NaN, as its own test asserts",
            "gradient_matches_differences": INTEGER,
            "forward_equals_reverse": INTEGER,
            "gradient_finite_at_edges": INTEGER,
        },
    ),
    Case(
        "zoomout",
        manifolds.meshes.zoomout,
        growing,
        differentiable=(1, 2, 3),
        edges={"general": lambda dtype: growing(jax.random.key(0), dtype)},
        tolerance=1e-10,
    ),
    Case(
        "score_distillation_grad",
        manifolds.meshes.score_distillation_grad,
        lambda key, dtype: (jax.random.normal(key, (K, K), dtype), jnp.asarray(0.5, dtype), key),
        call=lambda c, t, key: manifolds.meshes.score_distillation_grad(c, score, t, key=key),
        differentiable=(0, 1),
        edges={"zero": lambda dtype: (jnp.zeros((K, K), dtype), jnp.ones((), dtype), jax.random.key(0))},
    ),
]

DATA = {"FunctionalMapResult": "what regularized_functional_map returns"}
