"""Where a program reads the units of the groups, and how every group moves the arrays that it reads there."""

import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction

from geojax.symmetry.action.groups import GENERAL_LINEAR, MATRIX_KINDS, PERMUTATION, SCALING, Group
from geojax.symmetry.action.layout import Block, Layout, Part, blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.build import Builder
from geojax.symmetry.inference.dependence import node_of
from geojax.symmetry.inference.divide import divide
from geojax.symmetry.inference.exponents.carriers import Carrier
from geojax.symmetry.inference.labels.axes import Factor, resolve
from geojax.symmetry.inference.labels.values import Product
from geojax.symmetry.inference.tracing import Trace


@dataclasses.dataclass(frozen=True)
class Reading:
    """One block of an array that a product reads along a group's axis: the units of that group.

    Attributes:
        group: The permutation group whose units the block shows.
        parts: The axes of the block in the order in which its array is kept: the axes that only count samples, the
            parents of the group, other axes that groups move or depend on, and last the axis of the units.
        num_samples: How many of the parts only count samples.
        exact: Whether the moves of the parts say all that the groups do to the array.
    """

    group: str
    parts: tuple[Part, ...]
    num_samples: int
    exact: bool


@dataclasses.dataclass(frozen=True)
class Site:
    """Where a product reads groups' units: its place, the number of the factor, and the layout of that array.

    ``blocks`` has for each reading the number of its block, and ``orders`` the axes of that block in the order of the
    reading's parts.
    """

    place: tuple[int, ...]
    factor: int
    layout: Layout
    readings: tuple[Reading, ...]
    blocks: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]


def find_sites(spec: SymmetrySpec, traced: Trace) -> list[Site]:
    """The sites of a program in its order."""
    builder = Builder(traced)
    moves = _Moves(builder, spec.groups)
    sites = []
    labelled = {product.place: product for product in builder.second.products}
    for product in traced.interpreter.products:
        values = labelled.get(product.place, product)
        for number, value in enumerate(product.factors):
            if value.data:
                site = _site(values, number, moves)
                sites += [site] if site.readings else []
    return sites


def _site(product: Product, number: int, moves: "_Moves") -> Site:
    labels = [*((factor,) for factor in resolve(product.ambient)), *product.factors[number].axes]
    ambient = len(labels) - len(product.factors[number].axes)
    summed = {axis + ambient for axis in _summed_axes(product, number)}
    factors = [(axis, factor) for axis, label in enumerate(labels) for factor in resolve(label)]
    layout = divide(factors, moves.part)
    found = [
        (i, *_ordered(moves.groups, block, axis, exact=moves.exact(block)))
        for i, block in enumerate(blocks(layout))
        for axis, part in enumerate(block.parts)
        if part.axis in summed and _complete(part.name, block, moves.groups)
    ]
    numbers, readings, orders = zip(*found, strict=True) if found else ((), (), ())
    return Site(product.place, number, layout, readings, numbers, orders)


class _Moves:
    """How the groups of a spec move the axes of any array of the program that the builder has read."""

    def __init__(self, builder: Builder, groups: dict[str, Group]):
        self.groups = groups
        self.names = builder.names
        self.exponents = builder.exponents
        self.by_symbol: dict[str, dict[int, int]] = {name: {} for name in groups}
        for symbol, moves in builder.moves.items():
            for name, exponent in moves:
                self.by_symbol.setdefault(name, {})[symbol] = exponent
        self.on_axis: dict[str, list[str]] = {}
        for name, group in groups.items():
            self.on_axis.setdefault(group.axis or name, []).append(name)
        # Rotations of pairs are proposed after the program has been read; no label tells what they do to an array.
        self.unseen = {axis.removesuffix(":pair") for axis in self.on_axis if axis.endswith(":pair")}
        self.inexact: set[Part] = set()

    def part(self, axis: int, factor: Factor) -> Part:
        """The part of one factor of an array's axis."""
        node = node_of(factor)
        name = "" if node is None else self.names.get(node, "")
        if not isinstance(factor, Carrier):
            moving = [one for one in self.on_axis.get(name, ()) if self.groups[one].kind == PERMUTATION]
            return Part(factor.size, axis, name, tuple((one, 1) for one in moving))
        moves, exact = [], name not in self.unseen
        for one in self.on_axis.get(name, ()):
            exponent = self._exponent(one, factor)
            exact &= exponent is not None
            moves += [(one, exponent)] if exponent else []
        part = Part(factor.size, axis, name, tuple(moves))
        if not exact:
            self.inexact.add(part)
        return part

    def exact(self, block: Block) -> bool:
        """Whether the parts of a block say all that the groups do to it, with every axis that they depend on."""
        names = [part.name for part in block.parts]
        return not any(
            part in self.inexact
            or any(names.count(parent) != 1 for name, _ in part.moves for parent in self.groups[name].parents)
            for part in block.parts
        )

    def _exponent(self, name: str, carrier: Carrier) -> int | None:
        """The exponent with which a group moves an array along a carrier; None if it is no whole number."""
        group = self.groups[name]
        if group.kind == PERMUTATION:
            return 1
        if group.kind in MATRIX_KINDS and carrier.exponents.paired:
            return None
        by_symbol = self.by_symbol[name]
        if group.kind in (SCALING, GENERAL_LINEAR):
            form = self.exponents.scales.reduced(carrier.exponents.scale)
            total = sum((value * by_symbol.get(symbol, 0) for symbol, value in form.items()), Fraction(0))
            return total.numerator if total.denominator == 1 else None
        form = self.exponents.signs.reduced(carrier.exponents.sign)
        return sum(by_symbol.get(symbol, 0) for symbol in _bits(form)) % 2


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def _ordered(
    groups: dict[str, Group], block: Block, units: int, *, exact: bool
) -> tuple[Reading, tuple[int, ...]]:
    """The reading of a block whose axis ``units`` has a group's units, and the order of its axes."""
    name = block.parts[units].name
    names = [part.name for part in block.parts]
    parents = [names.index(parent) for parent in groups[name].parents]
    needed = {parent for part in block.parts for one, _ in part.moves for parent in groups[one].parents}
    rest = [axis for axis in range(len(names)) if axis not in {*parents, units}]
    others = [axis for axis in rest if block.parts[axis].moves or names[axis] in needed]
    samples = [axis for axis in rest if axis not in others]
    order = (*samples, *parents, *others, units)
    return Reading(name, tuple(block.parts[axis] for axis in order), len(samples), exact), order


def _summed_axes(product: Product, number: int) -> Sequence[int]:
    """The axes of a factor that the product sums over."""
    if product.eqn.primitive.name == "dot_general":
        return product.eqn.params["dimension_numbers"][0][number]
    numbers = product.eqn.params["dimension_numbers"]
    return (numbers.lhs_spec[1] if number == 0 else numbers.rhs_spec[1],)


def _complete(name: str, block: Block, groups: dict[str, Group]) -> bool:
    """Whether the block shows the units of a group, with all parents and none of their children."""
    group = groups.get(name)
    if group is None or group.kind != PERMUTATION:
        return False
    present = [part.name for part in block.parts]
    children = any(name in groups[other].parents for other in present if other in groups)
    return not children and all(present.count(one) == 1 for one in (name, *group.parents))
