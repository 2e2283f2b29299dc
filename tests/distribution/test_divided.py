"""Parameters divided among four devices: same results, and no device that holds a whole model."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from geojax.merging import average, dare, interpolate, karcher, model_stock, slerp, task_arithmetic, ties
from geojax.symmetry import act, weight_matching
from geojax.symmetry.ascent import lazy_sweeps
from tests.distribution.models import ENDS, WIDTH, problem

KEY = jax.random.key(3)
ONES = jnp.ones(2)
RULES = {
    "interpolate": lambda base, s: interpolate(*pair(s), 0.3),
    "slerp": lambda base, s: slerp(*pair(s), 0.3),
    "average": lambda base, s: average(s, ONES),
    "karcher": lambda base, s: karcher(s, ONES).params,
    "task_arithmetic": lambda base, s: task_arithmetic(base, s, ONES),
    "ties": lambda base, s: ties(base, s, ONES, density=0.5),
    "dare": lambda base, s: dare(base, s, ONES, density=0.5, key=KEY),
    "model_stock": lambda base, s: model_stock(base, s),
}


def pair(stack):
    return (jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in (0, 1))


def divided(params, axis=0):
    """Every leaf in four parts along its first or its last axis."""
    mesh = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,))

    def put(leaf):
        names = [None] * leaf.ndim
        names[-1 if axis else 0] = "x"
        return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec(*names)))

    return jax.tree.map(put, params)


def on_first_device(arrays):
    """Bytes that the first device holds of these arrays."""
    device = jax.devices()[0]
    held = [x for x in arrays if device in x.sharding.device_set]
    return sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in held)


@pytest.fixture(scope="module")
def models():
    return problem()


AXES = [0, pytest.param(1, marks=pytest.mark.full)]


@pytest.mark.parametrize("axis", AXES)
def test_an_alignment_is_that_of_whole_parameters_and_leaves_stay_divided(axis, models):
    spec, a, b = models
    want = weight_matching(spec, a, b, key=KEY)
    shared_a, shared_b = (divided(params, axis) for params in (a, b))
    got = weight_matching(spec, shared_a, shared_b, key=KEY)
    np.testing.assert_allclose(got.objective, want.objective, rtol=1e-12)
    assert got.num_steps == want.num_steps
    for name in want.element:
        np.testing.assert_allclose(got.element[name], want.element[name], rtol=1e-9)
    moved = act(spec, got.element, shared_b)
    whole = act(spec, want.element, b)
    for name in b:
        assert moved[name].sharding == shared_b[name].sharding
        np.testing.assert_allclose(moved[name], whole[name], atol=1e-9)


@pytest.mark.parametrize("axis", AXES)
def test_an_alignment_gathers_a_leaf_of_each_model_at_most(axis, models, monkeypatch):
    """At every look at a pair of leaves: what a device holds beside its parts of the models, and what the program
    that compares the leaves takes for itself."""
    spec, a, b = models
    a, b = divided(a, axis), divided(b, axis)
    leaf, matrix = ENDS * WIDTH * 8, WIDTH * WIDTH * 8
    total = sum(x.nbytes for x in a.values())
    earlier = jax.live_arrays()
    before = set(map(id, earlier))
    held, taken = [], []
    gains = lazy_sweeps._gains

    def watched(problem, name, x, y, element):
        held.append(on_first_device(z for z in jax.live_arrays() if id(z) not in before))
        assert not x.sharding.is_fully_replicated
        compiled = gains.lower(problem, name, x, y, element).compile().memory_analysis()
        taken.append(compiled.temp_size_in_bytes)
        return gains(problem, name, x, y, element)

    monkeypatch.setattr(lazy_sweeps, "_gains", watched)
    weight_matching(spec, a, b, key=KEY)
    # The balanced copies of both models, divided as the models are, and the gains of the groups.
    assert max(held) < 2 * total / 4 + 16 * matrix < total
    assert max(taken) < 2 * leaf + 16 * matrix


# Eagerly, as here, each of their many small steps is a program of its own.
DEAR = ("dare", "karcher", "model_stock", "slerp")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in DEAR else ()) for name in RULES]
)
def test_a_merge_is_that_of_whole_parameters_and_leaves_stay_divided(name, models):
    _, a, b = models
    want = jax.jit(RULES[name])(a, jax.tree.map(lambda x, y: np.stack([x, y]), a, b))
    a, b = divided(a), divided(b)
    got = RULES[name](a, jax.tree.map(lambda x, y: jnp.stack([x, y]), a, b))
    for leaf in want:
        np.testing.assert_allclose(got[leaf], want[leaf], atol=1e-12)
        assert on_first_device([got[leaf]]) == want[leaf].nbytes // 4
