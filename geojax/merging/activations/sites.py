"""Where a network's units are written: the values before nonlinearities, and the leaves that scale and shift them.

The program is read once, on leaf names instead of arrays. A site is the end of a chain: the last value that is affine
in the leaves that write it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
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
    """A value whose statistics can be set: leaves are given with their axes in the order of ``units``."""

    units: tuple[int, ...]
    scales: tuple[Placed, ...]
    shift: Placed | None


@dataclasses.dataclass(frozen=True)
class Reading:
    """What reading a program found: sites by position, and standardisations."""

    sites: dict[int, Site]
    standardisations: tuple[Standardisation, ...]


def read(
    program: jaxprs.Body, shapes: Sequence[tuple[int, ...]], hidden: Sequence[frozenset[int]]
) -> Reading:
    """Finds the sites of a program whose first inputs are the leaves.

    Positions count the equations that are no calls, in the order in which they run. ``hidden`` holds for each leaf its
    axes of hidden units; only those are sites. A leaf that is read more than once, or that two sites would change,
    belongs to none.
    """
    reader = _Reader()
    given = [Info(_leaf(i, shape), frozenset([i])) for i, shape in enumerate(shapes)]
    inputs = [Info(data=True)] * (len(program.jaxpr.invars) - len(shapes))
    outputs = reader.walk(program, given + inputs)
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
    """Walks a program and keeps what it meets."""

    def walk(self, body: jaxprs.Body, infos: Sequence[Info]) -> list[Info]:
        env = dict(zip(body.jaxpr.invars, infos, strict=True))

        def known(var: Any) -> Info:
            return Info() if isinstance(var, jaxprs.Literal) else env.get(var, Info())

        for eqn in body.jaxpr.eqns:
            inputs = [known(var) for var in eqn.invars]
            inner = jaxprs.call(eqn)
            outputs = self.walk(inner, inputs) if inner is not None else self.step(eqn, inputs)
            env.update(zip(eqn.outvars, outputs, strict=True))
        return [known(var) for var in body.jaxpr.outvars]

    def step(self, eqn: Any, inputs: list[Info]) -> list[Info]:
        self.clock += 1
        rule = RULES.get(eqn.primitive.name)
        kind = rule(self, eqn, *inputs) if rule is not None else None
        leaves = frozenset().union(*(info.leaves for info in inputs))
        for info in inputs:
            if not isinstance(kind, Factor) and isinstance(info.kind, Factor):
                self.consume(info)
            if kind is None and isinstance(info.kind, Chain):
                self.consume(info)
        data = any(info.data for info in inputs)
        return [Info(kind if i == 0 else None, leaves, data, self.clock) for i in range(len(eqn.outvars))]
