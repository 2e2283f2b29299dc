"""Matching by the loss over soft permutations: gradients pass through an entropic transport plan."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.compact_groups import decode, encode
from geojax.symmetry.ascent.kinds import coordinates, maximum_assignment
from geojax.symmetry.ascent.problem import CompactElement
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.matching.midpoint_search import midpoint_loss, search
from geojax.symmetry.matching.straight_through import STARTING_SWEEPS
from geojax.symmetry.orbits.leaves import move_leaves, move_tree, with_leaves
from geojax.symmetry.orbits.reading import read_params
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
    """Permutes one model's units so that its midpoint with another has a low loss, by soft permutations.

    Minimises  loss((a' + S(X) b') / 2)  over scores X, one matrix for each permutation group. Here a' is the balanced
    model a, and b' is the balanced model b after the start has moved it; `weight_matching` explains what happens to
    scalings and linear maps, and signs and rotations stay as in the start. S(X) is n times the entropic transport plan
    of the costs -X between uniform weights: a doubly stochastic matrix that tends to the best permutation as epsilon
    tends to 0. Its derivative is that of the fixed point, not of the iterations. After each step the nearest
    permutations are judged by the loss under one fixed key, and the best of all are returned.

    Args:
        spec: The symmetry of the function, from `infer`.
        loss: (params, key) -> scalar; draws its own batch from the key.
        params_a: The model to match.
        params_b: The model to move.
        key: Random key, for the batches.
        init: Element to start from, by default that of `weight_matching`. At the start, keeping a unit in its place
            has score 1 and every other place score 0.
        epsilon: Softness, > 0, in units of the scores.
        num_steps: Number of gradient steps.
        optimizer: An optax transformation, by default Adam with step 0.1; it moves the scores.

    Returns:
        MatchingResult; objective is minus the loss of the midpoint at the element under the judging key, error the
        share of units that the last step moved.

    Raises:
        TypeError: If an argument is of the wrong kind, such as parameters in the place of ``loss``.
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of it.

    Status: CONVERGED if the last step moved no unit; MAX_STEPS if units still changed places; NONFINITE if the
        loss of the element is not finite.
    Differentiation: none (stop_gradient).
    Complexity: a step is one gradient and one further value of the loss, a product of every leaf with the matrices of
        its groups, O(leaf size x n), and a transport problem with its adjoint, O(n^2) for each iteration.
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
        >>> result = gj.symmetry.sinkhorn_matching(spec, loss, a, b, key=jax.random.key(4), num_steps=3)
        >>> bool(jnp.abs(result.objective) < 1e-9)
        True

    References: [PenaBenitez2023]; [Cuturi2013].
    """
    where = "sinkhorn_matching"
    call = "sinkhorn_matching(spec, loss, params_a, params_b, key=key)"
    check_spec(call, spec)
    checks.function(where, "loss", loss, f"Write {call}.")
    checks.typed_key(where, key)
    num_steps = checks.count(where, "num_steps", num_steps)
    optimizer = optax.adam(0.1) if optimizer is None else optimizer
    models = balance_models(spec, read_params(call, spec, params_a=params_a, params_b=params_b))
    a, b = jax.lax.stop_gradient(models.arrays)
    start_key, judge_key, step_key = jax.random.split(key, 3)
    start, _ = models.start(call, init)
    if init is None:
        start = match_pairs(
            models.problem, a, b, start, key=start_key, given=(), max_steps=STARTING_SWEEPS
        ).element
    first = decode(models.groups, spec, start, models.dtype)
    leaves_a, leaves_b = jax.lax.stop_gradient(models.leaves)
    held, moved = with_leaves(params_a, leaves_a), with_leaves(params_b, move_leaves(spec, first, leaves_b))

    def value(element: CompactElement) -> Float[Array, ""]:
        return midpoint_loss(loss, held, move_tree(spec, element, moved), key=judge_key)

    def relaxed(scores: dict[str, Array], batch_key: Key) -> Float[Array, ""]:
        soft = {name: doubly_stochastic(matrix, epsilon) for name, matrix in scores.items()}
        return midpoint_loss(loss, held, move_tree(spec, soft, moved), key=batch_key)

    def propose(scores: dict[str, Array], optimizer_state: Any, current: CompactElement, batch_key: Key):
        gradient = jax.grad(relaxed)(scores, batch_key)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, scores)
        scores = cast(dict[str, Array], optax.apply_updates(scores, updates))
        return scores, optimizer_state, {name: maximum_assignment(scores[name]) for name in current}

    names = [group.permutation for group in models.groups if group.permutation and not group.matrix]
    in_place = vary_with({name: identity(spec)[name] for name in names}, a, b)
    scores = {name: coordinates(PERMUTATION, array, models.dtype) for name, array in in_place.items()}

    def finish(permutations: CompactElement) -> Element:
        return models.element(encode(models.groups, compose(spec, permutations, first), models.dtype))

    state = optimizer.init(scores)
    return search(finish, value, propose, scores, state, in_place, key=step_key, num_steps=num_steps)


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
