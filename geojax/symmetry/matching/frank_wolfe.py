"""Matching by weights over soft elements: Frank-Wolfe moves all groups at once."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import iterate
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.problem import CompactElement, Problem, real_dtype
from geojax.symmetry.ascent.soft import SoftElement, harden, mean_element, soft_objective, soften
from geojax.symmetry.matching.by_weights import MatchingResult, match_pairs
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Params, Scalar


def frank_wolfe_matching(
    spec: SymmetrySpec,
    params_a: Params,
    params_b: Params,
    *,
    init: Mapping[str, Array] | None = None,
    tol: Scalar = 1e-3,
    max_steps: int = 100,
) -> MatchingResult:
    """Moves one model through its symmetries so that its weights agree with another's, all groups moving together.

    Maximises  J(S) = sum over leaves <a', S b'>  over the convex hulls of the compact groups (doubly stochastic
    matrices for permutations), a' and b' the balanced models, by Frank-Wolfe: S <- S + t (V - S), where V is the
    element of largest inner product with the gradient and t in [0, 1] the best on the segment. It starts from the mean
    of all elements, so that no group has to choose before the others. The nearest element is then improved by
    coordinate ascent as in `weight_matching`, which also explains what happens to scalings and linear maps.

    Args:
        spec: The symmetry of the function, from `infer`.
        params_a: The model to match.
        params_b: The model to move.
        init: Element to start from instead of the mean.
        tol: Largest Frank-Wolfe gap <gradient, V - S>, relative to |J|, that counts as converged.
        max_steps: Most Frank-Wolfe steps.

    Returns:
        MatchingResult; objective is J at the element, error the relative gap at the end of Frank-Wolfe, num_steps
        its steps.

    Raises:
        TypeError: If an argument is of the wrong kind, such as a function in place of parameters or a result in place
            of its element.
        ValueError: If a tree does not fit the spec, or ``init`` is not an element of it.

    Status: CONVERGED if the gap is within tol; MAX_STEPS; NONFINITE.
    Differentiation: element is constant (stop_gradient); objective is exact with the element and the balancing held.
    Complexity: a step costs the gradient of J, O(leaf size x n) for each leaf, and an assignment in O(n^3) for each
        group.
    Batch: jax.vmap over the pairs of models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = gj.symmetry.infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> planted = gj.symmetry.random_element(spec, jax.random.key(2))
        >>> moved = gj.symmetry.act(spec, planted, params)
        >>> result = gj.symmetry.frank_wolfe_matching(spec, moved, params)
        >>> bool(all(jnp.array_equal(result.element[name], planted[name]) for name in planted))
        True

    References: [FrankWolfe1956]; [Crisostomi2024], Sec. 3.
    """
    call = "frank_wolfe_matching(spec, params_a, params_b)"
    max_steps = checks.count("frank_wolfe_matching", "max_steps", max_steps)
    models = balance_models(spec, read_params(call, spec, params_a=params_a, params_b=params_b))
    problem, (a, b) = models.problem, models.arrays
    start, _ = models.start(call, init)
    x, y = jax.lax.stop_gradient((a, b))
    soft, error, num_steps, status = _frank_wolfe(
        problem, x, y, start, tol, from_mean=init is None, max_steps=max_steps
    )
    match = match_pairs(
        problem,
        a,
        b,
        harden(problem, soft),
        key=None,
        given=tuple(problem.parents),
        max_steps=POLISHING_SWEEPS,
    )
    status = jnp.where(jnp.isfinite(match.objective), status, match.status)
    return MatchingResult(models.element(match.element), match.objective, error, num_steps, status)


POLISHING_SWEEPS = 100
"""Most sweeps of coordinate ascent after rounding to the nearest element."""


@functools.partial(jax.jit, static_argnames=("problem", "from_mean", "max_steps"))
def _frank_wolfe(
    problem: Problem,
    a: list[Array],
    b: list[Array],
    start: CompactElement,
    tol,
    *,
    from_mean: bool,
    max_steps: int,
):
    dtype = real_dtype(a)
    soft = mean_element(problem, start, dtype) if from_mean else soften(problem, start, dtype)
    degree = max((sum(bool(group) for group in pair.groups) for pair in problem.pairs), default=0)
    value = lambda soft: soft_objective(problem, a, b, soft)  # noqa: E731

    def advance(soft: SoftElement):
        here, gradient = jax.value_and_grad(value)(soft)
        vertex = soften(problem, harden(problem, gradient), dtype)
        towards = jax.tree.map(jnp.subtract, vertex, soft)
        products = [jnp.vdot(gradient[name], towards[name]) for name in gradient]
        gap = sum(products, start=jnp.zeros((), dtype))
        length = _best_length(value, soft, towards, here, gap, degree)
        ahead = jax.tree.map(lambda x, d: x + length * d, soft, towards)
        scale = jnp.maximum(jnp.abs(here), jnp.finfo(dtype).tiny)
        return ahead, gap / scale

    end = iterate(advance, soft, tol=tol, max_steps=max_steps)
    return end.state, end.error, end.num_steps, end.status


def _best_length(
    value, soft: SoftElement, towards: SoftElement, here, slope, degree: int
) -> Float[Array, ""]:
    """The best t in [0, 1] along a segment: exact if the objective is quadratic on it, else to 1/64.

    On the segment the objective is a polynomial of the given degree d, which its values at d + 1 points determine.
    """
    at = lambda t: value(jax.tree.map(lambda x, d: x + t * d, soft, towards))  # noqa: E731
    if degree <= 2:
        curvature = at(1.0) - here - slope
        inside = curvature < 0
        peak = jnp.clip(-slope / (2 * jnp.where(inside, curvature, -1)), 0, 1)
        return jnp.where(inside, peak, jnp.where(slope + curvature > 0, 1.0, 0.0))
    nodes = jnp.linspace(0, 1, degree + 1, dtype=here.dtype)
    values = jnp.stack([here, *(at(t) for t in nodes[1:])])
    coefficients = jnp.linalg.solve(jnp.vander(nodes, increasing=True), values)
    grid = jnp.concatenate(
        [
            jnp.zeros(1, here.dtype),
            jnp.geomspace(1e-4, 1 / 64, 16, dtype=here.dtype),
            jnp.linspace(1 / 64, 1, 64, dtype=here.dtype),
        ]
    )
    return grid[jnp.argmax(jnp.polyval(coefficients[::-1], grid))]
