"""Half precision: computed in float32, so that a result is that of the same numbers in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import transport
from geojax._core.precision import widened
from geojax.transport import Distance

RANDOM = np.random.default_rng(0)
N = 8
WEIGHTS = np.full(N, 1 / N)
CLOUDS = RANDOM.normal(size=(2, N, 2))
COSTS = np.sum((CLOUDS[0][:, None] - CLOUDS[1]) ** 2, axis=-1)
EUCLIDEAN = [np.linalg.norm(x[:, None] - x, axis=-1) for x in CLOUDS]

CALLS = {
    "sinkhorn": (lambda c, w: transport.sinkhorn(c, w, w, epsilon=0.5), COSTS, WEIGHTS),
    "sinkhorn_newton": (lambda c, w: transport.sinkhorn_newton(c, w, w, epsilon=0.5), COSTS, WEIGHTS),
    "unbalanced_sinkhorn": (
        lambda c, w: transport.unbalanced_sinkhorn(c, w, w, epsilon=0.5, rho_a=1.0, rho_b=1.0),
        COSTS,
        WEIGHTS,
    ),
    "sinkhorn_divergence": (lambda x, y: transport.sinkhorn_divergence(x, y, epsilon=0.5), *CLOUDS),
    "point_cloud_sinkhorn": (lambda x, y: transport.point_cloud_sinkhorn(x, y, epsilon=0.5), *CLOUDS),
    "barycenter": (
        lambda c, b: transport.barycenter(c, b, epsilon=0.5),
        COSTS,
        np.stack([WEIGHTS, np.array([1, 2, 3, 4, 5, 6, 7, 4]) / 32]),
    ),
    "gromov_wasserstein": (
        lambda c, d, w: transport.gromov_wasserstein(c, d, w, w, epsilon=0.5),
        *EUCLIDEAN,
        WEIGHTS,
    ),
    "wasserstein_1d": (lambda x, y: transport.wasserstein_1d(x[:, 0], y[:, 0]), *CLOUDS),
    "pairwise": (lambda x, y: transport.pairwise(Distance(), x, y), *CLOUDS),
}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", CALLS)
def test_law_half_precision_is_computed_in_float32(name, dtype):
    function, *arguments = CALLS[name]
    half = [jnp.asarray(argument, dtype) for argument in arguments]
    got, want = function(*half), function(*widened(half))
    assert getattr(got, "status", 0) == getattr(want, "status", 0)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        assert one.dtype == other.dtype
        assert one.dtype in (jnp.float32, jnp.int32, jnp.bool_)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
