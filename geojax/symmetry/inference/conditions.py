"""Under which conditions the groups of a spec hold: constants that are alike along an axis, and state that holds it.

A function may close over numbers that are not parameters, such as running statistics. While they are equal along an
axis, as at initialisation, its units may move without them; once they differ, they may not. Such a program is run again
with these constants as arrays of which nothing is known: what is lost depends on them. Constants that differ already,
and vectors among the inputs, hold their axes: the program is run again as if they moved with the parameters, and what
is free then is what they hold.
"""

import functools
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from geojax._core.tree import is_key, is_numeric, path_name
from geojax._program import jaxprs
from geojax._program.walk import walk
from geojax.symmetry.action.facts import Note
from geojax.symmetry.action.groups import SCALING, SIGN
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.build import build
from geojax.symmetry.inference.constants import Constant, constants_of, supposing
from geojax.symmetry.inference.dependence import node_of
from geojax.symmetry.inference.exponents.equations import Span
from geojax.symmetry.inference.labels.axes import Node, terminals
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.tracing import Trace, read

SHOWN = 4


def conditions(spec: SymmetrySpec, traced: Trace, inputs: tuple[Any, ...]) -> tuple[Note, ...]:
    """What a user should pass with the parameters: notes on constants, then on inputs."""
    constants = constants_of(traced.program)
    alike = [one for one in constants if one.alike]
    notes = _while_alike(spec, traced, alike) if alike and spec.members else []
    if any(pin.primitive == "constant" for pin in spec.pins):
        different = [one for one in constants if not one.alike and _is_vector(one.array)]
        names = [one.name for one in different]
        notes += _held(traced, "constant", "constants", names, constants=[one.array for one in different])
    if any(pin.primitive == "input" for pin in spec.pins):
        notes += _held_by_inputs(traced, _vectors(traced, inputs))
    return tuple(notes)


# -- groups that hold while constants are alike -----------------------------------------------------------------------


def _while_alike(spec: SymmetrySpec, traced: Trace, alike: list[Constant]) -> list[Note]:
    arrays = [one.array for one in alike]
    anything = build(read(traced.program, traced.paths, functools.partial(supposing, anything=arrays)))
    lost = [name for name, _ in spec.members if not _among(spec, name, anything)]
    if not lost:
        return []
    moving = read(traced.program, traced.paths, functools.partial(supposing, moving=arrays))
    met = [_nodes([value]) for value in _moving(moving)]
    axes = dict(zip(traced.paths, moving.leaves, strict=True))
    together: dict[tuple[int, ...], list[str]] = {}
    for name in lost:
        moved = {
            node
            for leaf, _, part in spec.occurrences(name)
            for node in _nodes([Value((axes[leaf.path].axes[part.axis],))])
        }
        numbers = tuple(k for k, nodes in enumerate(met) if nodes & moved)
        single = tuple(k for k, one in enumerate(alike) if not np.shape(one.array))
        together.setdefault(numbers or single or tuple(range(len(alike))), []).append(name)
    if len(together) > SHOWN:
        together = {tuple(sorted({k for numbers in together for k in numbers})): lost}
    return [
        Note("constant", _condition(groups, [alike[k] for k in numbers]), tuple(groups))
        for numbers, groups in together.items()
    ]


def _condition(groups: list[str], constants: list[Constant]) -> str:
    one = len(constants) == 1
    number = all(not np.shape(constant.array) for constant in constants)
    if number:
        how = "keeps its value" if one else "keep their values"
    else:
        how = f"{'stays' if one else 'stay'} uniform along the axis, as now"
    return (
        f"{_listed(groups)} {'holds' if len(groups) == 1 else 'hold'} while "
        f"{'constant' if one else 'the constants'} {_listed([constant.name for constant in constants])} {how}: "
        f"pass {'it' if one else 'them'} with the parameters if {'it' if one else 'they'} may change"
    )


def _among(spec: SymmetrySpec, name: str, other: SymmetrySpec) -> bool:
    """Whether another spec of the same leaves has a group too; scalings and signs may be products of its groups."""
    group = spec.groups[name]
    alike = [
        n
        for n, g in other.members
        if (g.kind, g.size, g.parent_sizes) == (group.kind, group.size, group.parent_sizes)
    ]
    mine, others = _exponents(spec, name), [_exponents(other, n) for n in alike]
    if group.kind not in (SCALING, SIGN):
        return mine in others
    keys = {key: number for number, key in enumerate(dict.fromkeys(k for e in (mine, *others) for k in e))}
    span = Span(0 if group.kind == SCALING else 2)
    for exponents in others:
        span.add({keys[key]: value for key, value in exponents.items()})
    return not span.add({keys[key]: value for key, value in mine.items()})


def _exponents(spec: SymmetrySpec, name: str) -> dict[tuple[str, int, int], int]:
    """The exponents with which a group moves leaves: {(path, number of block, number of axis or -1): exponent}."""
    return {
        (leaf.path, number, axis): exponent
        for leaf in spec.leaves
        for number, block in enumerate(blocks(leaf.layout))
        for axis, moves in enumerate((block.moves, *(part.moves for part in block.parts)), -1)
        for group, exponent in moves
        if group == name
    }


# -- axes that would be free if state moved with the parameters -------------------------------------------------------


def _held(
    traced: Trace,
    subject: str,
    title: str,
    names: list[str],
    *,
    inputs: Sequence[int] = (),
    constants: Sequence[Any] = (),
) -> list[Note]:
    """A note on the axes that units of the network have, and that are held by state alone; none if there are none."""
    if not names:
        return []
    run = functools.partial(supposing, moving=constants)
    places = [f"{title} {number}" for number in range(len(inputs))]
    moving = read(_with_first(traced, inputs), [*traced.paths, *places], run)
    units = _nodes(v for product in moving.interpreter.products for v in product.factors if v.data)
    state = _nodes([*moving.leaves[len(traced.paths) :], *_moving(moving)])
    axes = [
        f"{path}[{axis}]"
        for path, before, after in zip(traced.paths, traced.leaves, moving.leaves, strict=False)
        for axis, (was, now) in enumerate(zip(before.axes, after.axes, strict=True))
        if any(node.pin is not None for node in _nodes([Value((was,))]))
        and any(node.pin is None for node in _nodes([Value((now,))]) & units & state)
    ]
    if not axes:
        return []
    verb = "is" if len(axes) == 1 else "are"
    what = ": ".join(part for part in (title, _listed(names)) if part)
    text = (
        f"{_listed(axes)} {verb} held by {what}; if this is state of the model, pass it with the parameters"
    )
    return [Note(subject, text)]


def _held_by_inputs(traced: Trace, vectors: dict[int, dict[int, str]]) -> list[Note]:
    """The notes on single arguments; if there are none, the note on all of them together."""
    notes: list[Note] = []
    for number, places in vectors.items():
        notes += _held(traced, "input", f"input {number}", list(places.values()), inputs=list(places))
    if notes or len(vectors) < 2:
        return notes
    names = [f"{number}/{path}".rstrip("/") for number, places in vectors.items() for path in places.values()]
    every = [place for places in vectors.values() for place in places]
    return _held(traced, "input", "inputs", names, inputs=every)


def _vectors(traced: Trace, inputs: tuple[Any, ...]) -> dict[int, dict[int, str]]:
    """For each argument the vectors among its arrays: {place among the inputs of the program: path}."""
    places: dict[int, dict[int, str]] = {}
    arrays = [
        (path[0].idx, path_name(path[1:]), leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(inputs)[0]
        if is_numeric(leaf) or is_key(leaf)
    ]
    given = traced.program.jaxpr.invars
    for place, (number, path, leaf) in enumerate(arrays, len(given) - len(arrays)):
        if is_numeric(leaf) and jax.dtypes.issubdtype(leaf.dtype, np.floating) and _is_vector(leaf):
            places.setdefault(number, {})[place] = path
    return places


def _is_vector(array: Any) -> bool:
    """Whether an array has one axis along which there are several numbers, as the statistics of units have."""
    return sum(n > 1 for n in np.shape(array)) == 1


# -- programs and labels ----------------------------------------------------------------------------------------------


def _with_first(traced: Trace, inputs: Sequence[int]) -> jaxprs.Body:
    """The program with some of its inputs, given by their places, right after the parameters."""
    if not inputs:
        return traced.program
    variables, count = traced.program.jaxpr.invars, len(traced.paths)
    order = [*range(count), *inputs, *(k for k in range(count, len(variables)) if k not in inputs)]

    def function(*values: Any) -> list[Any]:
        arguments = [value for _, value in sorted(zip(order, values, strict=True), key=lambda pair: pair[0])]
        return walk(traced.program, arguments, jaxprs.evaluate, constant=lambda number: number, unused=None)

    kinds = (variables[k].aval for k in order)
    return jaxprs.trace(
        function, *(jax.ShapeDtypeStruct(k.shape, k.dtype, weak_type=k.weak_type) for k in kinds)
    )


def _moving(traced: Trace) -> list[Value]:
    """The values of the constants that move."""
    return list(traced.interpreter.supposed.values())


def _nodes(values: Collection[Value] | Iterator[Value]) -> set[Node]:
    """The nodes on the axes of arrays."""
    every = (factor for value in values for label in value.axes for factor in terminals(label))
    return {node for factor in every if (node := node_of(factor)) is not None}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
