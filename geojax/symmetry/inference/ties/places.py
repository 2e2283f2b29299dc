"""The places of a program where it chooses among entries of which almost surely no two are equal."""

from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax._program.walk import Cursor, Place, walk
from geojax.symmetry.inference.labels.values import numbers_of
from geojax.symmetry.inference.ties import arrays, elementwise
from geojax.symmetry.inference.ties.spread import (
    Name,
    Reading,
    Spread,
    blurred,
    constant,
    overlap,
    spread,
    variable,
)

CHOICES = ("argmax", "argmin", "top_k", "sort")
RULES = {**elementwise.RULES, **arrays.RULES}


def untied(program: jaxprs.Body) -> frozenset[Place]:
    """The places of the choices that ties cannot disturb; floating-point inputs of the program are the variables."""
    if not jaxprs.primitives(program) & set(CHOICES):
        return frozenset()
    finder = Finder()
    finder.run(program, [finder.variable(var) for var in program.jaxpr.invars])
    return frozenset(place for place, free in finder.places.items() if free)


class Finder:
    """Runs a program on spreads.

    Attributes:
        places: For each choice, whether it was free of ties each time that it was met.
        cursor: Where the walk is.
        count: The number of variables.
    """

    def __init__(self):
        self.places: dict[Place, bool] = {}
        self.cursor = Cursor()
        self.count = 0

    def variable(self, var: Any) -> Spread:
        """A new variable, or an array of other numbers, of which nothing is known."""
        self.count += 1
        shape = jaxprs.shape(var)
        return variable(self.count, shape) if jaxprs.is_float(var) else Spread(shape)

    def run(self, program: jaxprs.Body, values: Sequence[Spread]) -> list[Spread]:
        """The spreads of a program's outputs."""
        return walk(
            program,
            values,
            self.step,
            constant=lambda number: constant(numbers_of(number), getattr(number, "shape", ())),
            unused=Spread(()),
            cursor=self.cursor,
        )

    def step(self, eqn: Any, values: list[Spread]) -> list[Spread]:
        """The spreads of the outputs of one equation."""
        name = eqn.primitive.name
        if name in CHOICES:
            place = (*self.cursor.place, id(eqn))
            self.places[place] = self.places.get(place, True) and values[0].differs(_axis(eqn))
        if name == "scan":
            return self.scan(eqn, values)
        if name == "cond":
            branches = [self.run(body, values[1:]) for body in jaxprs.branches(eqn)]
            return [
                blurred(outs[0].shape, [values[0], *outs], nonzero=all(out.nonzero for out in outs))
                for outs in zip(*branches, strict=True)
            ]
        if name == "while":
            return self.loop(eqn, values)
        rule = RULES.get(name)
        if rule is None or any(0 in value.shape for value in values):
            return elementwise.unknown(eqn, values)
        result = rule(eqn, *values)
        outputs = result if isinstance(result, list) else [result]
        pairs = zip(eqn.outvars, outputs, strict=True)
        return [elementwise.rounded(value) if elementwise.coarse(var) else value for var, value in pairs]

    def loop(self, eqn: Any, values: list[Spread]) -> list[Spread]:
        """Of what a loop carries only the variables are known that it may read: all of them."""
        parts = jaxprs.while_loop(eqn)
        split = parts.cond_consts + parts.body_consts
        carry = [blurred(value.shape, values) for value in values[split:]]
        self.run(parts.cond, [*values[: parts.cond_consts], *carry])
        self.run(parts.body, [*values[parts.cond_consts : split], *carry])
        return carry

    def scan(self, eqn: Any, values: list[Spread]) -> list[Spread]:
        """A step reads its own row of a scanned variable, which the carry has not met yet.

        A carry that starts without zeros is taken to stay so, and the body is run again if it does not.
        """
        parts = jaxprs.scan(eqn)
        split = parts.num_consts + parts.num_carry
        consts, inits, scanned = values[: parts.num_consts], values[parts.num_consts : split], values[split:]
        rows = self._rows(scanned, [*consts, *inits])
        carry = [blurred(value.shape, values, nonzero=value.nonzero) for value in inits]
        known = dict(self.places)
        while True:
            with self.cursor.inside(eqn):
                outs = self.run(parts.body, [*consts, *carry, *rows])
            stays = [out.nonzero or not value.nonzero for out, value in zip(outs, carry, strict=False)]
            if all(stays):
                break
            self.places = dict(known)
            carry = [
                blurred(value.shape, values, nonzero=value.nonzero and stay)
                for value, stay in zip(carry, stays, strict=True)
            ]
        stacked = [
            blurred(jaxprs.shape(var), values, nonzero=out.nonzero)
            for var, out in zip(eqn.outvars[parts.num_carry :], outs[parts.num_carry :], strict=True)
        ]
        return [*carry, *stacked]

    def _rows(self, scanned: Sequence[Spread], others: Sequence[Spread]) -> list[Spread]:
        """One row of each scanned array; the parts that a step alone reads are variables of their own."""
        outside = [name for value in others for name in value.readings]
        inside = [(name, dict(r.axes).get(0)) for value in scanned for name, r in value.readings.items()]
        fresh: dict[Name, Name] = {}
        for name, axis in inside:
            alone = all(other == (name, axis) for other in inside if overlap(other[0], name))
            if axis is not None and alone and not any(overlap(other, name) for other in outside):
                self.count += 1
                fresh[name] = (self.count, ())
        rows = []
        for value in scanned:
            readings = {
                fresh.get(name, name): Reading(
                    tuple((axis - 1, other) for axis, other in r.axes if axis), r.low, r.high, r.loose
                )
                for name, r in value.readings.items()
            }
            rows.append(
                spread(
                    value.shape[1:],
                    readings,
                    nonzero=value.nonzero,
                    positive=value.positive,
                    distinct=[axis - 1 for axis in value.distinct if axis],
                    flat=[axis - 1 for axis in value.flat if axis],
                )
            )
        return rows


def _axis(eqn: Any) -> int:
    """The axis along which an equation chooses."""
    rank = len(jaxprs.shape(eqn.invars[0]))
    if eqn.primitive.name in ("argmax", "argmin"):
        return eqn.params["axes"][0]
    return eqn.params.get("dimension" if eqn.primitive.name == "sort" else "axis", -1) % rank
