"""Matching by activations: units with the same responses to the same inputs are put in the same place."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.symmetry.action.door import check_apply, check_spec
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.compact_groups import CompactGroup, by_member, make_problem
from geojax.symmetry.ascent.kinds import DISCRETE
from geojax.symmetry.ascent.problem import Pair, Problem, move_array
from geojax.symmetry.inference.collect import collect
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.orbits.leaves import with_leaves
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Params


def activation_matching(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    params_a: Params,
    params_b: Params,
    *inputs: Any,
    max_steps: int = 100,
) -> MatchingResult:
    """Moves one model through its symmetries so that its units' activations correlate with another's.

    Maximises  J(g) = sum over groups and units i of corr(x_a[:, i], x_b[:, g(i)]),  the Pearson correlations over
    samples of the activations that `collect` reads; their absolute values if units have signs to choose. Units that
    may be rotated are scaled to mean square 1 and count with the trace of their cross-covariance. Both models are
    balanced first, which decides scalings and linear maps as in `weight_matching`. A group on which others depend
    (heads, experts) is solved together with them, as there. Groups without activations are matched by weights
    afterwards, with the other groups held.

    With random inputs instead of data it is a data-free matching.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function, ``apply(params, *inputs)``.
        params_a: The model to match.
        params_b: The model to move.
        inputs: The rest of apply's arguments, the same for both models, [samples, ...].
        max_steps: Most sweeps over the groups.

    Returns:
        MatchingResult; objective is J, a sum of correlations. A unit whose activation never changes has correlation 0
        with all others.

    Raises:
        TypeError: If an argument is of the wrong kind, such as parameters in the place of ``apply``.
        ValueError: If a tree does not fit the spec.

    Status: CONVERGED if a whole sweep moves nothing; MAX_STEPS; NONFINITE if an activation or a weight that
        decides is not finite.
    Differentiation: element is constant (stop_gradient); objective is exact with the element held.
    Complexity: one pass of each model over the inputs, O(samples n^2) for the correlations of n units, and
        one assignment in O(n^3) for each group.
    Batch: jax.vmap over the pairs of models; they run one after another.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> mlp = lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1]
        >>> x = jax.random.normal(jax.random.key(2), (64, 4))
        >>> spec = gj.symmetry.infer(mlp, params, x)
        >>> planted = gj.symmetry.random_element(spec, jax.random.key(3))
        >>> moved = gj.symmetry.act(spec, planted, params)
        >>> result = gj.unwrap(gj.symmetry.activation_matching(spec, mlp, moved, params, x))
        >>> bool(all(jnp.array_equal(result.element[name], planted[name]) for name in planted))
        True

    References: [Ainsworth2022], Sec. 3.1; [Li2016].
    """
    where = "activation_matching"
    call = "activation_matching(spec, apply, params_a, params_b, *inputs)"
    check_spec(call, spec)
    check_apply(call, apply)
    max_steps = checks.count(where, "max_steps", max_steps)
    models = balance_models(spec, read_params(call, spec, params_a=params_a, params_b=params_b))
    activations = [
        collect(spec, apply, with_leaves(params, leaves), *inputs)
        for params, leaves in zip((params_a, params_b), models.leaves, strict=True)
    ]
    problem, x, y = pair_activations(models.groups, *activations)
    start, _ = models.start(call, None)
    match = match_pairs(problem, x, y, start, key=None, given=(), max_steps=max_steps)
    a, b = models.arrays
    weights = models.problem
    moved = [
        move_array(weights, pair, array, match.element, problem.parents)
        for pair, array in zip(weights.pairs, b, strict=True)
    ]
    # If no group is left, this only checks that the weights are finite.
    completed = match_pairs(
        _unsettled(weights, settled=problem.parents),
        a,
        moved,
        match.element,
        key=None,
        given=(),
        max_steps=max_steps,
    )
    status = jnp.maximum(match.status, completed.status)
    element = models.element(completed.element)
    return MatchingResult(element, match.objective, match.error, match.num_steps, status)


def pair_activations(
    groups: Sequence[CompactGroup],
    activations_a: Mapping[str, Array],
    activations_b: Mapping[str, Array],
) -> tuple[Problem, list[Array], list[Array]]:
    """The matching problem of standardised activations {group: [samples, parents..., size]} of two models.

    Its groups are those that have activations, and their parents.
    """
    of_member = by_member(groups)
    active = [of_member[name] for name in activations_a if name in of_member]
    pairs = []
    for group in active:
        axes = (*group.group.parents, group.permutation)
        moved_by = ("", *(of_member[axis].name if axis in of_member else "" for axis in axes))
        pairs.append(Pair(("", *axes), moved_by, (len(axes),) if group.sign else ()))
    names = {name for pair in pairs for name in pair.groups}
    present = tuple(group for group in groups if group.name in names)
    x, y = (
        [standardize(each[group.permutation], units=group.kind in DISCRETE) for group in active]
        for each in (activations_a, activations_b)
    )
    return make_problem(present, pairs), x, y


def standardize(x: Float[Array, "samples *units"], *, units: bool = True) -> Float[Array, "samples *units"]:
    """Columns of mean 0 and norm 1, so that inner products are correlations; a constant column becomes 0.

    If ``units`` is False, all columns along the last axis are divided by one number, so that the mean of their squared
    norms is 1. Rotations of the units do not change that number.
    """
    x = x.astype(jnp.result_type(x.dtype, jnp.float32))
    centred = x - jnp.mean(x, axis=0)
    power = jnp.sum(jnp.square(jnp.abs(centred)), axis=0)
    noise = jnp.square(jnp.finfo(x.dtype).eps) * x.shape[0] * jnp.sum(jnp.square(jnp.abs(x)), axis=0)
    if not units:
        power, noise = (jnp.mean(each, axis=-1, keepdims=True) for each in (power, noise))
    alive = ~(power <= noise)
    return jnp.where(alive, centred / jnp.sqrt(jnp.where(alive, power, 1)), 0)


def _unsettled(problem: Problem, *, settled: Collection[str]) -> Problem:
    """The problem without the groups that are settled; the axes that they moved stay where they are."""
    groups = tuple((name, parents) for name, parents in problem.groups if name not in settled)
    free = dict(groups)
    pairs = tuple(
        Pair(pair.names, tuple(name if name in free else "" for name in pair.groups), pair.signed)
        for pair in problem.pairs
    )
    return Problem(pairs, groups, tuple((name, kind) for name, kind in problem.kinds if name in free))
