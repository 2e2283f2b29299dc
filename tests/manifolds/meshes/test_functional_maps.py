"""Functional maps: planted permutations of a graph, the dense least squares problem, Gaussian priors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds.meshes import (
    fmap_to_pointwise,
    functional_map,
    regularized_functional_map,
    score_distillation_grad,
    zoomout,
)
from geojax.results import Status

RNG = np.random.default_rng(0)
N, K = 14, 6


def graph():
    """A weighted graph's Laplacian, a permutation, and the eigenpairs of both labellings."""
    weights = np.triu(RNG.uniform(size=(N, N)), 1)
    laplacian = np.diag((weights + weights.T).sum(0)) - weights - weights.T
    order = RNG.permutation(N)
    (values, phi_a), (_, phi_b) = np.linalg.eigh(laplacian), np.linalg.eigh(laplacian[np.ix_(order, order)])
    return values, phi_a, phi_b, order


VALUES, PHI_A, PHI_B, ORDER = graph()
SCALED = VALUES / VALUES[-1]


def descriptors(q):
    """Functions on a, and the same on b: row i of b is point ORDER[i] of a."""
    f = RNG.normal(size=(N, q))
    return PHI_A.T @ f, PHI_B.T @ f[ORDER]


def test_law_relabelled_graphs_have_a_signed_diagonal_map_and_the_planted_permutation():
    a, b = descriptors(3)
    c = functional_map(SCALED, SCALED, a, b, alpha=10.0)
    np.testing.assert_allclose(np.abs(np.diag(c)), 1, rtol=1e-9)
    np.testing.assert_allclose(c - np.diag(np.diag(c)), 0, atol=1e-9)
    np.testing.assert_allclose(c @ c.T, np.eye(N), atol=1e-8)
    np.testing.assert_allclose(c * SCALED, SCALED[:, None] * c, atol=1e-9)
    np.testing.assert_array_equal(fmap_to_pointwise(c, PHI_A, PHI_B), ORDER)


def test_matches_the_dense_least_squares_problem():
    a, b = RNG.normal(size=(2, K, 4))
    la, lb = np.sort(RNG.uniform(size=(2, K)))
    # vec(C) row by row: C A -> kron(1, A^T), C La - Lb C -> kron(1, La) - kron(Lb, 1).
    system = np.vstack(
        [
            np.kron(np.eye(K), a.T),
            np.sqrt(0.3) * (np.kron(np.eye(K), np.diag(la)) - np.kron(np.diag(lb), np.eye(K))),
        ]
    )
    want = np.linalg.lstsq(system, np.concatenate([b.ravel(), np.zeros(K * K)]))[0].reshape(K, K)
    np.testing.assert_allclose(functional_map(la, lb, a, b, alpha=0.3), want, rtol=1e-8, atol=1e-10)


def test_zoomout_finds_the_planted_permutation_from_a_small_map():
    a, b = descriptors(3)
    full = np.diag(np.sign(np.diag(functional_map(SCALED, SCALED, a, b, alpha=10.0))))
    c = zoomout(full[:4, :4], PHI_A, PHI_B, np.ones(N))
    np.testing.assert_allclose(c, full, atol=1e-10)
    np.testing.assert_array_equal(fmap_to_pointwise(c, PHI_A, PHI_B), ORDER)


def test_law_distillation_of_a_normal_prior_pulls_to_its_mean():
    """E = C t^2 / (s^2 + t^2), by 4000 keys within four standard errors."""
    c, t, s = jnp.asarray(RNG.normal(size=(K, K))), 0.7, 1.3
    keys = jax.random.split(jax.random.key(0), 4000)

    def score(z, t):
        return -z / (s**2 + t**2)

    drawn = jax.jit(jax.vmap(lambda key: score_distillation_grad(c, score, t, key=key)))(keys)
    error = np.asarray(drawn).std(0) / np.sqrt(len(keys))
    assert np.all(np.abs(np.asarray(drawn).mean(0) - c * t**2 / (s**2 + t**2)) < 4.5 * error)


def test_matches_ridge_regression_with_a_quadratic_regulariser():
    a, b = RNG.normal(size=(2, K, 4))
    found = regularized_functional_map(a, b, lambda c: c, weight=0.2, tol=1e-10, max_steps=2000)
    assert found.status == Status.CONVERGED
    want = b @ a.T @ np.linalg.inv(a @ a.T + 0.2 * np.eye(K))
    np.testing.assert_allclose(found.map, want, atol=1e-8)


def test_bad_input_says_what_is_wrong():
    a, b = descriptors(2)
    assert jnp.all(jnp.isnan(functional_map(SCALED, SCALED, a * np.nan, b, alpha=1.0)))
    assert int(fmap_to_pointwise(np.eye(N) * np.nan, PHI_A, PHI_B)[0]) == -1
    with pytest.raises(ValueError, match="k <= K"):
        zoomout(np.eye(4), PHI_A[:, :3], PHI_B[:, :3], np.ones(N))
    with pytest.raises(ValueError, match="coef_b has shape"):
        functional_map(SCALED, SCALED, a, b[:3], alpha=1.0)
    with pytest.raises(TypeError, match="typed random key"):
        score_distillation_grad(np.eye(2), lambda z, t: z, 1.0, key=3)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_descriptors_in_other_units_give_the_same_map(dtype):
    coef_a, coef_b = np.random.default_rng(0).normal(size=(2, 6, 9))
    want = coef_b @ coef_a.T @ np.linalg.inv(coef_a @ coef_a.T + 0.3 * np.eye(6))

    @jax.vmap
    def solve(unit):
        a, b = (unit * jnp.asarray(each, dtype) for each in (coef_a, coef_b))
        return regularized_functional_map(a, b, lambda c: c, weight=0.3 * unit**2)

    found = jax.jit(solve)(jnp.asarray([1e-4, 1.0, 1e4], dtype))
    assert np.all(np.asarray(found.status) == Status.CONVERGED)
    np.testing.assert_allclose(found.map, [want] * 3, atol=2e-4)
