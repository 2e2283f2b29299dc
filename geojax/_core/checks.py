"""Checks at trace time: shapes, dtypes, trees and options, with messages that say how to mend the call.

Every message names the function, the argument, what it got, what it expected and what to do. Values are never looked
at, so the checks cost nothing in compiled code.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from geojax._core import tree
from geojax.typing import PyTree


def floats(where: str, **arrays: Any) -> tuple[Array, ...]:
    """Convert arguments to arrays of one floating dtype, that of the widest.

    Python numbers adapt to the arrays beside them; integers become the default float. The results are never weakly
    typed. Raises TypeError for what is not a real number array.
    """
    for name, value in arrays.items():
        if not _is_array_like(value):
            raise TypeError(
                f"{where}: {name} is a {type(value).__name__}; expected an array of real numbers. "
                "Convert it with jax.numpy.asarray."
            )
        dtype = jax.dtypes.result_type(value)
        if not (
            jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer) or dtype == jnp.bool_
        ):
            raise TypeError(
                f"{where}: {name} has dtype {dtype}; expected real numbers. Take the real part, or its absolute value."
            )
    dtype = jax.dtypes.result_type(*arrays.values())
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jax.dtypes.result_type(float)
    return tuple(jnp.asarray(value, dtype) for value in arrays.values())


def shapes(where: str, **arrays: tuple[Any, str]) -> dict[str, int]:
    """Match arrays against shapes in words and return the size of each named axis.

    `shapes("sinkhorn", cost_matrix=(cost_matrix, "n m"), a=(a, "n"))` gives {"n": ..., "m": ...}. A word is a
    name, which must have one size throughout, a number, or `_` for any size. Raises ValueError that names the argument.
    """
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    for name, (value, words) in arrays.items():
        shape, expected = jnp.shape(value), words.split()
        if len(shape) != len(expected):
            raise ValueError(
                f"{where}: {name} has shape {_brackets(shape)}, rank {len(shape)}; expected "
                f"{_brackets(expected)}, rank {len(expected)}.{_rank_hint(len(shape) - len(expected))}"
            )
        for axis, (size, word) in enumerate(zip(shape, expected, strict=True)):
            wanted = int(word) if word.isdigit() else sizes.get(word)
            if word != "_" and wanted is not None and size != wanted:
                source = "" if word.isdigit() else f" with {word} = {wanted} as in {origin[word]}"
                raise ValueError(
                    f"{where}: {name} has shape {_brackets(shape)}; expected {_brackets(expected)}{source}. "
                    f"Make axis {axis} of {name} have size {wanted}."
                )
            if word != "_" and not word.isdigit() and word not in sizes:
                sizes[word], origin[word] = size, name
    return sizes


def count(where: str, name: str, value: Any, *, minimum: int = 0) -> int:
    """Check a static number of steps, points or samples; returns it as an int."""
    if isinstance(value, Tracer) or not isinstance(value, int | np.integer) or isinstance(value, bool):
        got = "a traced value" if isinstance(value, Tracer) else f"{value!r} ({type(value).__name__})"
        raise TypeError(
            f"{where}: {name} is {got}; expected a Python integer, because it fixes the shape or the length of the "
            f"compiled program. Pass a number, or mark {name} static in jit."
        )
    if value < minimum:
        raise ValueError(f"{where}: {name} is {value}; expected at least {minimum}. Raise it.")
    return int(value)


def typed_key(where: str, key: Any, *, name: str = "key") -> None:
    """Check that a random key is one typed key, as `jax.random.key` makes it."""
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        got = f"{key.dtype}{_brackets(key.shape)}" if hasattr(key, "dtype") else type(key).__name__
        raise TypeError(
            f"{where}: {name} is {got}; expected a typed random key. "
            "Make one with jax.random.key(0); wrap an old one with jax.random.wrap_key_data."
        )
    if key.shape != ():
        raise ValueError(
            f"{where}: {name} has shape {_brackets(key.shape)}; expected one key. Use jax.vmap over the keys."
        )


def same_tree(
    where: str, name: str, value: PyTree, expected_name: str, expected: PyTree, *, dtypes: bool = False
) -> None:
    """Check that two trees have the same structure and leaves of the same shape (and dtype, if asked)."""
    got, wanted = tree.named_leaves(value), tree.named_leaves(expected)
    missing, extra = [key for key in wanted if key not in got], [key for key in got if key not in wanted]
    if missing or extra:
        lacks = f"lacks {_listed(missing)}" if missing else ""
        has = f"has {_listed(extra)} besides" if extra else ""
        raise ValueError(
            f"{where}: {name} {' and '.join(filter(None, (lacks, has)))}; expected the leaves of {expected_name}. "
            "Pass trees of one model."
        )
    if jax.tree.structure(value) != jax.tree.structure(expected):
        raise ValueError(
            f"{where}: {name} has the structure {jax.tree.structure(value)}; expected "
            f"{jax.tree.structure(expected)} as {expected_name} has. Use the same containers for both."
        )
    for key, leaf in got.items():
        other = wanted[key]
        if jnp.shape(leaf) != jnp.shape(other):
            raise ValueError(
                f"{where}: leaf {key!r} of {name} has shape {_brackets(jnp.shape(leaf))}; expected "
                f"{_brackets(jnp.shape(other))} as in {expected_name}. Pass trees of one model."
            )
        if dtypes and jax.dtypes.result_type(leaf) != jax.dtypes.result_type(other):
            raise TypeError(
                f"{where}: leaf {key!r} of {name} has dtype {jax.dtypes.result_type(leaf)}; expected "
                f"{jax.dtypes.result_type(other)} as in {expected_name}. Cast it with .astype."
            )


def _is_array_like(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex | np.ndarray | np.generic | jax.Array) or hasattr(
        value, "__jax_array__"
    )


def _brackets(shape: Any) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _rank_hint(excess: int) -> str:
    if excess > 0:
        return " One item goes in; use jax.vmap over leading batch axes."
    return " Add the missing axis with [None] or jax.numpy.expand_dims."


def function(where: str, name: str, value: Any, mend: str) -> None:
    """Check that an argument can be called; ``mend`` says what to write instead."""
    if not callable(value):
        raise TypeError(f"{where}: {name} is a {type(value).__name__}; expected a function. {mend}")
