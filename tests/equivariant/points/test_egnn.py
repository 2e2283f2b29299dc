"""EGNN: motions of space of any dimension, orders of the points, padding, and what its equations say directly."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.equivariant import egnn_init, egnn_layer

RNG = np.random.default_rng(0)
N, C, E = 5, 3, 2
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
layer = jax.jit(egnn_layer)


def parameters(dtype=np.float64, scale=1.0):
    theta = egnn_init(C, width=4, attributes=E, velocity=True, key=jax.random.key(0))
    theta["shift"]["w2"] = theta["shift"]["w2"] * 100 * scale  # large enough for the points to move
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), theta)


def motion(d):
    turn = np.linalg.qr(RNG.normal(size=(d, d)))[0]
    return turn, RNG.normal(size=d)


def data(d, dtype=np.float64):
    h, x, v = RNG.normal(size=(N, C)), RNG.normal(size=(N, d)), RNG.normal(size=(N, d))
    edges, attributes = RNG.uniform(size=(N, N)), RNG.normal(size=(N, N, E))
    return tuple(a.astype(dtype) for a in (h, x, v, edges, attributes))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_law_motions_and_orders_commute_with_the_layer(d, dtype):
    theta, tolerance = parameters(dtype), TOLERANCE[dtype]
    h, x, v, edges, attributes = data(d, dtype)
    want = layer(theta, h, x, edges=edges, attributes=attributes, v=v)
    assert np.max(np.abs(want[1] - x)) > 0.1
    for _ in range(8):
        turn, shift = motion(d)
        perm = RNG.permutation(N)
        moved = ((x @ turn.T + shift)[perm]).astype(dtype), (v @ turn.T)[perm].astype(dtype)
        pairs = edges[np.ix_(perm, perm)], attributes[np.ix_(perm, perm)]
        got = layer(theta, h[perm], moved[0], edges=pairs[0], attributes=pairs[1], v=moved[1])
        np.testing.assert_allclose(got[0], want[0][perm], atol=tolerance * 10, rtol=tolerance)
        np.testing.assert_allclose(
            got[1], (want[1] @ turn.T + shift)[perm], atol=tolerance * 10, rtol=tolerance
        )
        np.testing.assert_allclose(got[2], (want[2] @ turn.T)[perm], atol=tolerance * 10, rtol=tolerance)


def silu(x):
    return x / (1 + np.exp(-x))


def perceptron(part, x):
    return silu(x @ part["w1"] + part["b1"]) @ part["w2"] + part.get("b2", 0)


@pytest.mark.full
def test_matches_the_equations_point_by_point():
    theta = parameters()
    h, x, v, edges, attributes = data(3)
    edges = (edges > 0.4) * 1.0
    np.fill_diagonal(edges, 7)  # is not read
    got = layer(theta, h, x, edges=edges, attributes=attributes, v=v)
    degrees = [sum(edges[i, j] for j in range(N) if j != i) for i in range(N)]
    scale = sum(degrees) / sum(each**2 for each in degrees)
    for i in range(N):
        total, shift = np.zeros(4), np.zeros(3)
        for j in range(N):
            if j != i:
                inputs = np.concatenate([h[i], h[j], [np.sum((x[i] - x[j]) ** 2)], attributes[i, j]])
                message = perceptron(theta["message"], inputs)
                total += edges[i, j] * message
                shift += scale * edges[i, j] * (x[i] - x[j]) * perceptron(theta["shift"], message)
        velocity = perceptron(theta["velocity"], h[i]) * v[i] + shift
        want = h[i] + perceptron(theta["feature"], np.concatenate([h[i], total]))
        np.testing.assert_allclose(got[0][i], want, atol=1e-12)
        np.testing.assert_allclose(got[1][i], x[i] + velocity, atol=1e-12)
        np.testing.assert_allclose(got[2][i], velocity, atol=1e-12)
    still = layer(theta, h, x, edges=edges, attributes=attributes)
    np.testing.assert_allclose(still[1], x + got[2] - perceptron(theta["velocity"], h) * v, atol=1e-12)


@pytest.mark.full
def test_law_zero_coordinate_weights_leave_the_points():
    h, x, v, edges, attributes = data(3)
    h1, x1, _ = layer(parameters(scale=0.0), h, x, edges=edges, attributes=attributes, v=0 * v)
    np.testing.assert_array_equal(x1, x)
    assert np.max(np.abs(h1 - h)) > 0.1


@pytest.mark.full
def test_law_the_centre_stays_where_messages_back_and_forth_are_equal():
    theta = parameters()
    h, x, v, edges, attributes = data(3)
    # Equal features, edges and attributes: then m_ij = m_ji, and the shifts are antisymmetric.
    h, edges, attributes = np.ones_like(h), edges + edges.T, attributes + attributes.swapaxes(0, 1)
    moved = layer(theta, h, x, edges=edges, attributes=attributes, v=0 * v)[1]
    np.testing.assert_allclose(np.mean(moved, axis=0), np.mean(x, axis=0), atol=1e-14)
    assert np.max(np.abs(moved - x)) > 0.1
    lopsided = layer(theta, h, x, edges=np.triu(edges), attributes=attributes, v=0 * v)[1]
    assert np.max(np.abs(np.mean(lopsided - x, axis=0))) > 1e-3


@pytest.mark.full
def test_law_padding_changes_nothing():
    theta = parameters()
    h, x, v, edges, attributes = data(3)
    real = np.arange(N) < 3
    masked = edges * real[:, None] * real
    got = layer(theta, h, x, edges=masked, attributes=attributes, v=v)
    want = layer(theta, h[:3], x[:3], edges=edges[:3, :3], attributes=attributes[:3, :3], v=v[:3])
    for one, two in zip(got, want):
        np.testing.assert_allclose(one[:3], two, atol=1e-13)
    alone = layer(theta, h, x, edges=0 * edges, attributes=attributes, v=v)
    assert all(np.all(np.isfinite(each)) for each in alone)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_finite_at_coincident_points_and_without_edges(dtype):
    theta = parameters(dtype)
    h, x, v, edges, attributes = data(3, dtype)

    def total(x, edges):
        return sum(map(jnp.sum, egnn_layer(theta, h, x, edges=edges, attributes=attributes, v=v)))

    slope = jax.jit(jax.grad(total, argnums=(0, 1)))
    for points, weights in ((0 * x, edges), (x, 0 * edges), (0 * x, 0 * edges)):
        assert all(np.all(np.isfinite(each)) for each in slope(points, weights))


@pytest.mark.full
def test_a_symmetric_graph_is_split_by_noise_and_by_nothing_else():
    """A cycle of four points with equal features: an auto-encoder that starts in one point cannot tell them apart."""
    adjacency = np.roll(np.eye(4), 1, axis=0) + np.roll(np.eye(4), -1, axis=0)
    theta = egnn_init(1, width=8, attributes=1, key=jax.random.key(1))
    start = {"layer": theta, "steepness": np.float64(1), "threshold": np.float64(1)}
    rule = optax.adam(2e-2)

    def loss(theta, noise):
        h, x = egnn_layer(theta["layer"], jnp.ones((4, 1)), noise, attributes=adjacency[..., None])
        squares = jnp.sum(jnp.square(x[:, None] - x), axis=-1)
        logits = theta["steepness"] * (theta["threshold"] - squares)
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, adjacency) * (1 - np.eye(4))), (h, x)

    @jax.jit
    @jax.vmap
    def train(noise):
        def step(carry, _):
            theta, state = carry
            update, state = rule.update(jax.grad(loss, has_aux=True)(theta, noise)[0], state)
            return (optax.apply_updates(theta, update), state), None

        (theta, _), _ = jax.lax.scan(step, (start, rule.init(start)), length=800)
        return loss(theta, noise)

    values, (h, x) = train(np.concatenate([np.zeros((1, 4, 3)), 0.3 * RNG.normal(size=(8, 4, 3))]))
    np.testing.assert_array_equal(x[0], 0)
    np.testing.assert_allclose(h[0], h[0, :1].repeat(4, axis=0), rtol=1e-14)
    # All pairs look alike, two thirds of them are edges: no probability is better than 2 / 3.
    best = 0.75 * -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert values[0] >= best - 1e-6
    # From noise the points come apart, and from some of it every pair comes out right: one on the wrong side would be
    # two entries of sixteen, each of at least log 2.
    assert np.median(values[1:]) < best / 2
    assert np.min(values[1:]) < np.log(2) / 8


@pytest.mark.full
def test_edges_and_attributes_may_be_booleans_and_integers():
    theta = parameters(np.float32)
    h, x, v, edges, attributes = data(3, np.float32)
    edges, attributes = edges > 0.5, np.round(attributes).astype(int)
    got = layer(theta, h, x, edges=edges, attributes=attributes, v=v)
    want = layer(theta, h, x, edges=1.0 * edges, attributes=1.0 * attributes, v=v)
    for one, two in zip(got, want):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.full
def test_wrong_calls_say_what_to_do():
    theta = parameters()
    h, x, v, edges, attributes = data(3)
    with pytest.raises(ValueError, match=r"theta\['message'\] takes 9 numbers; expected 7"):
        egnn_layer(theta, h, x)
    with pytest.raises(ValueError, match="x has shape"):
        egnn_layer(theta, h, x[:4], attributes=attributes)
    with pytest.raises(ValueError, match="edges has shape"):
        egnn_layer(theta, h, x, edges=edges[:2], attributes=attributes)
    with pytest.raises(ValueError, match="expected a dict with 'message'"):
        egnn_layer({}, h, x)
    del theta["velocity"]
    with pytest.raises(ValueError, match="expected a dict with 'velocity'"):
        egnn_layer(theta, h, x, attributes=attributes, v=v)
    with pytest.raises(ValueError, match="width is 0"):
        egnn_init(3, width=0, key=jax.random.key(0))
