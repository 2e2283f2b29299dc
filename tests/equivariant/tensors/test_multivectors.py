"""Geometric products against structure constants, quaternions and rotations; attention under rotations and orders."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geojax.equivariant import geometric_attention, geometric_attention_init, geometric_product

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
SIGNATURES = [(1, 1, 1), (1, -1, -1, -1), (0, 1, 1)]
product = jax.jit(geometric_product, static_argnames="signature")
attention = jax.jit(geometric_attention)


def blade_product(a, b, signature):
    """Two products of basis vectors, as lists that are sorted by exchanges of neighbours: sign, and the list."""
    word, sign = [*a, *b], 1
    for end in range(len(word), 0, -1):
        for i in range(end - 1):
            if word[i] > word[i + 1]:
                word[i], word[i + 1], sign = word[i + 1], word[i], -sign
    left = []
    for each in word:
        if left and left[-1] == each:
            left.pop()
            sign *= signature[each]
        else:
            left.append(each)
    return sign, left


def dense(signature):
    """Structure constants [A, B, C]."""
    n = len(signature)
    words = [[i for i in range(n) if place >> i & 1] for place in range(2**n)]
    table = np.zeros((2**n,) * 3)
    for a, b in itertools.product(range(2**n), repeat=2):
        sign, word = blade_product(words[a], words[b], signature)
        table[a, b, sum(2**i for i in word)] = sign
    return table


@pytest.mark.parametrize("signature", SIGNATURES)
def test_matches_the_dense_structure_constants(signature):
    table, size = dense(signature), 2 ** len(signature)
    a, b, c = RNG.normal(size=(3, size))
    for dtype in (np.float32, np.float64):
        got = product(a.astype(dtype), b.astype(dtype), signature=signature)
        np.testing.assert_allclose(got, np.einsum("a,b,abc->c", a, b, table), atol=TOLERANCE[dtype])
    two = lambda x, y: product(x, y, signature=signature)
    np.testing.assert_allclose(two(two(a, b), c), two(a, two(b, c)), atol=1e-12)
    for i, square in enumerate(signature):
        e = np.eye(size)[2**i]
        np.testing.assert_array_equal(two(e, e), square * np.eye(size)[0])


@pytest.mark.full
def test_matches_quaternions_and_rotations():
    """1, e_2 e_1, e_0 e_2, e_1 e_0 multiply as the quaternions 1, k, j, i do; R v R~ is the rotation."""
    turns = Rotation.random(4, rng=np.random.default_rng(1))

    def rotor(quaternion):
        x, y, z, w = quaternion
        return np.asarray([w, 0, 0, -z, 0, y, -x, 0])

    for one, two in itertools.pairwise(turns):
        both = rotor((one * two).as_quat())
        got = np.asarray(product(rotor(one.as_quat()), rotor(two.as_quat()), signature=(1, 1, 1)))
        np.testing.assert_allclose(got * np.sign(got[0] * both[0]), both, atol=1e-14)
        v = RNG.normal(size=3)
        vector = np.zeros(8)
        vector[[1, 2, 4]] = v
        r = rotor(one.as_quat())
        reverse = r * np.asarray([1, 1, 1, -1, 1, -1, -1, -1])
        turned = np.asarray(product(product(r, vector, signature=(1, 1, 1)), reverse, signature=(1, 1, 1)))
        np.testing.assert_allclose(turned[[1, 2, 4]], one.apply(v), atol=1e-14)
        np.testing.assert_allclose(np.delete(turned, [1, 2, 4]), 0, atol=1e-15)


def parameters(order, dtype=np.float64):
    theta = geometric_attention_init(2, width=4, order=order, key=jax.random.key(0))
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), theta)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [2, 3])
def test_law_rotations_turn_the_vectors_and_leave_the_values(order, dtype):
    theta = parameters(order, dtype)
    points, values = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2)).astype(dtype)
    weights = RNG.uniform(size=4).astype(dtype)
    want = attention(theta, points.astype(dtype), values, weights=weights)
    assert np.max(np.abs(want[1])) > 0.1
    for turn in Rotation.random(8, rng=np.random.default_rng(1)):
        perm = RNG.permutation(4)
        turned = turn.apply(points)[perm].astype(dtype)
        got = attention(theta, turned, values[perm], weights=weights[perm])
        np.testing.assert_allclose(got[0], want[0][perm], atol=10 * TOLERANCE[dtype])
        np.testing.assert_allclose(got[1], turn.apply(np.array(want[1]))[perm], atol=10 * TOLERANCE[dtype])


def perceptron(part, x):
    hidden = x @ part["w1"] + part["b1"]
    return hidden / (1 + np.exp(-hidden)) @ part["w2"] + part["b2"]


@pytest.mark.full
@pytest.mark.parametrize("order", [2, 3])
def test_matches_vector_algebra_point_by_point(order):
    """Dot, cross and triple products in the place of geometric ones."""
    theta = parameters(order)
    r, values, weights = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2)), RNG.uniform(size=4)
    got = attention(theta, r, values, weights=weights)
    for i in range(4):
        shares, new, vectors = [], [], []
        for rest in itertools.product(range(4), repeat=order - 1):
            places = (i, *rest)
            if order == 2:
                made = np.cross(*r[list(places)])
                numbers = [r[i] @ r[rest[0]], np.linalg.norm(made)]
            else:
                a, b, c = r[list(places)]
                made = (a @ b) * c - (a @ c) * b + (b @ c) * a
                numbers = [np.linalg.norm(made), a @ np.cross(b, c)]
            message = perceptron(theta["message"], np.concatenate([numbers, *values[list(places)]]))
            score, value, factors = np.split(perceptron(theta["heads"], message), [1, 3])
            shares.append(np.prod(weights[list(rest)]) * np.exp(score[0]))
            new.append(value)
            vectors.append(factors @ np.stack([*r[list(places)], made]))
        np.testing.assert_allclose(got[0][i], np.average(new, axis=0, weights=shares), atol=1e-12)
        np.testing.assert_allclose(got[1][i], np.average(vectors, axis=0, weights=shares), atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [2, 3])
def test_padding_and_degenerate_points(order, dtype):
    theta = parameters(order, dtype)
    points, values = RNG.normal(size=(4, 3)).astype(dtype), RNG.normal(size=(4, 2)).astype(dtype)
    padded = attention(theta, points, values, weights=np.asarray([1, 1, 0, 0]))
    assert padded[0].dtype == padded[1].dtype == dtype
    alone = attention(theta, points[:2], values[:2])
    for got, want in zip(padded, alone):
        np.testing.assert_allclose(got[:2], want, atol=TOLERANCE[dtype])
    nobody = attention(theta, points, values, weights=np.zeros(4, dtype))
    assert not np.any(nobody[0]) and not np.any(nobody[1])

    def total(points):
        return sum(jnp.sum(each**2) for each in geometric_attention(theta, points, values))

    slope = jax.jit(jax.grad(total))
    for place in (np.zeros((4, 3), dtype), np.ones((4, 3), dtype), np.outer(np.arange(4), points[0])):
        assert np.all(np.isfinite(slope(place.astype(dtype))))


@pytest.mark.full
def test_wrong_calls_say_what_to_do():
    with pytest.raises(ValueError, match=r"b has shape \[4\]; expected \[8\]"):
        geometric_product(jnp.ones(8), jnp.ones(4), signature=(1, 1, 1))
    with pytest.raises(ValueError, match="squares that are 1, 0 or -1"):
        geometric_product(jnp.ones(2), jnp.ones(2), signature=(2,))
    with pytest.raises(ValueError, match="order is 4; expected 2 or 3"):
        geometric_attention_init(1, width=2, order=4, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"theta\['heads'\] is not made for 4 features"):
        geometric_attention(parameters(2), jnp.ones((4, 3)), jnp.ones((4, 4)))
