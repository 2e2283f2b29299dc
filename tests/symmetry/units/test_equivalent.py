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
X = jax.random.normal(jax.random.key(100), (32, 4))


def net(p, x):
    x = jax.nn.relu(x @ p["w0"] + p["b0"])
    return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"]


def draw(key):
    keys = jax.random.split(key, len(SHAPES))
    return {n: jax.random.normal(k, s) for k, (n, s) in zip(keys, SHAPES.items())}


def split_units(p, key):
    """Three more units in the first layer: scaled copies of unit 0, 1, 1 that share its outgoing weights."""
    share, scale = jax.random.uniform(key, (2, 3), minval=0.2, maxval=0.8)
    w0, b0, w1 = p["w0"], p["b0"], p["w1"]
    for s, c, unit in zip(share, scale, (0, 1, 1)):
        w0 = jnp.concatenate([w0, c * w0[:, unit : unit + 1]], axis=1)
        b0 = jnp.concatenate([b0, c * b0[unit : unit + 1]])
        w1 = jnp.concatenate([w1.at[unit].multiply(1 - s), s * w1[unit : unit + 1] / c])
    return {**p, "w0": w0, "b0": b0, "w1": w1}


@functools.cache
def spec():
    return infer(net, split_units(draw(jax.random.key(0)), jax.random.key(1)), X, verify=False)


first, second = (name for name, group in spec().members if group.kind == "permutation")


@jax.jit
@jax.vmap
def merged(params):
    found = merge_equivalent_units(spec(), params, threshold=1e-6)
    return found, feature_complexity(spec(), params, threshold=1e-6)


KEYS = jax.random.split(jax.random.key(2), 16)


def test_law_planted_copies_are_merged_and_the_function_stays():
    wide = jax.vmap(lambda k: split_units(draw(k), k))(KEYS)
    found, count = merged(wide)
    np.testing.assert_array_equal(count[first], 3)
    np.testing.assert_array_equal(count[second], 3)
    np.testing.assert_array_equal(found.labels[first], np.broadcast_to([0, 1, 2, 0, 1, 1], (16, 6)))
    outputs = jax.vmap(lambda p: net(p, X))
    np.testing.assert_allclose(outputs(found.params), outputs(wide), rtol=1e-9, atol=1e-9)
    # What is gone is gone: the three first units alone compute the function.
    cut = {**found.params, "w0": found.params["w0"][..., :3], "b0": found.params["b0"][:, :3]}
    cut["w1"] = found.params["w1"][:, :3]
    np.testing.assert_allclose(outputs(cut), outputs(wide), rtol=1e-9, atol=1e-9)


def test_law_invariant_to_the_order_and_the_scales_of_units():
    wide = jax.vmap(lambda k: split_units(draw(k), k))(KEYS)
    element = jax.vmap(functools.partial(random_element, spec()))(KEYS)
    turned = jax.vmap(functools.partial(act, spec()))(element, wide)
    (one, count), (two, again) = merged(wide), merged(turned)
    for name in count:
        np.testing.assert_array_equal(count[name], again[name])
    for leaf in ("w0", "b0"):
        np.testing.assert_allclose(
            np.sort(one.params[leaf].reshape(16, -1)), np.sort(two.params[leaf].reshape(16, -1)), atol=1e-9
        )


@pytest.mark.parametrize("threshold, expected", [(0.0, 4), (0.05, 3), (2.0, 1)])
def test_the_threshold_is_a_distance_of_directions(threshold, expected):
    relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
    angles = jnp.array([0.0, 0.03, 1.0, 3.0, 1.0])
    params = [jnp.stack([jnp.cos(angles), jnp.sin(angles)]) * jnp.arange(1.0, 6.0), jnp.ones((5, 1))]
    found = infer(relu, params, jnp.ones((3, 2)), verify=False)
    (count,) = feature_complexity(found, params, threshold=threshold).values()
    assert count == expected


def test_units_without_weights_are_no_feature():
    params = draw(jax.random.key(3))
    params["w0"], params["b0"] = params["w0"].at[:, 1].set(0), params["b0"].at[1].set(0)
    small = infer(net, params, X, verify=False)
    found = merge_equivalent_units(small, params, threshold=0.0)
    np.testing.assert_array_equal(found.labels[first], [0, -1, 2])
    np.testing.assert_allclose(net(found.params, X), net(params, X), atol=1e-9)


def test_layers_without_scalings_are_left_alone():
    smooth = lambda p, x: jnp.tanh(x @ p[0]) @ p[1]
    params = [jnp.ones((2, 3)), jnp.ones((3, 1))]
    found = merge_equivalent_units(infer(smooth, params, jnp.ones((3, 2))), params, threshold=0.5)
    assert found.labels == {}
    np.testing.assert_array_equal(found.params[0], params[0])


def test_parameters_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="merge_equivalent_units: params: params does not fit the spec"):
        merge_equivalent_units(spec(), draw(jax.random.key(0)), threshold=0.1)
    with pytest.raises(TypeError, match="feature_complexity: spec is a dict; expected a SymmetrySpec"):
        feature_complexity({}, draw(jax.random.key(0)), threshold=0.1)
