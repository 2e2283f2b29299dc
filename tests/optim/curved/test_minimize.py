"""Minimisation against eigenvectors and closed forms, for every method; derivatives of the solution; statuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Euclidean, FixedRank, Product, Sphere
from geojax.optim import LBFGS, BarzilaiBorwein, TrustRegion, minimize
from geojax.results import Status

SPHERE = Sphere()
METHODS = {"bb": BarzilaiBorwein(), "tr": TrustRegion(), "lbfgs": LBFGS()}


def symmetric(seed, n=6):
    matrix = np.random.default_rng(seed).normal(size=(n, n))
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_matches_eigh_for_the_least_eigenvalue(method):
    """Sixteen Rayleigh quotients in one loop."""
    matrices = np.stack([symmetric(seed) for seed in range(16)])
    starts = np.random.default_rng(1).normal(size=(16, 6))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)

    @jax.jit
    @jax.vmap
    def solve(matrix, x0):
        return minimize(SPHERE, lambda x: x @ matrix @ x, x0, method=method, tol=1e-7)

    result = solve(matrices, starts)
    assert np.all(np.asarray(result.status) == Status.CONVERGED)
    assert np.all(np.asarray(result.error) <= 1e-7)
    np.testing.assert_allclose(result.value, np.linalg.eigvalsh(matrices)[:, 0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(result.point, axis=1), 1, atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_matches_the_closed_form_on_a_curved_euclidean_valley(method):
    """Rosenbrock's function, least at (1, 1), and a quadratic of condition 1e4."""
    rosenbrock = jax.jit(
        lambda x: minimize(
            Euclidean(),
            lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
            x,
            method=method,
            tol=1e-9,
        )
    )(jnp.asarray([-1.2, 1.0]))
    assert rosenbrock.status == Status.CONVERGED
    np.testing.assert_allclose(rosenbrock.point, 1, atol=1e-7)
    scales = jnp.logspace(0, 4, 8)
    bowl = jax.jit(
        lambda x: minimize(
            Euclidean(),
            lambda x: jnp.sum(scales * (x - 1) ** 2) / 2,
            x,
            method=method,
            tol=1e-8,
            max_steps=2000,
        )
    )(jnp.zeros(8))
    assert bowl.status == Status.CONVERGED
    np.testing.assert_allclose(bowl.point, 1, atol=1e-8)


def test_law_trust_region_is_superlinear_and_units_do_not_matter():
    """In other units of f and x the trials are the same, and few."""
    scales = jnp.logspace(0, 3, 6)

    @jax.jit
    def solve(unit_f, unit_x):
        def f(x):
            return unit_f * jnp.sum(scales * (jnp.cosh(x / unit_x - 1) - 1))

        return minimize(Euclidean(), f, jnp.zeros(6), tol=1e-10 * unit_f / unit_x, max_steps=60)

    plain, other = solve(1.0, 1.0), solve(1e-6, 1e9)
    assert plain.status == other.status == Status.CONVERGED
    assert int(plain.num_steps) == int(other.num_steps) <= 15
    np.testing.assert_allclose(other.point, 1e9 * plain.point, rtol=1e-9)


def test_gradient_of_the_solution_matches_perturbation_theory():
    """The least eigenvector moves by sum_k <v_k, dA v> / (l - l_k) v_k, its value by <v, dA v>; in both modes."""
    matrix, change = symmetric(3), symmetric(4)
    values, vectors = np.linalg.eigh(matrix)
    v = vectors[:, 0]
    want = sum(vectors[:, k] * (vectors[:, k] @ change @ v) / (values[0] - values[k]) for k in range(1, 6))

    def solve(matrix):
        result = minimize(SPHERE, lambda x: x @ matrix @ x, v, tol=1e-12)
        return result.point, result.value

    (point, _), (forward, slope) = jax.jit(lambda a, b: jax.jvp(solve, (a,), (b,)))(matrix, change)
    np.testing.assert_allclose(point, v, atol=1e-8)
    np.testing.assert_allclose(forward, want, atol=1e-7)
    np.testing.assert_allclose(slope, v @ change @ v, atol=1e-9)
    weights = np.arange(6.0)
    reverse = jax.jit(jax.grad(lambda a: weights @ solve(a)[0]))(matrix)
    np.testing.assert_allclose(np.vdot(reverse, change), weights @ want, atol=1e-7)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_ends_are_told_honestly(method):
    x = jnp.asarray([0.6, 0.8])

    @jax.jit
    def solve(x, slope, wall):
        def f(x):
            return slope * x[0] + jnp.where(x[0] < -0.5, wall, 0.0)

        return minimize(SPHERE, f, x, method=method, tol=1e-6, max_steps=30)

    assert solve(x, 1.0, 0.0).status == Status.CONVERGED
    assert solve(x, jnp.nan, 0.0).status == Status.NONFINITE
    assert solve(x * jnp.nan, 1.0, 0.0).status == Status.NONFINITE
    # A wall of NaN beside a good start: trials into it are refused, and the last good point is returned.
    walled = solve(x, 1.0, jnp.nan)
    assert walled.status == Status.MAX_STEPS
    assert jnp.all(jnp.isfinite(walled.point))
    assert walled.value < 0.6
    flat = solve(x, 0.0, 0.0)
    assert flat.status == Status.CONVERGED
    np.testing.assert_allclose(flat.point, x, atol=1e-15)


def test_bad_input_says_what_is_wrong():
    x = jnp.asarray([0.6, 0.8])
    with pytest.raises(ValueError, match=r"f returned \(2,\); expected a scalar"):
        minimize(SPHERE, lambda x: x, x)
    with pytest.raises(TypeError, match="expected a real number"):
        minimize(SPHERE, lambda x: x[0] + 0j, x)
    with pytest.raises(ValueError, match="x0 has shape"):
        minimize(SPHERE, jnp.sum, jnp.ones((2, 2)))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_matches_the_singular_value_decomposition_on_a_product(method):
    """The best rank-one matrix, s x y^T, over two spheres and a line."""
    matrix = jnp.asarray([[3.0, 1.0, 0.5], [0.0, 1.0, -1.0]])
    places = Product({"x": SPHERE, "y": SPHERE, "s": Euclidean()})
    start = {"x": jnp.asarray([0.6, 0.8]), "y": jnp.asarray([0.0, 0.6, 0.8]), "s": jnp.asarray(1.0)}

    def misfit(p):
        return jnp.sum((matrix - p["s"] * jnp.outer(p["x"], p["y"])) ** 2)

    result = jax.jit(lambda x0: minimize(places, misfit, x0, method=method, tol=1e-7))(start)
    values = np.linalg.svd(np.asarray(matrix), compute_uv=False)
    assert result.status == Status.CONVERGED
    # The point is as good as tol over the curvature, the value as the square of that.
    np.testing.assert_allclose(abs(result.point["s"]), values[0], rtol=1e-7)
    np.testing.assert_allclose(result.value, np.sum(values[1:] ** 2), rtol=1e-9)


@pytest.mark.full
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_matches_the_truncated_singular_values_on_matrices_of_fixed_rank(method):
    """A manifold without exp: the best matrix of rank 2, by Eckart and Young."""
    matrix = jax.random.normal(jax.random.key(0), (4, 3))
    manifold = FixedRank(2)
    start = manifold.project(jax.random.normal(jax.random.key(1), (4, 3)))
    result = jax.jit(
        lambda x0: minimize(manifold, lambda x: jnp.sum((x - matrix) ** 2) / 2, x0, method=method, tol=1e-7)
    )(start)
    left, values, right = np.linalg.svd(np.asarray(matrix), full_matrices=False)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.point, (left[:, :2] * values[:2]) @ right[:2], atol=1e-5)
    np.testing.assert_allclose(result.value, values[2] ** 2 / 2, rtol=1e-9)
