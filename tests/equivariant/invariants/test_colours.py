"""Colours of geometric graphs: chains, stars and mirror images that the two tests tell apart, or cannot."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import geometric_hash

STEPS = 4


@functools.partial(jax.jit, static_argnames=("num_steps", "propagate", "chiral", "num"))
def colours(x, edges, features=None, num_steps=STEPS, **options):
    return geometric_hash(x, edges, features, num_steps=num_steps, **options)


def both_ways(pairs):
    pairs = np.array(pairs)
    return np.concatenate([pairs, pairs[:, ::-1]])


def chain(k, side, d=2):
    """A row of k nodes with a bent end at each side; the second end may be bent the other way."""
    x = np.zeros((k + 2, d))
    x[:k, 0] = np.arange(k)
    x[k:, :2] = [[0, 1], [k - 1, side]]
    return x, both_ways([*itertools.pairwise(range(k)), (0, k), (k - 1, k + 1)])


def apart(one, two, **options):
    """Largest difference of the colours of two graphs, after each step."""
    first, second = (np.asarray(colours(*graph, **options)).sum(1) for graph in (one, two))
    return np.abs(first - second).max(-1)


@pytest.mark.full
@pytest.mark.parametrize("k, d", [(2, 2), (3, 2), (4, 2), (5, 2), (2, 3), (3, 3)])
def test_chains_are_told_apart_from_the_right_step_on_and_never_by_invariant_messages(k, d):
    pair = chain(k, 1, d), chain(k, -1, d)
    gaps = apart(*pair)
    first = k // 2 + 1
    assert np.all(gaps[:first] < 1e-12)
    assert np.all(gaps[first:] > 1e-5)
    assert np.all(apart(*pair, propagate=False) < 1e-12)
    # Invariant messages do see what one neighbourhood shows: an end bent by another angle.
    x, edges = chain(k, 1, d)
    x[k, 0] -= 0.3
    assert np.all(apart((x, edges), pair[0], propagate=False)[1:] > 1e-5)


def motion(rng, d):
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return q, rng.normal(size=d)


@pytest.mark.full
@pytest.mark.parametrize("dtype, tol", [(np.float64, 1e-12), (np.float32, 1e-4)])
@pytest.mark.parametrize("propagate", [True, False])
def test_law_copies_that_are_turned_shifted_and_renamed_have_the_same_colours(dtype, tol, propagate):
    rng = np.random.default_rng(0)
    edges = both_ways([(0, 1), (1, 2), (2, 3), (1, 3), (3, 4)])
    for _ in range(5):
        x, kinds = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
        q, t = motion(rng, 2)
        order = rng.permutation(5)
        renamed = np.argsort(order)[rng.permutation(edges)]
        hashed = lambda x, edges, kinds, unit=1.0: np.asarray(
            colours(
                jnp.asarray(x, dtype),
                edges,
                jnp.asarray(kinds, dtype),
                unit=unit,
                num_steps=3,
                propagate=propagate,
            )
        )
        ours = hashed(x, edges, kinds)
        assert ours.dtype == dtype
        np.testing.assert_allclose(
            hashed((x @ q.T + t)[order], renamed, kinds[order]), ours[:, order], atol=tol
        )
        # Another unit for lengths, told to the function, changes nothing.
        np.testing.assert_allclose(hashed(1e-6 * x, edges, kinds, 1e-6), ours, atol=tol)
        # A node moved, or of another kind, is another graph, from the step at which it is heard of.
        last = (np.arange(5) == 4)[:, None]
        gaps = np.abs(hashed(x + 0.1 * last, edges, kinds) - ours)
        assert np.all(gaps[0] == 0) and np.all(gaps[1, :3] < tol)
        assert gaps[1, 3].max() > 1e-4 and gaps[3, 0].max() > 10 * tol
        gaps = np.abs(hashed(x, edges, kinds + last) - ours)
        assert np.all(gaps[0, :4] == 0) and np.all(gaps[1, :3] < tol)
        assert gaps[0, 4].max() > 1e-3 and gaps[3, 0].max() > 10 * tol


@pytest.mark.full
def test_mirror_images_are_different_if_asked():
    x = np.array([[1.0, 0, 0], [0, 0, 0], [0, 1.2, 0], [0, 1.2, 0.8]])
    edges = both_ways([(0, 1), (1, 2), (2, 3)])
    mirror = x * np.array([1.0, 1, -1])
    assert np.all(apart((x, edges), (mirror, edges)) < 1e-12)
    gaps = apart((x, edges), (mirror, edges), chiral=True)
    assert np.all(gaps[:2] < 1e-12) and np.all(gaps[2:] > 1e-5)
    rng = np.random.default_rng(2)
    q, t = motion(rng, 3)
    turn = q * np.linalg.det(q)
    assert np.all(apart((x, edges), (x @ turn.T + t, edges), chiral=True) < 1e-12)


def double_star(fold, twist):
    """Two stars of `fold` spokes on one axis, the second turned about it."""
    angles = 2 * np.pi * np.arange(fold) / fold
    rings = [
        np.stack([np.cos(a), np.sin(a), np.full(fold, z)], 1) for a, z in ((angles, 0), (angles + twist, 1))
    ]
    x = np.concatenate([[[0, 0, 0], [0, 0, 1]], *rings])
    pairs = [(0, 1), *((0, 2 + i) for i in range(fold)), *((1, 2 + fold + i) for i in range(fold))]
    return x, both_ways(pairs)


def harmonics(x, centre, order):
    """What a layer of tensors of this order keeps of the spokes of a star: sums of their circular harmonics."""
    near = np.abs(x[2:, 2] - x[centre, 2]) < 0.5
    z = (x[2:] - x[centre])[near] @ [1, 1j, 0]
    return np.array([np.sum((z / np.abs(z)) ** degree) for degree in range(1, order + 1)])


@pytest.mark.full
@pytest.mark.parametrize("fold", [2, 3])
def test_stars_need_tensors_of_their_order_and_geometric_colours_two_steps(fold):
    twists = 0.2, 0.5
    pair = [double_star(fold, twist) for twist in twists]
    gaps = apart(*pair, num_steps=2, num=4)
    assert np.all(gaps[:2] < 1e-12) and gaps[2] > 1e-6
    assert np.all(apart(*pair, num_steps=2, num=4, propagate=False) < 1e-12)


@pytest.mark.parametrize("fold", [2, 3, 4])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_layers_of_tensors_below_the_order_of_a_star_see_no_twist(fold, order):
    # Invariants of a second layer: products of what both centres keep, degree by degree.
    seen = [
        harmonics(x, 0, order) * harmonics(x, 1, order).conj()
        for x, _ in (double_star(fold, 0.2), double_star(fold, 0.5))
    ]
    assert (np.abs(seen[0] - seen[1]).max() > 0.1) == (order >= fold)


@pytest.mark.full
def test_padded_edges_and_isolated_nodes():
    x, edges = chain(2, 1)
    options = {"num_steps": 2, "num": 4}
    padded = np.concatenate([edges, np.full((2, 2), 4)])
    np.testing.assert_allclose(colours(x, padded, **options), colours(x, edges, **options), atol=1e-13)
    alone = geometric_hash(jnp.zeros((2, 2)), jnp.zeros((0, 2), int), jnp.array([[1.0], [2.0]]), num_steps=1)
    assert np.all(np.isfinite(alone)) and np.abs(alone[1, 0] - alone[1, 1]).max() > 0.01


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda x, e: geometric_hash(x, e[:, :1], num_steps=1), ValueError, "edges has shape"),
        (lambda x, e: geometric_hash(x, e + 0.5, num_steps=1), TypeError, "expected integers"),
        (lambda x, e: geometric_hash(x, e, x[1:], num_steps=1), ValueError, "features has shape"),
        (lambda x, e: geometric_hash(x, e, num_steps=-1), ValueError, "num_steps is -1"),
        (lambda x, e: geometric_hash(x, e, num_steps=1, num=0), ValueError, "num is 0"),
    ],
)
def test_wrong_calls_say_what_to_mend(call, error, words):
    with pytest.raises(error, match=words):
        call(jnp.zeros((3, 2)), jnp.array([[0, 1], [1, 0]]))
