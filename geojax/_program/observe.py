"""Running a program on arrays and keeping the arrays that certain equations read."""

from collections.abc import Collection, Sequence
from typing import Any

import jax
from jaxtyping import Array

from geojax._core.loops import vary_with
from geojax._program import jaxprs
from geojax._program.walk import Cursor, Place, walk


def observe(
    program: jaxprs.Body, arguments: Sequence[Any], places: Collection[Place]
) -> dict[Place, list[Array]]:
    """The inputs of the equations at ``places``; those of an equation inside a scan are stacked over its steps."""
    kept: dict[Place, list[Array]] = {}
    _run(program, arguments, frozenset(places), kept, Cursor())
    return kept


def _run(
    program: jaxprs.Body,
    arguments: Sequence[Any],
    places: frozenset[Place],
    kept: dict[Place, list[Array]],
    cursor: Cursor,
) -> list[Any]:
    def step(eqn: Any, values: list[Any]) -> list[Any]:
        here = (*cursor.place, id(eqn))
        if here in places:
            kept[here] = values
        if eqn.primitive.name == "scan" and any(place[: len(here)] == here for place in places):
            return _scan(eqn, values, places, kept, here)
        return jaxprs.evaluate(eqn, values)

    return walk(program, arguments, step, constant=lambda number: number, unused=None, cursor=cursor)


def _scan(
    eqn: Any, values: list[Any], places: frozenset[Place], kept: dict[Place, list[Array]], here: Place
) -> list[Any]:
    parts = jaxprs.scan(eqn)
    split = parts.num_consts + parts.num_carry

    def step(
        carry: list[Any], rows: list[Any]
    ) -> tuple[list[Any], tuple[list[Any], dict[Place, list[Array]]]]:
        inside: dict[Place, list[Array]] = {}
        arguments = [*values[: parts.num_consts], *carry, *rows]
        outs = _run(parts.body, arguments, places, inside, Cursor(here))
        return outs[: parts.num_carry], (outs[parts.num_carry :], inside)

    start = vary_with(values[parts.num_consts : split], values)
    final, (stacked, inside) = jax.lax.scan(
        step, start, values[split:], length=parts.length, reverse=parts.reverse
    )
    kept.update(inside)
    return [*final, *stacked]
