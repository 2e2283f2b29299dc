"""Running a program on labels, or on exponents, instead of arrays.

`Interpreter` calls the rule of each primitive, offers the verbs that rules are written in, and keeps a log of which
nodes meet in which array and under which contraction; from the log follows what may depend on what.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from geojax._program import jaxprs
from geojax._program.definitions import definition, reference
from geojax._program.sources import source_of
from geojax._program.walk import Cursor, Place, Rules, walk
from geojax.symmetry.inference.labels import points
from geojax.symmetry.inference.labels.algebra import Algebra
from geojax.symmetry.inference.labels.arithmetic import Arithmetic, Join
from geojax.symmetry.inference.labels.axes import (
    Label,
    Node,
    Reason,
    is_stacked,
    is_uniform,
    node_counts,
    resolve,
    stack_roots,
)
from geojax.symmetry.inference.labels.constants import constant_axes
from geojax.symmetry.inference.labels.domain import Domain
from geojax.symmetry.inference.labels.values import (
    Contraction,
    Elimination,
    Occurrence,
    Product,
    Value,
    numbers_of,
)

PRODUCTS = ("dot_general", "conv_general_dilated")

RULES = Rules()
rule = RULES.register
"""Registers the rule of one or more primitives: ``rule(interpreter, eqn, *values) -> Value | list[Value]``."""

OWN = Rules()
"""The rules that users give for primitives of their own, by `geojax.symmetry.rule`."""


class Interpreter(Algebra):
    """Runs programs on the values of a domain.

    Attributes:
        occurrences: Every array the program makes.
        contractions: Every sum of products.
        eliminations: Every operation that removes axes of an array and keeps others.
        products: Every matrix product and convolution outside of while loops and branches.
        unknown: Primitives without a rule, with their source lines.
        seen: The labels of every array that an equation read.
        ambient: The indices of the loops that the run is inside of.
        loops: The labels of the carries of all loops, in the order in which the program runs them.
        cursor: Where the walk over the program is.
        untied: The places of equations that choose among entries of which almost surely no two are equal.
        supposed: The values that stand for some constants, by the identity of the array.
    """

    def __init__(
        self,
        domain: Domain | None = None,
        *,
        enumerate_keys: frozenset = frozenset(),
        stacks: bool = False,
        untied: frozenset[Place] = frozenset(),
    ):
        super().__init__(domain, enumerate_keys=enumerate_keys, stacks=stacks)
        self.untied = untied
        self.supposed: dict[int, Value] = {}
        self.occurrences: list[Occurrence] = []
        self.contractions: list[Contraction] = []
        self.eliminations: list[Elimination] = []
        self.products: list[Product] = []
        self.seen: list[tuple[Label, ...]] = []
        self.unknown: dict[str, None] = {}
        self.ambient: Label = ()
        self.loops: list[list[tuple[Label, ...]]] = []
        self.cursor = Cursor()
        self.equation: Any = None

    def here(self) -> str:
        """The source line of the equation at hand."""
        return "" if self.equation is None else source_of(self.equation, self.cursor.callers)

    def run(
        self, program: jaxprs.Body, values: Sequence[Value], needed: Sequence[bool] | None = None
    ) -> list[Value]:
        """The values of a program's outputs, from those of its inputs; positions leave it as numbers."""
        outputs = walk(
            program,
            values,
            self.step,
            constant=self.constant,
            unused=Value(()),
            cursor=self.cursor,
            needed=needed,
            solves=True,
        )
        points.spend(self, outputs)
        return outputs

    def step(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """The outputs of one equation."""
        self.equation = eqn
        self._place_constants(inputs)
        handler = RULES.get(eqn.primitive.name) or OWN.get(eqn.primitive.name)
        if handler is not None and all(0 in jaxprs.shape(var) for var in eqn.outvars):
            nothing = self.why(eqn, "has no entries")
            return [self.fresh(var, nothing) for var in eqn.outvars]
        if eqn.primitive.name == "concatenate":
            inputs = [value for value in inputs if 0 not in value.shape]
        followed = points.follow(self, eqn, inputs)
        if followed is not None:
            outputs = followed
        elif handler is None or any(0 in value.shape for value in inputs):
            outputs = self.taken_apart(eqn, inputs) if handler is None else None
            outputs = outputs or self.give_up(eqn, inputs, known=handler is not None)
        else:
            self.picks = []
            if eqn.primitive.name in PRODUCTS:
                self.products.append(Product((*self.cursor.place, id(eqn)), eqn, tuple(inputs), self.ambient))
            result = handler(self, eqn, *inputs)
            outputs = result if isinstance(result, list) else [result]
        self.seen += (value.axes for value in inputs)
        data = any(value.data for value in inputs)
        steady = all(value.steady for value in inputs)
        finite = all(value.finite for value in inputs)
        for value in outputs:
            value.data = value.data or data
            value.steady, value.finite = steady, finite
            if self.stacks:
                value.axes = self.settle(value.axes, self.why(eqn, "separates what was read one by one"))
            self.record(value.axes)
            for pointer in value.points:
                if pointer is not None:
                    self.record((*value.axes, pointer.label))
        return outputs

    def _place_constants(self, inputs: Sequence[Value]) -> None:
        """Notes at which line constants are read that hold what they meet."""
        for value in inputs:
            for label in value.axes if value.steady else ():
                for factor in resolve(label):
                    if isinstance(factor, Node) and factor.pin is not None:
                        pin = factor.pin
                        if pin.primitive == "constant" and not pin.source:
                            factor.pin = dataclasses.replace(pin, source=self.here())

    def chooses(self, eqn: Any) -> bool:
        """Whether an equation chooses among entries of which almost surely no two are equal."""
        return (*self.cursor.place, id(eqn)) in self.untied

    def taken_apart(self, eqn: Any, inputs: Sequence[Value]) -> list[Value] | None:
        """The outputs of another library's primitive, by the program that it stands for; None if that is not known."""
        program = definition(eqn)
        if program is None:
            return None
        return self.stand_in(program, eqn, inputs, self.cursor.wanted)

    def like(self, function: Any, eqn: Any, *values: Value) -> list[Value]:
        """The outputs of an equation that gives what a function of arrays gives: the verb of most rules of users."""
        return self.stand_in(reference(function, eqn), eqn, values)

    def stand_in(
        self, program: jaxprs.Body, eqn: Any, inputs: Sequence[Value], needed: Sequence[bool] | None = None
    ) -> list[Value]:
        """The outputs of an equation by a program that computes the same."""
        count = len(self.products)
        with self.cursor.inside(eqn):
            outputs = self.run(program, inputs, needed)
        del self.products[count:]  # the equations of a program that was traced here are nobody else's
        return outputs

    def give_up(self, eqn: Any, inputs: Sequence[Value], *, known: bool = False) -> list[Value]:
        """Holds every axis of every input of a primitive that has no rule, or whose rule does not cover the case."""
        why = self.why(eqn, "acts on an empty array" if known else "has no rule, so all its axes are held")
        if not known:
            self.unknown.setdefault(
                f"{eqn.primitive.name} ({why.source})" if why.source else eqn.primitive.name
            )
        for value in inputs:
            self.break_value(value, why)
            for k in range(len(value.axes)):
                self.hold(value.axes, [k], why)
        return [self.fresh(var, why) for var in eqn.outvars]

    def why(self, eqn: Any, text: str) -> Reason:
        """A reason that names the equation's primitive and source line."""
        return Reason(eqn.primitive.name, text, source_of(eqn, self.cursor.callers))

    def record(self, axes: tuple[Label, ...]) -> None:
        """Notes that an array with these labels exists, for each index of the loops around it."""
        if any(not is_uniform(label) for label in (*axes, self.ambient)):
            self.occurrences.append(Occurrence(axes, self.ambient))

    def eliminate(self, gone: Sequence[Label], kept: Sequence[Label]) -> None:
        """Notes that an array loses some axes while others stay, as do the indices of the loops around it."""
        staying = (*kept, self.ambient)
        if any(not is_uniform(label) for label in gone) and any(not is_uniform(label) for label in staying):
            self.eliminations.append(Elimination(tuple(gone), staying))

    def hold(self, axes: Sequence[Label], dims: Iterable[int], why: Reason) -> None:
        """Pins the axes ``dims`` of an array, whose entries an operation mixes or moves; the other axes stay."""
        dims = set(dims)
        self.eliminate([axes[k] for k in dims], [label for k, label in enumerate(axes) if k not in dims])
        for k in dims:
            self.pin(axes[k], why)

    def settle(self, axes: tuple[Label, ...], why: Reason) -> tuple[Label, ...]:
        """Merges the choices of each stack whose index is not exactly one axis of the array."""
        if not any(is_stacked(label) for label in axes):
            return axes
        count: dict[Node, int] = {}
        for label in axes:
            for factor in resolve(label):
                if isinstance(factor, Node):
                    count[factor] = count.get(factor, 0) + 1
        keep = frozenset((node,) for node, times in count.items() if times == 1)
        return tuple(self.collapse(label, why, keep) for label in axes)

    def disentangle(self, leaves: Sequence[Value]) -> None:
        """Merges the choices of every stack whose index is on two axes of some array.

        For such an array it is not known which of the two axes chooses. Call this when the program has run: an axis
        may be refined into a stack and its index long after an array with that axis was made.
        """
        why = Reason("slice", "has its entries read one by one along an axis that an array carries twice")
        merged: set[Node] = set()
        while self.stacks:
            arrays = [*(value.axes for value in leaves), *(o.axes for o in self.occurrences), *self.seen]
            roots = {root for axes in arrays for label in axes for root in stack_roots(label)}
            counts = (sum((node_counts(label) for label in axes), Counter()) for axes in arrays)
            twice = {node for count in counts for node, times in count.items() if times > 1}
            twice &= roots - merged
            if not twice:
                break
            merged |= twice
            keep = frozenset((root,) for root in roots - merged)
            for axes in arrays:
                for label in axes:
                    self.collapse(label, why, keep)
            for value in leaves:
                value.axes = tuple(self.collapse(label, why, keep) for label in value.axes)
            self.loops = [
                [tuple(self.collapse(label, why, keep) for label in axes) for axes in carry]
                for carry in self.loops
            ]

    # -- making values ------------------------------------------------------------------------------------------

    def constant(self, array: Any) -> Value:
        """The value of an array of known numbers; what changes along an axis holds it."""
        if id(array) in self.supposed:
            return self.supposed[id(array)]
        numbers = numbers_of(array)
        if numbers is None:
            why = Reason("constant", "is a constant of the program that cannot be read")
            return Value(tuple(self.fixed(n, why) for n in np.shape(array)))
        why = Reason("constant", "is a constant of the program that differs along the axis")
        axes = constant_axes(numbers, lambda n: self.fixed(n, why))
        scalar = numbers.reshape(-1)[0] if numbers.size and all(map(is_uniform, axes)) else None
        return Value(axes, scalar=scalar, steady=True, finite=bool(np.all(np.isfinite(numbers))))

    def fresh(self, var: Any, why: Reason) -> Value:
        """A value about which nothing is known: every axis is held."""
        return Value(tuple(self.fixed(n, why) for n in jaxprs.shape(var)))

    def break_value(self, value: Value, why: Reason) -> None:
        """Holds a value: it moves along no axis, nor as a whole."""
        for label in value.axes:
            self.pin(label, why)
        self.domain.stop_whole(value)

    def output(self, value: Value) -> None:
        """Holds an output of the program."""
        self.break_value(value, Reason("output", "is an axis of an output"))

    # -- the verbs rules are written in -------------------------------------------------------------------------

    def align(
        self, values: Sequence[Value], shape: Sequence[int], why: Reason, join: Join = Join.EQUAL
    ) -> tuple[Label, ...]:
        """Labels of arrays that are matched index by index; axes without stacks are matched first."""
        axes: dict[int, Label] = {}
        stacked = [
            k
            for k in range(len(shape))
            if self.stacks and any(is_stacked(v.axis(k, shape[k])) for v in values)
        ]
        for k in sorted(range(len(shape)), key=lambda k: k in stacked):
            label = values[0].axis(k, shape[k])
            for value in values[1:]:
                label = self.unify(label, value.axis(k, shape[k]), why, join)
            axes[k] = label
        return tuple(axes[k] for k in range(len(shape)))

    def combine(self, eqn: Any, values: Sequence[Value], arithmetic: Arithmetic) -> Value:
        """The value of an elementwise operation on values of one shape (or without axes)."""
        return self.domain.combine(self, eqn, values, arithmetic)

    def transform(self, eqn: Any, value: Value, arithmetic: Arithmetic) -> Value:
        """The value of an elementwise function of one array."""
        return self.domain.transform(eqn, value, arithmetic)

    def contract(self, eqn: Any, lhs: Sequence[Label], rhs: Sequence[Label], batch: Sequence[Label]) -> None:
        """Sums products over pairs of axes; ``batch`` are the labels of the axes that both keep in step."""
        why = self.why(eqn, "sums over the axis")
        left, right = list(lhs), list(rhs)
        if self.stacks:
            kept = frozenset(
                (f,) for label in (*lhs, *rhs, *batch) for f in resolve(label) if isinstance(f, Node)
            )
            left = [self.collapse(label, why, kept) for label in lhs]
            right = [self.collapse(label, why, kept) for label in rhs]
        order = sorted(range(len(left)), key=lambda i: is_stacked(left[i]) or is_stacked(right[i]))
        merged = [self.unify(left[i], right[i], why, Join.CONTRACT) for i in order]
        self.contractions.append(Contraction(self.domain.summed(lhs, merged), tuple(batch), self.ambient))

    def paired(self, first: Label, second: Label, why: Reason) -> Label:
        """The label of two axes that a product keeps in step."""
        return self.unify(first, second, why, Join.PRODUCT)

    def whole_of_product(self, lhs: Value, rhs: Value) -> Any:
        """How a product of two arrays scales as a whole."""
        return self.domain.whole_of_product(lhs, rhs)

    def total(self, label: Label, arithmetic: Arithmetic) -> None:
        """Reduces over a whole axis."""
        self.domain.total(label, arithmetic)

    def common_whole(self, values: Sequence[Value]) -> Any:
        """How an array put together from several scales as a whole."""
        return self.domain.common_whole(values)

    def loop(self, inits: Sequence[Value], why: Reason) -> list[Value]:
        """Values for the carry of a loop, to be closed with `close`."""
        return self.domain.carry(self, inits, why)

    def close(self, carry: Sequence[Value], outs: Sequence[Value], why: Reason) -> list[Value]:
        """Closes a loop: what one step returns is what the next one starts with."""
        return [self.match(c, o, why) for c, o in zip(carry, outs, strict=True)]

    def alternatives(self, values: Sequence[Value], why: Reason) -> Value:
        """The value of an array each of whose entries comes from one of several arrays, or from their sum."""
        return self.domain.alternatives(self, values, why)

    def match(self, first: Value, second: Value, why: Reason) -> Value:
        """The value of an array that is one of two."""
        axes = tuple(self.unify(a, b, why) for a, b in zip(first.axes, second.axes, strict=True))
        same = first.scalar is not None and first.scalar == second.scalar
        return Value(
            axes,
            scalar=first.scalar if same else None,
            data=first.data or second.data,
            whole=self.common_whole([first, second]),
        )
