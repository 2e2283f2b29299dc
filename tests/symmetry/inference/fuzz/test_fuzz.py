"""`infer` on random programs: every group that it finds is one, and every symmetry that it misses has a pin.

The default tier runs three twentieths of the programs, the tests marked `full` the rest. GEOJAX_FUZZ_SEED draws other
programs, GEOJAX_FUZZ_PROGRAMS another number of them, all of which the default tier then runs.
"""

import collections
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from tests.symmetry.inference import oracle
from tests.symmetry.inference.fuzz.generate import generate
from tests.symmetry.inference.fuzz.judge import TOLERANCE, false_symmetry, minimal, missed_symmetries

SEED = int(os.environ.get("GEOJAX_FUZZ_SEED", "0"))
PROGRAMS = int(os.environ.get("GEOJAX_FUZZ_PROGRAMS", "1000"))
CHUNKS = 20
DEFAULT = CHUNKS if "GEOJAX_FUZZ_PROGRAMS" in os.environ else 3
SHOWN = 3

chunks = pytest.mark.parametrize(
    "chunk", [pytest.param(i, marks=() if i < DEFAULT else pytest.mark.full) for i in range(CHUNKS)]
)


@functools.cache
def programs(chunk):
    """One program out of twenty, with its spec."""
    seeds = range(SEED * PROGRAMS + chunk, (SEED + 1) * PROGRAMS, CHUNKS)
    return [(program, inferred(program)) for program in map(generate, seeds)]


def inferred(program):
    params, inputs = program.draw(np.random.default_rng(0))
    try:
        return gj.symmetry.infer(program.apply, params, inputs, verify=False)
    except Exception as error:
        raise AssertionError(f"infer fails on\n{program}") from error


def report(title, findings, judge):
    """The first few findings, each on the smallest program that shows it, with its jaxpr."""
    lines = [f"{title} in programs {[finding.program.seed for finding in findings]}"]
    for finding in findings[:SHOWN]:
        program = minimal(finding.program, lambda part: bool(judge(part, inferred(part))))
        params, inputs = program.draw(np.random.default_rng(0))
        lines += [str(judge(program, inferred(program))), str(jax.make_jaxpr(program.apply)(params, inputs))]
    return "\n".join(lines)


def silently_missed(program, spec):
    return next((one for one in missed_symmetries(program, spec) if one.silent), None)


@chunks
def test_no_group_changes_any_program(chunk):
    verdicts = [false_symmetry(program, spec) for program, spec in programs(chunk)]
    wrong = [verdict for verdict in verdicts if verdict]
    assert not wrong, report("false symmetries", wrong, false_symmetry)


@chunks
def test_missed_permutation_is_pinned_by_name(chunk):
    missed = [one for program, spec in programs(chunk) for one in missed_symmetries(program, spec)]
    groups = sum(group.kind == PERMUTATION for _, spec in programs(chunk) for group in spec.groups.values())
    counts = collections.Counter(
        "silent" if one.silent else "tied" if one.tied else "pinned" for one in missed
    )
    print(f"{groups} permutation groups found in {len(programs(chunk))} programs; missed: {dict(counts)}")
    silent = [one for one in missed if one.silent]
    assert not silent, report("symmetries missed without a pin", silent, silently_missed)


def test_many_programs_have_symmetries():
    """Programs without any would make a judge out of nothing."""
    specs = [spec for _, spec in programs(0)]
    permuted = [any(g.kind == PERMUTATION and g.size > 1 for g in spec.groups.values()) for spec in specs]
    nested = [any(g.parents for g in spec.groups.values()) for spec in specs]
    pinned = [any(pin.primitive not in ("input", "output") for pin in spec.pins) for spec in specs]
    assert np.mean(permuted) > 0.4
    assert np.mean(nested) > 0.05
    assert np.mean(pinned) > 0.4


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_numpy_runs_the_same_program_as_jax(seed):
    program = generate(seed)
    params, inputs = program.draw(np.random.default_rng(0))
    outputs, _ = program.judge(params, inputs)
    got = jax.jit(program.apply)(*jax.tree.map(jnp.asarray, (params, inputs)))
    for a, b in zip(got, outputs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(0, 100, 20))
def test_act_agrees_with_the_numpy_action(seed):
    program, spec = programs(0)[seed // 20]
    params, _ = program.draw(np.random.default_rng(0))
    element = oracle.random_element(spec, np.random.default_rng(1))
    got = gj.symmetry.act(spec, element, jax.tree.map(jnp.asarray, params))
    for path, leaf in oracle.act(spec, element, params).items():
        np.testing.assert_allclose(got[path], leaf, rtol=TOLERANCE, atol=TOLERANCE)


def test_judge_refuses_groups_that_are_none():
    """Some axis of some leaf moved alone: nearly always wrong, and then noticed."""
    refused = []
    for seed in range(100):
        program = generate(seed)
        shapes = program.shapes("leaf")
        name, shape = next((name, shape) for name, shape in shapes.items() if max(shape) > 1)
        axis = int(np.argmax(shape))
        group = Group(PERMUTATION, shape[axis], axis="g")
        leaves = []
        for path, sizes in shapes.items():
            parts = [Part(n, k) for k, n in enumerate(sizes)]
            if path == name:
                parts[axis] = Part(shape[axis], axis, "g", (("g", 1),))
            leaves.append(Leaf(path, sizes, Block(tuple(parts))))
        refused.append(false_symmetry(program, SymmetrySpec((("g", group),), tuple(leaves))) is not None)
    assert np.mean(refused) > 0.6
