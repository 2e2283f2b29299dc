"""Multipliers in an eigenbasis against Daleckii-Krein derivatives and finite differences, at ties too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core.matrices import divided, linalg, multipliers

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


def spd(spectrum):
    return jnp.asarray((ROTATION * np.asarray(spectrum)) @ ROTATION.T)


def sym(seed):
    e = np.random.default_rng(seed).normal(size=(3, 3))
    return jnp.asarray(e + e.T) / 2


def power(theta, a, b):
    return ((a + b) / 2) ** theta + a * b


SPECTRA = {
    "distinct": [0.3, 1.0, 2.0],
    "pair": [0.5, 2.0, 2.0],
    "identity": [1.0, 1.0, 1.0],
    "gap 1e-6": [1.0, 1.0 + 1e-6, 2.0],
    "gap 1e-12": [1.0, 1.0 + 1e-12, 2.0],
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_law_derivatives(spectrum):
    """The derivative of the logarithm is one, and its derivative the second; another against central differences."""
    a, p, e, w = spd(SPECTRA[spectrum]), sym(1), sym(2), sym(3)
    first = jax.jit(lambda a, p: multipliers.multiply(a, p, divided.log))
    np.testing.assert_allclose(first(a, p), jax.jvp(linalg.logm, (a,), (p,))[1], atol=1e-12)
    second = jax.jvp(lambda a: jax.jvp(linalg.logm, (a,), (p,))[1], (a,), (e,))[1]
    np.testing.assert_allclose(jax.jvp(lambda a: first(a, p), (a,), (e,))[1], second, atol=1e-10)

    @jax.jit
    def value(a, p, theta):
        return jnp.vdot(w, multipliers.multiply(a, p, jax.tree_util.Partial(power, theta)))

    theta, step = 0.7, 1e-5
    gradients = jax.jit(jax.grad(value, argnums=(0, 1, 2)))(a, p, theta)
    got = jnp.vdot(gradients[0], e) + jnp.vdot(gradients[1], w) + 0.3 * gradients[2]
    ahead, back = (value(a + s * e, p + s * w, theta + 0.3 * s) for s in (step, -step))
    np.testing.assert_allclose(got, (ahead - back) / (2 * step), rtol=1e-8, atol=1e-8)


def test_multiplier_by_definition():
    a, p = spd(SPECTRA["distinct"]), sym(1)
    table = np.add.outer(SPECTRA["distinct"], SPECTRA["distinct"])
    want = ROTATION @ (table * (ROTATION.T @ np.asarray(p) @ ROTATION)) @ ROTATION.T
    np.testing.assert_allclose(multipliers.multiply(a, p, jnp.add), want, atol=1e-13)
