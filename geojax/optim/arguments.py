"""Checks of the arguments that optax transformations are made from."""

from typing import Any

from geojax._core import checks


def check_transformation(where: str, name: str, value: Any) -> None:
    """Raise unless a value is an optax transformation, and not a learning rate or the function that makes one."""
    if not (hasattr(value, "init") and hasattr(value, "update")):
        raise TypeError(
            f"{where}: {name} is {checks.described(value)}; expected an optax transformation. "
            "Call its maker first, as in optax.adam(1e-3)."
        )


def check_learning_rate(where: str, value: Any) -> None:
    """Raise unless a value is a number or a schedule."""
    if not callable(value) or isinstance(value, type):
        (value,) = checks.floats(where, learning_rate=value)
        checks.shapes(where, learning_rate=(value, ""))
