"""Matching many models at once, each to coordinates that all of them share."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax.results import Status
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.problem import CompactElement, Problem, inner_product, move_array, real_dtype
from geojax.symmetry.ascent.sweeps import ascend
from geojax.symmetry.matching.by_weights import MatchingResult
from geojax.symmetry.orbits.reading import read_stack
from geojax.typing import Key, Params

SWEEPS = 100
"""Most sweeps each time that one model is matched to the sum of the others."""


def universe_matching(
    spec: SymmetrySpec, models: Params | Sequence[Params], *, key: Key, max_steps: int = 100
) -> MatchingResult:
    """Moves many models through their symmetries so that the weights of all agree.

    Maximises  J(g_1, ..., g_N) = sum over pairs k < l of <act(g_k, theta_k), act(g_l, theta_l)>  over the compact
    groups, where the theta_k are the balanced models; `weight_matching` explains what happens to scalings and linear
    maps. All models are moved into common coordinates, the universe, so that the maps between models,
    inverse(g_l) g_k, agree around every cycle by construction. One model after the other is matched to the sum of the
    others as in `weight_matching`. J never falls.

    Args:
        spec: The symmetry of the function, from `infer`.
        models: The parameters of N >= 1 models: a stack, one tree whose leaves have a leading model axis, or a list of
            trees that fit the spec.
        key: Random key, for the order of models and groups.
        max_steps: Most sweeps over the models.

    Returns:
        MatchingResult; its element holds an array [N, ...] for each group, so that
        ``jax.vmap(functools.partial(act, spec))(element, stack)`` moves all models.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec.
        ValueError: If there is no model, one does not fit the spec, or ``models`` is one model.

    Status: CONVERGED if a whole sweep moves no model; MAX_STEPS; NONFINITE.
    Differentiation: element is constant (stop_gradient); objective is exact with the element held.
    Complexity: a sweep is N weight matchings that start from the last element; memory for all models twice.
    Batch: jax.vmap over sets of models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> turn = lambda key: gj.symmetry.act(spec, gj.symmetry.random_element(spec, key), params)
        >>> stack = jax.vmap(turn)(jax.random.split(jax.random.key(2), 3))
        >>> result = gj.unwrap(gj.symmetry.universe_matching(spec, stack, key=jax.random.key(3)))
        >>> moved = jax.vmap(lambda g, p: gj.symmetry.act(spec, g, p))(result.element, stack)
        >>> bool(jnp.all(moved[0] == moved[0][0]))
        True

    References: [Crisostomi2024]; [Ainsworth2022], Alg. 3.
    """
    where = "universe_matching"
    call = "universe_matching(spec, models, key=key)"
    checks.typed_key(where, key)
    max_steps = checks.count(where, "max_steps", max_steps)
    balanced = balance_models(spec, read_stack(call, spec, models))
    problem, count = balanced.problem, len(balanced.arrays)
    thetas = [jnp.stack(arrays) for arrays in zip(*balanced.arrays, strict=True)]
    held = jax.lax.stop_gradient(thetas)
    start = {
        name: jnp.broadcast_to(array, (count, *array.shape))
        for name, array in balanced.start(call, None)[0].items()
    }
    encoded, error, num_steps, status = _agree(problem, held, start, key=key, max_steps=max_steps)
    value = _agreement(problem, thetas, encoded)
    status = jnp.where(jnp.isfinite(value), status, Status.NONFINITE)
    elements = [balanced.element_of_model(_item(encoded, k), k) for k in range(count)]
    together = jax.tree.map(lambda *arrays: jnp.stack(arrays), *elements)
    return MatchingResult(together, value, error, num_steps, status)


Universe = tuple[CompactElement, list[Array]]
"""The element of each model, with a leading model axis, and the arrays that it moves them to."""


@functools.partial(jax.jit, static_argnames=("problem", "max_steps"))
def _agree(problem: Problem, thetas: list[Array], start: CompactElement, *, key: Key, max_steps: int):
    count = thetas[0].shape[0] if thetas else 0
    thetas, start = vary_with((thetas, start), thetas, key)
    first_key, key = jax.random.split(key)

    def put(universe: Universe, k, encoded: CompactElement, arrays: list[Array]) -> Universe:
        """The universe with model k replaced."""
        elements, moved = universe
        elements = {name: elements[name].at[k].set(encoded[name]) for name in elements}
        return elements, [x.at[k].set(new) for x, new in zip(moved, arrays, strict=True)]

    def match_to_earlier(k, universe: Universe) -> Universe:
        """Matches model k from scratch to the sum of the models before it."""
        elements, moved = universe
        earlier = [jnp.tensordot(jnp.asarray(jnp.arange(count) < k, x.dtype), x, axes=1) for x in moved]
        theta = [x[k] for x in thetas]
        encoded, *_ = ascend(
            problem,
            earlier,
            theta,
            _item(elements, k),
            key=jax.random.fold_in(first_key, k),
            given=(),
            max_steps=SWEEPS,
        )
        return put(universe, k, encoded, _move_model(problem, theta, encoded))

    def sweep(state):
        universe, number = state
        sweep_key = jax.random.fold_in(key, number)
        order = jax.random.permutation(sweep_key, count)

        def turn(i, carry):
            (elements, moved), total = carry
            k = order[i]
            theta, before = [x[k] for x in thetas], [x[k] for x in moved]
            current = _item(elements, k)
            others = [jnp.sum(x, axis=0) - y for x, y in zip(moved, before, strict=True)]
            encoded, _, _, status = ascend(
                problem,
                others,
                theta,
                current,
                key=jax.random.fold_in(sweep_key, k),
                given=tuple(sorted(elements)),
                max_steps=SWEEPS,
            )
            after = _move_model(problem, theta, encoded)
            rise = _inner_product(others, after) - _inner_product(others, before)
            rise = jnp.where(status == Status.NONFINITE, jnp.nan, rise)
            better = rise > 0
            chosen = jax.tree.map(
                lambda new, old: jnp.where(better, new, old), (encoded, after), (current, before)
            )
            gain = jnp.where(better | jnp.isnan(rise), rise, 0)
            return put((elements, moved), k, *chosen), total + gain

        nothing = vary_with(jnp.zeros((), real_dtype(thetas)), universe)
        universe, rise = jax.lax.fori_loop(0, count, turn, (universe, nothing))
        return (universe, number + 1), rise

    universe = vary_with((start, thetas), thetas, key)
    universe = jax.lax.fori_loop(1, count, match_to_earlier, universe)
    end = iterate(sweep, (universe, jnp.asarray(0, jnp.int32)), tol=0.0, max_steps=max_steps)
    (elements, _), _ = end.state
    return elements, end.error, end.num_steps, end.status


def _item(elements: CompactElement, k) -> CompactElement:
    """The element of one model."""
    return {name: array[k] for name, array in elements.items()}


def _move_model(problem: Problem, theta: list[Array], element: CompactElement) -> list[Array]:
    """The arrays of one model moved by all groups."""
    return [
        move_array(problem, pair, x, element, problem.parents)
        for pair, x in zip(problem.pairs, theta, strict=True)
    ]


def _inner_product(x: list[Array], y: list[Array]) -> Float[Array, ""]:
    """The sum of the inner products of arrays."""
    products = [inner_product(u, v) for u, v in zip(x, y, strict=True)]
    return sum(products, start=jnp.zeros((), real_dtype(x)))


def _agreement(problem: Problem, thetas: list[Array], elements: CompactElement) -> Float[Array, ""]:
    """J: each model's inner product with the sum of those before it."""
    moved = jax.vmap(lambda theta, element: _move_model(problem, theta, element))(thetas, elements)
    return _inner_product(moved, [jnp.cumsum(x, axis=0) - x for x in moved])
