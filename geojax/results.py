"""How an iterative solver reports what happened, and how a caller turns the report into an exception.

Traced code cannot raise: a solver returns a `status`, an int32 that is one of the codes below. Outside of traced code
`unwrap` reads it and raises `SolverError` unless every item converged.
"""

import enum
import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np
from jax.core import Tracer

__all__ = ["SolverError", "Status", "unwrap"]

T = TypeVar("T")


class Status(enum.IntEnum):
    """How an iteration ended.

    The members are ordinary integers, so traced code can use them as int32:
    `jnp.where(done, Status.CONVERGED, Status.MAX_STEPS)`. Zero means success.
    `Status(code).message` says what the code means and what to do about it.
    """

    CONVERGED = 0
    MAX_STEPS = 1
    NONFINITE = 2
    DIVERGED = 3
    INFEASIBLE = 4

    @property
    def message(self) -> str:
        """What the code means, and what to do about it."""
        return _message(self, _GENERAL)


_MEANINGS = {
    Status.CONVERGED: "The error is finite and within `tol`.",
    Status.MAX_STEPS: "The error is still above the tolerance, after all steps or as rounding allows no less.",
    Status.NONFINITE: "A NaN or an infinity appeared.",
    Status.DIVERGED: "The error grew beyond the bound of the iteration.",
    Status.INFEASIBLE: "No answer satisfies the constraints.",
}

# What to do: (the option of the function that the advice is about, or "" if about none, the advice).
_REMEDIES = {
    Status.CONVERGED: (),
    Status.MAX_STEPS: (
        ("max_steps", "raise `max_steps`"),
        ("num_steps", "raise `num_steps`"),
        ("tol", "loosen `tol`"),
        ("init", "start nearer to the answer with `init`"),
        ("epsilon", "raise `epsilon` or compute in float64 if `error` does not fall"),
    ),
    Status.NONFINITE: (
        ("", "look for NaN or infinity in the inputs"),
        ("epsilon", "raise `epsilon`"),
        ("", "rescale the inputs, or compute in float64"),
    ),
    Status.DIVERGED: (
        ("learning_rate", "lower `learning_rate`"),
        ("epsilon", "raise `epsilon`"),
        ("", "rescale the inputs"),
        ("init", "start nearer to the answer with `init`"),
    ),
    Status.INFEASIBLE: (
        ("", "look for negative weights, weights with different sums, and rows with no finite cost"),
        ("epsilon", "for an `epsilon` that is not positive"),
    ),
}
_GENERAL = ("max_steps", "tol", "init")


class SolverError(RuntimeError):
    """An iterative solver did not converge; the message says how many items failed, where and why."""


def unwrap(result: T) -> T:
    """Return a solver's result unchanged if every item converged, and raise otherwise.

    result.status == CONVERGED for every item, or SolverError.

    Args:
        result: Any value with an integer array `status` of any shape; under `vmap` the leading axes of
            `status` are the batch axes.

    Returns:
        `result` itself.

    Raises:
        SolverError: Some item did not converge. The message names the function, the number of failed items, the index
            of the first one, its error and number of steps, and which option of the function to change.
        TypeError: `result` has no `status`, or it is being traced.

    Differentiation: none; the function looks at concrete values and returns its argument.

    Complexity: O(size of `status`) and one transfer of it to the host.

    Example:
        >>> import dataclasses, jax.numpy as jnp
        >>> from geojax.results import Status, unwrap
        >>> @dataclasses.dataclass
        ... class Result:
        ...     value: float
        ...     status: jnp.ndarray
        >>> unwrap(Result(2.0, jnp.int32(Status.CONVERGED))).value
        2.0

    References: none; a convention of this library.
    """
    status = getattr(result, "status", None)
    if status is None:
        raise TypeError(
            f"unwrap: result is a {type(result).__name__} without a `status`; "
            "expected the result of an iterative solver. A direct function needs no unwrap."
        )
    if isinstance(status, Tracer):
        raise TypeError(
            "unwrap: result.status is being traced (under jit, vmap, grad or scan), so its value is not known yet; "
            "expected a concrete result. Return the result from the transformed function and unwrap it outside, "
            "or use `result.status` as data."
        )
    codes = np.asarray(status)
    failed = np.argwhere(codes != Status.CONVERGED)
    if len(failed) == 0:
        return result
    raise SolverError(_failure(result, codes, tuple(int(i) for i in failed[0]), len(failed)))


def _failure(result: Any, codes: np.ndarray, first: tuple[int, ...], count: int) -> str:
    """Compose the message for `count` failed items, the first of which is at index `first`."""
    code = int(codes[first])
    functions = _functions_that_return(type(result))
    options = [set(inspect.signature(function).parameters) for function in functions]
    epsilon = np.asarray(getattr(result, "epsilon", 1.0))
    epsilon = epsilon[first] if epsilon.shape == codes.shape else epsilon
    if code == Status.INFEASIBLE and epsilon.shape == () and epsilon <= 0:
        name, message = "INFEASIBLE", f"`epsilon` is {float(epsilon):.6g}; it must be positive."
    elif code in Status._value2member_map_:
        name, message = Status(code).name, _message(Status(code), _common(Status(code), options))
    else:
        name, message = f"code {code}", "Unknown status."
    names = [function.__name__ for function in functions]
    who = names[0] if len(names) == 1 else type(result).__name__
    who += f" (of {', '.join(names[:-1])} or {names[-1]})" if len(names) > 1 else ""
    where = "did not converge" if codes.ndim == 0 else f"{count} of {codes.size} items did not converge"
    at = "" if codes.ndim == 0 else f", first at index {first[0] if len(first) == 1 else first}"
    facts = [
        f"{field} = {np.asarray(value)[first]:.6g}"
        for field in ("error", "num_steps")
        if (value := getattr(result, field, None)) is not None and np.shape(value) == codes.shape
    ]
    numbers = f" ({', '.join(facts)})" if facts else ""
    return f"{who}: {where}{at}: {name}{numbers}. {message}"


def _common(status: Status, options: Sequence[set[str]]) -> Collection[str]:
    """The options that all functions with such a result have; those of some, if none of these helps."""
    common = set.intersection(*options) if options else set(_GENERAL)
    return common if common & {option for option, _ in _REMEDIES[status]} else set().union(*options)


def _message(status: Status, options: Collection[str]) -> str:
    """What a status means, and those remedies that a function with these options has."""
    remedies = [advice for option, advice in _REMEDIES[status] if option in options or not option]
    if not remedies:
        return _MEANINGS[status]
    *others, last = remedies
    sentence = f"{', '.join(others)}{', or ' if len(others) > 1 else ' or '}{last}" if others else last
    return f"{_MEANINGS[status]} {sentence[0].upper()}{sentence[1:]}."


def _functions_that_return(kind: type) -> list[Callable[..., Any]]:
    """The public functions, among those that have been loaded, whose annotation says that they return this class."""
    from geojax._core.halls import tables

    functions = []
    for table in tables().values():
        for name, module in table.items():
            function = getattr(sys.modules.get(module), name, None)
            if inspect.isfunction(function) and inspect.signature(function).return_annotation is kind:
                functions.append(function)
    return functions
