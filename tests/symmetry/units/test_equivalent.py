"""Merging units that compute the same feature: planted copies, orbits, and what a threshold of 0 means."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.units.equivalent import feature_complexity, merge_equivalent_units

SHAPES = {"w0": (4, 3), "b0": (3,), "w1": (3, 3), "b1": (3,), "w2": (3, 2)}
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(32, 4))


def net(p, x):
    x = jax.nn.relu(x @ p["w0"] + p["b0"])
    return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"]


def draw():
    return {n: RANDOM.normal(size=s) for n, s in SHAPES.items()}


def split_units(p):
    """Three more units in the first layer: scaled copies of unit 0, 1, 1 that share its outgoing weights."""
    share, scale = RANDOM.uniform(0.2, 0.8, size=(2, 3))
    w0, b0, w1 = p["w0"], p["b0"], p["w1"].copy()
    for s, c, unit in zip(share, scale, (0, 1, 1)):
        w0 = np.concatenate([w0, c * w0[:, unit : unit + 1]], axis=1)
        b0 = np.concatenate([b0, c * b0[unit : unit + 1]])
        out = s * w1[unit : unit + 1] / c
        w1[unit] *= 1 - s
        w1 = np.concatenate([w1, out])
    return {**p, "w0": w0, "b0": b0, "w1": w1}


WIDE = split_units(draw())


@functools.cache
def spec():
    return infer(net, WIDE, X, verify=False)


first, second = (name for name, group in spec().members if group.kind == "permutation")


@jax.jit
@jax.vmap
def merged(params):
    found = merge_equivalent_units(spec(), params, threshold=1e-6)
    return found, feature_complexity(spec(), params, threshold=1e-6)


outputs = jax.jit(jax.vmap(lambda p: net(p, X)))


def stack_of_wide():
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(split_units(draw()) for _ in range(16)))


def test_law_planted_copies_are_merged_and_the_function_stays():
    wide = stack_of_wide()
    found, count = jax.device_get(merged(wide))
    np.testing.assert_array_equal(count[first], 3)
    np.testing.assert_array_equal(count[second], 3)
    np.testing.assert_array_equal(found.labels[first], np.broadcast_to([0, 1, 2, 0, 1, 1], (16, 6)))
    np.testing.assert_allclose(outputs(found.params), outputs(wide), rtol=1e-9, atol=1e-9)
    # What is gone is gone: the three first units alone compute the function.
    cut = {**found.params, "w0": found.params["w0"][..., :3], "b0": found.params["b0"][:, :3]}
    cut["w1"] = found.params["w1"][:, :3]
    np.testing.assert_allclose(outputs(cut), outputs(wide), rtol=1e-9, atol=1e-9)


def test_law_invariant_to_the_order_and_the_scales_of_units():
    wide = stack_of_wide()
    turn = jax.jit(jax.vmap(lambda key, params: act(spec(), random_element(spec(), key), params)))
    turned = turn(jax.random.split(jax.random.key(2), 16), wide)
    (one, count), (two, again) = (jax.device_get(merged(params)) for params in (wide, turned))
    for name in count:
        np.testing.assert_array_equal(count[name], again[name])
    for leaf in ("w0", "b0"):
        np.testing.assert_allclose(
            np.sort(one.params[leaf].reshape(16, -1)), np.sort(two.params[leaf].reshape(16, -1)), atol=1e-9
        )


def test_the_threshold_is_a_distance_of_directions():
    relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
    angles = np.array([0.0, 0.03, 1.0, 3.0, 1.0])
    params = [np.stack([np.cos(angles), np.sin(angles)]) * np.arange(1.0, 6.0), np.ones((5, 1))]
    found = infer(relu, params, np.ones((3, 2)), verify=False)
    complexity = jax.jit(lambda threshold: feature_complexity(found, params, threshold=threshold))
    for threshold, expected in ((0.0, 4), (0.05, 3), (2.0, 1)):
        (count,) = complexity(threshold).values()
        assert count == expected


def test_units_without_weights_are_no_feature():
    params = draw()
    params["w0"][:, 1] = params["b0"][1] = 0
    small = infer(net, params, X, verify=False)

    @jax.jit
    def merge(params):
        found = merge_equivalent_units(small, params, threshold=0.0)
        return found.labels[first], net(found.params, X), net(params, X)

    labels, after, before = merge(params)
    np.testing.assert_array_equal(labels, [0, -1, 2])
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_layers_without_scalings_are_left_alone():
    smooth = lambda p, x: jnp.tanh(x @ p[0]) @ p[1]
    params = [np.ones((2, 3)), np.ones((3, 1))]
    found = merge_equivalent_units(
        infer(smooth, params, np.ones((3, 2)), verify=False), params, threshold=0.5
    )
    assert found.labels == {}
    np.testing.assert_array_equal(found.params[0], params[0])


def test_parameters_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="merge_equivalent_units: params: params does not fit the spec"):
        merge_equivalent_units(spec(), draw(), threshold=0.1)
    with pytest.raises(TypeError, match="feature_complexity: spec is a dict; expected a SymmetrySpec"):
        feature_complexity({}, draw(), threshold=0.1)
