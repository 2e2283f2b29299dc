"""Frozen dataclasses that are pytrees; every structured value in the library is one."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

import jax
import numpy as np
from jax.core import Tracer

from geojax.results import Status

T = TypeVar("T")

_WIDTH = 100  # longest representation on one line


def static(**kwargs: Any) -> Any:
    """Declare a field that is part of the pytree's structure: hashable, compared by value, never traced.

    The arguments are those of `dataclasses.field` (`default`, `default_factory`, ...).
    """
    return dataclasses.field(metadata={**kwargs.pop("metadata", {}), "static": True}, **kwargs)


@overload
def struct(cls: type[T], /) -> type[T]: ...
@overload
def struct(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static))
def struct(cls: Any = None, /, *, kw_only: bool = False) -> Any:
    """Make a class a frozen dataclass that is a pytree.

    Every field is a child unless it is declared with `static()`. `dataclasses.replace` works as usual. When JAX
    rebuilds a value from its leaves `__init__` is not called, so `__post_init__` may check what a user passed, and
    never sees the placeholders that JAX puts into pytrees. Equality and hashing are those of a dataclass: a value is
    hashable if all its fields are.
    """
    if cls is None:
        return lambda decorated: struct(decorated, kw_only=kw_only)  # type: ignore[call-overload]
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _represent
    cls = dataclasses.dataclass(frozen=True, repr=False, kw_only=kw_only)(cls)
    fields = dataclasses.fields(cls)
    data = tuple(field.name for field in fields if not field.metadata.get("static", False))
    meta = tuple(field.name for field in fields if field.metadata.get("static", False))

    def flatten_with_keys(value: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        children = [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in data]
        return children, tuple(getattr(value, name) for name in meta)

    def flatten(value: Any) -> tuple[list[Any], tuple[Any, ...]]:
        return [getattr(value, name) for name in data], tuple(getattr(value, name) for name in meta)

    def unflatten(structure: tuple[Any, ...], children: Any) -> Any:
        value = object.__new__(cls)
        for name, child in zip((*meta, *data), (*structure, *children), strict=True):
            object.__setattr__(value, name, child)
        return value

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


def summarize(value: Any) -> str:
    """A short representation of a value: arrays as dtype[shape], concrete scalars as numbers."""
    return _summarize(value, 0)


def _represent(self: Any) -> str:
    return _summarize(self, 0)


def _summarize(value: Any, indent: int) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = [field for field in dataclasses.fields(value) if field.repr]
        parts = [f"{field.name}={_field(value, field.name, indent + 2)}" for field in shown]
        return _enclose(f"{type(value).__name__}(", parts, ")", indent)
    if isinstance(value, dict):
        parts = [f"{key!r}: {_summarize(item, indent + 2)}" for key, item in value.items()]
        return _enclose("{", parts, "}", indent)
    if isinstance(value, list):
        return _enclose("[", [_summarize(item, indent + 2) for item in value], "]", indent)
    if isinstance(value, tuple):
        parts = [_summarize(item, indent + 2) for item in value]
        return _enclose("(", parts, ",)" if len(value) == 1 else ")", indent)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value)
    return repr(value)


def _field(value: Any, name: str, indent: int) -> str:
    child = getattr(value, name)
    if name == "status" and _is_concrete(child) and np.ndim(child) == 0 and int(child) in list(Status):
        return Status(int(child)).name
    return _summarize(child, indent)


def _enclose(left: str, parts: list[str], right: str, indent: int) -> str:
    """Join parts on one line; if that is too long, put each part on a line of its own."""
    line = left + ", ".join(parts) + right
    if "\n" not in line and indent + len(line) <= _WIDTH:
        return line
    pad = "\n" + " " * (indent + 2)
    return left + "".join(f"{pad}{part}," for part in parts) + "\n" + " " * indent + right.lstrip(",")


def _array(value: Any) -> str:
    if (
        _is_concrete(value)
        and np.ndim(value) == 0
        and not jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended)
    ):
        number = np.asarray(value)
        return f"{number:.6g}" if number.dtype.kind == "f" else str(number)
    name = str(value.dtype)
    for long, short in (("bfloat", "bf"), ("float", "f"), ("uint", "u"), ("int", "i"), ("complex", "c")):
        if name.startswith(long):
            name = short + name.removeprefix(long)
            break
    return f"{name}[{','.join(str(size) for size in value.shape)}]"


def _is_concrete(value: Any) -> bool:
    return isinstance(value, int | np.ndarray | np.generic) or (
        isinstance(value, jax.Array) and not isinstance(value, Tracer)
    )
