"""The protocol of a domain: the verbs to which labels and exponents give different answers.

A program is run twice, with the same rules. The first run is on labels (`LabelDomain`) and finds which axes have one
label; the second is on exponents (`exponents.ExponentDomain`) and finds what else may act along them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from geojax.symmetry.inference.labels.arithmetic import Arithmetic, Join
from geojax.symmetry.inference.labels.axes import Factor, Label, Marked, Reason
from geojax.symmetry.inference.labels.values import Value

if TYPE_CHECKING:
    from geojax.symmetry.inference.labels.algebra import Algebra
    from geojax.symmetry.inference.labels.interpreter import Interpreter


@runtime_checkable
class Domain(Protocol):
    """How the factors of labels meet, and how values pass through operations."""

    # -- factors ------------------------------------------------------------------------------------------------

    def meet(self, algebra: "Algebra", f: Factor, g: Factor, why: Reason, join: Join) -> Label:
        """The label of two factors of equal length on axes that are matched index by index."""
        ...

    def stop(self, label: Label) -> Label:
        """Requires that nothing acts along an axis, and returns its label with that known."""
        ...

    def cut(self, algebra: "Algebra", factor: Marked, lead: int, why: Reason) -> tuple[Label, Label]:
        """A leading part of length ``lead`` of a marked factor, and the rest."""
        ...

    def part(self, algebra: "Algebra", factor: Marked, start: int, stop: int) -> Label:
        """The label of a slice of a marked factor."""
        ...

    # -- values -------------------------------------------------------------------------------------------------

    def carry(self, run: "Interpreter", inits: Sequence[Value], why: Reason) -> list[Value]:
        """Values for the carry of a loop that starts with ``inits``."""
        ...

    def transform(self, eqn: Any, value: Value, arithmetic: Arithmetic) -> Value:
        """The value of an elementwise function of one array."""
        ...

    def combine(self, run: "Interpreter", eqn: Any, values: Sequence[Value], arithmetic: Arithmetic) -> Value:
        """The value of an elementwise operation on values of one shape (or without axes)."""
        ...

    def alternatives(self, run: "Interpreter", values: Sequence[Value], why: Reason) -> Value:
        """The value of an array each of whose entries comes from one of several arrays, or from their sum."""
        ...

    def summed(self, lhs: Sequence[Label], merged: Sequence[Label]) -> tuple[Label, ...]:
        """The labels that the log notes as summed by a contraction: those of the left factor, or those of both."""
        ...

    def total(self, label: Label, arithmetic: Arithmetic) -> None:
        """Reduces over a whole axis."""
        ...

    # -- arrays as a whole --------------------------------------------------------------------------------------

    def stop_whole(self, value: Value) -> None:
        """Asks that an array as a whole is not scaled."""
        ...

    def whole_of_product(self, lhs: Value, rhs: Value) -> Any:
        """How a product of two arrays scales as a whole."""
        ...

    def common_whole(self, values: Sequence[Value]) -> Any:
        """How an array put together from several scales as a whole."""
        ...
