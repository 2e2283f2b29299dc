"""Matching by activations: units that respond alike to the same inputs are put in the same place."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.collect import collect
from geojax.symmetry.pairing import Pair, Problem, move, permutation_groups, read_leaves, real_dtype
from geojax.symmetry.spec import SymmetrySpec
from geojax.symmetry.weight_matching import MatchingResult, match_pairs, starting_element
from geojax.typing import Params


def activation_matching(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    params_a: Params,
    params_b: Params,
    *inputs: Any,
    max_sweeps: int = 100,
) -> MatchingResult:
    """Permutes one model's units so that their activations correlate with another's.

    Maximises  J(g) = sum over groups and units i of corr(x_a[:, i], x_b[:, g(i)]),  the Pearson correlations
    over samples of the activations that `collect` reads. A group whose units come in families (heads,
    experts) is solved together with them, as in `weight_matching`. Groups without activations are matched by
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
        nothing: it counts 0. Groups that are not permutations stay at the identity.

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
    where = "activation_matching"
    weights, (a, b) = read_leaves(where, spec, params_a=params_a, params_b=params_b)
    start = starting_element(where, spec, None, real_dtype(a))
    seen = [collect(spec, apply, params, *inputs) for params in (params_a, params_b)]
    problem, x, y = pair_activations(spec, *seen)
    matched = match_pairs(problem, x, y, start, key=None, settled=(), max_sweeps=max_sweeps)
    moved = [
        move(weights, pair, array, matched.element, problem.parents)
        for pair, array in zip(weights.pairs, b, strict=True)
    ]
    # Without groups this only asks whether the weights are finite.
    filled = match_pairs(
        _others(weights, problem), a, moved, matched.element, key=None, settled=(), max_sweeps=max_sweeps
    )
    status = jnp.maximum(matched.status, filled.status)
    return MatchingResult(filled.element, matched.objective, matched.error, matched.num_steps, status)


def pair_activations(
    spec: SymmetrySpec, activations_a: Mapping[str, Array], activations_b: Mapping[str, Array]
) -> tuple[Problem, list[Array], list[Array]]:
    """The matching problem of standardised activations {group: [samples, parents..., size]} of two models.

    Its groups are those that have activations and the parents these depend on.
    """
    groups = dict(permutation_groups(spec))
    names = [name for name in activations_a if name in groups]
    pairs = []
    for name in names:
        axes = (*groups[name], name)
        pairs.append(Pair(("", *axes), ("", *(axis if axis in groups else "" for axis in axes))))
    known = {mover for pair in pairs for mover in pair.movers}
    problem = Problem(tuple(pairs), tuple((name, groups[name]) for name in groups if name in known))
    x = [standardize(activations_a[name]) for name in names]
    y = [standardize(activations_b[name]) for name in names]
    return problem, x, y


def standardize(x: Float[Array, "samples *units"]) -> Float[Array, "samples *units"]:
    """Columns of mean 0 and norm 1, so that inner products are correlations; a constant column becomes 0."""
    x = x.astype(jnp.result_type(x.dtype, jnp.float32))
    centred = x - jnp.mean(x, axis=0)
    power = jnp.sum(jnp.square(jnp.abs(centred)), axis=0)
    noise = jnp.square(jnp.finfo(x.dtype).eps) * x.shape[0] * jnp.sum(jnp.square(jnp.abs(x)), axis=0)
    alive = ~(power <= noise)
    return jnp.where(alive, centred / jnp.sqrt(jnp.where(alive, power, 1)), 0)


def _others(weights: Problem, matched: Problem) -> Problem:
    """The groups of a problem that another one has not settled; settled axes stay where they are."""
    groups = tuple((name, parents) for name, parents in weights.groups if name not in matched.parents)
    free = dict(groups)
    pairs = tuple(
        Pair(pair.names, tuple(mover if mover in free else "" for mover in pair.movers))
        for pair in weights.pairs
    )
    return Problem(pairs, groups)
