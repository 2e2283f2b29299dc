"""Registration by moments: motions recovered without correspondences, Kabsch, invariance of the column space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.transform
import scipy.special

from geojax.manifolds.poses import (
    sampling_equalizer,
    ume_contrastive_loss,
    ume_matrix,
    ume_register,
    ume_subspace_distance,
)

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(40, 3)) * [3.0, 2.0, 1.0] + [1.0, 0.0, 0.0] * RNG.normal(size=(40, 1)) ** 2
LEVELS = np.linspace(0.5, 5.0, 8)
matrix, register, subspace_distance, contrastive_loss = (
    jax.jit(f) for f in (ume_matrix, ume_register, ume_subspace_distance, ume_contrastive_loss)
)


def features(points):
    return np.linalg.norm(points - points.mean(0), axis=1)


def moved(seed, points=CLOUD):
    rotation = scipy.spatial.transform.Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    translation = np.random.default_rng(seed).normal(size=3)
    return rotation, translation, points @ rotation.T + translation


def test_law_motions_are_recovered_without_correspondences():
    for seed in range(4):
        rotation, translation, after = moved(seed)
        shuffled = after[RNG.permutation(len(after))]
        m1, m2 = (matrix(p, features(p), LEVELS) for p in (CLOUD, shuffled))
        found = register(m1, m2)
        np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
        np.testing.assert_allclose(found.translation, translation, atol=1e-9)
        # Covariant, with one column space.
        motion = np.block([[np.ones((1, 1)), translation[None]], [np.zeros((3, 1)), rotation.T]])
        np.testing.assert_allclose(m2, np.asarray(m1) @ motion, atol=1e-12)
        assert float(subspace_distance(m1, m2)) < 1e-11


def test_matches_kabsch_for_known_correspondences():
    _, _, after = moved(7)
    after = after + 0.3 * RNG.normal(size=after.shape)
    rows = [np.concatenate([np.ones((40, 1)), p], axis=1) for p in (CLOUD, after)]
    want, _ = scipy.spatial.transform.Rotation.align_vectors(after - after.mean(0), CLOUD - CLOUD.mean(0))
    np.testing.assert_allclose(register(*rows).rotation, want.as_matrix(), atol=1e-10)
    mirrored = [rows[0], rows[0] * [1.0, -1.0, 1.0, 1.0]]
    np.testing.assert_allclose(np.linalg.det(register(*mirrored).rotation), 1, rtol=1e-10)


def test_matches_scipy_subspace_angles():
    a, b = RNG.normal(size=(2, 9, 4))
    want = np.linalg.norm(np.sin(scipy.linalg.subspace_angles(a, b)))
    np.testing.assert_allclose(subspace_distance(a, b), want, rtol=1e-10)


def test_law_errors_grow_with_sampling_noise():
    rotation, _, after = moved(3)
    errors = []
    for noise in (1e-6, 1e-4, 1e-2):
        noisy = after + noise * np.random.default_rng(1).normal(size=after.shape)
        pair = (matrix(p, features(p), LEVELS) for p in (CLOUD, noisy))
        errors.append(np.linalg.norm(register(*pair).rotation - rotation))
    assert errors[0] < 1e-4 and errors[0] < errors[1] < errors[2] < 0.5


def test_law_errors_grow_as_the_overlap_shrinks():
    """Points that only one cloud sees: features far from all levels give the others' no weight."""
    rotation, _, after = moved(3)
    first, errors = matrix(CLOUD, features(CLOUD), LEVELS), []
    for missing in (0, 1, 4, 12):
        seen = np.where(np.arange(len(CLOUD)) < missing, 1e3, features(after))
        found = register(first, matrix(after, seen, LEVELS))
        errors.append(np.linalg.norm(found.rotation - rotation))
    assert errors[0] < 1e-6 and errors == sorted(errors) and errors[-1] < 1.5


def test_contrastive_loss_prefers_its_own_and_equalizer_evens_out():
    clouds = [CLOUD[i : i + 20] for i in (0, 10, 20)]
    m1 = np.stack([matrix(p, features(p), LEVELS) for p in clouds])
    m2 = np.stack([matrix(p, features(p), LEVELS) for p in (moved(5, p)[2] for p in clouds)])
    assert float(contrastive_loss(m1, m2)) < float(contrastive_loss(m1, m2[::-1]))
    sines = [[np.linalg.norm(np.sin(scipy.linalg.subspace_angles(x, y))) for y in m2] for x in m1]
    for temperature in (0.1, 0.5):
        scores = -np.asarray(sines) / temperature
        want = np.mean(scipy.special.logsumexp(scores, axis=1) - np.diagonal(scores))
        np.testing.assert_allclose(ume_contrastive_loss(m1, m2, temperature=temperature), want, rtol=1e-9)
    weights = sampling_equalizer(np.concatenate([CLOUD, np.repeat(CLOUD[:1], 9, axis=0)]), voxel=1e-3)
    np.testing.assert_allclose(weights[:1].sum() + weights[40:].sum(), 1 / 40, rtol=1e-12)


def test_law_weights_undo_an_uneven_sampling():
    """One half of a cloud sampled five times as densely: with equalising weights its motion is found all the same."""
    rotation, translation, after = moved(11)
    doubled = np.concatenate([after, np.repeat(after[:20], 4, axis=0)])
    invariant = np.concatenate([features(after), np.repeat(features(after)[:20], 4)])
    even = sampling_equalizer(doubled, voxel=1e-6)
    m1, uneven = matrix(CLOUD, features(CLOUD), LEVELS), matrix(doubled, invariant, LEVELS)
    m2 = matrix(doubled, invariant, LEVELS, even)
    found = register(m1, m2)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, translation, atol=1e-9)
    assert np.linalg.norm(register(m1, uneven).rotation - rotation) > 1e-3
    with pytest.raises(ValueError, match="weights has shape"):
        ume_matrix(CLOUD, features(CLOUD), LEVELS, jnp.ones(3))


def test_gradient_matches_differences():
    @jax.jit
    def function(t):
        m1 = matrix(CLOUD, features(CLOUD), LEVELS)
        m2 = matrix(CLOUD * (1 + t * np.asarray([1.0, -0.5, 0.2])) + t, features(CLOUD), LEVELS)
        found = register(m1, m2 + 0.1 * np.sin(np.arange(32.0)).reshape(8, 4) * t)
        return found.rotation[0, 1] + found.translation[2] + subspace_distance(m1, jnp.sin(m2))

    want = float(function(0.3 + 1e-5) - function(0.3 - 1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.3)), want, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    assert np.any(np.isnan(matrix(CLOUD * np.nan, features(CLOUD), LEVELS)))
    with pytest.raises(ValueError, match="four levels"):
        ume_matrix(CLOUD, features(CLOUD), LEVELS[:3])
    with pytest.raises(ValueError, match="ume_register: m2 has shape"):
        ume_register(np.ones((5, 4)), np.ones((6, 4)))
    with pytest.raises(ValueError, match="sampling_equalizer: points has shape"):
        sampling_equalizer(np.ones((5, 2)), voxel=1.0)
