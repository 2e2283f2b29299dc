"""Printing: results to stdout, remarks and progress to stderr, and only errors if quiet."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


class Screen:
    """Prints for a command; rich handles colours, widths and encodings."""

    def __init__(self, quiet: bool = False):
        from rich.console import Console

        self.quiet = quiet
        self.out = Console(highlight=False)
        self.err = Console(highlight=False, stderr=True)

    def show(self, *items: "RenderableType") -> None:
        """Prints results, one after another."""
        for item in items if not self.quiet else ():
            self.out.print(item)

    def note(self, text: str) -> None:
        """Prints a remark, to stderr."""
        if not self.quiet:
            self.err.print(text, markup=False, soft_wrap=True)

    def json(self, value: Any) -> None:
        """Prints a value as one JSON document, with NaN and infinities as null."""
        if not self.quiet:
            print(json.dumps(_finite(value), indent=2))

    def busy(self, what: str) -> AbstractContextManager[Any]:
        """Shows on stderr, if it is a terminal, what is being done."""
        hidden = self.quiet or not self.err.is_terminal
        return nullcontext() if hidden else self.err.status(what)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Shows a progress bar on stderr, if it is a terminal. Call the function with the bytes done and the total."""
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
    """Total size in bytes of arrays with these shapes and dtypes."""
    return sum(math.prod(like.shape) * like.dtype.itemsize for like in shapes)


def size_text(num_bytes: int) -> str:
    """A size for people to read: 91 MB."""
    from rich.filesize import decimal

    return decimal(num_bytes)


def columns(*heads: str, right: tuple[int, ...] = ()) -> "Table":
    """An empty table in the style of all commands; `right` are the positions of columns of numbers."""
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
