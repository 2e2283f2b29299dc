"""Matching networks of different widths: each unit of the narrower layer gets a partner in the wider one."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.layout import Cut, Layout
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact_groups import compact_groups, pair_up
from geojax.symmetry.ascent.kinds import identity_of
from geojax.symmetry.ascent.problem import real_dtype
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Key, Params


def width_matching(
    spec_a: SymmetrySpec,
    spec_b: SymmetrySpec,
    params_a: Params,
    params_b: Params,
    *,
    key: Key,
    max_steps: int = 100,
) -> MatchingResult:
    """Brings one model to the widths of another so that their weights agree.

    Maximises  J(S) = sum over leaves <a, S b>  over couplings S with entries 0 and 1, one [n_a, n_b] for each
    permutation group, with at most one 1 in each row and column and min(n_a, n_b) in all: partial optimal transport
    between units of equal mass. ``act(spec_b, element, params_b)`` has the shapes of ``params_a``: units of b without
    a partner are left out, and new units have incoming and outgoing weights 0, so that a layer which only becomes
    wider computes the same as before. Coordinate ascent as in `weight_matching`, on models padded with zeros to common
    widths. With equal widths and no other groups it is `weight_matching`.

    Args:
        spec_a: The symmetry of the model to match.
        spec_b: The symmetry of the model to move: the same groups and leaves, with other sizes.
        params_a: Parameters that fit spec_a.
        params_b: Parameters that fit spec_b.
        key: Random key, for the order of the groups in each sweep.
        max_steps: Most sweeps over all groups.

    Returns:
        MatchingResult; element holds a floating coupling [parent sizes..., n_a, n_b] for each permutation group. It
        has no array for the other groups, which stay at the identity.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a tree does not fit its spec, or the specs differ in more than sizes.

    Status: CONVERGED if a whole sweep moves nothing; MAX_STEPS; NONFINITE if a weight or the objective is not finite.
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
        >>> result = gj.unwrap(gj.symmetry.width_matching(spec_a, spec_b, narrow, wide, key=jax.random.key(2)))
        >>> cut = gj.symmetry.act(spec_b, result.element, wide)
        >>> all(bool(jnp.array_equal(x, y)) for x, y in zip(cut, narrow))
        True

    References: [Singh2020].
    """
    where = "width_matching"
    call = "width_matching(spec_a, spec_b, params_a, params_b, key=key)"
    check_spec(call, spec_a)
    check_spec(call, spec_b)
    checks.typed_key(where, key)
    max_steps = checks.count(where, "max_steps", max_steps)
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
    problem, (a,) = pair_up(spec_a, compact_groups(spec_a), read_params(call, spec_a, params_a=params_a))
    _, (b,) = pair_up(spec_b, compact_groups(spec_b), read_params(call, spec_b, params_b=params_b))
    dtype = jnp.result_type(*a, *b) if a else jnp.dtype(jnp.float32)
    shapes = [_larger(x.shape, y.shape) for x, y in zip(a, b, strict=True)]
    x, y = ([_padded(z, shape, dtype) for z, shape in zip(each, shapes, strict=True)] for each in (a, b))
    start = {
        name: identity_of(PERMUTATION, shape, jnp.int32)
        for name, shape in _common_sizes(spec_a, spec_b).items()
    }
    match = match_pairs(problem, x, y, start, key=key, given=(), max_steps=max_steps)
    element = {name: _coupling(spec_a, spec_b, name, match.element, real_dtype(x)) for name in start}
    return MatchingResult(element, match.objective, match.error, match.num_steps, match.status)


def _outline(spec: SymmetrySpec) -> tuple:
    """The parts of a spec that are the same for one function at different widths."""
    members = tuple((name, group.parents) for name, group in spec.members)
    return members, tuple((leaf.path, _shape_free(leaf.layout)) for leaf in spec.leaves)


def _shape_free(layout: Layout) -> tuple:
    """A layout without its sizes."""
    if isinstance(layout, Cut):
        return layout.dim, tuple(_shape_free(piece) for piece in layout.pieces)
    return tuple((part.axis, part.name, part.moves) for part in layout.parts)


def _common_sizes(spec_a: SymmetrySpec, spec_b: SymmetrySpec) -> dict[str, tuple[int, ...]]:
    """The shape of each group's permutations at the larger of the two widths."""
    return {name: _larger(group.shape, spec_b.groups[name].shape) for name, group in spec_a.members}


def _larger(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    """The elementwise maximum."""
    return tuple(max(n, m) for n, m in zip(one, two, strict=True))


def _padded(x: Array, shape: tuple[int, ...], dtype) -> Array:
    return jnp.pad(x.astype(dtype), [(0, n - m) for n, m in zip(shape, x.shape, strict=True)])


def _coupling(
    spec_a: SymmetrySpec, spec_b: SymmetrySpec, name: str, element: Mapping[str, Array], dtype
) -> Array:
    """The coupling of the units of the first model, rows, and of the second, columns, without the padding."""
    *parents, rows = spec_a.groups[name].shape
    whole = jax.nn.one_hot(element[name], element[name].shape[-1], dtype=dtype)
    return whole[(*(slice(n) for n in parents), slice(rows), slice(spec_b.groups[name].size))]
