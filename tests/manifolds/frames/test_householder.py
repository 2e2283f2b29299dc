"""Products of reflections against LAPACK's, singular values, the nearest orthogonal matrix, and class subspaces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import Grassmann
from geojax.manifolds.frames import (
    grassmann_logits,
    householder_low_rank,
    householder_orthogonal,
    nearest_orthogonal,
)

RNG = np.random.default_rng(0)


def test_law_any_vectors_give_orthonormal_columns():
    for dtype, tolerance in ((jnp.float64, 1e-14), (jnp.float32, 1e-6)):
        for scale in (1e-30, 1.0, 1e30):
            q = householder_orthogonal(jnp.asarray(RNG.normal(size=(4, 7)) * scale, dtype))
            np.testing.assert_allclose(q.T @ q, np.eye(4), atol=tolerance)
        alike = jnp.asarray(np.ones((4, 7)) + 1e-6 * RNG.normal(size=(4, 7)), dtype)
        q = householder_orthogonal(alike)
        np.testing.assert_allclose(q.T @ q, np.eye(4), atol=tolerance)
    for d in (2, 3, 4):
        det = jnp.linalg.det(householder_orthogonal(jnp.asarray(RNG.normal(size=(d, d)))))
        np.testing.assert_allclose(det, (-1) ** d, rtol=1e-12)


def test_matches_lapack():
    """jax's householder_product and scipy's orgqr, which store unit lower triangular vectors and 2 / |v|^2."""
    v = np.tril(RNG.normal(size=(6, 3)), -1) + np.eye(6, 3)
    taus = 2 / np.sum(v**2, axis=0)
    got = householder_orthogonal(v.T)
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
    got = householder_orthogonal(v[:, :4].T) * signs[:4]
    np.testing.assert_allclose(got, q[:, :4], atol=1e-13)


def test_singular_values_are_those_given():
    s = np.asarray([3.0, -1.0, 0.5])
    a = householder_low_rank(RNG.normal(size=(3, 6)), s, RNG.normal(size=(3, 4)))
    np.testing.assert_allclose(jnp.linalg.svd(a)[1], [3, 1, 0.5, 0], atol=1e-14)


def test_nothing_orthogonal_is_nearer():
    a = jnp.asarray(RNG.normal(size=(4, 4)))
    best = jnp.linalg.norm(nearest_orthogonal(a) - a)
    others = jax.vmap(nearest_orthogonal)(jnp.asarray(RNG.normal(size=(1000, 4, 4))))
    assert jnp.min(jnp.linalg.norm(others - a, axis=(1, 2))) > best
    np.testing.assert_allclose(nearest_orthogonal(a), scipy.linalg.polar(np.asarray(a))[0], atol=1e-13)
    np.testing.assert_allclose(nearest_orthogonal(a[:2]), nearest_orthogonal(a[:2].T).T, atol=1e-14)
    assert jnp.all(jnp.isnan(nearest_orthogonal(jnp.ones((3, 2)))))


def test_logits_and_their_gradients():
    s = jax.vmap(lambda k: Grassmann().random_point(k, (6, 2)))(jax.random.split(jax.random.key(0), 3))
    x = jnp.asarray(RNG.normal(size=6))
    turn = jnp.asarray([[0.6, -0.8], [0.8, 0.6]])
    logits = grassmann_logits(x, s)
    np.testing.assert_allclose(grassmann_logits(x, s @ turn), logits, rtol=1e-13)
    np.testing.assert_allclose(grassmann_logits(x, s[:, :, :1]), jnp.abs(s[:, :, 0] @ x), rtol=1e-13)
    gradient = jax.grad(lambda s: grassmann_logits(x, s)[1])(s)[1]
    np.testing.assert_allclose(gradient, jnp.outer(x, x) @ s[1] / logits[1], atol=1e-13)
    horizontal = Grassmann().riemannian_gradient(s[1], gradient)
    np.testing.assert_allclose(s[1].T @ horizontal, 0, atol=1e-13)
    by_x = jax.grad(lambda x: grassmann_logits(x, s)[1])(x)
    np.testing.assert_allclose(by_x, s[1] @ s[1].T @ x / logits[1], atol=1e-13)


def test_planted_planes_are_recovered_and_frames_stay_orthonormal():
    """Riemannian gradient ascent on the mean logit of features drawn from planted planes, in float32."""
    planes = jax.vmap(lambda k: Grassmann().random_point(k, (6, 2), dtype=jnp.float32))(
        jax.random.split(jax.random.key(0), 3)
    )
    draws = jax.random.normal(jax.random.key(1), (3, 32, 2), jnp.float32)
    x = draws @ planes.mT
    x = x / jnp.linalg.norm(x, axis=-1, keepdims=True)

    def loss(s):
        own = jax.vmap(lambda x, s: jax.vmap(lambda x: grassmann_logits(x, s[None])[0])(x))(x, s)
        return -jnp.sum(jnp.mean(own, axis=1))

    def step(s, _):
        gradient = jax.grad(loss)(s)
        return jax.vmap(lambda s, g: Grassmann().retract(s, -Grassmann().riemannian_gradient(s, g)))(
            s, gradient
        ), None

    start = jax.vmap(lambda k: Grassmann().random_point(k, (6, 2), dtype=jnp.float32))(
        jax.random.split(jax.random.key(2), 3)
    )
    found = jax.jit(lambda s: jax.lax.scan(step, s, None, length=500)[0])(start)
    np.testing.assert_allclose(found.mT @ found, np.tile(np.eye(2), (3, 1, 1)), atol=1e-5)
    assert jnp.max(jax.vmap(Grassmann().dist)(found, planes)) < 0.05


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"householder_orthogonal: v has shape \[3, 2\]"):
        householder_orthogonal(jnp.ones((3, 2)))
    with pytest.raises(ValueError, match="grassmann_logits: s has shape"):
        grassmann_logits(jnp.ones(3), jnp.ones((2, 4, 1)))
    assert not jnp.all(jnp.isfinite(householder_orthogonal(jnp.zeros((1, 2)))))
