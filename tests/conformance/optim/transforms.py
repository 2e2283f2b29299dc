"""How an optax transformation becomes a Case: two updates of one small tree; and the Riemannian ones."""

import jax
import jax.numpy as jnp
import optax

from geojax import optim
from geojax.manifolds import Sphere
from tests.conformance.case import OPTIMISER, Case

SHAPES = {"kernel": (3, 2), "point": (4,)}
PLACES = {"kernel": None, "point": Sphere()}


def transform(name, build, *, shapes=SHAPES, variant="", **kwargs):
    """A Case whose arguments are (params, gradients, number), with build(number) the transformation."""

    def draw(key, dtype):
        keys = jax.random.split(key, len(shapes))
        return {
            leaf: jax.random.normal(k, shape, dtype) for k, (leaf, shape) in zip(keys, sorted(shapes.items()))
        }

    def arguments(key, dtype):
        k1, k2 = jax.random.split(key)
        params = draw(k1, dtype)
        if "point" in params:
            params["point"] = params["point"] / jnp.linalg.norm(params["point"])
        return params, draw(k2, dtype), jnp.asarray(0.1, dtype)

    def call(params, gradients, number):
        optimiser = build(number)
        state = optimiser.init(params)
        for _ in range(2):
            updates, state = optimiser.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
            gradients = jax.tree.map(lambda g, u: g + 0.1 * u, gradients, updates)
        return params

    kwargs.setdefault("differentiable", (1, 2))
    kwargs.setdefault("exemptions", {}).setdefault(
        "gradient_finite_at_edges", "a step has no edge of its domain where it is smooth"
    )
    return Case(name, getattr(optim, name), arguments, call=call, variant=variant, **kwargs)


CASES = [
    transform(name, build, exemptions=dict(OPTIMISER))
    for name, build in {
        "riemannian": lambda rate: optim.riemannian(PLACES, optax.sgd(rate, momentum=0.5)),
        "riemannian_sgd": lambda rate: optim.riemannian_sgd(rate, PLACES, momentum=0.5),
        "riemannian_adam": lambda rate: optim.riemannian_adam(rate, PLACES),
    }.items()
]
