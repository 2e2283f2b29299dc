"""The domain of the first run: labels alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geojax._program import jaxprs
from geojax.symmetry.inference.labels.arithmetic import Arithmetic, Join
from geojax.symmetry.inference.labels.axes import Factor, Label, Marked, Node, Reason, Stack, Sum, Uniform
from geojax.symmetry.inference.labels.values import Value

if TYPE_CHECKING:
    from geojax.symmetry.inference.labels.algebra import Algebra
    from geojax.symmetry.inference.labels.interpreter import Interpreter


class LabelDomain:
    """Axes that are matched get one label, however their entries are combined."""

    def meet(self, algebra: "Algebra", f: Factor, g: Factor, why: Reason, join: Join) -> Label:
        """Merges two factors of equal length."""
        if f is g or isinstance(g, Uniform):
            return (f,)
        if isinstance(f, Uniform):
            return (g,)
        if isinstance(f, Node) and isinstance(g, Node):
            return algebra.merge(f, g)
        if isinstance(f, Stack) or isinstance(g, Stack):
            return algebra.meet_stacks(f, g, why, join)
        if isinstance(f, Node):
            return algebra.bind(f, g, why)
        if isinstance(g, Node):
            return algebra.bind(g, f, why)
        assert isinstance(f, Sum), "labels have no marked factors"
        assert isinstance(g, Sum), "labels have no marked factors"
        return algebra.meet_sums(f, g, why, join)

    def stop(self, label: Label) -> Label:
        """The label itself: the algebra pins its nodes, and there is nothing else to stop."""
        return label

    def cut(self, algebra: "Algebra", factor: Marked, lead: int, why: Reason) -> tuple[Label, Label]:
        """Labels have no marked factors."""
        raise AssertionError("labels have no marked factors")

    def part(self, algebra: "Algebra", factor: Marked, start: int, stop: int) -> Label:
        """Labels have no marked factors."""
        raise AssertionError("labels have no marked factors")

    def carry(self, run: "Interpreter", inits: Sequence[Value], why: Reason) -> list[Value]:
        """Axes that start constant get fresh labels, since one step may change that; the others keep theirs."""
        carry = [
            Value(tuple(run.materialise(label) for label in value.axes), data=value.data) for value in inits
        ]
        run.loops.append([value.axes for value in carry])
        for value, init in zip(carry, inits, strict=True):
            value.axes = tuple(run.unify(a, b, why) for a, b in zip(value.axes, init.axes, strict=True))
        return carry

    def transform(self, eqn: Any, value: Value, arithmetic: Arithmetic) -> Value:
        """An elementwise function leaves every entry in its place."""
        return Value(value.axes)

    def combine(self, run: "Interpreter", eqn: Any, values: Sequence[Value], arithmetic: Arithmetic) -> Value:
        """An elementwise operation matches axes index by index."""
        why = run.why(eqn, "matches axes index by index")
        return Value(run.align(values, jaxprs.shape(eqn.outvars[0]), why))

    def alternatives(self, run: "Interpreter", values: Sequence[Value], why: Reason) -> Value:
        """Arrays are matched index by index; numbers without axes match anything."""
        full = [value for value in values if value.axes or not values[0].axes]
        return Value(run.align(full, values[0].shape, why))

    def summed(self, lhs: Sequence[Label], merged: Sequence[Label]) -> tuple[Label, ...]:
        """The labels that the two factors have in common after they have met."""
        return tuple(merged)

    def total(self, label: Label, arithmetic: Arithmetic) -> None:
        """Nothing to ask: a reduction does not depend on the order of the entries."""

    def stop_whole(self, value: Value) -> None:
        """Nothing to ask: permutations do not scale arrays."""

    def whole_of_product(self, lhs: Value, rhs: Value) -> Any:
        """None, since permutations do not scale arrays."""
        return None

    def common_whole(self, values: Sequence[Value]) -> Any:
        """None, since permutations do not scale arrays."""
        return None
