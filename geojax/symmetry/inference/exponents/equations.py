"""Linear equations between exponents, over the rationals for scalings and over GF(2) for signs."""

import math
from collections.abc import Sequence
from fractions import Fraction

Form = dict[int, Fraction]
ONE = Fraction(1)


class Equations:
    """Homogeneous linear equations over the rationals, kept in echelon form with the latest unknown as pivot."""

    def __init__(self):
        self.pivots: dict[int, Form] = {}

    def add(self, form: Form) -> None:
        """Asks that the form be zero."""
        form = dict(form)
        while form:
            pivot = max(form)
            known = self.pivots.get(pivot)
            if known is None:
                lead = form.pop(pivot)
                self.pivots[pivot] = {symbol: -value / lead for symbol, value in form.items()}
                return
            lead = form.pop(pivot)
            form = plus(form, known, lead)

    def reduced(self, form: Form) -> Form:
        """The form in unknowns that no equation gives by earlier ones; both have the same value on every solution."""
        form = dict(form)
        while pivots := [symbol for symbol in form if symbol in self.pivots]:
            pivot = max(pivots)
            form = plus(form, self.pivots[pivot], form.pop(pivot))
        return form

    def solutions(self, unknowns: Sequence[int]) -> list[dict[int, int]]:
        """A basis of the solutions in whole numbers: one for each free unknown, 1 or the least multiple there."""
        columns: dict[int, Form] = {}
        for symbol in sorted(unknowns):
            form = self.pivots.get(symbol)
            total: Form = {symbol: ONE} if form is None else {}
            for other, value in (form or {}).items():
                total = plus(total, columns[other], value)
            columns[symbol] = total
        vectors: dict[int, Form] = {symbol: {} for symbol in sorted(unknowns) if symbol not in self.pivots}
        for symbol, form in columns.items():
            for free, value in form.items():
                vectors[free][symbol] = value
        basis = []
        for vector in vectors.values():
            multiple = math.lcm(*(value.denominator for value in vector.values()))
            basis.append({symbol: int(value * multiple) for symbol, value in vector.items()})
        return basis


class BinaryEquations:
    """The same over GF(2), with forms as bit masks."""

    def __init__(self):
        self.pivots: dict[int, int] = {}

    def add(self, form: int) -> None:
        """Asks that the form be zero."""
        while form:
            pivot = form.bit_length() - 1
            if pivot not in self.pivots:
                self.pivots[pivot] = form ^ (1 << pivot)
                return
            form ^= (1 << pivot) | self.pivots[pivot]

    def reduced(self, form: int) -> int:
        """The form in unknowns that no equation gives by earlier ones; both have the same value on every solution."""
        waiting, kept = form, 0
        while waiting:
            pivot = waiting.bit_length() - 1
            waiting ^= 1 << pivot
            if pivot in self.pivots:
                waiting ^= self.pivots[pivot]
            else:
                kept |= 1 << pivot
        return kept

    def solutions(self, unknowns: Sequence[int]) -> list[dict[int, int]]:
        """A basis of the solutions, each as {unknown: 1}."""
        columns: dict[int, int] = {}
        for symbol in sorted(unknowns):
            form = self.pivots.get(symbol)
            total = (1 << symbol) if form is None else 0
            while form:
                low = (form & -form).bit_length() - 1
                total ^= columns[low]
                form &= form - 1
            columns[symbol] = total
        vectors: dict[int, dict[int, int]] = {s: {} for s in sorted(unknowns) if s not in self.pivots}
        for symbol, form in columns.items():
            while form:
                vectors[(form & -form).bit_length() - 1][symbol] = 1
                form &= form - 1
        return list(vectors.values())


def plus(first: Form, second: Form, factor: Fraction = ONE) -> Form:
    """``first + factor * second``."""
    total = dict(first)
    for symbol, value in second.items():
        new = total.get(symbol, 0) + factor * value
        if new:
            total[symbol] = new
        else:
            total.pop(symbol, None)
    return total


class Span:
    """A growing space of integer vectors, over the rationals (modulus 0) or GF(2) (modulus 2)."""

    def __init__(self, modulus: int):
        self.equations = BinaryEquations() if modulus else Equations()

    def add(self, vector: dict[int, int]) -> bool:
        """Adds a vector, and says whether it was outside the space."""
        before = len(self.equations.pivots)
        if isinstance(self.equations, BinaryEquations):
            self.equations.add(sum(1 << key for key, value in vector.items() if value % 2))
        else:
            self.equations.add({key: Fraction(value) for key, value in vector.items()})
        return len(self.equations.pivots) > before
