"""The plan of all maps between two specs: which means of the input are mixed, and where the results are written."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.intertwiners.plans.joins import Term, terms
from geojax.symmetry.intertwiners.plans.long_axes import with_long_axes_permuted
from geojax.symmetry.intertwiners.plans.points import is_free, points_of, share_an_axis

POOL = -1
"""In place of the number of a block: the mean of all blocks."""

Head = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


@dataclasses.dataclass(frozen=True)
class Feature:
    """A mean of a block of the input along some of its axes.

    Attributes:
        block: Number of the block, or POOL.
        inner: Labels of its axes, by first appearance; axes of equal labels are read on their diagonal.
        order: Labels of the axes of the result; the means run over all others.
        last: How many axes at the end have a coefficient for each index that is summed over.
        heads: Determinants between axes that are read and axes that are made, each as (labels read, labels made, their
            places in it, size). Labels made come after those of the input.
    """

    block: int
    inner: tuple[int, ...]
    order: tuple[int, ...]
    last: int = 0
    heads: tuple[Head, ...] = ()


@dataclasses.dataclass(frozen=True)
class Entry:
    """A feature in a mix: lengths of the axes that its coefficients sum over, and how many numbers its mean is of."""

    feature: Feature
    summed: tuple[int, ...]
    averaged: int

    @property
    def width(self) -> int:
        """How many coefficients it has for each index of the output."""
        return math.prod(self.summed)


@dataclasses.dataclass(frozen=True)
class Mix:
    """Maps that write to one block in one way: their features are mixed by one product, and written together.

    Attributes:
        name: Key of its coefficients.
        outer: Labels of the axes of the output.
        kept: Labels whose axes the features have, in the order of the axes of the result.
        shared: Dense labels that the features have as well.
        own: Dense labels that the features have not.
        order: How `kept`, `shared`, `own` become the order of labels; labels in none of them are broadcast.
        sizes: Length of each label.
        entries: The features; all have the axes `kept`, then `shared`.
        apart: Index tuples [number, labels] of the coefficients, if those of some labels must differ; then there is
            one entry, and the labels are `shared`, then `own`, then those that the feature is summed over.
    """

    name: str
    outer: tuple[int, ...]
    kept: tuple[int, ...]
    shared: tuple[int, ...]
    own: tuple[int, ...]
    sizes: tuple[int, ...]
    entries: tuple[Entry, ...]
    apart: tuple[tuple[int, ...], ...] = ()

    @property
    def count(self) -> int:
        """How many maps it has."""
        if self.apart:
            return len(self.apart)
        return math.prod(self.shape(1, 1))

    def shape(self, c_in: int, c_out: int) -> tuple[int, ...]:
        """Shape of its coefficients."""
        if self.apart:
            return (len(self.apart), c_in, c_out)
        width = sum(entry.width for entry in self.entries)
        shared, own = ([self.sizes[label] for label in labels] for labels in (self.shared, self.own))
        return (*shared, width, c_in, *own, c_out)

    @property
    def plain(self) -> bool:
        """Whether it writes every entry of the block, not a diagonal of it."""
        return len(set(self.outer)) == len(self.outer)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All maps between two specs: the blocks of the inputs, which of them have an invariant mean, and the outputs."""

    inputs: tuple[Block, ...]
    free: tuple[bool, ...]
    outputs: tuple[tuple[str, Block, tuple[Mix, ...]], ...]

    @property
    def count(self) -> int:
        """How many maps there are."""
        return sum(mix.count for _, _, mixes in self.outputs for mix in mixes)


@functools.lru_cache(maxsize=64)
def plan(domain: SymmetrySpec, codomain: SymmetrySpec, pool_beyond: int, dense_up_to: int) -> Plan:
    """The plan of the maps from one spec to another; see `linear_maps`."""
    domain = with_long_axes_permuted(domain, dense_up_to)
    codomain = with_long_axes_permuted(codomain, dense_up_to)
    groups = {**domain.groups, **codomain.groups}
    inputs = tuple(block for leaf in domain.leaves for block in blocks(leaf.layout))
    free = tuple(is_free(groups, block) for block in inputs)
    outputs = []
    capped = max(len(domain.leaves), len(codomain.leaves)) > pool_beyond
    for leaf in codomain.leaves:
        for number, block in enumerate(blocks(leaf.layout)):
            near = [i for i, inner in enumerate(inputs) if not capped or share_an_axis(block, inner)]
            mixes = _mixes([(i, term) for i in near for term in _terms(groups, block, inputs[i])])
            if len(near) < len(inputs) and any(free) and is_free(groups, block):
                mixes.append(_pool_mix(block))
            outputs.append((f"{leaf.path}#{number}" if number else leaf.path, block, tuple(mixes)))
    return Plan(inputs, free, tuple(outputs))


@functools.lru_cache(maxsize=64)
def dimension(domain: SymmetrySpec, codomain: SymmetrySpec) -> int:
    """How many independent equivariant maps there are, none left out."""
    groups = {**domain.groups, **codomain.groups}
    return sum(
        term.count
        for outer in codomain.leaves
        for block in blocks(outer.layout)
        for leaf in domain.leaves
        for inner in blocks(leaf.layout)
        for term in _terms(groups, block, inner)
    )


def _terms(groups: Mapping[str, Group], block: Block, inner: Block) -> tuple[Term, ...]:
    points = points_of(groups, block, inner)
    return () if points is None else terms(points)


def _mixes(found: Sequence[tuple[int, Term]]) -> list[Mix]:
    """The maps to one block, those together that are written in one way."""
    together: dict[str, list[tuple[Mix, Entry]]] = {}
    for i, term in found:
        mix, entry = _placed(i, term)
        name = mix.name
        if mix.apart:  # its coefficients have a mask of their own
            name = f"{name}!{sum(other.startswith(name + '!') for other in together)}"
        together.setdefault(name, []).append((mix, entry))
    return [
        dataclasses.replace(rows[0][0], name=name, entries=tuple(entry for _, entry in rows))
        for name, rows in together.items()
    ]


def _placed(block: int, term: Term) -> tuple[Mix, Entry]:
    """How one diagram is written, and what it reads."""
    made = [label for head in term.heads for label in head if label in term.outer]
    inside = set(term.inner)
    seen = sorted(set(term.outer))
    kept = tuple(label for label in seen if label not in term.dense and (label in inside or label in made))
    shared = tuple(label for label in seen if label in term.dense and label in inside)
    own = tuple(label for label in seen if label in term.dense and label not in inside)
    summed = tuple(sorted(label for label in inside if label in term.dense and label not in term.outer))
    legs = {label for head in term.heads for label in head if label in inside}
    gone = [label for label in inside if label not in (*kept, *shared, *summed, *legs)]
    averaged = math.prod(term.sizes[label] for label in gone)
    first = {label: i for i, label in enumerate(dict.fromkeys(term.inner))}
    first |= {label: len(first) + i for i, label in enumerate(made)}

    def canonical(labels: Iterable[int]) -> tuple[int, ...]:
        return tuple(first[label] for label in labels)

    heads = []
    for head in term.heads:
        read, written = ([label for label in head if (label in inside) == side] for side in (True, False))
        places = tuple(map(head.index, read)), tuple(map(head.index, written))
        heads.append((canonical(read), canonical(written), *places, len(head)))
        averaged *= math.factorial(len(read))
    marks = {**dict.fromkeys(kept, "k"), **dict.fromkeys(shared, "s"), **dict.fromkeys(own, "o")}
    name = "".join(chr(ord("a") + label) for label in term.outer)
    name += "." + "".join(marks.get(label, "-") for label in seen)
    order = canonical(kept + shared + summed)
    feature = Feature(block, canonical(term.inner), order, len(summed), tuple(heads))
    apart = _index_tuples(term, shared + own + summed)
    mix = Mix(name, term.outer, kept, shared, own, term.sizes[: len(seen)], (), apart)
    return mix, Entry(feature, tuple(term.sizes[label] for label in summed), averaged)


def _index_tuples(term: Term, dense: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The index tuples of the dense labels in which those of one axis differ; none if there is no such condition."""
    if not term.apart:
        return ()
    found: list[tuple[int, ...]] = [()]
    for label in dense:
        rivals = next((set(labels) for labels in term.apart if label in labels), set())
        places = [i for i, other in enumerate(dense) if other in rivals]
        found = [
            (*row, index)
            for row in found
            for index in range(term.sizes[label])
            if all(row[place] != index for place in places if place < len(row))
        ]
    return tuple(found)


def _pool_mix(block: Block) -> Mix:
    labels = tuple(range(len(block.parts)))
    feature = Feature(POOL, (), ())
    return Mix("pool", labels, (), (), (), tuple(part.size for part in block.parts), (Entry(feature, (), 1),))
