"""Nested frozen dataclasses as JSON values, and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any


def encode(value: Any) -> Any:
    """A dataclass as a dict that names its type, a tuple as a list; numbers, strings and None as they are."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(value: Any, kinds: Mapping[str, type]) -> Any:
    """The inverse of `encode`; ``kinds`` are the dataclasses that may occur, by name.

    Raises:
        KeyError, TypeError: If a dict names no type, or the fields are not those of its type.
    """
    if isinstance(value, dict):
        fields = {name: decode(item, kinds) for name, item in value.items() if name != "type"}
        return kinds[value["type"]](**fields)
    if isinstance(value, list):
        return tuple(decode(item, kinds) for item in value)
    return value
