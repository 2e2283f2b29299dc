"""Which nodes may move independently for each index of other nodes: wreath products, read off the log of a run.

D may vary with H if (1) in every array with D, H occurs exactly once, (2) every contraction over D contracts H as well
or keeps it in step, and (3) no operation sums, mixes or picks along H and keeps D. H may itself be held fixed: the
layers of a scan give one permutation for each layer. For a scaling, only the arrays that it really scales count.
"""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from geojax.symmetry.action.groups import MATRIX_KINDS, Group
from geojax.symmetry.inference.labels.axes import Factor, Label, Node, expand, terminals
from geojax.symmetry.inference.labels.interpreter import Interpreter

LIMIT = 4096


def node_of(factor: Factor) -> Node | None:
    """The node a factor stands for, with or without exponents."""
    return factor if isinstance(factor, Node) else getattr(factor, "node", None)


class Log:
    """The log of a run: the factors of each block of each array, the contractions, and the axes that operations remove.

    If an array has more than `LIMIT` blocks, every factor of it counts as repeated.
    """

    def __init__(self, interpreter: Interpreter):
        self.arrays = list(dict.fromkeys(_arrays(interpreter)))
        self.contractions = list(_contractions(interpreter))
        self.eliminations = list(_eliminations(interpreter))
        self.index: dict[Node, Log] = {}
        for factors in self.arrays:
            for node in set(_nodes(factors)):
                self.about(node).arrays.append(factors)
        for summed, together in self.contractions:
            for node in set(_nodes(summed)):
                self.about(node).contractions.append((summed, together))
        for gone, kept in self.eliminations:
            for node in set(_nodes(kept)):
                self.about(node).eliminations.append((gone, kept))

    def about(self, node: Node) -> "Log":
        """The part of the log in which a node occurs."""
        if node not in self.index:
            part = self.index[node] = object.__new__(Log)
            part.arrays, part.contractions, part.eliminations, part.index = [], [], [], {}
        return self.index[node]

    def varies(self, active: Callable[[Factor], bool]) -> dict[Node, set[Node]]:
        """For each node with an active factor, the nodes with whose index its element may vary."""
        allowed: dict[Node, set[Node]] = {}

        def restrict(node: Node, others: set[Node]) -> None:
            allowed[node] = allowed[node] & others if node in allowed else others - {node}

        for factors in self.arrays:
            moving = set(_nodes(factor for factor in factors if active(factor)))
            if moving:
                count = Counter(_nodes(factors))
                once = {node for node, times in count.items() if times == 1}
                for node in moving:
                    restrict(node, once)
        for summed, together in self.contractions:
            for node in _nodes(factor for factor in summed if active(factor)):
                restrict(node, together)
        for gone, kept in self.eliminations:
            for node in _nodes(factor for factor in kept if active(factor)):
                allowed.get(node, set()).difference_update(gone)
        return allowed


def parents(log: Log, nodes: Iterable[Node]) -> dict[Node, set[Node]]:
    """For each node the nodes it may vary with. There are no cycles, and parents of parents are parents."""
    allowed = {node: set[Node]() for node in nodes}
    allowed.update(log.varies(lambda factor: node_of(factor) in allowed))
    _orient(allowed)
    for others in allowed.values():
        close(others, allowed)
    return allowed


def close(others: set[Node], parents: dict[Node, set[Node]]) -> None:
    """Drops from ``others`` each free node whose own parents are not all among them."""
    changed = True
    while changed:
        loose = {node for node in others if node.pin is None and not parents.get(node, set()) <= others}
        others -= loose
        changed = bool(loose)


def _arrays(interpreter: Interpreter) -> Iterator[tuple[Factor, ...]]:
    for occurrence in interpreter.occurrences:
        labels = (*occurrence.axes, occurrence.ambient)
        blocks = _blocks(labels)
        if blocks is None:
            yield _every(labels) * 2
            continue
        for block in blocks:
            yield tuple(factor for _, factor in block)


def _contractions(interpreter: Interpreter) -> Iterator[tuple[tuple[Factor, ...], set[Node]]]:
    for contraction in interpreter.contractions:
        depth = len(contraction.summed)
        blocks = _blocks((*contraction.summed, *contraction.batch, contraction.ambient))
        if blocks is None:
            yield _every(contraction.summed), set()
            continue
        for pairs in blocks:
            together = set(_nodes(factor for _, factor in pairs))
            yield tuple(factor for axis, factor in pairs if axis < depth), together


def _eliminations(interpreter: Interpreter) -> Iterator[tuple[set[Node], tuple[Factor, ...]]]:
    for elimination in interpreter.eliminations:
        depth = len(elimination.gone)
        blocks = _blocks((*elimination.gone, *elimination.kept))
        if blocks is None:
            yield set(_nodes(_every(elimination.gone))), _every(elimination.kept)
            continue
        for pairs in blocks:
            gone = set(_nodes(factor for axis, factor in pairs if axis < depth))
            yield gone, tuple(factor for axis, factor in pairs if axis >= depth)


def _blocks(labels: tuple[Label, ...]) -> list[tuple[tuple[int, Factor], ...]] | None:
    """The blocks of an array; None if there are more than `LIMIT`, and all factors count as occurring together."""
    blocks = list(itertools.islice(expand(labels), LIMIT + 1))
    return blocks if len(blocks) <= LIMIT else None


def _every(labels: tuple[Label, ...]) -> tuple[Factor, ...]:
    return tuple(factor for label in labels for factor in terminals(label))


def _nodes(factors: Iterable[Factor]) -> Iterator[Node]:
    return (node for factor in factors if (node := node_of(factor)) is not None)


def _orient(allowed: dict[Node, set[Node]]) -> None:
    """If two nodes may each vary with the other, keeps the direction that gives more elements."""
    for child, others in allowed.items():
        for parent in list(others):
            if child in allowed.get(parent, ()) and _elements(parent, child) >= _elements(child, parent):
                allowed[parent].discard(child)


def _elements(parent: Node, child: Node) -> tuple[float, int]:
    """Logarithm of the order of S_child wr S_parent; a held node has no permutations of its own."""
    own = [0.0 if node.pin else math.lgamma(node.size + 1) for node in (parent, child)]
    return own[0] + parent.size * own[1], -parent.serial


def without_mixed_parents(groups: Mapping[str, Group]) -> dict[str, Group]:
    """The groups, none of whose elements depends on an index that a matrix group mixes.

    A permutation of points for each coordinate, and linear maps of the coordinates, both leave a mean over points as it
    is, and their products are no element of either kind: they do not close to a group that can be written down. One
    permutation for all coordinates and the linear maps do.
    """
    mixed = {group.axis for group in groups.values() if group.kind in MATRIX_KINDS}
    closed = {}
    for name, group in groups.items():
        kept = [k for k, parent in enumerate(group.parents) if parent not in mixed]
        parents = tuple(group.parents[k] for k in kept)
        sizes = tuple(group.parent_sizes[k] for k in kept)
        closed[name] = dataclasses.replace(group, parents=parents, parent_sizes=sizes)
    return closed
