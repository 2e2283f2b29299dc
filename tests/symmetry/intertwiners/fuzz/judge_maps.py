"""Is what `equivariance` says of a planted function true, and does it say what was planted?

Actions are those of the oracle in numpy, in float64; nothing of the library but the specs is used.
"""

import dataclasses

import jax
import numpy as np

from geojax import symmetry
from geojax.symmetry.action.groups import MATRIX_KINDS, PERMUTATION
from tests.symmetry.inference import oracle
from tests.symmetry.intertwiners.fuzz.planted import Planted

TOLERANCE = 1e-7


@dataclasses.dataclass
class Verdict:
    """What became of one planted group: found, smaller (a subgroup was found), held (with a reason), or silent."""

    seed: int
    name: str
    fate: str
    reasons: tuple[str, ...] = ()


def false_groups(program: Planted, found: symmetry.Equivariance, random: np.random.Generator) -> list[str]:
    """The groups that do not hold: f(g x) differs from g f(x)."""
    x = program.draw(random)
    out = program.run(x)
    wrong = []
    for name, member in oracle.random_element(found.domain, random).items():
        g = {name: member}
        if difference(program.run(acted(found.domain, g, x)), acted(found.codomain, g, out)) > TOLERANCE:
            wrong.append(name)
    return wrong


def verdicts(program: Planted, found: symmetry.Equivariance, random: np.random.Generator) -> list[Verdict]:
    """What became of each planted group that moves an input."""
    x = program.draw(random)
    out = program.run(x)
    domain, codomain = program.declared()
    answers = []
    for name, group in domain.groups.items():
        member = oracle.random_element(domain, random)[name]
        moved = acted(domain, {name: member}, x)
        still = acted(codomain, {name: member}, out) if name in codomain.groups else out
        assert difference(program.run(moved), still) < TOLERANCE, f"{name} was not planted in\n{program}"
        inside, outside = places(domain, found.domain, name), places(codomain, found.codomain, name)
        kinds = (PERMUTATION,) if group.kind == PERMUTATION else MATRIX_KINDS
        element = _element(found, inside, outside, member, kinds)
        if (
            difference(acted(found.domain, element, x), moved) < TOLERANCE
            and difference(acted(found.codomain, element, out), still) < TOLERANCE
        ):
            answers.append(Verdict(program.seed, name, "found"))
            continue
        reasons = tuple(
            f"{pin.primitive}: {pin.reason}"
            for spec, where in ((found.domain, inside), (found.codomain, outside))
            for pin in spec.pins
            if (pin.path, pin.axis) in where
        )
        fate = "held" if reasons else "smaller" if group.kind != PERMUTATION else "silent"
        answers.append(Verdict(program.seed, name, fate, reasons))
    return answers


def acted(spec: symmetry.SymmetrySpec, g: dict, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays moved, in the order of the spec's leaves."""
    paths = [leaf.path for leaf in spec.leaves]
    moved = oracle.act(spec, g, dict(zip(paths, arrays, strict=True)))
    return [moved[path] for path in paths]


def places(declared: symmetry.SymmetrySpec, found: symmetry.SymmetrySpec, name: str) -> set[tuple[str, int]]:
    """The axes that a planted group moves, under the paths that the found spec has for the leaves."""
    paths = {one.path: two.path for one, two in zip(declared.leaves, found.leaves, strict=True)}
    return {(paths[leaf.path], part.axis) for leaf, _, part in declared.occurrences(name)}


def _element(found, inside, outside, member, kinds):
    """The element of the found groups that has a planted member on every axis on which it was planted."""
    return {
        name: np.broadcast_to(member, group.shape)
        for spec, where in ((found.domain, inside), (found.codomain, outside))
        for name, group in found.groups.items()
        if group.kind in kinds and group.size == member.shape[-1]
        if any((leaf.path, part.axis) in where for leaf, _, part in spec.occurrences(name))
    }


def difference(one, two) -> float:
    """Largest difference relative to the values, or to one."""
    return max(
        float(np.max(np.abs(a - b)) / max(1.0, float(np.max(np.abs(a)))))
        for a, b in zip(
            map(np.asarray, jax.tree.leaves(one)), map(np.asarray, jax.tree.leaves(two)), strict=True
        )
    )
