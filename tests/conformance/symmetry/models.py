"""Cases of the models with a continuous symmetry; `cases_symmetry` takes them into its list."""

import jax
import jax.numpy as jnp

from geojax import symmetry
from tests.conformance.case import Case, exempt_all

SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")
REASON = (
    "complex numbers, which the harness does not draw; tests/symmetry/layers/test_state_space.py checks them"
)
SKIPPED = (*SMOOTH, "nan_is_honest", "shard_map_equals_vmap", "pmap_equals_vmap")
COMPLEX = dict.fromkeys(SKIPPED, REASON)
CONSTANT = exempt_all("a constant of its size: it takes no array")


def system(key, dtype):
    keys = jax.random.split(key, 4)
    shapes = (3, 3), (3,), (3,), (3, 3)
    a, b, c, t = (jax.random.normal(k, shape, dtype) for k, shape in zip(keys, shapes, strict=True))
    return a - 2 * jnp.eye(3, dtype=dtype), b, c, t + 3 * jnp.eye(3, dtype=dtype)


def rates(key, dtype):
    return -jax.random.uniform(key, (4,), dtype, 0.5, 1.5), jax.random.uniform(key, (), dtype, 0.1, 0.2)


def still(dtype):
    return jnp.zeros(4, dtype), jnp.asarray(0.1, dtype)


def kernel(key, dtype):
    decay, step = rates(key, dtype)
    return decay, jnp.ones(4, dtype), jax.random.normal(key, (4,), dtype), step


def features(key, dtype):
    return jax.random.normal(key, (3, 2, 2), dtype), jax.random.normal(key, (2, 2, 2, 2), dtype)


def weights(key, dtype):
    shapes = {"encode": (3, 2), "tensors": (1, 2, 2, 2, 2), "decode": (2, 2)}
    return {
        n: jax.random.normal(jax.random.fold_in(key, i), s, dtype) for i, (n, s) in enumerate(shapes.items())
    }


def turn(key, dtype):
    return jax.random.normal(key, (2, 2), dtype) + 3 * jnp.eye(2, dtype=dtype)


def nothing(dtype):
    return jax.tree.map(jnp.zeros_like, weights(jax.random.key(0), dtype))


CASES = [
    Case(
        "ssm_change_basis",
        symmetry.layers.ssm_change_basis,
        system,
        differentiable=(0, 1, 2, 3),
        edges={
            "the same basis": lambda dtype: (*system(jax.random.key(0), dtype)[:3], jnp.eye(3, dtype=dtype))
        },
    ),
    Case(
        "ssm_diagonalize",
        symmetry.layers.ssm_diagonalize,
        lambda key, dtype: system(key, dtype)[:3],
        exemptions=COMPLEX,
    ),
    Case("hippo_legs", symmetry.layers.hippo_legs, lambda key, dtype: (), exemptions=CONSTANT),
    Case("s4d_legs", symmetry.layers.s4d_legs, lambda key, dtype: (), exemptions=CONSTANT),
    Case("s4d_inverse", symmetry.layers.s4d_inverse, lambda key, dtype: (), exemptions=CONSTANT),
    Case("s4d_linear", symmetry.layers.s4d_linear, lambda key, dtype: (), exemptions=CONSTANT),
    Case(
        "zero_order_hold",
        symmetry.layers.zero_order_hold,
        rates,
        differentiable=(0, 1),
        edges={"no decay": still},
    ),
    Case("bilinear", symmetry.layers.bilinear, rates, differentiable=(0, 1), edges={"no decay": still}),
    Case(
        "s4d_kernel",
        symmetry.layers.s4d_kernel,
        kernel,
        call=lambda r, b, c, step: symmetry.layers.s4d_kernel(r, b, c, step, length=5),
        differentiable=(0, 1, 2, 3),
        edges={"no decay": lambda dtype: (jnp.zeros(4, dtype), *kernel(jax.random.key(0), dtype)[1:])},
    ),
    Case(
        "quasilinear_block",
        symmetry.layers.quasilinear_block,
        features,
        differentiable=(0, 1),
        edges={
            "no features": lambda dtype: tuple(jnp.zeros_like(x) for x in features(jax.random.key(0), dtype))
        },
    ),
    Case(
        "gauge_act",
        symmetry.layers.gauge_act,
        lambda key, dtype: (weights(key, dtype), turn(key, dtype)),
        differentiable=(0, 1),
        edges={"no weights": lambda dtype: (nothing(dtype), jnp.eye(2, dtype=dtype))},
    ),
    Case(
        "gauge_orbit",
        symmetry.layers.gauge_orbit,
        lambda key, dtype: (
            weights(key, dtype),
            jax.random.normal(key, (2, 2), dtype) / 2,
            jnp.asarray(0.3, dtype),
        ),
        differentiable=(0, 1, 2),
        edges={
            "the start": lambda dtype: (
                weights(jax.random.key(0), dtype),
                jnp.zeros((2, 2), dtype),
                jnp.asarray(0, dtype),
            )
        },
    ),
]
