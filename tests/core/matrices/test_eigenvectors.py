"""Eigenvectors against differences where they have derivatives, and finite ones at ties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core.matrices.eigenvectors import eigenvectors

pytestmark = pytest.mark.full

RNG = np.random.default_rng(0)
A, E = (m + m.T for m in RNG.normal(size=(2, 4, 4)))


def signless(matrix):
    """The vectors up to their signs."""
    values, vectors = eigenvectors(matrix)
    return values, vectors[:, None, :] * vectors[None, :, :]


def test_derivatives_match_differences():
    step = 1e-6
    tangent = jax.jvp(signless, (A,), (E,))[1]
    ahead, back = signless(A + step * E), signless(A - step * E)
    for got, up, down in zip(tangent, ahead, back):
        np.testing.assert_allclose(got, (up - down) / (2 * step), atol=1e-8)
    gradient = jax.grad(lambda a: jnp.sum(jnp.sin(signless(a)[1])))(A)
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_have_finite_derivatives_and_functions_of_the_matrix_right_ones(dtype):
    q = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    tied = (q * np.array([1.0, 1.0, 1.0, 2.0])) @ q.T

    def back(a):
        values, vectors = eigenvectors(a)
        return (vectors * values) @ vectors.T

    _, change = jax.jvp(back, (tied.astype(dtype),), (E.astype(dtype),))
    assert np.all(np.isfinite(jax.jacobian(lambda a: eigenvectors(a)[1])(tied.astype(dtype))))
    # V diag(l) V^T is the matrix itself: off the diagonal of the tie the derivative is right, as l_i = l_j there.
    inside = q.T @ np.asarray(change - E, float) @ q
    np.testing.assert_allclose(inside[3], 0, atol=30 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(jax.jacobian(lambda a: eigenvectors(a)[1])(jnp.zeros((2, 2))), 0)
