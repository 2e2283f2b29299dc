"""Trees of parameters with leaves that are no arrays: None, a function, a string, a Python float, a typed key."""

import traceback
from typing import Any

import jax

from tests.conformance.case import Case


def extra_leaves() -> dict[str, Any]:
    """The leaves by the names under which they are added to a tree."""
    return {
        "extra_none": None,
        "extra_function": jax.nn.relu,
        "extra_string": "a string",
        "extra_float": 0.5,
        "extra_key": jax.random.key(3),
    }


def passes_or_refuses(case: Case, positions: tuple[int, ...]) -> None:
    """Assert that every leaf is carried through unchanged, or refused by an error that names it.

    The leaves are added to all the arguments in `positions` at once. The call is only traced. Where the result holds a
    tree with the names of the arguments, the leaves must be in it; a result without such a tree, such as a number, has
    no place for them.
    """
    extra = extra_leaves()
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
        _assert_kept(case(*given), set(item[positions[0]]), extra)

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
            f"{str(error).splitlines()[0][:200]}"
        ) from error
    return None


def _from_jax(error: Exception, filename: str) -> bool:
    """Whether an error is of the inside of JAX: its frames may be filtered out, its words are not."""
    return "site-packages" in filename or any(
        words in str(error) for words in ("valid JAX type", "abstract array", "jax.tree.map")
    )


def _assert_kept(result: Any, names: set[str], extra: dict[str, Any]) -> None:
    for tree in _dicts(result):
        if not names <= set(tree):
            continue
        for name, leaf in extra.items():
            assert name in tree, f"{name} was dropped: the result has {sorted(tree)}"
            assert type(tree[name]) is type(leaf), f"{name} was {leaf!r} and became {tree[name]!r}"
            same = tree[name] is leaf or (not isinstance(leaf, jax.Array) and tree[name] == leaf)
            assert same, f"{name} was {leaf!r} and became {tree[name]!r}"


def _dicts(tree: Any) -> list[dict[str, Any]]:
    """Every dict in a tree, the tree itself among them."""
    found = [tree] if isinstance(tree, dict) else []
    children = jax.tree_util.tree_flatten(tree, is_leaf=lambda node: node is not tree)[0]
    return found + [d for child in children if child is not tree for d in _dicts(child)]
