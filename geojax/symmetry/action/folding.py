"""Names that differ in one number only, such as those of a network's layers, said once.

``layers/0/w[1] layers/1/w[1] layers/2/w[1]`` becomes ``layers/{0..2}/w[1]``. Rows of a table fold if they are equal but
for the number: that of their first cell becomes ``{i}``, and numbers that stand in its place elsewhere are counted from
it, as in ``{i+1}``. Numbers inside brackets are numbers of axes and entries, which do not fold.
"""

import re
from collections.abc import Sequence

LEAST = 3
"""How many names or rows are said as one at least."""

_TOKENS = re.compile(r"\[[^\]]*\]|\{[^}]*\}|\d+|[^\d\[{]+")


def fold_names(names: Sequence[str]) -> list[str]:
    """The names in their order, those that differ in one number only as one."""
    folded = [_split(name) for name in names]
    for place in range(max(map(len, folded), default=0)):
        together: dict[tuple[str, ...], list[str]] = {}
        for tokens in folded:
            if place < len(tokens) and tokens[place].isdigit():
                together.setdefault(_without(tokens, place), []).append(tokens[place])
        several = {rest for rest, numbers in together.items() if len(set(numbers)) >= LEAST}
        kept: dict[tuple[str, ...], None] = {}
        for tokens in folded:
            rest = _without(tokens, place)
            if place < len(tokens) and tokens[place].isdigit() and rest in several:
                tokens = (*tokens[:place], "{" + _numbers(together[rest]) + "}", *tokens[place + 1 :])
            kept[tokens] = None
        folded = list(kept)
    return ["".join(tokens) for tokens in folded]


Row = tuple[str | tuple[str, ...], ...]
"""Cells: a text, or a tuple of names; the first is a tuple with the row's own name."""


def fold_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows in their order, those of one pattern as one."""
    rows = list(rows)
    for count in range(max((len(_numbers_in(row)) for row in rows), default=0)):
        rows = _folded(rows, count)
    return rows


def _folded(rows: list[Row], count: int) -> list[Row]:
    """The rows after those have become one whose names differ in the number with the given count."""
    together: dict[Row, list[int]] = {}
    values: dict[int, str] = {}
    for number, row in enumerate(rows):
        places = _numbers_in(row)
        if len(places) > count:
            tokens = _split(row[0][0])
            values[number] = tokens[places[count]]
            pattern = _pattern(row, "".join(tokens[: places[count]]), int(values[number]))
            together.setdefault(pattern, []).append(number)
    first: dict[int, Row] = {}
    gone: set[int] = set()
    for pattern, members in together.items():
        if len(members) >= LEAST:
            name, *rest = pattern
            where = _numbers([values[member] for member in members])
            first[members[0]] = ((f"{name[0]}, i = {where}",), *rest)
            gone.update(members[1:])
    return [first.get(number, row) for number, row in enumerate(rows) if number not in gone]


def _numbers_in(row: Row) -> list[int]:
    """The places of the numbers among the tokens of a row's name."""
    return [place for place, token in enumerate(_split(row[0][0])) if token.isdigit()]


def _pattern(row: Row, prefix: str, value: int) -> Row:
    """The row with each number after ``prefix`` counted from ``value``."""

    def counted(name: str) -> str:
        found = re.match(re.escape(prefix) + r"(\d+)", name)
        if found is None:
            return name
        offset = int(found[1]) - value
        return f"{prefix}{{i{offset:+d}}}".replace("{i+0}", "{i}") + name[found.end() :]

    return tuple(cell if isinstance(cell, str) else tuple(map(counted, cell)) for cell in row)


def _split(name: str) -> tuple[str, ...]:
    return tuple(_TOKENS.findall(name))


def _without(tokens: tuple[str, ...], place: int) -> tuple[str, ...]:
    return (*tokens[:place], "", *tokens[place + 1 :])


def _numbers(texts: Sequence[str]) -> str:
    """Numbers as ranges: ``0..3,7``."""
    numbers = sorted({int(text) for text in texts})
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}..{b}" if b > a else f"{a}" for a, b in runs)
