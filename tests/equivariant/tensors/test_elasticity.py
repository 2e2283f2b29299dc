"""Elasticity in two forms, its harmonic parts, and a head that makes stable materials of any latent matrix."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import egnn_init, egnn_layer, from_mandel, harmonic_split, mandel
from geojax.manifolds import SPDAffineInvariant

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
D = np.eye(3)
PERMUTED = ((1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1))
split = jax.jit(harmonic_split)


def material():
    """A random tensor with the symmetries of elasticity, by averaging over them."""
    c = RNG.normal(size=(3, 3, 3, 3))
    for order in PERMUTED:
        c = (c + c.transpose(order)) / 2
    return c


def rotation():
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    return turn * np.sign(np.linalg.det(turn))


def turned(c, r):
    return np.einsum("ia,jb,kc,ld,abcd->ijkl", r, r, r, r, c)


def together(l, m, a, b, h):
    """The formula of the docstring."""
    ij, kl = np.einsum("ij,kl->ijkl", D, a), np.einsum("ij,kl->ijkl", a, D)
    pairs = [
        np.einsum(f"{p},{q}->ijkl", D, b) for p, q in (("ik", "jl"), ("jl", "ik"), ("il", "jk"), ("jk", "il"))
    ]
    return isotropic(l, m) + ij + kl + sum(pairs) + h


def isotropic(l, m):
    shear = np.einsum("ik,jl->ijkl", D, D) + np.einsum("il,jk->ijkl", D, D)
    return l * np.einsum("ij,kl->ijkl", D, D) + m * shear


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_the_two_forms_are_one_map(dtype):
    c, tolerance = material(), TOLERANCE[dtype]
    m = np.asarray(mandel(c.astype(dtype)))
    assert m.dtype == dtype
    np.testing.assert_allclose(m, m.T, atol=tolerance)
    np.testing.assert_allclose(from_mandel(m), c, atol=tolerance)
    np.testing.assert_allclose(np.linalg.norm(m), np.linalg.norm(c), rtol=tolerance)
    # Its eigenvalues are those of the map of matrices, which is 0 on skew ones.
    values = np.sort(np.linalg.eigvalsh(c.reshape(9, 9)))
    want = np.delete(values, np.argsort(np.abs(values))[:3])
    np.testing.assert_allclose(np.linalg.eigvalsh(m), want, atol=10 * tolerance)
    r = rotation()
    q = np.asarray(mandel(np.einsum("ik,jl->ijkl", r, r).astype(dtype)))
    np.testing.assert_allclose(q @ q.T, np.eye(6), atol=tolerance)
    np.testing.assert_allclose(from_mandel(q @ m @ q.T), turned(c, r), atol=10 * tolerance)


@pytest.mark.full
def test_law_symmetries_are_exact():
    c = np.asarray(from_mandel(RNG.normal(size=(6, 6)).astype(np.float32)))
    for order in PERMUTED:
        np.testing.assert_array_equal(c, c.transpose(order))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_the_parts_add_up_and_turn_by_themselves(dtype):
    c, r, tolerance = material(), rotation(), 10 * TOLERANCE[dtype]
    l, m, a, b, h = split(c.astype(dtype))
    np.testing.assert_allclose(together(l, m, a, b, h), c, atol=tolerance)
    for part in (a, b):
        np.testing.assert_allclose(part, part.T, atol=tolerance)
        np.testing.assert_allclose(np.trace(part), 0, atol=tolerance)
    for order in itertools.permutations(range(4)):
        np.testing.assert_allclose(h, h.transpose(order), atol=tolerance)
    np.testing.assert_allclose(np.einsum("iikl->kl", h), 0, atol=tolerance)
    there = split(turned(c, r).astype(dtype))
    for got, want in zip(there, (l, m, r @ a @ r.T, r @ b @ r.T, turned(h, r))):
        np.testing.assert_allclose(got, want, atol=tolerance)


@pytest.mark.full
def test_law_the_parts_have_1_1_5_5_and_9_dimensions():
    jacobians = jax.jit(jax.jacfwd(lambda m: harmonic_split(from_mandel(m))))(jnp.zeros((6, 6)))
    ranks = [np.linalg.matrix_rank(np.asarray(each).reshape(-1, 36), tol=1e-9) for each in jacobians]
    assert ranks == [1, 1, 5, 5, 9]
    whole = np.concatenate([np.asarray(each).reshape(-1, 36) for each in jacobians])
    assert np.linalg.matrix_rank(whole, tol=1e-9) == 21


def test_isotropic_materials_give_the_lame_constants():
    l, m, *rest = split(isotropic(115.0, 77.0))
    np.testing.assert_allclose([l, m], [115, 77], rtol=1e-13)
    for part in rest:
        np.testing.assert_allclose(part, 0, atol=1e-12)


def stiffness(theta, places, springs):
    """A stable material from a lattice: an EGNN gives each spring a number, and the exponential is positive."""
    h, x = egnn_layer(theta, jnp.ones((len(places), 1)), places, edges=springs)
    apart = places[:, None] - places
    weights = springs * (h + h.T) * jnp.sum((x[:, None] - x) * apart, axis=-1)
    latent = jnp.einsum("nm,nmi,nmj,nmk,nml->ijkl", weights, apart, apart, apart, apart, optimize=False)
    matrix = mandel(latent)
    return from_mandel(SPDAffineInvariant().exp(jnp.eye(6), 3 * matrix / jnp.linalg.norm(matrix)))


@pytest.mark.full
def test_law_the_head_is_stable_and_turns_with_the_lattice():
    theta = egnn_init(1, width=4, key=jax.random.key(0))
    springs = RNG.uniform(size=(4, 4))
    springs = springs + springs.T
    model = jax.jit(lambda places: stiffness(theta, places, springs))
    for _ in range(4):
        places, r = 0.5 * RNG.normal(size=(4, 3)), rotation()
        c = np.asarray(model(places))
        assert np.min(np.linalg.eigvalsh(mandel(c))) > 0
        scale = np.max(np.abs(c))
        np.testing.assert_allclose(model(places @ r.T + 1), turned(c, r), atol=1e-10 * scale)
    # Any latent matrix, also one that is not symmetric or not small.
    for size in (0.0, 1.0, 10.0):
        latent = size * RNG.normal(size=(6, 6))
        values = np.linalg.eigvalsh(mandel(from_mandel(SPDAffineInvariant().exp(np.eye(6), latent))))
        assert np.min(values) > -6 * np.finfo(float).eps * np.max(values)


def test_wrong_calls_say_what_to_do():
    for call in (mandel, harmonic_split):
        with pytest.raises(ValueError, match=r"tensor has shape \[6, 6\]"):
            call(jnp.ones((6, 6)))
    with pytest.raises(ValueError, match=r"matrix has shape \[3, 3, 3, 3\]"):
        from_mandel(jnp.ones((3, 3, 3, 3)))
