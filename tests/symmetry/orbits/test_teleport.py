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

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(32, 3))
Y = np.sin(X[:, :2])
RELU = {"w": (3, 5), "v": (5, 2)}
HEAD = {"w": (3, 1, 2), "v": (1, 2, 2)}


def relu(p, x):
    return jax.nn.relu(x @ p["w"]) @ p["v"]


def linear(p, x):
    """Two maps in a row, of which only the product counts: a general linear group."""
    return jnp.einsum("nd,dhc,hco->no", x, p["w"], p["v"])


MODELS = {"relu: scalings": (relu, RELU), "linear: a linear group": (linear, HEAD)}


def draw(shapes, *batch):
    return {n: RANDOM.normal(size=(*batch, *s)) for n, s in shapes.items()}


@functools.cache
def spec_of(name):
    apply, shapes = MODELS[name]
    return infer(
        apply, jax.tree.map(np.ones, shapes, is_leaf=lambda x: isinstance(x, tuple)), X, verify=False
    )


def loss_of(name):
    return lambda params: jnp.mean((MODELS[name][0](params, X) - Y) ** 2)


def squared_norm(tree):
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", MODELS)
def test_law_the_loss_stays_and_the_gradient_grows(name):
    spec, loss = spec_of(name), loss_of(name)
    assert spec.dimension > 0

    @jax.jit
    @jax.vmap
    def law(params):
        found = teleport(spec, loss, params)
        before, after = (squared_norm(jax.grad(loss)(p)) for p in (params, found.params))
        moved = act(spec, found.element, params)
        apart = squared_norm(jax.tree.map(jnp.subtract, moved, found.params)) / squared_norm(found.params)
        return loss(found.params) - loss(params), after / before, found.objective - after / 2, apart

    change, ratio, objective, apart = map(np.asarray, law(draw(MODELS[name][1], 16)))
    np.testing.assert_allclose(change, 0, atol=1e-9)
    np.testing.assert_allclose(objective, 0, atol=1e-6)
    np.testing.assert_allclose(apart, 0, atol=1e-18)
    assert np.all(ratio > 1.1)


def test_on_a_quadratic_the_largest_gradient_is_parallel_to_newtons_step():
    """In y = sqrt(A) x the level sets of x A x / 2 are spheres, and the gradient by x is sqrt(A) y."""
    group = Group(ORTHOGONAL, 3, axis="axis", connected=True)
    spec = SymmetrySpec((("y", group),), (Leaf("y", (3,), Block((Part(3, 0, "axis", (("y", 1),)),))),))
    root = np.diag([1.0, 2.0, 3.0])
    jump = functools.partial(
        teleport,
        spec,
        lambda p: jnp.sum(p["y"] ** 2) / 2,
        objective=lambda p: jnp.sum((root @ p["y"]) ** 2) / 2,
        step_size=0.3,
        tol=1e-4,
        max_steps=300,
    )
    found = jax.jit(jump)({"y": np.array([1.0, 0.5, 0.4])})
    assert found.status == Status.CONVERGED
    y = np.asarray(found.params["y"])
    slope, newton = root @ y, np.linalg.solve(root, y)
    cosine = slope @ newton / np.linalg.norm(slope) / np.linalg.norm(newton)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)
    np.testing.assert_allclose(np.sum(y**2), 1.41, rtol=1e-9)


def test_flat_and_sharp_places_are_reached_as_asked():
    """A product u v: its Hessian at u v = 1 has trace u^2 + v^2, least at u = v."""
    product = lambda p, x: jax.nn.relu(x @ p["u"]) @ p["v"]
    params = {"u": np.full((1, 1), 4.0), "v": np.full((1, 1), 0.25)}
    spec = infer(product, params, np.ones((2, 1)), verify=False)
    loss = lambda p: jnp.sum((product(p, np.ones((1, 1))) - 1) ** 2) / 2
    trace = lambda p: jnp.sum(p["u"] ** 2) + jnp.sum(p["v"] ** 2)

    @jax.jit
    def jump(params):
        flat = teleport(spec, loss, params, objective=lambda p: -trace(p), max_steps=100)
        sharp = teleport(spec, loss, params, objective=trace, max_steps=10)
        return [(trace(p), loss(p)) for p in (flat.params, sharp.params, params)]

    (flat, loss_of_flat), (sharp, loss_of_sharp), (trace_before, loss_before) = jump(params)
    np.testing.assert_allclose(flat, 2, rtol=1e-3)
    assert sharp > 1.5 * trace_before
    for found in (loss_of_flat, loss_of_sharp):
        np.testing.assert_allclose(found, loss_before, atol=1e-9)


@pytest.mark.parametrize("inner", [optax.sgd(1e-2), optax.adam(1e-2)], ids=["sgd", "adam"])
def test_an_optimiser_gains_by_teleporting(inner):
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")

    def run(params, optimizer, **extra):
        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params, **extra)
            return (optax.apply_updates(params, updates), state), None

        return loss(jax.lax.scan(step, (params, optimizer.init(params)), length=20)[0][0])

    @jax.jit
    def losses(params):
        jumping = run(params, with_teleportation(spec, inner, every=10), value_fn=loss)
        return jumping, run(params, inner), loss(params)

    jumping, plain, before = losses(draw(RELU))
    assert jumping < plain < before


def test_between_teleports_it_is_the_optimiser_inside():
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")
    inner = optax.sgd(1e-2)
    optimizer = with_teleportation(spec, inner, every=5)

    @jax.jit
    def step(params):
        slope = jax.grad(loss)(params)
        state = optimizer.init(params)._replace(count=jnp.int32(3))
        updates, state = optimizer.update(slope, state, params, value_fn=loss)
        expected, _ = inner.update(slope, inner.init(params), params)
        return updates, state, expected

    updates, state, expected = step(draw(RELU))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-15), updates, expected)
    assert state.count == 4


def test_nan_is_reported_and_errors_name_the_argument():
    spec, loss = spec_of("relu: scalings"), loss_of("relu: scalings")
    params, broken = draw(RELU), draw(RELU)
    broken["w"][0, 0] = np.nan
    assert jax.jit(functools.partial(teleport, spec, loss))(broken).status == Status.NONFINITE
    with pytest.raises(ValueError, match="params does not fit the spec"):
        teleport(spec, loss, {"w": params["w"]})
    with pytest.raises(ValueError, match="with_teleportation: every"):
        with_teleportation(spec, optax.sgd(0.1), every=0)
    optimizer = with_teleportation(spec, optax.sgd(0.1), every=1)
    with pytest.raises(ValueError, match="params is None"):
        optimizer.update(params, optimizer.init(params), value_fn=loss)
