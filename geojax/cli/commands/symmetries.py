"""`geojax symmetries`: the symmetry group of a model's function."""

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geojax.cli.files import models
from geojax.cli.files.outputs import check_output, write_small
from geojax.cli.screen.console import Screen, columns
from geojax.cli.screen.errors import CheckError
from geojax.cli.screen.options import PATH, Command, everywhere
from geojax.cli.screen.patterns import collapse, pattern, shared_stem, title

if TYPE_CHECKING:
    from geojax.symmetry import Group, SymmetrySpec

SHOWN = 6


@click.command(
    cls=Command,
    short_help="Find the symmetries of a model's function.",
    epilog=models.HELP
    + """

\b
examples:
  geojax symmetries all-MiniLM-L6-v2/ --save minilm.json
  geojax symmetries mymodel:build --pins
  geojax symmetries minilm.json --json""",
)
@click.argument("model")
@click.option(
    "--save", type=PATH, metavar="SPEC.json", help="Write the spec, which other commands take as MODEL."
)
@click.option("--pins", is_flag=True, help="Also list the axes that may not move, and why.")
@click.option("--leaves", is_flag=True, help="List every leaf that a group moves, not only the first few.")
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Check numerically.  [default: known architectures of up to 1 GB, and all functions of yours]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@everywhere
def symmetries(
    model: str, save: Path | None, pins: bool, leaves: bool, verify: bool | None, as_json: bool, quiet: bool
) -> int:
    """Find the symmetries of a model's function, and check them.

    The group is read from the program of apply(params, *inputs): it permutes, rescales, rotates or mixes parameters
    without changing any output. It is then checked numerically on random parameters; the exit code is 1 if a group
    changes the outputs.
    """
    screen = Screen(quiet)
    if save is not None:
        check_output(save, [Path(model)], option="--save")
    resolved = models.resolve(model)
    with screen.busy(f"reading the program of {resolved.name}"):
        spec = models.spec_of(resolved, verify=verify)
    if as_json:
        screen.json(record(spec))
    else:
        screen.show(*_report(resolved.name, spec, pins, math.inf if leaves else SHOWN))
    check = spec.verification
    if check is not None and not check.passed:
        groups = f": {', '.join(check.failed)} changed the outputs" if check.failed else ""
        raise CheckError(
            f"{resolved.name}: the symmetries did not pass the numerical check{groups}. "
            "Nothing was saved. Give example inputs for which all outputs are finite."
        )
    if save is not None:
        write_small(save, spec.to_json().encode())
        screen.note(f"Saved to {save}.")
    return 0


def record(spec: "SymmetrySpec") -> dict[str, Any]:
    """A spec as JSON values."""
    check = spec.verification
    return {
        "groups": [
            {
                "name": name,
                "kind": group.kind,
                "size": group.size,
                "parents": list(group.parents),
                "parent_sizes": list(group.parent_sizes),
                "dimension": group.dimension,
                "moves": [
                    {"leaf": leaf.path, "axis": part.axis, "exponent": dict(part.moves)[name]}
                    for leaf, _, part in spec.occurrences(name)
                ],
            }
            for name, group in spec.members
        ],
        "dimension": spec.dimension,
        "log10_discrete": sum(group.log10_order for _, group in spec.members if group.dimension == 0),
        "num_leaves": len(spec.leaves),
        "unread": [leaf.path for leaf in spec.leaves if not leaf.read],
        "unknown": list(spec.unknown),
        "pins": [
            {
                "leaf": pin.path,
                "axis": pin.axis,
                "size": pin.size,
                "primitive": pin.primitive,
                "reason": pin.reason,
                "source": pin.source,
            }
            for pin in spec.pins
        ],
        "verification": None
        if check is None
        else {
            "passed": check.passed,
            "change": check.change,
            "tolerance": check.tolerance,
            "control": check.control,
            "failed": list(check.failed),
            "blind": list(check.blind),
        },
    }


def _report(name: str, spec: "SymmetrySpec", pins: bool, shown: float) -> list[Any]:
    """The parts of the printed report, from top to bottom."""
    from rich.text import Text

    discrete = sum(group.log10_order for _, group in spec.members if group.dimension == 0)
    lines: list[Any] = [Text(name, "bold"), Text(_summary(spec, discrete)), _verdict(spec)]
    if spec.members:
        lines += ["", _groups(spec, shown)]
    if pins:
        lines += ["", _pins(spec, shown)]
    unread = [leaf.path for leaf in spec.leaves if not leaf.read]
    lines += [""] if unread or spec.unknown else []
    if unread:
        lines.append(Text("not read by the function: " + _listed(unread, shown)))
    if spec.unknown:
        lines.append(
            Text("primitives without a rule, whose axes are held: " + ", ".join(spec.unknown), "yellow")
        )
    return lines


def _summary(spec: "SymmetrySpec", discrete: float) -> str:
    if not spec.members:
        return f"no symmetry on {len(spec.leaves)} leaves"
    text = f"{len(spec.members)} groups on {len(spec.leaves)} leaves: 10^{discrete:,.0f} discrete elements"
    return text + f", {spec.dimension:,} continuous dimensions"


def _verdict(spec: "SymmetrySpec") -> Any:
    from rich.text import Text

    check = spec.verification
    if check is None:
        return Text("not verified", "yellow")
    if math.isnan(check.change):
        return Text("NOT VERIFIED: no output is finite for parameters near the given ones", "bold red")
    numbers = f"outputs change by {check.change:.1e} at most, tolerance {check.tolerance:.1e}"
    if not check.passed:
        return Text(f"FAILED verification: {', '.join(check.failed) or numbers}", "bold red")
    text = Text(f"verified: {numbers}", "green")
    if check.blind:
        text.append(f"\nnot seen by these inputs: {', '.join(check.blind)}. Give more varied ones.", "yellow")
    return text


def _groups(spec: "SymmetrySpec", shown: float) -> Any:
    from rich.text import Text

    together: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, group in spec.members:
        together[(pattern(name), group.kind, group.size, group.parent_sizes)].append(name)
    moved = _moved(spec)
    table = columns("kind", "size", "count", "group and what it moves", right=(1, 2))
    for names in together.values():
        group = spec.groups[names[0]]
        axes = dict.fromkeys(axis for name in names for axis in moved[name])
        cell = Text(title(names).removesuffix(f":{group.kind}"), "bold")
        cell.append("\n" + _listed(collapse(axes), shown), "not bold dim")
        table.add_row(
            group.kind.replace("_", " "), _size(group), str(len(names)) if len(names) > 1 else "", cell
        )
    return table


def _moved(spec: "SymmetrySpec") -> dict[str, list[str]]:
    """For each group the leaves that it moves, with the axis."""
    axes_of: dict[str, dict[str, None]] = {name: {} for name, _ in spec.members}
    for name in axes_of:
        for leaf, _, part in spec.occurrences(name):
            axes_of[name][f"{leaf.path}[{part.axis}]"] = None
    return {name: list(axes) for name, axes in axes_of.items()}


def _pins(spec: "SymmetrySpec", shown: float) -> Any:
    from rich.text import Text

    together: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    sources: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for pin in spec.pins:
        together[pin.primitive, pin.reason][f"{pin.path}[{pin.axis}]"] = None
        if pin.source:
            sources[pin.primitive, pin.reason][pin.source] = None
    table = columns("held by", "why, and which axes")
    for (primitive, reason), axes in together.items():
        cell = Text(reason)
        places = list(sources[primitive, reason])
        if places:
            cell.append(f" at {_listed(places, 2)}")
        cell.append("\n" + _listed(collapse(axes), shown), "dim")
        table.add_row(primitive, cell)
    return table


def _size(group: "Group") -> str:
    return " x ".join(str(n) for n in (*group.parent_sizes, group.size))


def _listed(names: list[str], shown: float) -> str:
    """Names on one line; the beginning that they share is written once."""
    stem = shared_stem(names)
    kept = names[: int(min(shown, len(names)))]
    row = "  ".join(name.removeprefix(stem) for name in kept)
    more = f"  and {len(names) - len(kept)} more" if len(kept) < len(names) else ""
    return (f"{stem}: " if stem else "") + row + more
