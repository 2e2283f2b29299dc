"""Barycentric subspaces: affine spans, great subspheres, geodesic subspaces; the analysis against PCA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.decomposition

from geojax.manifolds import (
    Euclidean,
    Lorentz,
    Sphere,
    accumulated_unexplained_variance,
    barycentric_subspace_analysis,
    barycentric_subspace_project,
    frechet_mean,
    tangent_pca,
)
from geojax.results import Status

SPHERE, FLAT = Sphere(), Euclidean()
SAMPLE = np.random.default_rng(0).normal(size=(10, 4)) * [3.0, 1.5, 0.7, 0.3]


def near(manifold, key, shape, num, radius):
    """Points within about `radius` of a random one."""
    k1, k2 = jax.random.split(key)
    x = manifold.random_point(k1, shape, dtype=jnp.float64)
    keys = jax.random.split(k2, num)
    return jax.vmap(lambda k: manifold.exp(x, radius * manifold.random_tangent(k, x)))(keys)


def project(manifold, references, y):
    return barycentric_subspace_project(manifold, references, y, tol=1e-11)


def test_matches_the_affine_span():
    references, y = SAMPLE[:3], SAMPLE[3]
    found = project(FLAT, references, y)
    edges = (references[1:] - references[0]).T
    want = references[0] + edges @ np.linalg.lstsq(edges, y - references[0])[0]
    np.testing.assert_allclose(found.point, want, atol=1e-12)
    np.testing.assert_allclose(found.weights @ references, want, atol=1e-12)
    assert int(found.num_steps) == 2


@pytest.mark.full
@pytest.mark.parametrize("manifold", [SPHERE, Lorentz()])
def test_law_the_subspace_is_the_linear_span(manifold):
    """Of three references: on the sphere and the hyperboloid, points of their span; and the nearest of those.

    The references of the last item hold a NaN, of which the status tells.
    """
    metric = jnp.diag(jnp.asarray([-1.0 if isinstance(manifold, Lorentz) else 1.0, 1.0, 1.0, 1.0]))

    def terms(key, damage):
        points = near(manifold, key, (4,), 4, 0.4).at[0, 0].add(damage)
        references, y = points[:3], points[3]
        found = project(manifold, references, y)
        normal = jnp.linalg.solve(metric, jnp.linalg.qr(references.T, mode="complete")[0][:, 3])
        shadow = y - (y @ metric @ normal) / (normal @ metric @ normal) * normal
        logs = jax.vmap(lambda x: manifold.log(found.point, x))(references)
        want = shadow / jnp.sqrt(jnp.abs(shadow @ metric @ shadow))
        sum_of_logs = found.weights @ logs / jnp.max(jnp.abs(found.weights))
        return (
            (found.point - want) / jnp.max(jnp.abs(want)),
            sum_of_logs,
            jnp.sum(found.weights) - 1,
            found.status,
        )

    damage = np.append(np.zeros(16), np.nan)
    keys = jax.random.split(jax.random.key(0), 16)
    *zeros, status = jax.jit(jax.vmap(terms))(keys[np.arange(17) % 16], damage)
    for zero in zeros:
        np.testing.assert_allclose(zero[:16], 0, atol=1e-9)
    np.testing.assert_array_equal(status, [Status.CONVERGED] * 16 + [Status.NONFINITE])


@pytest.mark.full
def test_law_residuals_fall_along_the_flag_and_rotations_keep_them():
    points = near(SPHERE, jax.random.key(1), (4,), 8, 0.5)
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(2), (4, 4)))[0]
    found = barycentric_subspace_analysis(SPHERE, points, 2)
    turned = accumulated_unexplained_variance(SPHERE, found.references @ rotation.T, points @ rotation.T)
    assert found.status == Status.CONVERGED
    assert jnp.all(jnp.diff(found.variances) < 0)
    np.testing.assert_allclose(turned, jnp.sum(found.variances), rtol=1e-9)
    # Nested: a point of the smaller subspace is its own projection on the larger.
    inside = SPHERE.geodesic(found.references[0], found.references[1], 0.3)
    np.testing.assert_allclose(project(SPHERE, found.references, inside).point, inside, atol=1e-9)
    # What tangent PCA spans, by the same number of references, leaves more of a small circle.
    angle = 2 * np.pi * np.arange(8) / 8
    circle = jax.vmap(SPHERE.project)(
        np.stack([0.9 * np.cos(angle), 0.9 * np.sin(angle), 0.2 * np.cos(2 * angle), np.ones(8)], axis=1)
    )
    flags = barycentric_subspace_analysis(SPHERE, circle, 2)
    mean = frechet_mean(SPHERE, circle).point
    directions = tangent_pca(SPHERE, mean, circle).directions[:2]
    spanned = jnp.stack([mean, *(SPHERE.exp(mean, u) for u in directions)])
    tangential = accumulated_unexplained_variance(SPHERE, spanned, circle)
    assert float(jnp.sum(flags.variances)) <= float(tangential) + 1e-9
    # No better references nearby.
    for seed in range(2):
        moved = jax.vmap(SPHERE.project)(
            found.references + 1e-3 * jax.random.normal(jax.random.key(seed), (3, 4))
        )
        other = accumulated_unexplained_variance(SPHERE, moved, points)
        assert float(other) > float(jnp.sum(found.variances))


def test_matches_principal_components_in_flat_space():
    found = barycentric_subspace_analysis(FLAT, SAMPLE, 2)
    variances = sklearn.decomposition.PCA().fit(SAMPLE).explained_variance_ * 9 / 10
    want = [np.sum(variances[j:]) for j in range(3)]
    np.testing.assert_allclose(found.variances, want, rtol=1e-9)
    accumulated = accumulated_unexplained_variance(FLAT, found.references, SAMPLE)
    np.testing.assert_allclose(accumulated, np.sum(want), rtol=1e-9)


@pytest.mark.full
def test_gradients_match_differences():
    points = near(SPHERE, jax.random.key(1), (4,), 5, 0.5)
    direction = jax.vmap(SPHERE.to_tangent)(points, near(SPHERE, jax.random.key(3), (4,), 5, 0.5))

    def function(t):
        moved = jax.vmap(SPHERE.exp)(points, t * direction)
        found = project(SPHERE, moved[:2], moved[2])
        return jnp.stack([found.point[0], found.weights[0]])

    def variance(t):
        moved = jax.vmap(SPHERE.exp)(points, t * direction)
        return accumulated_unexplained_variance(SPHERE, moved[:2], moved[2:], tol=1e-12)

    at = jnp.asarray([-1e-5, 0.0, 1e-5])
    for both in (lambda t: jax.jvp(function, (t,), (1.0,)), jax.value_and_grad(variance)):
        values, slopes = jax.jit(jax.vmap(both))(at)
        np.testing.assert_allclose(slopes[1], (values[2] - values[0]) / 2e-5, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    points = np.eye(4)[[0, 1, 2, 3, 0]]
    assert project(FLAT, np.ones((2, 3)), np.zeros(3)).status == Status.NONFINITE
    with pytest.raises(ValueError, match="dimension is 4; expected at most 3"):
        barycentric_subspace_analysis(SPHERE, points, 4)
    with pytest.raises(ValueError, match="references holds no point"):
        barycentric_subspace_project(SPHERE, points[:0], points[0])
