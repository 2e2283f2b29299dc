"""Checks at trace time: shapes, dtypes, trees and options, with messages that say how to correct the call.

Every message names the function and the argument, what was given, what is expected, and what to write. The checks do
not read values of arrays, so they cost nothing in compiled code.
"""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from geojax._core import tree
from geojax.typing import PyTree


def floats(where: str, **arrays: Any) -> tuple[Array, ...]:
    """Convert arguments to arrays of one floating dtype, the widest among them.

    A Python number takes the dtype of the arrays; integers alone become the default float. The results are never weakly
    typed. Raises TypeError if an argument is not an array of real numbers.
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


def float_leaves(where: str, name: str, value: PyTree) -> PyTree:
    """Convert every leaf of a tree to an array of a floating dtype; an error says which leaf is none."""
    return tree.map_named(lambda path, leaf: floats(where, **{leaf_of(name, path): leaf})[0], value)


def leaf_of(name: str, path: str) -> str:
    """A leaf of an argument in the words of a message: the argument itself if that is the leaf."""
    return f"leaf {path!r} of {name}" if path else name


def shapes(where: str, **arrays: tuple[Any, str]) -> dict[str, int]:
    """Compare arrays with shapes in words, and return the size of each named axis.

    `shapes("sinkhorn", cost_matrix=(cost_matrix, "n m"), a=(a, "n"))` returns {"n": ..., "m": ...}. A word is a name,
    which must have the same size everywhere, a number, or `_` for any size. Raises ValueError that names the argument.
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
    """Check a static number of steps, points or samples, and return it as an int."""
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
    """Check that an argument is one typed random key, as `jax.random.key` makes it."""
    if not isinstance(key, jax.Array) or not tree.is_key(key):
        got = f"{key.dtype}{_brackets(key.shape)}" if tree.is_array(key) else described(key)
        raise TypeError(
            f"{where}: {name} is {got}; expected a typed random key. Make one with jax.random.key(0); "
            "wrap the numbers of jax.random.PRNGKey with jax.random.wrap_key_data."
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
        if not _is_number(leaf) or not _is_number(other):
            if _is_number(leaf) or _is_number(other):
                raise TypeError(
                    f"{where}: leaf {key!r} of {name} is {described(leaf)}; expected {described(other)} as in "
                    f"{expected_name}. Pass trees of one model."
                )
            continue
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


def arrays_only(where: str, name: str, value: PyTree) -> None:
    """Check that every leaf of a tree is an array or a number; random keys, functions and strings are neither."""
    for path, leaf in tree.leaf_pairs(value):
        if not _is_number(leaf) or tree.is_key(leaf):
            raise TypeError(
                f"{where}: {leaf_of(name, path)} is {described(leaf)}; expected arrays of numbers. "
                "Take such leaves out first, as equinox.partition(tree, equinox.is_array) does."
            )


def prefix_tree(
    where: str,
    name: str,
    prefix: PyTree,
    is_place: Callable[[Any], bool],
    kinds: str,
    params: PyTree,
    *,
    params_name: str = "the parameters",
) -> None:
    """Check that a tree of values, such as manifolds, has the containers of the parameters down to those values.

    `is_place` tells such a value; `kinds` says in the plural what it is.
    """
    for path, place in jax.tree_util.tree_flatten_with_path(prefix, is_leaf=is_place)[0]:
        if not is_place(place):
            at = f" at {tree.path_name(path)!r}" if path else ""
            hint = f" Write {place.__name__}() for an instance." if isinstance(place, type) else ""
            raise TypeError(f"{where}: {name} holds {described(place)}{at}; expected {kinds}.{hint}")
    _same_containers(where, name, prefix, is_place, kinds, params, params_name, ())


def _same_containers(
    where: str,
    name: str,
    prefix: PyTree,
    is_place: Callable[[Any], bool],
    kinds: str,
    params: PyTree,
    params_name: str,
    path: tuple[Any, ...],
) -> None:
    if is_place(prefix):
        return
    mine, theirs = _children(prefix), _children(params)
    keys, others = ([tree.path_name(key) for key, _ in children] for children in (mine, theirs))
    same_kind = type(prefix) is type(params)
    if not same_kind or keys != others:
        at = f" at {tree.path_name(path)!r}" if path else ""
        has, expected = _container(prefix, keys), _container(params, others)
        raise ValueError(
            f"{where}: {name} has {has}{at}, where {params_name} have {expected}; expected the containers of "
            f"{params_name} down to {kinds}, each of which stands for everything below it."
        )
    for (key, child), (_, other) in zip(mine, theirs, strict=True):
        _same_containers(where, name, child, is_place, kinds, other, params_name, (*path, *key))


def _children(value: PyTree) -> list[tuple[Any, Any]]:
    """The parts of a container, by key; none for a leaf."""
    pairs = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda part: part is not value)[0]
    return [(path, part) for path, part in pairs if path]


def _container(value: Any, keys: list[str]) -> str:
    return f"a {type(value).__name__} with {_listed(keys)}" if keys else described(value)


def described(value: Any) -> str:
    """What a value is, in a few words for a message: its dtype and shape, the class, or the type and the value."""
    if tree.is_array(value):
        return f"{value.dtype}{_brackets(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    if value is None or isinstance(value, bool | int | float | complex | str):
        return f"{value!r:.60}"
    name = type(value).__name__
    sounds_like_a_vowel = re.match(r"[AIOaio]|[Ee](?!u)|[FHLMNRSX][A-Z]", name)
    return f"{'an' if sounds_like_a_vowel else 'a'} {name}"


def _is_number(leaf: Any) -> bool:
    return _is_array_like(leaf) or tree.is_array(leaf)


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


def no_explicit_axes(where: str, *trees: Any) -> None:
    """Raise if an array is divided along an Explicit axis of a mesh, under whose types JAX traces no such loops."""
    for leaf in jax.tree.leaves(trees):
        value = leaf
        # Inside vmap the divided axis is not seen in the item, but in the batch that it is one of.
        while isinstance(value, Tracer):
            _no_explicit_axes(where, getattr(jax.typeof(value), "sharding", None))
            value = getattr(value, "val", getattr(value, "primal", None))
        if isinstance(value, jax.Array):
            _no_explicit_axes(where, value.sharding)


def _no_explicit_axes(where: str, sharding: Any) -> None:
    if not isinstance(sharding, jax.sharding.NamedSharding) or sharding.mesh.are_all_axes_auto:
        return
    kinds = dict(zip(sharding.mesh.axis_names, sharding.mesh.axis_types, strict=True))
    explicit = jax.sharding.AxisType.Explicit
    divided = [name for name in jax.tree.leaves(tuple(sharding.spec)) if kinds[name] == explicit]
    if divided:
        names = ", ".join(repr(str(name)) for name in divided)
        raise ValueError(
            f"{where}: an array is divided along the Explicit mesh axis {names}; expected Auto axes. "
            "Write jax.make_mesh(sizes, names, axis_types=(jax.sharding.AxisType.Auto,) * len(names))."
        )
