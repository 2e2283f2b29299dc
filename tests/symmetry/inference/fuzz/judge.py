"""Verdicts on a spec of a fuzz program, by numpy alone: is each group a symmetry, and which symmetry was missed?"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from tests.symmetry.inference import oracle
from tests.symmetry.inference.fuzz.program import Arrays, Program

TOLERANCE = 1e-9
DRAWS = 3
MOST_AXES = 6

Axis = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class FalseSymmetry:
    """A group that is none of the program, and what is wrong with it."""

    program: Program
    spec: SymmetrySpec
    group: str
    reason: str

    def __str__(self) -> str:
        return f"{self.group}: {self.reason}\n{self.program}\n{self.spec}"


@dataclasses.dataclass(frozen=True)
class Missed:
    """Leaf axes that every permutation may move together, though no group of the spec does."""

    program: Program
    spec: SymmetrySpec
    axes: tuple[Axis, ...]

    @property
    def pinned(self) -> bool:
        """Whether the spec says why one of the axes is held."""
        return any((pin.path, pin.axis) in self.axes for pin in self.spec.pins)

    @property
    def tied(self) -> bool:
        """Whether groups move these axes after all: with others that need not move along, or factor by factor."""
        return all(_movers(self.spec, path, axis, whole=False) for path, axis in self.axes)

    @property
    def silent(self) -> bool:
        return not self.pinned and not self.tied

    def __str__(self) -> str:
        names = " ".join(f"{path}[{axis}]" for path, axis in self.axes)
        return f"{names} may be permuted together\n{self.program}\n{self.spec}"


def change(program: Program, params: Arrays, moved: Arrays, inputs: Arrays) -> float:
    """Largest change of an output relative to that output's largest value; what survives longer floats, if in doubt."""
    ordinary = _change(program, params, moved, inputs)
    if not TOLERANCE < ordinary < 1e-3:
        return ordinary
    longer = lambda arrays: {name: array.astype(np.longdouble) for name, array in arrays.items()}
    real = {name: array for name, array in inputs.items() if array.dtype.kind == "f"}
    try:
        return _change(program, longer(params), longer(moved), inputs | longer(real))
    except TypeError:
        return ordinary


def _change(program: Program, params: Arrays, moved: Arrays, inputs: Arrays) -> float:
    before, _ = program.judge(params, inputs)
    after, _ = program.judge(moved, inputs)
    largest = 0.0
    for a, b in zip(before, after, strict=True):
        scale = max(float(np.max(np.abs(a))), 1e-6)
        largest = max(largest, float(np.max(np.abs(np.asarray(a) - b))) / scale)
    return largest


def false_symmetry(program: Program, spec: SymmetrySpec) -> FalseSymmetry | None:
    """The first group found that is no symmetry, tried on several parameters, inputs and elements."""
    random = np.random.default_rng([program.seed, 1])
    for _ in range(DRAWS):
        params, inputs = program.draw(random)
        if _wrong(program, spec, oracle.random_element(spec, random), params, inputs):
            for name in spec.groups:
                for _ in range(DRAWS):
                    one = {name: oracle.random_element(spec, random)[name]}
                    wrong = _wrong(program, spec, one, params, inputs)
                    if wrong:
                        return FalseSymmetry(program, spec, name, wrong)
            return FalseSymmetry(program, spec, "all groups together", "each alone is sound")
    return None


def minimal(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The smallest part of a failing program, with one value as output, that fails as well."""
    parts = [program.cut(i) for i, source in enumerate(program.sources) if source[0] == "step"]
    for part in sorted(parts, key=lambda part: len(part.steps)):
        if len(part.steps) < len(program.steps) and part.shapes("leaf") and fails(part):
            return part
    return program


def _wrong(program, spec, element, params, inputs) -> str:
    """What is wrong with an element, or nothing."""
    try:
        by = change(program, params, oracle.act(spec, element, params), inputs)
    except oracle.Malformed as error:
        return str(error)
    return "" if by < TOLERANCE else f"changes the outputs by {by:.1e}"


def missed_symmetries(program: Program, spec: SymmetrySpec) -> list[Missed]:
    """Sets of leaf axes of one size that all permutations may move together, and that no groups of the spec move so.

    Tried on every set of at most `MOST_AXES` axes of leaves that the program reads: first one transposition, then a
    rotation, which together generate the symmetric group. Only minimal sets are looked at.
    """
    read = {leaf.path for leaf in spec.leaves if leaf.read}
    by_size: dict[int, list[Axis]] = {}
    for leaf in spec.leaves:
        if leaf.path in read:
            for axis, n in enumerate(leaf.shape):
                by_size.setdefault(n, []).append((leaf.path, axis))
    missed = []
    for n, axes in by_size.items():
        if n < 2 or len(axes) > MOST_AXES:
            continue
        found: list[frozenset[Axis]] = []
        for count in range(1, len(axes) + 1):
            for chosen in itertools.combinations(axes, count):
                if any(one <= set(chosen) for one in found):
                    continue
                if _symmetric(program, chosen, n):
                    found.append(frozenset(chosen))
                    if not covered(spec, chosen):
                        missed.append(Missed(program, spec, chosen))
    return missed


def _symmetric(program: Program, axes: tuple[Axis, ...], n: int) -> bool:
    random = np.random.default_rng([program.seed, 2])
    swap = np.array([1, 0, *range(2, n)])
    for order in (swap, np.roll(np.arange(n), 1)):
        for _ in range(DRAWS):
            params, inputs = program.draw(random)
            moved = dict(params)
            for path, axis in axes:
                moved[path] = np.take(moved[path], order, axis)
            if not change(program, params, moved, inputs) < TOLERANCE:
                return False
    return True


def covered(spec: SymmetrySpec, axes: tuple[Axis, ...]) -> bool:
    """Whether groups of the spec move exactly these axes, each as a whole."""
    movers = [_movers(spec, path, axis, whole=True) for path, axis in axes]
    moved = {
        (leaf.path, part.axis) for name in set().union(*movers) for leaf, _, part in spec.occurrences(name)
    }
    return all(movers) and moved <= set(axes)


def _movers(spec: SymmetrySpec, path: str, axis: int, *, whole: bool) -> set[str]:
    """The permutation groups that move this axis, as a whole or in parts; none if some part of it stays."""
    leaf = next(leaf for leaf in spec.leaves if leaf.path == path)
    groups: set[str] = set()
    for block in blocks(leaf.layout):
        parts = [part for part in block.parts if part.axis == axis and part.size > 1]
        if any(part.name not in spec.groups or (whole and part.size != leaf.shape[axis]) for part in parts):
            return set()
        groups.update(part.name for part in parts)
    return groups
