"""`geojax inspect`: what is in a model file."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geojax.cli.files.checkpoints import Contents, opened
from geojax.cli.screen.console import Screen, columns, num_bytes, size_text
from geojax.cli.screen.errors import CheckError
from geojax.cli.screen.options import PATH, Command, everywhere
from geojax.cli.screen.patterns import pattern, title

if TYPE_CHECKING:
    import numpy as np

PIECE = 1 << 22
"""Number of entries that --check reads at once."""

SIGNATURES = {
    "BERT": r"encoder\.layer\.0\.attention\.self\.query\.weight$",
    "GPT-2": r"h\.0\.attn\.c_attn\.weight$",
    "Llama": r"layers\.0\.self_attn\.q_proj\.weight$",
    "ViT": r"encoder\.layer\.0\.attention\.attention\.query\.weight$",
    "ResNet": r"encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.weight$",
}


@click.command(
    cls=Command,
    short_help="Show what is in a model file.",
    epilog="""\b
examples:
  geojax inspect model.safetensors
  geojax inspect model.safetensors --check
  geojax inspect checkpoints/ --all --json""",
)
@click.argument("file", type=PATH)
@click.option(
    "--check", is_flag=True, help="Read the numbers and count NaN and infinity; exit code 1 if any."
)
@click.option("--all", "every", is_flag=True, help="A line for each tensor, also where layers repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@everywhere
def inspect(file: Path, check: bool, every: bool, as_json: bool, quiet: bool) -> int:
    """Show what is in a model file: tensors, shapes, dtypes, sizes.

    FILE is a safetensors file, the index or folder of several, an orbax folder, or a flax msgpack file. Only headers
    are read (of a msgpack file, which has none, all of it), unless --check looks at the numbers.
    """
    screen = Screen(quiet)
    with opened(file, values=check) as contents:
        bad = _nonfinite(contents, screen) if check else {}
        if as_json:
            screen.json(_record(file, contents, bad if check else None))
        else:
            screen.show(*_report(file, contents, bad, every))
    if bad:
        name, (nans, infinities) = next(iter(bad.items()))
        also = f" {len(bad)} tensors are not finite." if len(bad) > 1 else ""
        raise CheckError(f"{file}: {name} holds {nans:,} NaN and {infinities:,} infinite numbers.{also}")
    if check and not as_json:
        screen.show("[green]all numbers are finite[/]")
    return 0


def guess(names: Iterable[str]) -> str | None:
    """The architecture whose tensors have names like these, or None."""
    return next(
        (
            known
            for known, signature in SIGNATURES.items()
            if any(re.search(signature, name) for name in names)
        ),
        None,
    )


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for people to read: 30522 x 384."""
    return " x ".join(map(str, shape)) if shape else "scalar"


def _nonfinite(contents: Contents, screen: Screen) -> dict[str, tuple[int, int]]:
    """Numbers of NaN and of infinities, for each tensor that holds any."""
    import numpy as np

    counts_of = {}
    total = num_bytes(contents.shapes.values())
    done = 0
    with screen.progress("checking") as report:
        for name, like in contents.shapes.items():
            if not np.issubdtype(like.dtype, np.integer) and like.dtype != bool:
                counts = _count(np.asarray(contents.tensors[name]).reshape(-1))
                contents.release(name)
                if any(counts):
                    counts_of[name] = counts
            done += num_bytes([like])
            report(done, total)
    return counts_of


def _count(numbers: "np.ndarray") -> tuple[int, int]:
    import numpy as np

    pieces = [numbers[start : start + PIECE] for start in range(0, numbers.size, PIECE)]
    return sum(int(np.isnan(x).sum()) for x in pieces), sum(int(np.isinf(x).sum()) for x in pieces)


def _record(file: Path, contents: Contents, bad: Mapping[str, tuple[int, int]] | None) -> dict[str, Any]:
    """The contents as JSON values."""
    tensors = []
    for name, like in contents.shapes.items():
        entry = {
            "name": name,
            "shape": list(like.shape),
            "dtype": like.dtype.name,
            "num_bytes": num_bytes([like]),
        }
        if bad is not None:
            entry["num_nan"], entry["num_inf"] = bad.get(name, (0, 0))
        tensors.append(entry)
    return {
        "path": str(file),
        "format": contents.format,
        "architecture": guess(contents.shapes),
        "num_tensors": len(tensors),
        "num_parameters": sum(math.prod(like.shape) for like in contents.shapes.values()),
        "num_bytes": num_bytes(contents.shapes.values()),
        "metadata": dict(contents.metadata),
        "tensors": tensors,
    }


def _report(file: Path, contents: Contents, bad: Mapping[str, tuple[int, int]], every: bool) -> list[Any]:
    """The parts of the printed report, from top to bottom."""
    from rich.text import Text

    shapes = contents.shapes
    on_disk = sum(path.stat().st_size for path in contents.files)
    parts = f" in {len(contents.files)} files" if len(contents.files) > 1 else ""
    counts: Counter[str] = Counter()
    for like in shapes.values():
        counts[like.dtype.name] += math.prod(like.shape)
    kinds = ", ".join(f"{count:,} {dtype}" for dtype, count in counts.most_common())
    known = guess(shapes)
    lines: list[Any] = [
        Text(str(file), "bold"),
        Text(f"{contents.format}, {size_text(on_disk)}{parts}" + (f", named as {known} is" if known else "")),
        Text(f"{len(shapes):,} tensors: {kinds or 'no numbers'}"),
    ]
    lines += [Text(f"{key}: {value}", "dim") for key, value in contents.metadata.items()]
    return [*lines, "", _table(shapes, bad, every)] if shapes else lines


def _table(shapes: Mapping[str, Any], bad: Mapping[str, tuple[int, int]], every: bool) -> Any:
    together: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, like in shapes.items():
        key = (name if every else pattern(name), tuple(like.shape), like.dtype.name)
        together[key].append(name)
    usual = Counter(like.dtype.name for like in shapes.values()).most_common(1)[0][0]
    heads = ["tensor", "count", "shape", "size"] + (["NaN", "inf"] if bad else [])
    table = columns(*heads, right=(1, 2, 3, 4, 5))
    for (_, shape, dtype), names in together.items():
        counts = [sum(bad.get(name, (0, 0))[i] for name in names) for i in range(2)]
        table.add_row(
            title(names) + (f" ({dtype})" if dtype != usual else ""),
            str(len(names)) if len(names) > 1 else "",
            shape_text(shape),
            size_text(num_bytes(shapes[name] for name in names)),
            *([f"{count:,}" if count else "" for count in counts] if bad else []),
            style="red" if any(counts) else "",
        )
    return table
