"""k-means against scikit-learn and by hand: the objective never rises, NaN is reported, spaces are the caller's."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.cluster import KMeans

from geojax._core.lloyd import k_means_plus_plus, lloyd
from geojax.results import Status

POINTS = np.random.default_rng(0).normal(size=(60, 3)) + np.repeat(np.eye(3) * 3, 20, axis=0)


@jax.jit
@jax.vmap
def runs(key):
    start = k_means_plus_plus(jnp.asarray(POINTS), num_centres=3, key=key)
    return start, lloyd(jnp.asarray(POINTS), start), lloyd(jnp.asarray(POINTS), start, max_steps=1)


def test_matches_scikit_learn_from_the_same_start():
    starts, results, _ = runs(jax.random.split(jax.random.key(0), 8))
    for number, start in enumerate(np.asarray(starts)):
        oracle = KMeans(3, init=start, n_init=1, tol=0, max_iter=100).fit(POINTS)
        np.testing.assert_allclose(results.objective[number], oracle.inertia_, rtol=1e-10)
        np.testing.assert_array_equal(results.labels[number], oracle.labels_)
        assert results.status[number] == Status.CONVERGED


def test_law_more_steps_never_raise_the_objective_and_starts_are_different_points():
    starts, results, first = runs(jax.random.split(jax.random.key(1), 8))
    assert np.all(results.objective <= first.objective + 1e-12)
    for start in np.asarray(starts):
        assert len(np.unique(start, axis=0)) == 3
        assert all((start[k] == POINTS).all(axis=1).any() for k in range(3))


def test_a_centre_without_points_stays():
    init = jnp.concatenate([jnp.asarray(POINTS[:2]), jnp.full((1, 3), 1e3)])
    result = lloyd(jnp.asarray(POINTS), init, max_steps=30)
    np.testing.assert_array_equal(result.centres[2], 1e3)
    assert result.status == Status.CONVERGED


def test_nan_is_reported():
    points = jnp.asarray(POINTS).at[0, 0].set(jnp.nan)
    start = k_means_plus_plus(points, num_centres=3, key=jax.random.key(2))
    assert lloyd(points, start, max_steps=30).status == Status.NONFINITE


def test_another_space_brings_its_distance_and_its_mean():
    """Angles, as a tree: 3.1 and -3.1 are neighbours on the circle."""
    angles = {"angle": jnp.array([3.1, -3.1, 0.1, -0.1])}
    result = lloyd(
        angles,
        {"angle": jnp.array([3.0, 0.0])},
        squared_distances=lambda p, q: 2 - 2 * jnp.cos(p["angle"][:, None] - q["angle"]),
        mean=lambda points, weights: {
            "angle": jnp.arctan2(weights @ jnp.sin(points["angle"]), weights @ jnp.cos(points["angle"]))
        },
    )
    np.testing.assert_array_equal(result.labels, [0, 0, 1, 1])
    np.testing.assert_allclose(jnp.cos(result.centres["angle"]), [-1, 1], atol=1e-12)
