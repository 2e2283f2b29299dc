"""Programs made to mislead: every group that is found leaves the function as it is."""

import functools

import jax
import numpy as np
import pytest

from geojax._program.arguments import array_leaves
from geojax.symmetry.inference.build import build
from geojax.symmetry.inference.tracing import trace
from tests.symmetry.inference import oracle
from tests.symmetry.inference.traps import trap_programs, trap_programs_structured

TRAPS = [
    *trap_programs.activations(),
    *trap_programs.uniform_and_tied(),
    *trap_programs_structured.loops(),
    *trap_programs_structured.heads(),
]
TOLERANCE = 1e-8
"""Relative; float64 rounds at 2e-16 and the scalings drawn stay below 10."""


def drawn(tree, generator):
    """Normal numbers where a tree holds a shape; arrays are kept."""
    one = lambda leaf: leaf if isinstance(leaf, np.ndarray) else generator.normal(size=leaf)
    return jax.tree.map(
        one, tree, is_leaf=lambda leaf: isinstance(leaf, tuple) and all(isinstance(n, int) for n in leaf)
    )


def change(before, after):
    largest = 0.0
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        a, b = np.asarray(a, np.complex128), np.asarray(b, np.complex128)
        assert np.array_equal(np.isnan(a), np.isnan(b))
        largest = max(
            largest,
            float(np.nanmax(np.abs(a - b), initial=0.0) / max(np.nanmax(np.abs(a), initial=0.0), 1e-3)),
        )
    return largest


@functools.cache
def inferred(trap):
    """The spec of a trap, not verified."""
    generator = np.random.default_rng(0)
    params, inputs = drawn(trap.params, generator), tuple(drawn(one, generator) for one in trap.inputs)
    return build(trace(trap.function, params, inputs))


def moved(spec, element, params):
    """The parameters moved by an element, in numpy."""
    leaves = oracle.act(spec, element, dict(array_leaves(params)))
    return jax.tree.unflatten(jax.tree.structure(params), [leaves[path] for path, _ in array_leaves(params)])


@pytest.mark.parametrize(
    "trap",
    [pytest.param(trap, marks=() if i % 3 == 0 else pytest.mark.full) for i, trap in enumerate(TRAPS)],
    ids=[trap.name.replace(" ", "-") for trap in TRAPS],
)
def test_groups_leave_the_function_as_it_is(trap):
    generator, spec, function = np.random.default_rng(1), inferred(trap), jax.jit(trap.function)
    for _ in range(3):
        params, inputs = drawn(trap.params, generator), tuple(drawn(one, generator) for one in trap.inputs)
        element = oracle.random_element(spec, generator)
        before = function(params, *inputs)
        if change(before, function(moved(spec, element, params), *inputs)) > TOLERANCE:
            single = {
                name: change(before, function(moved(spec, {name: g}, params), *inputs))
                for name, g in element.items()
            }
            pytest.fail(f"{ {name: value for name, value in single.items() if value > TOLERANCE} }\n{spec}")


@pytest.mark.parametrize(
    "trap",
    [t for t in TRAPS if t.groups is not None],
    ids=[t.name.replace(" ", "-") for t in TRAPS if t.groups is not None],
)
def test_groups_are_those_derived_by_hand(trap):
    spec = inferred(trap)
    assert sorted((g.kind, g.size) for g in spec.groups.values()) == sorted(trap.groups), str(spec)
