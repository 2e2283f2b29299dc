"""Several models are one stack, or a list or tuple of models that is stacked at the door."""

import chex
import jax
import jax.numpy as jnp
import pytest

from geojax import merging
from geojax.merging.leaves import as_stack

K = 3
KEY = jax.random.key(0)


def model(key):
    k1, k2 = jax.random.split(key)
    return {"b": jax.random.normal(k1, (2,)), "w": jax.random.normal(k2, (2, 3))}


BASE, *MODELS = (model(key) for key in jax.random.split(KEY, K + 1))
STACK = jax.tree.map(lambda *leaves: jnp.stack(leaves), *MODELS)
LOGITS = jax.tree.map(jnp.zeros_like, BASE)
GRAMS = [{"b": None, "w": 2.0 * jnp.eye(2)} for _ in range(K)]


def loss(params):
    return jnp.sum(params["b"] ** 2) + jnp.sum(params["w"] ** 2)


RULES = {
    "average": merging.average,
    "aggregate": merging.aggregate,
    "learn_aggregation": lambda s: merging.learn_aggregation(loss, s, max_steps=2).params,
    "client_coherence": lambda s: merging.client_coherence(BASE, s),
    "karcher": lambda s: merging.karcher(s).params,
    "model_stock": lambda s: merging.model_stock(BASE, s),
    "pairwise_cosine": lambda s: merging.pairwise_cosine(BASE, s),
    "task_arithmetic": lambda s: merging.task_arithmetic(BASE, s),
    "ties": lambda s: merging.ties(BASE, s, density=0.5),
    "dare": lambda s: merging.dare(BASE, s, density=0.5, key=KEY),
    "patch": lambda s: merging.patch(BASE, s),
    "weight_signature": lambda s: merging.weight_signature(BASE, LOGITS, s),
    "fisher_average": lambda s: merging.fisher_average(s, s),
    "regmean": lambda s: merging.regmean(s, GRAMS),
    "concrete_merge": lambda s: merging.concrete_merge(BASE, s, LOGITS, key=KEY, temperature=1.0),
    "concrete_fit": lambda s: merging.concrete_fit(loss, loss, BASE, s, key=KEY, num_steps=1).logits,
    "diverse_select": lambda s: merging.diverse_select(loss, s).params,
    "pareto_loss": lambda s: merging.pareto_loss([loss] * K, s, key=KEY),
    "pareto_front": lambda s: merging.pareto_front([loss], s, jnp.eye(K)),
    "reversible_merge": lambda s: merging.reversible_merge(s, num=2),
    "weight_subspace": lambda s: merging.weight_subspace(s, num=2),
}


DEAR = ("karcher",)  # compiled three times in one program


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in DEAR else ()) for name in RULES]
)
def test_a_list_and_a_tuple_of_models_are_the_stack_of_them(name):
    rule = RULES[name]
    want, *got = jax.jit(lambda stack, models: (rule(stack), rule(models), rule(tuple(models))))(
        STACK, MODELS
    )
    for one in got:
        chex.assert_trees_all_equal(one, want)


def test_every_rule_that_takes_a_stack_is_in_the_table():
    import inspect

    takes = {
        name
        for name in merging.__all__
        if inspect.isfunction(function := getattr(merging, name))
        and "stack" in inspect.signature(function).parameters
    }
    assert takes == set(RULES) - {"weight_signature"}


def test_a_list_that_is_the_container_of_a_model_is_told_from_a_list_of_models():
    layers = [jnp.ones((K, 2, 3)), jnp.ones((K, 3))]
    assert as_stack("f", layers) is layers
    square = [jnp.ones((K, 2, 2)), jnp.zeros((K, 2, 2))]
    # Two layers of one shape: only a base, or the paths of a spec, tell them from two models.
    assert as_stack("f", square, like=[jnp.ones((2, 2))] * 2) is square
    assert as_stack("f", square, paths=["0", "1"]) is square
    assert as_stack("f", square).shape == (2, K, 2, 2)
    chex.assert_shape(merging.task_arithmetic([jnp.ones((2, 2))] * 2, square), [(2, 2)] * 2)


def test_a_list_of_one_model_is_a_stack_of_one():
    chex.assert_trees_all_equal(merging.average([BASE]), BASE)
    chex.assert_trees_all_close(merging.task_arithmetic(BASE, MODELS[:1]), MODELS[0], atol=1e-15)


def test_without_weights_all_models_count_alike():
    ones = jnp.ones(K)
    chex.assert_trees_all_equal(merging.average(STACK), merging.average(STACK, ones))
    chex.assert_trees_all_equal(merging.average(STACK), merging.average(STACK, [1, 1, 1]))
    chex.assert_trees_all_close(merging.aggregate(STACK), merging.average(STACK), atol=1e-15)
    chex.assert_trees_all_equal(
        merging.task_arithmetic(BASE, STACK), merging.task_arithmetic(BASE, STACK, ones)
    )
    chex.assert_trees_all_equal(merging.patch(BASE, STACK), merging.patch(BASE, STACK, ones))
