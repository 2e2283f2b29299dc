"""Scalings, signs and linear gauges: the second run of a program, on exponents.

Once the labels are final, each occurrence of a node on a parameter gets an unknown exponent, and running the
program again turns every primitive into linear equations between exponents: over the rationals for positive
scalings, over GF(2) for signs. The run also notes which nodes are touched by linear operations alone (a general
linear gauge is free) or, beside them, by sums of squares (an orthogonal one).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.exponents.arithmetic import GONE, ZERO, Arithmetic
from geojax.symmetry.inference.exponents.equations import ONE, BinaryEquations, Equations, Form, plus
from geojax.symmetry.inference.labels.axes import (
    Factor,
    Label,
    Marked,
    Node,
    Reason,
    Stack,
    Sum,
    Uniform,
    is_uniform,
    length,
    resolve,
)
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value


@dataclasses.dataclass(frozen=True)
class Gauge:
    """Exponents of an axis (or of a whole array) as linear forms in the unknowns.

    Attributes:
        scale: Of positive scalings, over the rationals.
        sign: Of signs, over GF(2), as a bit mask.
        paired: Whether the entries are products of two arrays that each move along the axis: their sum over it
            respects a linear gauge, nothing else does.
    """

    scale: Form
    sign: int
    paired: bool = False


NOTHING = Gauge({}, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Gauged(Marked):
    """A node on an axis, with its exponents."""

    gauge: Gauge
    symbol: int = -1


class GaugeInterpreter(Interpreter):
    """Runs a program on exponents.

    Attributes:
        scales: The equations between exponents of scalings along axes.
        signs: The same for signs.
        wholes: The equations between exponents of whole arrays.
        count: How many unknowns there are.
        bent: Nodes that some operation treats other than as the index of a vector space.
    """

    def __init__(self, loops: list[list[tuple[Label, ...]]]):
        super().__init__()
        self.stacks = True
        self.labels = iter(loops)
        self.scales, self.signs, self.wholes = Equations(), BinaryEquations(), Equations()
        self.count = 0
        self.bent: set[Node] = set()
        self.mode: str = "equal"

    # -- unknowns -----------------------------------------------------------------------------------------------

    def symbol(self) -> int:
        """A fresh unknown."""
        self.count += 1
        return self.count - 1

    def unknown_gauge(self, symbol: int) -> Gauge:
        """The gauge whose exponents are the unknown itself."""
        return Gauge({symbol: ONE}, 1 << symbol)

    def occurrences_of(self, label: Label) -> Label:
        """The label with an unknown for each node in it."""

        def occur(factor: Factor) -> Factor:
            if isinstance(factor, Sum):
                return Sum(tuple(tuple(occur(f) for f in resolve(piece)) for piece in factor.pieces))
            if isinstance(factor, Stack):
                return Stack(factor.over, tuple(tuple(occur(f) for f in resolve(c)) for c in factor.choices))
            if isinstance(factor, Node) and not factor.listed:
                symbol = self.symbol()
                return Gauged(factor, self.unknown_gauge(symbol), symbol)
            return factor

        return tuple(occur(factor) for factor in resolve(label))

    # -- equations ----------------------------------------------------------------------------------------------

    def ask_zero(self, gauge: Gauge, *, scale: bool = True, sign: bool = True) -> None:
        """Asks that exponents vanish."""
        if scale:
            self.scales.add(gauge.scale)
        if sign:
            self.signs.add(gauge.sign)

    def block(self, node: Node) -> None:
        """Notes that an operation does not respect linear maps along the node."""
        self.bent.add(node)

    def break_value(self, value: Value, why: Reason) -> None:
        """Holds a value: it must not move along any axis, nor as a whole."""
        super().break_value(value, why)
        self.wholes.add((value.gauge or NOTHING).scale)

    def pin(self, label: Label, why: Reason) -> None:
        """Holds an axis: nothing acts along it."""
        self._each(label, self._stop)
        super().pin(label, why)

    def stop(self, label: Label) -> Label:
        """The label with all exponents in it asked to be zero."""
        return self._each(label, self._stop)

    def _stop(self, occurrence: Gauged) -> Factor:
        self.ask_zero(occurrence.gauge)
        self.block(occurrence.node)
        return Gauged(occurrence.node, NOTHING)

    def _each(self, label: Label, function: Callable[[Gauged], Factor]) -> Label:
        """The label with every occurrence in it replaced."""

        def visit(factor: Factor) -> Factor:
            if isinstance(factor, Gauged):
                return function(factor)
            if isinstance(factor, Sum):
                return Sum(tuple(tuple(visit(f) for f in resolve(piece)) for piece in factor.pieces))
            if isinstance(factor, Stack):
                return Stack(factor.over, tuple(tuple(visit(f) for f in resolve(c)) for c in factor.choices))
            return factor

        return tuple(visit(factor) for factor in resolve(label))

    def _meet(self, f: Factor, g: Factor, why: Reason) -> Label:
        if isinstance(f, Gauged) and isinstance(g, Gauged) and f.node is g.node:
            return (self._meet_equals(f, g),)
        if isinstance(f, Uniform | Node) and isinstance(g, Uniform | Node):
            return super()._meet(f, g, why)
        if isinstance(f, Uniform) or isinstance(g, Uniform):
            flat_first = isinstance(f, Uniform)
            other = g if flat_first else f
            return self._each((other,), lambda o: self._meet_uniform(o, flat_first))
        if isinstance(f, Stack) or isinstance(g, Stack):
            return self._meet_stacks(f, g, why)
        if isinstance(f, Sum) and isinstance(g, Sum):
            return self._meet_sums(f, g, why)
        moving = [factor for factor in (f, g) if not isinstance(factor, Node)]
        if len(moving) == 1:
            return self._each((moving[0],), lambda o: self._meet_foreign(o, moving[0] is g))
        for factor in moving:
            self._each((factor,), self._stop)
        return self._each((f,), lambda o: Gauged(o.node, NOTHING))

    def _meet_equals(self, f: Gauged, g: Gauged) -> Factor:
        """Two occurrences of one node on matched axes."""
        node = f.node
        if self.mode == "equal":
            self.scales.add(plus(f.gauge.scale, g.gauge.scale, -ONE))
            self.signs.add(f.gauge.sign ^ g.gauge.sign)
            if f.gauge.paired != g.gauge.paired:
                self.block(node)
            return f
        if f.gauge.paired or g.gauge.paired or self.mode == "quotient":
            self.block(node)
        factor = -ONE if self.mode == "quotient" else ONE
        joint = Gauge(plus(f.gauge.scale, g.gauge.scale, factor), f.gauge.sign ^ g.gauge.sign)
        if self.mode == "contract":
            self.ask_zero(joint)
            return Gauged(node, NOTHING)
        return Gauged(node, dataclasses.replace(joint, paired=True))

    def _meet_uniform(self, occurrence: Gauged, flat_first: bool) -> Factor:
        """A node against an array that is constant along the axis."""
        node, gauge = occurrence.node, occurrence.gauge
        if self.mode == "product" or (self.mode == "quotient" and not flat_first):
            return occurrence
        if self.mode == "quotient":
            self.block(node)
            return Gauged(node, Gauge(plus({}, gauge.scale, -ONE), gauge.sign))
        self.ask_zero(gauge)
        if not (self.mode == "contract" and gauge.paired):
            self.block(node)
        return Gauged(node, NOTHING)

    def _meet_foreign(self, occurrence: Gauged, foreign_first: bool) -> Factor:
        """A node against numbers that do not move along the axis."""
        node, gauge = occurrence.node, occurrence.gauge
        self.block(node)
        if self.mode == "product" or (self.mode == "quotient" and not foreign_first):
            return occurrence
        if self.mode == "quotient":
            return Gauged(node, Gauge(plus({}, gauge.scale, -ONE), gauge.sign))
        self.ask_zero(gauge)
        return Gauged(node, NOTHING)

    def collapse(self, label: Label, why: Reason, keep: frozenset[Label] = frozenset()) -> Label:
        """Merging the choices of a stack asks that their exponents be equal, whatever the operation around it."""
        return self.in_mode("equal", lambda: super(GaugeInterpreter, self).collapse(label, why, keep))

    def cut(self, factor: Factor, lead: int, why: Reason) -> tuple[Label, Label] | None:
        """Divides a factor; one that carries exponents gives them up."""
        if isinstance(factor, Gauged):
            self._stop(factor)
            return self.fixed(lead, why), self.fixed(factor.size // lead, why)
        return super().cut(factor, lead, why)

    def _cut_sum(self, factor: Sum, lead: int, trail: int, why: Reason) -> tuple[Label, Label] | None:
        """The pieces of one array get one trailing part, with equal exponents, whatever the operation around it."""
        return self.in_mode("equal", lambda: super(GaugeInterpreter, self)._cut_sum(factor, lead, trail, why))

    def _part_factor(self, factor: Factor, start: int, stop: int) -> Label | None:
        if isinstance(factor, Gauged) and (start, stop) != (0, factor.size):
            self._stop(factor)
            return self.fixed(stop - start, Reason("slice", "is read by position"))
        return super()._part_factor(factor, start, stop)

    # -- the verbs rules are written in -------------------------------------------------------------------------

    def in_mode(self, mode: str, action: Callable[[], Any]) -> Any:
        """Runs an action with axes meeting in the given way."""
        before, self.mode = self.mode, mode
        try:
            return action()
        finally:
            self.mode = before

    def transform(self, eqn: Any, value: Value, arithmetic: Arithmetic) -> Value:
        """An elementwise function of one array."""

        def change(occurrence: Gauged) -> Factor:
            gauge, node = occurrence.gauge, occurrence.node
            square = arithmetic.power == 2 and not gauge.paired
            if not arithmetic.linear and not square:
                self.block(node)
            self.ask_zero(gauge, scale=arithmetic.scale == ZERO, sign=arithmetic.sign == ZERO)
            changed = self._changed(gauge, arithmetic)
            return Gauged(node, dataclasses.replace(changed, paired=gauge.paired or square))  # type: ignore

        axes = tuple(self._each(label, change) for label in value.axes)
        whole = value.gauge or NOTHING
        if arithmetic.scale == ZERO:
            self.wholes.add(whole.scale)
        return Value(axes, gauge=self._changed(whole, arithmetic))

    def _changed(self, gauge: Gauge, arithmetic: Arithmetic) -> Gauge:
        kept = arithmetic.scale not in (ZERO, GONE)
        scale = {symbol: value * arithmetic.power for symbol, value in gauge.scale.items()} if kept else {}
        odd = arithmetic.power.numerator % 2 == 1 and arithmetic.sign not in (ZERO, GONE)
        return Gauge(scale, gauge.sign if odd else 0)

    def combine(self, eqn: Any, values: Sequence[Value], arithmetic: Arithmetic) -> Value:
        """An elementwise operation on several arrays."""
        why = self.why(eqn, "matches axes index by index")
        chooser = values[0] if arithmetic.join == "select" else None
        if arithmetic.join in ("equal", "select"):
            merged = self.alternatives(eqn, values[1:] if chooser else values, why)
        else:
            shape = jaxprs.shape(eqn.outvars[0])
            axes = self.in_mode(arithmetic.join, lambda: self.align(eqn, values, shape, why))
            self._record_factors(values, axes)
            factor = -ONE if arithmetic.join == "quotient" else ONE
            scales = [(value.gauge or NOTHING).scale for value in values]
            merged = Value(axes, gauge=Gauge(plus(scales[0], scales[1], factor), 0))
        if chooser:
            merged.axes = self._chosen(eqn, chooser, merged, why)
        return self.transform(eqn, merged, arithmetic)

    def _record_factors(self, values: Sequence[Value], axes: tuple[Label, ...]) -> None:
        """Notes the product once with each factor's own exponents, which may cancel in the result."""
        for value in values:
            own = [value.axis(k, length(label)) for k, label in enumerate(axes)]
            self.record(tuple(axes[k] if is_uniform(label) else label for k, label in enumerate(own)))

    def _chosen(self, eqn: Any, chooser: Value, merged: Value, why: Reason) -> tuple[Label, ...]:
        """A choice must not move; where it differs along an axis, only scalings and signs pass."""
        still = Value(tuple(self.stop(label) for label in chooser.axes))
        self.wholes.add((chooser.gauge or NOTHING).scale)
        for axis, label in enumerate(merged.axes):
            if chooser.axes and not is_uniform(chooser.axes[axis]):
                for occurrence in _inside(label):
                    self.block(occurrence.node)
        shape = jaxprs.shape(eqn.outvars[0])
        return self.in_mode("product", lambda: self.align(eqn, [merged, still], shape, why))

    def alternatives(self, eqn: Any, values: Sequence[Value], why: Reason, *, pieces: bool = False) -> Value:
        """Arrays added or chosen among: equal exponents, where zeros fit any."""
        shape = max((value.shape for value in values), key=len)
        moving = [value for value in values if value.scalar is None or value.scalar != 0] or [values[0]]
        axes = self.in_mode("equal", lambda: self.align(eqn, moving, shape, why))
        return Value(axes, gauge=self.common_gauge(moving))

    def common_gauge(self, values: Sequence[Value]) -> Gauge:
        """Arrays put together scale as one."""
        first = values[0].gauge or NOTHING
        for value in values[1:]:
            self.wholes.add(plus(first.scale, (value.gauge or NOTHING).scale, -ONE))
        return first

    def contract(self, eqn: Any, lhs: Sequence[Label], rhs: Sequence[Label], batch: Sequence[Label]) -> None:
        """A sum of products asks that the exponents cancel."""
        self.in_mode("contract", lambda: super(GaugeInterpreter, self).contract(eqn, lhs, rhs, batch))
        self.contractions[-1] = dataclasses.replace(self.contractions[-1], summed=tuple(lhs))

    def output(self, value: Value) -> None:
        """An output must not move, neither along an axis nor as a whole."""
        super().output(value)
        self.wholes.add((value.gauge or NOTHING).scale)

    def paired(self, first: Label, second: Label, why: Reason) -> Label:
        """Axes kept in step by a product: exponents add."""
        return self.in_mode("product", lambda: self.unify(first, second, why))

    def product_gauge(self, lhs: Value, rhs: Value) -> Gauge:
        """A product scales by both factors' exponents."""
        return Gauge(plus((lhs.gauge or NOTHING).scale, (rhs.gauge or NOTHING).scale), 0)

    def total(self, eqn: Any, label: Label, arithmetic: Arithmetic) -> None:
        """A reduction over an axis asks that nothing scales along it; sums of squares respect rotations."""
        for occurrence in _inside(label):
            self.ask_zero(occurrence.gauge)
            if not (arithmetic.linear and occurrence.gauge.paired):
                self.block(occurrence.node)

    def loop(self, inits: Sequence[Value], why: Reason) -> list[Value]:
        """The carry of a loop, with unknowns of its own."""
        carry = []
        for init, labels in zip(inits, next(self.labels), strict=True):
            axes = tuple(self.occurrences_of(label) for label in labels)
            value = Value(axes, data=init.data, gauge=self.unknown_gauge(self.symbol()))
            if init.scalar is None or init.scalar != 0:
                self.match(value, init, why)
            carry.append(value)
        return carry

    def close(self, carry: Sequence[Value], outs: Sequence[Value], why: Reason) -> list[Value]:
        """What comes out of a loop is what went in."""
        return [self.match(c, o, why) for c, o in zip(carry, outs, strict=True)]

    def match(self, first: Value, second: Value, why: Reason) -> Value:
        """An array that is one of two."""
        value = super().match(first, second, why)
        value.gauge = self.common_gauge([first, second])
        return value


def _inside(label: Label) -> list[Gauged]:
    found: list[Gauged] = []
    for factor in resolve(label):
        if isinstance(factor, Gauged):
            found.append(factor)
        elif isinstance(factor, Sum | Stack):
            for piece in factor.pieces if isinstance(factor, Sum) else factor.choices:
                found += _inside(piece)
    return found
