"""Principal axes: four groups, dimensions, units and precisions, planted gaps, ties, and what is drawn from them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import equivariance_error, pca_frame, sampled, symmetrize

pytestmark = pytest.mark.full

relative_error = jax.jit(equivariance_error, static_argnums=(0, 1, 2))

RNG = np.random.default_rng(2)
NUM = 6
GROUPS = [(3, False, False), (3, False, True), (3, True, False), (3, True, True)]


def draw(key, size, proper, translations, dtype=jnp.float64):
    """A random element of the group that a frame is for."""
    keys = jax.random.split(key)
    turn = jax.random.orthogonal(keys[0], size, dtype=dtype)
    if proper:
        turn = turn.at[:, 0].multiply(jnp.linalg.det(turn))
    if not translations:
        return turn
    g = jnp.eye(size + 1, dtype=dtype).at[:size, :size].set(turn)
    return g.at[:size, size].set(jax.random.normal(keys[1], (size,), dtype))


def act(g, x):
    """Move points in rows by a matrix, or by a motion of one dimension more."""
    size = x.shape[-1]
    return x @ g[:size, :size].T + (g[:size, size] if len(g) > size else 0)


@functools.cache
def network(size):
    first, second = RNG.normal(size=(NUM * size, 16)) / 4, RNG.normal(size=(16, NUM * size)) / 4
    shift = RNG.normal(size=16)  # so that the network is not odd, which is half of being equivariant

    def apply(x):
        hidden = jnp.tanh(x.reshape(-1) @ first.astype(x.dtype) + shift.astype(x.dtype))
        return (hidden @ second.astype(x.dtype)).reshape(x.shape)

    return apply


@pytest.mark.parametrize(("size", "proper", "translations"), GROUPS)
def test_law_averages_are_equivariant(size, proper, translations):
    frame = functools.partial(pca_frame, proper=proper, translations=translations)
    f = symmetrize(network(size), frame, act, act)

    def law(key):
        keys = jax.random.split(key)
        x = jax.random.normal(keys[0], (NUM, size)) * jnp.arange(1.0, size + 1)
        error = relative_error(f, act, act, draw(keys[1], size, proper, translations)[None], x)
        return error.worst, frame(x).gap

    errors, gaps = jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 64))
    # An axis turns by rounding over the gap.
    assert jnp.all(errors * jnp.minimum(gaps, 1) < 1e-13)
    assert jnp.mean(errors < 1e-10) == 1
    elements, weights = frame(jnp.asarray(RNG.normal(size=(NUM, size))))
    assert len(elements) == len(weights) == 2 ** (size - proper)
    found = jnp.linalg.det(elements)
    np.testing.assert_allclose(found if proper else jnp.abs(found), 1, rtol=1e-13)
    assert proper or jnp.sum(found) < 1e-12


def test_proper_frames_are_not_equivariant_to_mirrors():
    x = jnp.asarray(RNG.normal(size=(NUM, 3)))
    mirror = jnp.diag(jnp.array([1.0, 1.0, -1.0, 1.0]))[None]
    f = symmetrize(network(3), functools.partial(pca_frame, proper=True), act, act)
    assert relative_error(f, act, act, mirror, x).worst > 0.1
    f = symmetrize(network(3), pca_frame, act, act)
    assert relative_error(f, act, act, mirror, x).worst < 1e-12


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_law_single_precision_in_other_units_and_far_away(unit):
    x = np.float32(unit * (RNG.normal(size=(NUM, 3)) * [3, 2, 1] + 10))
    frame = pca_frame(x)
    exact = pca_frame(np.float64(x))
    assert frame.elements.dtype == np.float32
    np.testing.assert_allclose(frame.gap, exact.gap, rtol=1e-4)
    same = jnp.min(jnp.max(jnp.abs(frame.elements[0, :3, :3] - exact.elements[:, :3, :3]), axis=(1, 2)))
    assert same < 1e-4
    assert jnp.max(jnp.abs(frame.elements[0, :3, 3] / unit - exact.elements[0, :3, 3] / unit)) < 1e-4


def test_matches_planted_axes_gap_and_weights():
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    corners = np.concatenate([np.diag([3.0, 2.0, 1.0]), -np.diag([3.0, 2.0, 1.0])]) @ turn.T + 7
    frame = pca_frame(corners)
    np.testing.assert_allclose(frame.gap, 3 / 9, rtol=1e-12)  # eigenvalues 9 : 4 : 1
    # the frame lists turn with all its signs
    assert jnp.min(jnp.sum((frame.elements[:, :3, :3] - turn) ** 2, axis=(1, 2))) < 1e-25
    padded = np.concatenate([corners, 1e9 * RNG.normal(size=(2, 3))])
    masked = pca_frame(padded, np.array([1.0] * 6 + [0.0] * 2))
    np.testing.assert_allclose(masked.gap, frame.gap, rtol=1e-12)
    twice = pca_frame(corners, np.array([2.0] + [1.0] * 5))
    repeated = pca_frame(np.concatenate([corners[:1], corners]))
    np.testing.assert_allclose(twice.gap, repeated.gap, rtol=1e-12)


def test_law_an_equivariant_function_and_its_gradient_are_kept():
    """Expressive power is kept, also at ties, where the derivative of the axes is a convention."""
    f = lambda x: jnp.mean(x, axis=0) + (x - jnp.mean(x, axis=0)) * jnp.sum((x - jnp.mean(x, axis=0)) ** 2)
    kept = symmetrize(f, pca_frame, act, act)
    number = lambda f: lambda x: jnp.sum(jnp.sin(f(x)))
    tied = jnp.concatenate([jnp.eye(3), -jnp.eye(3)])
    x = jnp.stack([jnp.asarray(RNG.normal(size=(NUM, 3))), tied])
    np.testing.assert_allclose(jax.jit(jax.vmap(kept))(x), jax.vmap(f)(x), rtol=1e-12, atol=1e-13)
    slope = lambda f: jax.jit(jax.vmap(jax.grad(number(f))))(x)
    np.testing.assert_allclose(slope(kept), slope(f), rtol=1e-9, atol=1e-12)


def test_gradients_match_differences_and_are_finite_at_ties():
    f = lambda x: jnp.sum(jnp.sin(symmetrize(network(3), pca_frame, act, act)(x)))
    x, v = RNG.normal(size=(2, NUM, 3)) * np.array([1.0, 2.0, 3.0])
    step = 1e-6
    tied = [np.concatenate([np.eye(3), -np.eye(3)]), np.zeros((NUM, 3)), np.ones((NUM, 3))]
    both = jax.jit(jax.vmap(jax.value_and_grad(f)))
    values, gradients = both(np.stack([x, x + step * v, x - step * v, *tied]))
    np.testing.assert_allclose(jnp.vdot(gradients[0], v), (values[1] - values[2]) / (2 * step), rtol=1e-6)
    for found in (*both(np.float32([*tied, x, x, x])), values, gradients):
        assert jnp.all(jnp.isfinite(found))
    assert jnp.max(jnp.abs(jax.vmap(lambda x: pca_frame(x).gap)(np.stack(tied)))) < 1e-14


def test_law_one_random_element_has_a_law_that_motions_keep():
    """The mean over the frame is the full average, and the outputs on its elements are the same set after a motion."""
    x = jnp.asarray(RNG.normal(size=(NUM, 3)))
    energy = lambda x: jnp.sum(network(3)(x))

    @jax.jit
    def outputs(x):
        one = lambda g: energy(act(jnp.linalg.inv(g), x))
        return jnp.sort(jax.vmap(one)(pca_frame(x).elements))

    whole = jax.jit(symmetrize(energy, pca_frame, act, lambda g, y: y))(x)
    np.testing.assert_allclose(jnp.mean(outputs(x)), whole, rtol=1e-11)
    moved = act(draw(jax.random.key(1), 3, False, True), x)
    np.testing.assert_allclose(outputs(moved), outputs(x), rtol=1e-11)
    one = lambda key: symmetrize(energy, sampled(pca_frame, key=key), act, lambda g, y: y)(x)
    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), 400))
    # each output is one of the eight, and their mean comes out within four standard errors
    assert jnp.max(jnp.min(jnp.abs(found[:, None] - outputs(x)), axis=1)) < 1e-12
    assert jnp.abs(jnp.mean(found) - whole) < 4 * jnp.std(outputs(x)) / 20
    eight = symmetrize(energy, sampled(pca_frame, key=jax.random.key(3), num=8), act, lambda g, y: y)
    eight = jax.jit(eight)(x)
    np.testing.assert_allclose(eight, whole, rtol=1e-11)


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="points has shape"):
        pca_frame(jnp.ones(3))
    with pytest.raises(ValueError, match="weights has shape"):
        pca_frame(jnp.ones((3, 2)), jnp.ones(2))
    with pytest.raises(ValueError, match="an axis at least"):
        pca_frame(jnp.ones((3, 0)))
    with pytest.raises(TypeError, match="points has dtype complex"):
        pca_frame(jnp.ones((3, 2)) + 1j)
