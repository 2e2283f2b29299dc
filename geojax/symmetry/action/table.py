"""The printed form of a SymmetrySpec."""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from geojax.symmetry.action.facts import Leaf, Pin, VerifyResult
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Part, blocks

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
    def dimension(self) -> int:
        """Dimension of the continuous groups."""
        ...

    def occurrences(self, name: str) -> Iterator[tuple[Leaf, Block, Part]]:
        """Every part that the named group moves."""
        ...


def render(spec: Printable) -> str:
    """The table of groups, then the axes held fixed and why, then the leaves that the function does not read."""
    lines = [_headline(spec), ""]
    if spec.members:
        head = ("group", "kind", "size", "of", "moves")
        rows = [(name, g.kind, _size(g), " ".join(g.parents), _moves(spec, name)) for name, g in spec.members]
        lines += _columns(rows, head)
    else:
        lines += ["no symmetry was found"]
    if spec.pins:
        lines += ["", "held fixed", *_columns(_pins(spec))]
    unread = [leaf.path for leaf in spec.leaves if not leaf.read]
    if unread:
        lines += ["", "not read by the function: " + ", ".join(unread)]
    if spec.unknown:
        lines += ["", "primitives without a rule (their axes are held): " + ", ".join(spec.unknown)]
    return "\n".join(lines)


def _headline(spec: Printable) -> str:
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
        text += "\nFAILED verification and excluded: " + ", ".join(check.failed)
    if check.blind:
        text += "\nthe inputs do not exercise (pass more varied inputs): " + ", ".join(check.blind)
    return text


def _size(group: Group) -> str:
    return " x ".join(str(n) for n in (*group.parent_sizes, group.size))


def _moves(spec: Printable, name: str) -> str:
    seen: dict[str, None] = {}
    for leaf, _, part in spec.occurrences(name):
        exponent = dict(part.moves)[name]
        seen[f"{leaf.path}[{part.axis}]" + (f"^{exponent}" if exponent != 1 else "")] = None
    for leaf in spec.leaves:
        for block in blocks(leaf.layout):
            for group, exponent in block.moves:
                if group == name:
                    seen[leaf.path + (f"^{exponent}" if exponent != 1 else "")] = None
    return _shorten(list(seen), WIDTH // 2)


def _pins(spec: Printable) -> list[tuple[str, ...]]:
    together: dict[tuple[str, str, str], dict[str, None]] = {}
    for pin in spec.pins:
        together.setdefault((pin.primitive, pin.reason, pin.source), {})[f"{pin.path}[{pin.axis}]"] = None
    return [(*why, _shorten(list(axes), WIDTH // 2)) for why, axes in together.items()]


def _shorten(names: list[str], room: int) -> str:
    shown: list[str] = []
    for count, name in enumerate(names):
        if shown and len(" ".join([*shown, name])) > room:
            return " ".join(shown) + f" +{len(names) - count}"
        shown.append(name)
    return " ".join(shown)


def _columns(rows: list[tuple[str, ...]], head: tuple[str, ...] = ()) -> list[str]:
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
