"""Every rule, one small program at a time: inputs moved as labelled give outputs moved as labelled."""

import functools

import jax
import numpy as np
import pytest

from geojax._program.jaxprs import primitives
from geojax.symmetry.inference.labels import arithmetic, points
from geojax.symmetry.inference.labels.axes import Node, terminals
from geojax.symmetry.inference.labels.interpreter import RULES, Interpreter
from geojax.symmetry.inference.rules import control
from tests.symmetry.inference.labelling import (
    flat,
    label,
    move,
    program_inputs,
    random_moves,
    traced,
    uniform_axes,
)
from tests.symmetry.inference.rules import (
    rule_programs_choices,
    rule_programs_constants,
    rule_programs_control,
    rule_programs_displacements,
    rule_programs_elementwise,
    rule_programs_libraries,
    rule_programs_loops,
    rule_programs_positions,
    rule_programs_products,
    rule_programs_shapes,
    rule_programs_solves,
)

PROGRAMS = [
    *rule_programs_elementwise.elementwise(),
    *rule_programs_shapes.shapes(),
    *rule_programs_shapes.reductions(),
    *rule_programs_products.products(),
    *rule_programs_positions.positions(),
    *rule_programs_control.control(),
    *rule_programs_control.randomness(),
    *rule_programs_displacements.displacements(),
    *rule_programs_libraries.libraries(),
    *rule_programs_choices.followed(),
    *rule_programs_choices.held(),
    *rule_programs_constants.constants(),
    *rule_programs_loops.any_order(),
    *rule_programs_loops.in_order(),
    *rule_programs_solves.solves(),
]

OTHER_RELEASE = "called so on another release of JAX"
INTERNAL = "made only while another primitive is compiled"
EXEMPT = {
    **dict.fromkeys(
        ("copy", "copy_p", "psum", "psum2", "psum_invariant", "pbroadcast", "pcast", "pvary"), OTHER_RELEASE
    ),
    **dict.fromkeys(
        ("scatter_add", "scatter_sub", "scatter_mul", "scatter_max", "scatter_min"), OTHER_RELEASE
    ),
    **dict.fromkeys(
        ("scatter-sub", "scatter-mul", "scatter-max", "scatter-min", "stack", "unstack", "square", "log2"),
        OTHER_RELEASE,
    ),
    **dict.fromkeys(("eq_to", "lt_to", "le_to"), "the total order inside comparators of sort"),
    **dict.fromkeys(("geqrf", "geqp3"), INTERNAL),
    **dict.fromkeys(
        ("reshard", "mesh_cast"), "explicit sharding of axes, for which JAX wants a program written for it"
    ),
    **dict.fromkeys(("random_gamma_grad", "igamma_grad_a"), "on CPU traced as a loop; " + OTHER_RELEASE),
    "stop_gradient": "erased while tracing",
}


@functools.cache
def body_of(number):
    return traced(PROGRAMS[number])


@functools.cache
def labelled_of(number):
    return label(PROGRAMS[number], body_of(number))


@functools.cache
def compiled(number):
    """The program compiled once, for the tests of labels and of exponents."""
    return jax.jit(flat(PROGRAMS[number].function))


def enough():
    """Programs that the default tier runs: for each primitive the plainest, and every shape of sums and products."""
    found = [primitives(body_of(number)) for number in range(len(PROGRAMS))]
    seen, chosen = set(), set()
    for number in sorted(range(len(PROGRAMS)), key=lambda number: len(found[number])):
        if found[number] - seen or PROGRAMS[number].name.split()[0] in ("add", "mul"):
            chosen.add(number)
        seen |= found[number]
    return chosen


ENOUGH = enough()
"""Tracing them all takes half a second, and compiling one takes a twentieth."""
numbered = pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=() if i in ENOUGH else pytest.mark.full) for i in range(len(PROGRAMS))],
    ids=[p.name.replace(" ", "-") for p in PROGRAMS],
)


def same(first, second):
    if jax.dtypes.issubdtype(first.dtype, jax.dtypes.prng_key):
        first, second = jax.random.key_data(first), jax.random.key_data(second)
    dtype = first.dtype
    first, second = np.asarray(first), np.asarray(second)
    if not jax.dtypes.issubdtype(dtype, np.inexact):
        return np.array_equal(first, second)
    units = float(jax.numpy.finfo(dtype).eps)
    first, second = first.astype(np.complex128), second.astype(np.complex128)
    finite = np.isfinite(first)
    scale = max(1.0, np.max(np.abs(first[finite]), initial=0.0))
    return np.allclose(second, first, rtol=0, atol=256 * units * scale, equal_nan=True)


@numbered
def test_moved_inputs_give_moved_outputs(number):
    check(number, labelled_of(number))


def check(number, labelled):
    program, function = PROGRAMS[number], compiled(number)
    for seed in range(3):
        generator = np.random.default_rng(1000 + seed)
        inputs = program_inputs(program, seed)
        moves = random_moves(labelled, generator)
        moved = [move(labelled, v, array, moves) for v, array in zip(labelled.inputs, inputs, strict=True)]
        before, after = function(*inputs), function(*moved)
        for value, array, result in zip(labelled.outputs, before, after, strict=True):
            assert value.shape == array.shape
            assert uniform_axes(value, array), f"not constant where labelled so: {value.axes}"
            assert same(move(labelled, value, array, moves), result), f"{value.axes}"


@pytest.mark.parametrize(
    "number",
    [i for i, p in enumerate(PROGRAMS) if p.free],
    ids=[p.name.replace(" ", "-") for p in PROGRAMS if p.free],
)
def test_ordinary_axes_stay_free(number):
    program, labelled = PROGRAMS[number], labelled_of(number)
    for k, axis in program.free:
        nodes = [node for node in terminals(labelled.inputs[k].axes[axis]) if isinstance(node, Node)]
        assert nodes, f"input {k}, axis {axis} is read entry by entry"
        assert not any(node.pin for node in nodes), f"input {k}, axis {axis}: {[node.pin for node in nodes]}"
    assert not labelled.interpreter.unknown


def test_every_rule_has_a_program():
    seen = set().union(*(primitives(body_of(i)) for i in range(len(PROGRAMS))))
    missing = set(RULES) - seen - set(EXEMPT)
    assert not missing, f"primitives with a rule and no program: {sorted(missing)}"


def test_programs_without_a_rule_hold_everything():
    unknown = {p.name for i, p in enumerate(PROGRAMS) if labelled_of(i).interpreter.unknown}
    assert unknown <= {
        "pool gradient",
        "device gather",
        "devices, and itself",
    }


def test_a_wrong_rule_is_seen(monkeypatch):
    """The control: with a reversal said to leave entries in place, the test above must fail."""
    monkeypatch.setitem(RULES, "rev", RULES["neg"])
    monkeypatch.setitem(arithmetic.UNARY, "rev", arithmetic.LINEAR)
    number = next(i for i, p in enumerate(PROGRAMS) if p.name == "reverse")
    with pytest.raises(AssertionError):
        check(number, label(PROGRAMS[number], body_of(number)))


@pytest.mark.parametrize(
    "name", ["largest, sign", "row of the largest, counted", "order, tied", "two largest, tied"]
)
def test_a_choice_among_equal_entries_is_seen(monkeypatch, name):
    """The control: where ties are said not to happen, the law must fail."""
    monkeypatch.setattr(Interpreter, "chooses", lambda interpreter, eqn: True)
    number = next(i for i, p in enumerate(PROGRAMS) if p.name == name)
    with pytest.raises(AssertionError):
        check(number, label(PROGRAMS[number], body_of(number)))


@pytest.mark.parametrize(
    "name", ["position as a number", "position before another", "position carried", "ranks"]
)
def test_a_position_used_as_a_number_is_seen(monkeypatch, name):
    """The control: where such a use holds nothing, the law must fail."""
    monkeypatch.setattr(
        points, "spend", lambda run, values: [setattr(value, "points", ()) for value in values]
    )
    number = next(i for i, p in enumerate(PROGRAMS) if p.name == name)
    with pytest.raises(AssertionError):
        check(number, label(PROGRAMS[number], body_of(number)))


@pytest.mark.parametrize("name", ["steps in order: decay", "steps in order: last", "sums on the way"])
def test_a_loop_that_needs_its_order_is_seen(monkeypatch, name):
    """The control: where every loop is said to take its steps in any order, the law must fail."""
    monkeypatch.setattr(control, "in_any_order", lambda loop: True)
    number = next(i for i, p in enumerate(PROGRAMS) if p.name == name)
    with pytest.raises(AssertionError):
        check(number, label(PROGRAMS[number], body_of(number)))
