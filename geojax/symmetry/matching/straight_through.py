"""Matching by the loss: the element at which the midpoint of two models has the lowest loss, by gradients."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.compact_groups import decode, pair_up
from geojax.symmetry.ascent.problem import CompactElement
from geojax.symmetry.ascent.sweeps import ascend
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.matching.midpoint_search import arrays_of, midpoint_loss, search, with_arrays
from geojax.symmetry.orbits.leaves import move_tree, with_leaves
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Key, Params, Scalar

STARTING_SWEEPS = 100
"""Most sweeps of the weight matching that gives a start."""

PROJECTION_SWEEPS = 2
"""Most sweeps of each projection onto the orbit, which starts at the element of the projection before it."""


def straight_through_matching(
    spec: SymmetrySpec,
    loss: Callable[[Params, Key], Scalar],
    params_a: Params,
    params_b: Params,
    *,
    key: Key,
    init: Mapping[str, Array] | None = None,
    num_steps: int = 100,
    optimizer: optax.GradientTransformation | None = None,
) -> MatchingResult:
    """Moves one model so that its midpoint with another has a low loss, by a straight-through estimator.

    Minimises  L(k) = loss((a' + act(k, b')) / 2)  over the compact groups, a' and b' the balanced models;
    `weight_matching` explains what happens to scalings and linear maps. The search moves a free copy of the parameters.
    Each step projects the copy onto the orbit of b', as `weight_matching` does, and takes the gradient of the loss at
    the midpoint of a' and the projection. This gradient then moves the copy, as if it had not been projected. The best
    of all elements on the way is returned, judged by the loss under one fixed key.

    Args:
        spec: The symmetry of the function, from `infer`.
        loss: (params, key) -> scalar; draws its own batch from the key.
        params_a: The model to match; the free copy starts here.
        params_b: The model to move.
        key: Random key, for the batches and the order of groups.
        init: Element to start from, by default that of `weight_matching`.
        num_steps: Number of gradient steps.
        optimizer: An optax transformation; Adam with step 1e-3 by default.

    Returns:
        MatchingResult; objective is -L at the element under the judging key, error the share of units that the last
        step moved (of the entries of rotations, the share that changed by more than 1e-3).

    Raises:
        TypeError: If an argument is of the wrong kind, such as parameters in the place of ``loss``.
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of it.

    Status: CONVERGED if the last step moved no unit; MAX_STEPS if units still changed places (more steps or a
        smaller step size may end lower); NONFINITE if the loss of the element is not finite.
    Differentiation: none (stop_gradient).
    Complexity: a step is one gradient and one further value of the loss, and two sweeps of weight matching.
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
        >>> result = gj.symmetry.straight_through_matching(spec, loss, a, b, key=jax.random.key(4), num_steps=3)
        >>> bool(jnp.abs(result.objective) < 1e-9)
        True

    References: [Ainsworth2022], Alg. 2; [Bengio2013].
    """
    where = "straight_through_matching"
    call = "straight_through_matching(spec, loss, params_a, params_b, key=key)"
    check_spec(call, spec)
    checks.function(where, "loss", loss, f"Write {call}.")
    checks.typed_key(where, key)
    num_steps = checks.count(where, "num_steps", num_steps)
    optimizer = optax.adam(1e-3) if optimizer is None else optimizer
    models = balance_models(spec, read_params(call, spec, params_a=params_a, params_b=params_b))
    problem, (a, b) = models.problem, jax.lax.stop_gradient(models.arrays)
    leaves_a, leaves_b = jax.lax.stop_gradient(models.leaves)
    held, given = with_leaves(params_a, leaves_a), with_leaves(params_b, leaves_b)
    start_key, judge_key, step_key = jax.random.split(key, 3)
    start, _ = models.start(call, init)
    if init is None:
        start = match_pairs(problem, a, b, start, key=start_key, given=(), max_steps=STARTING_SWEEPS).element

    def moved(element: CompactElement) -> Params:
        return move_tree(spec, decode(models.groups, spec, element, models.dtype), given)

    def value(element: CompactElement) -> Float[Array, ""]:
        return midpoint_loss(loss, held, moved(element), key=judge_key)

    def project(copy: list[Array], element: CompactElement, order_key: Key) -> CompactElement:
        _, (target,) = pair_up(spec, models.groups, [dict(array_leaves(with_arrays(held, copy)))])
        projected, *_ = ascend(
            problem,
            target,
            b,
            element,
            key=order_key,
            given=tuple(sorted(element)),
            max_steps=PROJECTION_SWEEPS,
        )
        return projected

    def propose(copy: list[Array], optimizer_state: Any, current: CompactElement, step_key: Key):
        batch_key, order_key = jax.random.split(step_key)
        element = project(copy, current, order_key)
        loss_at = lambda x: midpoint_loss(loss, held, with_arrays(given, x), key=batch_key)  # noqa: E731
        gradient = jax.grad(loss_at)(arrays_of(moved(element)))
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, copy)
        return cast(list[Array], optax.apply_updates(copy, updates)), optimizer_state, element

    copy = arrays_of(held)
    state = optimizer.init(copy)
    return search(models.element, value, propose, copy, state, start, key=step_key, num_steps=num_steps)
