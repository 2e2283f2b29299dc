"""Diverse weight averaging: which models to average, and the parts of the error of their average."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.merging.leaves import as_stack, callable_first, map_stack, stack_size
from geojax.typing import Params

__all__ = [
    "DiverseSelectionResult",
    "ErrorDecomposition",
    "diverse_select",
    "error_decomposition",
    "functional_diversity",
]


@struct
class ErrorDecomposition:
    """The parts of the expected squared error of an average of models.

    Attributes:
        bias: Mean squared distance of the expected prediction from the targets.
        variance: Mean variance of one model's prediction, divided by the number averaged.
        covariance: Mean covariance between two models' predictions, times (k - 1) / k.
        locality: Mean squared error of the averaged weights minus that of the averaged outputs.
        error: The sum of the four.
    """

    bias: Float[Array, ""]
    variance: Float[Array, ""]
    covariance: Float[Array, ""]
    locality: Float[Array, ""]
    error: Float[Array, ""]


@struct
class DiverseSelectionResult:
    """Models chosen to be averaged.

    Attributes:
        params: Their average.
        chosen: Whether each model was chosen, [k].
        score: The score of the average.
    """

    params: Any
    chosen: Bool[Array, " k"]
    score: Float[Array, ""]


@rounded_once
def diverse_select(score: Callable[[Params], Array], stack: Params) -> DiverseSelectionResult:
    """Chooses greedily the models whose average scores best.

    It starts from the best single model and tries the others in the order of their own scores; a model is kept if the
    average with it scores no worse.

    Args:
        score: A scalar function of parameters, higher is better, such as accuracy on held-out data.
        stack: The models, a list of k, or one tree with a leading axis of length k; all in one frame.

    Returns:
        DiverseSelectionResult. A score that is NaN is worse than any other.

    Raises:
        ValueError: If shapes disagree, or score does not return a scalar.

    Differentiation: params and score are exact in stack, with the choice held constant.
    Complexity: 2 k - 1 evaluations of score.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import diverse_select
        >>> diverse_select(lambda x: -(x**2), jnp.array([1.0, -1.2, 5.0])).chosen.tolist()
        [True, True, False]

    References: [Rame2022]; [Wortsman2022].
    """
    callable_first("diverse_select", "score", score, "stack")
    stack = as_stack("diverse_select", stack)
    count = stack_size("diverse_select", stack)

    def mean(chosen: Array) -> Params:
        def of_leaf(leaf: Array) -> Array:
            # A model that was not chosen does not count, even if it is NaN.
            kept = jnp.where(chosen.reshape(-1, *(1,) * (leaf.ndim - 1)), leaf, 0)
            return jnp.sum(kept, axis=0) / jnp.sum(chosen)

        return map_stack(of_leaf, stack)

    def score_of(chosen: Array) -> Array:
        value = score(mean(chosen))
        checks.shapes("diverse_select", **{"score(params)": (value, "")})
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    alone = jax.lax.map(score_of, jnp.eye(count, dtype=bool))
    order = jnp.argsort(-jax.lax.stop_gradient(alone), stable=True)

    def turn(chosen: Array, number: Array) -> tuple[Array, None]:
        tried = chosen.at[number].set(True)
        better = score_of(tried) >= score_of(chosen)
        return jnp.where(better, tried, chosen), None

    first = vary_with(jnp.zeros(count, bool), alone).at[order[0]].set(True)
    chosen, _ = jax.lax.scan(turn, first, order[1:])
    chosen = jax.lax.stop_gradient(chosen)
    params = mean(chosen)
    return DiverseSelectionResult(params, chosen, score(params))


@rounded_once
def error_decomposition(
    predictions: Float[Array, "r k n"], averaged: Float[Array, "r n"], targets: Float[Array, " n"]
) -> ErrorDecomposition:
    """Splits the error of averaged models into bias, variance, covariance and locality.

    E (f_avg - y)^2 = bias^2 + var / k + (k - 1) / k cov + locality,  averaged over examples and over r draws of k
    models. The first three terms are exactly the error of the mean of the predictions.

    Args:
        predictions: Predictions of the single models, [r, k, n]: r draws of k models on n examples.
        averaged: Predictions of the model with averaged weights, [r, n].
        targets: Correct values, [n].

    Returns:
        ErrorDecomposition, every term a mean over examples. Moments are those of the given draws and models, divided by
        their number and not by one less. The k models of a draw are taken to be exchangeable.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: exact.
    Complexity: linear in predictions.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import error_decomposition
        >>> both = jnp.array([[[1.0], [3.0]]])
        >>> float(error_decomposition(both, jnp.array([[2.0]]), jnp.array([0.0])).bias)
        4.0

    References: [Rame2022].
    """
    predictions, averaged, targets = checks.floats(
        "error_decomposition", predictions=predictions, averaged=averaged, targets=targets
    )
    sizes = checks.shapes(
        "error_decomposition",
        predictions=(predictions, "r k n"),
        averaged=(averaged, "r n"),
        targets=(targets, "n"),
    )
    k = sizes["k"]
    expected = jnp.mean(predictions, axis=(0, 1))
    deviations = predictions - expected
    ensemble = jnp.mean(deviations, axis=1)
    variance = jnp.mean(jnp.square(deviations)) / k
    spread = jnp.mean(jnp.square(ensemble))
    bias = jnp.mean(jnp.square(expected - targets))
    of_outputs = jnp.mean(jnp.square(jnp.mean(predictions, axis=1) - targets))
    error = jnp.mean(jnp.square(averaged - targets))
    return ErrorDecomposition(bias, variance, spread - variance, error - of_outputs, error)


def functional_diversity(
    labels_a: Int[Array, " n"], labels_b: Int[Array, " n"], targets: Int[Array, " n"]
) -> Float[Array, ""]:
    """Ratio of the errors that two classifiers do not share to the errors that they share.

    Args:
        labels_a: Labels that one classifier predicts, [n].
        labels_b: Labels that the other predicts, [n].
        targets: Correct labels, [n].

    Returns:
        Scalar >= 0: the number of examples on which exactly one is wrong, or both are with different labels, divided by
        the number on which both give the same wrong label. Infinite if they share no error, NaN if there is no error.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: none, labels are integers.
    Complexity: linear.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import functional_diversity
        >>> float(functional_diversity(jnp.array([0, 1, 1]), jnp.array([0, 1, 2]), jnp.array([1, 1, 1])))
        1.0

    References: [Rame2022]; [Aksela2003].
    """
    checks.shapes(
        "functional_diversity", labels_a=(labels_a, "n"), labels_b=(labels_b, "n"), targets=(targets, "n")
    )
    wrong_a, wrong_b = labels_a != targets, labels_b != targets
    shared = wrong_a & wrong_b & (labels_a == labels_b)
    different = (wrong_a | wrong_b) & ~shared
    return jnp.sum(different) / jnp.sum(shared)
