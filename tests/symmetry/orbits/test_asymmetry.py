"""Masks without automorphisms, by looking at every permutation; and experts mixed in weight space."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.merging import barrier
from geojax.symmetry.action.acting import act
from geojax.symmetry.layers.experts import interpolated_experts
from geojax.symmetry.orbits.asymmetry import (
    AsymmetricMask,
    apply_asymmetric,
    asymmetric_mask,
    automorphism_count,
)
from tests.symmetry.inference.handmade import SPECS, attention, draw, grouped, mlp, recurrent


@pytest.mark.parametrize(
    "spec, permutations",
    [
        (mlp([2, 5, 2]), 120),
        pytest.param(mlp([2, 4, 3, 2]), 144, marks=pytest.mark.full),
        pytest.param(grouped(groups=2, inner=2), 32, marks=pytest.mark.full),
        pytest.param(attention(heads=2, width=2, model=3), 6 * 2 * 4 * 4, marks=pytest.mark.full),
        (recurrent(width=4), 24),
    ],
    ids=["one layer", "two layers", "grouped", "attention", "recurrent"],
)
def test_law_a_mask_has_the_identity_alone(spec, permutations):
    mask = asymmetric_mask(spec, key=jax.random.key(0))
    assert automorphism_count(spec, mask) == 1
    assert automorphism_count(spec, AsymmetricMask({}, {})) == permutations


def test_equal_values_leave_a_symmetry():
    """Two units with the same fixed weight in the same place may still change places."""
    spec = mlp([2, 4, 2])
    fixed = {"0/w": jnp.zeros((2, 4), bool).at[0].set(True)}
    values = {"0/w": jnp.zeros((2, 4)).at[0].set(jnp.array([1.0, 2.0, 2.0, 3.0]))}
    assert automorphism_count(spec, AsymmetricMask(fixed, values)) == 2


def test_each_unit_gets_as_many_as_asked():
    spec = mlp([6, 4, 2])
    mask = asymmetric_mask(spec, key=jax.random.key(1), num_fixed=3, scale=2.0)
    np.testing.assert_array_equal(mask.fixed["0/w"].sum(axis=0), 3)
    many = asymmetric_mask(spec, key=jax.random.key(1), num_fixed=100)
    assert jnp.all(many.fixed["0/w"])


def net(params, x):
    return jnp.tanh(x @ params["0"]["w"] + params["0"]["b"]) @ params["1"]["w"] + params["1"]["b"]


def test_moving_units_of_a_masked_network_changes_its_function():
    spec = mlp([6, 4, 2])
    mask = asymmetric_mask(spec, key=jax.random.key(2))
    params = draw(spec, jax.random.key(3))
    x = jax.random.normal(jax.random.key(4), (8, 6))
    apply = lambda p: net(apply_asymmetric(p, mask), x)
    swapped = act(spec, {"h0": jnp.array([1, 0, 2, 3])}, params)
    np.testing.assert_allclose(net(swapped, x), net(params, x), atol=1e-12)
    assert jnp.max(jnp.abs(apply(swapped) - apply(params))) > 1e-2
    slope = jax.grad(lambda p: jnp.sum(apply(p)))(params)
    np.testing.assert_array_equal(slope["0"]["w"][mask.fixed["0/w"]], 0)


@pytest.mark.full
def test_masked_networks_have_the_lower_barrier():
    """Trained from two seeds: without alignment the segment between masked networks rises less."""
    spec = mlp([2, 16, 1])
    x = jax.random.uniform(jax.random.key(5), (128, 2), minval=-2, maxval=2)
    y = jnp.sin(2 * x[:, :1]) * x[:, 1:]
    mask = asymmetric_mask(spec, key=jax.random.key(6), num_fixed=2, scale=3.0)

    @functools.partial(jax.jit, static_argnums=1)
    def height(keys, masked):
        whole = lambda p: apply_asymmetric(p, mask) if masked else p
        loss = lambda p: jnp.mean((net(whole(p), x) - y) ** 2)
        optimiser = optax.adam(2e-2)

        def train(key):
            params = draw(spec, key)

            def step(carry, _):
                params, state = carry
                updates, state = optimiser.update(jax.grad(loss)(params), state)
                return (optax.apply_updates(params, updates), state), None

            return jax.lax.scan(step, (params, optimiser.init(params)), length=300)[0][0]

        return barrier(loss, *(train(key) for key in keys), num=11).value

    heights = [
        np.mean([height(jax.random.split(jax.random.key(k), 2), masked) for k in range(6)])
        for masked in (0, 1)
    ]
    assert heights[1] < heights[0]


def test_one_hot_gates_give_the_expert_and_linear_experts_mix_as_their_outputs():
    experts = {"w": jax.random.normal(jax.random.key(7), (3, 4, 2)), "b": jnp.ones((3, 2))}
    gates = jnp.array([0.2, 0.5, 0.3])
    x = jax.random.normal(jax.random.key(8), (5, 4))
    linear = lambda p: x @ p["w"] + p["b"]
    for k in range(3):
        one = interpolated_experts(jax.nn.one_hot(k, 3), experts)
        np.testing.assert_allclose(one["w"], experts["w"][k], atol=1e-15)
    mixed = linear(interpolated_experts(gates, experts))
    np.testing.assert_allclose(mixed, jnp.tensordot(gates, jax.vmap(linear)(experts), axes=1), rtol=1e-12)


def test_errors_say_what_to_mend():
    spec = mlp([2, 3, 2])
    with pytest.raises(ValueError, match="asymmetric_mask: num_fixed"):
        asymmetric_mask(spec, key=jax.random.key(0), num_fixed=0)
    with pytest.raises(ValueError, match="automorphism_count: the spec has"):
        automorphism_count(mlp([2, 9, 2]), AsymmetricMask({}, {}))
    with pytest.raises(ValueError, match="apply_asymmetric: mask fixes weights of leaf '0/w'"):
        apply_asymmetric({"v": jnp.ones(2)}, asymmetric_mask(spec, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="interpolated_experts: leaf 'w'"):
        interpolated_experts(jnp.ones(2), {"w": jnp.ones((3, 1))})
    assert automorphism_count(SPECS["no group"], AsymmetricMask({}, {})) == 1
