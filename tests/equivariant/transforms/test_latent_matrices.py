"""Matrices of latent actions and their blocks: planted representations, roots of unity, the Fourier basis."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import block_diag, subspace_angles

from geojax.equivariant import joint_blocks, latent_action

N = 7
blocks_of = jax.jit(joint_blocks)


def rng():
    return np.random.default_rng(0)


def fit(z, gz):
    return np.asarray(latent_action(jnp.asarray(z), jnp.asarray(gz)))


def wave(f, shift):
    c, s = np.cos(2 * np.pi * f * shift / N), np.sin(2 * np.pi * f * shift / N)
    return np.array([[c, -s], [s, c]])


def oblique(k, draw):
    return np.eye(k) + draw.normal(size=(k, k)) / 4


def planted(z, mix):
    """An invertible map of latent vectors to data."""
    return np.sinh(z @ mix.T)


def unplanted(x, mix):
    return np.arcsinh(x) @ np.linalg.inv(mix).T


@pytest.mark.full
@pytest.mark.parametrize("dtype, unit", [(np.float64, 1e-5), (np.float32, 1.0)])
def test_the_eigenvalues_are_the_roots_of_unity_of_the_frequencies_that_are_there(dtype, unit):
    draw = rng()
    mix = oblique(5, draw)
    rho = lambda shift: np.asarray(block_diag(1.0, wave(1, shift), wave(3, shift)))
    z = draw.normal(size=(40, 5))
    x, gx, ggx = (planted(z @ rho(shift).T, mix) for shift in (0, 1, 2))
    encoded = [(unit * unplanted(each, mix)).astype(dtype) for each in (x, gx, ggx)]
    m = fit(*encoded[:2])
    assert m.dtype == dtype
    found = np.linalg.eigvals(np.asarray(m, float))
    expected = np.exp(2j * np.pi * np.array([0, 1, -1, 3, -3]) / N)
    tol = 1e3 * np.finfo(dtype).eps
    for root in expected:
        assert np.min(np.abs(found - root)) < tol
    # The matrix fitted to one step predicts the next, which it has not seen.
    np.testing.assert_allclose(encoded[1] @ m.T, encoded[2], atol=tol * unit * 10)
    np.testing.assert_allclose(m, rho(1), atol=tol)


@pytest.mark.full
def test_on_signals_the_blocks_are_the_fourier_basis():
    shift = np.roll(np.eye(N), 1, axis=0)
    signals = rng().normal(size=(20, N))
    m = fit(signals, signals @ shift.T)
    np.testing.assert_allclose(m, shift, atol=1e-13)
    basis, labels = (np.asarray(each) for each in blocks_of(jnp.asarray(m)[None], key=jax.random.key(0)))
    np.testing.assert_allclose(basis.T @ basis, np.eye(N), atol=1e-12)
    assert sorted(np.bincount(labels)) == [1, 2, 2, 2]
    times = 2 * np.pi * np.arange(N) / N
    waves = [
        np.ones((N, 1)) if f == 0 else np.stack([np.cos(f * times), np.sin(f * times)], 1) for f in range(4)
    ]
    for label in range(4):
        space = basis[:, labels == label]
        assert min(np.max(subspace_angles(space, w)) for w in waves if w.shape == space.shape) < 1e-7


S3 = np.array(list(itertools.permutations(range(3))))
HEXAGON = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])


def representations():
    """Name -> matrices in an orthonormal basis, and the sizes of their irreducible blocks over the reals."""
    draw = rng()
    permutations = np.eye(3)[S3]
    quaternion = np.array([[[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
                           [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]])  # fmt: skip
    turns = np.linalg.qr(draw.normal(size=(3, 3, 3)))[0]
    turns = turns * np.linalg.det(turns)[:, None, None]
    return {
        "one permutation representation": (permutations, [1, 2]),
        "three copies": (np.array([block_diag(p, p, p) for p in permutations]), [1, 1, 1, 2, 2, 2]),
        "two waves of one frequency": (np.array([block_diag(wave(1, s), wave(1, s), wave(2, s)) for s in (1, 2)]),
                                       [2, 2, 2]),
        "quaternions": (quaternion, [4]),
        "rotations, on vectors, numbers and vectors": (np.array([block_diag(t, 1, t) for t in turns]), [1, 3, 3]),
        "the identity": (np.eye(3)[None], [1, 1, 1]),
    }  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("name", representations())
@pytest.mark.parametrize("turned", ["orthonormal", "oblique"])
def test_law_blocks_are_the_irreducible_ones(name, turned):
    matrices, sizes = representations()[name]
    k = matrices.shape[1]
    change = np.linalg.qr(rng().normal(size=(k, k)))[0] if turned == "orthonormal" else oblique(k, rng())
    matrices = change @ matrices @ np.linalg.inv(change)
    basis, labels = (np.asarray(each) for each in joint_blocks(jnp.asarray(matrices), key=jax.random.key(1)))
    assert sorted(np.bincount(labels)) == sizes and np.all(np.diff(labels) >= 0)
    inside = np.linalg.inv(basis) @ matrices @ basis
    assert np.max(np.abs(inside[:, labels[:, None] != labels]), initial=0) < 1e-9
    if turned == "orthonormal":
        np.testing.assert_allclose(basis.T @ basis, np.eye(k), atol=1e-9)


@pytest.mark.full
def test_noisy_matrices_split_within_a_tolerance_and_float32_splits():
    matrices, sizes = representations()["three copies"]
    noisy = jnp.asarray(matrices + 1e-3 * rng().normal(size=matrices.shape))
    basis, labels = joint_blocks(noisy, key=jax.random.key(1), tol=0.05)
    assert sorted(np.bincount(labels)) == sizes
    inside = np.linalg.inv(basis) @ noisy @ basis
    assert np.max(np.abs(inside[:, labels[:, None] != labels])) < 0.02
    change = oblique(9, rng())
    single = jnp.asarray(change @ matrices @ np.linalg.inv(change), jnp.float32)
    basis, labels = joint_blocks(single, key=jax.random.key(1))
    assert basis.dtype == jnp.float32 and sorted(np.bincount(labels)) == sizes


@pytest.mark.full
def test_no_group_that_is_compact_gives_nan():
    shear = jnp.array([[[1.0, 1.0], [0.0, 1.0]]])
    boost = jnp.array([[[np.cosh(1), np.sinh(1)], [np.sinh(1), np.cosh(1)]]])
    for matrices in (shear, boost, 2 * jnp.eye(2)[None], jnp.full((1, 2, 2), jnp.nan)):
        basis, labels = joint_blocks(matrices, key=jax.random.key(0))
        assert np.all(np.isnan(basis)) and np.all(labels == -1)


# What a kernel and a linear action have to do with each other -------------------------------------------------------


def points_and_shifts():
    """Every binary necklace of length 6, and where a shift takes it."""
    points = (np.arange(64)[:, None] >> np.arange(6)) & 1
    return points, np.roll(points, 1, axis=1) @ 2 ** np.arange(6)


@pytest.mark.full
def test_an_invariant_kernel_gives_features_on_which_the_group_acts_and_back():
    points, moved = points_and_shifts()
    spectrum = np.abs(np.fft.fft(points, axis=1)) ** 2
    aligned = np.asarray(points @ points.T, float)
    kernel = aligned**2 + spectrum @ spectrum.T / 36
    np.testing.assert_allclose(kernel[np.ix_(moved, moved)], kernel, atol=1e-9)

    def features(kernel):
        values, vectors = np.linalg.eigh(kernel)
        kept = values > 1e-9 * values[-1]
        return vectors[:, kept] * np.sqrt(values[kept])

    z = features(kernel)
    assert z.shape[1] < 30  # far fewer than points: a linear action is no matter of course
    m = fit(z, z[moved])
    np.testing.assert_allclose(z @ m.T, z[moved], atol=1e-8)
    np.testing.assert_allclose(m @ m.T, np.eye(len(m)), atol=1e-8)  # the Gram identity
    np.testing.assert_allclose(np.linalg.matrix_power(m, 6), np.eye(len(m)), atol=1e-7)
    # Back: features on which the group acts by orthogonal matrices have an invariant kernel.
    weights = np.random.default_rng(1).normal(size=6)
    circulant = np.stack([np.roll(points, s, axis=1) @ weights for s in range(6)], 1)
    m = fit(circulant, circulant[moved])
    np.testing.assert_allclose(circulant @ m.T, circulant[moved], atol=1e-9)
    gram = circulant @ circulant.T
    np.testing.assert_allclose(gram[np.ix_(moved, moved)], gram, atol=1e-9)
    # A kernel that is not invariant has features on which no matrix acts.
    linear = points @ weights
    z = features(np.outer(linear, linear))
    m = fit(z, z[moved])
    assert np.max(np.abs(z @ m.T - z[moved])) > 0.1


# Latent vectors with an invariant half ------------------------------------------------------------------------------


def test_law_fitted_matrices_compose_as_the_group_does():
    draw = rng()
    generators = draw.normal(size=(3, 3))
    generators = generators - generators.T
    values, vectors = np.linalg.eigh(1j * generators)
    rho = lambda t: (vectors * np.exp(-1j * values * t)) @ vectors.conj().T
    z = draw.normal(size=(30, 3))
    angles = np.array([0.0, 0.4, 1.1, 1.5])
    moved = np.stack([z @ rho(t).real.T for t in angles])
    fitted = np.asarray(jax.vmap(latent_action, (None, 0))(jnp.asarray(z), jnp.asarray(moved)))
    np.testing.assert_allclose(fitted, np.stack([rho(t).real for t in angles]), atol=1e-12)
    np.testing.assert_allclose(fitted[0], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(fitted[1] @ fitted[2], fitted[3], atol=1e-12)


def test_of_several_matrices_the_least_one_is_taken():
    z = jnp.array([[1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_allclose(latent_action(z, 3 * z), [[3.0, 0.0], [0.0, 0.0]], atol=1e-14)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: latent_action(jnp.ones((3, 2)), jnp.ones((3, 4))), ValueError, "gz has shape"),
        (lambda: joint_blocks(jnp.ones((2, 3, 4)), key=jax.random.key(0)), ValueError, "matrices has shape"),
        (lambda: joint_blocks(jnp.ones((3, 3)), key=jax.random.key(0)), ValueError, "rank"),
        (lambda: joint_blocks(jnp.ones((2, 3, 3)), key=jnp.zeros(2)), TypeError, "key"),
    ],
)
def test_wrong_calls_say_what_to_mend(call, error, words):
    with pytest.raises(error, match=words):
        call()
