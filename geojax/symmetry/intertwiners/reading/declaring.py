"""declare: a spec of data, written by hand."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from geojax._core import checks
from geojax._core.tree import path_name
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.facts import Leaf, Pin
from geojax.symmetry.action.groups import MATRIX_KINDS, ORTHOGONAL, PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.intertwiners.reading.axis_texts import (
    HELD,
    ROTATION,
    Spoken,
    acting,
    check_exponent,
    spoken,
)
from geojax.typing import PyTree

Entry = tuple[str, int, int, Spoken]
"""A named axis of a leaf: the leaf's path, the number of the axis, its length, and what its text says."""


def declare(tree: PyTree, axes: PyTree) -> SymmetrySpec:
    """Writes the spec of a tree of data by hand: which groups move which axes.

    (g x)[..., i, ...] = sum_j rho(g)[i, j] x[..., j, ...] along every named axis, with rho(g) the group's element, or
    its contragredient where the exponent is -1.

    A text names the axis and the kinds of its groups:

    * ``None``: nothing moves the axis; ``"layer:held"`` the same, with a name that children can refer to;
    * ``"points"``: a permutation; axes of one name move together, in whatever leaf or spec they stand;
    * ``"space:orthogonal"``, ``"space:rotation"`` (without reflections), ``"v:general_linear"``, ``"u:scaling"``,
      ``"u:sign"``, or several, ``"u:permutation+scaling"``; one of the places where a name occurs says its kinds;
    * ``"v:general_linear^-1"``, ``"u:scaling^2"``, ``"v^-1"``: the exponent with which the groups act here;
    * ``"head/unit"``: the units of a head, moved by an element for each index of the axis ``"head"`` of that leaf.

    Args:
        tree: A tree of arrays or of `jax.ShapeDtypeStruct`; other leaves are left alone.
        axes: A tree like it whose leaves are tuples, with None or a text for each axis of the array.

    Returns:
        A `SymmetrySpec` for `act`, `random_element`, `compose`, `inverse` and `verify`. The permutation of an axis has
        the axis' name, a group of another kind the name ``"axis:kind"``, as `infer` has it (rotations are the kind
        "orthogonal" with `Group.connected`). Axes of length one have no permutations and no rotations.

    Raises:
        TypeError: If a leaf of ``axes`` is no tuple of texts and None.
        ValueError: If the trees do not fit, a text is not understood, one name has several lengths or contradictory
            kinds, a child stands without its parent, or a continuous group would move integers.

    Differentiation: none; a spec is static data.
    Complexity: linear in the number of axes.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> cloud = {"h": jnp.ones((5, 4)), "x": jnp.ones((5, 3))}
        >>> spec = gj.symmetry.declare(cloud, {"h": ("points", None), "x": ("points", "space:orthogonal")})
        >>> {name: (group.kind, group.size) for name, group in spec.groups.items()}
        {'points': ('permutation', 5), 'space:orthogonal': ('orthogonal', 3)}

    References: [Zhou2024]
    """
    shapes, texts = _fitting(tree, axes)
    entries = {
        path: [None if text is None else spoken(text, _place(path, axis)) for axis, text in enumerate(row)]
        for path, row in texts.items()
    }
    named = [
        (path, axis, shapes[path].shape[axis], said)
        for path, row in entries.items()
        for axis, said in enumerate(row)
        if said is not None
    ]
    kinds = _kinds(named)
    sizes = _sizes(named)
    for path, row in entries.items():
        _check_parents(path, [said.name for said in row if said is not None], row, kinds)
    members = {}
    for _, _, size, said in named:
        members |= _groups(said, size, kinds[said.name], sizes)
    leaves, pins = [], []
    for path, leaf in shapes.items():
        parts = []
        for axis, (size, said) in enumerate(zip(leaf.shape, entries[path], strict=True)):
            moves = () if said is None else _moves(path, axis, leaf, said, kinds[said.name], members)
            parts.append(Part(size, axis, "" if said is None else said.name, moves))
            if said is None or kinds[said.name] == (HELD,):
                pins.append(Pin(path, axis, size, "declared", "is held by the declaration"))
        leaves.append(Leaf(path, leaf.shape, Block(tuple(parts))))
    return SymmetrySpec(tuple(members.items()), tuple(leaves), tuple(pins))


def _fitting(
    tree: PyTree, axes: PyTree
) -> tuple[dict[str, jax.ShapeDtypeStruct], dict[str, tuple[str | None, ...]]]:
    """Shapes and texts of the arrays by path, after checking that there is one tuple of texts for each array."""
    arrays = {
        path: jax.ShapeDtypeStruct(tuple(int(n) for n in np.shape(leaf)), leaf.dtype)
        for path, leaf in array_leaves(tree)
    }
    if not arrays:
        raise ValueError(
            f"declare: tree is {checks.described(tree)} without an array; expected arrays or shapes."
        )
    given = {
        path_name(path): row
        for path, row in jax.tree_util.tree_flatten_with_path(axes, is_leaf=_is_row)[0]
        if not (_is_row(row) and all(text is None for text in row) and path_name(path) not in arrays)
    }
    for path, row in given.items():
        if path in arrays and not _is_row(row):
            raise TypeError(
                f"declare: {checks.leaf_of('axes', path)} is {checks.described(row)}; expected a tuple with None or a "
                f"text for each of the {len(arrays[path].shape)} axes of the array, such as ('points', None)."
            )
    problems = [
        f"  no axes for {path or 'tree'} {array.shape}" for path, array in arrays.items() if path not in given
    ]
    problems += [f"  no array for axes {path or 'axes'}" for path in given if path not in arrays]
    problems += [
        f"  {path or 'axes'}: {len(row)} axes for an array of shape {arrays[path].shape}"
        for path, row in given.items()
        if path in arrays and len(row) != len(arrays[path].shape)
    ]
    if problems:
        raise ValueError(
            "declare: axes does not fit tree:\n"
            + "\n".join(problems)
            + "\nGive axes a tuple for each array of "
            "tree, at the same place, with None or a text for each axis."
        )
    return arrays, {path: given[path] for path in arrays}


def _is_row(value: Any) -> bool:
    return type(value) is tuple and all(text is None or isinstance(text, str) for text in value)


def _place(path: str, axis: int) -> str:
    return f"declare: axis {axis} of {checks.leaf_of('axes', path)}"


def _kinds(named: list[Entry]) -> dict[str, tuple[str, ...]]:
    """The kinds of each name, a permutation where no text says them."""
    said: dict[str, tuple[tuple[str, ...], str]] = {}
    for path, axis, _, one in named:
        if one.kinds is None:
            continue
        mine, where = tuple(kind for kind, _ in one.kinds), _place(path, axis)
        theirs, there = said.setdefault(one.name, (mine, where))
        if mine != theirs:
            raise ValueError(
                f"{where} says that {one.name!r} is {'+'.join(mine)}, but {there.removeprefix('declare: ')} says "
                f"{'+'.join(theirs)}; say the same kinds, an exponent of 0 for a group that does not act here, or "
                "take another name."
            )
    return {one.name: said[one.name][0] if one.name in said else (PERMUTATION,) for _, _, _, one in named}


def _sizes(named: list[Entry]) -> dict[str, int]:
    """The length of each name."""
    sizes: dict[str, tuple[int, str]] = {}
    for path, axis, size, one in named:
        where = _place(path, axis)
        known, there = sizes.setdefault(one.name, (size, where))
        if known != size:
            raise ValueError(
                f"{where}: {one.name!r} has length {size}, but {there.removeprefix('declare: ')} has length {known}; "
                "axes of one name move together. Take two names."
            )
        if not size:
            raise ValueError(
                f"{where}: {one.name!r} has length 0; an empty axis has no groups. Write None for it."
            )
    return {name: size for name, (size, _) in sizes.items()}


def _check_parents(
    path: str, names: list[str], row: list[Spoken | None], kinds: dict[str, tuple[str, ...]]
) -> None:
    """Checks that the parents of every axis stand once in its leaf, and that their indices are moved as indices."""
    for axis, said in enumerate(row):
        for parent in said.parents if said is not None else ():
            where = f"{_place(path, axis)} is a child of {parent!r}"
            if names.count(parent) != 1:
                raise ValueError(
                    f"{where}, which stands {names.count(parent)} times in this leaf; expected once: the element "
                    "that moves a child depends on its parent's index."
                )
            if set(kinds[parent]) & {*MATRIX_KINDS, ROTATION}:
                raise ValueError(
                    f"{where}, which is {'+'.join(kinds[parent])}; a parent may be permuted, scaled or held, as "
                    "a matrix mixes its indices."
                )


def _groups(
    said: Spoken, size: int, kinds: tuple[str, ...], sizes: dict[str, int]
) -> Iterator[tuple[str, Group]]:
    """The groups of one axis with their names; an axis of one entry has no permutations and no rotations."""
    for kind in kinds:
        if kind == HELD or (size == 1 and kind in (PERMUTATION, ROTATION)):
            continue
        parent_sizes = tuple(sizes[parent] for parent in said.parents)
        own = ORTHOGONAL if kind == ROTATION else kind
        yield (
            _group_name(said.name, kind),
            Group(own, size, said.parents, parent_sizes, axis=said.name, connected=kind == ROTATION),
        )


def _group_name(name: str, kind: str) -> str:
    if kind == PERMUTATION:
        return name
    return f"{name}:{ORTHOGONAL if kind == ROTATION else kind}"


def _moves(
    path: str,
    axis: int,
    leaf: jax.ShapeDtypeStruct,
    said: Spoken,
    kinds: tuple[str, ...],
    members: dict[str, Group],
) -> tuple[tuple[str, int], ...]:
    """The groups that move one axis, with their exponents there."""
    exponents = dict(said.kinds or ())
    if said.kinds is None:
        several = len(kinds) > 1
        exponents = {kind: 1 if several and kind == PERMUTATION else said.power for kind in kinds}
        for kind, exponent in exponents.items():
            check_exponent(kind, exponent, _place(path, axis), f"{said.name}^{said.power}")
    moves = tuple(
        (_group_name(said.name, kind), power)
        for kind, exponent in exponents.items()
        if _group_name(said.name, kind) in members and (power := acting(kind, exponent))
    )
    continuous = [name for name, _ in moves if members[name].kind != PERMUTATION]
    if continuous and not jax.dtypes.issubdtype(leaf.dtype, np.inexact):
        raise ValueError(
            f"{_place(path, axis)}: {continuous[0]!r} would move an array of {leaf.dtype}; expected floating-point "
            "numbers. Write None, or pass the array as floats."
        )
    return moves
