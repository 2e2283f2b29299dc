"""Matching by the loss: the element whose midpoint between two models works best, found by gradients."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.results import Status
from geojax.symmetry.action import Element, act
from geojax.symmetry.ascent import ascend
from geojax.symmetry.pairing import read_leaves, real_dtype
from geojax.symmetry.spec import SymmetrySpec
from geojax.symmetry.weight_matching import MatchingResult, match_pairs, starting_element
from geojax.typing import Key, Params, Scalar

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
    """Permutes one model's units so that the midpoint with another has a low loss, by a straight-through estimator.

    Minimises  L(g) = loss((a + act(g, b)) / 2)  over the permutation groups. A free copy of the parameters stands for
    act(g, b): each step projects it onto the orbit of b, as `weight_matching` does, takes the gradient of the loss at
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
        step moved. Groups that are not permutations stay at the identity.

    Raises:
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of permutations.

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
    params_a, params_b = _stopped((params_a, params_b))
    problem, (a, b) = read_leaves(where, spec, params_a=params_a, params_b=params_b)
    start_key, judge_key, *_ = jax.random.split(key, 3)
    start = starting_element(where, spec, init, real_dtype(a))
    if init is None:
        start = match_pairs(problem, a, b, start, key=start_key, settled=(), max_sweeps=100).element
    start = vary_with(start, a, b, key)
    units = max(sum(start[name].size for name in problem.parents), 1)

    def value(element: Element) -> Float[Array, ""]:
        return jnp.asarray(loss(midpoint(params_a, act(spec, element, params_b)), judge_key))

    def advance(state: _Search, step_key: Key) -> tuple[_Search, None]:
        batch_key, order_key = jax.random.split(step_key)
        free = with_arrays(params_a, state.free)
        _, (target,) = read_leaves(where, spec, params=free)
        current = {name: state.element[name] for name in problem.parents}
        found, *_ = ascend(
            problem,
            target,
            b,
            current,
            order_key,
            settled=tuple(sorted(current)),
            max_sweeps=PROJECTION_SWEEPS,
        )
        moved_units = sum(jnp.sum(found[name] != current[name]) for name in current)
        element = {**state.element, **found}
        placed = arrays_of(act(spec, element, params_b))
        slope = jax.grad(lambda x: loss(midpoint(params_a, with_arrays(params_b, x)), batch_key))(placed)
        updates, optimizer_state = optimizer.update(slope, state.optimizer_state, state.free)
        free = cast(list[Array], optax.apply_updates(state.free, updates))
        reached = value(element)
        better = reached < state.lowest
        best = {name: jnp.where(better, element[name], state.best[name]) for name in element}
        lowest = jnp.where(better, reached, state.lowest)
        return _Search(
            free, optimizer_state, element, best, lowest, jnp.asarray(moved_units / units, first.dtype)
        ), None

    free = arrays_of(params_a)
    first = value(start)
    search = _Search(free, optimizer.init(free), start, start, first, jnp.ones_like(first))
    search, _ = jax.lax.scan(advance, search, jax.random.split(jax.random.fold_in(key, 2), num_steps))
    return judged(search.best, search.lowest, search.moved, num_steps)


class _Search(NamedTuple):
    free: list[Array]
    optimizer_state: Any
    element: Element
    best: Element
    lowest: Float[Array, ""]
    moved: Float[Array, ""]


def judged(
    element: Element, lowest: Float[Array, ""], error: Float[Array, ""], num_steps: int
) -> MatchingResult:
    """The result of a search of fixed length whose error is 0 once it has settled."""
    code = jnp.where(error == 0, Status.CONVERGED, Status.MAX_STEPS)
    code = jnp.where(jnp.isfinite(lowest) & jnp.isfinite(error), code, Status.NONFINITE)
    return MatchingResult(
        element,
        -lowest,
        error.astype(lowest.dtype),
        jnp.asarray(num_steps, jnp.int32),
        code.astype(jnp.int32),
    )


def midpoint(params_a: Params, params_b: Params) -> Params:
    """Half way between two trees; leaves that are not floating or complex arrays are those of a."""
    pairs = zip(arrays_of(params_a), arrays_of(params_b), strict=True)
    return with_arrays(params_a, [(x + y) / 2 for x, y in pairs])


def arrays_of(params: Params) -> list[Array]:
    """The floating and complex leaves of a tree."""
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(params) if _is_inexact(leaf)]


def with_arrays(params: Params, arrays: list[Array]) -> Params:
    """A tree with its floating and complex leaves replaced."""
    remaining = iter(arrays)
    return jax.tree.map(lambda leaf: next(remaining) if _is_inexact(leaf) else leaf, params)


def _is_inexact(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _stopped(params: Params) -> Params:
    return with_arrays(params, [jax.lax.stop_gradient(x) for x in arrays_of(params)])
