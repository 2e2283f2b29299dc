"""Cases of what is done with aligned or symmetric models; `cases_symmetry` takes them into its list."""

import functools

import jax
import jax.numpy as jnp
import optax

from geojax.symmetry.inference.infer import infer
from geojax.symmetry.layers.experts import interpolated_experts
from geojax.symmetry.orbits.asymmetry import (
    AsymmetricMask,
    apply_asymmetric,
    asymmetric_mask,
    automorphism_count,
)
from geojax.symmetry.orbits.teleport import teleport, with_teleportation
from geojax.symmetry.units.equivalent import feature_complexity, merge_equivalent_units
from geojax.symmetry.units.singular_vectors import singular_alignment
from tests.conformance.case import OPTIMISER, Case, exempt_all

SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")
X = jnp.linspace(-1.0, 1.0, 8).reshape(4, 2)


def relu(params, x):
    return jax.nn.relu(x @ params["w"]) @ params["v"]


def draw(key, dtype):
    shapes = {"v": (3, 2), "w": (2, 3)}
    keys = jax.random.split(key, 2)
    return {name: jax.random.normal(k, s, dtype) for k, (name, s) in zip(keys, shapes.items())}


def zeros(dtype):
    return jax.tree.map(jnp.zeros_like, draw(jax.random.key(0), dtype))


@functools.cache
def spec():
    return infer(relu, draw(jax.random.key(0), jnp.float32), X.astype(jnp.float32), verify=False)


def loss(params):
    return jnp.mean((relu(params, X.astype(params["w"].dtype)) - 1) ** 2)


def one_update(params):
    optimizer = with_teleportation(spec(), optax.sgd(0.1), every=2, max_steps=2)
    return optimizer.update(jax.grad(loss)(params), optimizer.init(params), params, value_fn=loss)[0]


MARKS = jnp.array([[True, False, False], [True, True, False]])
SEARCH = dict.fromkeys(SMOOTH, "documented as not differentiated: it searches with gradients of its own")
COUNT = dict.fromkeys(("nan_is_honest", *SMOOTH), "the answer is an integer without a status")

CASES = [
    Case(
        "merge_equivalent_units",
        merge_equivalent_units,
        lambda key, dtype: (draw(key, dtype), jnp.asarray(0.1, dtype)),
        call=lambda params, threshold: merge_equivalent_units(spec(), params, threshold=threshold),
        differentiable=(0,),
        output=lambda result: result.params,
        edges={"zero parameters": lambda dtype: (zeros(dtype), jnp.asarray(0.1, dtype))},
        nan_arguments=(0,),
    ),
    Case(
        "feature_complexity",
        feature_complexity,
        lambda key, dtype: (draw(key, dtype), jnp.asarray(0.1, dtype)),
        call=lambda params, threshold: feature_complexity(spec(), params, threshold=threshold),
        exemptions=COUNT,
    ),
    Case(
        "teleport",
        teleport,
        lambda key, dtype: (draw(key, dtype), jnp.asarray(0.1, dtype)),
        call=lambda params, step_size: teleport(spec(), loss, params, step_size=step_size, max_steps=2),
        exemptions=SEARCH,
        tolerance=1e-9,
    ),
    Case(
        "with_teleportation",
        with_teleportation,
        lambda key, dtype: (draw(key, dtype),),
        call=one_update,
        exemptions={
            **SEARCH,
            **OPTIMISER,
            "non_array_leaves": "optax transformations map over every leaf: an optimiser's trees hold arrays alone",
        },
        tolerance=1e-9,
    ),
    Case(
        "singular_alignment",
        singular_alignment,
        lambda key, dtype: (
            jax.random.normal(key, (3, 2), dtype),
            jnp.ones((3, 2), dtype) + jnp.eye(3, 2, dtype=dtype),
        ),
        differentiable=(0,),
        edges={"a matrix against itself": lambda dtype: (jnp.eye(3, 2, dtype=dtype),) * 2},
    ),
    Case(
        "asymmetric_mask",
        asymmetric_mask,
        lambda key, dtype: (key, jnp.asarray(0.5, dtype)),
        call=lambda key, scale: asymmetric_mask(spec(), key=key, scale=scale),
        differentiable=(1,),
        output=lambda mask: mask.values,
        edges={"no scale": lambda dtype: (jax.random.key(0), jnp.zeros((), dtype))},
    ),
    Case(
        "apply_asymmetric",
        apply_asymmetric,
        lambda key, dtype: (draw(key, dtype), jax.random.normal(key, (2, 3), dtype)),
        call=lambda params, values: apply_asymmetric(params, AsymmetricMask({"w": MARKS}, {"w": values})),
        differentiable=(0, 1),
        edges={"zero parameters": lambda dtype: (zeros(dtype), jnp.zeros((2, 3), dtype))},
        nan_arguments=(1,),
    ),
    Case(
        "automorphism_count",
        automorphism_count,
        lambda key, dtype: (),
        exemptions=exempt_all("counts on the host; it is not a function of arrays"),
    ),
    Case(
        "interpolated_experts",
        interpolated_experts,
        lambda key, dtype: (
            jax.random.uniform(key, (2,), dtype),
            {"w": jax.random.normal(key, (2, 3), dtype)},
        ),
        differentiable=(0, 1),
        edges={"no gate": lambda dtype: (jnp.zeros(2, dtype), {"w": jnp.ones((2, 3), dtype)})},
    ),
]
