"""Cases of what surrounds merging: federated weights, signatures, subspaces, fronts, diversity."""

import jax
import jax.numpy as jnp

from geojax import merging
from tests.conformance.case import Case
from tests.conformance.merging.family import (
    EQUAL,
    LOSSES,
    K,
    all_equal,
    apply,
    base_and_stack,
    model,
    scalar,
    stack,
    tuned,
    weights,
)

INTEGERS = {
    "gradient_matches_differences": "labels in, counts out: nothing to differentiate",
    "forward_equals_reverse": "labels in, counts out: nothing to differentiate",
    "gradient_finite_at_edges": "labels in, counts out: nothing to differentiate",
    "nan_is_honest": "integers hold no NaN",
}


def labels(key, dtype):
    return tuple(jax.random.randint(k, (7,), 0, 3) for k in jax.random.split(key, 4))


def predictions(key, dtype):
    k1, k2, k3 = jax.random.split(key, 3)
    shapes = (k1, (4, K, 5)), (k2, (4, 5)), (k3, (5,))
    return tuple(jax.random.normal(k, shape, dtype) for k, shape in shapes)


CASES = [
    Case(
        "aggregate",
        merging.aggregate,
        lambda key, dtype: (stack(key, dtype), weights(key, dtype), scalar(0.9, dtype)),
        differentiable=(0, 1, 2),
        edges={"no weight": lambda dtype: (all_equal(dtype)[1], jnp.zeros(K, dtype), scalar(0, dtype))},
    ),
    Case(
        "learn_aggregation",
        merging.learn_aggregation,
        lambda key, dtype: (stack(key, dtype),),
        call=lambda s: merging.learn_aggregation(LOSSES[1], s, max_steps=4),
        tolerance=1e-9,
        exemptions={
            "gradient_matches_differences": "the solver is not differentiated in reverse",
            "forward_equals_reverse": "the solver is not differentiated in reverse",
            "gradient_finite_at_edges": "the solver is not differentiated in reverse",
        },
    ),
    Case(
        "client_coherence",
        merging.client_coherence,
        base_and_stack,
        differentiable=(0, 1),
        edges={"models equal to the base": all_equal},
    ),
    Case(
        "weight_signature",
        merging.weight_signature,
        lambda key, dtype: (
            model(key, dtype),
            model(jax.random.fold_in(key, 1), dtype),
            jax.tree.map(lambda x: x[:1], stack(key, dtype)),
        ),
        differentiable=(0, 1),
        edges={
            "equal models": lambda dtype: (
                *(all_equal(dtype)[0],) * 2,
                jax.tree.map(lambda x: x[:1], stack(jax.random.key(0), dtype)),
            )
        },
    ),
    Case("patch", merging.patch, tuned, differentiable=(0, 1, 2), edges=EQUAL),
    Case(
        "quantize_signature",
        merging.quantize_signature,
        lambda key, dtype: (model(key, dtype),),
        call=lambda s: merging.quantize_signature(s, num_bits=3),
        surrogate=lambda s: s,  # straight through
        differentiable=(0,),
        edges={"zero": lambda dtype: (jax.tree.map(jnp.zeros_like, model(jax.random.key(0), dtype)),)},
    ),
    Case(
        "layer_energy",
        merging.layer_energy,
        lambda key, dtype: (model(key, dtype),),
        exemptions={"non_array_leaves": "the result is a tree of statistics: None where nothing is merged"},
        differentiable=(0,),
        edges={"one leaf zero": lambda dtype: ({"b": jnp.zeros(2, dtype), "w": jnp.ones(2, dtype)},)},
    ),
    Case(
        "collect_weights",
        merging.collect_weights,
        lambda key, dtype: (model(key, dtype), key),
        call=lambda p, key: merging.collect_weights(
            lambda p, k: jax.tree.map(jnp.tanh, p), p, key=key, num=2, every=2
        ),
        differentiable=(0,),
        edges={
            "zero": lambda dtype: (
                jax.tree.map(jnp.zeros_like, model(jax.random.key(0), dtype)),
                jax.random.key(0),
            )
        },
    ),
    Case(
        "weight_subspace",
        merging.weight_subspace,
        lambda key, dtype: (stack(key, dtype),),
        call=lambda s: merging.weight_subspace(s, num=1),
        output=lambda space: (space.mean, space.variances),
        differentiable=(0,),
        edges={"on a line": lambda dtype: ({"w": jnp.array([[0, 0], [1, 0], [3, 0]], dtype)},)},
        tolerance=1e-9,
    ),
    Case(
        "sample_subspace",
        merging.sample_subspace,
        lambda key, dtype: (key, model(key, dtype), stack(key, dtype), weights(key, dtype)),
        call=lambda key, *space: merging.sample_subspace(merging.WeightSubspace(*space), key=key),
        differentiable=(1, 2, 3),
        edges={"some variance": lambda dtype: (jax.random.key(0), *all_equal(dtype), jnp.ones(K, dtype))},
    ),
    Case(
        "pareto_loss",
        merging.pareto_loss,
        lambda key, dtype: (jax.tree.map(lambda x: x[:2], stack(key, dtype)), key),
        call=lambda s, key: merging.pareto_loss(LOSSES, s, key=key),
        differentiable=(0,),
        edges={
            "equal models": lambda dtype: (
                jax.tree.map(lambda x: x[:2], all_equal(dtype)[1]),
                jax.random.key(0),
            )
        },
    ),
    Case(
        "pareto_front",
        merging.pareto_front,
        lambda key, dtype: (stack(key, dtype), jax.random.uniform(key, (2, K), dtype)),
        call=lambda s, w: merging.pareto_front(LOSSES, s, w),
        differentiable=(0, 1),
        edges={"a corner": lambda dtype: (all_equal(dtype)[1], jnp.eye(K, dtype=dtype))},
    ),
    Case(
        "non_dominated",
        merging.non_dominated,
        lambda key, dtype: (jax.random.normal(key, (5, 2), dtype),),
        exemptions=INTEGERS
        | {"nan_is_honest": "the answer is boolean: a row with NaN is dominated, and test_pareto tests it"},
    ),
    Case(
        "hypervolume",
        merging.hypervolume,
        lambda key, dtype: (jax.random.uniform(key, (4, 3), dtype), jnp.full(3, 1.1, dtype)),
        differentiable=(0, 1),
        edges={"equal points": lambda dtype: (jnp.zeros((4, 3), dtype), jnp.ones(3, dtype))},
    ),
    Case(
        "diverse_select",
        merging.diverse_select,
        lambda key, dtype: (stack(key, dtype),),
        call=lambda s: merging.diverse_select(lambda p: -jnp.sum(p["w"] ** 2), s),
        output=lambda result: (result.params, result.score),
        differentiable=(0,),
        edges={"equal models": lambda dtype: (all_equal(dtype)[1],)},
        exemptions={"nan_is_honest": "a model that is NaN is not chosen, and test_diversity tests it"},
    ),
    Case(
        "error_decomposition",
        merging.error_decomposition,
        predictions,
        differentiable=(0, 1, 2),
        edges={
            "nothing wrong": lambda dtype: tuple(
                jnp.zeros_like(x) for x in predictions(jax.random.key(0), dtype)
            )
        },
    ),
    Case(
        "functional_diversity",
        merging.functional_diversity,
        lambda key, dtype: labels(key, dtype)[:3],
        exemptions=INTEGERS | {"dtypes_kept": "a ratio of counts has the default precision"},
    ),
    Case("error_correction_table", merging.error_correction_table, labels, exemptions=INTEGERS),
    Case(
        "balanced_average",
        merging.balanced_average,
        lambda key, dtype: (
            model(key, dtype),
            model(jax.random.fold_in(key, 1), dtype),
            scalar(0.3, dtype),
            jax.random.normal(key, (4, 2), dtype),
        ),
        call=lambda a, b, t, x: merging.balanced_average(apply, a, b, t, x, head=lambda name: True),
        differentiable=(0, 1, 2, 3),
        edges={
            "equal models": lambda dtype: (
                *(all_equal(dtype)[0],) * 2,
                scalar(0.3, dtype),
                jnp.ones((4, 2), dtype),
            )
        },
    ),
]

DATA = {
    "AggregationResult": "what learn_aggregation returns",
    "ErrorDecomposition": "what error_decomposition returns",
    "DiverseSelectionResult": "what diverse_select returns",
    "WeightSubspace": "what weight_subspace returns",
}
