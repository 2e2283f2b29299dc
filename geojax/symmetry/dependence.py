"""Which nodes may move independently for each index of which others: wreath products, read off the log of a run.

D may vary with H if in every array where D occurs H occurs exactly once, and every contraction over D contracts H
as well or keeps it in step. H may itself be held fixed: the layers of a scan give one permutation a layer.
"""

import itertools
import math
from collections import Counter

from geojax.symmetry.axes import Label, Node, expand, resolve
from geojax.symmetry.interpret import Interpreter

LIMIT = 4096


def parents(interpreter: Interpreter, free: set[Node]) -> dict[Node, set[Node]]:
    """For each free node the nodes it may vary with, without cycles and closed under taking parents of parents."""
    allowed = _allowed(interpreter, free)
    _orient(allowed)
    _close(allowed)
    return allowed


def _allowed(interpreter: Interpreter, free: set[Node]) -> dict[Node, set[Node]]:
    allowed: dict[Node, set[Node] | None] = dict.fromkeys(free)

    def restrict(node: Node, others: set[Node]) -> None:
        known = allowed[node]
        allowed[node] = set(others) - {node} if known is None else known & others

    seen: set[tuple] = set()
    for occurrence in interpreter.occurrences:
        ambient = _roots(occurrence.ambient)
        for nodes in _blocks(occurrence.axes):
            key = (tuple(sorted(node.serial for node in nodes)), tuple(node.serial for node in ambient))
            if key in seen:
                continue
            seen.add(key)
            count = Counter(itertools.chain(nodes, ambient))
            once = {node for node, times in count.items() if times == 1}
            for node in count.keys() & free:
                restrict(node, once)
    for contraction in interpreter.contractions:
        depth = len(contraction.summed)
        ambient = set(_roots(contraction.ambient))
        for pairs in itertools.islice(expand((*contraction.summed, *contraction.batch)), LIMIT):
            together = {node for _, node in pairs} | ambient
            for axis, node in pairs:
                if axis < depth and node in free:
                    restrict(node, together)
    return {node: others or set() for node, others in allowed.items()}


def _blocks(axes: tuple[Label, ...]) -> list[tuple[Node, ...]]:
    """The nodes of each block of an array; an array with very many blocks counts as one where everything meets twice."""
    blocks = [tuple(node for _, node in pairs) for pairs in itertools.islice(expand(axes), LIMIT + 1)]
    if len(blocks) > LIMIT:
        every = {node for block in blocks for node in block}
        return [tuple(node for node in every), tuple(every) * 2]
    return blocks


def _roots(nodes: tuple[Node, ...]) -> list[Node]:
    resolved = (resolve((node,)) for node in nodes)
    return [label[0] for label in resolved if len(label) == 1 and isinstance(label[0], Node)]


def _orient(allowed: dict[Node, set[Node]]) -> None:
    """Of two nodes that may each vary with the other, keeps the direction that gives more elements."""
    for child, others in allowed.items():
        for parent in list(others):
            if child in allowed.get(parent, ()) and _elements(parent, child) >= _elements(child, parent):
                allowed[parent].discard(child)


def _elements(parent: Node, child: Node) -> tuple[float, int]:
    """Logarithm of the order of S_child wr S_parent, where a held node contributes nothing of its own."""
    own = [0.0 if node.pin else math.lgamma(node.size + 1) for node in (parent, child)]
    return own[0] + parent.size * own[1], -parent.serial


def _close(allowed: dict[Node, set[Node]]) -> None:
    """Drops a free parent whose own parents are not all parents of the child."""
    changed = True
    while changed:
        changed = False
        for others in allowed.values():
            for parent in [node for node in others if node.pin is None]:
                if not allowed.get(parent, set()) <= others:
                    others.discard(parent)
                    changed = True
