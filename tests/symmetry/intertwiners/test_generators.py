"""commutant: circulants, Schur's lemma, Brauer and partition diagrams, by two algorithms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry import commutant, diagrams
from geojax.symmetry.intertwiners import generators


def projector(basis):
    """Onto the span: the same for two bases of one space."""
    flat = np.asarray(basis).reshape(len(basis), -1)
    q = np.linalg.qr(flat.T)[0]
    return q @ q.T


def rotations(n):
    """The Lie algebra so(n)."""
    found = []
    for i in range(n):
        for j in range(i):
            x = np.zeros((n, n))
            x[i, j], x[j, i] = 1, -1
            found.append(x)
    return np.array(found)


def lorentz():
    """Rotations and boosts, so(1, 3)."""
    found = []
    for i in range(4):
        for j in range(i):
            x = np.zeros((4, 4))
            x[i, j], x[j, i] = 1, 1 if j == 0 else -1
            found.append(x)
    return np.array(found)


def squared(algebra):
    """A Lie algebra on tensors of two axes."""
    unit = np.eye(len(algebra[0]))
    return np.array([np.kron(x, unit) + np.kron(unit, x) for x in algebra])


@pytest.mark.parametrize("n", [5, pytest.param(30, marks=pytest.mark.full)])
def test_shifts_commute_with_circulants(n):
    shift = np.roll(np.eye(n), 1, axis=0)
    basis = np.asarray(commutant([shift]))
    assert basis.shape == (n, n, n)
    np.testing.assert_allclose(basis @ shift, shift @ basis, atol=1e-12 if n == 5 else 1e-9)
    np.testing.assert_allclose(np.einsum("kij,lij->kl", basis, basis), np.eye(n), atol=1e-12)
    circulants = [np.linalg.matrix_power(shift, k) for k in range(n)]
    flat = basis.reshape(n, -1)
    np.testing.assert_allclose(
        flat.T @ (flat @ np.reshape(circulants, (n, -1)).T), np.reshape(circulants, (n, -1)).T, atol=1e-8
    )


def test_an_irreducible_representation_commutes_with_multiples_of_one():
    for algebra in (rotations(3), lorentz()):
        (one,) = np.asarray(commutant(algebra))
        np.testing.assert_allclose(np.abs(one), np.eye(len(one)) / np.sqrt(len(one)), atol=1e-12)


@pytest.mark.full
def test_lie_algebras_give_brauer_diagrams():
    turns = squared(rotations(3))
    drawn = np.array([d.matrix() for d in diagrams("orthogonal", 2, 2, 3)])
    np.testing.assert_allclose(projector(commutant(turns)), projector(drawn), atol=1e-10)
    (cross,) = np.asarray(commutant(turns, rotations(3)))
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    image = cross @ np.kron(a, b)
    np.testing.assert_allclose(np.cross(image, np.cross(a, b)), 0, atol=1e-12)
    assert np.linalg.norm(image) > 0.1
    # A reflection beside the rotations, an element beside a Lie algebra: no cross product.
    flip = np.diag([-1.0, 1, 1])
    assert len(commutant([*turns, np.kron(flip, flip)], [*rotations(3), flip])) == 0
    # Lorentz tensors: identity, swap, the metric with itself, and the dual of a two-form.
    assert len(commutant(squared(lorentz()))) == 4


def test_two_permutations_give_partition_diagrams(monkeypatch):
    cycle, swap = np.roll(np.eye(3), 1, axis=0), np.eye(3)[[1, 0, 2]]
    pairs = [np.kron(g, g) for g in (cycle, swap)]
    drawn = projector([d.matrix() for d in diagrams("permutation", 2, 2, 3)])
    direct = commutant(pairs)
    assert len(direct) == 14
    np.testing.assert_allclose(projector(direct), drawn, atol=1e-10)
    monkeypatch.setattr(generators, "DIRECT", 0)
    iterative = commutant(pairs)
    assert len(iterative) == 14
    np.testing.assert_allclose(projector(iterative), drawn, atol=1e-7)


def test_single_precision_and_other_units_find_the_same():
    algebra = squared(rotations(3)).astype(np.float32)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0].astype(np.float32)
    turned = turn @ algebra @ turn.T
    assert commutant(turned).dtype == jnp.float32
    assert len(commutant(turned)) == len(commutant(1e6 * turned)) == len(commutant(1e-6 * turned)) == 3


def test_what_is_not_clear_is_refused():
    near = np.diag([1.0, 1.0 + 1e-8])
    with pytest.raises(ValueError, match="their number is not clear"):
        commutant([near])
    assert len(commutant([near], tol=1e-11)) == 2
    assert len(commutant([near], tol=1e-5)) == 4
    with pytest.raises(ValueError, match="square matrices of one size"):
        commutant([np.ones((2, 3))])
    with pytest.raises(ValueError, match="1 generators_in and 2 generators_out"):
        commutant([np.eye(2)], [np.eye(2), np.eye(2)])
    with pytest.raises(ValueError, match="not finite"):
        commutant([np.full((2, 2), np.nan)])
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda g: commutant([g]))(np.eye(2))
