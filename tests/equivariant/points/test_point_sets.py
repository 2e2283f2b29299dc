"""Groups within a radius by brute force, features of groups under orders, shifts and padding, and interpolation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from geojax.equivariant import ball_query, interpolate_features, set_abstraction, set_abstraction_init

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
N, M, NUM, C, K = 12, 4, 5, 2, 3
query = jax.jit(ball_query, static_argnums=3)
abstraction = jax.jit(set_abstraction, static_argnames=("num_centers", "num"))
interpolate = jax.jit(interpolate_features)


def parameters(dtype=np.float64):
    theta = set_abstraction_init(C, K, width=4, key=jax.random.key(0))
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), theta)


def abstract(theta, x, features, radius=1.5, num=NUM, **options):
    return abstraction(theta, x, features, num_centers=M, radius=radius, num=num, **options)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_brute_force(dtype):
    x, centers = RNG.normal(size=(N, 3)).astype(dtype), RNG.normal(size=(M, 3)).astype(dtype)
    mask = np.arange(N) % 3 != 0
    for radius, real in itertools.product((0.0, 1.0, 2.0, 1e9), (mask, np.ones(N, bool))):
        indices, distances = map(np.asarray, query(x, centers, radius, NUM, mask=real))
        assert distances.dtype == dtype
        table = cdist(centers, x)
        for i in range(M):
            inside = [j for j in np.argsort(table[i]) if real[j] and table[i, j] <= radius][:NUM]
            np.testing.assert_array_equal(indices[i, : len(inside)], inside)
            np.testing.assert_allclose(distances[i, : len(inside)], table[i, inside], rtol=TOLERANCE[dtype])
            assert np.all(np.isinf(distances[i, len(inside) :]))
            assert not inside or np.all(indices[i, len(inside) :] == inside[0])


@pytest.mark.full
def test_law_the_centres_cover_within_twice_the_best():
    for _ in range(4):
        x = RNG.normal(size=(N, 3))
        centers, _ = abstract(parameters(), x, np.ones((N, C)))
        table = cdist(x, x)
        best = min(np.max(np.min(table[:, c], axis=1)) for c in itertools.combinations(range(N), M))
        assert np.max(np.min(cdist(x, centers), axis=1)) <= 2 * best


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_orders_shifts_and_padding(dtype):
    theta = parameters(dtype)
    x, features = RNG.normal(size=(N, 3)).astype(dtype), RNG.normal(size=(N, C)).astype(dtype)
    centers, want = abstract(theta, x, features)
    assert np.max(np.abs(want)) > 0.1
    perm, shift = RNG.permutation(N), np.asarray([1, -2, 3], dtype)
    there, got = abstract(theta, x[perm] + shift, features[perm])
    np.testing.assert_allclose(there, centers + shift, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(got, want, atol=10 * TOLERANCE[dtype])
    # Units of length: the radius goes with the points.
    np.testing.assert_allclose(
        abstract(theta, 1000 * x, features, radius=1500.0)[1], want, atol=10 * TOLERANCE[dtype]
    )
    mask = np.arange(N) < 7
    rubbish = np.where(mask[:, None], x, 50)
    padded = abstract(theta, rubbish, features, mask=mask)
    alone = abstract(theta, x[:7], features[:7])
    for one, two in zip(padded, alone):
        np.testing.assert_allclose(one, two, atol=TOLERANCE[dtype])
    few = abstract(theta, rubbish, features, mask=np.arange(N) < 2)
    assert set(map(tuple, np.asarray(few[0]))) == set(map(tuple, x[:2]))
    assert not np.any(abstract(theta, x, features, mask=np.zeros(N, bool))[1])


@pytest.mark.full
def test_matches_the_largest_value_group_by_group():
    theta = parameters()
    x, features = RNG.normal(size=(N, 3)), RNG.normal(size=(N, C))
    centers, got = map(np.asarray, abstract(theta, x, features))
    part = theta["point"]
    for center, row in zip(centers, got):
        distances = np.linalg.norm(x - center, axis=1)
        inside = [j for j in np.argsort(distances) if distances[j] <= 1.5][:NUM]
        hidden = np.concatenate([(x[inside] - center) / 1.5, features[inside]], axis=1) @ part["w1"]
        values = hidden / (1 + np.exp(-hidden)) @ part["w2"]
        np.testing.assert_allclose(row, np.max(values, axis=0), atol=1e-12)


@pytest.mark.full
def test_law_several_radii_change_less_when_points_are_dropped():
    """Half of the points are taken away: features of one small radius change more than those of two radii."""
    theta, single, several = parameters(), [], []
    for _ in range(16):
        x, features = RNG.normal(size=(N, 3)), np.ones((N, C))
        centers, _ = abstract(theta, x, features)
        chosen = cdist(centers, x).argmin(axis=1)
        kept = np.isin(np.arange(N), chosen) | (RNG.uniform(size=N) < 0.5)
        changes = []
        for radius in (1.0, 4.0):
            before, after = (
                np.asarray(abstract(theta, x, features, radius=radius, num=N, mask=mask)[1])
                for mask in (np.ones(N, bool), kept)
            )
            order = lambda rows: rows[np.lexsort(rows.T)]  # centres may be chosen in another order
            changes.append([np.sum((order(after) - order(before)) ** 2), np.sum(before**2)])
        single.append(np.sqrt(changes[0][0] / changes[0][1]))
        several.append(np.sqrt((changes[0][0] + changes[1][0]) / (changes[0][1] + changes[1][1])))
    assert np.mean(several) < np.mean(single)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_interpolation(dtype):
    x, centers = RNG.normal(size=(N, 3)).astype(dtype), RNG.normal(size=(M, 3)).astype(dtype)
    features = RNG.normal(size=(M, K)).astype(dtype)
    np.testing.assert_allclose(interpolate(x, centers, np.ones_like(features)), 1, rtol=TOLERANCE[dtype])
    got = interpolate(x, centers, features)
    for p, row in zip(x.astype(float), np.asarray(got)):
        near = np.argsort(np.linalg.norm(p - centers, axis=1))[:3]
        weights = 1 / np.sum((p - centers[near]) ** 2, axis=1)
        np.testing.assert_allclose(
            row, np.average(features[near], axis=0, weights=weights), atol=1e2 * TOLERANCE[dtype]
        )
    scaled = [(1e-15 * each).astype(dtype) for each in (x, centers)]
    np.testing.assert_allclose(interpolate(*scaled, features), got, atol=1e2 * TOLERANCE[dtype])
    np.testing.assert_allclose(interpolate(centers, centers, features), features, rtol=1e-6)
    twice = np.stack([centers[0], centers[0], centers[1]])
    np.testing.assert_allclose(
        interpolate(centers[:1], twice, features[:3])[0], features[:2].mean(axis=0), rtol=1e-6
    )
    assert interpolate(x, centers[:2], features[:2]).shape == (N, K)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_finite_at_coincident_points(dtype):
    theta, features = parameters(dtype), RNG.normal(size=(N, C)).astype(dtype)
    x = RNG.normal(size=(N, 3)).astype(dtype)

    def total(x):
        centers, values = set_abstraction(theta, x, features, num_centers=M, radius=1.5, num=NUM)
        back = interpolate_features(x, centers, values)
        distances = ball_query(x, centers, 1.5, NUM)[1]
        return jnp.sum(back**2) + jnp.sum(jnp.where(distances < jnp.inf, distances, 0))

    slope = jax.jit(jax.grad(total))
    for points in (x, 0 * x, np.repeat(x[:4], 3, axis=0)):
        assert np.all(np.isfinite(slope(points)))


@pytest.mark.full
def test_wrong_calls_say_what_to_do():
    x = jnp.ones((N, 3))
    with pytest.raises(ValueError, match="num is 13; expected at most the number of points, 12"):
        ball_query(x, x, 1.0, 13)
    with pytest.raises(TypeError, match="mask has dtype float64; expected booleans"):
        ball_query(x, x, 1.0, 2, mask=jnp.ones(N))
    with pytest.raises(ValueError, match="num_centers is 13"):
        set_abstraction(parameters(), x, jnp.ones((N, C)), num_centers=13, radius=1.0, num=2)
    with pytest.raises(ValueError, match=r"theta\['point'\] takes 5 numbers; expected 4"):
        set_abstraction(parameters(), x, jnp.ones((N, 1)), num_centers=2, radius=1.0, num=2)
    with pytest.raises(ValueError, match="centers is empty"):
        interpolate_features(x, x[:0], jnp.ones((0, 2)))
