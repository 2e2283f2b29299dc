"""Concrete masks: frequencies, limits, gradients, and a planted conflict that the learnt mask closes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax import Status
from geojax.merging import concrete_fit, concrete_mask, concrete_merge, task_arithmetic


@jax.jit
def masks_of(logits, keys, temperature):
    return jax.vmap(lambda key: concrete_mask(logits, key=key, temperature=temperature))(keys)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.0])
def test_mask_is_above_a_half_as_often_as_the_logits_say(temperature):
    logits = np.array([-2.0, 0.0, 1.0])
    keys = jax.random.split(jax.random.key(0), 20000)
    masks = np.asarray(masks_of(logits, keys, temperature))
    assert np.all((masks >= 0) & (masks <= 1))
    share = np.mean(masks > 0.5, axis=0)
    np.testing.assert_allclose(share, scipy.special.expit(logits), atol=5 * 0.5 / np.sqrt(len(keys)))


def test_limits_are_task_arithmetic_and_the_base():
    base = {"b": np.arange(3.0), "w": np.ones((2, 2))}
    stack = jax.tree.map(lambda x: np.stack([x + 0.3, x * 0.7]), base)
    weights, key = np.array([0.4, 0.9]), jax.random.key(0)
    merge = jax.jit(lambda logits: concrete_merge(base, stack, logits, weights, key=key, temperature=0.5))
    for sign, want in ((np.inf, task_arithmetic(base, stack, weights)), (-np.inf, base)):
        logits = jax.tree.map(lambda x, sign=sign: np.full_like(x, sign), base)
        got = merge(logits)
        for name in base:
            np.testing.assert_array_equal(got[name], want[name])


def test_a_planted_conflict_is_masked_out():
    """Two tasks share the first block; in the second each wants the other's opposite of what base gives both."""
    base = np.zeros(6)
    wanted = np.array([1.0, 1.0, 1.0])
    stack = np.stack([np.concatenate([wanted, 3 * np.ones(3)]), np.concatenate([wanted, -np.ones(3)])])

    def loss(params):
        return jnp.sum((params[:3] - 1) ** 2) + jnp.sum(params[3:] ** 2)

    fit = concrete_fit(
        loss, loss, base, stack, np.array([0.5, 0.5]), key=jax.random.key(0), num_steps=300, inner_rate=0.01
    )
    assert fit.status == Status.MAX_STEPS
    logits, losses = np.asarray(fit.logits), np.asarray(fit.losses)
    assert np.all(logits[:3] > 1)
    assert np.all(logits[3:] < -1)
    assert np.mean(losses[-30:]) < 0.3 * np.mean(losses[:30])


def test_a_loss_that_is_not_a_number_is_said():
    fit = concrete_fit(
        lambda p: jnp.sum(p),
        lambda p: jnp.sum(p) * jnp.nan,
        jnp.zeros(1),
        jnp.ones((1, 1)),
        key=jax.random.key(0),
        num_steps=2,
    )
    assert fit.status == Status.NONFINITE
    with pytest.raises(ValueError, match="logits"):
        concrete_merge(
            jnp.zeros(2), jnp.ones((1, 2)), jnp.zeros(3), jnp.ones(1), key=jax.random.key(0), temperature=1.0
        )


def test_leaves_that_are_not_merged_stand_in_the_logits_and_in_the_merged_model():
    base = {"w": np.zeros(2), "steps": np.int32(3), "activation": jax.nn.relu}
    stack = {"w": np.ones((2, 2)), "steps": np.array([4, 5], np.int32), "activation": jax.nn.relu}
    loss = lambda params: jnp.sum((params["w"] - 1) ** 2)
    fit = concrete_fit(loss, loss, base, stack, key=jax.random.key(0), num_steps=2)
    mask = concrete_mask(fit.logits, key=jax.random.key(1), temperature=1.0)
    merged = concrete_merge(base, stack, fit.logits, key=jax.random.key(1), temperature=1.0)
    for found in (fit.logits, mask, merged):
        assert found["steps"] == 3
        assert found["activation"] is jax.nn.relu
    with pytest.raises(TypeError, match=r"logits is int64\[2\], and no other leaf is real"):
        concrete_mask(np.array([-5, 5]), key=jax.random.key(0), temperature=1.0)
