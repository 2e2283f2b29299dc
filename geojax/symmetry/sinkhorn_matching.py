"""Matching by the loss through soft permutations: gradients flow through an entropic transport plan."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.symmetry.action import Element, act
from geojax.symmetry.gradient_matching import arrays_of, judged, midpoint, with_arrays
from geojax.symmetry.pairing import Permutations, read_leaves, real_dtype
from geojax.symmetry.relaxed import Soft, harden, soft_act, soften
from geojax.symmetry.spec import SymmetrySpec
from geojax.symmetry.weight_matching import MatchingResult, match_pairs, starting_element
from geojax.transport import sinkhorn
from geojax.typing import Key, Params, Scalar


def sinkhorn_matching(
    spec: SymmetrySpec,
    loss: Callable[[Params, Key], Scalar],
    params_a: Params,
    params_b: Params,
    *,
    key: Key,
    init: Mapping[str, Array] | None = None,
    epsilon: Scalar = 0.1,
    num_steps: int = 100,
    optimizer: optax.GradientTransformation | None = None,
) -> MatchingResult:
    """Permutes one model's units so that the midpoint with another has a low loss, by soft permutations.

    Minimises  loss((a + S(X) b) / 2)  over scores X, one matrix for each permutation group, where S(X) is n times the
    entropic transport plan of the costs -X between uniform weights: a doubly stochastic matrix that tends to the best
    permutation as epsilon tends to 0. Its derivative is that of the fixed point, not of the iterations. After each step
    the nearest permutations are judged by the loss under one key held throughout, and the best of all are kept.

    Args:
        spec: The symmetry of the function, from `infer`.
        loss: (params, key) -> scalar; draws its own batch from the key.
        params_a: The model to match.
        params_b: The model to move.
        key: Random key, for the batches.
        init: Element to start from; by default the one that `weight_matching` finds. Its scores are 1, others 0.
        epsilon: Softness, > 0, in units of the scores.
        num_steps: How many gradient steps to take.
        optimizer: An optax transformation of the scores; Adam with step 0.1 by default.

    Returns:
        MatchingResult; objective is minus the loss of the midpoint at the (hard) element under the judging key, error
        the share of units that the last step moved. Groups that are not permutations stay at the identity.

    Raises:
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of permutations.

    Status: CONVERGED when the last step moved no unit; MAX_STEPS, where units still changed places; NONFINITE if the
        loss of the element is not finite.
    Differentiation: none (stop_gradient).
    Complexity: a step is one gradient and one further value of the loss, a product of every leaf with the matrices of
        its groups, O(leaf size x n), and a transport problem with its adjoint, O(n^2) an iteration.
    Batch: jax.vmap over the pairs of models and keys.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1]
        >>> a = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> x = jax.random.normal(jax.random.key(2), (32, 4))
        >>> spec = gj.symmetry.infer(mlp, a, x)
        >>> b = gj.symmetry.act(spec, gj.symmetry.random_element(spec, jax.random.key(3)), a)
        >>> loss = lambda p, key: jnp.mean((mlp(p, x) - mlp(a, x)) ** 2)
        >>> found = gj.symmetry.sinkhorn_matching(spec, loss, a, b, key=jax.random.key(4), num_steps=3)
        >>> bool(jnp.abs(found.objective) < 1e-9)
        True

    References: [PenaBenitez2023]; [Cuturi2013].
    """
    where = "sinkhorn_matching"
    checks.typed_key(where, key)
    num_steps = checks.count(where, "num_steps", num_steps)
    optimizer = optax.adam(0.1) if optimizer is None else optimizer
    params_a, params_b = (
        with_arrays(params, [jax.lax.stop_gradient(x) for x in arrays_of(params)])
        for params in (params_a, params_b)
    )
    problem, (a, b) = read_leaves(where, spec, params_a=params_a, params_b=params_b)
    start_key, judge_key = jax.random.split(key)
    start = starting_element(where, spec, init, real_dtype(a))
    if init is None:
        start = match_pairs(problem, a, b, start, key=start_key, settled=(), max_sweeps=100).element
    start = vary_with(start, a, b, key)
    hard = {name: start[name] for name in problem.parents}
    units = max(sum(array.size for array in hard.values()), 1)

    def value(element: Permutations) -> Float[Array, ""]:
        return jnp.asarray(loss(midpoint(params_a, act(spec, element, params_b)), judge_key))

    def relaxed(scores: Soft, batch_key: Key) -> Float[Array, ""]:
        soft = {name: doubly_stochastic(matrix, epsilon) for name, matrix in scores.items()}
        return jnp.asarray(loss(midpoint(params_a, soft_act(spec, soft, params_b)), batch_key))

    def advance(state: _Search, batch_key: Key) -> tuple[_Search, None]:
        slope = jax.grad(relaxed)(state.scores, batch_key)
        updates, optimizer_state = optimizer.update(slope, state.optimizer_state, state.scores)
        scores = cast(Soft, optax.apply_updates(state.scores, updates))
        found = harden(scores)
        moved = sum(jnp.sum(found[name] != state.hard[name]) for name in found) / units
        moved = jnp.asarray(moved)
        reached = value(found)
        better = reached < state.lowest
        best = {name: jnp.where(better, found[name], state.best[name]) for name in found}
        lowest = jnp.where(better, reached, state.lowest)
        return _Search(scores, optimizer_state, found, best, lowest, moved.astype(first.dtype)), None

    scores = soften(hard, real_dtype(a))
    first = value(hard)
    search = _Search(scores, optimizer.init(scores), hard, hard, first, jnp.zeros_like(first))
    search, _ = jax.lax.scan(advance, search, jax.random.split(jax.random.fold_in(key, 2), num_steps))
    element: Element = {**start, **search.best}
    return judged(element, search.lowest, search.moved, num_steps)


class _Search(NamedTuple):
    scores: Soft
    optimizer_state: Any
    hard: Permutations
    best: Permutations
    lowest: Float[Array, ""]
    moved: Float[Array, ""]


def doubly_stochastic(scores: Float[Array, "*p n n"], epsilon: Scalar) -> Float[Array, "*p n n"]:
    """The matrix S of largest <S, scores> + epsilon entropy whose rows and columns add up to 1.

    Differentiation: implicit.
    """

    def single(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
        size = matrix.shape[0]
        weight, softness = vary_with(
            (jnp.full(size, 1 / size, matrix.dtype), jnp.asarray(epsilon, matrix.dtype)), matrix
        )
        return size * sinkhorn(-matrix, weight, weight, epsilon=softness, tol=1e-4).plan

    for _ in range(scores.ndim - 2):
        single = jax.vmap(single)
    return single(scores)
