"""Rotations and poses of space: Gram-Schmidt, angles, Procrustes and kinematic chains against scipy and matrices."""

import itertools

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geojax.manifolds import SpecialOrthogonal
from geojax.manifolds.poses import forward_kinematics, pa_mpjpe, procrustes_align, so3_from_6d, so3_geodesic

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 7, 3))
TURNS = Rotation.random(5, rng=np.random.default_rng(1)).as_matrix()
from_6d, angle_between, align, error = (
    jax.jit(f) for f in (so3_from_6d, so3_geodesic, procrustes_align, pa_mpjpe)
)


def test_law_so3_from_6d_is_onto_and_continuous():
    for turn in TURNS:
        mixed = turn[:, :2] @ np.asarray([[2.0, -3.0], [0.0, 0.5]])
        np.testing.assert_allclose(from_6d(mixed), turn, atol=1e-14)
    found = np.asarray(jax.jit(jax.vmap(so3_from_6d))(RNG.normal(size=(64, 3, 2))))
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-13)
    np.testing.assert_allclose(found.mT @ found, np.tile(np.eye(3), (64, 1, 1)), atol=1e-14)
    # Near columns: the frame still comes out orthonormal.
    close = np.asarray(from_6d(np.asarray([[1.0, 1.0], [1.0, 1.0 + 1e-9], [0.3, 0.3]])))
    np.testing.assert_allclose(close.T @ close, np.eye(3), atol=1e-14)
    assert np.all(np.isnan(from_6d(np.zeros((3, 2)))[:, 0]))


def test_matches_scipy_magnitude():
    for one, two in itertools.pairwise(TURNS):
        want = Rotation.from_matrix(one.T @ two).magnitude()
        np.testing.assert_allclose(angle_between(one, two), want, rtol=1e-12)
    gradients = jax.jit(jax.grad(so3_geodesic, argnums=(0, 1)))
    for angle in (0.0, 1e-8, 3.0, np.pi - 1e-6, np.pi):
        turn = Rotation.from_rotvec([0, 0, angle]).as_matrix()
        np.testing.assert_allclose(angle_between(np.eye(3), turn), angle, rtol=1e-13)
        for dtype in (np.float32, np.float64):
            assert np.all(np.isfinite(gradients(np.eye(3, dtype=dtype), turn.astype(dtype))))


def test_planted_similarity_is_recovered():
    for turn in TURNS[:2]:
        found = align(X, 2.5 * X @ turn.T + np.asarray([1.0, -2.0, 3.0]))
        np.testing.assert_allclose(found.scale, 2.5, rtol=1e-13)
        np.testing.assert_allclose(found.rotation, turn, atol=1e-13)
        np.testing.assert_allclose(found.shift, [1, -2, 3], atol=1e-13)


def test_matches_scipy_align_vectors():
    x, y = X - X.mean(0), Y - Y.mean(0)
    want = Rotation.align_vectors(y, x)[0].as_matrix()
    np.testing.assert_allclose(align(X, Y).rotation, want, atol=1e-12)


def test_law_aligned_error_ignores_similarities():
    want = error(X, Y)
    np.testing.assert_allclose(error(0.3 * X @ TURNS[0].T + 5, Y), want, rtol=1e-12)
    np.testing.assert_allclose(error(X, X @ TURNS[0].T), 0, atol=1e-13)
    mirrored = X * np.asarray([1.0, 1.0, -1.0])
    assert error(X, mirrored) > 0.1
    gradient = jax.jit(jax.grad(pa_mpjpe))
    for x in (Y, Y @ TURNS[0].T):
        assert np.all(np.isfinite(gradient(x, Y)))


def test_matches_composed_homogeneous_matrices():
    parents = (-1, 0, 1, 0, 3)
    offsets = X[:5]
    turns, places = jax.jit(forward_kinematics, static_argnums=0)(parents, TURNS, offsets)
    for joint in range(5):
        chain, at = np.eye(4), joint
        while at >= 0:
            link = np.eye(4)
            link[:3, :3], link[:3, 3] = TURNS[at], offsets[at]
            chain, at = link @ chain, parents[at]
        np.testing.assert_allclose(turns[joint], chain[:3, :3], atol=1e-14)
        np.testing.assert_allclose(places[joint], chain[:3, 3], atol=1e-14)
    assert SpecialOrthogonal().constraint_error(turns[2]) < 1e-13


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"so3_from_6d: a has shape \[2, 3\]"):
        so3_from_6d(np.ones((2, 3)))
    with pytest.raises(ValueError, match="procrustes_align: y has shape"):
        procrustes_align(X, Y[:3])
    with pytest.raises(ValueError, match=r"forward_kinematics: parents is .*earlier joint"):
        forward_kinematics((-1, 2, 0), TURNS[:3], X[:3])
    line = np.outer(np.arange(7.0), np.ones(3))
    assert np.all(np.isnan(align(line, line).rotation))
