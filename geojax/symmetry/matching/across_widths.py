"""Matching networks of different widths: each unit of the narrower layer has a partner in the wider one."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.layout import Cut, Layout
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact import rest
from geojax.symmetry.ascent.movers import movers_of, read_leaves
from geojax.symmetry.ascent.problem import real_dtype
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.typing import Key, Params


def width_matching(
    spec_a: SymmetrySpec,
    spec_b: SymmetrySpec,
    params_a: Params,
    params_b: Params,
    *,
    key: Key,
    max_sweeps: int = 100,
) -> MatchingResult:
    """Brings one model to the widths of another so that their weights agree.

    Maximises  J(S) = sum over leaves <a, S b>  over couplings S with entries 0 and 1, one [n_a, n_b] for each
    permutation group, at most one 1 in a row or a column and min(n_a, n_b) of them: optimal transport between units
    of equal mass where what has no partner stays behind. ``act(spec_b, element, params_b)`` then has the shapes of
    ``params_a``: units of b without a partner are left out, and new units have zero weights in and out, so that a
    layer which only becomes wider computes what it did. Coordinate ascent as in `weight_matching`, on models padded
    with zeros to common widths. With equal widths and no other groups it is `weight_matching`.

    Args:
        spec_a: The symmetry of the model to match.
        spec_b: The symmetry of the model to bring there: the same groups and leaves, with other sizes.
        params_a: Parameters that fit spec_a.
        params_b: Parameters that fit spec_b.
        key: Random key, for the order of the groups in each sweep.
        max_sweeps: Most sweeps over all groups.

    Returns:
        MatchingResult; element holds a floating coupling [parent sizes..., n_a, n_b] for each permutation group and
        nothing else: other groups are held as they are.

    Raises:
        ValueError: If a tree does not fit its spec, or the specs differ in more than sizes.

    Status: CONVERGED when a whole sweep moves nothing; MAX_STEPS; NONFINITE if a weight or the objective is not finite.
    Differentiation: element is constant (stop_gradient); objective is exact with the element held.
    Complexity: that of `weight_matching` at the larger of the two widths.
    Batch: jax.vmap over the pairs of models and keys.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> net = lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1]
        >>> narrow = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> wide = [jnp.pad(narrow[0], ((0, 0), (2, 0))), jnp.pad(narrow[1], ((2, 0), (0, 0)))]
        >>> spec_a, spec_b = (gj.symmetry.infer(net, p, jnp.ones((3, 4))) for p in (narrow, wide))
        >>> found = gj.unwrap(gj.symmetry.width_matching(spec_a, spec_b, narrow, wide, key=jax.random.key(2)))
        >>> cut = gj.symmetry.act(spec_b, found.element, wide)
        >>> all(bool(jnp.array_equal(x, y)) for x, y in zip(cut, narrow))
        True

    References: [Singh2020].
    """
    where = "width_matching"
    checks.typed_key(where, key)
    spec_a, spec_b = (
        spec.without(*(name for name, group in spec.members if group.kind != PERMUTATION))
        for spec in (spec_a, spec_b)
    )
    if _outline(spec_a) != _outline(spec_b):
        raise ValueError(
            f"{where}: spec_b has the groups {', '.join(spec_b.groups) or 'none'} on the leaves "
            f"{', '.join(leaf.path for leaf in spec_b.leaves)}; expected those of spec_a, with other sizes at most. "
            "Infer both from one function at different widths."
        )
    problem, (a,) = read_leaves(where, spec_a, movers_of(spec_a), params_a=params_a)
    _, (b,) = read_leaves(where, spec_b, movers_of(spec_b), params_b=params_b)
    dtype = jnp.result_type(*a, *b) if a else jnp.dtype(jnp.float32)
    shapes = [_larger(x.shape, y.shape) for x, y in zip(a, b, strict=True)]
    x, y = ([_padded(z, shape, dtype) for z, shape in zip(each, shapes, strict=True)] for each in (a, b))
    start = {
        name: rest(PERMUTATION, shape, jnp.int32) for name, shape in _common_sizes(spec_a, spec_b).items()
    }
    found = match_pairs(problem, x, y, start, key=key, settled=(), max_sweeps=max_sweeps)
    element = {name: _coupling(spec_a, spec_b, name, found.moves, real_dtype(x)) for name in start}
    return MatchingResult(element, found.objective, found.error, found.num_steps, found.status)


def _outline(spec: SymmetrySpec) -> tuple:
    """What two specs of one function at different widths have in common."""
    members = tuple((name, group.parents) for name, group in spec.members)
    return members, tuple((leaf.path, _shape_free(leaf.layout)) for leaf in spec.leaves)


def _shape_free(layout: Layout) -> tuple:
    if isinstance(layout, Cut):
        return layout.dim, tuple(_shape_free(piece) for piece in layout.pieces)
    return tuple((part.axis, part.name, part.moves) for part in layout.parts)


def _common_sizes(spec_a: SymmetrySpec, spec_b: SymmetrySpec) -> dict[str, tuple[int, ...]]:
    """The shape of each group's permutations at the larger of two widths."""
    return {name: _larger(group.shape, spec_b.groups[name].shape) for name, group in spec_a.members}


def _larger(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(n, m) for n, m in zip(one, two, strict=True))


def _padded(x: Array, shape: tuple[int, ...], dtype) -> Array:
    return jnp.pad(x.astype(dtype), [(0, n - m) for n, m in zip(shape, x.shape, strict=True)])


def _coupling(
    spec_a: SymmetrySpec, spec_b: SymmetrySpec, name: str, moves: Mapping[str, Array], dtype
) -> Array:
    """The partners among the units that are there: rows of the first model, columns of the second."""
    *parents, rows = spec_a.groups[name].shape
    whole = jax.nn.one_hot(moves[name], moves[name].shape[-1], dtype=dtype)
    return whole[(*(slice(n) for n in parents), slice(rows), slice(spec_b.groups[name].size))]
