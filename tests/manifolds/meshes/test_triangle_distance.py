"""Distances to triangles: closed forms, dense samples, the eikonal equation, open boundaries."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds.meshes import point_triangle_udf

RNG = np.random.default_rng(0)
udf = jax.jit(point_triangle_udf)  # of twelve points and twelve triangles in every test
SOUP = RNG.normal(size=(12, 3, 3))
POINTS = 2 * RNG.normal(size=(12, 3))


def cube():
    """The surface of [-1, 1]^3 as twelve triangles."""
    found = []
    for axis, side in itertools.product(range(3), (-1.0, 1.0)):
        corners = np.insert(np.asarray([[-1, -1], [1, -1], [1, 1], [-1, 1]], float), axis, side, axis=1)
        found += [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    return np.stack(found)


def test_matches_the_closed_form_of_a_cube():
    outside = np.linalg.norm(np.maximum(np.abs(POINTS) - 1, 0), axis=1)
    inside = np.min(np.abs(1 - np.abs(POINTS)), axis=1)
    want = np.where(np.all(np.abs(POINTS) < 1, axis=1), inside, outside)
    np.testing.assert_allclose(udf(POINTS, cube()).dist, want, atol=1e-14)


def test_matches_dense_samples_of_the_surface():
    found = udf(POINTS, SOUP)
    s, t = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60))
    keep = s + t <= 1 + 1e-12
    weights = np.stack([1 - s - t, s, t], axis=-1)[keep]
    samples = np.einsum("kc,mcd->mkd", weights, SOUP).reshape(-1, 3)
    dense = np.linalg.norm(POINTS[:, None] - samples, axis=2).min(1)
    assert np.all(np.asarray(found.dist) <= dense + 1e-13)
    assert np.all(np.asarray(found.dist) >= dense - 0.1)


def test_law_unit_gradient_feet_on_the_soup_and_lipschitz():
    found = udf(POINTS, SOUP)
    np.testing.assert_allclose(np.linalg.norm(found.gradient, axis=1), 1, rtol=1e-12)
    feet = POINTS - np.asarray(found.dist)[:, None] * np.asarray(found.gradient)
    np.testing.assert_allclose(feet, found.nearest, atol=1e-13)
    np.testing.assert_allclose(udf(feet, SOUP).dist, 0, atol=1e-13)
    gaps = np.abs(np.subtract.outer(found.dist, found.dist))
    assert np.all(gaps <= np.linalg.norm(POINTS[:, None] - POINTS, axis=2) + 1e-13)
    slopes = jax.jit(jax.jacobian(lambda p: udf(p, SOUP).dist))(POINTS)
    np.testing.assert_allclose(np.einsum("iij->ij", slopes), found.gradient, atol=1e-12)


def test_open_boundaries_flat_triangles_and_points_on_them():
    rim = [[np.cos(a), np.sin(a), 0] for a in np.linspace(0, 2 * np.pi, 13)]
    fan = np.asarray([[[0, 0, 0], a, b] for a, b in itertools.pairwise(rim)])
    corners = fan[:, 1]
    np.testing.assert_allclose(udf(3 * corners, fan).dist, 2, rtol=1e-12)
    flat = np.asarray([[[0, 0, 0], [1, 0, 0], [2, 0, 0]]] * 12, float)
    where = np.asarray([[-3, 4, 0], [0.5, 2, 0], [5, 0, 4]] * 4, float)
    np.testing.assert_allclose(udf(where, flat).dist, [5, 2, 5] * 4, rtol=1e-12)
    on = udf(fan.mean(axis=1), fan)
    np.testing.assert_allclose(on.dist, 0, atol=4e-15)
    slopes = jax.jit(jax.grad(lambda p: jnp.sum(udf(p, flat).dist)))(0 * where)
    assert np.all(np.isfinite(slopes))


def test_matches_the_closed_form_of_a_half_plane():
    """Of x <= 0, z = 0, as far as these points can see of it."""
    half = np.asarray([[[0, -100, 0], [0, 100, 0], [-200, 0, 0]]] * 12, float)
    points = np.random.default_rng(1).normal(size=(12, 3))
    want = np.hypot(np.maximum(points[:, 0], 0), points[:, 2])
    np.testing.assert_allclose(udf(points, half).dist, want, rtol=1e-12)


def test_bad_input_says_what_is_wrong():
    assert np.all(np.isnan(udf(POINTS, SOUP * np.nan).dist))
    with pytest.raises(ValueError, match="triangles has none"):
        point_triangle_udf(POINTS, SOUP[:0])
    with pytest.raises(ValueError, match="points has shape"):
        point_triangle_udf(POINTS[:, :2], SOUP)
