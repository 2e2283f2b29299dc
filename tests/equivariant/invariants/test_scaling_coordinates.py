"""Coordinates that motions leave alone: against scikit-learn's distances, on turned clouds, and where they fail."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import mds_coordinates

coordinates = jax.jit(mds_coordinates, static_argnums=1, static_argnames="scale")


def cloud(seed, n=12, d=3):
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, size=(n, d)) * np.array([1.0, 2.0, 4.0])[:d]


def orthogonal(rng, d, reflect):
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return q * np.array([-1 if (np.linalg.det(q) < 0) != reflect else 1, *[1] * (d - 1)])


def distances(x):
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


@pytest.mark.full
@pytest.mark.parametrize("dtype, tol", [(np.float64, 1e-11), (np.float32, 1e-3)])
@pytest.mark.parametrize("reflect", [False, True])
def test_law_no_motion_changes_them_and_permutations_permute_them(dtype, tol, reflect):
    rng = np.random.default_rng(0)
    for seed in range(8):
        x = cloud(seed)
        y = x @ orthogonal(rng, 3, reflect).T + 3 * rng.normal(size=3)
        order = rng.permutation(len(x))
        for unit in (1e-6, 1e6):
            ours, margin = coordinates(jnp.asarray(unit * x, dtype), 3)
            moved, _ = coordinates(jnp.asarray(unit * y[order], dtype), 3)
            assert ours.dtype == dtype and margin > 0.003
            np.testing.assert_allclose(moved, ours[order], atol=tol * unit / margin)
            a, _ = coordinates(jnp.asarray(unit * x, dtype), 3, scale=True)
            b, _ = coordinates(jnp.asarray(7 * y, dtype), 3, scale=True)
            np.testing.assert_allclose(a, b, atol=tol / margin)
            np.testing.assert_allclose(np.mean(np.sum(np.square(a), 1)), 1, rtol=tol)


def test_distances_are_kept_and_their_ratios_with_a_scale():
    x = cloud(3)
    ours, _ = coordinates(jnp.asarray(x), 3)
    np.testing.assert_allclose(distances(np.asarray(ours)), distances(x), atol=1e-12)
    scaled, _ = coordinates(jnp.asarray(x), 3, scale=True)
    ratio = distances(np.asarray(scaled))[~np.eye(12, dtype=bool)] / distances(x)[~np.eye(12, dtype=bool)]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)


@pytest.mark.full
def test_equals_classical_scaling_of_the_distances():
    x = cloud(4)
    centring = np.eye(12) - 1 / 12
    values, vectors = np.linalg.eigh(-centring @ np.square(distances(x)) @ centring / 2)
    expected = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :2]
    expected = expected * np.sign(np.sum(expected**3, axis=0))
    np.testing.assert_allclose(coordinates(jnp.asarray(x), 2)[0], expected, atol=1e-10)
    wide, _ = mds_coordinates(jnp.asarray(x), 5)
    assert wide.shape == (12, 5) and np.all(wide[:, 3:] == 0)


SYMMETRIC = {
    "two equal variances": np.array(list(itertools.product((0.0, 1.0, 5.0), repeat=2))),
    "a reflection": np.array([[-3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, -0.5], [0.0, -0.5]]),
    "a point reflection": np.array([[1.0, 4.0], [-1.0, -4.0], [2.0, 1.0], [-2.0, -1.0]]),
}


@pytest.mark.full
@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_clouds_are_where_it_fails_and_the_margin_says_so(name):
    x = SYMMETRIC[name]
    assert mds_coordinates(jnp.asarray(x), 2)[1] < 1e-12
    # An error of x moves the coordinates by no more than that error over the margin.
    rng = np.random.default_rng(1)
    for size in (0.01, 0.1):
        off = x + size * rng.gamma(1.0, size=x.shape)
        ours, margin = mds_coordinates(jnp.asarray(off), 2)
        nudged, _ = mds_coordinates(jnp.asarray(off + 1e-9 * rng.normal(size=x.shape)), 2)
        assert margin > 1e-5
        assert np.max(np.abs(nudged - ours)) < 1e-7 / margin


@pytest.mark.full
def test_points_in_a_plane_and_on_one_spot():
    flat = np.concatenate([cloud(5, d=2), np.zeros((12, 1))], 1)
    ours, margin = mds_coordinates(jnp.asarray(flat), 3)
    assert np.max(np.abs(ours[:, 2])) < 1e-12 and margin > 0.01
    spot, margin = mds_coordinates(jnp.ones((4, 2)), 2)
    assert np.all(spot == 0) and margin == np.inf
    slope = jax.grad(lambda x: jnp.sum(jnp.sin(mds_coordinates(x, 2)[0])))(jnp.ones((4, 2)))
    assert np.all(np.isfinite(slope))


def test_wrong_calls_say_what_to_mend():
    with pytest.raises(ValueError, match="rank"):
        mds_coordinates(jnp.ones(3), 2)
    with pytest.raises(ValueError, match="num is -1"):
        mds_coordinates(jnp.ones((3, 2)), -1)
