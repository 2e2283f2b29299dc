"""A program in a higher precision: the same equations, with every coarser floating-point type made finer.

What a program casts to bfloat16, float16 or float32 is rounding, which hides whether two results agree. `InPrecision`
reads the program off its jaxpr, so that a trace in the caller's own types is all it needs: casts, constants, loops and
branches are made finer, calls and functions with derivatives of their own are entered, and derivatives are those of the
program itself. An equation that has no finer form (bits of a float, a callback, a kernel) keeps its own types, and its
rounding is noted.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._program import jaxprs
from geojax._program.walk import walk

KEPT = (
    "bitcast_convert_type",
    "custom_partitioning",
    "ffi_call",
    "io_callback",
    "pallas_call",
    "pure_callback",
)
"""Primitives whose parameters or meaning are tied to the types they were traced with."""

SAME = ("reduce_precision", "stop_gradient")
"""Primitives that return their input, but for rounding and derivatives."""


def finer(dtype: Any, precision: Any) -> Any:
    """The type for numbers of ``dtype`` in a program of at least ``precision`` (float32 or float64)."""
    if not jax.dtypes.issubdtype(dtype, np.inexact):
        return dtype
    target = np.dtype(precision)
    if jax.dtypes.issubdtype(dtype, np.complexfloating):
        target = np.result_type(target, np.complex64)
    coarse = jnp.finfo(dtype).bits < jnp.finfo(target).bits
    return target if coarse else np.dtype(dtype)


class InPrecision:
    """A program as a function of its inputs, computed in ``precision`` or finer; call it where that type is enabled.

    Attributes:
        units: The rounding units of what was computed in coarser types all the same; known once it has been called.
    """

    def __init__(self, program: jaxprs.Body, precision: Any):
        self.program = program
        self.precision = precision
        self.wide_integers = bool(jax.config.read("jax_enable_x64"))
        self.units: set[float] = set()

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        """The outputs of the program."""
        return self._run(self.program, arguments)

    def _run(self, program: jaxprs.Body, arguments: Sequence[Any]) -> list[Array]:
        given = zip(program.jaxpr.invars, arguments, strict=True)
        values = [self._cast(value, self._type(var)) for var, value in given]
        return walk(program, values, self._step, constant=self._constant, unused=None)

    def _type(self, var: Any) -> Any:
        """The type of a variable here; None for what has none."""
        dtype = getattr(var.aval, "dtype", None)
        return None if dtype is None else finer(dtype, self.precision)

    def _cast(self, value: Any, dtype: Any) -> Any:
        if dtype is None or getattr(value, "dtype", None) == dtype:
            return value
        return jnp.asarray(value, dtype)

    def _constant(self, number: Any) -> Any:
        dtype = getattr(number, "dtype", None)
        if dtype is None:
            return number
        if not (self.wide_integers or jax.dtypes.issubdtype(dtype, np.inexact)):
            dtype = {"int64": np.dtype(np.int32), "uint64": np.dtype(np.uint32)}.get(str(dtype), dtype)
        return self._cast(number, finer(dtype, self.precision))

    def _step(self, eqn: Any, values: list[Any]) -> list[Any]:
        name = eqn.primitive.name
        if name in SAME:
            return values
        if name in KEPT:
            return self._in_own_types(eqn, values)
        try:
            if name == "shard_map":
                inner = jaxprs.shard_map(eqn).body
                return jaxprs.evaluate_on_shards(eqn, lambda *shards: self._run(inner, shards), values)
            params = {key: self._parameter(key, value) for key, value in eqn.params.items()}
            outputs = jaxprs.evaluate(eqn, values, params)
        except (KeyError, TypeError, ValueError, NotImplementedError):  # a primitive that refuses other types
            return self._in_own_types(eqn, values)
        return [self._noted(out, var) for out, var in zip(outputs, eqn.outvars, strict=True)]

    def _parameter(self, key: str, value: Any) -> Any:
        """A parameter of an equation, made finer: its types, its programs, and no algorithm of coarser products."""
        if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
            return finer(np.dtype(value), self.precision)
        if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
            return self._body(value)
        if isinstance(value, jax.lax.DotAlgorithm | jax.lax.DotAlgorithmPreset):
            return None
        if isinstance(value, tuple):
            parts = [self._parameter(key, part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return value

    def _body(self, inner: Any) -> Any:
        """The program of a loop, branch or reduction, in the form in which it was given."""
        program = jaxprs.body(inner)
        kinds = [
            jax.ShapeDtypeStruct(
                jaxprs.shape(v), self._type(v), weak_type=getattr(v.aval, "weak_type", False)
            )
            for v in program.jaxpr.invars
        ]
        closed = jax.make_jaxpr(lambda *values: self._run(program, values))(*kinds)
        if hasattr(inner, "jaxpr"):
            return closed
        if closed.consts:
            raise ValueError("a program without constants got some")
        return closed.jaxpr

    def _noted(self, out: Any, var: Any) -> Any:
        """An output in its type here; if it was computed in a coarser one, its rounding is noted."""
        wanted = self._type(var)
        dtype = getattr(out, "dtype", None)
        if dtype != wanted and dtype is not None and jax.dtypes.issubdtype(dtype, np.inexact):
            self.units.add(float(jnp.finfo(dtype).eps))
        return self._cast(out, wanted)

    def _in_own_types(self, eqn: Any, values: list[Any]) -> list[Any]:
        """The outputs of an equation in the types it was traced with; rounding is noted if it reads such numbers."""
        given = zip(eqn.invars, values, strict=True)
        own = [self._cast(value, getattr(var.aval, "dtype", None)) for var, value in given]
        if any(jaxprs.is_float(var) for var in eqn.invars):
            read = (var.aval.dtype for var in (*eqn.invars, *eqn.outvars) if jaxprs.is_float(var))
            self.units.update(float(jnp.finfo(dtype).eps) for dtype in read)
            self.units.update(*(jaxprs.rounding_units(inner) for inner in jaxprs.inside(eqn)))
        outputs = jaxprs.evaluate(eqn, own)
        return [self._cast(out, self._type(var)) for out, var in zip(outputs, eqn.outvars, strict=True)]
