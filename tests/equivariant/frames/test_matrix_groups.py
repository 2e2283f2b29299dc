"""Lifts against scipy's polar factors and the flow itself; orbit distances on orbits, off them, and mirrored."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.equivariant import equivariance_error, lift_to_group, orbit_distance, symmetrize

pytestmark = pytest.mark.full

RNG = np.random.default_rng(6)
ETA = np.diag([1.0, -1.0, -1.0, -1.0])
NUM = 32
lifts = jax.jit(jax.vmap(lambda m: lift_to_group(m, jnp.asarray(ETA, m.dtype))))


def boosts(num, size=1.0):
    skew = size * RNG.normal(size=(num, 4, 4))
    return np.stack([scipy.linalg.expm(ETA @ (a - a.T) / 2) for a in skew])


def near(g, share=0.3):
    """Matrices with an element and a symmetric rest: M = g S with S selfadjoint near 1."""
    rest = share * RNG.normal(size=g.shape)
    return g @ (np.eye(4) + ETA @ (rest + np.swapaxes(rest, 1, 2)) / 4)


def defect(g, eta=ETA):
    """Error of g^T eta g = eta, over the squared norm of g."""
    return np.abs(np.swapaxes(g, 1, 2) @ eta @ g - eta).max((1, 2)) / np.linalg.norm(g, axis=(1, 2)) ** 2


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_law_lifts_are_of_the_group_and_move_with_it(unit):
    g, h = boosts(NUM), boosts(NUM)
    m = near(g)
    found = np.asarray(lifts(unit * m))
    np.testing.assert_allclose(found, g, atol=1e-9 * np.abs(g).max())  # the planted element
    assert defect(found).max() < 1e-13
    moved = np.asarray(lifts(unit * h @ m))
    assert np.max(np.abs(moved - h @ found)) < 1e-9 * np.abs(moved).max()
    single = lifts(np.float32(unit * m))
    assert single.dtype == np.float32
    assert defect(np.asarray(single, float)).max() < 1e-6


def test_matches_the_flow():
    """Small steps of dM/dt = -M eta^-1 (M^T eta M - eta) end where the lift does."""
    start = near(boosts(4, 0.3))
    m = start.copy()
    for _ in range(4000):
        m = m - 0.01 * m @ ETA @ (np.swapaxes(m, 1, 2) @ ETA @ m - ETA)
    np.testing.assert_allclose(np.asarray(lifts(start)), m, atol=1e-8)


def test_matches_polar_factors_for_rotations():
    m = RNG.normal(size=(NUM, 4, 4))
    want = np.stack([scipy.linalg.polar(a)[0] for a in m])
    np.testing.assert_allclose(jax.vmap(lift_to_group)(m), want, atol=1e-12)
    by_form = jax.vmap(lambda a: lift_to_group(a, jnp.eye(4)))(m)
    np.testing.assert_allclose(by_form, want, atol=1e-10)


def test_no_root_is_nan_and_symplectic_forms_lift_too():
    assert np.all(np.isnan(lifts(np.stack([np.diag([0.0, 1, 1, 1]), np.eye(4)[[1, 0, 2, 3]]]))))
    form = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    m = np.eye(4) + 0.2 * RNG.normal(size=(NUM, 4, 4))
    found = np.asarray(jax.vmap(lambda a: lift_to_group(a, form))(m))
    assert defect(found, form).max() < 1e-13


def test_lifted_features_make_a_function_equivariant():
    """Four-vectors weighted by invariants are the columns of M(x)."""
    metric = jnp.asarray(ETA)
    mix = RNG.normal(size=(20, 20)) / 4
    act = lambda g, x: x @ g.T

    def frame(x):
        weights = jnp.eye(5, 4) + 0.02 * jnp.tanh(x @ metric @ x.T)[:, :4]
        return lift_to_group(x.T @ weights, metric)[None], jnp.ones(1)

    f = symmetrize(lambda x: jnp.tanh(x.ravel() @ mix + 1).reshape(x.shape), frame, act, act)
    x = near(np.eye(4)[None])[0]
    x = jnp.asarray(np.concatenate([x.T, x.T[:1] + 0.1]))
    error = jax.jit(lambda x: equivariance_error(f, act, act, boosts(8), x).worst)(x)
    residual = defect(np.asarray(jax.vmap(lambda g: frame(act(g, x))[0][0])(boosts(8)))).max()
    assert residual < 1e-13 and error < 1e-10


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-4), (np.float64, 1e-12)])
@pytest.mark.parametrize("oriented", [False, True])
def test_law_orbit_distances_are_zero_on_orbits_and_positive_off_them(dtype, small, oriented):
    x = RNG.normal(size=(NUM, 6, 4))
    turns = np.linalg.qr(RNG.normal(size=(NUM, 4, 4)))[0]
    turns[:, :, 0] *= np.linalg.det(turns)[:, None]
    distance = jax.jit(jax.vmap(lambda x, y, eta: orbit_distance(x, y, eta, oriented=oriented), (0, 0, None)))
    mirror = np.diag([1.0, 1.0, 1.0, -1.0])
    for g, eta in ((turns, np.eye(4)), (boosts(NUM), ETA)):
        y = x @ np.swapaxes(g, 1, 2)
        x32, y32, eta32 = x.astype(dtype), y.astype(dtype), eta.astype(dtype)
        scale = np.linalg.norm(y, axis=(1, 2)) ** 2
        assert np.all(distance(x32, y32, eta32) < small * scale)
        assert np.all(distance(x32, x32 + dtype(0.1), eta32) > 0.01)
        mirrored = np.asarray(distance(x32, (y @ mirror).astype(dtype), eta32))
        assert np.all(mirrored > 0.01) if oriented else np.all(mirrored < small * scale)
        first = distance(x, x + 0.1, eta)
        np.testing.assert_allclose(distance(7 * x, 7 * (x + 0.1), eta), 49 * first, rtol=1e-12)


def test_matches_the_gram_matrices_and_determinants_of_numpy():
    x, y = RNG.normal(size=(2, 3, 2))
    gram = np.linalg.norm(x @ x.T - y @ y.T)
    np.testing.assert_allclose(orbit_distance(x, y), gram, rtol=1e-13)
    minors = [np.linalg.det(x[[i, j]]) - np.linalg.det(y[[i, j]]) for i in range(3) for j in range(i)]
    want = np.hypot(gram, np.linalg.norm(minors))
    np.testing.assert_allclose(orbit_distance(x, y, oriented=True), want, rtol=1e-13)


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="matrix has shape"):
        lift_to_group(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="eta has shape"):
        lift_to_group(jnp.eye(2), jnp.eye(3))
    with pytest.raises(ValueError, match="y has shape"):
        orbit_distance(jnp.ones((2, 3)), jnp.ones((3, 3)))
    with pytest.raises(ValueError, match="determinants; expected"):
        orbit_distance(jnp.ones((200, 4)), jnp.ones((200, 4)), oriented=True)
