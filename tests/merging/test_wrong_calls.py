"""Calls that a newcomer gets wrong: the message says what was given, what is expected and what to write."""

import jax
import jax.numpy as jnp
import pytest

from geojax import merging

KEY = jax.random.key(0)
A = {"b": jnp.zeros(2), "w": jnp.ones((2, 3))}
B = jax.tree.map(lambda x: x + 1, A)
OTHER = {"b": jnp.zeros(2), "v": jnp.ones((2, 3))}
STACK = jax.tree.map(lambda x, y: jnp.stack([x, y]), A, B)


def loss(params):
    return jnp.sum(params["w"])


def logits(params, x):
    return x @ params["w"]


WRONG = {
    "one model for a stack": (
        lambda: merging.average({"b": jnp.zeros(4), "w": jnp.ones((2, 3))}),
        ValueError,
        r"average: the leaves of stack have no common leading axis of length >= 1 \('b' \[4\], 'w' \[2, 3\]\).*"
        r"Put a single model into a list",
    ),
    "no model": (
        lambda: merging.average([]),
        ValueError,
        r"average: the leaves of stack have no common leading axis .*no numbers",
    ),
    "a list of different models": (
        lambda: merging.task_arithmetic(A, [A, OTHER]),
        ValueError,
        r"task_arithmetic: model 1 of stack lacks 'w' and has 'v' besides; expected the leaves of model 0",
    ),
    "a list of models of another size": (
        lambda: merging.ties(A, [A, {"b": jnp.zeros(3), "w": jnp.ones((2, 3))}], density=0.5),
        ValueError,
        r"ties: leaf 'b' of model 1 of stack has shape \[3\]; expected \[2\]",
    ),
    "a base of another model": (
        lambda: merging.dare(OTHER, STACK, density=0.5, key=KEY),
        ValueError,
        r"dare: a model of stack lacks 'v' and has 'w' besides; expected the leaves of base",
    ),
    "two different models": (
        lambda: merging.interpolate(A, OTHER, 0.5),
        ValueError,
        r"interpolate: params_b lacks 'w' and has 'v' besides; expected the leaves of params_a",
    ),
    "a list for t": (
        lambda: merging.interpolate(A, B, jnp.array([0.5])),
        ValueError,
        r"interpolate: t has shape \[1\], rank 1; expected \[\], rank 0",
    ),
    "weights as a dict": (
        lambda: merging.average(STACK, {"a": 1.0, "b": 2.0}),
        TypeError,
        r"average: weights is a dict; expected an array of real numbers",
    ),
    "a number for the weights": (
        lambda: merging.task_arithmetic(A, STACK, 0.5),
        ValueError,
        r"task_arithmetic: weights has shape \[\], rank 0; expected \[2\], rank 1",
    ),
    "as many weights as leaves": (
        lambda: merging.karcher([A, B, B], jnp.ones(2)),
        ValueError,
        r"karcher: weights has shape \[2\]; expected \[3\]",
    ),
    "models swapped with the loss": (
        lambda: merging.barrier(A, B, loss),
        TypeError,
        r"barrier: loss is a dict; expected a function of parameters\. Call barrier\(loss, params_a, params_b\)",
    ),
    "models swapped with the loss, in a plane": (
        lambda: merging.plane(A, B, A, loss),
        TypeError,
        r"plane: loss is a dict; expected a function",
    ),
    "a loss of every example": (
        lambda: merging.barrier(lambda p: p["b"], A, B),
        ValueError,
        r"barrier: loss\(params\) has shape \[2\]; expected a scalar\. Take the mean",
    ),
    "stack swapped with the loss": (
        lambda: merging.learn_aggregation(STACK, loss),
        TypeError,
        r"learn_aggregation: loss is a dict; expected a function of parameters",
    ),
    "stack swapped with the score": (
        lambda: merging.diverse_select(STACK, loss),
        TypeError,
        r"diverse_select: score is a dict; expected a function of parameters",
    ),
    "one loss for several": (
        lambda: merging.pareto_loss(loss, STACK, key=KEY),
        TypeError,
        r"pareto_loss: losses is the function loss; expected a list of functions",
    ),
    "one model for Model Stock": (
        lambda: merging.model_stock(A, [B]),
        ValueError,
        r"model_stock: stack holds one model; expected two or more",
    ),
    "an old key": (
        lambda: merging.dare(A, STACK, density=0.5, key=jax.random.PRNGKey(0)),
        TypeError,
        r"dare: key is uint32\[2\]; expected a typed random key\. Make one with jax\.random\.key\(0\)",
    ),
    "a number for a key": (
        lambda: merging.concrete_mask(A, key=0, temperature=0.5),
        TypeError,
        r"concrete_mask: key is 0; expected a typed random key",
    ),
    "a spec for the alignment": (
        lambda: merging.slerp(A, B, 0.5, align="weights"),
        TypeError,
        r"slerp: align is 'weights'; expected None or how to align\. Pass geojax\.merging\.WeightMatching",
    ),
    "a head that is a name": (
        lambda: merging.balanced_average(logits, A, B, 0.5, jnp.ones((1, 2)), head="w"),
        TypeError,
        r"balanced_average: head is 'w'; expected a function of a leaf's name",
    ),
    "more directions than models": (
        lambda: merging.weight_subspace(STACK, num=3),
        ValueError,
        r"weight_subspace: num is 3; expected at most 2",
    ),
    "a directory of examples for the Fisher information": (
        lambda: merging.diagonal_fisher(loss, A),
        ValueError,
        r"diagonal_fisher: examples is empty",
    ),
    "a number in a stack": (
        lambda: merging.average({"lr": jnp.asarray(0.1), "w": jnp.ones((2, 3))}),
        ValueError,
        r"no common leading axis of length >= 1 \('lr' \[\], 'w' \[2, 3\]\)",
    ),
    "a function where the other model has an array": (
        lambda: merging.interpolate(A | {"b": jnp.tanh}, B, 0.5),
        ValueError,
        r"interpolate: params_b has 'b' besides; expected the leaves of params_a",
    ),
    "iterates with a name": (
        lambda: merging.collect_weights(lambda p, k: p, A | {"name": "mlp"}, key=KEY, num=2),
        TypeError,
        r"collect_weights: leaf 'name' of params is 'mlp'; expected arrays of numbers",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_to_write(name):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message) as caught:
        call()
    assert len(str(caught.value)) < 500  # no array is printed


# Leaves that are no arrays -------------------------------------------------------------------------------------------

OTHERS = {"act": jnp.tanh, "name": "mlp", "none": None, "seed": jax.random.key(3), "steps": jnp.array(4)}
EXTRA = OTHERS | {"seed": jax.random.split(jax.random.key(3), 2), "steps": jnp.array([4, 9])}
LOGITS = jax.tree.map(jnp.zeros_like, A)
ZEROS = {name: jnp.zeros(()) for name in ("act", "name", "seed", "steps")} | {"none": None}

PAIRS = {
    "interpolate": lambda a, b: merging.interpolate(a, b, 0.5),
    "slerp": lambda a, b: merging.slerp(a, b, 0.5),
    "balanced_average": lambda a, b: merging.balanced_average(
        logits, a, b, 0.5, jnp.ones((1, 2)), head=lambda name: name == "w"
    ),
    "barrier": lambda a, b: _seen(merging.barrier, a, b),
    "plane": lambda a, b: _seen(merging.plane, a, b, b),
    "weight_signature": merging.weight_signature,
    "diagonal_fisher": lambda a, b: a | _fisher(a),
}
STACKS = {
    "average": merging.average,
    "aggregate": merging.aggregate,
    "learn_aggregation": lambda s: merging.learn_aggregation(_square, s, max_steps=1).params,
    "karcher": lambda s: merging.karcher(s).params,
    "diverse_select": lambda s: merging.diverse_select(_square, s).params,
    "model_stock": lambda s: merging.model_stock(A | OTHERS, s),
    "task_arithmetic": lambda s: merging.task_arithmetic(A | OTHERS, s),
    "ties": lambda s: merging.ties(A | OTHERS, s, density=0.5),
    "dare": lambda s: merging.dare(A | OTHERS, s, density=0.5, key=KEY),
    "patch": lambda s: merging.patch(A | OTHERS, s),
    "fisher_average": lambda s: merging.fisher_average(s, s),
    "regmean": lambda s: merging.regmean(s, jax.tree.map(lambda leaf: None, s)),
    "concrete_merge": lambda s: merging.concrete_merge(A | OTHERS, s, A | ZEROS, key=KEY, temperature=1.0),
    "weight_subspace": lambda s: merging.weight_subspace(s, num=1).mean,
    "sample_subspace": lambda s: merging.sample_subspace(merging.weight_subspace(s, num=1), key=KEY),
    "reversible_merge": lambda s: merging.revert(merging.reversible_merge(s, num=1), 0),
    "concrete_fit": lambda s: (
        merging.concrete_fit(_square, _square, A | OTHERS, s, key=KEY, num_steps=1) and A | OTHERS
    ),
    "pareto_loss": lambda s: merging.pareto_loss([_square] * 2, s, key=KEY) is not None and A | OTHERS,
    "client_coherence": lambda s: merging.client_coherence(A | OTHERS, s) is not None and A | OTHERS,
}


def _square(params):
    assert params["act"] is jnp.tanh
    return jnp.sum(params["w"] ** 2)


def _seen(function, *models):
    """The other leaves of the models that a loss is given along a path."""
    seen = []
    function(lambda params: seen.append(params) or jnp.sum(params["w"]), *models, num=2)
    return seen[-1]


def _fisher(params):
    fisher = merging.diagonal_fisher(lambda p, x: x * jnp.sum(p["w"]), params, jnp.ones(2))
    assert fisher["act"] is None
    return {}


def _carried(got):
    """Needs leaves and shapes only, so that it is called while tracing, where nothing is compiled."""
    assert got["act"] is jnp.tanh
    assert got["name"] == "mlp"
    assert got["none"] is None
    assert got["steps"].shape == ()
    assert got["seed"].shape == ()


@pytest.mark.parametrize("name", PAIRS)
def test_two_models_keep_the_leaves_that_are_not_merged(name):
    jax.eval_shape(lambda: _carried(PAIRS[name](A | OTHERS, B | OTHERS)))


@pytest.mark.parametrize("name", STACKS)
def test_several_models_keep_the_leaves_that_are_not_merged(name):
    jax.eval_shape(lambda: _carried(STACKS[name](STACK | EXTRA)))
    jax.eval_shape(lambda: _carried(STACKS[name]([A | OTHERS, B | OTHERS])))
