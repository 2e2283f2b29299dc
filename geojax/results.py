"""How an iterative solver says what happened, and how a caller turns that into an exception.

Inside traced code nothing is raised: a solver returns a `status`, an int32 that is one of the codes below.
At the edge of a program `unwrap` reads it on the host and raises `SolverError` unless every item converged.
"""

import enum
from typing import Any, TypeVar

import numpy as np
from jax.core import Tracer

__all__ = ["SolverError", "Status", "unwrap"]

T = TypeVar("T")


class Status(enum.IntEnum):
    """How an iteration ended.

    The members are ordinary integers, so they take part in traced code as int32:
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
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "The error is finite and within `tol`.",
    Status.MAX_STEPS: (
        "All steps that the function may take were taken before it converged. "
        "Raise `max_steps` (`num_steps` if the function takes a fixed number), loosen `tol` if it has one, "
        "or start nearer to the answer with `init` if it takes one."
    ),
    Status.NONFINITE: (
        "A NaN or an infinity appeared. Look for NaN or infinity in the inputs; if they are finite, "
        "rescale them, strengthen the regularisation, or compute in float64."
    ),
    Status.DIVERGED: (
        "The error grew beyond the bound of the iteration. Use a smaller step or stronger regularisation, "
        "or start nearer to the answer with `init`."
    ),
    Status.INFEASIBLE: (
        "No answer satisfies the constraints. Look for weights that are negative or do not add up, "
        "rows with no finite cost, and shapes that cannot be matched."
    ),
}


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
        SolverError: Some item did not converge. The message holds the number of failed items, the index of the
            first one, its error and number of steps, and what to do.
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
    known = code in Status._value2member_map_
    name, message = (
        (Status(code).name, Status(code).message) if known else (f"code {code}", "Unknown status.")
    )
    who = type(result).__name__
    where = "did not converge" if codes.ndim == 0 else f"{count} of {codes.size} items did not converge"
    at = "" if codes.ndim == 0 else f", first at index {first[0] if len(first) == 1 else first}"
    facts = [
        f"{field} = {np.asarray(value)[first]:.6g}"
        for field in ("error", "num_steps")
        if (value := getattr(result, field, None)) is not None and np.shape(value) == codes.shape
    ]
    return (
        f"{who}: {where}{at}: {name} ({', '.join(facts)}). {message}"
        if facts
        else f"{who}: {where}{at}: {name}. {message}"
    )
