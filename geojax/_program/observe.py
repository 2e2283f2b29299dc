"""Running a program on arrays and keeping what its products read."""

from collections.abc import Collection, Sequence
from typing import Any

import jax
from jaxtyping import Array

from geojax._core.loops import vary_with
from geojax._program import jaxprs

Place = tuple[int, ...]


def observe(
    program: jaxprs.Body, arguments: Sequence[Any], places: Collection[Place]
) -> dict[Place, list[Array]]:
    """The inputs of the equations at ``places``; inside a scan they are stacked over its steps.

    A place is the path of equations, by identity, that leads to an equation through calls and scans.
    """
    seen: dict[Place, list[Array]] = {}
    _run(program, list(arguments), (), frozenset(places), seen, None)
    return seen


def _run(
    program: jaxprs.Body,
    arguments: list[Any],
    place: Place,
    wanted: frozenset[Place],
    seen: dict[Place, list[Array]],
    needed: Sequence[bool] | None,
) -> list[Any]:
    env: dict[Any, Any] = dict(zip(program.jaxpr.constvars, program.consts, strict=True))
    env.update(zip(program.jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jaxprs.Literal) else env.get(atom)

    for eqn, used in jaxprs.live(program, needed).equations:
        values = [read(atom) for atom in eqn.invars]
        here = (*place, id(eqn))
        body = jaxprs.call(eqn)
        if here in wanted:
            seen[here] = values
        if body is not None:
            outputs = _run(body, values, here, wanted, seen, used)
        elif eqn.primitive.name == "scan" and any(key[: len(here)] == here for key in wanted):
            outputs = _scan(eqn, values, here, wanted, seen)
        else:
            outputs = jaxprs.evaluate(eqn, values)
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in program.jaxpr.outvars]


def _scan(
    eqn: Any, values: list[Any], place: Place, wanted: frozenset[Place], seen: dict[Place, list[Array]]
) -> list[Any]:
    parts = jaxprs.scan(eqn)
    split = parts.num_consts + parts.num_carry

    def step(
        carry: list[Any], rows: list[Any]
    ) -> tuple[list[Any], tuple[list[Any], dict[Place, list[Array]]]]:
        inside: dict[Place, list[Array]] = {}
        arguments = [*values[: parts.num_consts], *carry, *rows]
        outs = _run(parts.body, arguments, place, wanted, inside, None)
        return outs[: parts.num_carry], (outs[parts.num_carry :], inside)

    start = vary_with(values[parts.num_consts : split], values)
    final, (stacked, inside) = jax.lax.scan(
        step, start, values[split:], length=parts.length, reverse=parts.reverse
    )
    seen.update(inside)
    return [*final, *stacked]
