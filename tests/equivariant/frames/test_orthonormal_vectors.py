"""Gram and Schmidt against the QR factors of numpy, for rotations and Lorentz boosts, and where vectors depend."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.equivariant import equivariance_error, gram_schmidt_frame, symmetrize

pytestmark = pytest.mark.full

RNG = np.random.default_rng(3)
MINKOWSKI = np.array([1.0, -1.0, -1.0, -1.0])
lorentz_frame = jax.jit(jax.vmap(lambda v: gram_schmidt_frame(v, signature=jnp.asarray(MINKOWSKI, v.dtype))))
frames = jax.jit(jax.vmap(gram_schmidt_frame))
slopes = jax.jit(jax.jacobian(lambda v: gram_schmidt_frame(v).elements))


def boosts(num):
    """Random elements of the connected Lorentz group."""
    skew = RNG.normal(size=(num, 4, 4))
    return np.stack([scipy.linalg.expm(np.diag(MINKOWSKI) @ (a - a.T) / 2) for a in skew])


def rotations(num, size):
    q = np.linalg.qr(RNG.normal(size=(num, size, size)))[0]
    return q * np.linalg.det(q)[:, None, None]  # odd sizes only


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_matches_qr_and_turns_with_the_vectors(unit):
    v = unit * RNG.normal(size=(64, 3, 3))
    q, r = np.linalg.qr(np.swapaxes(v, 1, 2))
    want = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    found = frames(v)
    np.testing.assert_allclose(found.elements[:, 0], want, atol=1e-11)
    lengths = np.abs(np.diagonal(r, axis1=1, axis2=2)) / np.linalg.norm(v, axis=2)
    np.testing.assert_allclose(found.gap, lengths.min(axis=1), rtol=1e-10)
    single = frames(np.float32(v))
    assert single.elements.dtype == np.float32
    assert np.max(np.abs(single.elements[:, 0] - want) * lengths.min(axis=1)[:, None, None]) < 1e-5


def test_two_vectors_give_rotations():
    v, g = RNG.normal(size=(64, 2, 3)), rotations(64, 3)
    first, moved = frames(v).elements[:, 0], frames(v @ np.swapaxes(g, 1, 2)).elements[:, 0]
    np.testing.assert_allclose(np.linalg.det(first), 1, rtol=1e-13)
    np.testing.assert_allclose(moved, g @ first, atol=1e-11)
    np.testing.assert_allclose(first[:, :, 2], np.cross(first[:, :, 0], first[:, :, 1]), atol=1e-13)


def test_law_lorentz_frames_keep_the_metric_and_boost_with_the_vectors():
    v = RNG.normal(size=(64, 4, 4))
    v[:, 0, 0] = 1 + np.linalg.norm(v[:, 0, 1:], axis=1)  # timelike
    g = boosts(64)
    found = lorentz_frame(v)
    first = np.asarray(found.elements[:, 0])
    size = np.linalg.norm(first, axis=(1, 2))[:, None, None]
    metric = np.diag(MINKOWSKI)
    assert np.max(np.abs(np.swapaxes(first, 1, 2) @ metric @ first - metric) / size**2) < 1e-13
    moved = np.asarray(lorentz_frame(v @ np.swapaxes(g, 1, 2)).elements[:, 0])
    want = g @ first
    assert np.max(np.abs(moved - want) / np.linalg.norm(want, axis=(1, 2))[:, None, None]) < 1e-8
    spacelike = v.copy()
    spacelike[:, 0, 0] = 0
    assert np.all(np.isnan(lorentz_frame(spacelike).elements[:, 0, 0, 0]))
    light = v.copy()
    light[:, 0] = [5.0, 3.0, 4.0, 0.0]
    assert np.all(lorentz_frame(light).gap == 0) and np.all(np.isfinite(lorentz_frame(light).elements))


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((3, 3)), np.ones((3, 3)), [[1, 2, 3], [2, 4, 6], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [1, 1, 0]]],
)
def test_dependent_vectors_give_an_element_with_gap_zero_and_finite_gradients(vectors):
    v = np.broadcast_to(np.asarray(vectors, float), (64, 3, 3))
    found = frames(v)
    assert np.all(found.gap == 0)
    np.testing.assert_allclose(found.elements[0, 0] @ found.elements[0, 0].T, np.eye(3), atol=1e-14)
    assert np.all(np.isfinite(slopes(v[0])))


def test_learnt_vectors_make_a_function_equivariant_and_learn():
    """The vectors are sums of the points, weighted by invariants with parameters."""
    act = lambda g, x: x @ g.T
    mix = RNG.normal(size=(15, 15)) / 4

    def vectors(p, x):
        return jnp.tanh(p["scale"] * (x @ x.T) + p["shift"])[:2] @ x

    def equivariant(p, x):
        frame = lambda x: gram_schmidt_frame(vectors(p, x))
        f = lambda x: jnp.tanh(x.ravel() @ mix + 1).reshape(x.shape)
        return symmetrize(f, frame, act, act)(x)

    p = {"scale": jnp.asarray(0.3), "shift": jnp.asarray(RNG.normal(size=(5, 5)))}
    x = jnp.asarray(RNG.normal(size=(5, 3)))
    turns = rotations(8, 3)
    error = jax.jit(lambda p: equivariance_error(functools.partial(equivariant, p), act, act, turns, x).worst)
    assert error(p) < 1e-12
    slope = jax.jit(jax.grad(lambda p: jnp.sum(equivariant(p, x) ** 3)))(p)
    assert jnp.abs(slope["scale"]) > 1e-3 and jnp.all(jnp.isfinite(slope["shift"]))


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match=r"expected \[d, d\], or"):
        gram_schmidt_frame(jnp.ones((1, 3)))
    with pytest.raises(ValueError, match="vectors has shape"):
        gram_schmidt_frame(jnp.ones((3, 3)), signature=jnp.ones(4))
