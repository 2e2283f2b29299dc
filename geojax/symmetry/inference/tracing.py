"""Tracing a function of parameters and running its program on labels."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax

from geojax._program import jaxprs
from geojax._program.arguments import array_leaves, flatten
from geojax._program.walk import Cursor, walk
from geojax.symmetry.inference.labels.axes import Label, Node, Reason, Sum, terminals
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.rules import load
from geojax.symmetry.inference.ties.places import untied

NEVER = 1 << 60

load()


@dataclasses.dataclass
class Trace:
    """A program as a function of the arrays among its parameters, and the result of running it on labels.

    Attributes:
        program: The jaxpr; its inputs are the parameter leaves, then the inputs' leaves.
        paths: Paths of the parameter leaves.
        shapes: Their shapes.
        interpreter: The interpreter after the run.
        leaves: The value of each parameter leaf, with a label on every axis.
        read: Whether the program reads each leaf.
        smooth: Whether each leaf holds floating-point numbers.
        rank: For each leaf, the number of the equation that reads it first.
        interpreter_of: What makes the interpreter of a run.
    """

    program: jaxprs.Body
    paths: list[str]
    shapes: list[tuple[int, ...]]
    interpreter: Interpreter
    leaves: list[Value]
    read: list[bool]
    smooth: list[bool]
    rank: list[int]
    interpreter_of: Callable[..., Interpreter] = Interpreter


def trace(apply: Callable[..., Any], params: Any, inputs: tuple[Any, ...]) -> Trace:
    """Traces ``apply`` once and runs its program on labels."""
    function, weights, arrays = flatten(apply, params, inputs)
    program = jaxprs.trace(function, [_shape(w) for w in weights], [_shape(a) for a in arrays])
    return read(program, [path for path, _ in array_leaves(params)])


def read(
    program: jaxprs.Body, paths: list[str], interpreter_of: Callable[..., Interpreter] = Interpreter
) -> Trace:
    """Runs a program on labels, again if it reads further indices one by one; its first inputs are parameters."""
    given = program.jaxpr.invars[: len(paths)]
    shapes = [jaxprs.shape(var) for var in given]
    keys: frozenset = frozenset()
    places = untied(program)
    cuts: dict[tuple, str] = {}
    for _ in range(3):
        interpreter = interpreter_of(enumerate_keys=keys, untied=places)
        interpreter.cuts = cuts
        leaves = label_leaves(interpreter, program, paths, shapes)
        known, keys = keys, keys | frozenset(_read_one_by_one(leaves))
        if keys == known:
            break
    rank = _first_reads(program, len(paths))
    smooth = [jaxprs.is_float(var) for var in given]
    reads = [r < NEVER for r in rank]
    return Trace(program, paths, shapes, interpreter, leaves, reads, smooth, rank, interpreter_of)


def _first_reads(program: jaxprs.Body, count: int) -> list[int]:
    """For each of the first inputs of a program, the number of the equation that reads it first, or `NEVER`.

    An input that only the bodies of loops and branches receive, and none of them uses, is not read. The walk's values
    are the numbers of those inputs, None for every other array.
    """
    ranks = [NEVER] * count
    cursor = Cursor()

    def note(values: Sequence[int | None], position: int) -> None:
        for i in values:
            if i is not None:
                ranks[i] = min(ranks[i], position)

    def step(eqn: Any, values: list[int | None]) -> list[int | None]:
        note(values, cursor.position)
        return [None] * len(eqn.outvars)

    start = [i if i < count else None for i in range(len(program.jaxpr.invars))]
    outputs = walk(program, start, step, constant=lambda number: None, unused=None, cursor=cursor)
    note(outputs, cursor.position + 1)
    used = jaxprs.live(program, loops=True).inputs
    return [rank if use else NEVER for rank, use in zip(ranks, used)]


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=getattr(leaf, "weak_type", False))


def label_leaves(
    interpreter: Interpreter, program: jaxprs.Body, paths: list[str], shapes: list[tuple[int, ...]]
) -> list[Value]:
    """Runs a program with a fresh free label on every axis of every parameter leaf."""
    leaves = [
        Value(tuple(interpreter.family(shape, [(path, i) for i in range(len(shape))])))
        for path, shape in zip(paths, shapes, strict=True)
    ]
    run(interpreter, program, leaves)
    return leaves


def run(interpreter: Interpreter, program: jaxprs.Body, leaves: list[Value]) -> None:
    """Runs a program with its inputs and outputs held."""
    given = program.jaxpr.invars[len(leaves) :]
    inputs = [interpreter.fresh(var, Reason("input", "is an axis of an input")) for var in given]
    for value in inputs:
        value.data = True
    for value in leaves:
        interpreter.record(value.axes)
    for value in interpreter.run(program, [*leaves, *inputs]):
        interpreter.output(value)
    interpreter.disentangle(leaves)


def _read_one_by_one(leaves: list[Value]) -> list[tuple]:
    """Keys of the free nodes that the program took apart entry by entry."""

    def visit(label: Label) -> list[tuple]:
        keys = []
        for factor in label:
            key: tuple = ()
            while isinstance(factor, Node) and factor.link is not None and len(factor.link) == 1:
                key, factor = factor.key or key, factor.link[0]
            if isinstance(factor, Node) and factor.link is not None:
                keys += visit(factor.link)
            elif isinstance(factor, Node) and factor.listed and key:
                keys.append(key)
            elif isinstance(factor, Sum):
                if key and not any(True for _ in terminals((factor,))):
                    keys.append(key)
                for piece in factor.pieces:
                    keys += visit(piece)
        return keys

    return [key for value in leaves for label in value.axes for key in visit(label)]
