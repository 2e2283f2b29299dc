"""Types and options that the commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


class Whole(click.ParamType):
    """Whole numbers in a range; the help does not show the range."""

    name = "number"

    def __init__(self, least: int, most: int):
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads a number."""
        number = int(value) if str(value).isdecimal() else -1
        if not self.least <= number <= self.most:
            self.fail(f"{value!r} is not a whole number from {self.least} to {self.most}.", param, ctx)
        return number


class Real(click.ParamType):
    """Finite numbers in an interval."""

    name = "number"

    def __init__(self, least: float = -math.inf, most: float = math.inf, *, open_start: bool = False):
        self.least, self.most, self.open_start = least, most, open_start

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads a number."""
        number = float(value) if _is_number(str(value)) else math.nan
        above = number > self.least if self.open_start else number >= self.least
        if not (math.isfinite(number) and above and number <= self.most):
            start = "above" if self.open_start else "from"
            bound = "" if math.isinf(self.most) else f" {start} {self.least:g} and up to {self.most:g}"
            self.fail(f"{value!r} is not a number{bound}.", param, ctx)
        return number


SEED = Whole(0, 2**32 - 1)


class Command(click.Command):
    """A command whose repeatable options take several numbers at once: ``--width 128 256``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats the name of the option before each further number, because click reads that form."""
        names = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        spread: list[str] = []
        current = ""
        for word in args:
            if current and spread[-1] == current:
                spread.append(word)
            elif current and _is_number(word):
                spread += [current, word]
            else:
                spread.append(word)
                current = word if word in names else ""
        return super().parse_args(ctx, spread)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def everywhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every command has."""
    for option in (
        click.option(
            "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error as well."
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    ):
        command = option(command)
    return command


def seed(what: str) -> Callable[..., Any]:
    """The option --seed."""
    return click.option(
        "--seed", type=SEED, default=0, show_default=True, metavar="N", help=f"Seed of {what}."
    )
