"""Data in other units, off the origin and in both precisions: the same status, and the answer in those units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import (
    Euclidean,
    SPDBuresWasserstein,
    SPDLogEuclidean,
    accumulated_unexplained_variance,
    barycentric_subspace_analysis,
    barycentric_subspace_project,
    frechet_mean,
    frechet_median,
    geodesic_regression,
    quotient_frechet_mean,
)
from geojax.results import Status

SCALES = np.array([1e-4, 1.0, 1e4])
RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(9, 3)) * [3, 2, 0.5]
MATRICES = np.einsum("nij,nkj->nik", *(RNG.normal(size=(9, 3, 3)),) * 2) + np.eye(3)
TURN = np.linalg.qr(RNG.normal(size=(3, 3)))[0]


def flip(x, m):
    return jnp.where(jnp.vdot(x, m) < 0, -x, x)


def analysis(points):
    result = barycentric_subspace_analysis(Euclidean(), points, 1)
    return jnp.sqrt(result.variances), result.status


def unexplained(points):
    value = accumulated_unexplained_variance(Euclidean(), points[:2], points)
    return jnp.sqrt(value), jnp.where(jnp.isnan(value), Status.MAX_STEPS, Status.CONVERGED)


def pair(field):
    return lambda result: (getattr(result, field), result.status)


# Each maps a sample to (what is in the units of the sample, status).
IN_UNITS = {
    "frechet_mean": (lambda x: pair("point")(frechet_mean(Euclidean(), x)), POINTS),
    "frechet_mean-bures": (lambda x: pair("point")(frechet_mean(SPDBuresWasserstein(), x)), MATRICES),
    "frechet_median": (lambda x: pair("point")(frechet_median(Euclidean(), x)), POINTS),
    "geodesic_regression": (
        lambda x: pair("velocity")(geodesic_regression(Euclidean(), jnp.arange(9.0, dtype=x.dtype), x)),
        POINTS,
    ),
    "quotient_frechet_mean": (lambda x: pair("point")(quotient_frechet_mean(x, flip)), POINTS),
    "barycentric_subspace_project": (
        lambda x: pair("point")(barycentric_subspace_project(Euclidean(), x[:2], x[2])),
        POINTS,
    ),
    "barycentric_subspace_analysis": (analysis, POINTS),
    "accumulated_unexplained_variance": (unexplained, POINTS),
}


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", IN_UNITS)
def test_law_data_in_other_units_give_the_same_status_and_the_scaled_answer(name, dtype):
    solve, sample = IN_UNITS[name]
    scales = SCALES.reshape(-1, *[1] * sample.ndim)
    answers, status = jax.jit(jax.vmap(solve))(jnp.asarray(scales * sample, dtype))
    assert np.all(np.asarray(status) == Status.CONVERGED), status
    answers = np.asarray(answers, np.float64) / SCALES.reshape(-1, *[1] * (answers.ndim - 1))
    want = np.asarray(solve(jnp.asarray(sample, np.float64))[0])
    size = np.max(np.abs(want))
    np.testing.assert_allclose(answers, np.broadcast_to(want, answers.shape), atol=1e-4 * size, rtol=0)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["frechet_mean", "frechet_median", "barycentric_subspace_project"])
def test_law_far_from_the_origin_the_answer_is_moved_along(name, dtype):
    solve, sample = IN_UNITS[name]
    away = np.asarray(sample @ TURN + 100, dtype)
    answer, status = jax.jit(solve)(jnp.asarray(away))
    assert int(status) == Status.CONVERGED
    want = np.asarray(solve(jnp.asarray(sample, np.float64))[0]) @ TURN + 100
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(answer, want, atol=max(1e-5, 300 * eps * 100), rtol=0)


@pytest.mark.full
def test_the_log_euclidean_mean_of_small_and_of_large_matrices_converges_in_float32():
    small, large = (jnp.asarray(scale * MATRICES, jnp.float32) for scale in (1e-4, 1e4))
    for points in (small, large):
        result = frechet_mean(SPDLogEuclidean(), points)
        assert int(result.status) == Status.CONVERGED
        logs = np.asarray(jax.vmap(lambda x: SPDLogEuclidean().log(jnp.eye(3, dtype=x.dtype), x))(points))
        got = SPDLogEuclidean().log(jnp.eye(3, dtype=jnp.float32), result.point)
        np.testing.assert_allclose(got, logs.mean(axis=0), atol=2e-5)
