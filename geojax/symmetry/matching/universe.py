"""Matching many models at once, in coordinates that belong to none of them."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax.results import Status
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import set_up
from geojax.symmetry.ascent.problem import Moves, Problem, inner_product, move, objective, real_dtype
from geojax.symmetry.ascent.sweeps import ascend
from geojax.symmetry.matching.by_weights import MatchingResult
from geojax.typing import Key, Params

SWEEPS = 100  # most of one model's matching; it stops long before


def universe_matching(
    spec: SymmetrySpec, models: Sequence[Params], *, key: Key, max_sweeps: int = 100
) -> MatchingResult:
    """Moves many models through their symmetries so that all their weights agree with one another.

    Maximises  J(g_1, ..., g_N) = sum over pairs k < l of <act(g_k, theta_k), act(g_l, theta_l)>  over the compact
    groups, every model in its balanced gauge, which says what becomes of scalings and linear maps as in
    `weight_matching`. Every model is moved into common coordinates, the universe, so that the maps between models,
    inverse(g_l) g_k, agree around every cycle by construction. Model by model, each is matched to the sum of the others
    as in `weight_matching`; J never falls.

    Args:
        spec: The symmetry of the function, from `infer`.
        models: The parameters of N >= 1 models, trees that fit the spec.
        key: Random key, for the order of models and groups.
        max_sweeps: Most sweeps over the models.

    Returns:
        MatchingResult; its element holds for each group an array [N, ...], so that
        ``jax.vmap(functools.partial(act, spec))(element, stacked_models)`` moves all models.

    Raises:
        ValueError: If there is no model, or one does not fit the spec.

    Status: CONVERGED when a whole sweep moves no model; MAX_STEPS; NONFINITE.
    Differentiation: element is constant (stop_gradient); objective is exact with the element held.
    Complexity: a sweep is N warm weight matchings; memory for all models twice.
    Batch: jax.vmap over sets of models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> turned = [gj.symmetry.act(spec, gj.symmetry.random_element(spec, k), params)
        ...           for k in jax.random.split(jax.random.key(2), 3)]
        >>> found = gj.unwrap(gj.symmetry.universe_matching(spec, turned, key=jax.random.key(3)))
        >>> moved = [gj.symmetry.act(spec, {name: g[k] for name, g in found.element.items()}, turned[k])
        ...          for k in range(3)]
        >>> bool(jnp.array_equal(moved[0][0], moved[1][0]) and jnp.array_equal(moved[0][0], moved[2][0]))
        True

    References: [Crisostomi2024]; [Ainsworth2022], Alg. 3.
    """
    where = "universe_matching"
    checks.typed_key(where, key)
    max_sweeps = checks.count(where, "max_sweeps", max_sweeps)
    if len(models) == 0:
        raise ValueError(f"{where}: models is empty; expected at least one tree of parameters.")
    setting = set_up(where, spec, **{f"models[{k}]": model for k, model in enumerate(models)})
    problem = setting.problem
    thetas = [jnp.stack(parts) for parts in zip(*setting.arrays, strict=True)]
    held = jax.lax.stop_gradient(thetas)
    start = {
        name: jnp.broadcast_to(array, (len(models), *array.shape))
        for name, array in setting.start(where, None)[0].items()
    }
    found, error, num_steps, status = _agree(problem, held, start, key, max_sweeps)
    value = _agreement(problem, thetas, found)
    status = jnp.where(jnp.isfinite(value), status, Status.NONFINITE)
    elements = [
        setting.placed({name: array[k] for name, array in found.items()}, k) for k in range(len(models))
    ]
    together = jax.tree.map(lambda *parts: jnp.stack(parts), *elements)
    return MatchingResult(together, value, error, num_steps, status)


@functools.partial(jax.jit, static_argnames=("problem", "max_sweeps"))
def _agree(problem: Problem, thetas: list[Array], start: Moves, key: Key, max_sweeps: int):
    count = thetas[0].shape[0] if thetas else 0
    thetas, start = vary_with((thetas, start), thetas, key)
    first_key, key = jax.random.split(key)

    def moved(element: Moves) -> list[Array]:
        return jax.vmap(lambda theta, g: _moved(problem, theta, g))(thetas, element)

    def settle(k, element: Moves) -> Moves:
        """Matches model k from scratch to the sum of the models before it."""
        before = [
            jnp.tensordot(jnp.asarray(jnp.arange(count) < k, x.dtype), x, axes=1) for x in moved(element)
        ]
        theta = [x[k] for x in thetas]
        at_rest = {name: array[k] for name, array in element.items()}
        sub = jax.random.fold_in(first_key, k)
        found, *_ = ascend(problem, before, theta, at_rest, sub, settled=(), max_sweeps=SWEEPS)
        return {name: element[name].at[k].set(found[name]) for name in element}

    def sweep(state):
        element, number = state
        round_key = jax.random.fold_in(key, number)
        order = jax.random.permutation(round_key, count)

        def turn(i, carry):
            element, total = carry
            k = order[i]
            theta = [x[k] for x in thetas]
            current = {name: array[k] for name, array in element.items()}
            others = [jnp.sum(x, axis=0) - x[k] for x in moved(element)]
            sub = jax.random.fold_in(round_key, k)
            found, _, _, status = ascend(
                problem, others, theta, current, sub, settled=tuple(sorted(element)), max_sweeps=SWEEPS
            )
            rise = objective(problem, others, theta, found) - objective(problem, others, theta, current)
            rise = jnp.where(status == Status.NONFINITE, jnp.nan, rise)
            better = rise > 0
            element = {
                name: element[name].at[k].set(jnp.where(better, found[name], current[name]))
                for name in element
            }
            return element, total + jnp.where(better | jnp.isnan(rise), rise, 0)

        nothing = vary_with(jnp.zeros((), real_dtype(thetas)), element)
        element, rise = jax.lax.fori_loop(0, count, turn, (element, nothing))
        return (element, number + 1), rise

    element = jax.lax.fori_loop(1, count, settle, start)
    end = iterate(sweep, (element, jnp.asarray(0, jnp.int32)), tol=0.0, max_steps=max_sweeps)
    return end.state[0], end.error, end.num_steps, end.status


def _moved(problem: Problem, theta: list[Array], element: Moves) -> list[Array]:
    return [
        move(problem, pair, x, element, problem.parents) for pair, x in zip(problem.pairs, theta, strict=True)
    ]


def _agreement(problem: Problem, thetas: list[Array], element: Moves) -> Float[Array, ""]:
    """J, each model's inner product with the sum of those before it."""
    placed = jax.vmap(lambda theta, g: _moved(problem, theta, g))(thetas, element)
    products = [inner_product(x, jnp.cumsum(x, axis=0) - x) for x in placed]
    return sum(products, start=jnp.zeros((), real_dtype(thetas)))
