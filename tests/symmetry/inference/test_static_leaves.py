"""Parameters with leaves that are no arrays of numbers: functions, strings, None, Python numbers, random keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj


def net(params, x):
    return params["act"](x @ params["w"]) @ params["v"] * params["gate"]


def draw(key, gate):
    w, v = jax.random.split(key)
    return {
        "w": jax.random.normal(w, (3, 4)),
        "v": jax.random.normal(v, (4, 2)),
        "act": jax.nn.relu,
        "gate": gate,
        "name": "net",
        "extra": None,
        "depth": 2,
        "rng": key,
    }


X = np.linspace(-1, 1, 15).reshape(5, 3)
STATIC = ("act", "gate", "name", "extra", "depth", "rng")


@pytest.fixture(scope="module")
def model():
    params = draw(jax.random.key(0), 0.5)
    return gj.symmetry.infer(net, params, X), params


def test_infer_finds_the_groups_of_the_arrays(model):
    spec, _ = model
    assert {(g.kind, g.size) for g in spec.groups.values()} == {("permutation", 4), ("scaling", 4)}
    assert [leaf.path for leaf in spec.leaves] == ["v", "w"]
    assert spec.verification.passed
    assert spec.reach is not None


def test_act_returns_static_leaves_unchanged(model, key):
    spec, params = model
    moved = gj.symmetry.act(spec, gj.symmetry.random_element(spec, key), params)
    assert all(moved[name] is params[name] for name in STATIC)
    assert not np.array_equal(moved["w"], params["w"])
    np.testing.assert_allclose(net(moved, X), net(params, X), rtol=1e-9, atol=1e-12)


def test_verify_and_collect_take_static_leaves(model, key):
    spec, params = model
    assert gj.symmetry.verify(spec, net, params, X, key=key).passed
    units = gj.symmetry.collect(spec, net, params, X)
    np.testing.assert_allclose(units["w"], jax.nn.relu(X @ params["w"]), rtol=1e-6)


def test_collect_reads_the_settings_it_is_given(model):
    """The compiled reader is kept for settings of the same value and type only."""
    spec, params = model
    for act in (jax.nn.relu, jnp.tanh):
        units = gj.symmetry.collect(spec, net, {**params, "act": act}, X)
        np.testing.assert_allclose(units["w"], act(X @ params["w"]), rtol=1e-6)


def test_collect_takes_a_setting_that_cannot_be_hashed(model):
    class Activation:
        __hash__ = None

        def __call__(self, x):
            return jax.nn.relu(x)

    spec, params = model
    units = gj.symmetry.collect(spec, net, {**params, "act": Activation()}, X)
    np.testing.assert_allclose(units["w"], jax.nn.relu(X @ params["w"]), rtol=1e-6)


def test_a_gate_of_zero_hides_nothing():
    """A Python float that starts at zero: what holds for zero alone is no symmetry of the function."""

    def gated(params, x):
        return x @ params["skip"] + params["gate"] * (jnp.tanh(x @ params["w"] + jnp.arange(4)) @ params["v"])

    params = {name: leaf for name, leaf in draw(jax.random.key(0), 0.0).items() if name in ("w", "v", "gate")}
    spec = gj.symmetry.infer(gated, {**params, "skip": jnp.ones((3, 2))}, X)
    assert not spec.groups
    assert ("w", 1) in {(pin.path, pin.axis) for pin in spec.pins}


def test_a_number_where_the_spec_has_an_array_is_named(model):
    spec, params = model
    with pytest.raises(ValueError, match=r"w: got a float, expected an array of shape \(3, 4\)"):
        gj.symmetry.act(spec, {}, {**params, "w": 1.0})


@pytest.mark.x32
def test_a_numpy_table_of_float64_crashes_no_check():
    """Traced once with 32-bit types, such a constant is float32 for JAX from then on."""
    table = np.sin(np.arange(5)[:, None] / 10.0 ** np.arange(3))
    encoded = lambda params, x: jnp.tanh((x + table) @ params["w"]) @ params["v"]
    params = {"w": jnp.ones((3, 4)), "v": jnp.ones((4, 2))}
    spec = gj.symmetry.infer(encoded, params, jnp.asarray(X, jnp.float32))
    assert spec.verification.passed
    assert {(g.kind, g.size) for g in spec.groups.values()} == {("permutation", 4), ("sign", 4)}
