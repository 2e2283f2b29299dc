"""A program being written, which runs while it grows."""

from typing import Any

import numpy as np

from tests.symmetry.inference.fuzz.backends import NUMPY
from tests.symmetry.inference.fuzz.operations import VOCABULARY
from tests.symmetry.inference.fuzz.program import Step, draw_values

LARGEST = 1e3
MOST_LEAVES = 6


class Unsuitable(Exception):
    """The operation drawn does not fit; another is drawn."""


class Writer:
    """A program being written, with the values of one random run of it."""

    def __init__(self, random: np.random.Generator):
        self.random = random
        self.sources: list[tuple] = []
        self.steps: list[Step] = []
        self.values: list[np.ndarray] = []
        self.used: set[int] = set()

    def source(self, kind: str, shape: tuple[int, ...], name: str = "") -> int:
        count = sum(source[0] == kind for source in self.sources)
        name = name or ("abcdef" if kind == "leaf" else "xy")[count]
        self.sources.append((kind, name, tuple(shape)))
        value = (
            self.random.integers(0, 12, size=shape) if name == "index" else draw_values(self.random, shape)
        )
        self.values.append(value)
        return len(self.values) - 1

    def leaf(self, *shape: int) -> int:
        """A leaf of this shape: an old one where there is one and chance wants it, else a new one."""
        old = [i for i, s in enumerate(self.sources) if s[0] == "leaf" and s[2] == tuple(shape)]
        leaves = sum(source[0] == "leaf" for source in self.sources)
        if old and (self.random.random() < 0.35 or leaves >= MOST_LEAVES):
            return self.choose(old)
        if leaves >= MOST_LEAVES:
            raise Unsuitable
        return self.source("leaf", shape)

    def step(self, operation: str, *arguments: int, **static: Any) -> int:
        """Appends a step and runs it."""
        try:
            with np.errstate(all="ignore"):
                function = VOCABULARY[operation]
                value = np.asarray(function(NUMPY, *(self.values[i] for i in arguments), **static))
        except (ValueError, IndexError, np.linalg.LinAlgError) as error:
            raise Unsuitable from error
        largest = np.max(np.abs(value)) if value.size else np.inf
        if (
            value.ndim > 4
            or value.size > 250
            or not 1e-3 < largest < LARGEST
            or not np.all(np.isfinite(value))
        ):
            raise Unsuitable
        self.sources.append(("step", len(self.steps)))
        self.steps.append(Step(operation, arguments, static))
        self.values.append(value)
        self.used.update(arguments)
        return len(self.values) - 1

    def attempt(self, move) -> bool:
        """Makes a move; leaves no trace of one that does not fit."""
        values, steps, used = len(self.values), len(self.steps), set(self.used)
        try:
            move()
        except Unsuitable:
            del self.values[values:], self.sources[values:], self.steps[steps:]
            self.used = used
            return False
        return True

    def choose(self, options):
        if not len(options):
            raise Unsuitable
        return options[int(self.random.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def pick(self, least: int = 0, most: int = 4, *, fresh: float = 0.7) -> int:
        """A real value of some rank; mostly one that nothing has read yet, mostly a late one."""
        options = [
            i
            for i, value in enumerate(self.values)
            if least <= value.ndim <= most and value.dtype.kind == "f" and value.size > 1
        ]
        unread = [i for i in options if i not in self.used and self.sources[i][0] != "leaf"]
        if unread and self.chance(fresh):
            return unread[-1] if self.chance(0.7) else self.choose(unread)
        return self.choose(options)

    def axis(self, value: int, *, longer_than: int = 1) -> int:
        return self.choose([k for k, n in enumerate(self.values[value].shape) if n > longer_than])

    def index(self) -> int:
        """The index input."""
        for i, source in enumerate(self.sources):
            if source[:2] == ("input", "index"):
                return i
        return self.source("input", (4,), "index")
