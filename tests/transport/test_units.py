"""Every iterative function of transport: the units of the data and their place do not matter, in both precisions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status, transport
from geojax.transport import SquaredEuclidean, pairwise

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(14, 2)), 0.7 * rng.normal(size=(11, 2)) + 0.5
Z = rng.normal(size=(3, 9, 2)) + np.arange(3)[:, None, None]
B = rng.dirichlet(np.ones(11), 2)
STARTS = rng.normal(size=(4, 2))
STARTS = STARTS / np.linalg.norm(STARTS, axis=1, keepdims=True)


def squares(x, y):
    return pairwise(SquaredEuclidean(), x, y)


def triples(z):
    return squares(z[0], z[1])[:, :, None] + squares(z[1], z[2])


def mixture(x, y, z, s):
    return transport.laws.mixture_ot(z[:2], y, jnp.full(2, 0.5, y.dtype), epsilon=0.3 * s**2)


# Name: (the result for clouds x, y and stacks z in units s, its value, the power of s that the value has).
FUNCTIONS = {
    "sinkhorn": (lambda x, y, z, s: transport.sinkhorn(squares(x, y), epsilon=0.2 * s**2), "cost", 2),
    "sinkhorn_newton": (
        lambda x, y, z, s: transport.sinkhorn_newton(squares(x, y), epsilon=0.01 * s**2),
        "cost",
        2,
    ),
    "unbalanced_sinkhorn": (
        lambda x, y, z, s: transport.unbalanced_sinkhorn(
            squares(x, y), epsilon=0.2 * s**2, rho_a=s**2, rho_b=2 * s**2
        ),
        "cost",
        2,
    ),
    "unbalanced_sinkhorn_divergence": (
        lambda x, y, z, s: transport.unbalanced_sinkhorn_divergence(x, y, epsilon=0.2 * s**2, rho=s**2),
        "value",
        2,
    ),
    "sinkhorn_divergence": (
        lambda x, y, z, s: transport.sinkhorn_divergence(x, y, epsilon=0.2 * s**2),
        "value",
        2,
    ),
    "point_cloud_sinkhorn": (
        lambda x, y, z, s: transport.point_cloud_sinkhorn(x, y, epsilon=0.2 * s**2),
        "cost",
        2,
    ),
    "partial_transport": (
        lambda x, y, z, s: transport.partial_transport(squares(x, y), epsilon=0.2 * s**2, mass=0.6),
        "cost",
        2,
    ),
    "barycenter": (
        lambda x, y, z, s: transport.barycenter(squares(x, y), jnp.asarray(B, x.dtype), epsilon=0.3 * s**2),
        "cost",
        2,
    ),
    "free_support_barycenter": (
        lambda x, y, z, s: transport.free_support_barycenter(z, init=z[0, :5], epsilon=0.3 * s**2),
        "cost",
        2,
    ),
    "multimarginal_sinkhorn": (
        lambda x, y, z, s: transport.multimarginal_sinkhorn(triples(z), epsilon=0.5 * s**2),
        "cost",
        2,
    ),
    "gromov_wasserstein": (
        lambda x, y, z, s: transport.gromov_wasserstein(squares(x, x), squares(y, y), epsilon=2 * s**4),
        "cost",
        4,
    ),
    "gromov_wasserstein, proximal": (
        lambda x, y, z, s: transport.gromov_wasserstein(
            squares(x, x), squares(y, y), epsilon=0.0, proximal=2 * s**4, tol=1e-4
        ),
        "cost",
        4,
    ),
    "gromov_wasserstein, kl": (
        lambda x, y, z, s: transport.gromov_wasserstein(
            squares(x, x) + s**2, squares(y, y) + s**2, epsilon=0.5 * s**2, kl_loss=True
        ),
        "cost",
        2,
    ),
    "fused_gromov_wasserstein": (
        lambda x, y, z, s: transport.fused_gromov_wasserstein(
            s**2 * squares(x, y), squares(x, x), squares(y, y), epsilon=2 * s**4
        ),
        "cost",
        4,
    ),
    "max_sliced_wasserstein": (
        lambda x, y, z, s: transport.max_sliced_wasserstein(x, y, init=jnp.asarray(STARTS, x.dtype)),
        "value",
        2,
    ),
    "polymean": (
        lambda x, y, z, s: transport.polymean(
            x, init=x[:2], dist=lambda p, q: jnp.linalg.norm(p - q), mean=lambda x, w: w @ x
        ),
        "cost",
        2,
    ),
    "exact_transport": (lambda x, y, z, s: transport.exact_transport(squares(x, y)), "cost", 2),
    "mixture_ot": (mixture, None, 2),
}


@functools.cache
def program(name):
    function, field, power = FUNCTIONS[name]

    @jax.jit
    def run(x, y, z, s):
        result = function(x, y, z, s)
        value, status = (getattr(result, field), result.status) if field else (result, jnp.isnan(result))
        return value / s**power, status

    return run


@pytest.mark.full
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-5), (np.float32, 2e-4)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_law_units_and_place_do_not_matter(name, dtype, rtol):
    """The same status and the scaled answer; float32 keeps 5 digits of points that are 100 off the origin."""
    want = None
    for s in (1.0, 1e-4, 1e4):
        for place in (0, 100):
            data = [((points + place) * s).astype(dtype) for points in (X, Y, Z)]
            value, status = program(name)(*data, dtype(s))
            assert status == Status.CONVERGED, (s, place)
            want = value if want is None else want
            np.testing.assert_allclose(value, want, rtol=rtol, err_msg=f"unit {s}, place {place}")
