"""Riemannian optax: its namesakes on flat leaves, the manifold kept, and the transformations of JAX and optax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.manifolds import Euclidean, Power, Product, Sphere
from geojax.optim import riemannian, riemannian_adam, riemannian_sgd

SPHERE = Sphere()


def run(optimiser, params, gradient, steps):
    """The last parameters and state after a number of steps in one program."""

    def step(carry, _):
        params, state = carry
        updates, state = optimiser.update(gradient(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda p: jax.lax.scan(step, (p, optimiser.init(p)), length=steps)[0])(params)


def bowl(params):
    """The gradient of a badly conditioned quartic bowl."""

    def loss(params):
        leaves = jax.tree.leaves(params)
        return sum(jnp.sum(jnp.arange(1, leaf.size + 1) * (leaf.ravel() - 0.3) ** 4) for leaf in leaves)

    return jax.grad(loss)(params)


def flat_params():
    return {"a": jnp.linspace(-1, 1, 3), "b": {"c": jnp.linspace(0, 1, 4).reshape(2, 2), "d": jnp.ones(2)}}


PLACES = {"a": Euclidean(), "b": None}


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (riemannian_sgd(0.01, PLACES), optax.sgd(0.01)),
        (riemannian_sgd(0.01, PLACES, momentum=0.9, nesterov=True), optax.sgd(0.01, 0.9, True)),
        (riemannian_adam(0.02, PLACES), optax.adam(0.02)),
        (riemannian(PLACES, optax.adamw(0.02)), optax.adamw(0.02)),
        (riemannian(PLACES, optax.lion(0.01)), optax.lion(0.01)),
        (riemannian(None, optax.rmsprop(0.01, momentum=0.5)), optax.rmsprop(0.01, momentum=0.5)),
    ],
)
def test_matches_optax_on_euclidean_leaves(ours, theirs):
    got, want = (run(optimiser, flat_params(), bowl, 100)[0] for optimiser in (ours, theirs))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def mixed(key, dtype=jnp.float32):
    k1, k2, k3 = jax.random.split(key, 3)
    return {
        "axis": SPHERE.random_point(k1, (4,), dtype=dtype),
        "kernel": jax.random.normal(k2, (3, 2), dtype),
        "other": SPHERE.random_point(k3, (5,), dtype=dtype),
    }


MIXED = {"axis": SPHERE, "kernel": None, "other": SPHERE}


@pytest.mark.parametrize(
    "optimiser",
    [
        riemannian_sgd(0.1, MIXED, momentum=0.9),
        riemannian_adam(0.05, MIXED),
        riemannian(MIXED, optax.adamw(0.05)),
    ],
)
def test_law_five_hundred_float32_steps_stay_on_the_manifold(optimiser):
    params, state = run(optimiser, mixed(jax.random.key(0)), bowl, 500)
    for name in ("axis", "other"):
        assert params[name].dtype == jnp.float32
        assert abs(float(jnp.linalg.norm(params[name])) - 1) < 1e-5
        moment = optax.tree.get_all_with_path(state, "mu") or optax.tree.get_all_with_path(state, "trace")
        moved = moment[0][1][name]
        assert float(jnp.abs(jnp.vdot(moved, params[name]))) <= 1e-5 * (1e-6 + float(jnp.linalg.norm(moved)))


def test_matches_a_retraction_by_hand():
    """Two steps with momentum: step, carry, step."""
    x, g = jnp.asarray([0.6, 0.8, 0.0]), jnp.asarray([1.0, 2.0, 3.0])
    first = SPHERE.to_tangent(x, g)
    y = SPHERE.retract(x, -0.1 * first)
    second = SPHERE.to_tangent(y, g) + 0.5 * SPHERE.vector_transport(x, -0.1 * first, first)
    want = SPHERE.retract(y, -0.1 * second)
    got, _ = run(riemannian_sgd(0.1, SPHERE, momentum=0.5), x, lambda _: g, 2)
    np.testing.assert_allclose(got, want, atol=1e-14)


def test_law_rotations_carry_the_iterates_of_riemannian_adam_along():
    """Adam with one second moment a point commutes with isometries; with elementwise ones it does not."""
    x, g = SPHERE.random_point(jax.random.key(0), (4,)), jnp.asarray([3.0, -1.0, 0.2, 0.5])
    turn = jnp.linalg.qr(jax.random.normal(jax.random.key(1), (4, 4)))[0]

    def apart(optimiser):
        plain, _ = run(optimiser, x, lambda p: g + 0.3 * jnp.sin(jnp.vdot(g, p)) * g, 20)
        turned, _ = run(
            optimiser, turn @ x, lambda p: turn @ (g + 0.3 * jnp.sin(jnp.vdot(g, turn.T @ p)) * g), 20
        )
        return float(jnp.max(jnp.abs(turned - turn @ plain)))

    assert apart(riemannian_adam(0.02, SPHERE)) < 1e-12
    assert apart(riemannian(SPHERE, optax.adam(0.02))) > 1e-3


def test_law_powers_and_products_are_their_points_side_by_side():
    """One second moment for each row of a power and each part of a product."""
    params = mixed(jax.random.key(5), jnp.float64)
    rows = jnp.stack([params["axis"], -params["axis"][::-1]])
    together, _ = run(riemannian_adam(0.05, Power(SPHERE)), rows, bowl, 20)
    weights = jnp.arange(1.0, 9.0).reshape(2, 4)
    for row, weight, want in zip(rows, weights, together):
        got, _ = run(riemannian_adam(0.05, SPHERE), row, lambda x, w=weight: 4 * w * (x - 0.3) ** 3, 20)
        np.testing.assert_allclose(got, want, atol=1e-12)
    tree = Product({"axis": SPHERE, "kernel": Euclidean(), "other": SPHERE})
    got, want = (run(riemannian_adam(0.05, places), params, bowl, 20)[0] for places in (tree, MIXED))
    for name in params:
        np.testing.assert_allclose(got[name], want[name], atol=1e-12)


def test_squares_are_not_carried_along():
    """The elementwise second moments of optax's Adam stay squares: never negative."""
    _, state = run(riemannian(MIXED, optax.adam(0.05)), mixed(jax.random.key(2)), bowl, 50)
    for leaf in jax.tree.leaves(state[0].nu):
        assert float(jnp.min(leaf)) >= 0


@pytest.mark.full
def test_trains_a_flax_model_with_unit_columns_under_jit_and_vmap():
    model = nn.Dense(3, use_bias=True)
    x = jax.random.normal(jax.random.key(0), (16, 4))
    y = jnp.tanh(x[:, :3])
    places = {"params": {"kernel": None, "bias": SPHERE}}
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), riemannian_adam(0.05, places))

    def loss(params):
        return jnp.mean((jnp.asarray(model.apply(params, x)) - y) ** 2)

    def train(key):
        params = model.init(key, x)
        params["params"]["bias"] = SPHERE.random_point(key, (3,), dtype=jnp.float32)

        def step(carry, _):
            params, state = carry
            value, gradients = jax.value_and_grad(loss)(params)
            updates, state = optimiser.update(gradients, state, params)
            return (optax.apply_updates(params, updates), state), value

        (params, _), curve = jax.lax.scan(step, (params, optimiser.init(params)), length=60)
        return params, curve

    params, curves = jax.jit(jax.vmap(train))(jax.random.split(jax.random.key(1), 3))
    assert jnp.all(curves[:, -1] < 0.7 * curves[:, 0])
    np.testing.assert_allclose(jnp.linalg.norm(params["params"]["bias"], axis=-1), 1, atol=1e-6)


def test_works_with_schedules_hyperparameters_and_accumulation():
    x, g = jnp.asarray([0.6, 0.8]), jnp.asarray([1.0, 0.0])
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    want, _ = run(riemannian_sgd(schedule, SPHERE), x, lambda _: g, 10)
    injected = optax.inject_hyperparams(riemannian_sgd)(schedule, manifolds=SPHERE)
    got, state = run(injected, x, lambda _: g, 10)
    np.testing.assert_allclose(got, want, atol=1e-12)
    assert "learning_rate" in state.hyperparams
    # Accumulating the same gradient twice is one step of it.
    twice, _ = run(optax.MultiSteps(riemannian_sgd(0.1, SPHERE), 2), x, lambda _: g, 2)
    once, _ = run(riemannian_sgd(0.1, SPHERE), x, lambda _: g, 1)
    np.testing.assert_allclose(twice, once, atol=1e-12)
    masked = riemannian(MIXED, optax.masked(optax.trace(0.9), {"axis": True, "kernel": False, "other": True}))
    params, _ = run(masked, mixed(jax.random.key(0)), bowl, 2)
    np.testing.assert_allclose(jnp.linalg.norm(params["other"]), 1, atol=1e-6)


def test_bad_input_says_what_is_wrong():
    x = jnp.asarray([0.6, 0.8])
    optimiser = riemannian_sgd(0.1, {"a": SPHERE})
    with pytest.raises(ValueError, match="params is None"):
        optimiser.update({"a": x}, optimiser.init({"a": x}))
    with pytest.raises(
        ValueError, match="manifolds has a dict with 'a', where the parameters have a dict with 'b'"
    ):
        optimiser.init({"b": x})
    with pytest.raises(TypeError, match=r"Write Sphere\(\) for an instance"):
        riemannian({"a": Sphere}, optax.sgd(0.1)).init({"a": x})
    with pytest.raises(ValueError, match="Sphere"):
        run(optimiser, {"a": jnp.ones((2, 2))}, lambda p: p, 1)
    moved, _ = run(optimiser, {"a": x}, lambda _: {"a": jnp.asarray([jnp.nan, 0.0])}, 1)
    assert jnp.all(jnp.isnan(moved["a"]))
