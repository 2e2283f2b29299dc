"""Lattices by their logarithm: scipy's answer, round trips, and the families of crystals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import logm, polar

from geojax.equivariant import lattice_exp, lattice_log

log, exp = jax.jit(lattice_log), jax.jit(lattice_exp)


def lattice(seed):
    rng = np.random.default_rng(seed)
    return (np.eye(3) + rng.normal(size=(3, 3)) / 3) * rng.uniform(2, 9, size=(3, 1))


def orthogonal(rng):
    return np.linalg.qr(rng.normal(size=(3, 3)))[0]


def lengths_and_angles(rows):
    lengths = np.linalg.norm(rows, axis=1)
    cosines = (rows @ rows.T / np.outer(lengths, lengths))[np.triu_indices(3, 1)]
    return lengths, cosines


@pytest.mark.full
def test_equals_the_logarithm_of_scipys_polar_factor():
    for seed in range(5):
        shape = logm(polar(lattice(seed), side="left")[1])
        k = log(lattice(seed))
        a, b, c, d, e, f = np.asarray(k)
        ours = np.array([[d + e + f, a, b], [a, -d + e + f, c], [b, c, -2 * e + f]])
        np.testing.assert_allclose(ours, shape, atol=1e-13)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_law_round_trip_up_to_a_rotation_and_no_change_by_one(dtype):
    rng = np.random.default_rng(0)
    tol = 300 * np.finfo(dtype).eps
    for seed in range(8):
        rows = lattice(seed).astype(dtype)
        k = log(rows)
        again = np.asarray(exp(k))
        assert k.dtype == again.dtype == dtype
        np.testing.assert_allclose(again @ again.T, rows @ rows.T, rtol=tol, atol=tol * 100)
        np.testing.assert_allclose(log(again), k, atol=tol)
        np.testing.assert_allclose(log((rows @ orthogonal(rng)).astype(dtype)), k, atol=tol)
        # A unit of length is in the last coefficient alone.
        np.testing.assert_allclose(
            log(dtype(1e-10) * rows) - k, [0, 0, 0, 0, 0, np.log(1e-10)], atol=tol * 10
        )


FAMILIES = {
    "cubic": lambda k: k * np.array([0, 0, 0, 0, 0, 1]),
    "tetragonal": lambda k: k * np.array([0, 0, 0, 0, 1, 1]),
    "orthorhombic": lambda k: k * np.array([0, 0, 0, 1, 1, 1]),
    "hexagonal": lambda k: np.array([-np.log(3) / 4, 0, 0, 0, k[4], k[5]]),
    "rhombohedral": lambda k: np.array([k[0], k[0], k[0], 0, 0, k[5]]),
    "monoclinic": lambda k: k * np.array([0, 1, 0, 1, 1, 1]),
}


@pytest.mark.full
@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_subspaces(family):
    rng = np.random.default_rng(1)
    for _ in range(20):
        k = FAMILIES[family](rng.normal(size=6) / 3)
        rows = np.asarray(exp(k))
        (a, b, c), (gamma, beta, alpha) = lengths_and_angles(rows)
        if family == "cubic":
            assert rows[0, 0] == rows[1, 1] == rows[2, 2] and np.count_nonzero(rows) == 3
        elif family == "tetragonal":
            assert rows[0, 0] == rows[1, 1] != rows[2, 2] and np.count_nonzero(rows) == 3
        elif family == "orthorhombic":
            assert np.count_nonzero(rows) == 3
        elif family == "hexagonal":
            np.testing.assert_allclose([a - b, gamma, beta, alpha], [0, -0.5, 0, 0], atol=1e-14)
        elif family == "rhombohedral":
            np.testing.assert_allclose([a - b, b - c, gamma - beta, beta - alpha], 0, atol=1e-14)
        elif family == "monoclinic":
            np.testing.assert_allclose([gamma, alpha], 0, atol=1e-14)
            assert abs(beta) > 1e-6
        # Back: the coefficients of such a lattice, however turned, are in the subspace.
        back = np.asarray(log(rows @ orthogonal(rng)))
        np.testing.assert_allclose(back, FAMILIES[family](back), atol=1e-13)


def test_dependent_rows_have_no_logarithm():
    for rows in (np.ones((3, 3)), np.zeros((3, 3)), np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]])):
        assert np.all(np.isnan(lattice_log(jnp.asarray(rows))))
    assert np.all(np.isfinite(lattice_log(1e-20 * jnp.eye(3, dtype=jnp.float32))))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: lattice_log(jnp.ones((2, 2))), "lattice has shape"),
        (lambda: lattice_exp(jnp.ones(5)), "k has shape"),
    ],
)
def test_wrong_calls_say_what_to_mend(call, words):
    with pytest.raises(ValueError, match=words):
        call()
