"""The one walk over a program: its equations in order, with calls entered and every variable's value at hand.

What a value is (an array, a label, the name of a leaf) and what an equation does to values is up to the caller, who
gives ``step(eqn, values) -> values``. Equations whose results no needed output uses are skipped.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from geojax._program import jaxprs

V = TypeVar("V")
Rule = TypeVar("Rule", bound=Callable[..., Any])
Place = tuple[int, ...]
"""Where an equation stands: the identities of the equations that lead to it through calls and scans, and its own."""


@dataclasses.dataclass
class Cursor:
    """Where a walk is.

    Attributes:
        place: The calls and scans that the walk is inside of.
        position: Number of the equation at hand; calls are not counted, only the equations inside them.
        wanted: Which outputs of the equation at hand the program uses.
        callers: The equations of the calls that the walk is inside of, from the outermost.
    """

    place: Place = ()
    position: int = -1
    wanted: Sequence[bool] = ()
    callers: tuple[Any, ...] = ()

    @contextlib.contextmanager
    def inside(self, eqn: Any) -> Iterator[None]:
        """Notes for a while that the walk is inside an equation."""
        before = self.place, self.callers
        self.place, self.callers = (*self.place, id(eqn)), (*self.callers, eqn)
        try:
            yield
        finally:
            self.place, self.callers = before


def walk(
    program: jaxprs.Body,
    arguments: Sequence[V],
    step: Callable[[Any, list[V]], list[V]],
    *,
    constant: Callable[[Any], V],
    unused: V,
    cursor: Cursor | None = None,
    needed: Sequence[bool] | None = None,
    solves: bool = False,
) -> list[V]:
    """The values of a program's outputs.

    Args:
        program: The program.
        arguments: The values of its inputs.
        step: The values of an equation's outputs from those of its inputs; not asked about calls, which are entered.
        constant: The value of a constant or literal number.
        unused: The value of a variable that nothing computes because no needed output uses it.
        cursor: Is moved along; look at it inside ``step``.
        needed: Which outputs are needed; by default all.
        solves: Whether ``step`` reads a linear system by its matrix, so that the factors of that are not needed.
    """
    cursor = Cursor() if cursor is None else cursor
    known = {v: constant(value) for v, value in zip(program.jaxpr.constvars, program.consts, strict=True)}
    known.update(zip(program.jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> V:
        return constant(jaxprs.number(atom)) if isinstance(atom, jaxprs.Literal) else known.get(atom, unused)

    for eqn, wanted in jaxprs.live(program, needed, solves=solves).equations:
        values = [read(atom) for atom in eqn.invars]
        body = jaxprs.call(eqn)
        if body is None:
            cursor.position += 1
            cursor.wanted = wanted
            outputs = step(eqn, values)
        else:
            with cursor.inside(eqn):
                outputs = walk(
                    body,
                    values,
                    step,
                    constant=constant,
                    unused=unused,
                    cursor=cursor,
                    needed=wanted,
                    solves=solves,
                )
        known.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in program.jaxpr.outvars]


class Rules(dict[str, Callable[..., Any]]):
    """The rules of one purpose: {name of a primitive: function}. The steps of a walk look them up."""

    def register(self, *names: str) -> Callable[[Rule], Rule]:
        """A decorator that makes a function the rule of one or more primitives."""

        def keep(function: Rule) -> Rule:
            self.update(dict.fromkeys(names, function))
            return function

        return keep
