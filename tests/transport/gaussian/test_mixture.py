"""Mixtures of Gaussians against POT's exact linear program and against scipy's matrix roots."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import ot.gmm
import pytest

from geojax import Status, unwrap
from geojax.transport import gaussian_mixture_wasserstein, gaussian_wasserstein

K, L, D = 3, 4, 2


def mixture(seed, k):
    random = np.random.default_rng(seed)
    factors = random.normal(size=(k, D, D + 1))
    weights = np.exp(random.normal(size=k))
    return 3 * random.normal(size=(k, D)), factors @ np.swapaxes(factors, 1, 2), weights / weights.sum()


@jax.jit
def solve(*mixtures):
    return gaussian_mixture_wasserstein(*mixtures, epsilon=0.05, tol=1e-9, max_steps=20_000)


def test_matches_pot_within_the_stated_bound():
    for seed in range(3):
        (m1, s1, a), (m2, s2, b) = mixture(seed, K), mixture(seed + 10, L)
        want = ot.gmm.gmm_ot_loss(m1, m2, s1, s2, a, b)
        epsilon = 0.05
        result = unwrap(solve(m1, s1, a, m2, s2, b))
        entropy = min(-float(w @ np.log(w)) for w in (a, b))
        assert want - 1e-8 <= result.cost <= want + epsilon * entropy
        np.testing.assert_allclose(result.cost_matrix, ot.gmm.dist_bures_squared(m1, m2, s1, s2), rtol=1e-6)


@pytest.mark.full
def test_single_components_are_gaussians():
    (m1, s1, _), (m2, s2, _) = mixture(4, 1), mixture(5, 1)
    one = jnp.ones(1)
    found = unwrap(gaussian_mixture_wasserstein(m1, s1, one, m2, s2, one, epsilon=1.0))
    np.testing.assert_allclose(found.cost, gaussian_wasserstein(m1[0], s1[0], m2[0], s2[0]), rtol=1e-12)


@pytest.mark.full
def test_law_relabelling_components_changes_nothing():
    (m1, s1, a), (m2, s2, b) = mixture(6, K), mixture(7, K)
    order = jnp.array([2, 0, 1])
    cost = jax.jit(lambda *args: gaussian_mixture_wasserstein(*args, epsilon=0.5, tol=1e-10).cost)
    np.testing.assert_allclose(
        cost(m1[order], s1[order], a[order], m2, s2, b), cost(m1, s1, a, m2, s2, b), rtol=1e-9
    )


def test_bad_input():
    m, s, w = mixture(8, K)
    negative = np.concatenate([-s[:1], s[1:]])
    assert solve(m, negative, w, *mixture(9, L)).status == Status.NONFINITE
    with pytest.raises(ValueError, match=r"s2 has shape \[2, 2\]"):
        gaussian_mixture_wasserstein(m, s, w, m, s[0], w, epsilon=1.0)
