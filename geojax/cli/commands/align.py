"""`geojax align`: one model moved onto another through its symmetries."""

import dataclasses
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from geojax.cli.files import models
from geojax.cli.files.aligned_file import METHODS, Alignment, Pair, align_file, pair_up
from geojax.cli.files.checkpoints import broken_files, open_lazily
from geojax.cli.files.outputs import check_output, free_bytes
from geojax.cli.screen.console import Screen, columns, size_text
from geojax.cli.screen.options import PATH, Command, everywhere, seed
from geojax.cli.screen.patterns import pattern, shared_stem, title

LONG = 32
"""If names of groups are longer than this, the beginning that they share is written only once."""


@click.command(
    cls=Command,
    short_help="Move one model onto another through its symmetries.",
    epilog=f"""\b
methods:
  weights      bring the weights of B as close to A's as possible; streams
  activations  put units that respond alike in the same place
  both         weights, started from activations

{models.HELP}

\b
examples:
  geojax align a.safetensors b.safetensors --model model/ -o b2.safetensors
  geojax align a.safetensors b.safetensors --model task:build \\
      --method both --inputs task:images -o b2.safetensors
  geojax align a.safetensors b.safetensors --model spec.json \\
      -o b2.safetensors --dry-run""",
)
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("-o", "--out", type=PATH, required=True, metavar="B2", help="The safetensors file to write.")
@click.option("--model", required=True, metavar="MODEL", help="The function whose symmetries are used.")
@click.option(
    "--method", type=click.Choice(METHODS), default="weights", show_default=True, metavar="METHOD",
    help="One of those below.",
)  # fmt: skip
@click.option(
    "--inputs",
    metavar="MODULE:FUNCTION",
    help="Inputs for activations: a function that returns the tuple of them.  [default: random ones, or MODEL's own]",
)
@click.option(
    "--keep-unread",
    is_flag=True,
    help="Leave tensors that MODEL does not know as they are, instead of refusing the file.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen and how large it will be; write nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@seed("the random choices")
@everywhere
def align(
    a: Path,
    b: Path,
    out: Path,
    model: str,
    method: str,
    inputs: str | None,
    keep_unread: bool,
    dry_run: bool,
    as_json: bool,
    seed: int,
    quiet: bool,
) -> int:
    """Write B2: the same function as B, with its parameters moved as close to A's as its symmetries allow.

    Hidden units, heads and channels are permuted, rescaled, rotated or mixed in ways that do not change the function of
    MODEL. The files are safetensors; B2 has the names and dtypes of B. Matching by weights holds one group of tensors
    in memory at a time; matching by activations holds both models.

    The report says for each kind of group how many moved and how far: the share of units that changed their place, or
    for scalings and matrices the largest deviation from one.
    """
    if inputs is not None and method == "weights":
        raise click.UsageError("--inputs: --method weights looks at no inputs; activations and both do.")
    screen = Screen(quiet)
    check_output(out, [a, b])
    resolved = models.resolve(model)
    if method != "weights":
        models.apply_of(resolved, f"--method {method}")
    given = models.inputs_of(resolved, inputs, seed)
    with screen.busy(f"reading the program of {resolved.name}"):
        spec = models.checked_spec(resolved)
    pair = pair_up(resolved, spec, a, b, keep_unread=keep_unread, screen=screen)
    size = _size_of(b, out)
    if dry_run:
        screen.show(*_plan(pair, out, method, size))
        return 0
    began = time.perf_counter()
    done = align_file(pair, out, method=method, inputs=given, seed=seed, screen=screen)
    seconds = time.perf_counter() - began
    if as_json:
        screen.json(dataclasses.asdict(done) | {"out": str(out), "num_bytes": size, "seconds": seconds})
    else:
        screen.show(*_report(pair, out, done, size, seconds))
    if not done.converged:
        screen.note(
            f"The matching was still improving after {done.num_sweeps} sweeps; B2 holds its last state."
        )
    return 0


def _size_of(b: Path, out: Path) -> int:
    """Size of B2; raises InputError if it cannot be written."""
    from geojax.io import SafetensorsWriter

    with open_lazily(b) as checkpoint, broken_files(out):
        return SafetensorsWriter(
            out, checkpoint.shapes, metadata=checkpoint.metadata, inputs=checkpoint.files
        ).size


def _plan(pair: Pair, out: Path, method: str, size: int) -> list[str]:
    """What a run would do, as lines of text."""
    a, b = pair.paths
    lines = [
        f"would move {b} onto {a} by {method}, through {len(pair.spec.members)} groups of {pair.model.name}",
        f"into {out}: {len(pair.spec.leaves):,} leaves, {size_text(size)}",
    ]
    if out.exists():
        lines.append(f"in place of a file of {size_text(out.stat().st_size)}")
    lines.append(f"the disk has {size_text(free_bytes(out))} left; nothing was written")
    return lines


def _report(pair: Pair, out: Path, done: Alignment, size: int, seconds: float) -> list[Any]:
    """The parts of the printed report, from top to bottom."""
    from rich.text import Text

    a, b = pair.paths
    numbers = columns("", "before", "after", right=(1, 2))
    for name, (before, after) in {"objective": done.objective, "relative distance": done.distance}.items():
        numbers.add_row(name, "" if before is None else f"{before:.6g}", f"{after:.6g}")
    together: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, group in pair.spec.members:
        together[(pattern(name), group.kind, group.parent_sizes, group.size)].append(name)
    titles = [title(names).removesuffix(f":{key[1]}") for key, names in together.items()]
    stem = shared_stem(titles) if any(len(name) > LONG for name in titles) else ""
    heading = f"group, of {stem.rstrip('./')}" if stem else "group"
    groups = columns("kind", "size", "moved", "how far", heading, right=(1, 2, 3))
    for ((_, kind, parents, length), names), full in zip(together.items(), titles, strict=True):
        shares = [done.moved[name] for name in names]
        units = kind in ("permutation", "sign")
        groups.add_row(
            kind.replace("_", " "),
            " x ".join(map(str, (*parents, length))),
            f"{sum(share > 0 for share in shares)} of {len(names)}",
            f"{sum(shares) / len(shares):.0%}" if units else f"{max(shares):.2g}",
            full.removeprefix(stem),
        )
    head = f"{out}: {b} moved onto {a} by {done.method}, {size_text(size)} in {seconds:.1f} s"
    moved = sum(share > 0 for share in done.moved.values())
    foot = f"{moved} of {len(done.moved)} groups moved, in {done.num_sweeps} sweeps"
    return [Text(head, "bold"), "", numbers, "", *([groups, ""] if done.moved else []), foot]
