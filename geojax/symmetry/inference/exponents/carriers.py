"""Exponents, and the factors of labels that carry them."""

import dataclasses
from collections.abc import Callable, Iterator

from geojax.symmetry.inference.exponents.equations import ONE, Form, plus
from geojax.symmetry.inference.labels.arithmetic import Arithmetic, Effect
from geojax.symmetry.inference.labels.axes import Factor, Label, Marked, Stack, Sum, resolve


@dataclasses.dataclass(frozen=True)
class Exponents:
    """Exponents of an axis (or of a whole array) as linear forms in the unknowns.

    Attributes:
        scale: The exponent of positive scalings, over the rationals.
        sign: The exponent of signs, over GF(2), as a bit mask.
        paired: Whether the entries are products of two arrays that both move along the axis. A linear group then
            preserves their sum over the axis, and nothing else.
    """

    scale: Form
    sign: int
    paired: bool = False


NOTHING = Exponents({}, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Carrier(Marked):
    """A node on an axis, with the exponents that the array carries along it.

    ``symbol`` is the unknown if the array is a parameter, else -1.
    """

    exponents: Exponents
    symbol: int = -1


def changed(exponents: Exponents, arithmetic: Arithmetic) -> Exponents:
    """The exponents of an elementwise function, apart from being paired."""
    kept = arithmetic.scale is Effect.KEEP
    scale = {symbol: value * arithmetic.power for symbol, value in exponents.scale.items()} if kept else {}
    odd = arithmetic.power.numerator % 2 == 1 and arithmetic.sign is Effect.KEEP
    return Exponents(scale, exponents.sign if odd else 0)


def inverted(exponents: Exponents) -> Exponents:
    """The exponents of one over an array."""
    return Exponents(plus({}, exponents.scale, -ONE), exponents.sign)


def mapped(label: Label, function: Callable[[Factor], Factor]) -> Label:
    """The label with every node, uniform and marked factor in it replaced, also inside pieces and choices."""

    def visit(factor: Factor) -> Factor:
        if isinstance(factor, Sum):
            return Sum(tuple(tuple(visit(f) for f in resolve(piece)) for piece in factor.pieces))
        if isinstance(factor, Stack):
            return Stack(factor.over, tuple(tuple(visit(f) for f in resolve(c)) for c in factor.choices))
        return function(factor)

    return tuple(visit(factor) for factor in resolve(label))


def each(label: Label, function: Callable[[Carrier], Factor]) -> Label:
    """The label with every carrier in it replaced."""
    return mapped(label, lambda factor: function(factor) if isinstance(factor, Carrier) else factor)


def carriers(label: Label) -> Iterator[Carrier]:
    """Every carrier in a label, also inside pieces and choices."""
    for factor in resolve(label):
        if isinstance(factor, Carrier):
            yield factor
        elif isinstance(factor, Sum | Stack):
            for piece in factor.pieces if isinstance(factor, Sum) else factor.choices:
                yield from carriers(piece)
