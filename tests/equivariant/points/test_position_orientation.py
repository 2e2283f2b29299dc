"""Pairs of positions and orientations up to motions, and the convolution on the grid of an icosahedron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import (
    position_orientation_conv,
    position_orientation_init,
    position_orientation_invariants,
)

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
NUM, C, K = 4, 2, 3
GOLD = (1 + np.sqrt(5)) / 2
CORNERS = np.asarray(
    [row for a in (1, -1) for b in (GOLD, -GOLD) for row in ((0, a, b), (a, b, 0), (b, 0, a))]
) / np.hypot(1, GOLD)
invariants = jax.jit(position_orientation_invariants)
conv = jax.jit(position_orientation_conv)


def units(*shape):
    x = RNG.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pair(d):
    return RNG.normal(size=d), units(d), RNG.normal(size=d), units(d)


def motion(d):
    turn = np.linalg.qr(RNG.normal(size=(d, d)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return turn, RNG.normal(size=d)


def moved(points, turn, shift):
    p, n, q, m = points
    return turn @ p + shift, turn @ n, turn @ q + shift, turn @ m


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [2, 3])
def test_law_motions_leave_the_invariants(d, dtype):
    for scale in (1.0, 1e-20, 1e15):
        for _ in range(8):
            p, n, q, m = pair(d)
            points = scale * p, n, scale * q, m
            turn, shift = motion(d)
            there = moved(points, turn, scale * shift)
            want = invariants(*(each.astype(dtype) for each in points))
            got = invariants(*(each.astype(dtype) for each in there))
            np.testing.assert_allclose(got[2], want[2], atol=TOLERANCE[dtype])
            np.testing.assert_allclose(
                np.delete(got, 2), np.delete(want, 2), atol=5 * scale * TOLERANCE[dtype]
            )


@pytest.mark.full
def test_law_the_invariants_are_complete():
    """As many independent numbers as a pair has beyond motions: 10 - 6 in space, 6 - 3 in the plane."""

    def of_angles(z, d):
        if d == 2:
            n, m = ((jnp.cos(t), jnp.sin(t)) for t in z[4:])
            return position_orientation_invariants(z[:2], jnp.stack(n), z[2:4], jnp.stack(m))
        s, t = z[6:8], z[8:]
        n, m = ((jnp.cos(a) * jnp.sin(b), jnp.sin(a) * jnp.sin(b), jnp.cos(b)) for a, b in (s, t))
        return position_orientation_invariants(z[:3], jnp.stack(n), z[3:6], jnp.stack(m))

    for d, rank, size in ((2, 3, 6), (3, 4, 10)):
        slope = jax.jacfwd(lambda z, d=d: of_angles(z, d))(RNG.normal(size=size))
        assert np.linalg.matrix_rank(slope, tol=1e-6) == rank
        if d == 3:
            assert np.linalg.matrix_rank(slope[:3], tol=1e-6) == 3


def frame(p, n, q, m):
    """An orthonormal frame that moves with the pair."""
    beside = (q - p) - n * (n @ (q - p))
    beside = beside / np.linalg.norm(beside)
    return np.stack([n, beside, np.cross(n, beside)], axis=1)


def test_three_numbers_coincide_on_pairs_that_no_motion_joins_and_the_fourth_tells_them_apart():
    x, y, z = np.eye(3)
    one, two = (0 * x, z, x + z, x), (0 * x, z, x + z, y)  # m along the way to q, and across it
    a, b = invariants(*one), invariants(*two)
    np.testing.assert_allclose(a[:3], b[:3], atol=1e-15)
    assert abs(a[3] - b[3]) == 1


@pytest.mark.full
def test_law_equal_invariants_give_a_motion_that_joins_the_pairs():
    for _ in range(8):
        one = pair(3)
        turn, shift = motion(3)
        p, n, q, m = moved(one, turn, shift)
        plane = frame(p, n, q, m)[:, :2]
        mirrored = 2 * plane @ (plane.T @ m) - m  # m reflected in the plane of n and D
        for two in ((p, n, q, m), (p, n, q, mirrored)):
            np.testing.assert_allclose(invariants(*one), invariants(*two), atol=1e-12)
            sides = [np.sign(np.cross(n, m) @ (q - p)) for p, n, q, m in (one, two)]
            flip = np.diag([1.0, 1.0, sides[0] * sides[1]])
            found = frame(*two) @ flip @ frame(*one).T
            there = moved(one, found, two[0] - found @ one[0])
            for got, want in zip(there, two):
                np.testing.assert_allclose(got, want, atol=1e-12)


def parameters(d, dtype):
    theta = position_orientation_init(C, K, width=4, dimension=d, key=jax.random.key(0))
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), theta)


def of_the_icosahedron():
    """Its 60 rotations, found by where two neighbouring corners go, and the permutations of its corners."""
    near = 1 / np.sqrt(5)
    first = CORNERS[0]
    second = CORNERS[np.argmin(np.abs(CORNERS @ first - near))]
    edges = [(a, b) for a in CORNERS for b in CORNERS if abs(a @ b - near) < 1e-9]
    rigid = lambda a, b: np.stack([a, b, np.cross(a, b)], axis=1)
    turns = [rigid(a, b) @ np.linalg.inv(rigid(first, second)) for a, b in edges]
    return [(turn, np.argmax(CORNERS @ turn.T @ CORNERS.T, axis=1)) for turn in turns]


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_rotations_of_the_icosahedron_permute_the_features(dtype):
    theta = parameters(3, dtype)
    f, x = RNG.normal(size=(NUM, 12, C)), RNG.normal(size=(NUM, 3))
    grid = CORNERS.astype(dtype)
    want = np.asarray(conv(theta, f.astype(dtype), x.astype(dtype), grid))
    group = of_the_icosahedron()
    assert len(group) == 60
    for turn, places in group[::6]:
        np.testing.assert_allclose(CORNERS[places], CORNERS @ turn.T, atol=1e-12)
        order = RNG.permutation(NUM)
        turned, expected = np.zeros_like(f), np.zeros_like(want)
        turned[:, places], expected[:, places] = f, want
        points = (x @ turn.T + 3)[order]
        got = conv(theta, turned[order].astype(dtype), points.astype(dtype), grid)
        np.testing.assert_allclose(got, expected[order], atol=10 * TOLERANCE[dtype])


@pytest.mark.full
@pytest.mark.parametrize("d", [2, 3])
def test_law_motions_of_points_and_grid_together_change_nothing(d):
    theta = parameters(d, np.float64)
    f, x = RNG.normal(size=(NUM, 12, C)), RNG.normal(size=(NUM, d))
    grid = units(12, d)
    want = conv(theta, f, x, grid)
    turn, shift = motion(d)
    np.testing.assert_allclose(conv(theta, f, x @ turn.T + shift, grid @ turn.T), want, atol=1e-12)
    mirror = np.diag([-1.0] + [1.0] * (d - 1))
    apart = np.max(np.abs(conv(theta, f, x @ mirror, grid @ mirror) - want))
    assert apart < 1e-12 if d == 3 else apart > 1e-3


@pytest.mark.full
def test_matches_the_sums_point_by_point():
    theta = parameters(3, np.float64)
    f, x, grid = RNG.normal(size=(NUM, 12, C)), RNG.normal(size=(NUM, 3)), units(12, 3)
    edges = RNG.uniform(size=(NUM, NUM))
    silu = lambda t: t / (1 + np.exp(-t))

    def kernel(name, *numbers):
        part = theta[name]
        return silu(np.asarray(numbers) @ part["w1"] + part["b1"]) @ part["w2"] + part["b2"]

    along = np.zeros_like(f)
    for i in range(NUM):
        for o in range(12):
            for j in range(NUM):
                ahead, beside, *_ = invariants(x[i], grid[o], x[j], grid[o])
                along[i, o] += edges[i, j] * kernel("spatial", ahead, beside) * f[j, o]
    around = [
        np.mean([kernel("spherical", grid[o] @ grid[p]) * along[:, p] for p in range(12)], 0)
        for o in range(12)
    ]
    want = np.stack(around, axis=1) @ theta["channels"]["w"] + theta["channels"]["b"]
    np.testing.assert_allclose(conv(theta, f, x, grid, edges=edges), want, atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_finite_at_coincident_points(dtype):
    theta = parameters(3, dtype)
    f, grid = RNG.normal(size=(NUM, 12, C)).astype(dtype), CORNERS.astype(dtype)
    slope = jax.jit(jax.grad(lambda x: jnp.sum(position_orientation_conv(theta, f, x, grid) ** 2)))
    for x in (np.zeros((NUM, 3), dtype), np.outer(np.arange(NUM), grid[0]).astype(dtype)):
        assert np.all(np.isfinite(slope(x)))


@pytest.mark.full
def test_wrong_calls_say_what_to_do():
    x = jnp.ones(4)
    with pytest.raises(ValueError, match="p has dimension 4; expected 2 or 3"):
        position_orientation_invariants(x, x, x, x)
    with pytest.raises(ValueError, match=r"q has shape \[2\]"):
        position_orientation_invariants(x[:3], x[:3], x[:2], x[:3])
    theta = parameters(2, np.float64)
    with pytest.raises(ValueError, match=r"theta\['spherical'\] takes 2 numbers; expected 1"):
        position_orientation_conv(theta, jnp.ones((1, 12, C)), jnp.ones((1, 3)), jnp.asarray(CORNERS))
    with pytest.raises(ValueError, match="the layer has dimension 5"):
        position_orientation_init(C, K, width=4, dimension=5, key=jax.random.key(0))
