"""From a traced program to its SymmetrySpec: the groups, their names, and the layout of every leaf."""

import itertools
import posixpath
from collections.abc import Iterator
from fractions import Fraction

from geojax.symmetry.action.facts import Leaf, Pin
from geojax.symmetry.action.groups import GENERAL_LINEAR, ORTHOGONAL, PERMUTATION, SCALING, SIGN, Group
from geojax.symmetry.action.layout import Block, Layout, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.dependence import Log, close, parents, without_mixed_parents
from geojax.symmetry.inference.divide import divide, symbols_of_blocks
from geojax.symmetry.inference.exponents.carriers import Carrier
from geojax.symmetry.inference.exponents.equations import Span
from geojax.symmetry.inference.exponents.exponent_domain import ExponentDomain
from geojax.symmetry.inference.labels.axes import (
    Factor,
    Label,
    Node,
    Reason,
    Stack,
    Sum,
    resolve,
    terminals,
)
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.tracing import Trace, run

Moves = dict[int, list[tuple[str, int]]]


def build(trace: Trace) -> SymmetrySpec:
    """The spec of a trace, not yet verified."""
    builder = Builder(trace)
    return SymmetrySpec(
        members=tuple(without_mixed_parents(builder.groups).items()),
        leaves=tuple(builder.leaves()),
        pins=tuple(builder.pins()),
        unknown=tuple(trace.interpreter.unknown),
    )


class Builder:
    """What the steps of `build` share.

    Attributes:
        order: Numbers of the leaves in the order in which the program reads them.
        read: Those that it reads at all.
        exponents: The equations between exponents, from the second run of the program.
        wholes: For each leaf, the unknown exponent of the leaf as a whole.
        labelled: For each leaf, its value with an unknown exponent on every axis.
        nodes: The nodes on leaves, in the order in which they occur.
        free: The nodes that nothing holds fixed.
        symbols: For each node, the unknown exponents of its occurrences on leaves.
        parents: For each node, the nodes whose index its permutation may vary with.
        names: A name for each node.
        groups: The groups found so far, by name.
        moves: For each unknown exponent, the groups that move the axis it stands for, with their exponents.
        whole_moves: The same for each leaf as a whole.
        blocks: Pairs (leaf, unknown exponents of its axes) for each block of each leaf.
    """

    def __init__(self, trace: Trace):
        self.trace = trace
        self.order = sorted(range(len(trace.paths)), key=lambda i: (trace.rank[i], i))
        self.read = [i for i in self.order if trace.read[i]]
        self.exponents = ExponentDomain(trace.interpreter.loops)
        self.second = trace.interpreter_of(self.exponents, stacks=True, untied=trace.interpreter.untied)
        self.wholes: dict[int, int] = {}
        self.labelled = self._second_run()
        self.nodes = list(dict.fromkeys(o.node for i in self.read for o in self._occurrences(i)))
        self.free = {node for node in self.nodes if node.pin is None}
        self.symbols: dict[Node, list[int]] = {}
        for i in self.read:
            for occurrence in self._occurrences(i):
                self.symbols.setdefault(occurrence.node, []).append(occurrence.symbol)
        self.parents = parents(Log(trace.interpreter), self.nodes)
        self.log = Log(self.second)
        self.names = self._names()
        self.groups: dict[str, Group] = {}
        self.moves: Moves = {}
        self.whole_moves: dict[int, list[tuple[str, int]]] = {}
        self.blocks = [(i, symbols) for i in self.read for symbols in symbols_of_blocks(self._factors(i))]
        self._permutations()
        self._continuous_groups()
        self._whole_scalings()

    def _second_run(self) -> dict[int, Value]:
        """Runs the program on exponents; leaves get unknowns in program order, so that the first has exponent 1."""
        labelled: dict[int, Value] = {}
        for i in self.order:
            value = self.trace.leaves[i]
            axes = tuple(self.exponents.with_unknowns(label) for label in value.axes)
            if not self.trace.smooth[i]:
                for label in axes:
                    self.exponents.stop(label)
            symbol = self.exponents.symbol()
            if not self.trace.smooth[i]:
                self.exponents.wholes.add({symbol: Fraction(1)})
            self.wholes[i] = symbol
            labelled[i] = Value(axes, whole=self.exponents.unknown(symbol))
        run(self.second, self.trace.program, [labelled[i] for i in range(len(labelled))])
        return labelled

    def _occurrences(self, leaf: int) -> Iterator[Carrier]:
        """Every occurrence of a node on a leaf."""
        for label in self.labelled[leaf].axes:
            for factor in terminals(label):
                if isinstance(factor, Carrier):
                    yield factor

    # -- names --------------------------------------------------------------------------------------------------

    def _names(self) -> dict[Node, str]:
        """A name for each node: the path of the module whose leaf has it first, made longer if it is taken."""
        names: dict[Node, str] = {}
        taken: set[str] = set()
        for i in self.read:
            path = self.trace.paths[i]
            for axis, label in enumerate(self.labelled[i].axes):
                for factor in terminals(label):
                    if not isinstance(factor, Carrier) or factor.node in names:
                        continue
                    if factor.node not in self.free:
                        continue
                    names[factor.node] = _unused(path, axis, taken)
        for i in self.read:
            for axis, label in enumerate(self.labelled[i].axes):
                for factor in terminals(label):
                    if isinstance(factor, Carrier) and factor.node not in names:
                        names[factor.node] = _unused(self.trace.paths[i], axis, taken, short=False)
        return names

    # -- groups -------------------------------------------------------------------------------------------------

    def _group(self, name: str, kind: str, node: Node, parents: set[Node]) -> None:
        others = [other for other in self.nodes if other in parents]
        self.groups[name] = Group(
            kind,
            node.size,
            tuple(self.names[other] for other in others),
            tuple(other.size for other in others),
            axis=self.names[node],
        )

    def _permutations(self) -> None:
        for node in self.nodes:
            if node not in self.free:
                continue
            self._group(self.names[node], PERMUTATION, node, self.parents[node])
            for symbol in self._symbols(node):
                self.moves.setdefault(symbol, []).append((self.names[node], 1))

    def _symbols(self, node: Node) -> list[int]:
        return self.symbols.get(node, [])

    def _continuous_groups(self) -> None:
        """Scalings, signs and matrix groups, from the solutions of the equations between exponents."""
        unknowns = range(self.exponents.count)
        owner = {o.symbol: o.node for i in self.read for o in self._occurrences(i)}
        scalings = _by_node(self.exponents.scales.solutions(unknowns), owner)
        signs = _by_node(self.exponents.signs.solutions(unknowns), owner)
        candidates: list[tuple[Node, str, dict[int, int], set[Node]]] = []
        for node in self.nodes:
            symbols = self._symbols(node)
            vectors = scalings.get(node, [])
            linear = node in self.free and node not in self.exponents.nonlinear
            if linear and len(vectors) == 1 and all(abs(vectors[0].get(s, 0)) == 1 for s in symbols):
                self._continuous(node, GENERAL_LINEAR, vectors[0], self.parents[node])
            elif linear and not vectors:
                self._continuous(node, ORTHOGONAL, dict.fromkeys(symbols, 1), self.parents[node])
            else:
                candidates += [
                    (node, SCALING, vector, self._vary(node, vector, SCALING)) for vector in vectors
                ]
                candidates += [
                    (node, SIGN, vector, self._vary(node, vector, SIGN)) for vector in signs.get(node, [])
                ]
        rank = {node: sum(node in others for others in self.parents.values()) for node in self.nodes}
        for node, kind, vector, others in sorted(candidates, key=lambda one: (-len(one[3]), rank[one[0]])):
            if self._is_new(node, kind, vector):
                self._continuous(node, kind, vector, others)

    def _vary(self, node: Node, vector: dict[int, int], kind: str) -> set[Node]:
        """The nodes that a scaling or sign of ``node`` may vary with."""
        mask = sum(1 << symbol for symbol in vector)

        def active(factor: Factor) -> bool:
            if not isinstance(factor, Carrier) or factor.node is not node:
                return False
            if kind == SIGN:
                return (factor.exponents.sign & mask).bit_count() % 2 == 1
            return sum(value * vector.get(symbol, 0) for symbol, value in factor.exponents.scale.items()) != 0

        others = self.log.about(node).varies(active).get(node, set()) & set(self.names)
        close(others, self.parents)
        return others | self.parents[node]

    def _continuous(self, node: Node, kind: str, vector: dict[int, int], parents: set[Node]) -> None:
        """Adds a group that acts on each occurrence of a node with its exponent in ``vector``."""
        name = self._free_name(f"{self.names[node]}:{kind}")
        self._group(name, kind, node, parents)
        for symbol in self._symbols(node):
            if symbol in vector:
                self.moves.setdefault(symbol, []).append((name, vector[symbol]))

    def _free_name(self, stem: str) -> str:
        """The stem, with a number if a group has that name already."""
        names = itertools.chain([stem], (f"{stem}_{count}" for count in itertools.count(2)))
        return next(name for name in names if name not in self.groups)

    def _is_new(self, node: Node, kind: str, vector: dict[int, int]) -> bool:
        """Whether the action is not already that of groups which vary with the node's index."""
        name = self.names[node]
        kinds = (SCALING, GENERAL_LINEAR) if kind == SCALING else (SIGN, ORTHOGONAL, GENERAL_LINEAR)
        known = Span(0 if kind == SCALING else 2)
        for group, value in self.groups.items():
            if value.kind in kinds and name in value.parents and value.axis != name:
                known.add(self._powers(self._exponents(group)))
        return known.add(self._powers(vector))

    def _exponents(self, group: str) -> dict[int, int]:
        return {
            symbol: exponent
            for symbol, moves in self.moves.items()
            for name, exponent in moves
            if name == group
        }

    def _powers(self, exponents: dict[int, int]) -> dict[int, int]:
        """For each block of each leaf, the power of s by which it is multiplied if a group scales every index by s."""
        sums = (sum(exponents.get(symbol, 0) for symbol in symbols) for _, symbols in self.blocks)
        return {number: total for number, total in enumerate(sums) if total}

    def _whole_scalings(self) -> None:
        """Scalings of whole leaves, unless the scalings along axes contain them."""
        leaf_of = {symbol: i for i, symbol in self.wholes.items() if self.trace.read[i]}
        known = Span(0)
        for name, group in self.groups.items():
            if group.kind in (SCALING, GENERAL_LINEAR):
                known.add(self._powers(self._exponents(name)))
        for vector in self.exponents.wholes.solutions(range(self.exponents.count)):
            by_leaf = {leaf_of[symbol]: exponent for symbol, exponent in vector.items() if symbol in leaf_of}
            if not known.add({n: by_leaf[i] for n, (i, _) in enumerate(self.blocks) if i in by_leaf}):
                continue
            name = self._free_name(
                f"{self.trace.paths[next(i for i in self.order if i in by_leaf)]}:{SCALING}"
            )
            self.groups[name] = Group(SCALING, 1, axis=name)
            for leaf, exponent in by_leaf.items():
                self.whole_moves.setdefault(leaf, []).append((name, exponent))

    # -- leaves -------------------------------------------------------------------------------------------------

    def leaves(self) -> list[Leaf]:
        """The leaves with their layouts, in the tree's order."""
        trace = self.trace
        return [
            Leaf(path, shape, self._layout(i), trace.read[i])
            for i, (path, shape) in enumerate(zip(trace.paths, trace.shapes, strict=True))
        ]

    def _layout(self, leaf: int) -> Layout:
        shape = self.trace.shapes[leaf]
        if not self.trace.read[leaf]:
            return Block(tuple(Part(n, axis) for axis, n in enumerate(shape)))
        return divide(self._factors(leaf), self._part, tuple(self.whole_moves.get(leaf, ())))

    def _factors(self, leaf: int) -> list[tuple[int, Factor]]:
        return [(axis, f) for axis, label in enumerate(self.labelled[leaf].axes) for f in resolve(label)]

    def _part(self, axis: int, factor: Factor) -> Part:
        if not isinstance(factor, Carrier):
            return Part(factor.size, axis)
        return Part(factor.size, axis, self.names[factor.node], tuple(self.moves.get(factor.symbol, ())))

    # -- pins ---------------------------------------------------------------------------------------------------

    def pins(self) -> list[Pin]:
        """Every axis that no permutation moves, and the reason why."""
        pins: dict[Pin, None] = {}
        for i in self.read:
            for axis, label in enumerate(self.labelled[i].axes):
                source = self.trace.interpreter.cuts.get((self.trace.paths[i], axis), "")
                for size, why in _held(label, source):
                    pins[Pin(self.trace.paths[i], axis, size, why.primitive, why.text, why.source)] = None
        return list(pins)


def _unused(path: str, axis: int, taken: set[str], *, short: bool = True) -> str:
    """The first name for an axis of a leaf that is not taken yet; it is taken from now on."""
    candidates = [posixpath.dirname(path) or path] if short else []
    candidates.append(f"{path}[{axis}]")
    name = next((candidate for candidate in candidates if candidate not in taken), None)
    count = 2
    while name is None:
        longer = f"{path}[{axis}]#{count}"
        name = longer if longer not in taken else None
        count += 1
    taken.add(name)
    return name


def _by_node(vectors: list[dict[int, int]], owner: dict[int, Node]) -> dict[Node, list[dict[int, int]]]:
    """The solutions that move a parameter, by the node of their first unknown on one."""
    solutions: dict[Node, list[dict[int, int]]] = {}
    for vector in vectors:
        first = next((symbol for symbol in vector if symbol in owner), None)
        if first is not None:
            solutions.setdefault(owner[first], []).append(vector)
    return solutions


def _held(label: Label, source: str) -> Iterator[tuple[int, Reason]]:
    """Size and reason of every held part of an axis; ``source`` is the line at which it was cut, if it was."""
    for factor in resolve(label):
        if isinstance(factor, Sum):
            if not any(True for _ in terminals((factor,))):
                yield factor.size, Reason("slice", "has its entries read one by one", source)
            for piece in factor.pieces:
                yield from _held(piece, source)
        elif isinstance(factor, Stack):
            for choice in factor.choices:
                yield from _held(choice, source)
        else:
            node = factor.node if isinstance(factor, Carrier) else factor
            if isinstance(node, Node) and node.pin is not None:
                yield node.size, node.pin
