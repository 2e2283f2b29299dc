"""The printed form of a SymmetrySpec."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from geojax.symmetry.action.facts import Leaf, Note, Pin, VerifyResult
from geojax.symmetry.action.folding import Row, fold_names, fold_rows
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.pieces import Box, named, places

WIDTH = 110


@runtime_checkable
class Printable(Protocol):
    """What the table reads of a spec."""

    @property
    def members(self) -> tuple[tuple[str, Group], ...]:
        """The groups with their names."""
        ...

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The arrays of the parameters."""
        ...

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The axes that are held fixed, each with its reason."""
        ...

    @property
    def unknown(self) -> tuple[str, ...]:
        """Primitives without a rule."""
        ...

    @property
    def verification(self) -> VerifyResult | None:
        """The result of the numerical check."""
        ...

    @property
    def reach(self) -> tuple[int, int] | None:
        """Dimension that the continuous groups reach, and its upper bound."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """Conditions, and checks that did not run."""
        ...

    @property
    def dimension(self) -> int:
        """Dimension of the continuous groups."""
        ...


def render(spec: Printable, *, full: bool = False) -> str:
    """The table of groups, then the axes held fixed and why, then the leaves that the function does not read.

    Unless it is ``full``, rows of one pattern are one row and long lists are cut short.
    """
    lines = [_headline(spec, full), ""]
    if spec.members:
        head = ("group", "kind", "size", "of", "moves")
        moves = moved_axes(spec)
        rows: list[Row] = [
            ((name,), g.kind, size_of(g), g.parents, tuple(moves[name])) for name, g in spec.members
        ]
        rows = rows if full else fold_rows(rows)
        table: list[tuple[str, ...]] = [
            (" ".join(name), str(kind), str(size), " ".join(of), listed(moved, full))
            for name, kind, size, of, moved in rows
        ]
        lines += columns(table, head)
    else:
        lines += ["no symmetry was found"]
    if spec.notes:
        lines += ["", *(f"note: {note.text}" for note in spec.notes)]
    if spec.pins:
        lines += ["", "held fixed", *columns(_pins(spec, full))]
    unread = [leaf.path for leaf in spec.leaves if not leaf.read]
    if unread:
        lines += ["", "not read by the function: " + enumerated(unread, full)]
    if spec.unknown:
        lines += ["", "primitives without a rule (their axes are held): " + ", ".join(spec.unknown)]
    return "\n".join(lines)


def _headline(spec: Printable, full: bool) -> str:
    discrete = sum(group.log10_order for _, group in spec.members if group.dimension == 0)
    text = f"{len(spec.members)} groups on {len(spec.leaves)} leaves, 10^{discrete:.0f} discrete elements"
    if spec.reach is not None:
        text += ", found {} of at most {} continuous dimensions".format(*spec.reach)
    elif spec.dimension:
        text += f", {spec.dimension} continuous dimensions"
    check = spec.verification
    if check is None:
        return text + "; not verified"
    if math.isnan(check.change):
        return text + "; NOT VERIFIED: no output is finite with parameters near the given ones"
    text += f"; verified (largest relative change {check.change:.1e}, control {check.control:.1e})"
    if check.failed:
        text += "\nFAILED verification and excluded: " + enumerated(check.failed, full)
    if check.blind:
        text += "\nthe inputs do not exercise (pass more varied inputs): " + enumerated(check.blind, full)
        text += "; or the function does not depend on what " + (
            "this moves" if len(check.blind) == 1 else "these move"
        )
    return text


def size_of(group: Group) -> str:
    """The lengths of a group's parents and its own: ``2 x 3``."""
    return " x ".join(str(n) for n in (*group.parent_sizes, group.size))


def moved_axes(spec: Printable) -> dict[str, list[str]]:
    """For each group the names of the axes, pieces and leaves that it moves, with exponents other than 1."""
    moves: dict[str, list[str]] = {name: [] for name, _ in spec.members}
    for leaf in spec.leaves:
        found: dict[tuple[str, int], list[tuple[int, Box]]] = {}
        for block, box in places(leaf.layout, leaf.shape):
            # A factor of an axis of the leaf is named as the axis, and an axis of which it moves two factors once.
            for axis, part in [*((part.axis, part) for part in block.parts), (-1, block)]:
                for move in part.moves:
                    found.setdefault(move, []).append((axis, box))
        for (group, exponent), boxes in found.items():
            power = f"^{exponent}" if exponent != 1 else ""
            moves[group] += [name + power for name in named(leaf.path, leaf.shape, boxes)]
    return moves


def _pins(spec: Printable, full: bool) -> list[tuple[str, ...]]:
    together: dict[tuple[str, str, str], dict[str, None]] = {}
    for pin in spec.pins:
        together.setdefault((pin.primitive, pin.reason, pin.source), {})[f"{pin.path}[{pin.axis}]"] = None
    return [(*why, listed(list(axes), full)) for why, axes in together.items()]


def listed(names: Sequence[str], full: bool) -> str:
    """Names side by side; unless it is ``full``, folded and cut short."""
    return " ".join(names) if full else _shorten(fold_names(names), WIDTH // 2)


def enumerated(names: Sequence[str], full: bool) -> str:
    """Names with commas between them; unless it is ``full``, folded."""
    return ", ".join(names if full else fold_names(names))


def _shorten(names: list[str], room: int) -> str:
    shown: list[str] = []
    for count, name in enumerate(names):
        if shown and len(" ".join([*shown, name])) > room:
            return " ".join(shown) + f" +{len(names) - count}"
        shown.append(name)
    return " ".join(shown)


def columns(rows: list[tuple[str, ...]], head: tuple[str, ...] = ()) -> list[str]:
    """Rows in columns; if they would be wider than the page, the last cells go on lines of their own."""
    every = [head, *rows] if head else rows
    widths = [max(len(row[i]) for row in every) for i in range(len(rows[0]))]
    kept = len(widths)
    while kept > 3 and sum(widths[:kept]) + 2 * kept > WIDTH:
        kept -= 1
    lines = []
    for row in every:
        cells = (cell.ljust(width) for cell, width in zip(row[:kept], widths, strict=False))
        lines.append("  ".join(cells).rstrip())
        labels = head[kept:] if head else ("",) * (len(row) - kept)
        if row is not head:
            lines += [
                f"    {label} {cell}".rstrip() for label, cell in zip(labels, row[kept:], strict=True) if cell
            ]
    return lines
