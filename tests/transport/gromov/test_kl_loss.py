"""Gromov-Wasserstein with the KL loss against POT and its own laws."""

import jax
import numpy as np
import ot
import pytest
from scipy.special import xlogy

from geojax import Status
from geojax.transport import fused_gromov_wasserstein, gromov_wasserstein

N, M = 8, 7


def spaces(seed, distances=False):
    """Positive similarities, or distances with zeros and largest entry 1; costs of features; weights."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(N, 3)), rng.normal(size=(M, 2))
    both = [ot.dist(z, z, metric="euclidean") for z in (x, y)]
    both = [d / d.max() for d in both] if distances else [np.exp(-d) for d in both]
    weights = [np.exp(0.5 * rng.normal(size=size)) for size in (N, M)]
    return *both, rng.uniform(size=(N, M)), *(w / w.sum() for w in weights)


def distortion(cost_x, cost_y, plan):
    """The quadruple sum itself, for positive data."""
    x, y = cost_x[:, None, :, None], cost_y[None, :, None, :]
    return np.einsum("ijkl,ij,kl->", xlogy(x, x / y) - x + y, plan, plan)


@jax.jit
def solve(cost_x, cost_y, a, b, epsilon, proximal):
    return gromov_wasserstein(
        cost_x, cost_y, a, b, epsilon=epsilon, proximal=proximal, tol=1e-8, max_steps=4000, kl_loss=True
    )


@pytest.mark.parametrize(
    "kind", [False, pytest.param(True, marks=pytest.mark.full)], ids=["similar", "distance"]
)
def test_matches_pot_entropic(kind):
    cost_x, cost_y, _, a, b = spaces(0, kind)
    for epsilon in (1.0, 0.3):
        result = solve(cost_x, cost_y, a, b, epsilon, 0.0)
        plan, log = ot.gromov.entropic_gromov_wasserstein(
            cost_x, cost_y, a, b, "kl_loss", epsilon=epsilon, max_iter=4000, tol=1e-10, log=True
        )
        assert result.status == Status.CONVERGED
        np.testing.assert_allclose(result.plan, plan, atol=1e-5)
        np.testing.assert_allclose(result.cost, log["gw_dist"], rtol=1e-4, atol=1e-6)


@pytest.mark.full
def test_is_no_worse_than_pot_without_entropy():
    """Conditional gradients and proximal steps reach local optima; over some starts ours is as good."""
    for seed in range(3):
        cost_x, cost_y, _, a, b = spaces(seed)
        theirs = ot.gromov.gromov_wasserstein2(cost_x, cost_y, a, b, "kl_loss", max_iter=10_000)
        plan = ot.gromov.gromov_wasserstein(cost_x, cost_y, a, b, "kl_loss", max_iter=10_000)
        starts = np.stack([np.outer(a, b), plan + 1e-6 * np.outer(a, b)])
        options = {"epsilon": 0.0, "proximal": 0.02, "kl_loss": True}
        found = [gromov_wasserstein(cost_x, cost_y, a, b, init=start, **options) for start in starts]
        assert min(one.cost for one in found) <= theirs + 1e-4
        np.testing.assert_allclose(theirs, distortion(cost_x, cost_y, plan), rtol=1e-6)


@pytest.mark.full
def test_fused_matches_pot():
    cost_x, cost_y, cost, a, b = spaces(2)
    for alpha in (0.3, 0.8):
        result = fused_gromov_wasserstein(
            cost, cost_x, cost_y, a, b, alpha=alpha, epsilon=0.2, tol=1e-10, max_steps=5000, kl_loss=True
        )
        plan = ot.gromov.entropic_fused_gromov_wasserstein(
            cost, cost_x, cost_y, a, b, "kl_loss", epsilon=0.2, alpha=alpha, max_iter=4000, tol=1e-10
        )
        np.testing.assert_allclose(result.plan, plan, atol=1e-5)


def test_law_the_cost_is_the_quadruple_sum_and_scales_with_the_data():
    cost_x, cost_y, _, a, b = spaces(1)
    result = solve(cost_x, cost_y, a, b, 0.3, 0.0)
    np.testing.assert_allclose(result.cost, distortion(cost_x, cost_y, np.asarray(result.plan)), rtol=1e-9)
    for scale in (1e-4, 1e4):
        scaled = solve(scale * cost_x, scale * cost_y, a, b, scale * 0.3, 0.0)
        assert scaled.status == result.status == Status.CONVERGED
        np.testing.assert_allclose(scaled.cost / scale, result.cost, rtol=1e-7)
    # The loss is not symmetric; KL is, up to the order of its arguments.
    assert abs(solve(cost_y, cost_x, b, a, 0.3, 0.0).cost / result.cost - 1) > 1e-3
    assert solve(-cost_x, cost_y, a, b, 0.3, 0.0).status == Status.NONFINITE
    assert solve(cost_x, -cost_y, a, b, 0.3, 0.0).status == Status.NONFINITE


@pytest.mark.full
def test_gradient_of_the_objective_matches_differences():
    cost_x, cost_y, _, a, b = spaces(3)
    rng = np.random.default_rng(4)
    moves = (
        rng.normal(size=cost_x.shape),
        rng.normal(size=cost_y.shape),
        rng.normal(size=N),
        rng.normal(size=M),
    )
    moves = [0.1 * (m - (m.mean() if m.ndim == 1 else 0)) for m in moves]
    value = jax.jit(
        lambda *data: (
            gromov_wasserstein(*data, epsilon=0.5, tol=1e-11, max_steps=5000, kl_loss=True).objective
        )
    )
    data = cost_x, cost_y, a, b
    slopes = jax.jit(jax.grad(value, (0, 1, 2, 3)))(*data)
    h = 1e-5
    ahead, behind = (value(*(v + s * h * d for v, d in zip(data, moves))) for s in (1, -1))
    slope = sum(np.vdot(g, d) for g, d in zip(slopes, moves))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=1e-5)
