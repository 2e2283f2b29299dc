"""Kernel metrics against the spaces they are, their invariance, their inverses, and geodesics in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status
from geojax.manifolds import SPDAffineInvariant, SPDBuresWasserstein, SPDLogEuclidean, SPDPower
from geojax.manifolds.spd import (
    KernelMetric,
    affine_invariant_kernel,
    bogoliubov_kubo_mori_kernel,
    bures_wasserstein_kernel,
    euclidean_kernel,
    hamiltonian_geodesic,
    log_euclidean_kernel,
    power_affine_kernel,
    power_euclidean_kernel,
)
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, N, awkward, spd

SHAPE = (N, N)
KERNELS = {
    "euclidean": euclidean_kernel,
    "affine invariant": affine_invariant_kernel,
    "log-Euclidean": log_euclidean_kernel,
    "Bures-Wasserstein": bures_wasserstein_kernel,
    "Bogoliubov-Kubo-Mori": bogoliubov_kubo_mori_kernel,
    "power Euclidean": power_euclidean_kernel(0.5),
    "power affine": power_affine_kernel(0.5),
}
X = spd([0.5, 1.0, 2.0])
U, V = (SPDAffineInvariant().random_tangent(jax.random.key(k), X) for k in (1, 2))


@pytest.mark.parametrize("name", KERNELS)
def test_law_invariance_and_inverse(name):
    """Rotations keep it; the gradient of <p, .> is p in the inverse metric, whose metric is the kernel's reciprocal."""
    space = KernelMetric(KERNELS[name])
    inner = space.inner(X, U, V)
    np.testing.assert_allclose(space.inner(*(OTHER @ m @ OTHER.T for m in (X, U, V))), inner, rtol=1e-10)
    gradient = space.riemannian_gradient(X, U)
    np.testing.assert_allclose(space.inner(X, gradient, V), jnp.vdot(U, V), rtol=1e-10)
    np.testing.assert_allclose(space.cometric.inner(X, U, U), jnp.vdot(U, gradient), rtol=1e-10)
    np.testing.assert_allclose(space.cometric.cometric.inner(X, U, V), inner, rtol=1e-10)
    np.testing.assert_allclose(space.cometric.riemannian_gradient(X, gradient), U, atol=1e-10)


@pytest.mark.parametrize(
    "kernel, space",
    [
        (affine_invariant_kernel, SPDAffineInvariant()),
        (log_euclidean_kernel, SPDLogEuclidean()),
        (bures_wasserstein_kernel, SPDBuresWasserstein()),
        (power_affine_kernel(0.5), SPDPower(SPDAffineInvariant(), theta=0.5)),
        (power_affine_kernel(0.0), SPDLogEuclidean()),
        (power_euclidean_kernel(0.0), SPDLogEuclidean()),
    ],
)
def test_named_kernels_match_their_spaces(kernel, space):
    np.testing.assert_allclose(KernelMetric(kernel).inner(X, U, V), space.inner(X, U, V), rtol=1e-11)


def test_named_kernels_match_direct_formulas():
    """Euclidean: tr(u v). Kubo-Mori: int_0^oo tr((x + t)^-1 u (x + t)^-1 v) dt. Square roots: their own metric."""
    np.testing.assert_allclose(KernelMetric(euclidean_kernel).inner(X, U, V), jnp.vdot(U, V), rtol=1e-13)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        resolvent = np.linalg.inv(np.asarray(X) + node / (1 - node) * np.eye(N))
        total += weight / (1 - node) ** 2 * np.trace(resolvent @ U @ resolvent @ V)
    np.testing.assert_allclose(KernelMetric(bogoliubov_kubo_mori_kernel).inner(X, U, V), total, rtol=1e-10)
    values, vectors = np.linalg.eigh(X)
    roots = np.add.outer(np.sqrt(values), np.sqrt(values))
    slopes = [(vectors.T @ w @ vectors) / roots for w in (U, V)]
    got = KernelMetric(power_euclidean_kernel(0.5)).inner(X, U, V)
    np.testing.assert_allclose(got, 4 * np.sum(slopes[0] * slopes[1]), rtol=1e-11)


def test_law_manifold():
    laws.check_laws(KernelMetric(power_affine_kernel(0.3)), SHAPE, radius=0.1)


def test_parameter_compiles_once_and_derivatives_are_finite_at_ties():
    traces = []

    @jax.jit
    def inner(theta, x):
        traces.append(None)
        return KernelMetric(power_affine_kernel(theta)).inner(x, U, V)

    step = 1e-5
    quotient = (inner(0.4 + step, X) - inner(0.4 - step, X)) / (2 * step)
    assert len(traces) == 1
    gradient = jax.jit(jax.grad(inner, argnums=(0, 1)))
    np.testing.assert_allclose(gradient(0.4, X)[0], quotient, rtol=1e-8)
    for name, (x, _, _) in awkward(jnp.float64).items():
        assert all(jnp.all(jnp.isfinite(g)) for g in gradient(0.4, x)), name


@pytest.mark.parametrize(
    "kernel, space",
    [(affine_invariant_kernel, SPDAffineInvariant()), (bures_wasserstein_kernel, SPDBuresWasserstein())],
)
def test_hamiltonian_geodesic_matches_exp(kernel, space):
    metric = KernelMetric(kernel)
    velocity = 0.3 * U
    momentum = metric.cometric.riemannian_gradient(X, velocity)
    result = hamiltonian_geodesic(metric, X, momentum, 1.0, tol=1e-9)
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.point, space.exp(X, velocity), atol=1e-8)
    start = hamiltonian_geodesic(metric, jnp.eye(N), jnp.eye(N), 0.1)
    want = space.exp(jnp.eye(N), 0.1 * metric.riemannian_gradient(jnp.eye(N), jnp.eye(N)))
    np.testing.assert_allclose(start.point, want, atol=1e-8)
    few = hamiltonian_geodesic(metric, X, 20 * momentum, 1.0, num_steps=64, tol=1e-15)
    assert few.status in (Status.MAX_STEPS, Status.NONFINITE)


def test_bad_input():
    metric = KernelMetric(affine_invariant_kernel)
    with pytest.raises(ValueError, match=r"hamiltonian_geodesic: momentum has shape \[2, 2\]"):
        hamiltonian_geodesic(metric, jnp.eye(3), jnp.eye(2), 1.0)
    broken = hamiltonian_geodesic(metric, jnp.eye(3).at[0, 0].set(jnp.nan), jnp.eye(3), 1.0)
    assert broken.status == Status.NONFINITE
    assert not jnp.isfinite(
        KernelMetric(log_euclidean_kernel).inner(jnp.diag(jnp.asarray([1.0, -1, 1])), U, U)
    )
