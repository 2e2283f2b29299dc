"""Matching by weights: the element that brings one model's parameters closest to another's."""

from collections.abc import Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.struct import struct
from geojax.results import Status
from geojax.symmetry.action.elements import Element
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import set_up
from geojax.symmetry.ascent.lazy_sweeps import lazy_match
from geojax.symmetry.ascent.problem import Moves, Problem, objective
from geojax.symmetry.ascent.sweeps import Match, ascend
from geojax.typing import Key, Params


@struct
class MatchingResult:
    """What a matching found.

    Attributes:
        element: The group element that moves b onto a: ``act(spec, element, params_b)`` is near ``params_a``.
        objective: What was maximised, at the element.
        error: By how much the last sweep still raised it; 0 once nothing can move.
        num_steps: Sweeps taken.
        status: A `geojax.Status` code.
    """

    element: Element
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def weight_matching(
    spec: SymmetrySpec,
    params_a: Params,
    params_b: Params,
    *,
    key: Key,
    init: Mapping[str, Array] | None = None,
    max_sweeps: int = 100,
) -> MatchingResult:
    """Moves one model through its symmetries so that its weights agree with another's.

    Maximises  J(k) = sum over leaves <a', act(k, b')>  over the compact groups of the spec, which is the same as
    minimising |a' - act(k, b')|^2. Here a' = act(g_a, a) and b' = act(g_b, b) are the models in their balanced
    gauges: positive scalings and general linear groups are brought to least norm first, which leaves a rotation of
    each linear group free. J therefore does not depend on the scales that either model came with. The element is
    g_a^-1 k g_b, which moves b to where a is. Without scalings and linear groups a' = a and b' = b.

    Coordinate ascent: each sweep visits the groups in a random order and solves each exactly while the others stay:
    permutations by assignment, together with signs on the same axis; signs alone; rotations by a singular value
    decomposition. The first sweep goes from the groups with most weights on held axes (inputs, outputs) to the rest,
    and each counts only the leaves whose other groups have had their turn; it goes back and there again, thrice, with
    leaves whose groups have yet to have their next turn counting for less; it is undone if the start was better. A
    group with parents is one problem for each index of its parents; a group that others depend on is solved together
    with them, in two levels; a group on two axes of one leaf (a recurrent kernel) is quadratic, climbed by
    Frank-Wolfe. J never falls, and a group is visited again only if a group it shares a leaf with has moved.

    Args:
        spec: The symmetry of the function, from `infer`.
        params_a: The model to match, a tree that fits the spec.
        params_b: The model to move, a tree that fits the spec.
        key: Random key, for the order of the groups in each sweep.
        init: Element to start from; its scalings and linear maps count up to the balanced gauges. A group that
            is absent starts at the identity, and takes part in the first sweep as described.
        max_sweeps: Most sweeps over all groups.

    Returns:
        MatchingResult; objective is J. Where an axis has permutations beside rotations or linear maps, the nearest
        permutation is given as such. Leaves that do not hold floating or complex numbers take no part; to hold a
        group, take it out with ``spec.without``.

    Raises:
        ValueError: If a tree does not fit the spec, or ``init`` holds an unknown group or a wrong shape.

    Status: CONVERGED when a whole sweep moves nothing; MAX_STEPS; NONFINITE if a weight or the objective is
        not finite.
    Differentiation: element, error and num_steps are constant (stop_gradient); objective is exact with the
        element and the gauges held; without scalings and linear groups that is the gradient of the best objective
        where it has one.
    Complexity: a sweep costs the contraction of every leaf with its partner for each of its groups, O(leaf
        size x n), and assignments or decompositions in O(n^3); a parent of size m with a child of size n
        needs m^2 of size n. The balanced gauge costs a few dozen passes over the parameters.
    Devices: called outside `jit` with leaves that are divided among devices, it visits the groups from Python and
        gathers at most a leaf of each model at a time; inside, the compiler decides.
    Batch: jax.vmap over the pairs of models and keys; the pairs of a batch are taken one after another, each
        until it has converged. jax.vmap over keys or over ``init`` makes several starts.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> planted = gj.symmetry.random_element(spec, jax.random.key(2))
        >>> moved = gj.symmetry.act(spec, planted, params)
        >>> found = gj.unwrap(gj.symmetry.weight_matching(spec, moved, params, key=jax.random.key(3)))
        >>> bool(all(jnp.array_equal(found.element[name], planted[name]) for name in planted))
        True

    References: [Ainsworth2022], Alg. 1; [Vogelstein2015] for groups on two axes; [Schoenemann1966] for
        rotations; [KempfNess1979] for the gauge.
    """
    checks.typed_key("weight_matching", key)
    setting = set_up("weight_matching", spec, params_a=params_a, params_b=params_b)
    start, settled = setting.start("weight_matching", init)
    a, b = setting.arrays
    if _divided([*a, *b]):
        max_sweeps = checks.count("weight_matching", "max_sweeps", max_sweeps)
        found = lazy_match(
            setting.problem,
            lambda number: (a[number], b[number]),
            [array.size for array in a],
            start,
            key=key,
            settled=settled,
            max_sweeps=max_sweeps,
            dtype=setting.dtype,
        )
    else:
        found = match_pairs(setting.problem, a, b, start, key=key, settled=settled, max_sweeps=max_sweeps)
    element = setting.element(found.moves)
    return MatchingResult(element, found.objective, found.error, found.num_steps, found.status)


def match_pairs(
    problem: Problem,
    a: Sequence[Array],
    b: Sequence[Array],
    start: Moves,
    *,
    key: Key | None,
    settled: Collection[str],
    max_sweeps: int,
) -> Match:
    """Coordinate ascent on pairs of arrays, from ``start``, of which the groups in ``settled`` are meant."""
    max_sweeps = checks.count("matching", "max_sweeps", max_sweeps)
    held = jax.lax.stop_gradient((list(a), list(b), {name: start[name] for name in problem.parents}))
    found, error, num_steps, status = ascend(
        problem, *held, key, settled=tuple(sorted(settled)), max_sweeps=max_sweeps
    )
    moves = {**start, **found}
    value = objective(problem, a, b, moves)
    status = jnp.where(jnp.isfinite(value), status, Status.NONFINITE)
    return Match(moves, value, error, num_steps, status)


def _divided(arrays: Sequence[Array]) -> bool:
    """Whether arrays that are known, not traced, lie in parts on several devices."""
    known = all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in arrays)
    return known and any(not x.sharding.is_fully_replicated for x in arrays)
