"""Matching by activations: units that respond alike to the same inputs are put in the same place."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.acting import act
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import set_up
from geojax.symmetry.ascent.compact import DISCRETE
from geojax.symmetry.ascent.movers import Mover, groups_of, kinds_of
from geojax.symmetry.ascent.problem import Pair, Problem, move
from geojax.symmetry.inference.collect import collect
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.typing import Params


def activation_matching(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    params_a: Params,
    params_b: Params,
    *inputs: Any,
    max_sweeps: int = 100,
) -> MatchingResult:
    """Moves one model through its symmetries so that its units' activations correlate with another's.

    Maximises  J(g) = sum over groups and units i of corr(x_a[:, i], x_b[:, g(i)]),  the Pearson correlations over
    samples of the activations that `collect` reads; their absolute values where units have signs to choose. Units
    that may be rotated count with the trace of their cross-covariance, their mean square being 1. Both models are in
    their balanced gauges: `weight_matching` says what becomes of scalings and linear maps. A group whose units come
    in families (heads, experts) is solved together with them, as there. Groups without activations are matched by
    weights afterwards, the rest held.

    Inputs drawn at random instead of data make it a data-free matching.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function, ``apply(params, *inputs)``.
        params_a: The model to match.
        params_b: The model to move.
        inputs: The rest of apply's arguments, the same for both models, [samples, ...].
        max_sweeps: Most sweeps over the groups.

    Returns:
        MatchingResult; objective is J, a sum of correlations. A unit that never changes correlates with
        nothing: it counts 0.

    Raises:
        ValueError: If a tree does not fit the spec.

    Status: CONVERGED when a whole sweep moves nothing; MAX_STEPS; NONFINITE if an activation or a weight that
        decides is not finite.
    Differentiation: element is constant (stop_gradient); objective is exact with the element held.
    Complexity: one pass of each model over the inputs, O(samples n^2) for the correlations of n units, and
        one assignment in O(n^3) a group.
    Batch: jax.vmap over the pairs of models; they are taken one after another.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> mlp = lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1]
        >>> x = jax.random.normal(jax.random.key(2), (64, 4))
        >>> spec = gj.symmetry.infer(mlp, params, x)
        >>> planted = gj.symmetry.random_element(spec, jax.random.key(3))
        >>> moved = gj.symmetry.act(spec, planted, params)
        >>> found = gj.unwrap(gj.symmetry.activation_matching(spec, mlp, moved, params, x))
        >>> bool(all(jnp.array_equal(found.element[name], planted[name]) for name in planted))
        True

    References: [Ainsworth2022], Sec. 3.1; [Li2016].
    """
    setting = set_up("activation_matching", spec, params_a=params_a, params_b=params_b)
    models = [
        act(spec, gauge, params) for gauge, params in zip(setting.gauges, (params_a, params_b), strict=True)
    ]
    seen = [collect(spec, apply, params, *inputs) for params in models]
    problem, x, y = pair_activations(setting.movers, *seen)
    start, _ = setting.start("activation_matching", None)
    matched = match_pairs(problem, x, y, start, key=None, settled=(), max_sweeps=max_sweeps)
    a, b = setting.arrays
    weights = setting.problem
    moved = [
        move(weights, pair, array, matched.moves, problem.parents)
        for pair, array in zip(weights.pairs, b, strict=True)
    ]
    # Without groups this only asks whether the weights are finite.
    filled = match_pairs(
        _others(weights, problem), a, moved, matched.moves, key=None, settled=(), max_sweeps=max_sweeps
    )
    status = jnp.maximum(matched.status, filled.status)
    element = setting.element(filled.moves)
    return MatchingResult(element, matched.objective, matched.error, matched.num_steps, status)


def pair_activations(
    movers: Sequence[Mover], activations_a: Mapping[str, Array], activations_b: Mapping[str, Array]
) -> tuple[Problem, list[Array], list[Array]]:
    """The matching problem of standardised activations {group: [samples, parents..., size]} of two models.

    Its groups are those that have activations and the parents these depend on.
    """
    by_member = {member: mover for mover in movers for member in mover.members}
    seen = [by_member[name] for name in activations_a if name in by_member]
    pairs = []
    for mover in seen:
        axes = (*mover.group.parents, mover.permutation)
        labels = ("", *(by_member[axis].name if axis in by_member else "" for axis in axes))
        pairs.append(Pair(("", *axes), labels, (len(axes),) if mover.sign else ()))
    known = {label for pair in pairs for label in pair.movers}
    present = tuple(mover for mover in movers if mover.name in known)
    x, y = (
        [standardize(each[mover.permutation], units=mover.kind in DISCRETE) for mover in seen]
        for each in (activations_a, activations_b)
    )
    return Problem(tuple(pairs), groups_of(present), kinds_of(present)), x, y


def standardize(x: Float[Array, "samples *units"], *, units: bool = True) -> Float[Array, "samples *units"]:
    """Columns of mean 0 and norm 1, so that inner products are correlations; a constant column becomes 0.

    Where ``units`` is False the columns along the last axis keep their relative norms, which have mean square 1: what
    rotations of the units leave as it is.
    """
    x = x.astype(jnp.result_type(x.dtype, jnp.float32))
    centred = x - jnp.mean(x, axis=0)
    power = jnp.sum(jnp.square(jnp.abs(centred)), axis=0)
    noise = jnp.square(jnp.finfo(x.dtype).eps) * x.shape[0] * jnp.sum(jnp.square(jnp.abs(x)), axis=0)
    if not units:
        power, noise = (jnp.mean(each, axis=-1, keepdims=True) for each in (power, noise))
    alive = ~(power <= noise)
    return jnp.where(alive, centred / jnp.sqrt(jnp.where(alive, power, 1)), 0)


def _others(weights: Problem, matched: Problem) -> Problem:
    """The groups of a problem that another one has not settled; settled axes stay where they are."""
    groups = tuple((name, parents) for name, parents in weights.groups if name not in matched.parents)
    free = dict(groups)
    pairs = tuple(
        Pair(pair.names, tuple(mover if mover in free else "" for mover in pair.movers), pair.signed)
        for pair in weights.pairs
    )
    return Problem(pairs, groups, tuple((name, kind) for name, kind in weights.kinds if name in free))
