"""Elementwise operations on spreads."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from geojax._program import jaxprs
from geojax._program.walk import Rules
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.ties.spread import (
    ABSENT,
    Name,
    Reading,
    Spread,
    along,
    blurred,
    shared,
    spread,
)

RULES = Rules()
rule = RULES.register
"""Registers the rule of one or more primitives: ``rule(eqn, *spreads) -> Spread | list[Spread]``."""

SAME = (
    "neg",
    "copy",
    "copy_p",
    "stop_gradient",
    "device_put",
    "name",
    "optimization_barrier",
    "reduce_precision",
)
INJECTIVE = ("exp", "exp2", "cbrt", "sinh", "asinh", "expm1")
OF_POSITIVE = ("log", "log2", "sqrt", "rsqrt", "log1p")
LEVELS = ("square", "abs", "sin", "cos", "cosh", "atan")
SATURATING = ("tanh", "erf", "erfc", "logistic", "sign")
KEEP_ZERO = (
    "square",
    "abs",
    "tanh",
    "erf",
    "atan",
    "sinh",
    "asinh",
    "expm1",
    "cbrt",
    "log1p",
    "sqrt",
    "sign",
)
ENTRIES = {*arithmetic.UNARY, *arithmetic.NARY}
POSITIVE = ("exp", "exp2", "logistic", "cosh", "erfc")


def lossy(readings: dict[Name, Reading]) -> dict[Name, Reading]:
    """The readings of a function of an array that is no polynomial."""
    return {name: Reading(reading.axes, loose=reading.loose) for name, reading in readings.items()}


def fixed_values(readings: dict[Name, Reading]) -> dict[Name, Reading]:
    """The readings of a function that may take one value on a set of positive measure."""
    return {name: Reading(reading.axes) for name, reading in readings.items()}


@rule(*SAME)
def same(eqn: Any, *values: Spread) -> list[Spread]:
    """The array, or its negative."""
    positive = eqn.primitive.name != "neg"
    return [
        spread(
            v.shape,
            v.readings,
            nonzero=v.nonzero,
            positive=v.positive and positive,
            distinct=v.distinct,
            flat=v.flat,
        )
        for v in values
    ]


@rule("convert_element_type")
def converted(eqn: Any, value: Spread) -> Spread:
    """Another floating-point type; any other may make numbers equal."""
    if jaxprs.is_float(eqn.invars[0]) and jaxprs.is_float(eqn.outvars[0]):
        return same(eqn, value)[0]
    return spread(value.shape, fixed_values(dict(value.readings)), flat=value.flat)


@rule(*INJECTIVE, *OF_POSITIVE, *LEVELS, *SATURATING)
def function(eqn: Any, value: Spread) -> Spread:
    """A function of one number; one that saturates takes its limits, rounded, at many numbers."""
    name = eqn.primitive.name
    injective = name in INJECTIVE or (name in OF_POSITIVE and value.positive)
    readings = dict(value.readings)
    keeps = injective or name in LEVELS
    return spread(
        value.shape,
        lossy(readings) if keeps else fixed_values(readings),
        nonzero=(name in KEEP_ZERO and value.nonzero) or (name == "rsqrt" and value.positive),
        positive=name in POSITIVE
        or (name in ("sqrt", "rsqrt", "log1p") and value.positive)
        or (name in ("square", "abs") and value.nonzero),
        distinct=value.distinct if injective else (),
        flat=value.flat,
    )


@rule("integer_pow")
def power(eqn: Any, value: Spread) -> Spread:
    """A whole power: of a polynomial it is one."""
    y = eqn.params["y"]
    if y == 0:
        return spread(value.shape, {}, positive=True, flat=range(len(value.shape)))
    readings = {
        name: Reading(r.axes, r.low * y, r.high * y, r.loose)
        if y > 0 and r.low >= 0
        else Reading(r.axes, loose=r.loose)
        for name, r in value.readings.items()
    }
    distinct = value.distinct if y % 2 or value.positive else ()
    positive = value.positive or (y % 2 == 0 and value.nonzero)
    return spread(
        value.shape, readings, nonzero=value.nonzero, positive=positive, distinct=distinct, flat=value.flat
    )


def stretched(value: Spread, shape: Sequence[int]) -> Spread:
    """The array as elementwise operations read it, whose axes of length one are repeated."""
    if not value.shape or value.shape == tuple(shape):
        return value
    new = {k: k for k, n in enumerate(value.shape) if n == shape[k]}
    return along(value, shape, new)


def _shape(eqn: Any) -> tuple[int, ...]:
    return jaxprs.shape(eqn.outvars[0])


def _common_flat(shape: Sequence[int], values: Sequence[Spread]) -> list[int]:
    return [k for k in range(len(shape)) if all(value.is_flat(k) for value in values)]


@rule("add", "add_any", "sub")
def total(eqn: Any, first: Spread, second: Spread) -> Spread:
    """A sum is loose in a variable if one term is and the other does not read it, or has terms of other degrees."""
    shape = _shape(eqn)
    first, second = stretched(first, shape), stretched(second, shape)
    readings = {}
    nonzero = False
    for name in {*first.readings, *second.readings}:
        pair = first.reading(name), second.reading(name)
        loose = any(a.loose and (b is ABSENT or _apart(a, b)) for a, b in (pair, pair[::-1]))
        # A polynomial is not zero if some of its terms are not: here they are those of one array.
        nonzero |= any(
            own.nonzero and _apart(a, b)
            for (a, b), own in zip((pair, pair[::-1]), (first, second), strict=True)
        )
        low, high = min(a.low for a in pair), max(a.high for a in pair)
        readings[name] = Reading(shared(*pair), low, high, loose)
    distinct = [
        k
        for k in range(len(shape))
        if (first.shape and first.differs(k) and second.is_flat(k))
        or (second.shape and second.differs(k) and first.is_flat(k))
    ]
    positive = eqn.primitive.name != "sub" and first.positive and second.positive
    return spread(
        shape,
        readings,
        nonzero=nonzero,
        positive=positive,
        distinct=distinct,
        flat=_common_flat(shape, (first, second)),
    )


def _apart(first: Reading, second: Reading) -> bool:
    """Whether no term of one polynomial has the degree of a term of the other, so that they cannot cancel."""
    polynomials = first.low >= 0 and second.low >= 0
    return polynomials and (first.high < second.low or second.high < first.low)


@rule("mul")
def product(eqn: Any, first: Spread, second: Spread) -> Spread:
    """A product is loose if a factor is, in a variable that the other does not read, and the other is not zero."""
    shape = _shape(eqn)
    square = first is second
    first, second = stretched(first, shape), stretched(second, shape)
    readings = {}
    nonzero = first.nonzero and second.nonzero
    for name in {*first.readings, *second.readings}:
        a, b = first.reading(name), second.reading(name)
        if b is ABSENT:
            loose = a.loose and second.nonzero
        elif a is ABSENT:
            loose = b.loose and first.nonzero
        else:
            loose = nonzero and a.low >= 0 and b.low >= 0 and (a.loose or b.loose)
        polynomial = a.low >= 0 and b.low >= 0
        low, high = (a.low + b.low, a.high + b.high) if polynomial else (-1, math.inf)
        readings[name] = Reading(shared(a, b), low, high, loose)
    distinct = [
        k
        for k in range(len(shape))
        if (first.shape and first.differs(k) and second.is_flat(k) and second.nonzero)
        or (second.shape and second.differs(k) and first.is_flat(k) and first.nonzero)
    ]
    return spread(
        shape,
        readings,
        nonzero=nonzero,
        positive=(first.positive and second.positive) or (square and nonzero),
        distinct=distinct,
        flat=_common_flat(shape, (first, second)),
    )


@rule("div")
def quotient(eqn: Any, first: Spread, second: Spread) -> Spread:
    """A quotient is loose where its numerator or its denominator is, in a variable that the other does not read."""
    shape = _shape(eqn)
    first, second = stretched(first, shape), stretched(second, shape)
    readings = {}
    for name in {*first.readings, *second.readings}:
        a, b = first.reading(name), second.reading(name)
        loose = (a.loose and b is ABSENT and second.nonzero) or (b.loose and a is ABSENT and first.nonzero)
        low, high = (a.low, a.high) if b is ABSENT else (-1, math.inf)
        readings[name] = Reading(shared(a, b), low, high, loose)
    distinct = [
        k
        for k in range(len(shape))
        if (first.shape and first.differs(k) and second.is_flat(k) and second.nonzero)
        or (second.shape and second.differs(k) and first.is_flat(k) and first.nonzero and second.nonzero)
    ]
    return spread(
        shape,
        readings,
        nonzero=first.nonzero,
        positive=first.positive and second.positive,
        distinct=distinct,
        flat=_common_flat(shape, (first, second)),
    )


@rule("max", "min")
def extreme(eqn: Any, first: Spread, second: Spread) -> Spread:
    """One of two numbers."""
    return one_of(_shape(eqn), [first, second])


@rule("select_n")
def chosen(eqn: Any, which: Spread, *cases: Spread) -> Spread:
    """One of several numbers; which of them may depend on other parts of the variables."""
    result, which = one_of(_shape(eqn), cases), stretched(which, _shape(eqn))
    readings = dict(result.readings)
    for name in {*which.readings, *readings}:
        pair = which.reading(name), result.reading(name)
        axes = shared(*pair) if which.shape or pair[0] is ABSENT else ()
        readings[name] = Reading(axes, loose=name in result.readings and pair[1].loose)
    return spread(result.shape, readings, nonzero=result.nonzero, positive=result.positive)


def one_of(shape: Sequence[int], values: Sequence[Spread]) -> Spread:
    """An array each of whose entries is that of one of several arrays: loose in a variable if all of them are."""
    values = [stretched(value, shape) for value in values]
    names = {name for value in values for name in value.readings}
    readings = {}
    for name in names:
        axes = values[0].reading(name)
        for value in values[1:]:
            axes = Reading(shared(axes, value.reading(name)))
        readings[name] = Reading(axes.axes, loose=all(value.reading(name).loose for value in values))
    return spread(
        shape,
        readings,
        nonzero=all(value.nonzero for value in values),
        positive=all(value.positive for value in values),
        flat=_common_flat(shape, values),
    )


def coarse(var: Any) -> bool:
    """Whether a type has so few numbers that entries are equal more often than not: half precision and below."""
    dtype = getattr(var.aval, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, np.inexact) and jax.numpy.finfo(dtype).bits < 32


def rounded(value: Spread) -> Spread:
    """An array computed in such a type: its entries may be equal, but are not zero where they were not."""
    readings = {name: Reading(r.axes, r.low, r.high) for name, r in value.readings.items()}
    return spread(value.shape, readings, nonzero=value.nonzero, positive=value.positive, flat=value.flat)


def unknown(eqn: Any, values: Sequence[Spread]) -> list[Spread]:
    """What is known of the results of any other operation: elementwise ones read the same parts of the variables."""
    if eqn.primitive.name in ENTRIES and all(value.shape or not value.readings for value in values):
        known = one_of(_shape(eqn), values)
        return [spread(known.shape, fixed_values(dict(known.readings)), flat=known.flat) for _ in eqn.outvars]
    return [blurred(jaxprs.shape(var), values) for var in eqn.outvars]
