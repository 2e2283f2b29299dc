"""One run of the demonstration: reads, trains and merges with progress on the terminal, prints, writes."""

import time
from collections.abc import Sequence
from pathlib import Path

import jax
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from geojax.cli.screen.signals import ended_by_signals
from geojax.demo.data import Data, digits, idx_folder
from geojax.demo.errors import DemoError as DemoError
from geojax.demo.experiment import Job, Outcome, Plan, Step, jobs
from geojax.demo.experiment import run as run_job
from geojax.demo.pictures import picture
from geojax.demo.report import claim_folder, results, table, write_all

SMALL = 10_000
"""Training sets up to this size get more epochs."""


def run(
    data_path: Path | None,
    out: Path,
    *,
    widths: Sequence[int] | None = None,
    channels: int | None = None,
    seed: int = 0,
    quick: bool = False,
    console: Console | None = None,
) -> dict[str, Outcome]:
    """Runs the demonstration and writes its pictures and numbers to the folder ``out``.

    Raises:
        DemoError: If the data cannot be read or the results cannot be written.
    """
    console = Console() if console is None else console
    began = time.perf_counter()
    data = digits() if data_path is None else idx_folder(data_path)
    claim_folder(out)
    if quick:
        data = data.head(1000, 400)
    plan = _plan(data, widths, channels, quick)
    console.print(
        f"[bold]{data.name}[/]: {len(data.train_images):,} images to train on, {len(data.test_images):,} to test on, "
        f"{data.num_classes} classes"
    )
    outcomes = []
    with ended_by_signals():
        for number, job in enumerate(jobs(data, plan)):
            key = jax.random.fold_in(jax.random.key(seed), number)
            outcome = _with_progress(job, data, plan, key, console)
            _print(outcome, data, console)
            outcomes.append(outcome)
        files = {f"{outcome.name}.png": picture(data.name, outcome) for outcome in outcomes}
        write_all(out, {**files, "results.json": results(data.name, outcomes)})
    names = ", ".join((*files, "results.json"))
    console.print(f"Written to [bold]{out}[/]: {names}. The whole took {time.perf_counter() - began:.0f} s.")
    return {outcome.name: outcome for outcome in outcomes}


def _plan(data: Data, widths: Sequence[int] | None, channels: int | None, quick: bool) -> Plan:
    chosen = tuple(dict.fromkeys(widths or (64 if quick else 512,)))
    if quick:
        return Plan(chosen, channels or 32, 20, 6, 50, 200, 5)
    if len(data.train_images) <= SMALL:
        return Plan(chosen, channels or 256, 20, 10, 100, 1000, 25)
    return Plan(chosen, channels or 256, 5, 2, 250, 2000, 11)


def _with_progress(job: Job, data: Data, plan: Plan, key: jax.Array, console: Console) -> Outcome:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {}

        def report(step: Step) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = progress.add_task(f"{job.name}: {step.stage}", total=step.total, note="")
            progress.update(tasks[step.stage], completed=step.done, note=step.note)

        return run_job(job, data, plan, key, report)


def _print(outcome: Outcome, data: Data, console: Console) -> None:
    console.print(f"\nThe symmetries of {outcome.name}, read off its program:\n")
    console.print(str(outcome.spec), highlight=False, markup=False, soft_wrap=True)
    console.print()
    console.print(table(data.name, outcome))
