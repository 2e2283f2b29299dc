"""Kendall's shapes: the laws, scipy's Procrustes distance, the sphere of triangles, shapes without a best rotation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.spatial

from geojax.manifolds import ShapeSpace
from tests.manifolds import laws

SPACE, SHAPE = ShapeSpace(), (4, 3)
OPERATIONS = ("exp", "log", "dist", "squared_dist")


def rotation(seed, m=3):
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(m, m)))[0]
    return jnp.asarray(q * np.linalg.det(q) if m % 2 else q @ np.diag([np.linalg.det(q), 1]))


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=0.2)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_shapes(dtype, order):
    """Equal shapes, flat and straight ones, the same singular values, mirror images, and the cut locus."""

    def points(dtype):
        def shape(*rows):
            return SPACE.project(jnp.asarray(rows, dtype))

        x = shape([1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.2, 0.1])
        even = shape([1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])
        flat = shape([1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0])
        straight = shape([1, 0, 0], [2, 0, 0], [3, 0, 0], [5, 0, 0])
        mirror = jnp.asarray([1, 1, -1], dtype)
        pairs = {
            "x = y": (x, x),
            "near": (x, x + jnp.asarray(1e-8, dtype) * x[::-1]),
            "equal singular values": (even, even),
            "mirrored": (x, x * mirror),
            "mirrored with equal singular values": (even, even * mirror),
            "flat": (flat, flat),
            "straight": (straight, straight),
            "straight and flat": (straight, flat),
        }
        return {name: (a, b, 0.1 * SPACE.to_tangent(a, x[::-1])) for name, (a, b) in pairs.items()}

    laws.check_finite(SPACE, points, dtype, order, operations=OPERATIONS)


def test_dist_matches_scipy():
    """The disparity of scipy's procrustes is sin^2 of the distance where no reflection is better."""
    for seed in range(8):
        a, b = np.random.default_rng(seed).normal(size=(2, 4, 3))
        x, y = (SPACE.project(jnp.asarray(p)) for p in (a, b))
        turn, _ = scipy.linalg.orthogonal_procrustes(y, x)
        if np.linalg.det(turn) < 0:
            y = y.at[:, 0].multiply(-1)
        disparity = scipy.spatial.procrustes(a, np.asarray(y))[2]
        np.testing.assert_allclose(jnp.sin(SPACE.dist(x, y)) ** 2, disparity, rtol=1e-10)


def test_triangles_in_the_plane_are_a_sphere_of_radius_one_half():
    """Kendall: complex numbers z of norm 1 modulo phase; dist = arccos |<z, w>|."""
    for seed in range(4):
        x, y = (SPACE.random_point(jax.random.key(k), (3, 2)) for k in (2 * seed, 2 * seed + 1))
        z, w = (p[:, 0] + 1j * p[:, 1] for p in (np.asarray(x), np.asarray(y)))
        np.testing.assert_allclose(SPACE.dist(x, y), np.arccos(abs(np.vdot(z, w))), rtol=1e-12)
    assert SPACE.dimension(x) == 2
    # An equilateral triangle and its mirror image are poles.
    corners = SPACE.project(jnp.asarray([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]]))
    mirrored = corners * jnp.asarray([1.0, -1.0])
    np.testing.assert_allclose(SPACE.dist(corners, mirrored), np.pi / 2, rtol=1e-12)
    assert not SPACE.log_with_info(corners, mirrored).unique
    assert SPACE.log_with_info(x, y).unique


def test_law_invariance():
    """Distances see no rotation, and log turns with x and not with y."""
    x, y = (SPACE.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    turn = rotation(3)
    np.testing.assert_allclose(SPACE.dist(x @ turn, y), SPACE.dist(x, y), rtol=1e-12)
    np.testing.assert_allclose(SPACE.log(x, y @ turn), SPACE.log(x, y), atol=1e-13)
    np.testing.assert_allclose(SPACE.log(x @ turn, y), SPACE.log(x, y) @ turn, atol=1e-13)
    assert float(SPACE.dist(x, x @ turn)) < 1e-14
    vertical = x @ jnp.asarray([[0.0, 1.0, 0.0], [-1.0, 0.0, 2.0], [0.0, -2.0, 0.0]])
    np.testing.assert_allclose(SPACE.to_tangent(x, vertical), 0, atol=1e-13)


def test_gradient_matches_differences_through_the_rotation():
    """Of the logarithm too, whose derivative needs that of the best rotation, a reflection in play."""
    x, other = (SPACE.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    for y in (other, other * jnp.asarray([1.0, 1.0, -1.0])):
        step = jax.random.normal(jax.random.key(2), SHAPE)
        _, got = jax.jvp(lambda y: SPACE.log(x, y), (y,), (step,))
        want = (SPACE.log(x, y + 1e-6 * step) - SPACE.log(x, y - 1e-6 * step)) / 2e-6
        np.testing.assert_allclose(got, want, atol=1e-7)


def test_bad_input_says_what_is_wrong():
    x = SPACE.random_point(jax.random.key(0), SHAPE)
    with pytest.raises(ValueError, match=r"rank 1.*expected \[k, m\]"):
        SPACE.project(jnp.ones(3))
    with pytest.raises(ValueError, match="off the manifold"):
        SPACE.check_point(x + 1)
    with pytest.raises(ValueError, match="off the tangent space"):
        SPACE.check_tangent(x, x @ jnp.asarray([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert jnp.all(jnp.isnan(SPACE.project(jnp.ones((4, 3)))))
