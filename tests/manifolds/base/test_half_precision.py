"""Half precision: every operation is computed in float32 and rounded once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core.precision import widened
from geojax.manifolds import Grassmann, SPDAffineInvariant, Sphere, Stiefel

SPACES = {
    "spd": (SPDAffineInvariant(), (3, 3)),
    "stiefel": (Stiefel(), (4, 2)),
    "grassmann": (Grassmann(), (4, 2)),
    "sphere": (Sphere(), (4,)),
}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name == "stiefel" else name for name in SPACES]
)
def test_law_half_precision_is_computed_in_float32_and_rounded_once(name, dtype):
    space, shape = SPACES[name]

    def operations(x, y, u):
        return space.exp(x, u), space.log(x, y), space.dist(x, y), space.retract(x, u), space.inner(x, u, u)

    x, y = (space.random_point(jax.random.key(seed), shape, dtype=dtype) for seed in range(2))
    u = space.random_tangent(jax.random.key(2), x)
    assert x.dtype == u.dtype == dtype
    space.check_point(x)
    wide = operations(*widened((x, y, u)))
    for got, want in zip(operations(x, y, u), wide):
        assert got.dtype == dtype
        np.testing.assert_array_equal(np.asarray(got, np.float32), np.asarray(want.astype(dtype), np.float32))
