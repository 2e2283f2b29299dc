"""Configurations of atoms against scipy, brute force, and a search for a saddle."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize
from scipy.spatial.distance import cdist

from geojax.transport import farthest_point_sampling, species_wasserstein

SPECIES = (6, 1, 1, 8, 6, 1)
LIKE = jnp.array([4, 2, 5, 3, 0, 1])  # a relabelling within each species
UNLIKE = jnp.array([1, 0, 2, 3, 4, 5])


def configurations(key, count):
    return jax.random.normal(key, (count, len(SPECIES), 3))


def test_matches_scipy():
    distance = jax.jit(lambda x, y: species_wasserstein(x, y, SPECIES))
    for seed in range(3):
        x, y = np.random.default_rng(seed).normal(size=(2, len(SPECIES), 3))
        want = 0.0
        for kind in set(SPECIES):
            atoms = np.flatnonzero(np.asarray(SPECIES) == kind)
            cost = cdist(x[atoms], y[atoms])
            want += cost[linear_sum_assignment(cost)].sum()
        np.testing.assert_allclose(distance(x, y), want, rtol=1e-12)


@pytest.mark.full
def test_law_metric_modulo_like_atoms():
    def law(key):
        x, y, z = configurations(key, 3)
        d = lambda u, v: species_wasserstein(u, v, SPECIES)
        equal = jnp.stack(
            [
                d(x, x[LIKE]),
                d(x, z) - d(x, y) - d(y, z),
                jnp.abs(d(x, y) - d(y, x)),
                jnp.abs(d(x[LIKE], y) - d(x, y)),
            ]
        )
        return equal, d(x, x[UNLIKE])

    equal, unlike = jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(3), 32))
    assert jnp.max(equal) < 1e-12
    assert jnp.min(unlike) > 0


@pytest.mark.full
def test_gradient():
    x, y = configurations(jax.random.key(4), 2)
    value = jax.jit(lambda x: species_wasserstein(x, y, SPECIES))
    u = jax.random.normal(jax.random.key(5), x.shape)
    slope = (value(x + 1e-6 * u) - value(x - 1e-6 * u)) / 2e-6
    np.testing.assert_allclose(jnp.vdot(jax.grad(value)(x), u), slope, rtol=1e-7)
    assert jnp.all(jnp.isfinite(jax.grad(lambda z: species_wasserstein(z, x, SPECIES))(x)))


def test_farthest_points_cover_within_twice_the_optimum():
    sample = jax.jit(lambda d, start: farthest_point_sampling(d, 3, start=start))
    for seed in range(8):
        x = np.random.default_rng(seed).normal(size=(12, 2))
        d = cdist(x, x)
        chosen = sample(d, seed % 12)
        best = min(d[:, list(c)].min(1).max() for c in itertools.combinations(range(12), 3))
        assert d[:, np.asarray(chosen)].min(1).max() <= 2 * best + 1e-12
        assert len(set(chosen.tolist())) == 3
        assert chosen[0] == seed % 12


def muller_brown(p):
    """The Muller-Brown surface; its saddle between the deep minima is at (-0.822, 0.624)."""
    a, b, c = (
        jnp.array([-1.0, -1, -6.5, 0.7]),
        jnp.array([0.0, 0, 11, 0.6]),
        jnp.array([-10.0, -10, -6.5, 0.7]),
    )
    x0, y0 = jnp.array([1.0, 0, -0.5, -1]), jnp.array([0.0, 0.5, 1.5, 1])
    dx, dy = p[0] - x0, p[1] - y0
    return jnp.array([-200.0, -100, -170, 15]) @ jnp.exp(a * dx**2 + b * dx * dy + c * dy**2) / 100


@pytest.mark.full
def test_pruned_surrogate_still_reaches_the_saddle():
    """A Gaussian process with gradients, pruned to 14 points, keeps the search within what it knows."""
    length, kept = 0.35, 14
    kernel = lambda p, q: jnp.exp(-jnp.sum((p - q) ** 2) / (2 * length**2))
    # Covariances of (value, gradient) with (value, gradient): [3, 3].
    blocks = lambda p, q: jnp.block(
        [
            [kernel(p, q)[None, None], jax.grad(kernel, 1)(p, q)[None]],
            [jax.grad(kernel)(p, q)[:, None], jax.jacfwd(jax.grad(kernel), 1)(p, q)],
        ]
    )
    pairs = jax.jit(
        lambda ps, qs: (
            jax.vmap(jax.vmap(blocks, (None, 0)), (0, None))(ps, qs)
            .transpose(0, 2, 1, 3)
            .reshape(3 * len(ps), -1)
        )
    )
    observe = jax.jit(
        lambda ps: jax.vmap(lambda p: jnp.append(muller_brown(p), jax.grad(muller_brown)(p)))(ps)[
            :, [0, 1, 2]
        ]
    )
    saddle = jnp.array([-0.822, 0.6243])

    @jax.jit
    def climb(points, values, at):
        centred = values.reshape(-1, 3) - jnp.array([1.0, 0, 0]) * values[0]
        gram = pairs(points, points) + 1e-8 * jnp.eye(3 * points.shape[0])
        weights = jnp.linalg.solve(gram, centred.ravel())
        predict = lambda p: pairs(p[None], points)[0] @ weights

        def variance(p):
            row = pairs(p[None], points)[0]
            return 1 - row @ jnp.linalg.solve(gram, row)

        def step(p, _):
            hessian = jax.hessian(predict)(p)
            curvature, vectors = jnp.linalg.eigh(hessian)
            # Uphill along the softest direction, downhill along the other, and away from the unknown.
            force = vectors.T @ jax.grad(predict)(p)
            walk = vectors @ (jnp.array([1.0, -1.0]) * force / jnp.maximum(jnp.abs(curvature), 1.0))
            # A logarithmic barrier at a variance of 0.9.
            keep = jax.grad(lambda q: -0.05 * jnp.log1p(-jnp.clip(variance(q), 0, 0.89) / 0.9))(p)
            move = walk - 0.05 * keep
            return p + move * jnp.minimum(1, 0.05 / (jnp.linalg.norm(move) + 1e-12)), None

        return jax.lax.scan(step, at, length=12)[0]

    at = jnp.array([-0.7, 0.75])
    points = at + 0.05 * jax.random.normal(jax.random.key(0), (kept, 2))
    for _ in range(8):
        at = climb(points, observe(points).ravel(), at)
        # Prune: farthest points among the old ones and the new, which comes first, so that it stays.
        pool = jnp.concatenate([at[None], points])
        gaps = jnp.linalg.norm(pool[:, None] - pool, axis=-1)
        near = jnp.argsort(gaps[0])[: kept + 1]
        points = pool[near][farthest_point_sampling(gaps[jnp.ix_(near, near)], kept)]
    reference = minimize(
        lambda p: float(jnp.sum(jax.grad(muller_brown)(jnp.asarray(p)) ** 2)), np.asarray(saddle)
    ).x
    np.testing.assert_allclose(at, reference, atol=0.01)


def test_bad_input():
    x = np.random.default_rng(6).normal(size=(len(SPECIES), 3))
    broken = x.copy()
    broken[0, 0] = np.nan
    assert np.isnan(jax.jit(lambda x, y: species_wasserstein(x, y, SPECIES))(broken, x))
    unknown = np.full((3, 3), np.nan)
    assert jax.jit(lambda d: farthest_point_sampling(d, 2))(unknown).tolist() == [-1, -1]
    with pytest.raises(ValueError, match=r"species has shape \[5\]"):
        species_wasserstein(x, x, SPECIES[:5])
    with pytest.raises(TypeError, match="species is a traced value"):
        jax.jit(species_wasserstein)(x, x, jnp.asarray(SPECIES))
    with pytest.raises(ValueError, match="k is 4"):
        farthest_point_sampling(np.zeros((3, 3)), 4)
