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
from tests.symmetry.inference.handmade import SPECS, attention, draw, grouped, mlp, numpy_draw, recurrent


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
    mask = jax.jit(functools.partial(asymmetric_mask, spec))(key=jax.random.key(0))
    assert automorphism_count(spec, mask) == 1
    assert automorphism_count(spec, AsymmetricMask({}, {})) == permutations


def test_equal_values_leave_a_symmetry():
    """Two units with the same fixed weight in the same place may still change places."""
    spec = mlp([2, 5, 2])
    fixed = {"0/w": np.array([[True] * 5, [False] * 5])}
    values = {"0/w": np.array([[1.0, 2.0, 2.0, 3.0, 4.0], [0.0] * 5])}
    assert automorphism_count(spec, AsymmetricMask(fixed, values)) == 2


def test_each_unit_gets_as_many_as_asked():
    masks = functools.partial(asymmetric_mask, mlp([6, 4, 2]))
    few, many = jax.jit(lambda key: (masks(key=key, num_fixed=3, scale=2.0), masks(key=key, num_fixed=100)))(
        jax.random.key(1)
    )
    np.testing.assert_array_equal(np.sum(few.fixed["0/w"], axis=0), 3)
    assert np.all(many.fixed["0/w"])


def net(params, x):
    return jnp.tanh(x @ params["0"]["w"] + params["0"]["b"]) @ params["1"]["w"] + params["1"]["b"]


def test_moving_units_of_a_masked_network_changes_its_function():
    spec = mlp([6, 4, 2])
    params = numpy_draw(spec, 3)
    x = np.random.default_rng(4).normal(size=(8, 6))

    @jax.jit
    def swap(params, key):
        mask = asymmetric_mask(spec, key=key)
        apply = lambda p: net(apply_asymmetric(p, mask), x)
        swapped = act(spec, {"h0": np.array([1, 0, 2, 3])}, params)
        slope = jax.grad(lambda p: jnp.sum(apply(p)))(params)
        plain, masked = ([f(p) for p in (swapped, params)] for f in (lambda p: net(p, x), apply))
        return plain, masked, slope["0"]["w"], mask.fixed["0/w"]

    plain, masked, slope, fixed = jax.device_get(swap(params, jax.random.key(2)))
    np.testing.assert_allclose(*plain, atol=1e-12)
    assert np.max(np.abs(masked[0] - masked[1])) > 1e-2
    np.testing.assert_array_equal(slope[fixed], 0)


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
    random = np.random.default_rng(7)
    experts = {"w": random.normal(size=(3, 4, 2)), "b": np.ones((3, 2))}
    gates = np.array([0.2, 0.5, 0.3])
    x = random.normal(size=(5, 4))
    mix = jax.jit(interpolated_experts)
    for k in range(3):
        one = mix(np.eye(3)[k], experts)
        np.testing.assert_allclose(one["w"], experts["w"][k], atol=1e-15)
    mixed = jax.device_get(mix(gates, experts))
    outputs = np.stack([x @ experts["w"][k] + experts["b"][k] for k in range(3)])
    np.testing.assert_allclose(x @ mixed["w"] + mixed["b"], np.tensordot(gates, outputs, axes=1), rtol=1e-12)


def test_errors_say_what_to_mend():
    spec = mlp([2, 3, 2])
    with pytest.raises(ValueError, match="asymmetric_mask: num_fixed"):
        asymmetric_mask(spec, key=jax.random.key(0), num_fixed=0)
    with pytest.raises(ValueError, match="automorphism_count: the spec has"):
        automorphism_count(mlp([2, 9, 2]), AsymmetricMask({}, {}))
    with pytest.raises(ValueError, match="apply_asymmetric: mask fixes weights of leaf '0/w'"):
        apply_asymmetric(
            {"v": np.ones(2)}, AsymmetricMask({"0/w": np.ones((2, 3), bool)}, {"0/w": np.ones((2, 3))})
        )
    with pytest.raises(ValueError, match="interpolated_experts: leaf 'w'"):
        interpolated_experts(np.ones(2), {"w": np.ones((3, 1))})
    assert automorphism_count(SPECS["no group"], AsymmetricMask({}, {})) == 1
