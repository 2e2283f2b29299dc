"""How much of the continuous symmetry a spec holds: the dimension its groups reach, and a bound from the Jacobian."""

from typing import Any

import jax
import numpy as np

from geojax._core.tree import is_numeric
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.dimension import jacobian, orbit_dimension
from geojax.symmetry.inference.probing.draws import redraw
from geojax.symmetry.inference.probing.probe import Probe
from geojax.typing import Params

SMALL = 256
REDRAWS = 512
ROWS = 4 * SMALL
SPREADS = (0.6, 3.0)
"""How far inputs are drawn from the given ones, by turns: near them, and so that most of their signs change."""


def reach(spec: SymmetrySpec, probe: Probe, params: Params) -> tuple[int, int] | None:
    """Dimension that the continuous groups reach, and its upper bound: the number of parameters read, minus a rank.

    The rank is that of the Jacobian of the outputs on redrawn inputs. It counts once it has stopped growing: twice as
    many rows have the same rank, or the groups reach the bound. None if it has not, for functions of many parameters,
    and for programs that are not computed in float64 throughout, whose ranks are those of rounding errors.
    """
    read = [leaf.read for leaf in spec.leaves]
    count = sum(_coordinates(leaf) for leaf, use in zip(probe.weights, read, strict=True) if use)
    if not 0 < count <= SMALL or not probe.exact:
        return None
    generator = np.random.default_rng(0)
    with probe.types():
        weights, _ = probe.draw(generator)
        leaves, tree = jax.tree_util.tree_flatten(params)

        def reached(weights: list[Any]) -> Any:
            moving = iter(weights)
            redrawn = [next(moving) if is_numeric(leaf) else leaf for leaf in leaves]
            return orbit_dimension(spec, jax.tree_util.tree_unflatten(tree, redrawn))

        found = int(jax.jit(reached)(weights))
        outputs = jax.eval_shape(probe.function, weights, probe.inputs)
        if not any(jax.dtypes.issubdtype(out.dtype, np.inexact) for out in outputs):
            return None
        rank = _final_rank(probe, weights, generator, count - found)
    return None if rank is None else (found, count - rank)


def _final_rank(probe: Probe, weights: list[Any], generator: np.random.Generator, highest: int) -> int | None:
    """The rank at which the Jacobian stops growing with the inputs, at most ``highest``; None if it does not stop."""
    derivative = jax.jit(lambda weights, arrays: jacobian(probe.function, weights, arrays))
    rows: list[np.ndarray] = []
    rank, counted, count = -1, 0, 0
    given: list[Any] = []
    for number in range(REDRAWS):
        before, given = given, [_varied(array, generator, SPREADS[number % 2]) for array in probe.inputs]
        if number and all(np.array_equal(a, b) for a, b in zip(before, given, strict=True)):
            return None  # the inputs cannot be varied
        more = np.asarray(derivative(weights, given))[:ROWS]
        rows.append(more[np.all(np.isfinite(more), axis=1)])
        count += len(rows[-1])
        if not count:
            return None  # no derivative is finite
        if count < 2 * counted:
            continue
        last, rank = rank, _rank(np.concatenate(rows))
        if rank >= highest or not given or (rank == last and rank < counted):
            return rank
        counted = count
        if count > 4 * ROWS:
            break
    return None


def _rank(matrix: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(matrix)) if matrix.size else 0


def _varied(array: Any, generator: np.random.Generator, spread: float) -> Any:
    """An input drawn anew; integers are drawn among those that occur."""
    if not jax.dtypes.issubdtype(array.dtype, np.integer) or not array.size:
        return redraw(array, generator, spread)
    values = np.asarray(array)
    return generator.choice(values.reshape(-1), values.shape).astype(values.dtype)


def _coordinates(leaf: Any) -> int:
    """How many real numbers a leaf holds that may change continuously."""
    if jax.dtypes.issubdtype(leaf.dtype, np.complexfloating):
        return 2 * leaf.size
    return leaf.size if jax.dtypes.issubdtype(leaf.dtype, np.floating) else 0
