"""Bounds through loops and branches whose course depends on no interval."""

from typing import Any

import jax
import jax.numpy as jnp

from geojax._core.loops import vary_with
from geojax._program import jaxprs
from geojax.metanets.makers.boxes import RULES, Box, ends, known, plain


def _kind(value: Any) -> int:
    """0 for an exact array, 1 for bounds of something known, 2 for bounds alone."""
    return 0 if not isinstance(value, Box) else 1 if known(value) else 2


def _promoted(value: Any, kind: int) -> Any:
    """The value in a form of a later kind."""
    if _kind(value) == kind:
        return value if isinstance(value, Box) else jnp.asarray(value)
    return Box(*ends(value), plain(value) if kind == 1 else None)


def _settled(step: Any, carry: list[Any]) -> tuple[list[Any], list[int]]:
    """The carry in forms that a step keeps, and the kinds of these forms."""
    kinds = [_kind(value) for value in carry]
    while True:
        start = [_promoted(value, kind) for value, kind in zip(carry, kinds, strict=True)]
        ended = jax.eval_shape(step, start)
        raised = [max(kind, _kind(value)) for kind, value in zip(kinds, ended, strict=True)]
        if raised == kinds:
            return start, kinds
        kinds = raised


def _cast(values: list[Any], kinds: list[int]) -> list[Any]:
    return [_promoted(value, kind) for value, kind in zip(values, kinds, strict=True)]


@RULES.register("scan")
def _scan(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    parts = jaxprs.scan(eqn)
    consts = values[: parts.num_consts]
    carry = values[parts.num_consts : parts.num_consts + parts.num_carry]
    rows = [_promoted(row, _kind(row)) for row in values[parts.num_consts + parts.num_carry :]]
    first = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape[1:], array.dtype), rows)

    def run_body(now: list[Any], row: list[Any]) -> list[Any]:
        return run(parts.body, [*consts, *now, *row])

    start, kinds = _settled(lambda now: jax.eval_shape(run_body, now, first)[: parts.num_carry], carry)

    def step(now: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
        outs = run_body(now, row)
        return _cast(outs[: parts.num_carry], kinds), outs[parts.num_carry :]

    end, stacked = jax.lax.scan(step, vary_with(start, values), rows, parts.length, parts.reverse)
    return [*end, *stacked]


@RULES.register("while")
def _while(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    parts = jaxprs.while_loop(eqn)
    tested, consts = values[: parts.cond_consts], values[parts.cond_consts :][: parts.body_consts]
    carry = values[parts.cond_consts + parts.body_consts :]

    def step(now: list[Any]) -> list[Any]:
        return run(parts.body, [*consts, *now])

    start, kinds = _settled(step, carry)

    def goes_on(now: list[Any]) -> Any:
        (answer,) = run(parts.cond, [*tested, *now])
        return plain(answer) if known(answer) else run.refuse(eqn, "ends when a number with bounds says so")

    return jax.lax.while_loop(goes_on, lambda now: _cast(step(now), kinds), vary_with(start, values))


@RULES.register("cond")
def _cond(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    index, operands = values[0], [_promoted(value, _kind(value)) for value in values[1:]]
    if not known(index):
        return run.refuse(eqn, "branches on a number with bounds")
    branches = jaxprs.branches(eqn)
    shapes = [jax.eval_shape(lambda ops, body=body: run(body, ops), operands) for body in branches]
    kinds = [max(map(_kind, outs)) for outs in zip(*shapes, strict=True)]
    functions = [lambda ops, body=body: _cast(run(body, ops), kinds) for body in branches]
    which = jnp.asarray(plain(index))
    return jax.lax.switch(which.astype(jnp.int32), functions, operands)
