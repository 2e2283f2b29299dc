"""Cases of the merging rules, each on a tree of two leaves and three models."""

import jax
import jax.numpy as jnp

from geojax import merging
from tests.conformance.case import Case

K = 3
LOSSES = [
    lambda p: jnp.sum(p["w"] ** 2) + jnp.sum(p["b"]),
    lambda p: jnp.sum(jnp.cosh(p["w"])) + jnp.sum(p["b"] ** 2),
]


def model(key, dtype):
    k1, k2 = jax.random.split(key)
    return {"b": jax.random.normal(k1, (2,), dtype), "w": jax.random.normal(k2, (2, 2), dtype)}


def stack(key, dtype):
    return jax.vmap(lambda k: model(k, dtype))(jax.random.split(key, K))


def base_and_stack(key, dtype):
    return model(jax.random.fold_in(key, 9), dtype), stack(key, dtype)


def weights(key, dtype):
    return jax.random.uniform(jax.random.fold_in(key, 1), (K,), dtype, 0.5, 1)


def tuned(key, dtype):
    """base, stack, weights."""
    return *base_and_stack(key, dtype), weights(key, dtype)


def all_equal(dtype):
    base = model(jax.random.key(0), dtype)
    return base, jax.tree.map(lambda x: jnp.stack([x] * K), base)


def at_base(dtype):
    return *all_equal(dtype), jnp.ones(K, dtype)


def scalar(value, dtype):
    return jnp.asarray(value, dtype)


def apply(params, x):
    return x @ params["w"] + params["b"]


EQUAL = {"models equal to the base": at_base}

CASES = [
    Case("task_arithmetic", merging.task_arithmetic, tuned, differentiable=(0, 1, 2), edges=EQUAL),
    Case(
        "ties",
        merging.ties,
        tuned,
        call=lambda *a: merging.ties(*a, density=0.5),
        differentiable=(0, 1, 2),
        edges=EQUAL,
    ),
    Case(
        "dare",
        merging.dare,
        lambda key, dtype: (*tuned(key, dtype), key),
        call=lambda b, s, w, key: merging.dare(b, s, w, density=0.75, key=key),
        differentiable=(0, 1, 2),
        edges={"models equal to the base": lambda dtype: (*at_base(dtype), jax.random.key(0))},
    ),
    Case(
        "slerp",
        merging.slerp,
        lambda key, dtype: (model(key, dtype), model(jax.random.fold_in(key, 1), dtype), scalar(0.3, dtype)),
        differentiable=(0, 1, 2),
        edges={"equal models": lambda dtype: (*(all_equal(dtype)[0],) * 2, scalar(0.3, dtype))},
    ),
    Case(
        "karcher",
        merging.karcher,
        lambda key, dtype: (stack(key, dtype), weights(key, dtype)),
        call=lambda s, w: merging.karcher(s, w, tol=1e-13, max_steps=200),
        output=lambda result: result.params,
        differentiable=(0, 1),
        edges={"equal models": lambda dtype: (all_equal(dtype)[1], jnp.ones(K, dtype))},
        tolerance=1e-8,
    ),
    Case(
        "model_stock",
        merging.model_stock,
        base_and_stack,
        differentiable=(0, 1),
        edges={"models equal to the base": all_equal},
    ),
    Case(
        "pairwise_cosine",
        merging.pairwise_cosine,
        base_and_stack,
        exemptions={"non_array_leaves": "the result is a tree of statistics: None where nothing is merged"},
        differentiable=(0, 1),
        edges={"models equal to the base": all_equal},
    ),
    Case(
        "diagonal_fisher",
        merging.diagonal_fisher,
        lambda key, dtype: (model(key, dtype), jax.random.normal(key, (4, 2), dtype)),
        call=lambda p, x: merging.diagonal_fisher(lambda p, x: jnp.sum(jnp.tanh(apply(p, x))), p, x),
        exemptions={"non_array_leaves": "the result is a tree of statistics: None where nothing is merged"},
        differentiable=(0, 1),
        edges={"inputs zero": lambda dtype: (all_equal(dtype)[0], jnp.zeros((4, 2), dtype))},
    ),
    Case(
        "fisher_average",
        merging.fisher_average,
        lambda key, dtype: (
            stack(key, dtype),
            jax.tree.map(jnp.abs, stack(jax.random.fold_in(key, 1), dtype)),
        ),
        differentiable=(0, 1),
        edges={
            "no information": lambda dtype: (
                all_equal(dtype)[1],
                jax.tree.map(jnp.zeros_like, all_equal(dtype)[1]),
            )
        },
    ),
    Case(
        "regmean",
        merging.regmean,
        lambda key, dtype: (
            stack(key, dtype),
            {"b": None, "w": jnp.einsum("kij,klj->kil", *(jax.random.normal(key, (K, 2, 3), dtype),) * 2)},
        ),
        differentiable=(0, 1),
        edges={
            "equal models": lambda dtype: (
                all_equal(dtype)[1],
                {"b": None, "w": jnp.stack([jnp.eye(2, dtype=dtype)] * K)},
            )
        },
    ),
    Case(
        "reversible_merge",
        merging.reversible_merge,
        lambda key, dtype: (stack(key, dtype),),
        call=lambda s: merging.revert(merging.reversible_merge(s, num=2), 0),
        differentiable=(0,),
        edges={"vectors of distinct lengths": lambda dtype: ({"w": jnp.diag(jnp.array([3, 2, 1], dtype))},)},
        tolerance=1e-9,
    ),
    Case(
        "revert",
        merging.revert,
        lambda key, dtype: (stack(key, dtype), jax.random.normal(key, (4, K), dtype), scalar(0, dtype)),
        call=lambda basis, c, e: merging.revert(merging.ReversibleMerge(basis, c, e), 1),
        differentiable=(0, 1),
        nan_arguments=(0,),
        edges={"zero": lambda dtype: (all_equal(dtype)[1], jnp.zeros((4, K), dtype), scalar(0, dtype))},
    ),
    Case(
        "low_rank_gram",
        merging.low_rank_gram,
        lambda key, dtype: (
            jax.random.normal(key, (2, 3, 1), dtype),
            jax.random.normal(key, (2, 1, 4), dtype),
        ),
        call=lambda b, a: merging.low_rank_gram(list(zip(b, a))),
        differentiable=(0, 1),
        edges={"zero": lambda dtype: (jnp.zeros((2, 3, 1), dtype), jnp.zeros((2, 1, 4), dtype))},
    ),
    Case(
        "concrete_mask",
        merging.concrete_mask,
        lambda key, dtype: (model(key, dtype), key, scalar(0.7, dtype)),
        call=lambda logits, key, t: merging.concrete_mask(logits, key=key, temperature=t),
        differentiable=(0, 2),
        edges={
            "large logits": lambda dtype: (
                {"b": jnp.array([90, -90], dtype)},
                jax.random.key(0),
                scalar(0.1, dtype),
            )
        },
    ),
    Case(
        "concrete_merge",
        merging.concrete_merge,
        lambda key, dtype: (*base_and_stack(key, dtype), model(key, dtype), weights(key, dtype), key),
        call=lambda b, s, logits, w, key: merging.concrete_merge(b, s, logits, w, key=key, temperature=0.7),
        differentiable=(0, 1, 2, 3),
        edges={
            "equal": lambda dtype: (
                *all_equal(dtype),
                all_equal(dtype)[0],
                jnp.ones(K, dtype),
                jax.random.key(0),
            )
        },
    ),
    Case(
        "concrete_fit",
        merging.concrete_fit,
        lambda key, dtype: (*tuned(key, dtype), key),
        call=lambda b, s, w, key: merging.concrete_fit(*LOSSES, b, s, w, key=key, num_steps=2),
        output=lambda result: (result.logits, result.losses),
        differentiable=(0, 1, 2),
        edges={"equal": lambda dtype: (*at_base(dtype), jax.random.key(0))},
        tolerance=1e-9,
    ),
]

DATA = {
    "ConcreteFit": "what concrete_fit returns",
    "KarcherResult": "what karcher returns",
    "ReversibleMerge": "what reversible_merge returns",
    "WeightMatching": "what the rules take as align; tests/merging/test_aligned.py",
}
