"""Products of reflections against LAPACK's, singular values, the nearest orthogonal matrix, and class subspaces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import (
    Grassmann,
    grassmann_logits,
    householder_low_rank,
    householder_orthogonal,
    nearest_orthogonal,
)

RNG = np.random.default_rng(0)
frame_of, nearest = jax.jit(householder_orthogonal), jax.jit(nearest_orthogonal)


def test_law_any_vectors_give_orthonormal_columns():
    for dtype, tolerance in ((jnp.float64, 1e-14), (jnp.float32, 1e-6)):
        for scale in (1e-30, 1.0, 1e30):
            q = np.asarray(frame_of(np.asarray(RNG.normal(size=(4, 7)) * scale, dtype)))
            np.testing.assert_allclose(q.T @ q, np.eye(4), atol=tolerance)
        alike = np.asarray(np.ones((4, 7)) + 1e-6 * RNG.normal(size=(4, 7)), dtype)
        q = np.asarray(frame_of(alike))
        np.testing.assert_allclose(q.T @ q, np.eye(4), atol=tolerance)
    for d in (2, 3, 4):
        det = np.linalg.det(frame_of(RNG.normal(size=(d, d))))
        np.testing.assert_allclose(det, (-1) ** d, rtol=1e-12)


def test_matches_lapack():
    """jax's householder_product and scipy's orgqr, which store unit lower triangular vectors and 2 / |v|^2."""
    v = np.tril(RNG.normal(size=(6, 3)), -1) + np.eye(6, 3)
    taus = 2 / np.sum(v**2, axis=0)
    got = frame_of(v.T)
    np.testing.assert_allclose(
        got, jax.lax.linalg.householder_product(jnp.asarray(v), jnp.asarray(taus)), atol=1e-14
    )
    np.testing.assert_allclose(got, scipy.linalg.lapack.dorgqr(v, taus)[0], atol=1e-14)


def test_law_every_orthogonal_matrix_comes_from_its_vectors():
    """Signs apart, which R takes, the frame of a QR factorisation is the one of its Householder vectors."""
    q = scipy.linalg.qr(RNG.normal(size=(5, 5)))[0]
    raw, tau = scipy.linalg.qr(q, mode="raw")[0]
    v = np.tril(raw, -1) + np.eye(5)
    # LAPACK leaves the last reflection out (tau = 0) where it has nothing to do.
    assert np.all(tau[:4] > 0)
    signs = np.sign(np.diag(raw))
    got = np.asarray(frame_of(v[:, :4].T)) * signs[:4]
    np.testing.assert_allclose(got, q[:, :4], atol=1e-13)


def test_singular_values_are_those_given():
    s = np.asarray([3.0, -1.0, 0.5])
    a = jax.jit(householder_low_rank)(RNG.normal(size=(3, 6)), s, RNG.normal(size=(3, 4)))
    np.testing.assert_allclose(np.linalg.svd(a)[1], [3, 1, 0.5, 0], atol=1e-14)


def test_nothing_orthogonal_is_nearer():
    a = RNG.normal(size=(4, 4))
    best = np.linalg.norm(nearest(a) - a)
    others = jax.jit(jax.vmap(nearest_orthogonal))(RNG.normal(size=(1000, 4, 4)))
    assert np.min(np.linalg.norm(others - a, axis=(1, 2))) > best
    np.testing.assert_allclose(nearest(a), scipy.linalg.polar(a)[0], atol=1e-13)
    np.testing.assert_allclose(nearest(a[:2]), nearest(a[:2].T).T, atol=1e-14)
    assert np.all(np.isnan(nearest(np.ones((4, 2)))))


def test_logits_and_their_gradients():
    s, x = np.linalg.qr(RNG.normal(size=(3, 6, 2)))[0], RNG.normal(size=6)
    turn = np.asarray([[0.6, -0.8], [0.8, 0.6]])
    logits_of = jax.jit(grassmann_logits)
    logits = np.asarray(logits_of(x, s))
    np.testing.assert_allclose(logits_of(x, s @ turn), logits, rtol=1e-13)
    np.testing.assert_allclose(logits_of(x, s[:, :, :1]), np.abs(s[:, :, 0] @ x), rtol=1e-13)
    by_x, gradient = jax.jit(jax.grad(lambda x, s: grassmann_logits(x, s)[1], argnums=(0, 1)))(x, s)
    gradient = np.asarray(gradient[1])
    np.testing.assert_allclose(gradient, np.outer(x, x) @ s[1] / logits[1], atol=1e-13)
    horizontal = Grassmann().riemannian_gradient(s[1], gradient)
    np.testing.assert_allclose(s[1].T @ np.asarray(horizontal), 0, atol=1e-13)
    np.testing.assert_allclose(by_x, s[1] @ s[1].T @ x / logits[1], atol=1e-13)


def test_planted_planes_are_recovered_and_frames_stay_orthonormal():
    """Riemannian gradient ascent on the mean logit of features drawn from planted planes, in float32."""
    rng = np.random.default_rng(0)
    planes, start = np.linalg.qr(rng.normal(size=(2, 3, 6, 2)))[0].astype(np.float32)
    x = rng.normal(size=(3, 32, 2)).astype(np.float32) @ planes.mT
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)

    def loss(s):
        own = jax.vmap(lambda x, s: jax.vmap(lambda x: grassmann_logits(x, s[None])[0])(x))(x, s)
        return -jnp.sum(jnp.mean(own, axis=1))

    def step(s, _):
        gradient = jax.grad(loss)(s)
        return jax.vmap(lambda s, g: Grassmann().retract(s, -Grassmann().riemannian_gradient(s, g)))(
            s, gradient
        ), None

    found = np.asarray(jax.jit(lambda s: jax.lax.scan(step, s, None, length=500)[0])(start))
    np.testing.assert_allclose(found.mT @ found, np.tile(np.eye(2), (3, 1, 1)), atol=1e-5)
    assert np.max(jax.jit(jax.vmap(Grassmann().dist))(found, planes)) < 0.05


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"householder_orthogonal: v has shape \[3, 2\]"):
        householder_orthogonal(jnp.ones((3, 2)))
    with pytest.raises(ValueError, match="grassmann_logits: s has shape"):
        grassmann_logits(jnp.ones(3), jnp.ones((2, 4, 1)))
    assert not np.all(np.isfinite(frame_of(np.zeros((1, 2)))))
