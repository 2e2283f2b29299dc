"""The arrays that a program closes over, and runs of it that suppose other values of them than they have."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from geojax._core.tree import is_numeric
from geojax._program import jaxprs
from geojax._program.sources import source_of
from geojax.symmetry.inference.labels.axes import Reason
from geojax.symmetry.inference.labels.domain import Domain
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value, numbers_of


class Constant:
    """An array of floating-point numbers that a program closes over.

    Attributes:
        array: The array.
        alike: Whether its entries are equal along an axis, or it is a single number.
        name: How it is called in a note.
    """

    def __init__(self, array: Any, numbers: np.ndarray, source: str):
        self.array = array
        equal = [
            n > 1 and bool(np.all(numbers == np.take(numbers, [0], axis=axis)))
            for axis, n in enumerate(numbers.shape)
        ]
        self.alike = any(equal) or numbers.ndim == 0
        lengths = ", ".join(str(n) for n in numbers.shape)
        same = numbers.size and np.all(numbers == numbers.reshape(-1)[0])
        of = f" of {numbers.reshape(-1)[0]:.3g}" if same else ""
        self.name = f"{array.dtype}[{lengths}]{of}" + (f" ({source})" if source else "")


def constants_of(program: jaxprs.Body) -> list[Constant]:
    """The constants of a program and of the programs inside it, each once."""
    arrays: dict[int, tuple[Any, str]] = {}

    def look(body: jaxprs.Body) -> None:
        for var, array in zip(body.jaxpr.constvars, body.consts, strict=True):
            if is_numeric(array) and jax.dtypes.issubdtype(array.dtype, np.floating):
                readers = (source_of(eqn) for eqn in body.jaxpr.eqns if var in eqn.invars)
                arrays.setdefault(id(array), (array, next(readers, "")))
        for eqn in body.jaxpr.eqns:
            for inner in jaxprs.inside(eqn):
                look(inner)

    look(program)
    found = ((array, numbers_of(array), source) for array, source in arrays.values())
    return [Constant(array, numbers, source) for array, numbers, source in found if numbers is not None]


def supposing(
    domain: Domain | None = None, *, anything: Sequence[Any] = (), moving: Sequence[Any] = (), **options: Any
) -> Interpreter:
    """A run in which some constants are arrays of which nothing is known, and others move as parameters do."""
    interpreter = Interpreter(domain, **options)
    why = Reason("constant", "may differ along the axis")
    for array in anything:
        axes = tuple(interpreter.fixed(n, why) for n in np.shape(array))
        interpreter.supposed[id(array)] = Value(axes, steady=True)
    for k, array in enumerate(moving):
        keys = [(f"constant {k}", i) for i in range(np.ndim(array))]
        value = Value(tuple(interpreter.family(np.shape(array), keys)))
        interpreter.record(value.axes)
        interpreter.supposed[id(array)] = value
    return interpreter
