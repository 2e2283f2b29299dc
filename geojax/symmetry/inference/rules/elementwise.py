"""Rules of elementwise functions, and of numbers that a program generates: positions and random bits."""

import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from geojax._program import jaxprs
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Node, uniform
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Points, Value, vanishes, zeros

FOLD = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "max": max,
    "min": min,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "neg": operator.neg,
    "copy": lambda x: x,
    "stop_gradient": lambda x: x,
    "select_n": lambda which, *cases: cases[int(which)],
}


def fold(eqn: Any, values: Sequence[Value]) -> Any:
    """The known number that an elementwise operation on known numbers gives, or None."""
    function = FOLD.get(eqn.primitive.name)
    if function is None or any(value.scalar is None for value in values):
        return None
    with np.errstate(all="ignore"):
        return function(*(value.scalar for value in values))


@rule(*arithmetic.UNARY)
def unary(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value] | Value:
    """Elementwise functions of one array."""
    results = []
    for value in values:
        result = interpreter.transform(eqn, value, arithmetic.UNARY[eqn.primitive.name])
        result.scalar = fold(eqn, [value])
        result.unit = value.unit and eqn.primitive.name in ("neg", "copy", "copy_p", "stop_gradient")
        results.append(result)
    return results


@rule("convert_element_type")
def convert(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """A conversion between floating types changes no number but by rounding; any other is not linear."""
    smooth = jaxprs.is_float(eqn.invars[0]) and jaxprs.is_float(eqn.outvars[0])
    result = interpreter.transform(eqn, value, arithmetic.LINEAR if smooth else arithmetic.NONLINEAR)
    result.unit = value.unit
    if value.scalar is not None:
        with np.errstate(all="ignore"):
            result.scalar = np.asarray(value.scalar).astype(eqn.params["new_dtype"])[()]
    return result


@rule("bitcast_convert_type")
def bitcast(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """The bits are read as another type; if the width changes, an axis of bytes is added or removed."""
    shape = jaxprs.shape(eqn.outvars[0])
    result = interpreter.transform(eqn, value, arithmetic.NONLINEAR)
    why = interpreter.why(eqn, "is an axis of bytes of a number")
    if len(shape) < len(value.axes):
        interpreter.pin(value.axes[-1], why)
        result.axes = result.axes[:-1]
    elif len(shape) > len(value.axes):
        result.axes = (*result.axes, interpreter.fixed(shape[-1], why))
    return result


@rule("integer_pow")
def integer_power(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Whole powers multiply exponents."""
    return interpreter.transform(eqn, value, arithmetic.power(eqn.params["y"]))


@rule(*arithmetic.NARY)
def nary(interpreter: Interpreter, eqn: Any, *values: Value) -> Value:
    """Elementwise functions of several arrays."""
    name = eqn.primitive.name
    if name == "pow" and values[1].scalar is not None and jaxprs.is_float(eqn.invars[0]):
        exponent = Fraction(float(values[1].scalar)).limit_denominator(64)
        if float(exponent) == float(values[1].scalar):
            return interpreter.transform(eqn, values[0], arithmetic.power(exponent))
    if name == "mul" and vanishes(values):
        return zeros(eqn)
    result = interpreter.combine(eqn, values, arithmetic.NARY[name])
    result.scalar = fold(eqn, values)
    if name == "mul":
        result.unit = any(a.unit and b.uniform for a, b in (values, values[::-1]))
    return result


@rule("iota")
def iota(interpreter: Interpreter, eqn: Any, *_: Value) -> Value:
    """Positions along an axis of their own, which is held if they are used as numbers."""
    why = interpreter.why(eqn, "is numbered")
    dim, shape = eqn.params["dimension"], eqn.params["shape"]
    followed = shape[dim] > 1 and holds(eqn.params["dtype"], shape[dim] - 1)
    own = (Node(shape[dim]),) if followed else interpreter.fixed(shape[dim], why)
    axes = tuple(own if i == dim else uniform(n) for i, n in enumerate(shape))
    return Value(axes, points=(Points(own, why),) if followed else (), counted=followed)


def holds(dtype: Any, largest: int, least: int = 0) -> bool:
    """Whether a type is one of whole numbers and holds these two."""
    if not np.issubdtype(dtype, np.integer):
        return False
    limits = np.iinfo(dtype)
    return bool(limits.min <= least and largest <= limits.max)


@rule(
    *("random_bits", "random_seed", "random_split", "random_fold_in", "random_gamma", "rng_bit_generator"),
    *("threefry2x32", "random_wrap", "random_unwrap"),
)
def random(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Random numbers differ from entry to entry: every axis is held."""
    why = interpreter.why(eqn, "meets random numbers drawn entry by entry")
    for value in values:
        interpreter.break_value(value, why)
    return [interpreter.fresh(var, why) for var in eqn.outvars]
