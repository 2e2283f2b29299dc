"""Merging units that compute the same feature up to a positive factor: pruning without data."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import safe
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.action.groups import PERMUTATION, SCALING
from geojax.symmetry.action.layout import blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import unit_weights, with_leaves
from geojax.symmetry.orbits.reading import Leaves, read_params
from geojax.typing import Params, Scalar


@struct
class FeatureMergingResult:
    """Parameters after `merge_equivalent_units`, and which units were merged.

    `params` keep their shapes; the weights of a unit that was merged into another are 0. `labels` give for each unit
    the number of the unit that it was merged into (its own number if it stays, -1 if all its incoming weights are 0),
    [parent sizes..., n] for each group.
    """

    params: Params
    labels: dict[str, Array]


@rounded_once
def merge_equivalent_units(spec: SymmetrySpec, params: Params, *, threshold: Scalar) -> FeatureMergingResult:
    """Merges hidden units whose incoming weights are positive multiples of one another, or nearly so.

    Iterative feature merging: incoming weights are scaled to norm one, u_i, and the scale r_i is moved to the
    outgoing weights v_i, which changes nothing. While the closest two units of a layer have |u_i - u_j| <= threshold,
    they become one: its u is the direction of the mean of the u_i of all units merged into it, and v = sum_i r_i v_i.
    If these u_i are equal, the function stays the same. Layers are taken in the order of the spec's groups. No data
    are needed, and since no shape changes, the function runs under jit.

    Args:
        spec: The symmetry, from `infer`. Only units of groups with a positive scaling on their axis are merged, such
            as those of relu layers: weights with exponent 1 are incoming, weights with exponent -1 outgoing.
        params: Parameters that fit it.
        threshold: Largest distance of unit vectors, in [0, 2]; 0 merges units that are equal up to rounding.

    Returns:
        FeatureMergingResult. Groups without such a scaling are not changed and have no labels.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: exact in params with the labels held.
    Complexity: O(n^2 d) for a layer of n units with d incoming weights, and O(n^2 + n d) for each merge.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.array([[3.0, 6.0, 0.0], [4.0, 8.0, 1.0]]), jnp.array([[1.0], [2.0], [5.0]])]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 2)))
        >>> result = gj.symmetry.units.merge_equivalent_units(spec, params, threshold=0.0)
        >>> result.labels["0"].tolist(), result.params[1].ravel().tolist()
        ([0, 0, 2], [25.0, 0.0, 5.0])

    References: [Chen2024].
    """
    leaves, labels = _merge(
        "merge_equivalent_units(spec, params, threshold=threshold)", spec, params, threshold
    )
    return FeatureMergingResult(with_leaves(params, leaves), labels)


@rounded_once
def feature_complexity(
    spec: SymmetrySpec, params: Params, *, threshold: Scalar
) -> dict[str, Int[Array, "..."]]:
    """How many different features each layer computes: the units that `merge_equivalent_units` leaves.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.
        threshold: As for `merge_equivalent_units`.

    Returns:
        {group name: count [parent sizes...]} for the groups that are merged.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: none (integers).
    Complexity: that of `merge_equivalent_units`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.array([[3.0, 6.0, 0.0], [4.0, 8.0, 1.0]]), jnp.ones((3, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 2)))
        >>> counts = gj.symmetry.units.feature_complexity(spec, params, threshold=0.1)
        >>> {name: int(count) for name, count in counts.items()}
        {'0': 2}

    References: [Chen2024].
    """
    _, labels_of = _merge("feature_complexity(spec, params, threshold=threshold)", spec, params, threshold)
    return {
        name: jnp.sum(labels == jnp.arange(labels.shape[-1]), axis=-1, dtype=jnp.int32)
        for name, labels in labels_of.items()
    }


def _merge(
    call: str, spec: SymmetrySpec, params: Params, threshold: Scalar
) -> tuple[Leaves, dict[str, Array]]:
    """The leaves after all merges, and the labels of each group."""
    (leaves,) = read_params(call, spec, params=params)
    cluster = _per_copy(functools.partial(_cluster, threshold=threshold))
    labels = {}
    for name, scaling in _merged_groups(spec):
        features = _incoming(spec, scaling, leaves)
        labels[name] = cluster(jax.lax.stop_gradient(features))
        incoming, outgoing = _per_copy(_merging_matrices)(features, labels[name])
        leaves = _replace_weights(spec, scaling, leaves, incoming, outgoing)
    return leaves, labels


def _merged_groups(spec: SymmetrySpec) -> list[tuple[str, str]]:
    """The permutation groups to merge, each with its scaling, whose exponents must be 1 and -1."""
    groups = spec.groups
    pairs = []
    for scaling, group in spec.members:
        partner = groups.get(group.axis)
        if (
            group.kind != SCALING
            or partner is None
            or partner.kind != PERMUTATION
            or partner.shape != group.shape
        ):
            continue
        powers = {dict(part.moves)[scaling] for _, _, part in spec.occurrences(scaling)}
        if powers == {1, -1}:
            pairs.append((group.axis, scaling))
    return sorted(pairs, key=lambda pair: list(groups).index(pair[0]))


def _incoming(spec: SymmetrySpec, scaling: str, leaves: Leaves) -> Float[Array, "*copies n d"]:
    """All incoming weights of each unit, side by side."""
    weights = [array for _, exponent, array in unit_weights(spec, scaling, leaves) if exponent == 1]
    return jnp.concatenate(weights, axis=-1)


class _Clusters(NamedTuple):
    """The centre and the sum of each cluster, at the number of its first unit; the units' labels; all distances."""

    centres: Float[Array, "n d"]
    sums: Float[Array, "n d"]
    labels: Int[Array, " n"]
    distances: Float[Array, "n n"]


def _cluster(features: Float[Array, "n d"], *, threshold: Scalar) -> Int[Array, " n"]:
    """The labels of a layer's units after all merges; -1 for units without incoming weights."""
    n, d = features.shape
    units = _directions(features)
    alive = jnp.any(features != 0, axis=1)
    limit = threshold + 8 * jnp.finfo(features.dtype).eps * jnp.sqrt(jnp.asarray(d, features.dtype))
    ahead = jnp.triu(jnp.ones((n, n), bool), 1)
    distances = jnp.where(ahead & alive[:, None] & alive, _distances(units, units), jnp.inf)

    def merge(state: _Clusters) -> _Clusters:
        i, j = jnp.divmod(jnp.argmin(state.distances), n)
        total = state.sums[i] + state.sums[j]
        centre = total / safe.norm(total)
        labels = jnp.where(state.labels == j, i, state.labels).astype(jnp.int32)
        is_first = labels == jnp.arange(n)
        row = jnp.where(is_first & (jnp.arange(n) != i), _distances(centre[None], state.centres)[0], jnp.inf)
        table = state.distances.at[j, :].set(jnp.inf).at[:, j].set(jnp.inf)
        table = table.at[i, :].set(jnp.where(jnp.arange(n) > i, row, jnp.inf))
        table = table.at[:, i].set(jnp.where(jnp.arange(n) < i, row, jnp.inf))
        return _Clusters(state.centres.at[i].set(centre), state.sums.at[i].set(total), labels, table)

    labels = jnp.where(alive, jnp.arange(n), -1).astype(jnp.int32)
    start = vary_with(_Clusters(units, units, labels, distances), features)
    return jax.lax.while_loop(
        lambda state: jnp.min(state.distances, initial=jnp.inf) <= limit, merge, start
    ).labels


def _distances(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
    """The Euclidean distance of each row of x to each row of y."""
    return jax.vmap(lambda one: jnp.linalg.norm(y - one, axis=1))(x)


def _directions(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """The rows scaled to norm 1; rows of zeros stay zero."""
    norms = jax.vmap(safe.norm)(features)[:, None]
    return features / jnp.where(norms > 0, norms, 1)


def _merging_matrices(features: Float[Array, "n d"], labels: Int[Array, " n"]) -> tuple[Array, Array]:
    """The matrices that turn the old incoming and the old outgoing weights into the merged ones."""
    n = labels.shape[0]
    norms = jax.vmap(safe.norm)(features)
    member = (labels == jnp.arange(n)[:, None]).astype(features.dtype)
    summed = member @ _directions(features)
    lengths = jax.vmap(safe.norm)(summed)
    incoming = member / jnp.where(norms > 0, norms, 1) / jnp.where(lengths > 0, lengths, 1)[:, None]
    return incoming, member * norms


def _replace_weights(
    spec: SymmetrySpec, scaling: str, leaves: Leaves, incoming: Array, outgoing: Array
) -> Leaves:
    """The leaves with the incoming and outgoing weights of a layer multiplied by matrices."""
    parents = spec.groups[scaling].parents
    replaced = dict(leaves)
    for leaf in spec.leaves:
        pieces = []
        for block, x in zip(blocks(leaf.layout), split(leaf.layout, leaves[leaf.path]), strict=True):
            names = [part.name for part in block.parts]
            for axis, part in enumerate(block.parts):
                exponent = dict(part.moves).get(scaling)
                if exponent is not None:
                    batch = [names.index(parent) for parent in parents]
                    x = multiply(x, axis, batch, incoming if exponent > 0 else outgoing)
            pieces.append(x)
        replaced[leaf.path] = join(leaf.layout, pieces, leaf.shape)
    return replaced


def _per_copy(function: Callable) -> Callable:
    """The function mapped over the leading axes of its first argument, which ends in [n, d]."""

    def mapped(features: Array, *others: Array):
        each = function
        for _ in range(features.ndim - 2):
            each = jax.vmap(each)
        return each(features, *others)

    return mapped
