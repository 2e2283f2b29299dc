"""Power sums: against numpy and against the law of Haar eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import power_sums


def test_equal_sums_of_powers_in_any_order():
    x = np.random.default_rng(0).normal(size=(5, 2))
    expected = np.stack([np.sum(x**k, 0) / np.sqrt(k) for k in (3, 1, 6)])
    np.testing.assert_allclose(power_sums(jnp.asarray(x), (3, 1, 6)), expected, rtol=1e-13)
    np.testing.assert_allclose(power_sums(jnp.asarray(x[::-1]), (3, 1, 6)), expected, rtol=1e-13)
    assert power_sums(jnp.ones(3, jnp.float32), [2]).dtype == jnp.float32
    assert power_sums(jnp.ones((3, 2)), []).shape == (0, 2)


def test_the_first_n_determine_the_numbers():
    x = np.array([0.5, -1.0, 2.0, 0.25])
    sums = np.asarray(power_sums(jnp.asarray(x), range(1, 5))) * np.sqrt(np.arange(1, 5))
    e = [1.0]  # Newton's identities give the coefficients of the polynomial with these roots
    for k in range(1, 5):
        e.append(sum((-1) ** (i - 1) * e[k - i] * sums[i - 1] for i in range(1, k + 1)) / k)
    np.testing.assert_allclose(
        np.sort(np.roots([(-1) ** k * c for k, c in enumerate(e)])), np.sort(x), atol=1e-10
    )


@pytest.mark.full
def test_law_orthonormal_for_the_eigenvalues_of_a_random_unitary_matrix():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4000, 6, 6)) + 1j * rng.normal(size=(4000, 6, 6))
    q, r = np.linalg.qr(draws)
    diagonal = np.diagonal(r, axis1=1, axis2=2)
    eigenvalues = np.linalg.eigvals(q * (diagonal / np.abs(diagonal))[:, None])
    sums = np.asarray(jax.vmap(lambda x: power_sums(x, (1, 2, 3, 5)))(jnp.asarray(eigenvalues)))
    gram = sums.T @ sums.conj() / len(sums)
    # The entries have standard deviation about 1 / sqrt(4000) = 0.016.
    np.testing.assert_allclose(gram, np.eye(4), atol=0.08)


def test_the_gradient_is_finite_at_zero():
    slope = jax.grad(lambda x: power_sums(x, (1, 2)).sum())(jnp.zeros(3))
    np.testing.assert_allclose(slope, np.ones(3))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: power_sums(jnp.ones(3), [0]), ValueError, "a degree is 0"),
        (lambda: power_sums(jnp.ones(3), [1.5]), TypeError, "a degree is 1.5"),  # type: ignore[list-item]
        (lambda: power_sums(jnp.ones(()), [1]), ValueError, "along an axis"),
        (lambda: power_sums("x", [1]), TypeError, "x is a str"),  # type: ignore[arg-type]
    ],
)
def test_wrong_calls_say_what_to_mend(call, error, words):
    with pytest.raises(error, match=words):
        call()
