"""Averages of classifiers with different confidence, and which errors averaging corrects."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe, tree
from geojax._core.precision import rounded_once
from geojax.merging.aligned import WeightMatching, aligned_pair
from geojax.merging.leaves import is_merged, same_model, wide
from geojax.merging.paths.connectivity import interpolate
from geojax.typing import Params, Scalar

__all__ = ["balanced_average", "error_correction_table"]


@rounded_once
def balanced_average(
    apply: Callable[..., Float[Array, "... classes"]],
    params_a: Params,
    params_b: Params,
    t: Scalar,
    *inputs: Any,
    head: Callable[[str], bool],
    align: WeightMatching | None = None,
) -> Params:
    """Interpolates two classifiers after giving the second the confidence of the first.

    In a plain average the network with larger logits outvotes the other. So the head of b is first multiplied by
    |logits of a| / |logits of b|, which does not change b's labels, and then the models are mixed, (1 - t) a + t b. The
    norms are over all inputs and classes, after the mean over classes has been subtracted from the logits.

    Args:
        apply: ``apply(params, *inputs)`` returns logits, [..., classes].
        params_a: The model at t = 0, usually the pre-trained one.
        params_b: The model at t = 1, a tree like params_a.
        t: Time, a scalar.
        inputs: The rest of apply's arguments: a few hundred examples.
        head: Given the name of a leaf, such as 'head/kernel', says whether it belongs to the last layer. The logits
            must be proportional to these leaves together.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves params_b onto params_a.

    Returns:
        A tree like params_a.

    Raises:
        ValueError: If trees disagree, t is not a scalar, no leaf belongs to the head.
        TypeError: If leaves differ in dtype.

    Differentiation: exact, also through the factor; the alignment is held constant.
    Complexity: one evaluation of each model.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import balanced_average
        >>> a, b = {"head": jnp.array([[1.0, 0.0]])}, {"head": jnp.array([[0.0, 100.0]])}
        >>> both = balanced_average(lambda p, x: x @ p["head"], a, b, 0.5, jnp.ones((1, 1)), head=lambda name: True)
        >>> both["head"].tolist()
        [[0.5, 0.5]]

    References: [Lin2024]; [Wortsman2022b].
    """
    same_model("balanced_average", "params_b", params_b, "params_a", params_a)
    if not callable(head):
        raise TypeError(
            f"balanced_average: head is {checks.described(head)}; expected a function of a leaf's name. "
            "Write head=lambda name: name == 'head/kernel'."
        )
    mixed = {name for name, leaf in tree.named_leaves(params_a).items() if is_merged(leaf) and head(name)}
    if not mixed:
        names = ", ".join(tree.named_leaves(params_a))
        raise ValueError(
            f"balanced_average: head returned False for all leaves ({names}); expected True for the last layer's."
        )

    params_b = aligned_pair("balanced_average", align, params_a, params_b)

    def size(params: Params) -> Array:
        logits = apply(params, *inputs)
        return safe.norm(logits - jnp.mean(logits, axis=-1, keepdims=True))

    of_a, of_b = size(params_a), size(params_b)
    factor = jnp.where(of_b == 0, 1, of_a / jnp.where(of_b == 0, 1, of_b))

    def scale(name: str, leaf: Any) -> Any:
        if name not in mixed:
            return leaf
        dtype = jnp.result_type(leaf)
        return (jnp.asarray(leaf, wide(dtype)) * factor.astype(wide(dtype))).astype(dtype)

    return interpolate(params_a, tree.map_named(scale, params_b), t)


def error_correction_table(
    labels_a: Int[Array, " n"],
    labels_b: Int[Array, " n"],
    labels_average: Int[Array, " n"],
    targets: Int[Array, " n"],
) -> Int[Array, "2 2 2"]:
    """Counts on which examples two classifiers and their average are right.

    Args:
        labels_a: Labels that one classifier predicts, [n].
        labels_b: Labels that the other predicts, [n].
        labels_average: Labels that their average predicts, [n].
        targets: Correct labels, [n].

    Returns:
        Counts [2, 2, 2], indexed by whether a, b and the average are right: entry [0, 0, 1] counts the examples that
        both get wrong and their average gets right.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: none, labels are integers.
    Complexity: linear.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import error_correction_table
        >>> y = jnp.array([0, 1, 2])
        >>> int(error_correction_table(jnp.array([0, 0, 0]), jnp.array([0, 1, 1]), y, y)[0, 0, 1])
        1

    References: [Lin2024].
    """
    checks.shapes(
        "error_correction_table",
        labels_a=(labels_a, "n"),
        labels_b=(labels_b, "n"),
        labels_average=(labels_average, "n"),
        targets=(targets, "n"),
    )
    right = [(labels == targets).astype(jnp.int32) for labels in (labels_a, labels_b, labels_average)]
    place = 4 * right[0] + 2 * right[1] + right[2]
    return jnp.zeros(8, jnp.int32).at[place].add(1).reshape(2, 2, 2)
