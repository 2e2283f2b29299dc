"""The domain of the second run: exponents of scalings and signs beside the labels.

Once the labels are final, each occurrence of a node on a parameter gets an unknown exponent, and a second run of the
program turns every primitive into linear equations between exponents: over the rationals for positive scalings, over
GF(2) for signs. The run also notes which nodes all operations treat linearly, so that a general linear group may act
along them, or linearly except in sums of squares, which leaves an orthogonal group.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.exponents.carriers import (
    NOTHING,
    Carrier,
    Exponents,
    carriers,
    changed,
    each,
    inverted,
    mapped,
)
from geojax.symmetry.inference.exponents.equations import ONE, BinaryEquations, Equations, plus
from geojax.symmetry.inference.labels.algebra import Algebra
from geojax.symmetry.inference.labels.arithmetic import Arithmetic, Effect, Join
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
from geojax.symmetry.inference.labels.label_domain import LabelDomain
from geojax.symmetry.inference.labels.values import Value


class ExponentDomain:
    """Collects the equations between exponents.

    Attributes:
        scales: The equations between exponents of scalings along axes.
        signs: The same for signs.
        wholes: The equations between exponents of whole arrays.
        count: The number of unknowns.
        nonlinear: Nodes along which some operation is not linear.
    """

    def __init__(self, loops: list[list[tuple[Label, ...]]]):
        self.loops = iter(loops)
        self.scales, self.signs, self.wholes = Equations(), BinaryEquations(), Equations()
        self.count = 0
        self.nonlinear: set[Node] = set()
        self.labels = LabelDomain()

    # -- unknowns -----------------------------------------------------------------------------------------------

    def symbol(self) -> int:
        """A fresh unknown."""
        self.count += 1
        return self.count - 1

    def unknown(self, symbol: int) -> Exponents:
        """Exponents that are the unknown itself."""
        return Exponents({symbol: ONE}, 1 << symbol)

    def with_unknowns(self, label: Label) -> Label:
        """The label with a fresh unknown for each node in it."""

        def visit(factor: Factor) -> Factor:
            if isinstance(factor, Node) and not factor.listed:
                symbol = self.symbol()
                return Carrier(factor, self.unknown(symbol), symbol)
            return factor

        return mapped(label, visit)

    # -- equations ----------------------------------------------------------------------------------------------

    def require_zero(self, exponents: Exponents, *, scale: bool = True, sign: bool = True) -> None:
        """Adds the equations that say that exponents vanish."""
        if scale:
            self.scales.add(exponents.scale)
        if sign:
            self.signs.add(exponents.sign)

    def stop(self, label: Label) -> Label:
        """The label after all exponents in it are required to be zero, and no linear group acts along it."""
        return each(label, self._stopped)

    def _stopped(self, carrier: Carrier) -> Factor:
        self.require_zero(carrier.exponents)
        self.nonlinear.add(carrier.node)
        return Carrier(carrier.node, NOTHING)

    def stop_whole(self, value: Value) -> None:
        """Requires that an array as a whole is not scaled."""
        self.wholes.add((value.whole or NOTHING).scale)

    # -- factors ------------------------------------------------------------------------------------------------

    def meet(self, algebra: Algebra, f: Factor, g: Factor, why: Reason, join: Join) -> Label:
        """Adds the equations for two factors of equal length on matched axes."""
        if isinstance(f, Carrier) and isinstance(g, Carrier) and f.node is g.node:
            return (self._same_node(f, g, join),)
        if isinstance(f, Uniform | Node) and isinstance(g, Uniform | Node):
            return self.labels.meet(algebra, f, g, why, join)
        if isinstance(f, Uniform):
            return each((g,), lambda carrier: self._constant(carrier, join, constant_first=True))
        if isinstance(g, Uniform):
            return each((f,), lambda carrier: self._constant(carrier, join, constant_first=False))
        if isinstance(f, Stack) or isinstance(g, Stack):
            return algebra.meet_stacks(f, g, why, join)
        if isinstance(f, Sum) and isinstance(g, Sum):
            return algebra.meet_sums(f, g, why, join)
        if isinstance(f, Node):
            return each((g,), lambda carrier: self._numbers(carrier, join, numbers_first=True))
        if isinstance(g, Node):
            return each((f,), lambda carrier: self._numbers(carrier, join, numbers_first=False))
        self.stop((f,))
        self.stop((g,))
        return each((f,), lambda carrier: Carrier(carrier.node, NOTHING))

    def _same_node(self, f: Carrier, g: Carrier, join: Join) -> Factor:
        """Two arrays that move along the same node."""
        node = f.node
        if join is Join.EQUAL:
            self.scales.add(plus(f.exponents.scale, g.exponents.scale, -ONE))
            self.signs.add(f.exponents.sign ^ g.exponents.sign)
            if f.exponents.paired != g.exponents.paired:
                self.nonlinear.add(node)
            return f
        if f.exponents.paired or g.exponents.paired or join is Join.QUOTIENT:
            self.nonlinear.add(node)
        factor = -ONE if join is Join.QUOTIENT else ONE
        joint = Exponents(
            plus(f.exponents.scale, g.exponents.scale, factor), f.exponents.sign ^ g.exponents.sign
        )
        if join is Join.CONTRACT:
            self.require_zero(joint)
            return Carrier(node, NOTHING)
        return Carrier(node, dataclasses.replace(joint, paired=True))

    def _constant(self, carrier: Carrier, join: Join, *, constant_first: bool) -> Factor:
        """A node beside an array that is constant along the axis."""
        node, exponents = carrier.node, carrier.exponents
        if join is Join.PRODUCT or (join is Join.QUOTIENT and not constant_first):
            return carrier
        if join is Join.QUOTIENT:
            self.nonlinear.add(node)
            return Carrier(node, inverted(exponents))
        self.require_zero(exponents)
        if not (join is Join.CONTRACT and exponents.paired):
            self.nonlinear.add(node)
        return Carrier(node, NOTHING)

    def _numbers(self, carrier: Carrier, join: Join, *, numbers_first: bool) -> Factor:
        """A node beside numbers that do not move along the axis."""
        node, exponents = carrier.node, carrier.exponents
        self.nonlinear.add(node)
        if join is Join.PRODUCT or (join is Join.QUOTIENT and not numbers_first):
            return carrier
        if join is Join.QUOTIENT:
            return Carrier(node, inverted(exponents))
        self.require_zero(exponents)
        return Carrier(node, NOTHING)

    def cut(self, algebra: Algebra, factor: Marked, lead: int, why: Reason) -> tuple[Label, Label]:
        """A factor that is still whole after the first run is not a product: its exponents must vanish."""
        self.stop((factor,))
        return algebra.fixed(lead, why), algebra.fixed(factor.size // lead, why)

    def part(self, algebra: Algebra, factor: Marked, start: int, stop: int) -> Label:
        """A factor that is still whole after the first run has no pieces: its exponents must vanish."""
        self.stop((factor,))
        return algebra.fixed(stop - start, Reason("slice", "is read by position"))

    # -- values -------------------------------------------------------------------------------------------------

    def carry(self, run: Interpreter, inits: Sequence[Value], why: Reason) -> list[Value]:
        """The labels of the first run, with fresh unknowns, equal to those of the initial values."""
        carry = []
        for init, labels in zip(inits, next(self.loops), strict=True):
            axes = tuple(self.with_unknowns(label) for label in labels)
            value = Value(axes, data=init.data, whole=self.unknown(self.symbol()))
            if init.scalar is None or init.scalar != 0:
                run.match(value, init, why)
            carry.append(value)
        return carry

    def transform(self, eqn: Any, value: Value, arithmetic: Arithmetic) -> Value:
        """Exponents are kept, multiplied, lost or required to vanish, as the arithmetic says."""

        def change(carrier: Carrier) -> Factor:
            exponents, node = carrier.exponents, carrier.node
            is_square = arithmetic.power == 2 and not exponents.paired
            if not arithmetic.linear and not is_square:
                self.nonlinear.add(node)
            self.require_zero(
                exponents, scale=arithmetic.scale is Effect.ZERO, sign=arithmetic.sign is Effect.ZERO
            )
            after = changed(exponents, arithmetic)
            return Carrier(node, dataclasses.replace(after, paired=exponents.paired or is_square))

        axes = tuple(each(label, change) for label in value.axes)
        whole = value.whole or NOTHING
        if arithmetic.scale is Effect.ZERO:
            self.wholes.add(whole.scale)
        return Value(axes, whole=changed(whole, arithmetic))

    def combine(self, run: Interpreter, eqn: Any, values: Sequence[Value], arithmetic: Arithmetic) -> Value:
        """Exponents agree, add or are subtracted, as the arithmetic says."""
        why = run.why(eqn, "matches axes index by index")
        if arithmetic.chooses:
            merged = self.alternatives(run, values[1:], why)
            merged.axes = self._chosen(run, eqn, values[0], merged, why)
        elif arithmetic.join is Join.EQUAL:
            merged = self.alternatives(run, values, why)
        else:
            axes = run.align(values, jaxprs.shape(eqn.outvars[0]), why, arithmetic.join)
            _record_factors(run, values, axes)
            factor = -ONE if arithmetic.join is Join.QUOTIENT else ONE
            first, second = ((value.whole or NOTHING).scale for value in values)
            merged = Value(axes, whole=Exponents(plus(first, second, factor), 0))
        return self.transform(eqn, merged, arithmetic)

    def _chosen(
        self, run: Interpreter, eqn: Any, chooser: Value, merged: Value, why: Reason
    ) -> tuple[Label, ...]:
        """The choosing array must not move; along an axis where it differs, only scalings and signs act."""
        still = Value(tuple(self.stop(label) for label in chooser.axes))
        self.stop_whole(chooser)
        for axis, label in enumerate(merged.axes):
            if chooser.axes and not is_uniform(chooser.axes[axis]):
                self.nonlinear.update(carrier.node for carrier in carriers(label))
        return run.align([merged, still], jaxprs.shape(eqn.outvars[0]), why, Join.PRODUCT)

    def alternatives(self, run: Interpreter, values: Sequence[Value], why: Reason) -> Value:
        """Exponents agree; an array of zeros has whatever exponents are needed."""
        # An operand may lack axes, or have them at length one where another has them whole.
        rank = max(len(value.axes) for value in values)
        shape = [max(sizes) for sizes in zip(*(value.shape for value in values if len(value.axes) == rank))]
        moving = [value for value in values if value.scalar is None or value.scalar != 0] or [values[0]]
        whole = self.common_whole(moving)
        units = [value for value in moving if value.unit]
        if units and len(units) < len(moving):
            first = run.align([value for value in moving if not value.unit], shape, why)
            moving = [Value(first), *(self._beside_unit(value, first) for value in units)]
        return Value(run.align(moving, shape, why), whole=whole)

    def _beside_unit(self, unit: Value, axes: tuple[Label, ...]) -> Value:
        """A unit matrix where it is added to an array with these labels: it has both exponents if they are opposite.

        A matrix that takes one axis along and its contragredient that takes the other, or an orthogonal matrix on both,
        leave the unit matrix as it is.
        """
        pair = [k for k, label in enumerate(unit.axes) if not is_uniform(label)]
        factors = [resolve(axes[k])[0] for k in pair if len(resolve(axes[k])) == 1]
        if len(pair) != 2 or len(factors) != 2 or len(unit.axes) != len(axes):
            return unit
        one, two = factors
        if not (isinstance(one, Carrier) and isinstance(two, Carrier) and one.node is two.node):
            return unit
        self.scales.add(plus(one.exponents.scale, two.exponents.scale))
        self.signs.add(one.exponents.sign ^ two.exponents.sign)
        if one.exponents.paired or two.exponents.paired:
            self.nonlinear.add(one.node)
        return Value(tuple(axes[k] if k in pair else label for k, label in enumerate(unit.axes)))

    def summed(self, lhs: Sequence[Label], merged: Sequence[Label]) -> tuple[Label, ...]:
        """The labels of the left factor: after the factors have met, nothing acts along the axis any more."""
        return tuple(lhs)

    def total(self, label: Label, arithmetic: Arithmetic) -> None:
        """Nothing may be scaled along the axis; a sum of squares is preserved by rotations."""
        for carrier in carriers(label):
            self.require_zero(carrier.exponents)
            if not (arithmetic.linear and carrier.exponents.paired):
                self.nonlinear.add(carrier.node)

    # -- arrays as a whole --------------------------------------------------------------------------------------

    def whole_of_product(self, lhs: Value, rhs: Value) -> Exponents:
        """The exponents of both factors add."""
        return Exponents(plus((lhs.whole or NOTHING).scale, (rhs.whole or NOTHING).scale), 0)

    def common_whole(self, values: Sequence[Value]) -> Exponents:
        """The exponents of arrays that are put together agree."""
        first = values[0].whole or NOTHING
        for value in values[1:]:
            self.wholes.add(plus(first.scale, (value.whole or NOTHING).scale, -ONE))
        return first


def _record_factors(run: Interpreter, values: Sequence[Value], axes: tuple[Label, ...]) -> None:
    """Notes a product once with each factor's own exponents, which may cancel in the result."""
    for value in values:
        own = [value.axis(k, length(label)) for k, label in enumerate(axes)]
        run.record(tuple(axes[k] if is_uniform(label) else label for k, label in enumerate(own)))
