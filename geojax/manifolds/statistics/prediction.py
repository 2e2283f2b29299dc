"""Prediction of labels in a metric space: the Fréchet mean of the classes, not the likeliest."""

import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def frechet_predict(
    probabilities: Float[Array, " k"], distances: Float[Array, "n k"], *, power: float = 2.0
) -> Int[Array, ""]:
    """Label with the least expected power of its distance to the observed classes.

    argmin_n  sum_k p_k D_nk^power.

    Args:
        probabilities: Probabilities of the K observed classes, [K], nonnegative; their sum does not matter.
        distances: Distances of the N labels from the observed classes, [N, K]; labels and classes may be the same.
        power: Power of the distances, > 0; static or traced.

    Returns:
        Index of a label, int32; the first one if several are as good. -1 if a number is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree or there is no label.

    Differentiation: none; the result is an integer.

    Complexity: O(N K): one product of a matrix and a vector; under `vmap` over probabilities, of two matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import frechet_predict
        >>> path = jnp.abs(jnp.arange(3.0)[:, None] - jnp.array([0.0, 2.0]))
        >>> int(frechet_predict(jnp.array([0.5, 0.5]), path))
        1

    References: [Roberts2023].
    """
    where = "frechet_predict"
    probabilities, distances = checks.floats(where, probabilities=probabilities, distances=distances)
    sizes = checks.shapes(where, probabilities=(probabilities, "K"), distances=(distances, "N K"))
    if sizes["N"] == 0:
        raise ValueError(f"{where}: distances has no row; expected at least one label. Add its distances.")
    expected = jnp.power(distances, jnp.asarray(power, distances.dtype)) @ probabilities
    best = jnp.argmin(expected).astype(jnp.int32)
    return jnp.where(jnp.any(jnp.isnan(expected)), -1, best)


def frechet_locus(distances: ArrayLike, *, power: float = 2.0) -> np.ndarray:
    """Which labels some mixture of the observed classes can predict; computed on the host.

    Label n is in the locus if probabilities p exist with
    sum_k p_k (D_nk^power - D_mk^power) <= 0  for all labels m.

    Args:
        distances: Distances of the N labels from the K observed classes, [N, K], concrete.
        power: Power of the distances, > 0.

    Returns:
        Boolean [N], a numpy array. A label that only ties with others, for every such p, is in the locus.

    Raises:
        ValueError: If distances is not a matrix of finite numbers. TypeError: If it is traced.

    Differentiation: none; the result is boolean.

    Complexity: one linear programme of K unknowns and N constraints a label, solved by scipy.

    Example:
        >>> import numpy as np
        >>> from geojax.manifolds import frechet_locus
        >>> frechet_locus(np.abs(np.arange(3.0)[:, None] - np.array([0.0, 2.0]))).tolist()
        [True, True, True]

    References: [Roberts2023].
    """
    costs = _costs("frechet_locus", distances, power)
    return np.array([_reachable(costs, label) for label in range(len(costs))], bool)


def next_class(distances: ArrayLike, observed: ArrayLike, *, power: float = 2.0) -> int:
    """Class whose observation enlarges the locus of predictable labels most; computed on the host.

    argmax_c |locus(observed and c)|  over the labels c that are not observed.

    Args:
        distances: Distances between all N labels, [N, N], concrete.
        observed: Which labels are observed classes, boolean [N].
        power: Power of the distances, > 0.

    Returns:
        Index of a label, a Python integer; the first one if several are as good.

    Raises:
        ValueError: If shapes disagree, a distance is not finite, or every label is observed. TypeError: If an argument
            is traced.

    Differentiation: none; the result is an integer.

    Complexity: a locus for each label that is not observed.

    Example:
        >>> import numpy as np
        >>> from geojax.manifolds import next_class
        >>> path = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
        >>> next_class(path, np.array([True, False, False, False]))
        3

    References: [Roberts2023].
    """
    costs = _costs("next_class", distances, power)
    observed = np.asarray(observed)
    if costs.shape[0] != costs.shape[1] or observed.shape != costs.shape[:1] or observed.dtype != bool:
        raise ValueError(
            f"next_class: distances has shape {list(costs.shape)} and observed {list(observed.shape)} "
            f"({observed.dtype}); expected [N, N] and boolean [N]. Pass the distances between all labels."
        )
    if observed.all():
        raise ValueError("next_class: observed is true everywhere; expected a label left to observe.")
    candidates = np.flatnonzero(~observed)
    sizes = []
    for candidate in candidates:
        chosen = observed.copy()
        chosen[candidate] = True
        sizes.append(sum(_reachable(costs[:, chosen], label) for label in range(len(costs))))
    return int(candidates[int(np.argmax(sizes))])


def _costs(where: str, distances: ArrayLike, power: float) -> np.ndarray:
    if isinstance(distances, Tracer):
        raise TypeError(f"{where}: distances is traced; expected concrete numbers. Call it outside jit.")
    costs = np.asarray(distances, float)
    if costs.ndim != 2 or not np.isfinite(costs).all():
        raise ValueError(
            f"{where}: distances has shape {list(costs.shape)}, finite: {bool(np.isfinite(costs).all())}; expected a "
            "matrix of finite numbers, labels by classes. Use a large number for labels that are infinitely far."
        )
    return costs**power


def _reachable(costs: Float[np.ndarray, "n k"], label: int) -> Bool[np.ndarray, ""] | bool:
    """Whether some mixture makes the label's cost no larger than any other's."""
    excess = costs[label] - costs
    scale = max(float(np.abs(excess).max(initial=0)), 1.0)
    programme = scipy.optimize.linprog(
        np.zeros(costs.shape[1]),
        A_ub=excess / scale,
        b_ub=np.full(len(costs), 1e-9),
        A_eq=np.ones((1, costs.shape[1])),
        b_eq=[1.0],
        bounds=(0, 1),
    )
    return bool(programme.status == 0)
