"""Trees of parameters with leaves that are no arrays: None, a function, a string, a Python float, a typed key."""

import traceback
from typing import Any

import jax
import jax.numpy as jnp

from tests.conformance.case import Case
from tests.conformance.leaves import is_floating, is_key


def extra_leaves(tree: dict[str, Any]) -> dict[str, Any]:
    """The leaves by the names under which they are added to a tree; in a stack of models the key is stacked too."""
    key = jax.random.key(3)
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(tree)}
    stack = len(sizes) == 1 and () not in sizes
    return {
        "extra_none": None,
        "extra_function": jax.nn.relu,
        "extra_string": "a string",
        "extra_float": 0.5,
        "extra_key": jax.random.split(key, *sizes.pop()) if stack else key,
    }


def passes_or_refuses(case: Case, positions: tuple[int, ...]) -> None:
    """Assert that every leaf is carried through unchanged, or refused by an error that names it.

    The leaves are added to all the arguments in `positions` at once. The call is only traced. Where the result holds a
    tree with the names of the arguments, the leaves must be in it; a result without such a tree, such as a number, has
    no place for them.
    """
    extra = extra_leaves(case.items[0][positions[0]])
    while extra:
        refused = _attempt(case, positions, extra)
        if refused is None:
            return
        del extra[refused]


def _attempt(case: Case, positions: tuple[int, ...], extra: dict[str, Any]) -> str | None:
    """Call with the leaves; return the name of the one that was refused."""
    item = case.items[0]

    def call(*arrays: Any) -> None:
        given = [
            {**argument, **extra} if position in positions else argument
            for position, argument in enumerate(arrays)
        ]
        _assert_kept(case(*given), item[positions[0]], extra)

    try:
        jax.eval_shape(call, *item)
    except AssertionError:
        raise
    except Exception as error:
        named = [name for name in extra if name in str(error)]
        last = traceback.extract_tb(error.__traceback__)[-1]
        refused = isinstance(error, (ValueError, TypeError)) and named and not _from_jax(error, last.filename)
        if refused:
            return named[0]
        raise AssertionError(
            f"arguments {positions} with {', '.join(extra)}: neither carried through nor refused by name; "
            f"{last.filename.rsplit('site-packages/', 1)[-1]}:{last.lineno} raised {type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0][:200]}"
        ) from error
    return None


def _from_jax(error: Exception, filename: str) -> bool:
    """Whether an error is of the inside of JAX: its frames may be filtered out, its words are not."""
    return "site-packages" in filename or any(
        words in str(error) for words in ("valid JAX type", "abstract array")
    )


def _assert_kept(result: Any, given: dict[str, Any], extra: dict[str, Any]) -> None:
    for tree in _dicts(result):
        if not set(given) <= set(tree):
            continue
        rows = all(_rank(tree[name]) == _rank(given[name]) + 1 for name in given)
        for name, leaf in extra.items():
            assert name in tree, f"{name} was dropped: the result has {sorted(tree)}"
            assert _same(tree[name], leaf, rows), f"{name} was {leaf!r} and became {tree[name]!r}"


def _rank(tree: Any) -> int:
    """The rank of the first leaf of a tree."""
    return jnp.ndim(jax.tree.leaves(tree)[0])


def _same(got: Any, leaf: Any, rows: bool) -> bool:
    """Whether a leaf came back.

    A Python float may be used as the number that it is, and come back as a scalar; where every array came back as rows,
    one for each model that was collected, as one number a row. Keys of a stack may come back as the first model's,
    alone or as a stack of another length.
    """
    if isinstance(leaf, float) and isinstance(got, jax.Array):
        return got.ndim == int(rows) and is_floating(got)
    if is_key(leaf):
        return got is leaf or (
            is_key(got) and leaf.ndim > 0 and got.shape in ((), (*got.shape[:1], *leaf.shape[1:]))
        )
    return got is leaf or (type(got) is type(leaf) and got == leaf)


def _dicts(tree: Any) -> list[dict[str, Any]]:
    """Every dict in a tree, the tree itself among them."""
    found = [tree] if isinstance(tree, dict) else []
    children = jax.tree_util.tree_flatten(tree, is_leaf=lambda node: node is not tree)[0]
    return found + [d for child in children if child is not tree for d in _dicts(child)]
