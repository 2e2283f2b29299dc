"""The ways to merge files that `geojax merge` offers: those that need the tensors and nothing else."""

import dataclasses
from collections.abc import Callable
from typing import Any

import click


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the user chose beside the files; None where nothing was said.

    Attributes:
        weights: One number a model.
        t: Where on the way from the first model to the second.
        density: Share of the entries of a task vector to keep.
        seed: What random masks follow from.
    """

    weights: tuple[float, ...] | None = None
    t: float | None = None
    density: float | None = None
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to merge.

    Attributes:
        about: What it does, for the help.
        base: Whether it merges differences from a base model.
        options: The fields of `Choice` that it reads.
        least: Fewest models, the base not counted.
        most: Most models.
        make: (choice, number of models) -> merge(*tensors), one array from one a model, the base first if there is one.
    """

    about: str
    base: bool
    options: frozenset[str]
    least: int
    most: int | None
    make: Callable[[Choice, int], Callable[..., Any]]


def check(name: str, count: int, base: bool, choice: Choice) -> Method:
    """The method of that name, if it goes with the files and options.

    Raises:
        click.UsageError: If it does not, with the reason.
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
    if choice.weights is not None and name in ("karcher", "ties") and min(choice.weights) < 0:
        raise click.UsageError(f"--weight: the weights of --method {name} must not be negative.")
    return method


def _weights(choice: Choice, count: int) -> Any:
    import jax.numpy as jnp

    return jnp.array(choice.weights if choice.weights is not None else (1.0,) * count)


def _average(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import average

    weights = _weights(choice, count)
    return lambda *tensors: average(jnp.stack(tensors), weights)


def _interpolate(choice: Choice, count: int) -> Callable[..., Any]:
    from geojax.merging import interpolate

    return lambda a, b: interpolate(a, b, 0.5 if choice.t is None else choice.t)


def _slerp(choice: Choice, count: int) -> Callable[..., Any]:
    from geojax.merging import slerp

    return lambda a, b: slerp(a, b, 0.5 if choice.t is None else choice.t)


def _karcher(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import karcher

    weights = _weights(choice, count)
    return lambda *tensors: karcher(jnp.stack(tensors), weights).params


def _task_arithmetic(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import task_arithmetic

    weights = _weights(choice, count)
    return lambda base, *tensors: task_arithmetic(base, jnp.stack(tensors), weights)


def _ties(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import ties

    weights, density = _weights(choice, count), 0.2 if choice.density is None else choice.density
    return lambda base, *tensors: ties(base, jnp.stack(tensors), weights, density=density)


def _dare(choice: Choice, count: int) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    from geojax.merging import dare

    weights, density = _weights(choice, count), 0.1 if choice.density is None else choice.density
    key = jax.random.key(choice.seed or 0)
    return lambda base, *tensors: dare(base, jnp.stack(tensors), weights, drop=1 - density, key=key)


def _model_stock(choice: Choice, count: int) -> Callable[..., Any]:
    import jax.numpy as jnp

    from geojax.merging import model_stock

    return lambda base, *tensors: model_stock(base, jnp.stack(tensors))


METHODS = {
    "average": Method("weighted average", False, frozenset({"weights"}), 2, None, _average),
    "interpolate": Method(
        "(1 - t) A + t B, also beyond the ends", False, frozenset({"t"}), 2, 2, _interpolate
    ),
    "slerp": Method("along great circles, tensor by tensor", False, frozenset({"t"}), 2, 2, _slerp),
    "karcher": Method(
        "mean direction at mean length, tensor by tensor", False, frozenset({"weights"}), 2, None, _karcher
    ),
    "task-arithmetic": Method(
        "base plus weighted differences from it", True, frozenset({"weights"}), 1, None, _task_arithmetic
    ),
    "ties": Method(
        "differences trimmed to --density, signs outvoted",
        True,
        frozenset({"weights", "density"}),
        1,
        None,
        _ties,
    ),
    "dare": Method(
        "differences dropped at random to --density, the rest scaled up",
        True,
        frozenset({"weights", "density", "seed"}),
        1,
        None,
        _dare,
    ),
    "model-stock": Method(
        "from base towards the average, as far as the angles say", True, frozenset(), 2, None, _model_stock
    ),
}
RATIOS = ("average", "karcher", "ties")
