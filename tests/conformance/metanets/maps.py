"""Cases of networks on weights, and of what they read."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from geojax.metanets import features, fix_gauge, invariant, learned_optimizer, metanet
from geojax.symmetry import declare, infer
from tests.conformance.case import OPTIMISER, Case

SHAPES = {"v": (3, 2), "w": (2, 3)}


ROWS = declare({"w": jnp.ones((3, 2))}, {"w": ("rows", None)})


def relu(params, x):
    return jax.nn.relu(x @ params["w"]) @ params["v"]


def draw(key, dtype):
    keys = jax.random.split(key, len(SHAPES))
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, SHAPES.items())}


def zeros(dtype):
    return {name: jnp.zeros(shape, dtype) for name, shape in SHAPES.items()}


@functools.cache
def spec():
    return infer(relu, draw(jax.random.key(0), jnp.float64), jnp.ones((5, 2)), verify=False)


@functools.cache
def permutations():
    groups = spec().groups
    return spec().without(*(name for name, group in groups.items() if group.kind != "permutation"))


@functools.cache
def network(make):
    """One small network of each sort, and its coefficients in numpy."""
    if make is metanet:
        init, apply = metanet(ROWS, width=2, depth=0)
    else:
        init, apply = invariant(ROWS, size=2, width=2, depth=1)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(init, jax.random.key(0))
    return apply, jax.tree.map(lambda x: rng.normal(size=x.shape), shapes)


def weights(make):
    def arguments(key, dtype):
        _, theta = network(make)
        factor = jax.random.uniform(key, (), dtype, 0.5, 1.0)
        tree = {"w": jax.random.normal(key, (3, 2, 1), dtype)}
        return jax.tree.map(lambda x: factor * jnp.asarray(x, dtype), theta), tree

    return arguments


def case(make):
    zero = lambda dtype: jax.tree.map(jnp.zeros_like, weights(make)(jax.random.key(0), dtype))
    return Case(
        make.__name__,
        make,
        weights(make),
        call=lambda theta, tree: network(make)[0](theta, tree),
        differentiable=(0, 1),
        edges={"zeros": zero},
        params=(),
        tolerance=1e-10,
    )


def step(params, grads, rate):
    """A network of one layer is enough here."""
    apply = lambda theta, tree: {"w": jnp.tanh(tree["w"] @ theta)}
    theta = jnp.linspace(-1, 1, 7, dtype=params["w"].dtype)[:, None]
    optimiser = learned_optimizer(ROWS, apply, theta, learning_rate=rate, decays=(0.9,))
    updates, _ = optimiser.update(grads, optimiser.init(params), params)
    return updates


def run(key, dtype):
    draw = lambda k: {"w": jax.random.normal(k, (3, 2), dtype)}
    return draw(key), draw(jax.random.fold_in(key, 1)), jnp.asarray(0.1, dtype)


CASES = [
    Case(
        "learned_optimizer",
        learned_optimizer,
        run,
        call=step,
        differentiable=(0, 1, 2),
        edges={"no gradient": lambda dtype: jax.tree.map(jnp.zeros_like, run(jax.random.key(0), dtype))},
        exemptions={
            **OPTIMISER,
            "non_array_leaves": "the network has a channel for every leaf that it reads",
        },
        tolerance=1e-10,
    ),
    case(metanet),
    case(invariant),
    Case(
        "features",
        features,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: features(permutations(), params),
        differentiable=(0,),
        edges={"zero parameters": lambda dtype: (zeros(dtype),)},
    ),
    Case(
        "fix_gauge",
        fix_gauge,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: fix_gauge(spec(), params, tol=1e-5),
        exemptions=dict.fromkeys(
            ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
            "forward mode through a while loop only, as documented",
        ),
    ),
]
