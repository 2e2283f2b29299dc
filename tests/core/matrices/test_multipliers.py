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


P, E, W = sym(1), sym(2), sym(3)


def logarithm(a):
    """The derivative of the logarithm along P."""
    return jax.jvp(linalg.logm, (a,), (P,))[1]


def value(a, p, theta):
    return jnp.vdot(W, multipliers.multiply(a, p, jax.tree_util.Partial(power, theta)))


@jax.jit
def compared(a):
    """The multiplier that is the derivative of the logarithm, and its own derivative, beside those of the logarithm."""
    along = lambda function: jax.jvp(function, (a,), (E,))
    return along(lambda a: multipliers.multiply(a, P, divided.log)), along(logarithm)


@jax.jit
def slope(a, p, theta):
    return jax.value_and_grad(value, argnums=(0, 1, 2))(a, p, theta)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_law_derivatives(spectrum):
    """The derivative of the logarithm is one, and its derivative the second; another against central differences."""
    a = spd(SPECTRA[spectrum])
    (first, second), (want, want_second) = compared(a)
    np.testing.assert_allclose(first, want, atol=1e-12)
    np.testing.assert_allclose(second, want_second, atol=1e-10)
    theta, step = 0.7, 1e-5
    _, gradients = slope(a, P, theta)
    got = np.vdot(gradients[0], E) + np.vdot(gradients[1], W) + 0.3 * gradients[2]
    ahead, back = (slope(a + s * E, P + s * W, theta + 0.3 * s)[0] for s in (step, -step))
    np.testing.assert_allclose(got, (ahead - back) / (2 * step), rtol=1e-8, atol=1e-8)


def test_multiplier_by_definition():
    a, p = spd(SPECTRA["distinct"]), sym(1)
    table = np.add.outer(SPECTRA["distinct"], SPECTRA["distinct"])
    want = ROTATION @ (table * (ROTATION.T @ np.asarray(p) @ ROTATION)) @ ROTATION.T
    np.testing.assert_allclose(multipliers.multiply(a, p, jnp.add), want, atol=1e-13)
