"""Positions: whole numbers that move with the axis that they are positions along.

Each primitive that passes them on, or reads and writes at them, has a second rule for inputs that hold some. Everything
else uses them as numbers, which holds the axis.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geojax._program.walk import Rules
from geojax.symmetry.inference.labels.values import Value

if TYPE_CHECKING:
    from geojax.symmetry.inference.labels.interpreter import Interpreter

RULES = Rules()
rule = RULES.register
"""Registers a second rule, as `interpreter.rule` does a first one; it returns None if positions are used as numbers."""


def follow(run: "Interpreter", eqn: Any, inputs: Sequence[Value]) -> list[Value] | None:
    """The outputs of an equation that moves positions or reads at them; None if no input holds any.

    Also None if it uses them as numbers; then the axes that they point along are held.
    """
    if not any(value.points for value in inputs):
        return None
    handler = RULES.get(eqn.primitive.name)
    result = None if handler is None else handler(run, eqn, *inputs)
    if result is None:
        spend(run, inputs)
        return None
    return result if isinstance(result, list) else [result]


def spend(run: "Interpreter", values: Sequence[Value]) -> None:
    """Holds the axes that positions point along, since they are used as numbers."""
    for value in values:
        for pointer in value.points:
            if pointer is not None:
                run.pin(pointer.label, pointer.why)
        value.points = ()
