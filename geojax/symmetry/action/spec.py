"""SymmetrySpec: the symmetry of a function of parameters, as one immutable value."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from geojax._core.tree import is_numeric, path_name
from geojax.symmetry.action import text as json_text
from geojax.symmetry.action.facts import Leaf, Note, Pin, VerifyResult
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Cut, Layout, Part, blocks
from geojax.symmetry.action.table import render


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class SymmetrySpec:
    """The symmetry groups of ``apply(params, *inputs)`` and how they move each leaf of ``params``.

    A spec is static data: hashable, comparable, printable (`print(spec)` is a table, `table` gives all of it), and it
    survives a JSON round trip (`to_json`, `from_json`). It holds no array and no reference to the function it was read
    from.

    Attributes:
        members: The groups in order of first use, as pairs (name, group); see `groups` for a dict.
        leaves: One entry for each array of the parameters, in the tree's order.
        pins: Every axis of a leaf that may not be permuted, with the primitive and source line that pinned it.
        unknown: Primitives without a rule that the program used, as "name (source)".
        verification: The result of `verify`, or None if it was not asked for.
        reach: Dimension of the set of parameters that the continuous groups reach, with an upper bound from the rank
            of the function's Jacobian; None if they were not computed (functions of many parameters) or if more inputs
            would still lower the bound.
        notes: Conditions under which groups hold, and checks that did not run, each as a sentence.
    """

    members: tuple[tuple[str, Group], ...]
    leaves: tuple[Leaf, ...]
    pins: tuple[Pin, ...] = ()
    unknown: tuple[str, ...] = ()
    verification: VerifyResult | None = None
    reach: tuple[int, int] | None = None
    notes: tuple[Note, ...] = ()

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
            ValueError: Naming the leaves that are missing, unexpected, of another shape or not arrays.
        """
        expected = {leaf.path: leaf.shape for leaf in self.leaves}
        pairs = [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]]
        given = {path: np.shape(leaf) for path, leaf in pairs if is_numeric(leaf)}
        others = {
            path: type(leaf).__name__ for path, leaf in pairs if not is_numeric(leaf) and path in expected
        }
        problems = [
            f"  missing: {path} {expected[path]}" for path in expected if path not in {**given, **others}
        ]
        problems += [f"  unexpected: {path} {given[path]}" for path in given if path not in expected]
        problems += [
            f"  {path}: got shape {given[path]}, expected {expected[path]}"
            for path in expected
            if path in given and given[path] != tuple(expected[path])
        ]
        problems += [
            f"  {path}: got a {kind}, expected an array of shape {expected[path]}"
            for path, kind in others.items()
        ]
        if problems:
            mend = "Pass parameters of the same model, or run `infer` on these."
            stacked = given.keys() == expected.keys() and all(
                given[path][1:] == tuple(expected[path]) and len(given[path]) > len(expected[path])
                for path in expected
            )
            if stacked:
                mend = (
                    "These are several models, one tree with a leading model axis on each leaf: pass one of them, or "
                    "call the function under jax.vmap over the models."
                )
            rest = [f"  ... and {len(problems) - 8} more"] if len(problems) > 8 else []
            raise ValueError(
                f"params does not fit the spec (it describes {len(expected)} leaves, params has {len(given)} arrays):\n"
                + "\n".join([*problems[:8], *rest])
                + f"\n{mend}"
            )

    def without(self, *names: str) -> "SymmetrySpec":
        """The spec with the named groups taken out; their axes stay where they are."""
        gone = set(names)
        members = tuple((name, group) for name, group in self.members if name not in gone)
        leaves = tuple(dataclasses.replace(leaf, layout=_without(leaf.layout, gone)) for leaf in self.leaves)
        notes = tuple(note for note in self.notes if not note.groups or not gone.issuperset(note.groups))
        return dataclasses.replace(self, members=members, leaves=leaves, notes=notes)

    def to_json(self) -> str:
        """The spec as a JSON text that `from_json` reads back to an equal value."""
        return json.dumps(json_text.encode(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "SymmetrySpec":
        """Reads a spec written by `to_json`.

        Raises:
            ValueError: If the text is not JSON or not a spec.
        """
        kinds = {
            kind.__name__: kind for kind in (cls, Group, Leaf, Note, Pin, VerifyResult, Block, Cut, Part)
        }
        try:
            spec = json_text.decode(json.loads(text), kinds)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"text is not a saved SymmetrySpec: {error}") from error
        if not isinstance(spec, cls):
            raise ValueError(f"text holds a {type(spec).__name__}, expected a saved SymmetrySpec")
        return spec

    def table(self, *, full: bool = False) -> str:
        """The printed form: the groups and what they move, the axes held fixed and why, the leaves not read.

        An axis of a leaf is ``path[axis]``, a piece of it ``path[axis][start:stop]``. Groups that repeat from layer to
        layer are one row with ``{i}`` in place of the layer's number, and long lists end in ``+`` and a count.

        Args:
            full: If true, nothing is folded or cut short.
        """
        return render(self, full=full)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return (
            f"SymmetrySpec({len(self.members)} groups on {len(self.leaves)} leaves; print it for the table)"
        )


def _without(layout: Layout, gone: set[str]) -> Layout:
    """The layout in which the named groups move nothing."""
    if isinstance(layout, Cut):
        return dataclasses.replace(layout, pieces=tuple(_without(piece, gone) for piece in layout.pieces))
    parts = tuple(dataclasses.replace(part, moves=_kept(part.moves, gone)) for part in layout.parts)
    return Block(parts, _kept(layout.moves, gone))


def _kept(moves: tuple[tuple[str, int], ...], gone: set[str]) -> tuple[tuple[str, int], ...]:
    return tuple(move for move in moves if move[0] not in gone)
