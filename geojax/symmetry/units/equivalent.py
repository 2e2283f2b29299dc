"""Units that compute the same feature, up to a positive factor, made one: pruning without data."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import safe
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.action.groups import PERMUTATION, SCALING
from geojax.symmetry.action.layout import blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params, Scalar


@struct
class FeatureMergingResult:
    """What `merge_equivalent_units` did.

    `params` have the shapes they had, with zeros where units are gone; `labels` hold for each unit the number of the
    unit it went into, -1 for a unit that computed nothing, [parent sizes..., n] for each group.
    """

    params: Params
    labels: dict[str, Array]


def merge_equivalent_units(spec: SymmetrySpec, params: Params, *, threshold: Scalar) -> FeatureMergingResult:
    """Merges hidden units whose incoming weights are positive multiples of one another, or nearly so.

    Iterative feature merging: incoming weights are scaled to norm one, u_i, and the scale r_i is moved to the
    outgoing weights v_i, which changes nothing. While the closest two units of a layer have |u_i - u_j| <= threshold,
    they become one: u is the direction of the mean of all u it is made of, and v = sum_i r_i v_i. Where these u are
    equal the function stays the same. Layers are taken in the order of the spec's groups, no data are needed, and
    since shapes stay the whole thing runs under jit.

    Args:
        spec: The symmetry, from `infer`. Only groups with a positive scaling on their axis are merged, such as the
            units of relu layers: weights that scale with a unit come in, those that scale against it go out.
        params: Parameters that fit it.
        threshold: Largest distance of unit vectors, in [0, 2]; 0 merges what is equal up to rounding.

    Returns:
        FeatureMergingResult. Groups without such a scaling are left as they are and have no labels.

    Raises:
        ValueError: If ``params`` does not fit the spec.

    Differentiation: exact in params with the labels held.
    Complexity: O(n^2 d) a layer of n units with d incoming weights, and O(n^2 + n d) a merge.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.array([[3.0, 6.0, 0.0], [4.0, 8.0, 1.0]]), jnp.array([[1.0], [2.0], [5.0]])]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 2)))
        >>> found = gj.symmetry.units.merge_equivalent_units(spec, params, threshold=0.0)
        >>> found.labels["0"].tolist(), found.params[1].ravel().tolist()
        ([0, 0, 2], [25.0, 0.0, 5.0])

    References: [Chen2024].
    """
    spec.check(params)
    labels = {}
    for name, scaling in _merged_groups(spec):
        features = _incoming(spec, name, scaling, params)
        grouped = _per_copy(functools.partial(_clusters, threshold=threshold))(
            jax.lax.stop_gradient(features)
        )
        into, out = _per_copy(_maps)(features, grouped)
        params = _fold(spec, scaling, params, into, out)
        labels[name] = grouped
    return FeatureMergingResult(params, labels)


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
        ValueError: If ``params`` does not fit the spec.

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
    found = merge_equivalent_units(spec, params, threshold=threshold)
    return {
        name: jnp.sum(labels == jnp.arange(labels.shape[-1]), axis=-1, dtype=jnp.int32)
        for name, labels in found.labels.items()
    }


def _merged_groups(spec: SymmetrySpec) -> list[tuple[str, str]]:
    """The permutation groups to merge, each with its scaling: one that multiplies and divides by powers of one."""
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


def _incoming(spec: SymmetrySpec, name: str, scaling: str, params: Params) -> Float[Array, "*copies n d"]:
    """All weights that come into each unit, side by side."""
    group, leaves = spec.groups[name], dict(array_leaves(params))
    rows = []
    for leaf in spec.leaves:
        for block, array in zip(blocks(leaf.layout), split(leaf.layout, leaves[leaf.path]), strict=True):
            present = [part.name for part in block.parts]
            for axis, part in enumerate(block.parts):
                if dict(part.moves).get(scaling) == 1:
                    first = [*(present.index(parent) for parent in group.parents), axis]
                    rest = [k for k in range(len(present)) if k not in first]
                    rows.append(jnp.reshape(jnp.transpose(array, (*first, *rest)), (*group.shape, -1)))
    return jnp.concatenate(rows, axis=-1)


class _Clusters(NamedTuple):
    centres: Float[Array, "n d"]
    sums: Float[Array, "n d"]
    labels: Int[Array, " n"]
    distances: Float[Array, "n n"]


def _clusters(features: Float[Array, "n d"], *, threshold: Scalar) -> Int[Array, " n"]:
    """Labels of units after all merges; -1 for units without incoming weights."""
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
        there = labels == jnp.arange(n)
        row = jnp.where(there & (jnp.arange(n) != i), _distances(centre[None], state.centres)[0], jnp.inf)
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
    return jax.vmap(lambda one: jnp.linalg.norm(y - one, axis=1))(x)


def _directions(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    norms = jax.vmap(safe.norm)(features)[:, None]
    return features / jnp.where(norms > 0, norms, 1)


def _maps(features: Float[Array, "n d"], labels: Int[Array, " n"]) -> tuple[Array, Array]:
    """The matrices that make the merged incoming and outgoing weights of the old ones."""
    n = labels.shape[0]
    norms = jax.vmap(safe.norm)(features)
    member = (labels == jnp.arange(n)[:, None]).astype(features.dtype)
    summed = member @ _directions(features)
    lengths = jax.vmap(safe.norm)(summed)
    into = member / jnp.where(norms > 0, norms, 1) / jnp.where(lengths > 0, lengths, 1)[:, None]
    return into, member * norms


def _fold(spec: SymmetrySpec, scaling: str, params: Params, into: Array, out: Array) -> Params:
    """Parameters with the incoming and outgoing weights of a layer replaced."""
    layouts = {leaf.path: leaf for leaf in spec.leaves}
    parents = spec.groups[scaling].parents

    def moved(path, value):
        leaf = layouts.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        if leaf is None:
            return value
        pieces = []
        for block, x in zip(blocks(leaf.layout), split(leaf.layout, value), strict=True):
            present = [part.name for part in block.parts]
            for axis, part in enumerate(block.parts):
                power = dict(part.moves).get(scaling)
                if power is not None:
                    batch = [present.index(parent) for parent in parents]
                    x = multiply(x, axis, batch, into if power > 0 else out)
            pieces.append(x)
        return join(leaf.layout, pieces, leaf.shape)

    return jax.tree_util.tree_map_with_path(moved, params)


def _per_copy(function: Callable) -> Callable:
    """The function mapped over the leading axes of its first argument, which ends in [n, d]."""

    def mapped(features: Array, *others: Array):
        each = function
        for _ in range(features.ndim - 2):
            each = jax.vmap(each)
        return each(features, *others)

    return mapped
