"""Where results and remarks go: results to stdout, remarks and progress to stderr, nothing but errors if quiet."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


class Screen:
    """What a command prints with; colours, widths and encodings are rich's business."""

    def __init__(self, quiet: bool = False):
        from rich.console import Console

        self.quiet = quiet
        self.out = Console(highlight=False)
        self.err = Console(highlight=False, stderr=True)

    def show(self, *items: "RenderableType") -> None:
        """Prints results, one below the other."""
        for item in items if not self.quiet else ():
            self.out.print(item)

    def note(self, text: str) -> None:
        """Prints a remark that is no result."""
        if not self.quiet:
            self.err.print(text, markup=False, soft_wrap=True)

    def json(self, value: Any) -> None:
        """Prints a value for programs: one JSON document, NaN and infinities as null."""
        if not self.quiet:
            print(json.dumps(_finite(value), indent=2))

    def busy(self, what: str) -> AbstractContextManager[Any]:
        """Says on stderr that something takes its time, if that is a terminal."""
        hidden = self.quiet or not self.err.is_terminal
        return nullcontext() if hidden else self.err.status(what)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar in bytes on stderr, if that is a terminal; call it with the bytes done and their total."""
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        hidden = self.quiet or not self.err.is_terminal
        with Progress(*columns, console=self.err, transient=True, disable=hidden) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def num_bytes(shapes: Iterable[Any]) -> int:
    """Bytes of arrays with these shapes and dtypes."""
    return sum(math.prod(like.shape) * like.dtype.itemsize for like in shapes)


def size_text(num_bytes: int) -> str:
    """Bytes as people read them: 91 MB."""
    from rich.filesize import decimal

    return decimal(num_bytes)


def columns(*heads: str, right: tuple[int, ...] = ()) -> "Table":
    """An empty table in the style of all commands; the columns numbered in `right` hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        number = place in right
        table.add_column(head, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return table


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
