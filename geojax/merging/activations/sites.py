"""Where a program computes its units: the values before nonlinearities, and the leaves that scale and shift them.

The program is read once, on the names of leaves instead of arrays. A site is the end of a chain: the last value that
is an affine function of the leaves from which it is computed.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax._program.walk import walk
from geojax.merging.activations.chain_rules import RULES
from geojax.merging.activations.chains import (
    Chain,
    Factor,
    Info,
    Ledger,
    Placed,
    Standardisation,
    Term,
    placed,
)


@dataclasses.dataclass(frozen=True)
class Site:
    """A value whose statistics can be set through leaves; the axes of each leaf are in the order of ``units``."""

    units: tuple[int, ...]
    scales: tuple[Placed, ...]
    shift: Placed | None


@dataclasses.dataclass(frozen=True)
class Reading:
    """The sites of a program by their position, and its standardisations."""

    sites: dict[int, Site]
    standardisations: tuple[Standardisation, ...]


def read(
    program: jaxprs.Body, shapes: Sequence[tuple[int, ...]], hidden: Sequence[frozenset[int]]
) -> Reading:
    """Finds the sites of a program whose first inputs are the leaves.

    Positions are those of `geojax._program.walk.Cursor`. ``hidden`` holds for each leaf its axes of hidden units; only
    values along such axes are sites. A leaf that the program reads more than once, or that two sites would change,
    belongs to no site.
    """
    reader = _Reader()
    given = [Info(_leaf(i, shape), frozenset([i])) for i, shape in enumerate(shapes)]
    inputs = [Info(data=True)] * (len(program.jaxpr.invars) - len(shapes))
    outputs = reader.run(program, given + inputs)
    for info in outputs:
        reader.consume(info)
    taken: set[int] = set()
    sites = {}
    for position in sorted(reader.ends):
        site = _site(reader.ends[position])
        if site is None or not any(set(axes) & hidden[leaf] for leaf, axes in site.scales):
            continue
        changed = {leaf for leaf, _ in site.scales}
        if not changed & taken and all(reader.reads[leaf] == 1 for leaf in changed):
            sites[position] = site
            taken |= changed
    once = [s for s in reader.standardisations if reader.reads[s.mean[0]] == reader.reads[s.variance[0]] == 1]
    return Reading(sites, tuple(once))


def _leaf(number: int, shape: tuple[int, ...]) -> Factor:
    return Factor((Term(number, tuple(axis if n > 1 else None for axis, n in enumerate(shape))),))


def _site(chain: Chain) -> Site | None:
    if not chain.scales:
        return None
    scales = tuple(placed(term, chain.units) for term in chain.scales)
    return Site(chain.units, scales, None if chain.shift is None else placed(chain.shift, chain.units))


class _Reader(Ledger):
    """Walks a program on what is known of each value, and keeps where chains end."""

    def run(self, program: jaxprs.Body, infos: Sequence[Info]) -> list[Info]:
        """What is known of the program's outputs."""
        return walk(
            program, infos, self.step, constant=lambda number: Info(), unused=Info(), cursor=self.cursor
        )

    def step(self, eqn: Any, inputs: list[Info]) -> list[Info]:
        """What is known of an equation's outputs."""
        rule = RULES.get(eqn.primitive.name)
        kind = rule(self, eqn, *inputs) if rule is not None else None
        leaves = frozenset().union(*(info.leaves for info in inputs))
        for info in inputs:
            if not isinstance(kind, Factor) and isinstance(info.kind, Factor):
                self.consume(info)
            if kind is None and isinstance(info.kind, Chain):
                self.consume(info)
        data = any(info.data for info in inputs)
        position = self.cursor.position
        return [Info(kind if i == 0 else None, leaves, data, position) for i in range(len(eqn.outvars))]
