"""Equivariance: how the output of a map moves when its inputs move, as one immutable value with a table."""

import dataclasses
import math
from collections.abc import Sequence

import jax

from geojax.symmetry.action.facts import Note, Pin, VerifyResult
from geojax.symmetry.action.groups import MATRIX_KINDS, PERMUTATION, Group
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.action.table import columns, enumerated, listed, moved_axes, size_of
from geojax.symmetry.intertwiners.reading.pairing import groups_of, named_leaf

ENDS = (
    *("slice", "dynamic_slice", "dynamic_update_slice", "gather", "scatter", "concatenate", "pad", "rev"),
    *(
        "conv_general_dilated",
        "reduce_window",
        "select_and_scatter",
        "fft",
        "iota",
        "argmax",
        "argmin",
        "sort",
    ),
    *("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"),
)
"""Primitives, or how their names begin, at which the reading of labels ends and the map may still be equivariant."""

END = "the reading stops here: labels do not see shifts or other finite groups"

NUMBERS = "labels do not look into its numbers"


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Equivariance:
    """How the output of a map f moves when its inputs move: f(g x) = g f(x) for every g of the groups.

    ``act(e.domain, g, x)`` moves the inputs and ``act(e.codomain, g, f(x))`` the output, with one element g: both specs
    have the same groups under the same names, also those that move one side only. The value is static data: hashable,
    comparable, and a table when printed.

    Attributes:
        domain: The spec of the inputs: of the input's own tree if f has one, of the tuple of inputs otherwise.
        codomain: The spec of the output's tree.
        input_names: What the table calls the arrays of the inputs, in the order of their tree.
        output_names: The same for the output.
    """

    domain: SymmetrySpec
    codomain: SymmetrySpec
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    @property
    def groups(self) -> dict[str, Group]:
        """The groups by name."""
        return self.domain.groups

    @property
    def equivariant(self) -> tuple[str, ...]:
        """Names of the groups that move inputs and output."""
        return tuple(n for n in self.groups if self._moves(self.domain, n) and self._moves(self.codomain, n))

    @property
    def invariant(self) -> tuple[str, ...]:
        """Names of the groups that move inputs and leave the output as it is."""
        return tuple(n for n in self.groups if not self._moves(self.codomain, n))

    @property
    def fixing(self) -> tuple[str, ...]:
        """Names of the groups that move the output's axes and leave every output as it is: its entries are alike."""
        return tuple(n for n in self.groups if not self._moves(self.domain, n))

    @property
    def verification(self) -> VerifyResult | None:
        """The numerical check of f(g x) = g f(x), or None if there was none."""
        return self.domain.verification

    @property
    def verified(self) -> tuple[str, ...]:
        """Names of the groups that passed the check and that these inputs exercise."""
        check = self.verification
        if check is None or not check.passed:
            return ()
        return tuple(name for name in self.groups if name not in check.blind)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Primitives without a rule that the program used, as "name (source)"."""
        return self.domain.unknown

    @property
    def notes(self) -> tuple[Note, ...]:
        """Conditions under which groups hold, and checks that did not run."""
        return self.domain.notes

    def table(self, *, full: bool = False) -> str:
        """The printed form: the groups and the axes they move, and every axis that is held, with what holds it where.

        Args:
            full: If true, nothing is folded or cut short.
        """
        return _rendered(self, full)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"Equivariance({len(self.groups)} groups; print it for the table)"

    def _moves(self, spec: SymmetrySpec, name: str) -> bool:
        return any(name in groups_of(leaf.layout) for leaf in spec.leaves)


def _rendered(found: Equivariance, full: bool) -> str:
    lines = [_headline(found, full), ""]
    if found.groups:
        lines += columns(_rows(found, full), ("group", "kind", "size", "of", "input", "output", "f is"))
    else:
        lines += ["no group of these kinds was read; see what is held below, and why"]
    inside = _contained(found)
    if inside:
        lines += ["", "contained in a matrix group, and not listed: " + enumerated(list(inside), full)]
    if found.notes:
        lines += ["", *(f"note: {note.text}" for note in found.notes)]
    pins = _pins(found, full)
    if pins:
        lines += ["", "held", *columns(pins)]
    unread = [
        name for name, leaf in zip(found.input_names, found.domain.leaves, strict=False) if not leaf.read
    ]
    if unread:
        lines += ["", "not read by f: " + enumerated(unread, full)]
    if found.unknown:
        lines += [
            "",
            "primitives without a rule (their axes are held; the reading stops there): "
            + ", ".join(found.unknown),
        ]
    return "\n".join(lines)


def _headline(found: Equivariance, full: bool) -> str:
    text = f"{len(found.groups)} groups, {found.domain.dimension} continuous dimensions"
    check = found.verification
    if check is None:
        return text + ("; not verified" if found.groups else "")
    if math.isnan(check.change):
        return text + "; NOT VERIFIED: no output is finite with inputs near the given ones"
    if found.groups and not found.verified:
        text += "; NOT VERIFIED"
    else:
        text += f"; f(g x) = g f(x) verified (largest relative change {check.change:.1e}, control {check.control:.1e})"
    if check.failed:
        text += "\nFAILED verification and excluded: " + enumerated(check.failed, full)
    if check.blind:
        text += "\nnot verified, as these inputs do not exercise them: " + enumerated(check.blind, full)
    return text


def _rows(found: Equivariance, full: bool) -> list[tuple[str, ...]]:
    """One row for each group, but for permutations that a matrix group contains."""
    sides = [
        moved_axes(_renamed(found.domain, found.input_names)),
        moved_axes(_renamed(found.codomain, found.output_names)),
    ]
    contained = _contained(found)
    rows = []
    for name, group in found.groups.items():
        if name in contained:
            continue
        kind = f"{group.kind}, connected" if group.connected else group.kind
        moved = [listed(side[name], full) for side in sides]
        rows.append(
            (
                name,
                kind,
                size_of(group),
                " ".join(group.parents),
                *(axes or "-" for axes in moved),
                "equivariant" if all(moved) else "invariant" if moved[0] else "fixed",
            )
        )
    return rows


def _contained(found: Equivariance) -> tuple[str, ...]:
    """The permutations that are elements of a matrix group on the same axis."""
    larger = {
        (group.axis, group.parents)
        for group in found.groups.values()
        if group.kind in MATRIX_KINDS and not group.connected
    }
    return tuple(
        name
        for name, group in found.groups.items()
        if group.kind == PERMUTATION and (group.axis, group.parents) in larger
    )


def _renamed(spec: SymmetrySpec, names: Sequence[str]) -> SymmetrySpec:
    leaves = tuple(named_leaf(leaf, name) for leaf, name in zip(spec.leaves, names, strict=True))
    return dataclasses.replace(spec, leaves=leaves)


def _pins(found: Equivariance, full: bool) -> list[tuple[str, ...]]:
    """The axes that are held, those with one reason together: primitive, reason, source line, axes."""
    together: dict[tuple[str, str, str], dict[str, None]] = {}
    for spec, names in ((found.domain, found.input_names), (found.codomain, found.output_names)):
        called = {leaf.path: name for leaf, name in zip(spec.leaves, names, strict=True)}
        for pin in spec.pins:
            why = (pin.primitive, _reason(pin), pin.source)
            together.setdefault(why, {})[f"{called[pin.path]}[{pin.axis}]"] = None
    for why in [why for why in together if not why[2]]:
        # An axis that was matched with one that is cut has no line of its own: it has that of its partner.
        lines = [other for other in together if other[:2] == why[:2] and other[2]]
        if len(lines) == 1:
            together[lines[0]] |= together.pop(why)
    return [(listed(list(axes), full), f"by {why[0]}", why[2], why[1]) for why, axes in together.items()]


def _reason(pin: Pin) -> str:
    """The reason of a pin; where the reading of labels ends, that it ends there."""
    if pin.primitive == "constant":
        return f"{pin.reason}; {NUMBERS}"
    ends = pin.primitive.startswith(ENDS) or "no rule" in pin.reason or "decomposed" in pin.reason
    return f"{pin.reason}; {END}" if ends else pin.reason
