"""Frames that do not turn about their curve: planes, helices, motions, the way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.transform

from geojax.manifolds import bishop_frame

frames_of = jax.jit(bishop_frame)


def helix(num, radius=1.0, pitch=0.5, turns=1.0):
    s = np.linspace(0, 2 * np.pi * turns, num)
    return np.stack([radius * np.cos(s), radius * np.sin(s), pitch * s], axis=1)


def test_law_frames_are_rotations_and_the_normal_of_a_plane_stays():
    frames = np.asarray(frames_of(helix(40, pitch=0.0), np.asarray([1.0, 0.0, 0.0])))
    np.testing.assert_allclose(
        frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (40, 3, 3)), atol=1e-13
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1, rtol=1e-12)
    np.testing.assert_allclose(frames[:, 2], np.broadcast_to(frames[0, 2], (40, 3)), atol=1e-12)


def test_matches_total_torsion_on_a_helix():
    """Against the Frenet normal, which points to the axis: the angle between them grows by torsion times length."""
    gaps = []
    for num in (100, 200):
        frames = np.asarray(frames_of(helix(num), np.asarray([-1.0, 0.0, 0.0])))
        middle = (helix(num)[1:] + helix(num)[:-1]) / 2
        frenet = -middle * [1, 1, 0] / np.linalg.norm(middle[:, :2], axis=1)[:, None]
        normals, binormals = frames[:-1, 1], frames[:-1, 2]
        angle = np.unwrap(np.arctan2((frenet * binormals).sum(1), (frenet * normals).sum(1)))
        length = np.sqrt(1 + 0.25) * 2 * np.pi * (num - 2) / (num - 1)
        gaps.append(abs(abs(angle[-1] - angle[0]) - 0.5 / (1 + 0.25) * length))
    assert gaps[1] < 1e-3 and gaps[1] < gaps[0] / 3


def test_law_motions_move_the_frames_and_the_way_back_returns():
    curve, normal = helix(40, turns=2.0), np.asarray([0.3, 0.2, 1.0])
    rotation = scipy.spatial.transform.Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    frames = np.asarray(frames_of(curve, normal))
    turned = frames_of(curve @ rotation.T + 3.0, rotation @ normal)
    np.testing.assert_allclose(turned, frames @ rotation.T, atol=1e-12)
    back = frames_of(curve[::-1], frames[-1, 1])
    np.testing.assert_allclose(back[-1, 1], frames[0, 1], atol=1e-12)


def test_gradient_matches_differences():
    curve, normal = helix(40), np.asarray([0.3, 0.2, 1.0])
    change = np.random.default_rng(0).normal(size=curve.shape)

    @jax.jit
    def function(t):
        return jnp.sum(jnp.sin(frames_of(curve + t * change, normal + t)))

    want = float(function(1e-5) - function(-1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.0)), want, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    assert np.any(np.isnan(frames_of(np.zeros((40, 3)), np.ones(3))))
    with pytest.raises(ValueError, match="at least two"):
        bishop_frame(np.zeros((1, 3)), np.ones(3))
    with pytest.raises(ValueError, match="curve has shape"):
        bishop_frame(np.zeros((3, 2)), np.ones(3))
