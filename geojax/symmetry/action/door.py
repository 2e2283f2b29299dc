"""What the functions on specs accept: each argument is checked for its kind before anything is computed.

Every message names the function, the argument, what was given, what is expected and what to write. ``call`` is the
call as it should be written, such as "act(spec, element, params)".
"""

import types
from collections.abc import Mapping
from typing import Any

from geojax._core import checks
from geojax.symmetry.action.spec import SymmetrySpec


def check_spec(call: str, spec: Any) -> None:
    """Checks that ``spec`` is a `SymmetrySpec`.

    Raises:
        TypeError: For the class itself, a result, a function, a tree of parameters or anything else.
    """
    if not isinstance(spec, SymmetrySpec):
        raise TypeError(
            f"{_name(call)}: spec is {checks.described(spec)}; expected a SymmetrySpec, as "
            f"infer(apply, params, *inputs) returns it. Write {call}."
        )


def check_mapping(call: str, element: Any, *, name: str = "element") -> None:
    """Checks that an element is a dict, before its arrays are looked at.

    Raises:
        TypeError: For a result that holds an element, a spec, an array or anything else.
    """
    if hasattr(element, "element"):
        raise TypeError(
            f"{_name(call)}: {name} is {checks.described(element)}; expected an element, a dict {{group name: array}}. "
            f"Write match.element instead of match."
        )
    if isinstance(element, SymmetrySpec) or not isinstance(element, Mapping):
        raise TypeError(
            f"{_name(call)}: {name} is {checks.described(element)}; expected an element, a dict {{group name: array}}, "
            f"as identity(spec) and random_element(spec, key) make it. Write {call}."
        )


def check_params(call: str, spec: SymmetrySpec, params: Any) -> None:
    """Checks that ``params`` is a tree that fits the spec.

    Raises:
        TypeError: If it is a function, a spec or a result.
        ValueError: If a leaf is missing, unexpected, of another shape or not an array.
    """
    check_tree(call, params)
    spec.check(params)


def check_tree(call: str, params: Any) -> None:
    """Checks that ``params`` may be a tree of parameters: not a function, a class, a spec or a result."""
    plain = isinstance(params, types.FunctionType | types.MethodType | types.BuiltinFunctionType | type)
    if (
        plain
        or isinstance(params, SymmetrySpec)
        or (hasattr(params, "element") and hasattr(params, "status"))
    ):
        raise TypeError(
            f"{_name(call)}: params is {checks.described(params)}; expected a tree of parameters. Write {call}."
        )


def check_apply(call: str, apply: Any) -> None:
    """Checks that ``apply`` can be called.

    Raises:
        TypeError: If it cannot.
    """
    if not callable(apply) or isinstance(apply, SymmetrySpec):
        raise TypeError(
            f"{_name(call)}: apply is {checks.described(apply)}; expected a function apply(params, *inputs). "
            f"Write {call}."
        )


def check_key(call: str, key: Any) -> None:
    """Checks that ``key`` is one typed random key."""
    checks.typed_key(_name(call), key)


def _name(call: str) -> str:
    return call.partition("(")[0]
