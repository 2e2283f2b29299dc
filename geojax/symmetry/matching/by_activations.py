"""Matching by activations: units with the same responses to the same inputs are put in the same place."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.symmetry.action.door import check_apply, check_spec
from geojax.symmetry.action.groups import PERMUTATION, SIGN
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.compact_groups import CompactGroup, by_member, make_problem, pair_of
from geojax.symmetry.ascent.kinds import DISCRETE, SIGNED, identity_of
from geojax.symmetry.ascent.problem import Pair, Problem, move_array
from geojax.symmetry.inference.collect import read_units
from geojax.symmetry.inference.sites import Reading
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

    Maximises  J(g) = sum over groups and units i of corr(x_a[:, i], (g x_b)[:, i]),  the Pearson correlations over
    samples of the activations that `collect` reads, where g moves every axis of an array as it moves the array in the
    program. A sign that flips only some of the arrays read along an axis counts in those alone, and an array with two
    moved axes (the state [batch, time, channel, state] of a state space model) counts for both groups. All that is
    read of a unit has mean 0 over samples and norm 1 together, the same share of it in arrays that are moved in
    different ways, so that  J = number of living units - (sum of squares of x_a - g x_b) / 2.  Units that may be
    rotated are divided by one number, so that their mean square is 1.

    Both models are balanced first, which decides scalings and linear maps as in `weight_matching`. A group on which
    others depend (heads, experts) is solved together with them, as there. Groups without activations, and signs that
    flip none, are matched by weights afterwards, with the other groups held. The search begins where weights match if
    activations show a group, or its signs, only beside another group's.

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
    readings = [
        read_units(call, spec, apply, with_leaves(params, leaves), *inputs)
        for params, leaves in zip((params_a, params_b), models.leaves, strict=True)
    ]
    problem, x, y = pair_activations(models.groups, *readings)
    start, _ = models.start(call, None)
    a, b = models.arrays
    weights = models.problem
    size = {name: start[name].shape[-1] for name in problem.parents}
    signs_left = [name for name in problem.parents if weights.kind(name) == SIGNED != problem.kind(name)]
    unsure = _ambiguous(problem)
    if unsure:
        best = match_pairs(weights, a, b, start, key=None, given=(), max_steps=max_steps).element
        start |= {name: best[name] % size[name] if name in signs_left else best[name] for name in unsure}
    match = match_pairs(problem, x, y, start, key=None, given=unsure, max_steps=max_steps)
    moved = [
        move_array(weights, pair, array, match.element, problem.parents)
        for pair, array in zip(weights.pairs, b, strict=True)
    ]
    # If no group is left, this only checks that the weights are finite.
    rest = _unsettled(weights, set(problem.parents) - set(signs_left), signs_left)
    plus = {name: identity_of(SIGN, match.element[name].shape, models.dtype) for name in signs_left}
    completed = match_pairs(rest, a, moved, match.element | plus, key=None, given=(), max_steps=max_steps)
    status = jnp.maximum(match.status, completed.status)
    found = dict(completed.element)
    for name in signs_left:
        found[name] = match.element[name] + jnp.where(found[name] >= size[name], size[name], 0)
    element = models.element(found)
    return MatchingResult(element, match.objective, match.error, match.num_steps, status)


def pair_activations(
    groups: Sequence[CompactGroup],
    readings_a: Sequence[tuple[Reading, Array]],
    readings_b: Sequence[tuple[Reading, Array]],
) -> tuple[Problem, list[Array], list[Array]]:
    """The matching problem of the standardised arrays that two models read along the axes of their units.

    Its groups are those that move such an array. The arrays that a program reads along one axis may be moved in
    several ways; those that are moved in one way are laid one after another. Signs that flip none of the arrays are
    left out.
    """
    of_member = by_member(groups)
    together: dict[str, dict[Pair, tuple[list[Array], list[Array]]]] = {}
    for (reading, x), (_, y) in zip(readings_a, readings_b, strict=True):
        if reading.exact and reading.group in of_member:
            axes = reading.parts[reading.num_samples :]
            pair = pair_of(of_member, Block((Part(1, 0), *axes)))
            shape = (-1, *(part.size for part in axes))
            both = together.setdefault(reading.group, {}).setdefault(pair, ([], []))
            for arrays, array in zip(both, (x, y), strict=True):
                arrays.append(jnp.reshape(array, shape))
    pairs = [pair for ways in together.values() for pair in ways]
    flipped = {pair.groups[axis] for pair in pairs for axis in pair.signed}
    present = {name for pair in pairs for name in pair.groups}
    kept = tuple(
        group
        if group.name in flipped or not group.sign
        else dataclasses.replace(group, kind=PERMUTATION, sign="")
        for group in groups
        if group.name in present and (group.name in flipped or group.kind != SIGN)
    )
    names = {group.name for group in kept}
    pairs = [
        dataclasses.replace(pair, groups=tuple(one if one in names else "" for one in pair.groups))
        for pair in pairs
    ]
    sides: tuple[list[Array], list[Array]] = ([], [])
    for name, ways in together.items():
        group = of_member[name]
        for number, side in enumerate(sides):
            arrays = [jnp.concatenate(both[number]) for both in ways.values()]
            side += _standardized(arrays, depth=len(group.group.parents), units=group.kind in DISCRETE)
    return make_problem(kept, pairs), *sides


def standardize(x: Float[Array, "samples *units"]) -> Float[Array, "samples *units"]:
    """Columns of mean 0 and norm 1, so that inner products are correlations; a constant column becomes 0."""
    return _standardized([x], depth=x.ndim - 2, units=True)[0]


def _standardized(arrays: Sequence[Array], *, depth: int, units: bool) -> list[Array]:
    """Arrays [samples, parents..., others..., units] with mean 0 over samples, and norm 1 for each unit in all of them.

    Each array in which a unit changes has the same share of its norm; a unit that never changes becomes 0. If
    ``units`` is False, all units are divided by one number, so that the mean of their squared norms is 1. Rotations of
    the units do not change that number.

    Args:
        arrays: Arrays of the same units that differ in what their other axes are.
        depth: The number of parents.
        units: Whether every unit has its own norm.
    """

    def one(x: Array) -> tuple[Array, Array]:
        centred = x - jnp.mean(x, axis=0)
        power = _power(centred, depth)
        noise = jnp.square(jnp.finfo(x.dtype).eps) * x.shape[0] * _power(x, depth)
        if not units:
            power, noise = (jnp.mean(each, axis=-1, keepdims=True) for each in (power, noise))
        alive = ~(power <= noise)
        spread = lambda each: jnp.expand_dims(each, range(depth, x.ndim - 2))  # noqa: E731
        return jnp.where(spread(alive), centred / spread(jnp.sqrt(jnp.where(alive, power, 1))), 0), alive

    results = [one(x.astype(jnp.result_type(x.dtype, jnp.float32))) for x in arrays]
    if len(results) == 1:
        return [results[0][0]]
    count = jnp.maximum(sum(alive.astype(int) for _, alive in results), 1)
    share = lambda x: jnp.expand_dims(jnp.sqrt(count).astype(x.dtype), range(depth, x.ndim - 2))  # noqa: E731
    return [x / share(x) for x, _ in results]


def _power(x: Array, depth: int) -> Array:
    """The sum of squares of each unit, [parents..., units]."""
    return jnp.sum(jnp.square(jnp.abs(x)), axis=(0, *range(depth + 1, x.ndim - 1)))


def _ambiguous(problem: Problem) -> tuple[str, ...]:
    """The groups that activations show only beside others, or whose signs they show only in products with others.

    Several elements may then have the same activations: the two signs of a product of two arrays, say.
    """
    signs = [{pair.groups[axis] for axis in pair.signed} for pair in problem.pairs]
    names: list[str] = []
    for root in problem.roots:
        tree = {root, *problem.dependents(root)}
        alone = any(set(pair.groups) & tree and set(pair.groups) <= {"", *tree} for pair in problem.pairs)
        signed = {name for each in signs for name in each} & tree
        if not alone or any({name} not in signs for name in signed):
            names += tree
    return tuple(names)


def _unsettled(problem: Problem, settled: Collection[str], signs_left: Collection[str]) -> Problem:
    """The problem without the settled groups, and with the signs alone of the groups in ``signs_left``.

    The axes that they moved stay where they are.
    """

    def mover(pair: Pair, axis: int) -> str:
        name = pair.groups[axis]
        return "" if name in settled or (name in signs_left and axis not in pair.signed) else name

    pairs = tuple(
        dataclasses.replace(pair, groups=tuple(mover(pair, axis) for axis in range(len(pair.groups))))
        for pair in problem.pairs
    )
    groups = tuple((name, parents) for name, parents in problem.groups if name not in settled)
    kinds = tuple(
        (name, SIGN if name in signs_left else kind) for name, kind in problem.kinds if name not in settled
    )
    return Problem(pairs, groups, kinds)
