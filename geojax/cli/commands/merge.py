"""`geojax merge`: several files merged into one."""

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from geojax.cli.files import models
from geojax.cli.files.aligned_file import align_file, pair_up
from geojax.cli.files.checkpoints import broken_files, open_lazily, same_tensors
from geojax.cli.files.merge_methods import METHODS, Choice, Method, check
from geojax.cli.files.outputs import check_output, check_space, free_bytes
from geojax.cli.screen.console import Screen, size_text
from geojax.cli.screen.errors import InputError
from geojax.cli.screen.options import PATH, SEED, Command, Real, everywhere

HINTS = {
    "Pass allow_nonfinite=True": "Give --allow-nonfinite",
    "Pass integers_from_first=True": "Give --integers-from-first",
}
"""{advice in an error of the library: the same for the command line}."""


def _listed(base: bool) -> str:
    return "\n".join(f"  {name:17}{method.about}" for name, method in METHODS.items() if method.base == base)


@click.command(
    cls=Command,
    short_help="Merge several models into one file.",
    epilog=f"""\b
methods:
{_listed(False)}
methods that need --base:
{_listed(True)}

\b
With --align every model is first moved onto the first (or the base) by the
symmetries of MODEL, as `geojax align` does.

{models.HELP}

\b
examples:
  geojax merge a.safetensors b.safetensors -o mean.safetensors
  geojax merge a.safetensors b.safetensors --method slerp --t 0.3 \\
      --model config.json --align -o out.safetensors
  geojax merge a.safetensors b.safetensors --base base.safetensors \\
      --method ties --density 0.2 --weight 1 0.5 -o out.safetensors --dry-run""",
)
@click.argument("files", type=PATH, nargs=-1, required=True, metavar="A B ...")
@click.option("-o", "--out", type=PATH, required=True, metavar="OUT", help="The safetensors file to write.")
@click.option(
    "--method", type=click.Choice(list(METHODS)), default="average", show_default=True, metavar="METHOD",
    help="One of those below.",
)  # fmt: skip
@click.option("--base", type=PATH, metavar="BASE", help="The model that A B ... were fine-tuned from.")
@click.option(
    "--weight",
    type=Real(),
    multiple=True,
    metavar="W ...",
    help="One number for each model.  [default: 1 each]",
)
@click.option("--t", type=Real(), metavar="T", help="Where between A (0) and B (1).  [default: 0.5]")
@click.option(
    "--density",
    type=Real(0, 1, open_start=True),
    metavar="D",
    help="Share of the differences to keep.  [default: 0.2 for ties, 0.1 for dare]",
)
@click.option("--seed", type=SEED, metavar="N", help="Seed of the random choices.  [default: 0]")
@click.option("--model", metavar="MODEL", help="With --align: the function whose symmetries are used.")
@click.option("--align", is_flag=True, help="Align the models before they are merged.")
@click.option(
    "--keep-unread", is_flag=True, help="With --align: do not change tensors that MODEL does not know."
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16", "float64"]),
    metavar="DTYPE",
    help="Write float32, float16, bfloat16 or float64.  [default: as in the files]",
)
@click.option(
    "--integers-from-first", is_flag=True, help="Take integer tensors that differ from the first file."
)
@click.option("--allow-nonfinite", is_flag=True, help="Merge files that hold NaN or infinities.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen and how large it will be; write nothing."
)
@everywhere
def merge(
    files: tuple[Path, ...],
    out: Path,
    method: str,
    base: Path | None,
    weight: tuple[float, ...],
    t: float | None,
    density: float | None,
    seed: int | None,
    model: str | None,
    align: bool,
    keep_unread: bool,
    dtype: str | None,
    integers_from_first: bool,
    allow_nonfinite: bool,
    dry_run: bool,
    quiet: bool,
) -> int:
    """Merge models that have tensors of the same names and shapes, tensor by tensor, into one safetensors file.

    Files are read and written in pieces, so they may be larger than memory. Half precision is merged in float32 and
    rounded once. OUT appears when it is complete; files with NaN, other tensors or other integers are refused.
    """
    # With --align the seed is used for the alignment too, so methods without random choices accept it.
    choice = Choice(weight or None, t, density, None if align and method != "dare" else seed)
    chosen = check(method, len(files), base is not None, choice)
    if align != (model is not None):
        raise click.UsageError(
            "--align and --model MODEL go together: models are aligned by the symmetries of MODEL."
        )
    screen = Screen(quiet)
    sources = [*([base] if base is not None else []), *files]
    check_output(out, sources)
    plan = _plan(sources, out, dtype)
    if align:
        check_space(out, plan.num_bytes * len(sources))
    if dry_run:
        screen.show(*_report(sources, method, choice, plan, model))
        return 0
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        if model is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".geojax-", dir=out.parent)))
            sources = _aligned(sources, model, folder, seed or 0, keep_unread, screen)
        _write(
            sources,
            plan,
            chosen.make(choice, len(files)),
            chosen,
            seed,
            allow_nonfinite,
            integers_from_first,
            screen,
        )
    seconds = time.perf_counter() - began
    screen.show(f"{out}: {len(files)} models by {method}, {size_text(plan.num_bytes)} in {seconds:.1f} s")
    return 0


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What merging will write.

    Attributes:
        out: The file.
        dtype: The dtype of the merged tensors; None if each keeps its own.
        num_tensors: Number of tensors.
        num_bytes: Size of the file, with its header.
        free: Free bytes on the disk.
        replaced: Size of the existing file at `out`; None if there is none.
    """

    out: Path
    dtype: Any
    num_tensors: int
    num_bytes: int
    free: int
    replaced: int | None


def _plan(sources: Sequence[Path], out: Path, dtype: str | None) -> _Plan:
    """What merging these files will write, from their headers."""
    import jax
    import jax.numpy as jnp

    from geojax.io import SafetensorsWriter

    wanted = None if dtype is None else jnp.dtype(dtype)

    def written(like: Any) -> Any:
        if wanted is None or not jnp.issubdtype(like.dtype, jnp.inexact):
            return like
        return jax.ShapeDtypeStruct(like.shape, wanted)

    inputs: list[str] = []
    every: list[dict[str, Any]] = []
    metadata = None
    for path in sources:
        with open_lazily(path) as checkpoint:
            every.append({name: written(like) for name, like in checkpoint.shapes.items()})
            inputs += checkpoint.files
            metadata = checkpoint.metadata if metadata is None else metadata
        same_tensors(
            sources[0], every[0], path, every[-1], hint="" if wanted else " Give --dtype to cast them."
        )
    with broken_files(out):
        size = SafetensorsWriter(out, every[0], metadata=metadata, inputs=inputs).size
    replaced = out.stat().st_size if out.exists() else None
    return _Plan(out, wanted, len(every[0]), size, free_bytes(out), replaced)


def _report(
    sources: Sequence[Path], method: str, choice: Choice, plan: _Plan, model: str | None
) -> list[str]:
    """What a run would do, as lines of text."""
    said = ", ".join(
        f"{key} {value}" for key, value in dataclasses.asdict(choice).items() if value is not None
    )
    lines = [f"would merge by {method}" + (f" ({said})" if said else "") + ":"]
    lines += [f"  {path}  {size_text(_size(path))}" for path in sources]
    if model is not None:
        moved = (len(sources) - 1) * plan.num_bytes
        lines.append(
            f"each but the first aligned with it by {model}, {size_text(moved)} of temporary files beside OUT"
        )
    lines.append(f"into {plan.out}: {plan.num_tensors:,} tensors, {size_text(plan.num_bytes)}")
    if plan.replaced is not None:
        lines.append(f"in place of a file of {size_text(plan.replaced)}")
    lines.append(f"the disk has {size_text(plan.free)} left; nothing was written")
    return lines


def _size(path: Path) -> int:
    with open_lazily(path) as checkpoint:
        return sum(Path(file).stat().st_size for file in checkpoint.files)


def _aligned(
    sources: Sequence[Path], model: str, folder: Path, seed: int, keep_unread: bool, screen: Screen
) -> list[Path]:
    """The first file, and temporary files with the other models moved onto the first."""
    resolved = models.resolve(model)
    with screen.busy(f"reading the program of {resolved.name}"):
        spec = models.checked_spec(resolved)
    moved = [sources[0]]
    for number, path in enumerate(sources[1:]):
        pair = pair_up(resolved, spec, sources[0], path, keep_unread=keep_unread, screen=screen)
        moved.append(folder / f"{number}.safetensors")
        done = align_file(
            pair, moved[-1], method="weights", inputs=None, seed=seed, screen=screen, at_rest=False
        )
        before, after = done.distance
        screen.note(
            f"{path} moved onto {sources[0]}: relative distance {before:.4g} before, {after:.4g} after."
        )
    return moved


def _write(
    sources: Sequence[Path],
    plan: _Plan,
    function: Callable[..., Any],
    method: Method,
    seed: int | None,
    allow_nonfinite: bool,
    integers_from_first: bool,
    screen: Screen,
) -> None:
    import jax

    from geojax.io import stream_merge

    try:
        with broken_files(plan.out), screen.progress("merging") as progress:
            stream_merge(
                function,
                sources,
                plan.out,
                elementwise=method.elementwise,
                key=jax.random.key(seed or 0) if "seed" in method.options else None,
                dtype=plan.dtype,
                integers_from_first=integers_from_first,
                allow_nonfinite=allow_nonfinite,
                progress=progress,
            )
    except InputError as error:
        message = str(error)
        for advice, option in HINTS.items():
            message = message.replace(advice, option)
        raise InputError(message) from error
