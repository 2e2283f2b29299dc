"""The max-sliced distance against a fine grid of angles, POT and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax import Status, unwrap
from geojax.transport import max_sliced_wasserstein, sliced_wasserstein

N, M = 12, 9


def clouds(seed, d=2):
    random = np.random.default_rng(seed)
    return random.normal(size=(N, d)), random.normal(size=(M, d)) * np.linspace(0.5, 2, d)


@functools.cache
def starts(k=8, d=2):
    directions = np.random.default_rng(50).normal(size=(k, d))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.mark.full
def test_matches_a_fine_grid_of_angles():
    angles = jnp.linspace(0, jnp.pi, 4001)
    grid = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)

    @jax.jit
    def compare(seed):
        k1, k2 = jax.random.split(jax.random.key(seed))
        x, y = jax.random.normal(k1, (N, 2)), jax.random.normal(k2, (M, 2)) * jnp.asarray([0.5, 2.0])
        found = max_sliced_wasserstein(x, y, init=starts())
        best = jnp.max(jax.vmap(lambda t: sliced_wasserstein(x, y, projections=t[None]).value)(grid))
        return found.value, best, found.status

    value, best, status = jax.lax.map(compare, jnp.arange(8))
    np.testing.assert_array_equal(status, Status.CONVERGED)
    np.testing.assert_allclose(value, best, rtol=1e-4)


@pytest.mark.full
def test_is_no_lower_than_pot_finds_by_sampling():
    x, y = clouds(1, 3)
    theirs = ot.max_sliced_wasserstein_distance(np.asarray(x), np.asarray(y), n_projections=2000, seed=0) ** 2
    found = unwrap(max_sliced_wasserstein(x, y, init=starts(8, 3)))
    assert found.value >= theirs


@pytest.mark.parametrize(
    "p", [2, pytest.param(1, marks=pytest.mark.full), pytest.param(3.0, marks=pytest.mark.full)]
)
def test_translation_has_a_closed_form(p):
    x, _ = clouds(2, 3)
    c = np.asarray([1.0, -2.0, 2.0])
    solve = jax.jit(lambda x, y: max_sliced_wasserstein(x, y, init=starts(4, 3), p=p))
    found = unwrap(solve(x, x + c))
    np.testing.assert_allclose(found.value, 3.0**p, rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.asarray(found.direction) @ c), 3.0, rtol=1e-5)


@pytest.mark.full
def test_law_between_the_starts_and_the_largest_distance():
    def law(key):
        k1, k2 = jax.random.split(key)
        x, y = jax.random.normal(k1, (N, 3)), jax.random.normal(k2, (M, 3))
        found = max_sliced_wasserstein(x, y, init=starts(4, 3))
        at = sliced_wasserstein(x, y, projections=found.direction[None]).value
        first = sliced_wasserstein(x, y, projections=starts(4, 3)).value
        return jnp.stack(
            [jnp.abs(at - found.value), first - found.value, jnp.linalg.norm(found.direction) - 1]
        )

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(3), 16))) < 1e-12


@pytest.mark.full
def test_gradient_is_that_of_the_envelope():
    x, y = clouds(4)
    y = y + 6  # the maximum lies off the ridges where projected points tie
    init = starts()
    value = jax.jit(lambda x: max_sliced_wasserstein(x, y, init=init, tol=1e-7, max_steps=500).value)
    move = jax.random.normal(jax.random.key(5), x.shape)
    h = 1e-4
    slope = (value(x + h * move) - value(x - h * move)) / (2 * h)
    np.testing.assert_allclose(jnp.vdot(jax.grad(value)(x), move), slope, rtol=1e-3)


@pytest.mark.full
def test_equal_clouds_converge_to_zero():
    x, _ = clouds(6)
    found = unwrap(max_sliced_wasserstein(x, x, init=starts()))
    assert found.value == 0
    assert jnp.all(
        jnp.isfinite(jax.grad(lambda x, y: max_sliced_wasserstein(x, y, init=starts()).value)(x, x))
    )


def test_bad_input():
    x, y = clouds(7)
    solve = jax.jit(lambda x, p: max_sliced_wasserstein(x, y, init=starts(), p=p, max_steps=2).status)
    broken = x.copy()
    broken[0, 0] = np.nan
    assert solve(broken, 2.0) == Status.NONFINITE
    assert solve(x, 0.5) == Status.NONFINITE
    assert solve(x, 2.0) == Status.MAX_STEPS
    with pytest.raises(ValueError, match="no rows"):
        max_sliced_wasserstein(x, y, init=starts()[:0])


@pytest.mark.full
def test_weights_count_copies_of_points():
    x, y = clouds(3)
    count = np.arange(N) % 3
    copies = np.repeat(x, count, axis=0)
    solve = jax.jit(lambda x, y, a: max_sliced_wasserstein(x, y, a, init=starts()))
    got, want = solve(x, y, count / count.sum()), solve(copies, y, None)
    assert got.status == want.status == Status.CONVERGED
    np.testing.assert_allclose(got.value, want.value, rtol=1e-6)
    assert solve(x, y, -count / count.sum()).status == Status.NONFINITE
