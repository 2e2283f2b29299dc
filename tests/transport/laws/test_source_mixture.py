"""Mixtures of sources: the cost and its gradient, selection, and the predictor of scores."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ott.geometry import geometry
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn

from geojax import Status
from geojax.transport.laws import fit_ot_predictor, mixture_ot, project_scale, select_mixture

S, N, M, D = 3, 6, 8, 2


def square(x, y):
    return jnp.sum((x - y) ** 2)


@jax.jit
def data(key):
    k1, k2, k3 = jax.random.split(key, 3)
    shifts = jnp.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    sources = jax.random.normal(k1, (S, N, D)) + shifts[:, None]
    return sources, jax.random.normal(k2, (M, D)), jax.nn.softmax(jax.random.normal(k3, (S,)))


@jax.jit
def value(sources, target, alpha, epsilon=0.5):
    return mixture_ot(sources, target, alpha, cost=square, epsilon=epsilon, tol=1e-11)


def test_matches_ott():
    sources, target, alpha = data(jax.random.key(0))

    @jax.jit
    def peer(sources, target, alpha):
        cost = jnp.sum((sources.reshape(-1, 1, D) - target) ** 2, -1)
        problem = linear_problem.LinearProblem(
            geometry.Geometry(cost, epsilon=0.5), jnp.repeat(alpha / N, N), jnp.full(M, 1 / M)
        )
        return ott_sinkhorn.Sinkhorn(threshold=1e-11, max_iterations=20_000)(problem).reg_ot_cost

    np.testing.assert_allclose(value(sources, target, alpha), peer(sources, target, alpha), rtol=1e-9)


@pytest.mark.full
def test_gradient_matches_differences_along_the_simplex():
    sources, target, alpha = data(jax.random.key(1))
    gradient = jax.grad(value, argnums=2)(sources, target, alpha)
    for direction in ([1.0, -1.0, 0.0], [0.0, 1.0, -1.0]):
        step = 1e-5 * jnp.array(direction)
        difference = value(sources, target, alpha + step) - value(sources, target, alpha - step)
        np.testing.assert_allclose(gradient @ step, difference / 2, rtol=1e-6)


@pytest.mark.full
def test_law_convex_in_the_mixture():
    @jax.jit
    @jax.vmap
    def law(key):
        sources, target, alpha = data(key)
        beta = jax.nn.softmax(jax.random.normal(jax.random.fold_in(key, 1), (S,)))
        at = lambda t: value(sources, target, (1 - t) * alpha + t * beta)
        return (at(0.0) + at(1.0)) / 2 - at(0.5)

    assert jnp.all(law(jax.random.split(jax.random.key(2), 32)) >= -1e-9)


@pytest.mark.full
def test_a_source_equal_to_the_target_gets_all_the_mass():
    sources, _, _ = data(jax.random.key(3))
    objective = lambda alpha: value(sources, sources[1], alpha, 0.05)
    select = lambda init: select_mixture(objective, init, step_size=1.0, tol=1e-3)
    result, at_vertex = jax.jit(lambda init: (select(init), objective(jnp.array([0.0, 1.0, 0.0]))))(
        np.full(S, 1 / S)
    )
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.alpha, [0, 1, 0], atol=1e-2)
    # The gap bounds how far the objective is from its minimum, which lies nowhere above the vertex.
    assert np.asarray(result.objective) - at_vertex <= np.asarray(result.error) + 1e-9


def test_selection_says_what_happened():
    linear = lambda alpha: alpha @ jnp.array([1.0, 0.5, 2.0])
    start = np.full(S, 1 / S)

    @functools.partial(jax.jit, static_argnames=("f", "max_steps"))
    def run(init, f=linear, **kept):
        return select_mixture(f, init, **{"step_size": 1.0, **kept})

    assert run(start).status == Status.CONVERGED
    assert run(start, max_steps=2).status == Status.MAX_STEPS
    assert run(-start).status == Status.INFEASIBLE
    assert run(start, f=lambda alpha: jnp.sum(alpha) * jnp.nan).status == Status.NONFINITE
    assert np.asarray(run(np.array([0.5, 0.0, 0.5])).alpha)[1] == 0


@jax.jit
def fit_and_predict(alphas, sizes, costs, scores):
    fit = fit_ot_predictor(alphas, sizes, costs, scores)
    return fit, jax.vmap(fit.predict)(alphas, costs, sizes)


def test_predictor_recovers_planted_scores():
    random = np.random.default_rng(4)
    alphas = random.dirichlet(np.ones(S), size=30)
    costs = random.uniform(size=30) + 0.5
    sizes = np.exp(random.uniform(3, 6, size=30))
    u, v, w = np.array([0.3, 0.5, 0.1]), np.array([-0.2, -0.1, -0.4]), 0.05
    scores = alphas @ u + (alphas @ v) * costs + w * np.log(sizes)
    fit, predicted = fit_and_predict(alphas, sizes, costs, scores)
    np.testing.assert_allclose(fit.intercepts, u, atol=1e-9)
    np.testing.assert_allclose(fit.slopes, v, atol=1e-9)
    np.testing.assert_allclose(fit.growth, w, atol=1e-9)
    np.testing.assert_allclose(predicted, scores, atol=1e-9)


def test_predictor_with_too_few_trials_still_fits_them():
    scores = np.array([0.7, 0.6])
    _, predicted = fit_and_predict(np.eye(2), np.full(2, 50.0), np.array([1.0, 2.0]), scores)
    np.testing.assert_allclose(predicted, scores, atol=1e-10)


def test_extrapolation_is_exact_on_power_laws():
    law = lambda n: 3.0 * n**-0.37
    project = jax.jit(project_scale)
    np.testing.assert_allclose(project(law(100.0), law(500.0), 100.0, 500.0, 1e5), law(1e5), rtol=1e-12)
    assert np.isnan(project(-1.0, 0.5, 10, 20, 30))
    assert np.isnan(project(1.0, 0.5, 10, 10, 30))


def test_bad_shapes_are_named():
    sources, target, alpha = data(jax.random.key(5))
    with pytest.raises(ValueError, match="mixture_ot: alpha"):
        mixture_ot(sources, target, alpha[:2], cost=square, epsilon=0.5)
    with pytest.raises(ValueError, match="fit_ot_predictor: costs"):
        fit_ot_predictor(np.eye(3), np.ones(3), np.ones(2), np.ones(3))
    assert np.isnan(value(sources, target, -np.asarray(alpha)))


@pytest.mark.full
def test_a_cost_whose_iterations_did_not_converge_is_nan():
    sources, target = (
        np.random.default_rng(0).normal(size=(2, 8, 2)),
        np.random.default_rng(1).normal(size=(9, 2)),
    )
    shares = np.full(2, 0.5)
    assert np.isnan(mixture_ot(sources, target, shares, epsilon=0.01, max_steps=3))
    assert np.isfinite(mixture_ot(sources, target, shares, epsilon=0.01))
    select = lambda steps: select_mixture(
        lambda alpha: mixture_ot(sources, target, alpha, epsilon=0.01, max_steps=steps), shares, step_size=0.1
    )
    assert select(3).status == Status.NONFINITE
