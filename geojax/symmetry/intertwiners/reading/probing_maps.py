"""A map on redrawn inputs that groups move, beside its moved output, as `equivariance` checks it."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Array

from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.probing.draws import mixed
from geojax.symmetry.inference.probing.probe import Probe, difference


class MapProbe(Probe):
    """The map at moved inputs, f(g x), and its moved output, g f(x), block by block, compiled once.

    The leaves of its spec are those of the domain, then those of the codomain; the blocks of both are numbered in this
    order, so that what moves one block alone moves the input without the output or the output without the input.
    """

    def __init__(
        self,
        f: Callable[[Any], Any],
        tree: Any,
        domain: SymmetrySpec,
        codomain: SymmetrySpec,
        *,
        precision: Any,
    ):
        self.given = domain.leaves
        self.returned = codomain.leaves
        both = dataclasses.replace(domain, leaves=(*domain.leaves, *codomain.leaves))
        super().__init__(both, f, tree, (), precision=precision)

    def _moved(
        self,
        weights: list[Array],
        arrays: list[Array],
        element: Mapping[str, Array],
        mask: Array,
        outputs: list[Array] | None = None,
    ) -> list[Array]:
        """f(g x), then g applied to the outputs if they are given."""
        number = sum(1 for leaf in self.given for _ in blocks(leaf.layout))
        found = self.function(self.acted(self.given, weights, element, mask), arrays)
        return (
            found
            if outputs is None
            else [*found, *self.acted(self.returned, outputs, element, mask[number:])]
        )

    def _compare(
        self, draw: Any, element: Mapping[str, Any], chosen: Iterable[str], mask: np.ndarray
    ) -> float:
        acting = {name: (element if name in set(chosen) else self.rest)[name] for name in self.rest}
        with self.types():
            both = [np.asarray(out) for out in self.compiled(*draw, acting, mask, self.unmoved(draw))]
        count = len(self.returned)
        return difference(both[count:], both[:count])

    def _outputs(self, draw: Any) -> list[np.ndarray]:
        with self.types():
            shapes = [np.zeros(leaf.shape, self.dtype) for leaf in self.returned]
            found = self.compiled(*draw, self._identity(), np.ones(self.count, bool), shapes)
        return [np.asarray(out) for out in found[: len(self.returned)]]

    def change_by_mixing(self, draw: Any, leaf: int, places: np.ndarray, axis: int | None) -> float:
        """Relative change when the entries of one block are mixed, of an input or of the output."""
        number = leaf - len(self.given)
        if number < 0:
            return super().change_by_mixing(draw, leaf, places, axis)
        out = self.unmoved(draw)[number]
        return difference([out], [mixed(out, places, axis)])


def running_map_probe(
    f: Callable[[Any], Any], tree: Any, domain: SymmetrySpec, codomain: SymmetrySpec
) -> MapProbe:
    """A probe in float64; in float32 if the map does not run in float64; else in the map's own types."""
    for precision in (np.float64, np.float32):
        with contextlib.suppress(Exception):
            probe = MapProbe(f, tree, domain, codomain, precision=precision)
            probe.unmoved(probe.draw(np.random.default_rng(0)))
            return probe
    return MapProbe(f, tree, domain, codomain, precision=None)
