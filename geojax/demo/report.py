"""The results of the demonstration: tables for the terminal, JSON, and files that are complete or absent."""

import json
import os
import tempfile
from pathlib import Path

from rich import box
from rich.table import Table

from geojax.demo.errors import DemoError
from geojax.demo.experiment import VARIANTS, Outcome


def results(data_name: str, outcomes: list[Outcome]) -> bytes:
    """The results of all models on the test images, as JSON."""
    models = {
        outcome.name: {
            "endpoints": {"loss": outcome.loss, "accuracy": outcome.accuracy},
            **{
                name: {
                    "barrier": outcome.paths[name].barrier,
                    "midpoint_loss": outcome.paths[name].midpoint_loss,
                    "midpoint_accuracy": outcome.paths[name].midpoint_accuracy,
                }
                for name in VARIANTS
            },
        }
        for outcome in outcomes
    }
    return (json.dumps({"data": data_name, "models": models}, indent=2) + "\n").encode()


def table(data_name: str, outcome: Outcome) -> Table:
    """Loss barrier and midpoint of every variant, and the networks themselves."""
    shown = Table(
        title=f"{outcome.name} on {data_name}, test images", box=box.SIMPLE_HEAD, title_justify="left"
    )
    shown.add_column("merged half-way", no_wrap=True)
    for head in ("loss barrier", "loss", "accuracy", "kept"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_row(
        "the two networks", "", f"{outcome.loss:.3f}", f"{outcome.accuracy:.1%}", "100%", style="dim"
    )
    best = max(VARIANTS, key=lambda name: outcome.paths[name].midpoint_accuracy)
    for name in VARIANTS:
        path = outcome.paths[name]
        shown.add_row(
            label(outcome, name),
            f"{path.barrier:.3f}",
            f"{path.midpoint_loss:.3f}",
            f"{path.midpoint_accuracy:.1%}",
            f"{path.midpoint_accuracy / outcome.accuracy:.1%}",
            style="bold green" if name == best else "",
        )
    return shown


LABELS = {
    "naive": "not aligned",
    "weights": "aligned by weights",
    "activations": "aligned by activations",
    "both": "aligned by both",
    "repaired": "repaired",
}


class OutputError(DemoError):
    """The results cannot be written."""


def label(outcome: Outcome, name: str) -> str:
    """Name of a variant; for the repaired one with its alignment."""
    return LABELS[name] + (f" ({outcome.chosen})" if name == "repaired" else "")


def claim_folder(folder: Path) -> None:
    """Makes the output folder and checks that files can be written there.

    Raises:
        OutputError: If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"--out: {folder} cannot be written to ({error.strerror or error}). "
            "Name a folder of yours, for example --out demo."
        ) from error


def write_all(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files under temporary names first, and renames them when all are complete.

    Raises:
        OutputError: If a file cannot be written; the temporary files are removed.
    """
    waiting: list[tuple[str, Path]] = []
    try:
        for name, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
            waiting.append((temporary, folder / name))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        while waiting:
            temporary, final = waiting[0]
            os.chmod(temporary, 0o644)
            os.replace(temporary, final)
            waiting.pop(0)
    except OSError as error:
        raise OutputError(
            f"--out: {folder} cannot be written to ({error.strerror or error}). Free space or name another."
        ) from error
    finally:
        for temporary, _ in waiting:
            Path(temporary).unlink(missing_ok=True)
