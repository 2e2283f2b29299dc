"""Weighted flags: planted spectra, invariance, angles, ranks along geodesics, and a kernel that is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import (
    embed_subspace,
    flag_from_covariance,
    flag_geodesic,
    flagfold_kernel,
    stratified_metric,
)

RNG = np.random.default_rng(0)
TURN = np.linalg.qr(RNG.normal(size=(4, 4)))[0]


def frame(n, d):
    return jnp.asarray(np.linalg.qr(RNG.normal(size=(n, d)))[0])


def test_planted_flag_and_weights_are_recovered():
    weights = np.asarray([5.0, 2.0, 2.0, 0.5])
    flag = flag_from_covariance(TURN @ np.diag(weights) @ TURN.T)
    np.testing.assert_allclose(flag.weights, weights, rtol=1e-13)
    np.testing.assert_array_equal(flag.levels, [True, False, True])
    for k in (1, 3):
        np.testing.assert_allclose(
            embed_subspace(flag.vectors[:, :k]), TURN[:, :k] @ TURN[:, :k].T, atol=1e-13
        )


def test_law_metric_is_invariant_and_measures_turns_and_weights():
    s = TURN @ np.diag([4.0, 3.0, 1.0, 0.5]) @ TURN.T
    u, v = (a + a.T for a in RNG.normal(size=(2, 4, 4)))
    q = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    moved = (q @ a @ q.T for a in (s, u, v))
    np.testing.assert_allclose(stratified_metric(*moved), stratified_metric(s, u, v), rtol=1e-11)
    np.testing.assert_allclose(stratified_metric(s, s, s), np.sum(np.square([4, 3, 1, 0.5])), rtol=1e-12)
    a = RNG.normal(size=(4, 4))
    a = a - a.T
    spin = a @ s - s @ a
    np.testing.assert_allclose(stratified_metric(s, spin, spin), np.sum(a**2) / 2, rtol=1e-12)


@pytest.mark.parametrize("p, q", [(2, 2), (1, 2), (3, 1)])
def test_law_speed_is_constant_and_measures_principal_angles(p, q):
    """Between subspaces of one dimension the length is the distance on the Grassmannian, from scipy's angles."""
    x, y = frame(4, p), frame(4, q)
    want = np.sum(scipy.linalg.subspace_angles(np.asarray(x), np.asarray(y)) ** 2) + abs(p - q)

    @jax.jit
    def at(t):
        s, velocity = jax.jvp(lambda t: flag_geodesic(x, y, t), (t,), (1.0,))
        return s, flag_geodesic(y, x, 1 - t), stratified_metric(s, velocity, velocity)

    for t in (0.2, 0.7):
        np.testing.assert_allclose(at(t)[2], want, rtol=1e-10)
    np.testing.assert_allclose(at(0.0)[0], embed_subspace(x), atol=1e-13)
    np.testing.assert_allclose(at(1.0)[0], embed_subspace(y), atol=1e-13)
    there, back, _ = at(0.3)
    np.testing.assert_allclose(there, back, atol=1e-13)


@pytest.mark.parametrize("p, q", [(1, 2), (2, 2), (3, 2)])
def test_derivatives_in_frames_of_two_dimensions_match_differences(p, q):
    """A complete set of singular vectors, which has no derivative, was asked for where the dimensions differ."""
    rng = np.random.default_rng(7)
    x, y = (np.linalg.qr(rng.normal(size=(5, d)))[0] for d in (p, q))
    u, v, weights = (rng.normal(size=shape) for shape in (x.shape, y.shape, (5, 5)))

    @jax.jit
    def along(s):
        # Frames stay orthonormal on the way: the formula is only for such.
        frames = (jnp.linalg.qr(frame + s * change)[0] for frame, change in ((x, u), (y, v)))
        return jnp.vdot(weights, flag_geodesic(*frames, 0.3))

    step = 1e-5
    want = (along(step) - along(-step)) / (2 * step)
    np.testing.assert_allclose(jax.jit(jax.grad(along))(0.0), want, rtol=1e-7)


def test_no_higher_rank_on_the_way_from_a_line_to_a_plane():
    line, plane = frame(4, 1), frame(4, 2)
    for t in (0.1, 0.5, 0.9):
        between = np.linalg.eigvalsh(flag_geodesic(line, plane, t))
        straight = np.linalg.eigvalsh((1 - t) * embed_subspace(line) + t * embed_subspace(plane))
        assert np.sum(between > 1e-12) == 2 and np.sum(straight > 1e-12) == 3
    equal = flag_geodesic(plane, plane, 0.5)
    np.testing.assert_allclose(equal, embed_subspace(plane), atol=1e-14)


def shape(rank, seed):
    rng = np.random.default_rng(seed)
    flags = jnp.stack(
        [embed_subspace(jnp.asarray(np.linalg.qr(rng.normal(size=(3, rank)))[0])) for _ in range(4)]
    )
    return jnp.asarray(rng.normal(size=(4, 3))), flags, jnp.asarray(rng.uniform(size=4))


def test_law_kernel_is_positive_and_invariant():
    shapes = [shape(rank, seed) for seed, rank in enumerate((1, 1, 2, 2, 3))]
    kernel = jax.jit(lambda *shapes: flagfold_kernel(*shapes, width=0.8))
    gram = np.asarray([[kernel(*a, *b) for b in shapes] for a in shapes])
    np.testing.assert_allclose(gram, gram.T, rtol=1e-13)
    assert np.linalg.eigvalsh(gram)[0] > 1e-6
    q = jnp.asarray(np.linalg.qr(RNG.normal(size=(3, 3)))[0])
    moved = [(x @ q.T + 1, q @ s @ q.T, a) for x, s, a in shapes[:2]]
    np.testing.assert_allclose(kernel(*moved[0], *moved[1]), gram[0, 1], rtol=1e-12)


def test_lines_are_varifolds():
    (x, s, a), (y, r, b) = shape(1, 0), shape(1, 1)
    want = 0.0
    for i in range(4):
        for j in range(4):
            near = np.exp(-np.sum((x[i] - y[j]) ** 2) / 2)
            one, other = (np.linalg.eigh(m)[1][:, -1] for m in (s[i], r[j]))
            want += a[i] * b[j] * near * (one @ other) ** 2
    np.testing.assert_allclose(flagfold_kernel(x, s, a, y, r, b, width=1.0), want, rtol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="flag_geodesic: y has shape"):
        flag_geodesic(frame(4, 1), frame(3, 1), 0.5)
    with pytest.raises(ValueError, match="stratified_metric: u has shape"):
        stratified_metric(jnp.eye(2), jnp.eye(3), jnp.eye(3))
    assert jnp.all(jnp.isnan(flag_from_covariance(jnp.full((2, 2), jnp.nan)).weights))
