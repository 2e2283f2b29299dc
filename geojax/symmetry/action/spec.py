"""SymmetrySpec: the symmetry of a function of parameters, as one immutable value."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Cut, Layout, Part, blocks


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of the parameters: its path, its shape and how the groups move it."""

    path: str
    shape: tuple[int, ...]
    layout: Layout
    read: bool = True


@dataclasses.dataclass(frozen=True)
class Pin:
    """Why one axis of one leaf cannot be permuted.

    Attributes:
        path: The leaf.
        axis: Number of its axis.
        size: Length of the part of the axis that is held.
        primitive: Name of the JAX primitive that fixed it, or "input", "output", "constant".
        reason: What that primitive does to the axis.
        source: Source line of the program, "file:line (function)", where known.
    """

    path: str
    axis: int
    size: int
    primitive: str
    reason: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class VerifyResult:
    """What the numerical check of a spec found.

    Attributes:
        change: Largest change of an output under random group elements, relative to the output's own scale;
            NaN where no output was finite, so that nothing could be checked.
        tolerance: What rounding may account for, from the lowest precision that the program computes in.
        control: Smallest relative change when a group moves one block of one leaf alone; it must be large.
        failed: Names of groups that change the function.
        blind: Names of groups whose control left the outputs as they were: these inputs do not exercise them.
    """

    change: float
    tolerance: float
    control: float
    failed: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no group changes the function beyond rounding."""
        return not self.failed and self.change <= self.tolerance


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class SymmetrySpec:
    """The symmetry groups of ``apply(params, *inputs)`` and how they move each leaf of ``params``.

    A spec is static data: hashable, comparable, printable (`print(spec)` is a table), and it survives a JSON round
    trip (`to_json`, `from_json`). It holds no array and no reference to the function it was read from.

    Attributes:
        members: The groups in order of first use, as pairs (name, group); see `groups` for a dict.
        leaves: One entry for each array of the parameters, in the tree's order.
        pins: Every axis of a leaf that may not be permuted, with the primitive and source line that pinned it.
        unknown: Primitives without a rule that the program used, as "name (source)".
        verification: What `verify` found, or None where it was not asked for.
        reach: Dimension of the set of parameters that the continuous groups reach, with an upper bound from the rank
            of the function's Jacobian; None where they were not computed (functions of many parameters).
    """

    members: tuple[tuple[str, Group], ...]
    leaves: tuple[Leaf, ...]
    pins: tuple[Pin, ...] = ()
    unknown: tuple[str, ...] = ()
    verification: VerifyResult | None = None
    reach: tuple[int, int] | None = None

    @property
    def groups(self) -> dict[str, Group]:
        """The groups by name."""
        return dict(self.members)

    @property
    def dimension(self) -> int:
        """Dimension of the continuous symmetry: the sum of the groups' dimensions."""
        return sum(group.dimension for _, group in self.members)

    def occurrences(self, name: str) -> Iterator[tuple[Leaf, Block, Part]]:
        """Every part of every leaf that the named group moves."""
        for leaf in self.leaves:
            for block in blocks(leaf.layout):
                for part in block.parts:
                    if any(group == name for group, _ in part.moves):
                        yield leaf, block, part

    def check(self, params: Any) -> None:
        """Checks that ``params`` is a tree this spec can act on.

        Raises:
            ValueError: Naming the leaves that are missing, unexpected or of another shape.
        """
        expected = {leaf.path: leaf.shape for leaf in self.leaves}
        found = {path: np.shape(leaf) for path, leaf in array_leaves(params)}
        problems = [f"  missing: {path} {expected[path]}" for path in expected if path not in found]
        problems += [f"  unexpected: {path} {found[path]}" for path in found if path not in expected]
        problems += [
            f"  {path}: got shape {found[path]}, expected {expected[path]}"
            for path in expected
            if path in found and tuple(found[path]) != tuple(expected[path])
        ]
        if problems:
            shown = "\n".join(problems[:8]) + (
                f"\n  ... and {len(problems) - 8} more" if len(problems) > 8 else ""
            )
            raise ValueError(
                f"params does not fit the spec (it describes {len(expected)} leaves, params has {len(found)}):\n"
                f"{shown}\nPass parameters of the same model, or run `infer` on these."
            )

    def without(self, *names: str) -> "SymmetrySpec":
        """The spec with the named groups taken out; their axes stay where they are."""
        gone = set(names)
        members = tuple((name, group) for name, group in self.members if name not in gone)
        leaves = tuple(dataclasses.replace(leaf, layout=_drop(leaf.layout, gone)) for leaf in self.leaves)
        return dataclasses.replace(self, members=members, leaves=leaves)

    def to_json(self) -> str:
        """The spec as a JSON text that `from_json` reads back to an equal value."""
        return json.dumps(_encode(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "SymmetrySpec":
        """Reads a spec written by `to_json`.

        Raises:
            ValueError: If the text is not JSON or not a spec.
        """
        try:
            spec = _decode(json.loads(text))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"text is not a saved SymmetrySpec: {error}") from error
        if not isinstance(spec, cls):
            raise ValueError(f"text holds a {type(spec).__name__}, expected a saved SymmetrySpec")
        return spec

    def __str__(self) -> str:
        from geojax.symmetry.action.table import render

        return render(self)

    def __repr__(self) -> str:
        return (
            f"SymmetrySpec({len(self.members)} groups on {len(self.leaves)} leaves; print it for the table)"
        )


def array_leaves(params: Any) -> list[tuple[str, Any]]:
    """Paths and values of the array leaves of a tree; functions, strings and other static leaves are left out."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return [
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf)
        for path, leaf in leaves
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    ]


def _drop(layout: Layout, gone: set[str]) -> Layout:
    if isinstance(layout, Cut):
        return dataclasses.replace(layout, pieces=tuple(_drop(piece, gone) for piece in layout.pieces))
    keep = lambda moves: tuple(move for move in moves if move[0] not in gone)  # noqa: E731
    parts = tuple(dataclasses.replace(part, moves=keep(part.moves)) for part in layout.parts)
    return Block(parts, keep(layout.moves))


_SAVED = {kind.__name__: kind for kind in (SymmetrySpec, Group, Leaf, Pin, VerifyResult, Block, Cut, Part)}


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {field.name: _encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        fields = {name: _decode(item) for name, item in value.items() if name != "type"}
        return _SAVED[value["type"]](**fields)
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    return value
