"""A fuzz program: a straight line of operations on parameters and inputs, run by JAX or by numpy."""

import dataclasses
from typing import Any

import numpy as np

from tests.symmetry.inference.fuzz.backends import JAX, NUMPY
from tests.symmetry.inference.fuzz.operations import VOCABULARY

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Step:
    """values.append(operation(*arguments, **static)); an argument is the number of an earlier value."""

    operation: str
    arguments: tuple[int, ...]
    static: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Program:
    """Values are numbered: the leaves and inputs in the order of `sources`, then one for each step.

    `sources` holds ("leaf", name, shape), ("input", name, shape) and ("step", n) entries, in the order of numbering.
    """

    seed: int
    sources: tuple[tuple, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def shapes(self, kind: str) -> dict[str, tuple[int, ...]]:
        return {source[1]: source[2] for source in self.sources if source[0] == kind}

    def run(self, backend, params, inputs) -> list:
        """The values of all sources, in order."""
        values: list = []
        for source in self.sources:
            if source[0] == "leaf":
                values.append(params[source[1]])
            elif source[0] == "input":
                values.append(inputs[source[1]])
            else:
                step = self.steps[source[1]]
                arguments = (values[i] for i in step.arguments)
                values.append(VOCABULARY[step.operation](backend, *arguments, **step.static))
        return values

    def apply(self, params, inputs):
        """The program in JAX."""
        values = self.run(JAX, params, inputs)
        return [values[i] for i in self.outputs]

    def judge(self, params: Arrays, inputs: Arrays) -> tuple[list[np.ndarray], float]:
        """The program in numpy, and the largest absolute value met on the way."""
        with np.errstate(all="ignore"):
            values = self.run(NUMPY, params, inputs)
            largest = max(float(np.max(np.abs(value))) for value in values)
        return [values[i] for i in self.outputs], largest

    def cut(self, *outputs: int) -> "Program":
        """The part of the program that these values need, with them as outputs."""
        needed = set(outputs)
        for number in reversed(range(len(self.sources))):
            if number in needed and self.sources[number][0] == "step":
                needed.update(self.steps[self.sources[number][1]].arguments)
        number = {old: new for new, old in enumerate(sorted(needed))}
        sources, steps = [], []
        for old in sorted(needed):
            source = self.sources[old]
            if source[0] == "step":
                step = self.steps[source[1]]
                source = ("step", len(steps))
                steps.append(dataclasses.replace(step, arguments=tuple(number[i] for i in step.arguments)))
            sources.append(source)
        return Program(self.seed, tuple(sources), tuple(steps), tuple(number[i] for i in outputs))

    def draw(self, random: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Random parameters and inputs."""
        params = {name: draw_values(random, shape) for name, shape in self.shapes("leaf").items()}
        inputs = {
            name: random.integers(0, 12, size=shape) if name == "index" else draw_values(random, shape)
            for name, shape in self.shapes("input").items()
        }
        return params, inputs

    def __str__(self) -> str:
        lines = [f"program {self.seed}"]
        for number, source in enumerate(self.sources):
            if source[0] == "step":
                step = self.steps[source[1]]
                static = "".join(f", {name}={value!r}" for name, value in step.static.items())
                lines.append(
                    f"  v{number} = {step.operation}({', '.join(f'v{i}' for i in step.arguments)}{static})"
                )
            else:
                lines.append(f"  v{number} = {source[0]} {source[1]!r} {source[2]}")
        return "\n".join([*lines, f"  return {', '.join(f'v{i}' for i in self.outputs)}"])


def draw_values(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return 0.8 * random.normal(size=shape)
