"""`geojax barrier`: the loss on the segment between two models."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from geojax.cli.files import models
from geojax.cli.files.checkpoints import load, same_tensors
from geojax.cli.files.models import Model
from geojax.cli.files.outputs import check_output, write_small
from geojax.cli.files.user_code import find_named, users_code
from geojax.cli.screen.console import Screen, columns
from geojax.cli.screen.errors import CheckError, InputError, needing
from geojax.cli.screen.options import PATH, Command, Whole, everywhere, seed

BAR = 20


@click.command(
    cls=Command,
    short_help="Measure the loss barrier between two models.",
    epilog=models.HELP
    + """

\b
examples:
  geojax barrier a.safetensors b.safetensors --model config.json
  geojax barrier a.safetensors b.safetensors --data task:loss --plot path.png
  geojax barrier a.safetensors b.safetensors --model task:build --json""",
)
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("--model", metavar="MODEL", help="The function that the tensors are the parameters of.")
@click.option(
    "--data",
    metavar="MODULE:FUNCTION",
    help="Your loss: loss(params) -> scalar, traceable by JAX; params as the model takes them, or "
    "{tensor name: array} without --model.",
)
@click.option(
    "--num", type=Whole(2, 10_000), default=25, show_default=True, metavar="N", help="Points to measure."
)
@click.option("--plot", type=PATH, metavar="FILE.png", help="Draw the curve.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@seed("the random inputs")
@everywhere
def barrier(
    a: Path,
    b: Path,
    model: str | None,
    data: str | None,
    num: int,
    plot: Path | None,
    as_json: bool,
    seed: int,
    quiet: bool,
) -> int:
    """Measure the loss on the straight line from model A to model B, and how far it rises above the chord.

    The loss is that of --data. Without --data the model is probed on random inputs: the loss is half the mean squared
    difference between its outputs and those of A and of B, in units of the mean square of both. If A, B and all models
    between them compute the same function, it is 0; a barrier says that models between them compute something else.
    """
    if model is None and data is None:
        raise click.UsageError(
            "Give --model MODEL to probe its outputs, or --data module:function with a loss."
        )
    screen = Screen(quiet)
    if plot is not None:
        check_output(plot, [a, b], option="--plot")
        with needing("plot", "--plot", "matplotlib"):
            import matplotlib  # noqa: F401
    resolved = models.resolve(model) if model is not None else None
    ends = [_params(path, resolved) for path in (a, b)]
    if resolved is None:
        same_tensors(a, ends[0], b, ends[1])
    if data is not None:
        loss, what = find_named(data, "--data"), f"{data}"
    else:
        assert resolved is not None
        loss, what = _probe(resolved, ends[0], ends[1], seed), "difference of outputs"
    times, curve, value = _measure(loss, ends[0], ends[1], num, data or "the probe")
    if as_json:
        screen.json(
            {"a": str(a), "b": str(b), "loss": what, "times": times, "curve": curve, "barrier": value}
        )
    else:
        screen.show(*_report(a, b, what, times, curve, value, screen))
    if plot is not None:
        write_small(plot, _picture(a, b, what, times, curve, value))
        screen.note(f"Drawn to {plot}.")
    if value != value:
        raise CheckError(
            f"the loss is not finite between {a} and {b}. `geojax inspect FILE --check` finds NaN in a file."
        )
    return 0


def _params(path: Path, model: Model | None) -> Any:
    """A checkpoint's tensors as the model takes them."""
    tensors = load(path)
    if model is None:
        return tensors
    models.apply_of(model, "a barrier")
    try:
        return models.params_of(model, tensors)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _probe(model: Model, params_a: Any, params_b: Any, seed: int) -> Callable[[Any], Any]:
    """Half the mean squared difference between the outputs and those of A and of B, in units of their mean square."""
    import jax
    import jax.numpy as jnp

    apply = models.apply_of(model, "a barrier")
    inputs = models.inputs_of(model, None, seed)

    def outputs(params: Any) -> Any:
        leaves = [
            leaf
            for leaf in jax.tree.leaves(apply(params, *inputs))
            if jnp.issubdtype(leaf.dtype, jnp.inexact)
        ]
        return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in leaves])

    with users_code(model.name):
        of_a, of_b = jax.jit(outputs)(params_a), jax.jit(outputs)(params_b)
    square = jnp.mean(of_a**2 + of_b**2) / 2
    scale = jnp.where(square > 0, square, 1)
    return lambda params: sum(jnp.mean((outputs(params) - end) ** 2) for end in (of_a, of_b)) / (2 * scale)


def _measure(
    loss: Callable[[Any], Any], params_a: Any, params_b: Any, num: int, what: str
) -> tuple[list[float], list[float], float]:
    """Times, the loss at these times, and the barrier."""
    import jax

    from geojax import merging

    with users_code(what):
        result = jax.jit(lambda a, b: merging.barrier(loss, a, b, num=num))(params_a, params_b)
    return result.times.tolist(), result.curve.tolist(), float(result.value)


def _report(
    a: Path, b: Path, what: str, times: list[float], curve: list[float], value: float, screen: Screen
) -> list[Any]:
    from rich.text import Text

    table = columns("t", "loss", "above the chord", "", right=(0, 1, 2))
    low, high = min(curve), max(curve)
    block = "█" if screen.out.encoding.startswith("utf") else "#"
    for t, at in zip(times, curve, strict=True):
        above = at - (1 - t) * curve[0] - t * curve[-1]
        share = (at - low) / (high - low) if high > low else 0.0
        bar = block * round(BAR * share) if share == share else ""
        table.add_row(f"{t:.3f}", f"{at:.6g}", f"{above:+.3g}", bar)
    return [
        Text(f"{what} from {a} (t = 0) to {b} (t = 1)", "bold"),
        "",
        table,
        "",
        Text(f"barrier: {value:.6g}", "bold"),
    ]


def _picture(a: Path, b: Path, what: str, times: list[float], curve: list[float], value: float) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(times, curve, color="#1f77b4", marker="o", markersize=3)
    axes.plot([0, 1], [curve[0], curve[-1]], color="0.6", linestyle="--")
    axes.set_xticks([0, 0.5, 1], [a.name, "half-way", b.name])
    axes.set_ylabel(what)
    axes.set_title(f"barrier {value:.4g}", loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    content = BytesIO()
    figure.savefig(content, dpi=150, format="png")
    return content.getvalue()
