"""Teleportation: the loss stays, the gradient grows, and optimisers take the step from there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import ORTHOGONAL, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.orbits.teleport import teleport, with_teleportation

X = jax.random.normal(jax.random.key(0), (32, 3))
Y = jnp.sin(X[:, :2])
RELU = {"w": (3, 5), "v": (5, 2)}
HEAD = {"w": (3, 1, 2), "v": (1, 2, 2)}


def relu(p, x):
    return jax.nn.relu(x @ p["w"]) @ p["v"]


def linear(p, x):
    """Two maps in a row, of which only the product counts: a general linear group."""
    return jnp.einsum("nd,dhc,hco->no", x, p["w"], p["v"])


MODELS = {"relu: scalings": (relu, RELU), "linear: a linear group": (linear, HEAD)}


def draw(shapes, key):
    keys = jax.random.split(key, len(shapes))
    return {n: jax.random.normal(k, s) for k, (n, s) in zip(keys, shapes.items())}


@functools.cache
def spec_of(name):
    apply, shapes = MODELS[name]
    return infer(apply, draw(shapes, jax.random.key(0)), X, verify=False)


def loss_of(name):
    return lambda params: jnp.mean((MODELS[name][0](params, X) - Y) ** 2)


def squared_norm(tree):
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))


KEYS = jax.random.split(jax.random.key(1), 16)


@pytest.mark.parametrize("name", MODELS)
def test_law_the_loss_stays_and_the_gradient_grows(name):
    spec, loss = spec_of(name), loss_of(name)
    assert spec.dimension > 0

    @jax.jit
    @jax.vmap
    def law(key):
        params = draw(MODELS[name][1], key)
        found = teleport(spec, loss, params)
        before, after = (squared_norm(jax.grad(loss)(p)) for p in (params, found.params))
        moved = act(spec, found.element, params)
        apart = squared_norm(jax.tree.map(jnp.subtract, moved, found.params)) / squared_norm(found.params)
        return loss(found.params) - loss(params), after / before, found.objective - after / 2, apart

    change, ratio, objective, apart = law(KEYS)
    np.testing.assert_allclose(change, 0, atol=1e-9)
    np.testing.assert_allclose(objective, 0, atol=1e-6)
    np.testing.assert_allclose(apart, 0, atol=1e-18)
    assert np.all(ratio > 1.1)


def test_on_a_quadratic_the_largest_gradient_is_parallel_to_newtons_step():
    """In y = sqrt(A) x the level sets of x A x / 2 are spheres, and the gradient by x is sqrt(A) y."""
    group = Group(ORTHOGONAL, 3, axis="axis", connected=True)
    spec = SymmetrySpec((("y", group),), (Leaf("y", (3,), Block((Part(3, 0, "axis", (("y", 1),)),))),))
    root = jnp.diag(jnp.array([1.0, 2.0, 3.0]))
    slope = lambda p: root @ p["y"]
    found = teleport(
        spec,
        lambda p: jnp.sum(p["y"] ** 2) / 2,
        {"y": jnp.array([1.0, 0.5, 0.4])},
        objective=lambda p: jnp.sum(slope(p) ** 2) / 2,
        step_size=0.3,
        tol=1e-4,
        max_steps=300,
    )
    assert found.status == Status.CONVERGED
    newton = jnp.linalg.solve(root, found.params["y"])
    cosine = slope(found.params) @ newton / jnp.linalg.norm(slope(found.params)) / jnp.linalg.norm(newton)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)
    np.testing.assert_allclose(jnp.sum(found.params["y"] ** 2), 1.41, rtol=1e-9)


def test_flat_and_sharp_places_are_reached_as_asked():
    """A product u v: its Hessian at u v = 1 has trace u^2 + v^2, least at u = v."""
    product = lambda p, x: jax.nn.relu(x @ p["u"]) @ p["v"]
    params = {"u": jnp.full((1, 1), 4.0), "v": jnp.full((1, 1), 0.25)}
    spec = infer(product, params, jnp.ones((2, 1)), verify=False)
    loss = lambda p: jnp.sum((product(p, jnp.ones((1, 1))) - 1) ** 2) / 2
    trace = lambda p: jnp.sum(p["u"] ** 2) + jnp.sum(p["v"] ** 2)
    flat = teleport(spec, loss, params, objective=lambda p: -trace(p), max_steps=100)
    sharp = teleport(spec, loss, params, objective=trace, max_steps=10)
    np.testing.assert_allclose(trace(flat.params), 2, rtol=1e-3)
    assert trace(sharp.params) > 1.5 * trace(params)
    for found in (flat, sharp):
        np.testing.assert_allclose(loss(found.params), loss(params), atol=1e-9)


@pytest.mark.parametrize("inner", [optax.sgd(1e-2), optax.adam(1e-2)], ids=["sgd", "adam"])
def test_an_optimiser_gains_by_teleporting(inner):
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")
    params = draw(RELU, jax.random.key(3))

    def run(optimizer, **extra):
        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params, **extra)
            return (optax.apply_updates(params, updates), state), None

        return jax.jit(lambda p: jax.lax.scan(step, (p, optimizer.init(p)), length=20)[0][0])(params)

    plain = run(inner)
    jumping = run(with_teleportation(spec, inner, every=10), value_fn=loss)
    assert loss(jumping) < loss(plain) < loss(params)


def test_between_teleports_it_is_the_optimiser_inside():
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")
    params = draw(RELU, jax.random.key(4))
    inner = optax.sgd(1e-2)
    optimizer = with_teleportation(spec, inner, every=5)
    slope = jax.grad(loss)(params)
    state = optimizer.init(params)._replace(count=jnp.int32(3))
    updates, state = optimizer.update(slope, state, params, value_fn=loss)
    expected, _ = inner.update(slope, inner.init(params), params)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-15), updates, expected)
    assert state.count == 4


def test_nan_is_reported_and_errors_name_the_argument():
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")
    params = draw(RELU, jax.random.key(5))
    broken = {**params, "w": params["w"].at[0, 0].set(jnp.nan)}
    assert teleport(spec, loss, broken).status == Status.NONFINITE
    with pytest.raises(ValueError, match="params does not fit the spec"):
        teleport(spec, loss, {"w": params["w"]})
    with pytest.raises(ValueError, match="with_teleportation: every"):
        with_teleportation(spec, optax.sgd(0.1), every=0)
    optimizer = with_teleportation(spec, optax.sgd(0.1), every=1)
    with pytest.raises(ValueError, match="params is None"):
        optimizer.update(params, optimizer.init(params), value_fn=loss)
