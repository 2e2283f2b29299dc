"""Tracing a function of parameters and running its program on labels."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from geojax._program import jaxprs
from geojax._program.arguments import array_leaves, flatten
from geojax.symmetry.inference.labels.axes import Label, Node, Reason, Sum, terminals
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.rules import load

NEVER = 1 << 60

load()


@dataclasses.dataclass
class Trace:
    """A program in terms of its parameters' array leaves, and what running it on labels gave.

    Attributes:
        program: The jaxpr; its inputs are the parameter leaves, then the inputs' leaves.
        paths: Paths of the parameter leaves.
        shapes: Their shapes.
        interpreter: The interpreter after the run.
        leaves: A value for each parameter leaf, labelled.
        read: Whether the program reads each leaf.
        smooth: Whether each leaf holds floating-point numbers.
        rank: Number of the equation, in program order, that reads each leaf first.
    """

    program: jaxprs.Body
    paths: list[str]
    shapes: list[tuple[int, ...]]
    interpreter: Interpreter
    leaves: list[Value]
    read: list[bool]
    smooth: list[bool]
    rank: list[int]


def trace(apply: Callable[..., Any], params: Any, inputs: tuple[Any, ...]) -> Trace:
    """Traces ``apply`` once and runs its program on labels until no more indices turn out to be read one by one."""
    function, weights, arrays = flatten(apply, params, inputs)
    program = jaxprs.trace(function, [_shape(w) for w in weights], [_shape(a) for a in arrays])
    paths = [path for path, _ in array_leaves(params)]
    keys: frozenset = frozenset()
    for _ in range(3):
        interpreter = Interpreter(keys)
        leaves = label_leaves(interpreter, program, paths, [w.shape for w in weights])
        found = frozenset(_read_one_by_one(leaves)) | keys
        if found == keys:
            break
        keys = found
    rank = _first_reads(program, len(paths))
    shapes = [tuple(w.shape) for w in weights]
    smooth = [bool(jax.dtypes.issubdtype(w.dtype, np.inexact)) for w in weights]
    return Trace(program, paths, shapes, interpreter, leaves, [r < NEVER for r in rank], smooth, rank)


def _first_reads(program: jaxprs.Body, count: int) -> list[int]:
    """For each of the first inputs of a program the number of the equation that reads it first, or `NEVER`."""
    ranks = [NEVER] * count
    clock = 0

    def visit(body: jaxprs.Body, inputs: list[int | None], needed: list[bool]) -> None:
        nonlocal clock
        known = {var: i for var, i in zip(body.jaxpr.invars, inputs, strict=True) if i is not None}
        for eqn, wanted in jaxprs.live(body, needed).equations:
            here = [None if isinstance(v, jaxprs.Literal) else known.get(v) for v in eqn.invars]
            inner = jaxprs.call(eqn)
            if inner is not None:
                visit(inner, here, wanted)
                continue
            clock += 1
            for i in here:
                if i is not None:
                    ranks[i] = min(ranks[i], clock)
        for var, use in zip(body.jaxpr.outvars, needed, strict=True):
            i = None if isinstance(var, jaxprs.Literal) or not use else known.get(var)
            if i is not None and body is program:
                ranks[i] = min(ranks[i], clock + 1)

    start = [i if i < count else None for i in range(len(program.jaxpr.invars))]
    visit(program, start, [True] * len(program.jaxpr.outvars))
    return ranks


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
        found = []
        for factor in label:
            key: tuple = ()
            while isinstance(factor, Node) and factor.link is not None and len(factor.link) == 1:
                key, factor = factor.key or key, factor.link[0]
            if isinstance(factor, Node) and factor.link is not None:
                found += visit(factor.link)
            elif isinstance(factor, Node) and factor.listed and key:
                found.append(key)
            elif isinstance(factor, Sum):
                if key and not any(True for _ in terminals((factor,))):
                    found.append(key)
                for piece in factor.pieces:
                    found += visit(piece)
        return found

    return [key for value in leaves for label in value.axes for key in visit(label)]
