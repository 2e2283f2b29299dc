"""Matching by the loss: the element whose midpoint between two models works best, found by gradients."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import set_up
from geojax.symmetry.ascent.movers import decode, read_leaves
from geojax.symmetry.ascent.problem import Moves
from geojax.symmetry.ascent.sweeps import ascend
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.matching.midpoint_search import arrays_of, balanced, midpoint_loss, search, with_arrays
from geojax.typing import Key, Params, Scalar

STARTING_SWEEPS = 100
"""Most sweeps of the weight matching that finds a start."""

PROJECTION_SWEEPS = 2
"""Sweeps of coordinate ascent in each projection onto the orbit, which starts where the last one ended."""


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

    Minimises  L(k) = loss((a' + act(k, b')) / 2)  over the compact groups, a' and b' the models in their balanced
    gauges; `weight_matching` says what becomes of scalings and linear maps. A free copy of the parameters stands for
    act(k, b'): each step projects it onto the orbit of b', as `weight_matching` does, takes the gradient of the loss at
    the midpoint with the projection, and moves the free copy by it as if there had been no projection. Of all elements
    met on the way the best is kept, judged by the loss under one key held throughout.

    Args:
        spec: The symmetry of the function, from `infer`.
        loss: (params, key) -> scalar; draws its own batch from the key.
        params_a: The model to match; the free copy starts here.
        params_b: The model to move.
        key: Random key, for the batches and the order of groups.
        init: Element to start from; by default the one that `weight_matching` finds.
        num_steps: How many gradient steps to take.
        optimizer: An optax transformation; Adam with step 1e-3 by default.

    Returns:
        MatchingResult; objective is -L at the element under the judging key, error the share of units that the last
        step moved (of entries of rotations, those that changed by 1e-3).

    Raises:
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of it.

    Status: CONVERGED when the last step moved no unit; MAX_STEPS, where units still changed places (more steps or a
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
        >>> found = gj.symmetry.straight_through_matching(spec, loss, a, b, key=jax.random.key(4), num_steps=3)
        >>> bool(jnp.abs(found.objective) < 1e-9)
        True

    References: [Ainsworth2022], Alg. 2; [Bengio2013].
    """
    where = "straight_through_matching"
    checks.typed_key(where, key)
    num_steps = checks.count(where, "num_steps", num_steps)
    optimizer = optax.adam(1e-3) if optimizer is None else optimizer
    setting = set_up(where, spec, params_a=params_a, params_b=params_b)
    problem, (a, b) = setting.problem, jax.lax.stop_gradient(setting.arrays)
    held, moved = balanced(setting, params_a, params_b)
    start_key, judge_key, step_key = jax.random.split(key, 3)
    start, _ = setting.start(where, init)
    if init is None:
        start = match_pairs(problem, a, b, start, key=start_key, settled=(), max_sweeps=STARTING_SWEEPS).moves

    def placed(moves: Moves) -> Params:
        return act(spec, decode(setting.movers, spec, moves, setting.dtype), moved)

    def value(moves: Moves) -> Float[Array, ""]:
        return midpoint_loss(loss, held, placed(moves), judge_key)

    def propose(free: list[Array], optimizer_state: Any, current: Moves, step_key: Key):
        batch_key, order_key = jax.random.split(step_key)
        _, (target,) = read_leaves(where, spec, setting.movers, params=with_arrays(held, free))
        found, *_ = ascend(
            problem,
            target,
            b,
            current,
            order_key,
            settled=tuple(sorted(current)),
            max_sweeps=PROJECTION_SWEEPS,
        )
        through = lambda x: midpoint_loss(loss, held, with_arrays(moved, x), batch_key)  # noqa: E731
        slope = jax.grad(through)(arrays_of(placed(found)))
        updates, optimizer_state = optimizer.update(slope, optimizer_state, free)
        return cast(list[Array], optax.apply_updates(free, updates)), optimizer_state, found

    free = arrays_of(held)
    return search(setting.element, value, propose, free, optimizer.init(free), start, step_key, num_steps)
