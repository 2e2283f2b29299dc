"""Where the manifolds are: one function of path and leaf for trees of every library, whose nodes the updates keep."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from geojax.manifolds import Sphere, Stiefel
from geojax.optim import riemannian, riemannian_adam, riemannian_sgd

FRAME = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0]


class Module(eqx.Module):
    frame: jax.Array
    bias: jax.Array
    act: object


class Net(nnx.Module):
    def __init__(self):
        self.frame, self.bias = nnx.Param(jnp.asarray(FRAME)), nnx.Param(jnp.zeros(3))


TREES = {
    "dict": {"layer": {"frame": FRAME, "bias": np.zeros(3)}},
    "haiku, with slashes in its keys": {"net/~/linear": {"frame": FRAME, "bias": np.zeros(3)}},
    "linen, boxed": {"params": {"frame": nn.Partitioned(FRAME, ("a", "b")), "bias": np.zeros(3)}},
    "nnx state": nnx.state(Net(), nnx.Param),
    "equinox": eqx.filter(Module(FRAME, np.zeros(3), jax.nn.relu), eqx.is_array),
}


def frames(path, leaf):
    """The one way to say it."""
    return Stiefel() if path.split("/")[-1] == "frame" and leaf.ndim == 2 else None


def frame_of(tree):
    return next(np.asarray(leaf) for leaf in jax.tree.leaves(tree) if jnp.ndim(leaf) == 2)


def off(frame):
    return np.max(np.abs(frame.T @ frame - np.eye(2)))


OPTIMISERS = [
    lambda places: riemannian_sgd(0.1, places, momentum=0.9),
    lambda places: riemannian(places, optax.adam(0.1)),
    lambda places: riemannian_adam(0.1, places),
]


@pytest.mark.full
@pytest.mark.parametrize("make", OPTIMISERS, ids=["sgd", "adam", "riemannian_adam"])
def test_law_the_same_function_gives_the_same_steps_on_trees_of_every_library(make):
    def steps(params):
        loss = lambda p: sum(jnp.sum(x**3 + x) for x in jax.tree.leaves(p))
        optimiser = make(frames)
        state = optimiser.init(params)
        for _ in range(2):
            updates, state = optimiser.update(jax.grad(loss)(params), state, params)
            assert jax.tree.structure(updates) == jax.tree.structure(params)
            params = optax.apply_updates(params, updates)
        return frame_of(params)

    first, *others = map(steps, TREES.values())
    assert off(first) < 1e-12 < np.max(np.abs(first - FRAME))
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-12)


@pytest.mark.parametrize("inner", [optax.sgd(0.1), optax.adam(0.1)], ids=["sgd", "adam"])
def test_updates_of_a_state_whose_prefix_has_a_manifold_at_a_param_have_lost_the_param(inner):
    params = TREES["nnx state"]
    optimiser = riemannian(nnx.State({"frame": Stiefel(), "bias": None}), inner)
    updates, _ = optimiser.update(params, optimiser.init(params), params)
    assert isinstance(updates["frame"], nnx.Param)
    assert off(frame_of(optax.apply_updates(params, updates))) < 1e-12


def test_an_nnx_optimizer_takes_the_function():
    net = Net()
    optimiser = nnx.Optimizer(net, riemannian_adam(0.1, frames), wrt=nnx.Param)
    optimiser.update(net, nnx.grad(lambda net: jnp.sum(net.frame[...] ** 3))(net))
    assert off(np.asarray(net.frame[...])) < 1e-6 and np.max(np.abs(net.frame[...] - FRAME)) > 1e-3


def test_a_function_that_gives_something_else_is_named_with_the_path():
    with pytest.raises(
        TypeError, match="riemannian: manifolds holds 'sphere' at 'layer/bias'; expected manifolds"
    ):
        riemannian(lambda path, leaf: "sphere", optax.sgd(0.1)).init(TREES["dict"])
    with pytest.raises(TypeError, match=r"Write Sphere\(\) for an instance"):
        riemannian(Sphere, optax.sgd(0.1)).init(FRAME)


def test_a_wrong_prefix_is_said_without_its_arrays():
    for wrong in ({"frame": Stiefel()}, nnx.State({"frame": {"x": Stiefel()}, "bias": None})):
        with pytest.raises(ValueError, match="manifolds has a dict with") as caught:
            riemannian(wrong, optax.sgd(0.1)).init(TREES["nnx state"])
        assert len(str(caught.value)) < 300 and "Array(" not in str(caught.value)
