"""Running a jaxpr on labels instead of arrays.

`Interpreter` walks the equations, calls the rule of each primitive, and keeps a log of which nodes meet in which
array and under which contraction; the log decides what may depend on what.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from geojax._program import jaxprs
from geojax.symmetry.inference.labels.algebra import Algebra
from geojax.symmetry.inference.labels.axes import (
    Label,
    Node,
    Reason,
    is_stacked,
    is_uniform,
    node_counts,
    resolve,
    stack_roots,
    uniform,
)
from geojax.symmetry.inference.labels.values import (
    Contraction,
    Elimination,
    Occurrence,
    Product,
    Value,
    numbers_of,
)

PRODUCTS = ("dot_general", "conv_general_dilated")

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers the rule of one or more primitives: ``rule(interpreter, eqn, *values) -> Value | list[Value]``."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Interpreter(Algebra):
    """Runs programs on labels.

    Attributes:
        occurrences: Every array the program makes.
        contractions: Every sum of products.
        eliminations: Every array that loses axes while others stay.
        products: Every matrix product and convolution outside of while loops and branches.
        unknown: Primitives without a rule, with their source lines.
        seen: The labels of every array that an equation read.
        wanted: Which outputs of the equation at hand the program uses.
    """

    def __init__(self, enumerate_keys: frozenset = frozenset()):
        super().__init__(enumerate_keys)
        self.occurrences: list[Occurrence] = []
        self.contractions: list[Contraction] = []
        self.eliminations: list[Elimination] = []
        self.products: list[Product] = []
        self.seen: list[tuple[Label, ...]] = []
        self.place: tuple[int, ...] = ()
        self.wanted: Sequence[bool] = ()
        self.unknown: dict[str, None] = {}
        self.ambient: Label = ()
        self.loops: list[list[tuple[Label, ...]]] = []

    # -- walking ------------------------------------------------------------------------------------------------

    def run(
        self, program: jaxprs.Body, values: Sequence[Value], needed: Sequence[bool] | None = None
    ) -> list[Value]:
        """The values of a program's outputs, from those of its inputs; what no needed output uses is skipped."""
        env: dict[Any, Value] = {}
        for var, const in zip(program.jaxpr.constvars, program.consts, strict=True):
            env[var] = self.constant(const)
        env.update(zip(program.jaxpr.invars, values, strict=True))
        for eqn, wanted in jaxprs.live(program, needed).equations:
            inputs = [
                self.constant(jaxprs.number(v)) if isinstance(v, jaxprs.Literal) else env[v]
                for v in eqn.invars
            ]
            body = jaxprs.call(eqn)
            if body is None:
                self.wanted = wanted
                outputs = self.step(eqn, inputs)
            else:
                outputs = self.inside(
                    eqn, lambda body=body, given=inputs, use=wanted: self.run(body, given, use)
                )
            env.update(zip(eqn.outvars, outputs, strict=True))
        unused = Value(())
        return [
            self.constant(jaxprs.number(v)) if isinstance(v, jaxprs.Literal) else env.get(v, unused)
            for v in program.jaxpr.outvars
        ]

    def inside(self, eqn: Any, action: Callable[[], list[Value]]) -> list[Value]:
        """Runs an action with the equation noted as the place where the program is."""
        before, self.place = self.place, (*self.place, id(eqn))
        try:
            return action()
        finally:
            self.place = before

    def step(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """The outputs of one equation."""
        handler = RULES.get(eqn.primitive.name)
        if handler is not None and all(0 in jaxprs.shape(var) for var in eqn.outvars):
            nothing = self.why(eqn, "has no entries")
            return [self.fresh(var, nothing) for var in eqn.outvars]
        if eqn.primitive.name == "concatenate":
            inputs = [value for value in inputs if 0 not in value.shape]
        if handler is None or any(0 in value.shape for value in inputs):
            outputs = self.give_up(eqn, inputs, known=handler is not None)
        else:
            self.picks = []
            if eqn.primitive.name in PRODUCTS:
                self.products.append(Product((*self.place, id(eqn)), eqn, tuple(inputs), self.ambient))
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
        return outputs

    def give_up(self, eqn: Any, inputs: Sequence[Value], *, known: bool = False) -> list[Value]:
        """Holds every axis of every input: what a primitive without a rule gets."""
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
        return Reason(eqn.primitive.name, text, jaxprs.source(eqn))

    def record(self, axes: tuple[Label, ...]) -> None:
        """Notes that an array with these labels exists."""
        if any(not is_uniform(label) for label in axes):
            self.occurrences.append(Occurrence(axes, self.ambient))

    def eliminate(self, gone: Sequence[Label], kept: Sequence[Label]) -> None:
        """Notes that an array loses some axes while others stay."""
        if any(not is_uniform(label) for label in gone) and any(not is_uniform(label) for label in kept):
            self.eliminations.append(Elimination(tuple(gone), tuple(kept)))

    def hold(self, axes: Sequence[Label], dims: Iterable[int], why: Reason) -> None:
        """Pins some axes of an array whose entries an operation mixes or moves while the other axes stay."""
        dims = set(dims)
        self.eliminate([axes[k] for k in dims], [label for k, label in enumerate(axes) if k not in dims])
        for k in dims:
            self.pin(axes[k], why)

    def settle(self, axes: tuple[Label, ...], why: Reason) -> tuple[Label, ...]:
        """Merges the choices of stacks whose index is no longer, or more than once, an axis of the array."""
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
        """Merges the choices of every stack whose index stands on two axes of some array.

        Which of the two axes the stack means is lost there. To be called when the program has run: an axis may have
        been refined into a stack and its index long after arrays with that axis were made.
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
        """The value of an array of known numbers: uniform where they do not change along an axis, else held."""
        numbers = numbers_of(array)
        if numbers is None:
            why = Reason("constant", "is a constant of the program that cannot be read")
            return Value(tuple(self.fixed(n, why) for n in np.shape(array)))
        why = Reason("constant", "is a constant of the program that differs along the axis")
        flat = [
            n <= 1 or bool(np.all(numbers == np.take(numbers, [0], axis=axis)))
            for axis, n in enumerate(numbers.shape)
        ]
        axes = [
            uniform(n) if same else self.fixed(n, why) for n, same in zip(numbers.shape, flat, strict=True)
        ]
        scalar = numbers.reshape(-1)[0] if all(flat) and numbers.size else None
        return Value(tuple(axes), scalar=scalar, steady=True, finite=bool(np.all(np.isfinite(numbers))))

    def fresh(self, var: Any, why: Reason) -> Value:
        """A value about which nothing is known: every axis is held."""
        return Value(tuple(self.fixed(n, why) for n in jaxprs.shape(var)))

    def break_value(self, value: Value, why: Reason) -> None:
        """Holds every axis of a value."""
        for label in value.axes:
            self.pin(label, why)

    def output(self, value: Value) -> None:
        """Holds every axis of an output of the program."""
        self.break_value(value, Reason("output", "is an axis of an output"))

    # -- the verbs rules are written in -------------------------------------------------------------------------

    def align(
        self, eqn: Any, values: Sequence[Value], shape: Sequence[int], why: Reason
    ) -> tuple[Label, ...]:
        """Labels of arrays that are matched index by index, axes without stacks first."""
        axes: dict[int, Label] = {}
        stacked = [
            k
            for k in range(len(shape))
            if self.stacks and any(is_stacked(v.axis(k, shape[k])) for v in values)
        ]
        for k in sorted(range(len(shape)), key=lambda k: k in stacked):
            label = values[0].axis(k, shape[k])
            for value in values[1:]:
                label = self.unify(label, value.axis(k, shape[k]), why)
            axes[k] = label
        return tuple(axes[k] for k in range(len(shape)))

    def combine(self, eqn: Any, values: Sequence[Value], arithmetic: Any) -> Value:
        """The value of an elementwise operation on values of one shape (or without axes)."""
        shape = jaxprs.shape(eqn.outvars[0])
        why = self.why(eqn, "matches axes index by index")
        return Value(self.align(eqn, values, shape, why))

    def transform(self, eqn: Any, value: Value, arithmetic: Any) -> Value:
        """The value of an elementwise function of one array."""
        return Value(value.axes)

    def contract(self, eqn: Any, lhs: Sequence[Label], rhs: Sequence[Label], batch: Sequence[Label]) -> None:
        """Sums products over pairs of axes; ``batch`` are the labels of the axes that both keep in step."""
        why = self.why(eqn, "sums over the axis")
        if self.stacks:
            kept = frozenset(
                (f,) for label in (*lhs, *rhs, *batch) for f in resolve(label) if isinstance(f, Node)
            )
            lhs = [self.collapse(label, why, kept) for label in lhs]
            rhs = [self.collapse(label, why, kept) for label in rhs]
        order = sorted(range(len(lhs)), key=lambda i: is_stacked(lhs[i]) or is_stacked(rhs[i]))
        summed = {i: self.unify(lhs[i], rhs[i], why) for i in order}
        self.contractions.append(Contraction(tuple(summed.values()), tuple(batch), self.ambient))

    def paired(self, first: Label, second: Label, why: Reason) -> Label:
        """The label of two axes that a product keeps in step."""
        return self.unify(first, second, why)

    def product_gauge(self, lhs: Value, rhs: Value) -> Any:
        """How a product of two arrays scales as a whole."""
        return None

    def total(self, eqn: Any, label: Label, arithmetic: Any) -> None:
        """Reduces over a whole axis."""

    def common_gauge(self, values: Sequence[Value]) -> Any:
        """How an array put together from several scales as a whole."""
        return None

    def loop(self, inits: Sequence[Value], why: Reason) -> list[Value]:
        """Values for the carry of a loop, to be closed with `close`."""
        carry = [
            Value(tuple(self.materialise(label) for label in value.axes), data=value.data) for value in inits
        ]
        self.loops.append([value.axes for value in carry])
        for value, init in zip(carry, inits, strict=True):
            value.axes = tuple(self.unify(a, b, why) for a, b in zip(value.axes, init.axes, strict=True))
        return carry

    def close(self, carry: Sequence[Value], outs: Sequence[Value], why: Reason) -> list[Value]:
        """Closes a loop: what comes out is what went in."""
        return [
            Value(
                tuple(self.unify(a, b, why) for a, b in zip(c.axes, o.axes, strict=True)),
                data=c.data or o.data,
            )
            for c, o in zip(carry, outs, strict=True)
        ]

    def alternatives(self, eqn: Any, values: Sequence[Value], why: Reason, *, pieces: bool = False) -> Value:
        """The value of an array each of whose entries comes from one of several arrays, or from their sum.

        With ``pieces`` the arrays after the first are numbers without axes, or already matched piece by piece.
        """
        full = [value for value in values if value.axes or not values[0].axes]
        shape = values[0].shape
        return Value(self.align(eqn, full, shape, why))

    def match(self, first: Value, second: Value, why: Reason) -> Value:
        """The value of an array that is one of two."""
        axes = tuple(self.unify(a, b, why) for a, b in zip(first.axes, second.axes, strict=True))
        same = first.scalar is not None and first.scalar == second.scalar
        return Value(axes, scalar=first.scalar if same else None, data=first.data or second.data)
