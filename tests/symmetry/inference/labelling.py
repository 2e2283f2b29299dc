"""Running one program on labels with nothing held, and moving arrays as labels say."""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geojax._program import jaxprs
from geojax.symmetry.action.layout import Block, Layout, Part, blocks
from geojax.symmetry.inference.dependence import Log, node_of, parents
from geojax.symmetry.inference.divide import divide
from geojax.symmetry.inference.labels.axes import Factor, Node, Uniform, resolve
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.rules import load
from geojax.symmetry.inference.ties.places import untied
from tests.symmetry.inference.rules.rule_programs import Program

load()


def flat(function):
    """The function with its outputs as a flat list."""
    return lambda *arrays: jax.tree.leaves(function(*arrays))


def traced(program: Program) -> jaxprs.Body:
    arrays = program_inputs(program, 0)
    return jaxprs.trace(flat(program.function), *arrays)


def program_inputs(program: Program, seed: int) -> list[Any]:
    generator = np.random.default_rng(seed)
    return [draw(generator) for draw in program.inputs]


@dataclasses.dataclass
class Labelled:
    """A program run on labels: its inputs' and outputs' values, and what may move with what."""

    interpreter: Interpreter
    inputs: list[Value]
    outputs: list[Value]
    nodes: list[Node]
    parents: dict[Node, list[Node]]


def label(program: Program, body: jaxprs.Body) -> Labelled:
    """Runs a program with a free label for every axis of every input; outputs are not held."""
    interpreter = Interpreter(untied=untied(body))
    shapes = [draw.shape for draw in program.inputs]
    inputs = [
        Value(tuple(interpreter.family(s, [(k, i) for i in range(len(s))]))) for k, s in enumerate(shapes)
    ]
    for value in inputs:
        interpreter.record(value.axes)
    outputs = interpreter.run(body, inputs)
    found = [node for v in (*inputs, *outputs) for node in value_nodes(v)]
    nodes = list(dict.fromkeys(found))
    allowed = parents(Log(interpreter), nodes)
    order = {node: i for i, node in enumerate(nodes)}
    return Labelled(
        interpreter,
        inputs,
        outputs,
        nodes,
        {node: sorted(allowed[node], key=lambda other: order[other]) for node in nodes},
    )


def pieces(axes: tuple) -> tuple[Any, list[list[Factor]]]:
    """The layout of an array with these labels, and the factors along each axis of each block."""
    known: list[Factor] = []

    def part(axis: int, factor: Factor) -> Part:
        known.append(factor)
        return Part(factor.size, axis, str(len(known) - 1))

    layout = divide([(axis, factor) for axis, one in enumerate(axes) for factor in resolve(one)], part)
    return layout, [[known[int(p.name)] for p in block.parts] for block in blocks(layout)]


def value_nodes(value: Value) -> list[Node]:
    """The nodes on the axes of an array."""
    factors = itertools.chain.from_iterable(pieces(value.axes)[1])
    return [node for factor in factors if (node := node_of(factor)) is not None]


def reblock(value: Value, array: Any, change) -> Any:
    """The array with ``change(block array, factors)`` done to each of its blocks."""
    layout, factors = pieces(value.axes)
    waiting = iter(factors)

    def visit(node: Layout, part: Any) -> Any:
        part = part.reshape(node.shape)
        if isinstance(node, Block):
            return change(part, next(waiting))
        starts = [sum(node.sizes[:i]) for i in range(len(node.sizes))]
        cuts = [
            part[(slice(None),) * node.dim + (slice(start, start + size),)]
            for start, size in zip(starts, node.sizes, strict=True)
        ]
        moved = [visit(piece, cut).reshape(cut.shape) for piece, cut in zip(node.pieces, cuts, strict=True)]
        module = np if isinstance(part, np.ndarray) else jnp
        return module.concatenate(moved, axis=node.dim)

    is_key = jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)
    array = array if is_key else np.asarray(array)  # numpy compiles nothing
    return visit(layout, array).reshape(array.shape)


Moves = dict[Node, np.ndarray]


def random_moves(labelled: Labelled, generator: np.random.Generator) -> Moves:
    """A random permutation for each free node, for each index of its parents one of its own."""
    moves = {}
    for node in labelled.nodes:
        shape = (*(parent.size for parent in labelled.parents[node]), node.size)
        rows = np.broadcast_to(np.arange(node.size), shape)
        moves[node] = rows if node.pin else generator.permuted(rows, axis=-1)
    return moves


def move(labelled: Labelled, value: Value, array: Any, moves: Moves) -> Any:
    """``new[h, d] = old[pH[h], pD[h, d]]``, block by block."""

    def change(block: Any, factors: list[Factor]) -> Any:
        present = [node_of(factor) for factor in factors]
        grid = np.indices(block.shape, sparse=True)
        index = []
        for axis, node in enumerate(present):
            if node is None:
                index.append(grid[axis])
                continue
            assert all(present.count(parent) == 1 for parent in labelled.parents[node]), "a parent is missing"
            index.append(moves[node][(*(grid[present.index(p)] for p in labelled.parents[node]), grid[axis])])
        return block[tuple(index)] if index else block

    return reblock(value, array, change)


def uniform_axes(value: Value, array: Any) -> bool:
    """Whether the array really is constant along every factor said to be uniform."""
    answers = []

    def check(block: Any, factors: list[Factor]) -> Any:
        for axis, factor in enumerate(factors):
            if isinstance(factor, Uniform):
                numbers = np.asarray(block)
                answers.append(
                    np.array_equal(
                        numbers,
                        np.repeat(np.take(numbers, [0], axis), factor.size, axis),
                        equal_nan=numbers.dtype.kind in "fc",
                    )
                )
        return block

    reblock(value, array, check)
    return all(answers)
