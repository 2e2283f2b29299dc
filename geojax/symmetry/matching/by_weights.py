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
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.lazy_sweeps import lazy_match
from geojax.symmetry.ascent.problem import CompactElement, Problem, objective
from geojax.symmetry.ascent.sweeps import Match, ascend
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Key, Params


@struct
class MatchingResult:
    """The element that a matcher returns, and how the search for it ended.

    Attributes:
        element: The group element that moves b onto a: ``act(spec, element, params_b)`` is near ``params_a``.
        objective: The value at the element of what was maximised.
        error: How much the last sweep raised the objective; 0 if no group could move.
        num_steps: Number of sweeps.
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
    max_steps: int = 100,
) -> MatchingResult:
    """Moves one model through its symmetries so that its weights agree with another's.

    Maximises  J(k) = sum over leaves <a', act(k, b')>  over the compact groups of the spec, which is the same as
    minimising |a' - act(k, b')|^2. Here a' = act(g_a, a) and b' = act(g_b, b) are the balanced models: positive
    scalings and general linear groups are first chosen to minimise the norm, which leaves a rotation of each linear
    group free. J therefore does not depend on how either model was scaled. The element is g_a^-1 k g_b, which moves b
    to where a is. Without scalings and linear groups a' = a and b' = b.

    Coordinate ascent: each sweep visits the groups in a random order and solves each exactly while the others stay:
    permutations by assignment, together with signs on the same axis; signs alone; rotations by a singular value
    decomposition. The first sweep begins with the groups that have most of their weights on axes that no group moves
    (inputs, outputs), and each group counts only the leaves whose other groups had their turn. The sweep then runs
    backwards and forwards again, six passes in all, in which leaves that still wait for another group count for
    less. It is undone if the start was better. A group with parents is one problem for each index of its parents. A
    group that others depend on is solved together with them, on two levels. A group on two axes of one leaf (a
    recurrent kernel) has a quadratic objective, which Frank-Wolfe climbs. J never falls, and a group is visited again
    only if a group with which it shares a leaf has moved.

    Args:
        spec: The symmetry of the function, from `infer`.
        params_a: The model to match, a tree that fits the spec.
        params_b: The model to move, a tree that fits the spec.
        key: Random key, for the order of the groups in each sweep.
        init: Element to start from; only its compact part counts, since balancing decides scalings. A group that
            is absent starts at the identity and is searched in the first sweep as described.
        max_steps: Most sweeps over all groups.

    Returns:
        MatchingResult; objective is J. If an axis has permutations beside rotations or linear maps, the nearest
        permutation is returned as the permutation, and the rest as the matrix. Leaves other than floating or complex
        arrays do not count. To keep a group at the identity, take it out with ``spec.without``.

    Raises:
        TypeError: If an argument is of the wrong kind, such as a dict in place of the spec or a result in place of its
            element.
        ValueError: If a tree does not fit the spec, or ``init`` holds an unknown group or a wrong shape.

    Status: CONVERGED if a whole sweep moves nothing; MAX_STEPS; NONFINITE if a weight or the objective is
        not finite.
    Differentiation: element, error and num_steps are constant (stop_gradient); objective is exact with the
        element and the balancing held. Without scalings and linear groups that is the gradient of the best
        objective, at parameters where it is differentiable.
    Complexity: a sweep costs the contraction of every leaf with its partner for each of its groups, O(leaf
        size x n), and assignments or decompositions in O(n^3); a parent of size m with a child of size n
        needs m^2 of size n. Balancing costs a few dozen passes over the parameters.
    Devices: if it is called outside `jit` with leaves that are divided among devices, it visits the groups from Python
        and gathers at most one leaf of each model at a time. Inside `jit` the compiler decides.
    Batch: jax.vmap over the pairs of models and keys; the pairs of a batch run one after another, each until it has
        converged. jax.vmap over keys or over ``init`` makes several starts.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> planted = gj.symmetry.random_element(spec, jax.random.key(2))
        >>> moved = gj.symmetry.act(spec, planted, params)
        >>> result = gj.unwrap(gj.symmetry.weight_matching(spec, moved, params, key=jax.random.key(3)))
        >>> bool(all(jnp.array_equal(result.element[name], planted[name]) for name in planted))
        True

    References: [Ainsworth2022], Alg. 1; [Vogelstein2015] for groups on two axes; [Schoenemann1966] for
        rotations; [KempfNess1979] for balancing.
    """
    where = "weight_matching"
    call = "weight_matching(spec, params_a, params_b, key=key)"
    checks.typed_key(where, key)
    max_steps = checks.count(where, "max_steps", max_steps)
    models = balance_models(spec, read_params(call, spec, params_a=params_a, params_b=params_b))
    start, given = models.start(call, init)
    a, b = models.arrays
    if _are_divided([*a, *b]):
        match = lazy_match(
            models.problem,
            lambda number: (a[number], b[number]),
            [array.size for array in a],
            start,
            key=key,
            given=given,
            max_steps=max_steps,
            dtype=models.dtype,
        )
    else:
        match = match_pairs(models.problem, a, b, start, key=key, given=given, max_steps=max_steps)
    element = models.element(match.element)
    return MatchingResult(element, match.objective, match.error, match.num_steps, match.status)


def match_pairs(
    problem: Problem,
    a: Sequence[Array],
    b: Sequence[Array],
    start: CompactElement,
    *,
    key: Key | None,
    given: Collection[str],
    max_steps: int,
) -> Match:
    """Coordinate ascent on pairs of arrays; ``given`` names the groups whose element in ``start`` is a choice.

    The objective is differentiable with respect to the arrays, with the element held.
    """
    held = jax.lax.stop_gradient((list(a), list(b), {name: start[name] for name in problem.parents}))
    ascended, error, num_steps, status = ascend(
        problem, *held, key=key, given=tuple(sorted(given)), max_steps=max_steps
    )
    element = {**start, **ascended}
    value = objective(problem, a, b, element)
    status = jnp.where(jnp.isfinite(value), status, Status.NONFINITE)
    return Match(element, value, error, num_steps, status)


def _are_divided(arrays: Sequence[Array]) -> bool:
    """Whether the arrays are concrete and some of them lie in parts on several devices."""
    concrete = all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in arrays)
    return concrete and any(not x.sharding.is_fully_replicated for x in arrays)
