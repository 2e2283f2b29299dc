"""Running a plan: means of the input, shared by all maps; mixed while they are small; written once."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.symmetry.intertwiners.drawings.contraction import (
    diagonal,
    on_diagonals,
    ordered,
    spread,
    through_determinant,
)
from geojax.symmetry.intertwiners.plans.planning import POOL, Entry, Feature, Mix


class Means:
    """The means of the blocks of an input, each computed once, from the smallest that is there already."""

    def __init__(self, arrays: Sequence[Array], free: Sequence[bool]):
        self._arrays = arrays
        self._free = free
        self._known: dict[tuple[int, tuple[int, ...], tuple[int, ...]], Array] = {}

    def of(self, feature: Feature) -> Array:
        """The feature's array, its axes in their order, then the channels."""
        if feature.block == POOL:
            return self._pool()
        read = [label for label in dict.fromkeys(feature.inner) if label in feature.order]
        legs = [label for labels, *_ in feature.heads for label in labels]
        kept = tuple(sorted({*read, *legs}))
        x, labels = self._mean(feature.block, feature.inner, kept), list(kept)
        for leg, made, places_in, places_out, size in feature.heads:
            rest = [label for label in labels if label not in leg]
            x = ordered(x, labels, [*leg, *rest])
            x = through_determinant(x, places_in, places_out, size) / math.factorial(len(leg))
            labels = [*made, *rest]
        return ordered(x, labels, feature.order)

    def _mean(self, block: int, inner: tuple[int, ...], kept: tuple[int, ...]) -> Array:
        """The block on the diagonals of equal labels, its mean over all labels but ``kept``; axes by label."""
        key = block, inner, kept
        if key not in self._known:
            missing = [label for label in dict.fromkeys(inner) if label not in kept]
            if missing:
                sizes = [self._arrays[block].shape[inner.index(label)] for label in missing]
                last = missing[sizes.index(min(sizes))]
                more = tuple(sorted((*kept, last)))
                self._known[key] = self._mean(block, inner, more).mean(more.index(last))
            else:
                self._known[key] = diagonal(self._arrays[block], inner)[0]
        return self._known[key]

    def _pool(self) -> Array:
        means = [
            self._mean(block, tuple(range(array.ndim - 1)), ())
            for block, array in enumerate(self._arrays)
            if self._free[block]
        ]
        return jnp.mean(jnp.stack(means), 0)


def written(mixes: Sequence[Mix], theta: Mapping[str, Array], means: Means, shape: tuple[int, ...]) -> Array:
    """One block of the output: the sum of all its maps."""
    patterns: dict[tuple[int, ...], Array] = {}
    for mix in mixes:
        part = _mixed(mix, theta[mix.name], means)
        patterns[mix.outer] = patterns[mix.outer] + part if mix.outer in patterns else part
    total = jnp.zeros((), next(iter(patterns.values())).dtype)
    for outer, part in patterns.items():
        whole = spread(part, outer, part.ndim - 1)
        mask = on_diagonals(outer, shape, 1)
        total = total + (whole if mask is None else jnp.where(mask, whole, 0))
    return jnp.broadcast_to(total, (*shape, total.shape[-1]))


def _mixed(mix: Mix, theta: Array, means: Means) -> Array:
    """The features of a mix times their coefficients: an axis for each label, of length 1 where it is broadcast."""
    kept, shared, own = (
        tuple(mix.sizes[label] for label in labels) for labels in (mix.kept, mix.shared, mix.own)
    )
    weights = _full(mix, theta) if mix.apart else theta
    c_out = theta.shape[-1]
    if len(kept) > 1 and not shared:
        mixed = _turned(mix, weights, means)
    else:
        rows = [_flat(entry, means) for entry in mix.entries]
        features = rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=-1)
        c_in = features.shape[-1]
        matrix = weights.reshape(*shared, c_in, math.prod(own) * c_out)
        mixed = _product(features.reshape(math.prod(kept), *shared, c_in), matrix, len(shared))
    labels = (*mix.kept, *mix.shared, *mix.own)
    mixed = ordered(mixed.reshape(*kept, *shared, *own, c_out), labels, sorted(labels))
    present = dict(zip(sorted(labels), mixed.shape, strict=False))
    return mixed.reshape(*(present.get(label, 1) for label in range(len(mix.sizes))), c_out)


def _turned(mix: Mix, weights: Array, means: Means) -> Array:
    """Features of several axes: those that are one array in other orders are mixed at once, and turned afterwards.

    So nothing large is copied before the product, and the turns are part of the sum that writes the output.
    """
    sources: dict[Feature, list[tuple[tuple[int, ...], Array]]] = {}
    start = 0
    for entry in mix.entries:
        feature, stop = entry.feature, start + entry.width
        turns = len(feature.order) - feature.last
        plain = tuple(sorted(feature.order[:turns])) + feature.order[turns:]
        source = dataclasses.replace(feature, order=plain)
        back = tuple(plain.index(label) for label in feature.order[:turns])
        part = weights[start:stop]
        sources.setdefault(source, []).append((back, part.reshape(part.shape[0] * part.shape[1], -1)))
        start = stop
    total = None
    for source, uses in sources.items():
        x = means.of(source)
        shape = x.shape[: x.ndim - 1 - source.last]
        matrix = jnp.concatenate([part for _, part in uses], axis=-1) if len(uses) > 1 else uses[0][1]
        product = jnp.matmul(x.reshape(math.prod(shape), -1), matrix, precision="highest")
        width = product.shape[-1] // len(uses)
        for number, (back, _) in enumerate(uses):
            part = product[:, number * width : (number + 1) * width].reshape(*shape, width)
            part = jnp.transpose(part, (*back, len(shape)))
            total = part if total is None else total + part
    assert total is not None
    return total


def _product(features: Array, matrix: Array, shared: int) -> Array:
    """Features [kept, shared..., in] times matrix [shared..., in, out], batched over the shared axes."""
    batch = tuple(range(shared))
    dims = (((shared + 1,), (shared,)), (tuple(axis + 1 for axis in batch), batch))
    product = jax.lax.dot_general(features, matrix, dims, precision="highest")
    return jnp.moveaxis(product, shared, 0)


def _flat(entry: Entry, means: Means) -> Array:
    """A feature with the axes that are summed over and the channels as one."""
    x = means.of(entry.feature)
    return x.reshape(*x.shape[: x.ndim - 1 - entry.feature.last], -1)


def _full(mix: Mix, theta: Array) -> Array:
    """The coefficients of a mix whose indices must differ, with zeros at those that do not."""
    (entry,) = mix.entries
    dense = [*(mix.sizes[label] for label in (*mix.shared, *mix.own)), *entry.summed]
    c_in, c_out = theta.shape[1:]
    table = jnp.zeros((*dense, c_in, c_out), theta.dtype).at[tuple(zip(*mix.apart, strict=True))].set(theta)
    shared, own, summed = len(mix.shared), len(mix.own), len(entry.summed)
    axes = range(table.ndim)
    order = (
        *axes[:shared],
        *axes[shared + own : shared + own + summed],
        axes[-2],
        *axes[shared : shared + own],
        axes[-1],
    )
    return jnp.transpose(table, order)
