"""Diverse weight averaging: which models to average, and what the error of their average is made of."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.merging.leaves import map_stack, stack_size
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
    """What the expected squared error of an average of models is made of.

    Attributes:
        bias: Mean squared distance of the expected prediction from the targets.
        variance: Mean variance of one model's prediction, divided by the number averaged.
        covariance: Mean covariance between two models' predictions, times (k - 1) / k.
        locality: What averaging weights adds to averaging outputs: the difference of their mean squared errors.
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
        chosen: Which of the models they are, [k].
        score: The score of the average.
    """

    params: Any
    chosen: Bool[Array, " k"]
    score: Float[Array, ""]


def diverse_select(stack: Params, score: Callable[[Params], Array]) -> DiverseSelectionResult:
    """Chooses greedily the models whose average scores best.

    From the best single model on, the others are tried in the order of their own scores, and one stays if the average
    with it scores no worse.

    Args:
        stack: The models as one tree with a leading axis of length k, in one frame.
        score: A scalar, higher is better, such as accuracy on held-out data.

    Returns:
        DiverseSelectionResult. A score that is NaN is worse than any other.

    Raises:
        ValueError: If shapes disagree, or score does not return a scalar.

    Differentiation: params and score exactly in stack, with the choice held.
    Complexity: 2 k - 1 scores.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import diverse_select
        >>> diverse_select(jnp.array([1.0, -1.2, 5.0]), lambda x: -(x**2)).chosen.tolist()
        [True, True, False]

    References: [Rame2022]; [Wortsman2022].
    """
    count = stack_size("diverse_select", stack)

    def mean(chosen: Array) -> Params:
        def of_leaf(leaf: Array) -> Array:
            # A model that was not chosen has no say, not even if it is NaN.
            kept = jnp.where(chosen.reshape(-1, *(1,) * (leaf.ndim - 1)), leaf, 0)
            return jnp.sum(kept, axis=0) / jnp.sum(chosen)

        return map_stack(of_leaf, stack)

    def of(chosen: Array) -> Array:
        value = score(mean(chosen))
        checks.shapes("diverse_select", **{"score(params)": (value, "")})
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    alone = jax.lax.map(of, jnp.eye(count, dtype=bool))
    order = jnp.argsort(-jax.lax.stop_gradient(alone), stable=True)

    def turn(chosen: Array, number: Array) -> tuple[Array, None]:
        tried = chosen.at[number].set(True)
        better = of(tried) >= of(chosen)
        return jnp.where(better, tried, chosen), None

    first = vary_with(jnp.zeros(count, bool), alone).at[order[0]].set(True)
    chosen, _ = jax.lax.scan(turn, first, order[1:])
    chosen = jax.lax.stop_gradient(chosen)
    params = mean(chosen)
    return DiverseSelectionResult(params, chosen, score(params))


def error_decomposition(
    predictions: Float[Array, "r k n"], averaged: Float[Array, "r n"], targets: Float[Array, " n"]
) -> ErrorDecomposition:
    """Splits the error of averaged models into bias, variance, covariance and locality.

    E (f_avg - y)^2 = bias^2 + var / k + (k - 1) / k cov + locality,  means over examples and over r draws of k models.
    The first three are the error of the mean of the predictions, to the last digit.

    Args:
        predictions: Predictions of the single models, [r, k, n]: r draws of k models on n examples.
        averaged: Predictions of the model with averaged weights, [r, n].
        targets: What is right, [n].

    Returns:
        ErrorDecomposition, every term a mean over examples; moments are those of the draws and the k models at hand
        (divided by their number, not by one less), the k models of a draw being exchangeable.

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
    """Ratio of the errors that two classifiers do not share to those that they do.

    Args:
        labels_a: Labels that one predicts, [n].
        labels_b: Labels that the other predicts, [n].
        targets: Right labels, [n].

    Returns:
        Scalar >= 0: examples on which exactly one is wrong, or both with different labels, over those on which both
        give the same wrong label. Infinite where they share none but have others, NaN where there are none at all.

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
