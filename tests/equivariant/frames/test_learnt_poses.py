"""Poses picked by energies and by orders: rotated and mirrored images, permutations, ties, and what learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import by_energy, equivariance_error, sampled, sort_frame, symmetrize, whole_group

pytestmark = pytest.mark.full

relative_error = jax.jit(equivariance_error, static_argnums=(0, 1, 2))

RNG = np.random.default_rng(4)
GRID = np.arange(16).reshape(4, 4)
C4 = np.stack([np.rot90(GRID, k).ravel() for k in range(4)])
D4 = np.concatenate([C4, np.stack([np.rot90(GRID.T, k).ravel() for k in range(4)])])
IMAGE = RNG.normal(size=16)
W, V = RNG.normal(size=(16, 16)), RNG.normal(size=16)


def act(g, x):
    return x[g]


def back(g, x):
    return x[jnp.argsort(g)]


def network(x):
    return jnp.tanh(x @ W + 1)


def energy(v):
    return lambda g, x: jnp.sum(jnp.tanh(v * back(g, x)))


@pytest.mark.parametrize(("group", "hard"), [(C4, True), (D4, True), (D4, False)])
def test_law_least_energy_makes_any_network_equivariant(group, hard):
    f = jax.jit(symmetrize(network, by_energy(energy(V), group, hard=hard), act, act))
    assert relative_error(f, act, act, group, IMAGE).worst < 1e-14
    assert relative_error(network, act, act, group, IMAGE).worst > 0.1
    if hard:
        best = min(group, key=lambda g: float(energy(V)(g, jnp.asarray(IMAGE))))
        want = network(IMAGE[np.argsort(best)])[best]
        np.testing.assert_allclose(f(IMAGE), want, rtol=1e-14)
        one = sampled(by_energy(energy(V), group), key=jax.random.key(0))
        np.testing.assert_allclose(symmetrize(network, one, act, act)(IMAGE), want, rtol=1e-14)


def test_the_frame_of_the_whole_group_is_the_average_over_it():
    x = jnp.asarray(IMAGE)
    want = np.mean([network(x[np.argsort(g)])[g] for g in C4], axis=0)
    np.testing.assert_allclose(symmetrize(network, whole_group(C4), act, act)(x), want, rtol=1e-13)


def test_soft_weights_gradients_and_the_gap_follow_their_formulas():
    x, t = jnp.asarray(IMAGE), 0.7
    energies = lambda v: jnp.stack([energy(v)(g, x) for g in D4])
    soft = lambda v: jnp.exp(-energies(v) / t) / jnp.sum(jnp.exp(-energies(v) / t))
    np.testing.assert_allclose(
        by_energy(energy(V), D4, temperature=t, hard=False)(x).weights, soft(V), rtol=1e-13
    )
    ranked = np.sort(energies(V))
    found = by_energy(energy(V), D4, temperature=t)(x)
    np.testing.assert_allclose(found.gap, (ranked[1] - ranked[0]) / t, rtol=1e-12)
    values = RNG.normal(size=8)
    slope = jax.grad(lambda v: values @ by_energy(energy(v), D4, temperature=t)(x).weights)(jnp.asarray(V))
    np.testing.assert_allclose(slope, jax.grad(lambda v: values @ soft(v))(jnp.asarray(V)), rtol=1e-11)
    assert jnp.max(jnp.abs(slope)) > 1e-3


def test_the_identity_alone_keeps_the_function_and_ties_share_the_weight():
    alone = symmetrize(network, by_energy(energy(V), D4[:1]), act, act)
    np.testing.assert_allclose(alone(IMAGE), network(IMAGE), rtol=1e-14)
    shared = by_energy(energy(V), D4)(jnp.zeros(16))
    np.testing.assert_array_equal(shared.weights, np.full(8, 1 / 8))
    assert shared.gap == 0
    assert np.all(np.isnan(by_energy(lambda g, x: x[0] * jnp.nan, D4)(jnp.ones(16)).weights))


def test_law_sorted_rows_make_a_function_of_sets():
    mix = RNG.normal(size=(12, 12))
    f = jax.jit(symmetrize(lambda x: jnp.tanh(x.ravel() @ mix + 1).reshape(x.shape), sort_frame, act, act))
    x = RNG.normal(size=(6, 2))
    x[1, 0] = x[4, 0]  # a tie that the second column breaks
    perms = np.stack([RNG.permutation(6) for _ in range(64)])
    assert relative_error(f, act, act, perms, x).worst < 1e-14
    np.testing.assert_array_equal(x[np.argsort(sort_frame(x).elements[0])], x[np.lexsort(x.T[::-1])])
    assert sort_frame(x).gap == 0
    np.testing.assert_allclose(sort_frame(jnp.array([5.0, 1.0, 2.0])).gap, 1 / 4)
    # scores that learn pick the order, and the network that is averaged learns
    scores = lambda p, x: jnp.tanh(p * x).sum(1)
    g = lambda p: (
        lambda x: symmetrize(lambda x: p * x[0], lambda x: sort_frame(scores(p, x)), act, lambda g, y: y)(x)
    )
    assert relative_error(g(2.0), act, lambda g, y: y, perms, RNG.normal(size=(6, 2))).worst == 0
    # equal rows keep their order: invariant functions do not see it, those that tell rows apart do
    equal = np.ones((6, 2))
    assert relative_error(lambda x: f(x).sum(), act, lambda g, y: y, perms, equal).worst < 1e-14
    assert relative_error(f, act, act, perms, equal).worst > 0.1
    assert sort_frame(equal).gap == 0 and sort_frame(jnp.ones(1)).gap == jnp.inf


def test_wrong_calls_are_answered():
    with pytest.raises(TypeError, match="energy is a ndarray"):
        by_energy(V, D4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="what energy returned"):
        by_energy(back, D4)(IMAGE)
    with pytest.raises(ValueError, match="rank 3"):
        sort_frame(jnp.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="a row and a column"):
        sort_frame(jnp.ones(0))
