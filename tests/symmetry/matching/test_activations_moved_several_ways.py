"""Activation matching where the arrays that a program reads along one axis are moved in different ways."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.inference.collect import collect
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.matching.by_activations import activation_matching
from geojax.symmetry.matching.by_weights import weight_matching

UNITS, STATES, SEEDS = 5, 3, 3


def depthwise(p, x):
    """The signs of the units flip what the depthwise convolution reads, not what the read-out reads."""
    u = jax.lax.conv_general_dilated(
        x @ p["in"],
        p["conv"],
        (1,),
        "SAME",
        dimension_numbers=("NHC", "HIO", "NHC"),
        feature_group_count=UNITS,
    )
    return jax.nn.silu(u + p["b"]) @ p["out"]


def scaled(p, x):
    """The signs of the units flip nothing that a product reads."""
    return jax.nn.silu(x @ p["in"] * p["scale"] + p["b"]) @ p["out"]


def state(p, x):
    """The state [batch, time, channel, state] of a fast-weight layer: both of its last axes are moved."""
    s = jnp.tanh((x @ p["in"])[..., :, None] * (x @ p["W"])[..., None, :])
    return jnp.einsum("btdn,btn->btd", s, x @ p["C"]) @ p["out"]


def products_alone(p, x):
    """Every array read is a product of both groups' units, so that flipping all of both changes no activation."""
    s = jnp.tanh((x @ p["in"])[..., :, None] * (x @ p["W"])[..., None, :])
    return s.reshape(*s.shape[:-2], -1) @ p["flat"]


def heads(p, x):
    """A sign of each head flips its keys and its values, which have signs of their own inside the head."""
    q, k, v = (jnp.einsum("btm,mhd->bthd", x, p[name]) for name in "qkv")
    s = jnp.tanh(jnp.einsum("bthk,bthv->bthkv", jnp.tanh(k), v))
    return jnp.einsum("bthv,hvo->bto", jnp.einsum("bthk,bthkv->bthv", jax.nn.softplus(q), s), p["o"])


SHAPES = {
    "in": (3, UNITS),
    "conv": (3, 1, UNITS),
    "scale": (UNITS,),
    "b": (UNITS,),
    "W": (3, STATES),
    "C": (3, STATES),
    "flat": (UNITS * STATES, 2),
    "out": (UNITS, 2),
    **dict.fromkeys("qkv", (3, 2, STATES)),
    "o": (2, STATES, 2),
}
PROGRAMS = {
    depthwise: ("in", "conv", "b", "out"),
    scaled: ("in", "scale", "b", "out"),
    state: ("in", "W", "C", "out"),
    products_alone: ("in", "W", "flat"),
    heads: ("q", "k", "v", "o"),
}


def draw(program, *batch, seed=0, dtype=np.float64):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=(*batch, *SHAPES[name])).astype(dtype) for name in PROGRAMS[program]}


def inputs(dtype=np.float64):
    return np.random.default_rng(9).normal(size=(16, 4, 3)).astype(dtype)


@functools.cache
def spec_of(program):
    return infer(program, draw(program), inputs(), verify=False)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_planted_element_is_missed_where_signs_flip_some_arrays_or_an_array_has_two_moved_axes(
    program, dtype
):
    spec, x = spec_of(program), inputs(dtype)

    @jax.jit
    @jax.vmap
    def law(key, params):
        planted = random_element(spec, key)
        planted = {
            name: array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.inexact) else array
            for name, array in planted.items()
        }
        moved = act(spec, planted, params)
        result = activation_matching(spec, program, moved, params, x)
        back = act(spec, result.element, params)
        errors = [jnp.max(jnp.abs(moved[k] - back[k])) / jnp.max(jnp.abs(moved[k])) for k in params]
        return jnp.max(jnp.stack(errors)), result.objective, result.status

    keys = jax.random.split(jax.random.key(1), SEEDS)
    error, objective, status = law(keys, draw(program, SEEDS, seed=1, dtype=dtype))
    units = sum(group.size * group.copies for name, group in spec.members if name in collected(program))
    eps = np.finfo(dtype).eps
    np.testing.assert_array_equal(status, Status.CONVERGED)
    assert error.dtype == dtype and np.all(error < 1000 * eps), error
    np.testing.assert_allclose(objective, units, rtol=200 * eps)


def collected(program):
    return jax.eval_shape(functools.partial(collect, spec_of(program), program), draw(program), inputs())


def unit_norm(*arrays):
    """Arrays [samples, ..., units] with mean 0, and norm 1 for each unit in all of them together, in equal shares."""
    centred = [x - x.mean(axis=0) for x in arrays]
    norms = [np.sqrt(np.square(x).reshape(-1, x.shape[-1]).sum(axis=0) * len(arrays)) for x in centred]
    return [x / norm for x, norm in zip(centred, norms, strict=True)]


def silu(u):
    return u / (1 + np.exp(-u))


@pytest.mark.full
def test_law_the_objective_is_the_sum_of_squares_between_acted_activations():
    """For strangers, with the activations of a depthwise convolution written down and moved by hand."""
    x, (a, b) = inputs(), (draw(depthwise, seed=seed) for seed in (3, 4))

    def read(p):
        u = x @ p["in"]
        padded = np.pad(u, ((0, 0), (1, 1), (0, 0)))
        mixed = sum(padded[:, k : k + 4] * p["conv"][k, 0] for k in range(3))
        return unit_norm(u.reshape(-1, UNITS), silu(mixed + p["b"]).reshape(-1, UNITS))

    result = jax.device_get(activation_matching(spec_of(depthwise), depthwise, a, b, x))
    order, sign = result.element["in"], result.element["in:sign"]
    assert set(sign) == {-1, 1}
    (u, out), (other_u, other_out) = read(a), read(b)
    squares = np.square(u - other_u[:, order] * sign).sum() + np.square(out - other_out[:, order]).sum()
    np.testing.assert_allclose(result.objective, UNITS - squares / 2, rtol=1e-9)


@pytest.mark.full
def test_law_the_objective_is_the_sum_of_squares_where_an_array_has_two_moved_axes():
    x, (a, b) = inputs(), (draw(state, seed=seed) for seed in (5, 6))

    def read(p):
        s = np.tanh((x @ p["in"])[..., :, None] * (x @ p["W"])[..., None, :]).reshape(-1, UNITS, STATES)
        c = (x @ p["C"]).reshape(-1, STATES)
        return (*unit_norm(np.einsum("sdn,sn->sd", s, c)), *unit_norm(s, c))

    result = jax.device_get(activation_matching(spec_of(state), state, a, b, x))
    order, sign, states, flips = (result.element[name] for name in ("in", "in:sign", "W", "W:sign"))
    (y, s, c), (other_y, other_s, other_c) = read(a), read(b)
    moved = other_s[:, order][:, :, states] * sign[:, None] * flips
    squares = np.square(y - other_y[:, order] * sign).sum() + np.square(s - moved).sum()
    squares += np.square(c - other_c[:, states] * flips).sum()
    np.testing.assert_allclose(result.objective, UNITS + STATES - squares / 2, rtol=1e-9)


@pytest.mark.full
def test_weights_miss_a_planted_sign_of_heads_whose_units_have_signs():
    spec, params = spec_of(heads), draw(heads, seed=2)
    moved = act(spec, random_element(spec, jax.random.key(5)), params)
    result = weight_matching(spec, moved, params, key=jax.random.key(0))
    back = act(spec, result.element, params)
    assert result.status == Status.CONVERGED
    for name in params:
        np.testing.assert_allclose(back[name], moved[name], rtol=1e-12)
