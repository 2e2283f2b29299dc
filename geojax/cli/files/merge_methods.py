"""The methods of `geojax merge`: the merging rules that need only the tensors."""

import dataclasses
from collections.abc import Callable
from typing import Any

import click


@dataclasses.dataclass(frozen=True)
class Choice:
    """The options that the user gave; None for those that were not given.

    Attributes:
        weights: One number for each model.
        t: Time on the way from the first model (0) to the second (1).
        density: Fraction of the entries of a task vector to keep.
        seed: Seed of random masks.
    """

    weights: tuple[float, ...] | None = None
    t: float | None = None
    density: float | None = None
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of merging.

    Attributes:
        about: A description for the help.
        make: (choice, number of models) -> merge(*arrays). The function gets one array from each file, the base first
            if there is one, and ``key=`` if it reads `Choice.seed`.
        base: Whether it merges differences from a base model.
        options: The fields of `Choice` that it reads.
        least: Smallest number of models, without the base.
        most: Largest number of models; None if there is no limit.
        elementwise: Whether each entry of the result depends only on the same entry of each model.
    """

    about: str
    make: Callable[[Choice, int], Callable[..., Any]]
    base: bool = False
    options: frozenset[str] = frozenset()
    least: int = 1
    most: int | None = None
    elementwise: bool = False


def check(name: str, count: int, base: bool, choice: Choice) -> Method:
    """The method of that name.

    Raises:
        click.UsageError: If it cannot be used with these files and options; the message says why.
    """
    method = METHODS[name]
    if method.base and not base:
        raise click.UsageError(
            f"--method {name} merges differences from a base model. Name it with --base BASE."
        )
    if base and not method.base:
        having = ", ".join(key for key, other in METHODS.items() if other.base)
        raise click.UsageError(f"--method {name} has no base model; --base goes with {having}.")
    if count < method.least or (method.most is not None and count > method.most):
        wanted = f"exactly {method.least}" if method.least == method.most else f"{method.least} or more"
        raise click.UsageError(f"--method {name} takes {wanted} models, and {count} are given.")
    for field in dataclasses.fields(choice):
        option = "weight" if field.name == "weights" else field.name
        if getattr(choice, field.name) is not None and field.name not in method.options:
            having = ", ".join(key for key, other in METHODS.items() if field.name in other.options)
            raise click.UsageError(f"--method {name} has no --{option}; it goes with {having}.")
    if choice.weights is not None and len(choice.weights) != count:
        raise click.UsageError(
            f"--weight: {len(choice.weights)} numbers for {count} models. Give one for each, in their order."
        )
    if choice.weights is not None and name in RATIOS and not sum(choice.weights) > 0:
        raise click.UsageError(f"--weight: the weights of --method {name} must have a positive sum.")
    if choice.weights is not None and name in POSITIVE and min(choice.weights) < 0:
        raise click.UsageError(f"--weight: the weights of --method {name} must not be negative.")
    return method


def _weights(choice: Choice, count: int) -> Any:
    import jax.numpy as jnp

    return jnp.array(choice.weights if choice.weights is not None else (1.0,) * count)


def _average(choice: Choice, count: int) -> Callable[..., Any]:

    from geojax.merging import average

    weights = _weights(choice, count)
    return lambda *models: average(models, weights)


def _interpolate(choice: Choice, count: int) -> Callable[..., Any]:
    from geojax.merging import interpolate

    return lambda a, b: interpolate(a, b, 0.5 if choice.t is None else choice.t)


def _slerp(choice: Choice, count: int) -> Callable[..., Any]:
    from geojax.merging import slerp

    return lambda a, b: slerp(a, b, 0.5 if choice.t is None else choice.t)


def _karcher(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import karcher
    from geojax.results import Status

    weights = _weights(choice, count)

    def merge(*models: Any) -> Any:
        result = karcher(models, weights)
        # If the mean did not converge the result is NaN, and is refused.
        return jnp.where(result.status == Status.CONVERGED, result.params, jnp.nan)

    return merge


def _task_arithmetic(choice: Choice, count: int) -> Callable[..., Any]:

    from geojax.merging import task_arithmetic

    weights = _weights(choice, count)
    return lambda base, *models: task_arithmetic(base, models, weights)


def _ties(choice: Choice, count: int) -> Callable[..., Any]:

    from geojax.merging import ties

    weights, density = _weights(choice, count), 0.2 if choice.density is None else choice.density
    return lambda base, *models: ties(base, models, weights, density=density)


def _dare(choice: Choice, count: int) -> Callable[..., Any]:

    from geojax.merging import dare

    weights, density = _weights(choice, count), 0.1 if choice.density is None else choice.density
    return lambda base, *models, key: dare(base, models, weights, density=density, key=key)


def _model_stock(choice: Choice, count: int) -> Callable[..., Any]:

    from geojax.merging import model_stock

    return lambda base, *models: model_stock(base, models)


METHODS = {
    "average": Method(
        "weighted average", _average, options=frozenset({"weights"}), least=2, elementwise=True
    ),
    "interpolate": Method(
        "(1 - t) A + t B; beyond the ends too",
        _interpolate,
        options=frozenset({"t"}),
        least=2,
        most=2,
        elementwise=True,
    ),
    "slerp": Method("great circle from A to B, by tensor", _slerp, options=frozenset({"t"}), least=2, most=2),
    "karcher": Method(
        "mean direction, mean length, by tensor", _karcher, options=frozenset({"weights"}), least=2
    ),
    "task-arithmetic": Method(
        "base plus weighted differences from it",
        _task_arithmetic,
        base=True,
        options=frozenset({"weights"}),
        elementwise=True,
    ),
    "ties": Method(
        "the largest differences, signs outvoted", _ties, base=True, options=frozenset({"weights", "density"})
    ),
    "dare": Method(
        "random differences, scaled up",
        _dare,
        base=True,
        options=frozenset({"weights", "density", "seed"}),
        elementwise=True,
    ),
    "model-stock": Method("from base to average as angles say", _model_stock, base=True, least=2),
}
RATIOS = ("average", "karcher", "ties")
POSITIVE = ("karcher", "ties")
