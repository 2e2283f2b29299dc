"""Pictures of the loss along the paths between two networks."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from geojax.demo.experiment import ALIGNMENTS, VARIANTS, Outcome
from geojax.demo.report import label

COLOURS = {
    "naive": "#8a8a8a",
    "weights": "#0072b2",
    "activations": "#e69f00",
    "both": "#009e73",
    "repaired": "#d55e00",
}
INK = "#222222"


def picture(data_name: str, outcome: Outcome) -> bytes:
    """A PNG of the test loss along every path between the networks; on the right a close-up of the aligned paths."""
    figure = Figure(figsize=(11, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    whole, close = figure.subplots(1, 2, width_ratios=(1, 1.15))
    for name in VARIANTS:
        _draw(whole, outcome, name)
        if name != "naive":
            _draw(close, outcome, name)
    for axes in (whole, close):
        _ends(axes, outcome)
        _dress(axes)
    whole.set_ylabel("test loss (cross entropy, nats)")
    whole.set_title("every path", loc="left", fontsize=10, color=INK)
    close.set_title("close up: aligned paths", loc="left", fontsize=10, color=INK)
    aligned = np.concatenate([outcome.paths[name].curve for name in (*ALIGNMENTS, "repaired")])
    low, high = min(aligned.min(), *outcome.losses), aligned.max()
    close.set_ylim(low - 0.12 * (high - low), high + 0.12 * (high - low))
    whole.set_ylim(bottom=0)
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    kept = outcome.paths["repaired"].midpoint_accuracy / outcome.accuracy
    title = f"{outcome.name} on {data_name}: two networks become one, with {kept:.1%} of their accuracy"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK, fontweight="bold")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _draw(axes, outcome: Outcome, name: str) -> None:
    path = outcome.paths[name]
    strong = name == "repaired"
    words = f"{label(outcome, name)}\n  barrier {path.barrier:.3f}, midpoint {path.midpoint_accuracy:.1%}"
    axes.plot(
        path.times, path.curve, label=words, color=COLOURS[name], lw=2.6 if strong else 1.8,
        ls="--" if name == "naive" else "-", marker="o", ms=4 if strong else 3, zorder=4 if strong else 3,
    )  # fmt: skip


def _ends(axes, outcome: Outcome) -> None:
    words = f"the two networks\n  accuracy {outcome.accuracies[0]:.1%} and {outcome.accuracies[1]:.1%}"
    axes.plot([0, 1], outcome.losses, color=INK, lw=1, ls=":", marker="o", ms=7, label=words, zorder=5)


def _dress(axes) -> None:
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["network A", "¼", "midpoint", "¾", "network B"])
    axes.set_xlabel("position on the path")
    axes.grid(axis="y", color="#dddddd", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
