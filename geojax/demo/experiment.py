"""The experiment: train two networks, align the second with the first, average them, repair the average."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax import merging, symmetry
from geojax._core import tree
from geojax.demo.data import Data
from geojax.demo.models import ConvNet, Mlp, convolve_by_patches
from geojax.demo.training import Images, measure, train
from geojax.typing import Key, Params

ALIGNMENTS = ("weights", "activations", "both")
VARIANTS = ("naive", *ALIGNMENTS, "repaired")
SHOWN = 2
"""Number of images that `infer` traces the program with; any number gives the same spec."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is trained and how it is measured.

    Attributes:
        widths: Hidden widths of the multilayer perceptrons; one pair is trained for each.
        channels: Number of channels of each layer of the convolutional nets.
        mlp_epochs: Passes over the data for the multilayer perceptrons.
        conv_epochs: The same for the convolutional nets.
        batch: Number of images in a training step.
        calibration: Number of training images whose activations are compared and repaired.
        num: Number of points on each path; odd, so that the midpoint is one of them.
    """

    widths: tuple[int, ...]
    channels: int
    mlp_epochs: int
    conv_epochs: int
    batch: int
    calibration: int
    num: int


@dataclasses.dataclass(frozen=True)
class Job:
    """One architecture.

    Attributes:
        name: Its name in tables and results.
        model: The model to train.
        apply: The model's class scores, ``apply(params, images)``.
        reference: The same function written as in a textbook, for `infer` and `collect` to trace.
        epochs: Passes over the data.
        batch: Number of images in a training step.
        rate: Learning rate at the beginning.
    """

    name: str
    model: nn.Module
    apply: Callable[[Params, Images], Array]
    reference: Callable[[Params, Images], Array]
    epochs: int
    batch: int
    rate: float


@dataclasses.dataclass(frozen=True)
class Path:
    """Measurements along one path between the two networks, on the test images."""

    times: np.ndarray
    curve: np.ndarray
    barrier: float
    midpoint_loss: float
    midpoint_accuracy: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """All results for one architecture.

    Attributes:
        name: Its name in tables and results.
        spec: The symmetry, from `infer`.
        losses: Test loss of the two networks.
        accuracies: Their test accuracy.
        paths: One `Path` for each of `VARIANTS`.
        chosen: The alignment that was repaired: the one whose midpoint has the lowest loss on the calibration images.
    """

    name: str
    spec: symmetry.SymmetrySpec
    losses: tuple[float, float]
    accuracies: tuple[float, float]
    paths: dict[str, Path]
    chosen: str

    @property
    def accuracy(self) -> float:
        """Mean test accuracy of the two networks."""
        return sum(self.accuracies) / 2

    @property
    def loss(self) -> float:
        """Mean test loss of the two networks."""
        return sum(self.losses) / 2


@dataclasses.dataclass(frozen=True)
class Step:
    """A report of progress.

    Attributes:
        stage: Name of the stage.
        done: Number of finished parts of the stage.
        total: Number of parts of the stage.
        note: A text to show beside it.
    """

    stage: str
    done: int
    total: int
    note: str = ""


def jobs(data: Data, plan: Plan) -> list[Job]:
    """The architectures of a plan, smallest first."""
    listed = []
    for width in plan.widths:
        model = Mlp(width, data.num_classes)
        name = f"mlp-{width}" if len(plan.widths) > 1 else "mlp"
        listed.append(Job(name, model, scores(model), scores(model), plan.mlp_epochs, plan.batch, 1e-3))
    textbook, fast = (ConvNet(plan.channels, data.num_classes, how) for how in (None, convolve_by_patches))
    return [*listed, Job("conv", fast, scores(fast), scores(textbook), plan.conv_epochs, plan.batch, 2e-3)]


def scores(model: nn.Module) -> Callable[[Params, Images], Array]:
    """The model as a function of its parameters and images."""
    return lambda params, images: jnp.asarray(model.apply(params, images))


def run(job: Job, data: Data, plan: Plan, key: Key, report: Callable[[Step], None]) -> Outcome:
    """Trains, aligns, merges and repairs one pair of networks; ``report`` is called at each step."""
    train_key, choice_key, match_key = jax.random.split(key, 3)
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    params_a, params_b = _train(job, images, labels, train_key, report)

    report(Step("symmetry", 0, 1))
    spec = symmetry.infer(job.reference, params_a, images[:SHOWN])
    report(Step("symmetry", 1, 1, f"{len(spec.members)} groups"))

    chosen = jax.random.permutation(choice_key, len(images))[: plan.calibration]
    shown, classes = images[chosen], labels[chosen]
    moved = {"naive": params_b, **_align(job, spec, params_a, params_b, shown, match_key, report)}
    return _measure(job, spec, params_a, moved, shown, classes, data, plan, report)


def _train(job: Job, images, labels, key: Key, report) -> tuple[Params, Params]:
    keys = jax.random.split(key, 2)
    report(Step("training", 0, job.epochs))
    epochs = train(job.model, images, labels, keys, epochs=job.epochs, batch=job.batch, rate=job.rate)
    both: Params = None
    for number, (stack, losses) in enumerate(epochs, start=1):
        both = stack
        report(Step("training", number, job.epochs, " ".join(f"{loss:.3f}" for loss in np.asarray(losses))))
    params_a, params_b = jax.jit(tree.unstack)(both)
    return params_a, params_b


def _align(job: Job, spec, params_a, params_b, shown, key: Key, report) -> dict[str, Params]:
    """The second network moved onto the first by each method."""
    weights_a, weights_b = (_without_statistics(params) for params in (params_a, params_b))
    results: dict[str, Any] = {}
    for number, name in enumerate(ALIGNMENTS):
        report(Step("alignment", number, len(ALIGNMENTS), name))
        if name == "weights":
            result = symmetry.weight_matching(spec, weights_a, weights_b, key=key)
        elif name == "activations":
            result = symmetry.activation_matching(spec, job.reference, params_a, params_b, shown)
        else:
            element = results["activations"].element
            start = {group: element[group] for group in element if spec.groups[group].kind == "permutation"}
            result = symmetry.weight_matching(spec, weights_a, weights_b, key=key, init=start)
        results[name] = jax.block_until_ready(result)
    report(Step("alignment", len(ALIGNMENTS), len(ALIGNMENTS)))
    act = jax.jit(functools.partial(symmetry.act, spec))
    return {name: act(result.element, params_b) for name, result in results.items()}


def _without_statistics(params: Params) -> Params:
    """The parameters with zeros for running statistics, because these are activations and not weights to match."""
    return {
        name: part if name == "params" else jax.tree.map(jnp.zeros_like, part)
        for name, part in params.items()
    }


def _measure(job: Job, spec, params_a, moved, shown, classes, data: Data, plan: Plan, report) -> Outcome:
    test_images, test_labels = jnp.asarray(data.test_images), jnp.asarray(data.test_labels)

    def fixed(params_a, params_b, t, shown):
        middle = merging.interpolate(params_a, params_b, t)
        return merging.repair(spec, job.apply, middle, params_a, params_b, shown, t=t)

    def follow(path, params_a, params_b, images, labels, *shown):
        def at(params_a, params_b, t):
            return path(params_a, params_b, t, *shown)

        def loss(params):
            return measure(job.apply, params, images, labels)[0]

        along = merging.barrier(loss, params_a, params_b, num=plan.num, path=at)
        return along, measure(job.apply, at(params_a, params_b, 0.5), images, labels)

    straight = jax.jit(functools.partial(follow, merging.interpolate))
    repaired = jax.jit(functools.partial(follow, fixed))
    judge = jax.jit(lambda a, b: measure(job.apply, fixed(a, b, 0.5, shown), shown, classes)[0])
    single = jax.jit(lambda params: measure(job.apply, params, test_images, test_labels))

    paths = {}
    for number, name in enumerate(VARIANTS[:-1]):
        report(Step("paths", number, len(VARIANTS), name))
        paths[name] = _path(*straight(params_a, moved[name], test_images, test_labels))
    report(Step("paths", len(VARIANTS) - 1, len(VARIANTS), "repaired"))
    chosen = min(ALIGNMENTS, key=lambda name: float(judge(params_a, moved[name])))
    paths["repaired"] = _path(*repaired(params_a, moved[chosen], test_images, test_labels, shown))
    ends = [single(params) for params in (params_a, moved["naive"])]
    report(Step("paths", len(VARIANTS), len(VARIANTS)))
    losses, accuracies = ((float(ends[0][i]), float(ends[1][i])) for i in range(2))
    return Outcome(job.name, spec, losses, accuracies, paths, chosen)


def _path(along: merging.BarrierResult, midpoint) -> Path:
    loss, accuracy = midpoint
    return Path(
        np.asarray(along.times), np.asarray(along.curve), float(along.value), float(loss), float(accuracy)
    )
