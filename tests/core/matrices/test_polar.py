"""The polar factor by products against the one by singular values, and its derivative."""

import jax
import jax.numpy as jnp
import numpy as np

from geojax._core.matrices import linalg
from geojax._core.matrices.polar import polar_frame


def test_matches_the_singular_value_decomposition():
    rng = np.random.default_rng(0)
    both = jax.jit(lambda a: (polar_frame(a), linalg.polar(a)))
    for scale in (0.0, 1e-6, 1.0, 30.0):
        for dtype in (jnp.float64, jnp.float32):
            a = (np.eye(7, 3) + scale * rng.normal(size=(7, 3))).astype(dtype)
            eps = float(jnp.finfo(dtype).eps)
            q, want = map(np.asarray, both(a))
            np.testing.assert_allclose(q.T @ q, np.eye(3), atol=10 * eps)
            np.testing.assert_allclose(q, want, atol=100 * eps)


def test_derivatives_match_those_of_polar():
    rng = np.random.default_rng(1)
    a, e = np.eye(7, 3), rng.normal(size=(7, 3))

    def derivatives(function, at):
        def forward(x):
            return jax.jvp(function, (x,), (e,))[1]

        return forward(at), jax.vjp(function, at)[1](e)[0], jax.jvp(forward, (at,), (e,))[1]

    both = jax.jit(lambda at: (derivatives(polar_frame, at), derivatives(linalg.polar, at)))
    for at in (a, a + e):
        for got, want in zip(*both(at)):
            np.testing.assert_allclose(got, want, atol=1e-12)


def test_dependent_columns_and_nan_give_nan():
    assert not jnp.all(jnp.isfinite(polar_frame(jnp.full((3, 2), jnp.nan))))
