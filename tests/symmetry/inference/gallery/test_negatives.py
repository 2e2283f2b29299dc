"""Axes that must stay where they are, each with the primitive that must be named for it, and near misses."""

import collections

import jax
import numpy as np
import pytest

import geojax as gj
from geojax._program.arguments import array_leaves
from tests.symmetry.inference import oracle
from tests.symmetry.inference.gallery.example import found
from tests.symmetry.inference.gallery.made_up.near_misses import SYMMETRIC, TOLERATED
from tests.symmetry.inference.gallery.made_up.negatives import NEGATIVES


def programs(cases):
    return pytest.mark.parametrize("program", cases, ids=lambda program: program.name.replace(" ", "-"))


def moved_axes(spec, *, whole):
    """The (leaf, axis) pairs that a permutation moves, in part or as a whole."""
    return {
        (leaf.path, part.axis)
        for name, group in spec.groups.items()
        if group.kind == "permutation" and group.size > 1
        for leaf, _, part in spec.occurrences(name)
        if not whole or part.size == leaf.shape[part.axis]
    }


def check_pins(spec, program):
    for path, axis in set(program.axes) - moved_axes(spec, whole=False):
        names = {pin.primitive for pin in spec.pins if (pin.path, pin.axis) == (path, axis)}
        assert names & set(program.primitives), f"{path}[{axis}] pinned by {names or 'nothing'}\n{spec}"


def change(apply, params, moved, inputs):
    before, after = (jax.tree.map(np.asarray, jax.tree.leaves(apply(p, *inputs))) for p in (params, moved))
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(a))) for a, b in zip(before, after, strict=True))


@programs(NEGATIVES)
def test_fixed_axis_is_not_moved_and_its_pin_names_the_primitive(program):
    apply, params, inputs = program.build(jax.random.key(0))
    assert change(apply, params, program.moved(params), inputs) > 1e-6, "the program is symmetric"
    spec = gj.symmetry.infer(apply, params, *inputs, verify=False)
    assert not moved_axes(spec, whole=True) & set(program.axes), str(spec)
    check_pins(spec, program)
    check_unchanged(apply, params, inputs, spec)


@programs(SYMMETRIC)
def test_near_miss_is_symmetric(program):
    apply, params, inputs = program.build(jax.random.key(0))
    spec = gj.symmetry.infer(apply, params, *inputs, verify=False)
    got = [group for group in found(spec) if group.kind == "permutation"]
    assert collections.Counter(got) == collections.Counter(program.expected), str(spec)
    check_unchanged(apply, params, inputs, spec)


@programs(TOLERATED)
def test_missed_symmetry_is_visible_as_a_pin(program):
    apply, params, inputs = program.build(jax.random.key(0))
    assert change(apply, params, program.moved(params), inputs) < 1e-9, "the program is not symmetric"
    spec = gj.symmetry.infer(apply, params, *inputs, verify=False)
    if not set(program.axes) <= moved_axes(spec, whole=True):
        check_pins(spec, program)
    check_unchanged(apply, params, inputs, spec)


def check_unchanged(apply, params, inputs, spec):
    leaves = {path: np.asarray(leaf) for path, leaf in array_leaves(params)}
    for seed in range(3):
        element = oracle.random_element(spec, np.random.default_rng(seed))
        assert change(apply, params, oracle.act(spec, element, leaves), inputs) < 1e-9, str(spec)
