"""Checks of arguments that are manifolds or functions on them, for every package that takes a manifold."""

from typing import Any, TypeVar

import jax

from geojax._core import checks
from geojax.manifolds.base.manifold import Manifold

M = TypeVar("M", bound=Manifold)


def check_manifold(where: str, manifold: Any, *operations: str, name: str = "manifold") -> None:
    """Raise TypeError unless the argument is a manifold that has the operations.

    The message says what was given, what is expected and what to write: an instance for a class, the other order for
    arguments that were swapped, and for a missing operation which spaces have it.
    """
    if not isinstance(manifold, Manifold):
        raise TypeError(
            f"{where}: {name} is {checks.described(manifold)}; expected a manifold. {_advice(manifold, name)}"
        )
    for operation in operations:
        if not hasattr(manifold, operation):
            raise TypeError(f"{where}: {name} needs {operation}. {manifold._without(operation)}")


def check_function(where: str, name: str, function: Any, call: str) -> None:
    """Raise TypeError unless the argument can be called; a manifold in its place means swapped arguments."""
    if isinstance(function, Manifold) or is_manifold_class(function):
        raise TypeError(
            f"{where}: {name} is {checks.described(function)}; expected a function. Swap the arguments: {call}."
        )
    if not callable(function):
        raise TypeError(
            f"{where}: {name} is {checks.described(function)}; expected a function. Pass it uncalled: {call}."
        )


def is_manifold_class(value: Any) -> bool:
    """Whether a value is a kind of manifold, not an instance of it."""
    return isinstance(value, type) and issubclass(value, Manifold)


def _advice(value: Any, name: str) -> str:
    if is_manifold_class(value):
        return f"Write {value.__name__}() with the parentheses."
    leaves = jax.tree.leaves(value, is_leaf=lambda leaf: isinstance(leaf, Manifold))
    if (
        leaves
        and not isinstance(value, str)
        and all(isinstance(leaf, Manifold) or is_manifold_class(leaf) for leaf in leaves)
    ):
        return "Join several spaces in Product."
    if isinstance(value, list | tuple | dict) or hasattr(value, "shape"):
        return f"Pass {name} first, such as Sphere(), and the points after it."
    return "Pass an instance, such as Sphere()."
