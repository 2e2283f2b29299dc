"""REPAIR: restoring the statistics of a merged network's activations, which averaging changes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, safe
from geojax._core.tree import is_numeric
from geojax._program import jaxprs
from geojax._program.arguments import flatten
from geojax._program.walk import Cursor, walk
from geojax.merging.activations.chains import Placed, Standardisation
from geojax.merging.activations.sites import Reading, Site, read
from geojax.merging.leaves import same_model, wide
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params, Scalar

__all__ = ["repair"]

Moments = tuple[Array, Array]


def repair(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    merged: Params,
    params_a: Params,
    params_b: Params,
    *inputs: Any,
    t: Scalar,
) -> Params:
    """Resets the statistics of a merged network's units to those between its two endpoints.

    A unit averaged from two that are not perfectly alike varies less than either, and the loss of variance grows from
    layer to layer. For every unit that a group of the spec moves, with pre-activation z, mean m and standard deviation
    d over samples and positions, the leaves from which z is computed are rescaled so that
    m = (1 - t) m_a + t m_b  and  d = (1 - t) d_a + t d_b.  Running means and variances (batch normalisation) are set to
    those of the merged network first. Layers are corrected in the order in which the program runs, each on the inputs
    that the corrected layers before it give.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function, ``apply(params, *inputs)``, in the form that evaluates: running statistics are parameters.
        merged: The network to repair, as a rule ``interpolate(params_a, params_b, t)``.
        params_a: The endpoint at t = 0.
        params_b: The endpoint at t = 1, already aligned with params_a.
        inputs: The rest of apply's arguments: calibration inputs, a few hundred samples or more.
        t: Where merged lies between the endpoints.

    Returns:
        A tree like merged. Changed are kernels with their biases, gains with their offsets, running means and
        variances. A unit stays as it is if the program reads one of its leaves more than once (tied weights), or
        inside a loop or branch. If there is no bias only the standard deviation is set; a unit that never varies
        keeps its scale.

    Raises:
        ValueError: If a tree does not fit the spec or another one, or t is not a scalar.
        TypeError: If leaves differ in dtype.

    Differentiation: exact, through the statistics as well.
    Complexity: three evaluations of apply on the inputs.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.relu(x @ p["w"] + p["b"]) @ p["v"]
        >>> draw = lambda k: {"b": jnp.zeros(8), "v": jnp.ones((8, 2)), "w": jax.random.normal(k, (4, 8))}
        >>> a, b = draw(jax.random.key(0)), draw(jax.random.key(1))
        >>> x = jax.random.normal(jax.random.key(2), (500, 4))
        >>> spec = gj.symmetry.infer(mlp, a, x)
        >>> middle = gj.merging.interpolate(a, b, 0.5)
        >>> fixed = gj.merging.repair(spec, mlp, middle, a, b, x, t=0.5)
        >>> spread = lambda p: jnp.std(x @ p["w"] + p["b"], axis=0)
        >>> bool(jnp.allclose(spread(fixed), (spread(a) + spread(b)) / 2, rtol=1e-4))
        True

    References: [Jordan2023].
    """
    spec.check(merged)
    same_model("repair", "merged", merged, "params_a", params_a)
    same_model("repair", "params_b", params_b, "params_a", params_a)
    checks.shapes("repair", t=(t, ""))
    function, leaves, arrays = flatten(apply, merged, inputs)
    ends = [flatten(apply, params, inputs)[1] for params in (params_a, params_b)]
    program = jaxprs.trace(function, leaves, arrays)
    reading = read(program, [jnp.shape(leaf) for leaf in leaves], _hidden(spec))
    seen = [_observed(reading, program, [*end, *arrays]) for end in ends]
    corrector = _Corrector(reading, leaves, seen, t)
    _run(program, [*leaves, *arrays], corrector.visit)
    return _put_back(merged, corrector.leaves)


def _hidden(spec: SymmetrySpec) -> list[frozenset[int]]:
    """For each leaf its axes that a permutation moves."""
    groups = spec.groups
    return [
        frozenset(
            part.axis
            for block in blocks(leaf.layout)
            for part in block.parts
            if any(groups[name].kind == PERMUTATION for name, _ in part.moves)
        )
        for leaf in spec.leaves
    ]


def _put_back(params: Params, arrays: Sequence[Array]) -> Params:
    remaining = iter(arrays)
    return jax.tree.map(lambda leaf: next(remaining) if is_numeric(leaf) else leaf, params)


Visit = Callable[[int, Sequence[Any], Any], Any]
"""What the first output of an equation becomes, from its position, its inputs and that output."""


def _run(program: jaxprs.Body, values: Sequence[Any], visit: Visit) -> None:
    """Evaluates a program, with ``visit`` called on the first output of every equation."""
    cursor = Cursor()

    def step(eqn: Any, inputs: list[Any]) -> list[Any]:
        outputs = jaxprs.evaluate(eqn, inputs)
        if outputs:
            outputs[0] = visit(cursor.position, inputs, outputs[0])
        return outputs

    walk(program, values, step, constant=lambda number: number, unused=None, cursor=cursor)


def _observed(reading: Reading, program: jaxprs.Body, values: Sequence[Any]) -> dict[int, Moments]:
    """The mean and standard deviation of every unit, by the position of its site."""
    moments: dict[int, Moments] = {}

    def visit(position: int, inputs: Sequence[Any], value: Any) -> Any:
        if position in reading.sites:
            moments[position] = _moments(value, reading.sites[position].units)
        return value

    _run(program, values, visit)
    return moments


class _Corrector:
    """Corrects every value at a site, and the leaves it is computed from, as the program runs."""

    def __init__(
        self, reading: Reading, leaves: Sequence[Any], seen: Sequence[dict[int, Moments]], t: Scalar
    ):
        self.reading = reading
        self.leaves = list(leaves)
        self.seen = seen
        self.t = t
        self.centred = {s.centred: s for s in reading.standardisations}
        self.scaled = {s.scaled: s for s in reading.standardisations}
        self.spread: dict[int, Array] = {}

    def visit(self, position: int, inputs: Sequence[Any], value: Any) -> Any:
        """The corrected value of an equation."""
        if position in self.centred:
            value = self.centre(self.centred[position], inputs[0])
        if position in self.scaled:
            value = self.standardise(self.scaled[position], value)
        if position in self.reading.sites:
            value = self.correct(position, self.reading.sites[position], value)
        return value

    def centre(self, place: Standardisation, value: Array) -> Array:
        mean, deviation = _moments(value, place.units)
        self.spread[place.scaled] = deviation**2
        self.put(place.mean, lambda _: mean)
        return (value - _along(mean, place.units, value.ndim)).astype(value.dtype)

    def standardise(self, place: Standardisation, value: Array) -> Array:
        leaf, axes = place.variance
        new = self.spread[place.scaled]
        old = jnp.moveaxis(jnp.asarray(self.leaves[leaf]), axes, range(-len(axes), 0)).reshape(new.shape)
        ratio = jnp.sqrt((old + place.epsilon) / (new + place.epsilon))
        self.put(place.variance, lambda _: new)
        return (value * _along(ratio, place.units, value.ndim)).astype(value.dtype)

    def correct(self, position: int, site: Site, value: Array) -> Array:
        mean, deviation = _moments(value, site.units)
        t = jnp.asarray(self.t, mean.dtype)
        ends = [moments[position] for moments in self.seen]
        wanted = [(1 - t) * a + t * b for a, b in zip(*ends, strict=True)]
        varies = deviation > 0
        gain = jnp.where(varies, wanted[1] / jnp.where(varies, deviation, 1), 1)
        offset = wanted[0] - gain * mean
        for placed in site.scales:
            self.put(placed, lambda old: old * gain)
        if site.shift is None:
            offset = jnp.zeros_like(offset)
        else:
            self.put(site.shift, lambda old: old + offset)
        gain, offset = (_along(x, site.units, value.ndim) for x in (gain, offset))
        return (value * gain + offset).astype(value.dtype)

    def put(self, placed: Placed, change: Callable[[Array], Array]) -> None:
        """Replaces a leaf by ``change(leaf)``, where the axes of the units are the last ones, in their order."""
        leaf, axes = placed
        old = jnp.asarray(self.leaves[leaf])
        moved = jnp.moveaxis(old, axes, range(-len(axes), 0))
        new = jnp.broadcast_to(change(moved), moved.shape).astype(old.dtype)
        self.leaves[leaf] = jnp.moveaxis(new, range(-len(axes), 0), axes)


def _moments(value: Array, units: Sequence[int]) -> Moments:
    """Mean and standard deviation over all dimensions except those of the units, which are kept in their order."""
    rest = tuple(dim for dim in range(value.ndim) if dim not in units)
    moved = jnp.moveaxis(value, units, range(-len(units), 0)).astype(wide(value.dtype))
    over = tuple(range(len(rest)))
    return jnp.mean(moved, over), safe.sqrt(jnp.var(moved, over))


def _along(x: Array, units: Sequence[int], rank: int) -> Array:
    """An array over units, reshaped to broadcast along their dimensions of an array of the given rank."""
    ordered = jnp.transpose(x, _ranks(units))
    return jnp.expand_dims(ordered, tuple(dim for dim in range(rank) if dim not in units))


def _ranks(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(numbers)), key=lambda i: numbers[i]))
