"""Matching by weights: the element that brings one model's parameters closest to another's."""

from collections.abc import Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.struct import struct
from geojax.results import Status
from geojax.symmetry.action import Element, check_element, identity
from geojax.symmetry.ascent import ascend
from geojax.symmetry.groups import PERMUTATION
from geojax.symmetry.pairing import Problem, objective, read_leaves, real_dtype
from geojax.symmetry.spec import SymmetrySpec
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
    """Permutes one model's units so that its weights agree with another's.

    Maximises  J(g) = sum over leaves <a, act(g, b)>  over the permutation groups of the spec, which is the
    same as minimising |a - act(g, b)|^2. Coordinate ascent: each sweep visits the groups in a random order
    and solves each exactly while the others stay. The first sweep goes from the groups with most weights on
    held axes (inputs, outputs) to the rest, and each counts only the leaves whose other groups have had
    their turn; it is undone if the start was better. A group with parents is one assignment for each index of
    its parents; a group that others depend on is solved together with them, in two levels; a group on two
    axes of one leaf (a recurrent kernel) is a quadratic assignment, climbed by Frank-Wolfe. J never falls,
    and a group is visited again only if a group it shares a leaf with has moved.

    Args:
        spec: The symmetry of the function, from `infer`.
        params_a: The model to match, a tree that fits the spec.
        params_b: The model to move, a tree that fits the spec.
        key: Random key, for the order of the groups in each sweep.
        init: Element to start from. A group that is absent starts at the identity, and takes part in the
            first sweep as described.
        max_sweeps: Most sweeps over all groups.

    Returns:
        MatchingResult. Groups that are not permutations stay at the identity. Leaves that do not hold
        floating or complex numbers take no part.

    Raises:
        ValueError: If a tree does not fit the spec, or ``init`` holds an unknown group, a wrong shape or a
            continuous group.

    Status: CONVERGED when a whole sweep moves nothing; MAX_STEPS; NONFINITE if a weight or the objective is
        not finite.
    Differentiation: element, error and num_steps are constant (stop_gradient); objective is exact with the
        element held, which is the gradient of the best objective where it has one.
    Complexity: a sweep costs the contraction of every leaf with its partner for each of its groups, O(leaf
        size x n), and assignments in O(n^3); a parent of size m with a child of size n needs m^2 assignments
        of size n.
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

    References: [Ainsworth2022], Alg. 1; [Vogelstein2015] for groups on two axes.
    """
    checks.typed_key("weight_matching", key)
    problem, (a, b) = read_leaves("weight_matching", spec, params_a=params_a, params_b=params_b)
    start = starting_element("weight_matching", spec, init, real_dtype(a))
    return match_pairs(problem, a, b, start, key=key, settled=init or (), max_sweeps=max_sweeps)


def starting_element(where: str, spec: SymmetrySpec, init: Mapping[str, Array] | None, dtype) -> Element:
    """The identity of every group, continuous ones in ``dtype``, with ``init`` put in its place.

    Raises:
        ValueError: If ``init`` does not fit the spec.
    """
    start = {
        name: array if jnp.issubdtype(array.dtype, jnp.integer) else array.astype(dtype)
        for name, array in identity(spec).items()
    }
    if init is None:
        return start
    try:
        check_element(spec, init)
    except ValueError as error:
        raise ValueError(f"{where}: init: {error}") from error
    held = [name for name in init if spec.groups[name].kind != PERMUTATION]
    if held:
        raise ValueError(
            f"{where}: init holds the {spec.groups[held[0]].kind} group {held[0]!r}; expected permutations. "
            "Move params_b by the continuous part first, with `act`."
        )
    return {**start, **{name: jnp.asarray(array, start[name].dtype) for name, array in init.items()}}


def match_pairs(
    problem: Problem,
    a: Sequence[Array],
    b: Sequence[Array],
    start: Element,
    *,
    key: Key | None,
    settled: Collection[str],
    max_sweeps: int,
) -> MatchingResult:
    """Coordinate ascent on pairs of arrays, from ``start``, of which the groups in ``settled`` are meant."""
    max_sweeps = checks.count("matching", "max_sweeps", max_sweeps)
    a_held, b_held, held = jax.lax.stop_gradient(
        (list(a), list(b), {name: start[name] for name in problem.parents})
    )
    found, error, num_steps, status = ascend(
        problem, a_held, b_held, held, key, settled=tuple(sorted(settled)), max_sweeps=max_sweeps
    )
    element = {**start, **found}
    value = objective(problem, a, b, element)
    status = jnp.where(jnp.isfinite(value), status, Status.NONFINITE)
    return MatchingResult(element, value, error, num_steps, status)
