"""Laplacians of meshes: spherical harmonics, mean curvature, invariances, and matches against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.spatial

from geojax.manifolds.meshes import (
    cotan_laplacian,
    deformation_energy,
    match_sparse,
    orientation_penalty,
    projected_laplacian,
)
from geojax.transport import assignment

ROTATION = scipy.spatial.transform.Rotation.random(rng=np.random.default_rng(0)).as_matrix()


def icosphere(levels):
    """An icosahedron whose triangles are split in four, on the unit sphere, oriented outwards."""
    golden = (1 + 5**0.5) / 2
    points = np.asarray([[0, a, b * golden] for a in (-1, 1) for b in (-1, 1)], float)
    points = np.concatenate([np.roll(points, k, axis=1) for k in range(3)])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    faces = scipy.spatial.ConvexHull(points).simplices
    for _ in range(levels):
        edges = {tuple(sorted(e)) for f in faces for e in itertools.combinations(f, 2)}
        middle = np.asarray([points[list(e)].sum(0) for e in sorted(edges)])
        points = np.concatenate([points, middle / np.linalg.norm(middle, axis=1, keepdims=True)])
        faces = scipy.spatial.ConvexHull(points).simplices
    outward = np.einsum(
        "fc,fc->f", np.cross(*np.diff(points[faces], axis=1).transpose(1, 0, 2)), points[faces[:, 0]]
    )
    return points, np.where(outward[:, None] < 0, faces[:, ::-1], faces)


SPHERE, SPHERE_FACES = icosphere(2)
SMALL, SMALL_FACES = icosphere(0)
laplacian, projected, energy_of, penalty = (
    jax.jit(f) for f in (cotan_laplacian, projected_laplacian, deformation_energy, orientation_penalty)
)
BENT = SMALL * [1.0, 1.4, 0.7] + 0.2 * SMALL[:, [1, 2, 0]] ** 2  # no symmetry of its own


def test_matches_spherical_harmonics():
    found = laplacian(SPHERE, SPHERE_FACES)
    values = scipy.linalg.eigh(found.stiffness, np.diag(found.mass), eigvals_only=True)
    np.testing.assert_allclose(values[:9], [0, 2, 2, 2, 6, 6, 6, 6, 6], rtol=0.05, atol=1e-10)
    np.testing.assert_allclose(np.sum(found.stiffness, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.sum(found.mass), 4 * np.pi, rtol=0.05)


def test_law_normal_part_is_twice_the_mean_curvature_and_turns_with_the_mesh():
    bend = np.einsum("ijc,jc->i", projected(3 * SPHERE, SPHERE_FACES), 3 * SPHERE)
    # On average over the area: at the twelve vertices of five triangles a third of these is not the area that L sees.
    mass = laplacian(SPHERE, SPHERE_FACES).mass
    np.testing.assert_allclose(np.asarray(mass) @ bend / np.sum(mass), 2 / 3, rtol=0.02)
    np.testing.assert_allclose(np.median(bend), 2 / 3, rtol=0.02)
    turned = projected(BENT @ ROTATION.T + 1.0, SMALL_FACES)
    np.testing.assert_allclose(turned, np.asarray(projected(BENT, SMALL_FACES)) @ ROTATION.T, atol=1e-10)


def test_law_energy_is_invariant_and_zero_at_the_true_match():
    rng = np.random.default_rng(1)
    order = rng.permutation(12)
    back = np.argsort(order)
    copy, copied_faces = BENT[order], back[SMALL_FACES]
    truth, wrong = np.eye(12)[back], np.eye(12)[rng.permutation(12)]
    motion = 5 * copy @ ROTATION.T + 2.0
    for match, zero in ((truth, True), (wrong, False)):
        plain = float(energy_of(match, BENT, SMALL_FACES, copy, copied_faces))
        moved = float(energy_of(match, 0.3 * BENT, SMALL_FACES, motion, copied_faces))
        np.testing.assert_allclose(moved, plain, rtol=1e-9, atol=1e-18)
        assert (plain < 1e-20) == zero
    # A mirror image keeps the Laplacian; only the orientation tells.
    mirror = copy * [-1.0, 1.0, 1.0]
    assert float(energy_of(truth, BENT, SMALL_FACES, mirror, copied_faces)) < 1e-20
    np.testing.assert_allclose(penalty(truth, BENT, SMALL_FACES, copy, copied_faces), 0, atol=1e-14)
    outward = copied_faces[:, ::-1]
    np.testing.assert_allclose(penalty(truth, BENT, SMALL_FACES, mirror, outward), 1, rtol=1e-12)


def test_energy_matches_its_formula_in_numpy():
    """Both terms: the whole gap between the Laplacians, and its part along the matched normals."""
    rng = np.random.default_rng(3)
    other = BENT + 0.1 * rng.normal(size=BENT.shape)
    match = rng.dirichlet(np.ones(12), size=12)
    sides = []
    for vertices in (BENT, other):
        found = laplacian(vertices, SMALL_FACES)
        area = np.sum(found.mass)
        sides.append((np.asarray(found.stiffness), np.asarray(found.mass) / area, vertices / np.sqrt(area)))
    (stiffness_a, mass_a, _), (stiffness_b, mass_b, positions) = sides
    corners = other[SMALL_FACES]
    crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(other)
    for face, normal in zip(SMALL_FACES, crossed):
        normals[face] += normal
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    gap = (stiffness_a @ match @ positions) / mass_a[:, None] - match @ (
        stiffness_b @ positions / mass_b[:, None]
    )
    along = np.einsum("ic,ic->i", gap, match @ normals)
    want = (np.sum(mass_a[:, None] * gap**2) + np.sum(mass_a * along**2)) / 2
    np.testing.assert_allclose(energy_of(match, BENT, SMALL_FACES, other, SMALL_FACES), want, rtol=1e-10)


def test_match_sparse_matches_brute_force_and_finds_a_planted_match():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5, 5))

    def energy(p):
        return jnp.sum(jnp.square(a @ p - p @ b))

    found = match_sparse(energy, np.ones((5, 5)) / 5, assign=assignment)
    brute = {
        p: float(np.sum((a @ np.eye(5)[list(p)] - np.eye(5)[list(p)] @ b) ** 2))
        for p in itertools.permutations(range(5))
    }
    best = min(brute, key=lambda p: brute[p])
    np.testing.assert_array_equal(found.assignment, best)
    np.testing.assert_allclose(found.energy, brute[best], rtol=1e-12)
    # Nine landmarks: the relaxed way, on points with distances that tell them apart.
    x = rng.normal(size=(9, 2))
    order = rng.permutation(9)
    d1, d2 = (np.linalg.norm(y[:, None] - y, axis=2) for y in (x, x[order]))
    start = np.exp(-np.abs(np.sort(d1)[:, None] - np.sort(d2)).sum(2))
    start = start / start.sum(1, keepdims=True)
    found = match_sparse(lambda p: jnp.sum(jnp.square(d1 @ p - p @ d2)), start, assign=assignment)
    np.testing.assert_array_equal(found.assignment, np.argsort(order))


def test_gradient_matches_differences():
    change = np.random.default_rng(0).normal(size=BENT.shape)
    match = np.full((12, 12), 1 / 24) + np.eye(12) / 2

    @jax.jit
    def function(t):
        moved = BENT + t * change
        return (
            energy_of(match, moved, SMALL_FACES, SMALL + t * change, SMALL_FACES)
            + penalty(match + t * 0.01, moved, SMALL_FACES, SMALL, SMALL_FACES)
            + jnp.sum(jnp.sin(projected(moved, SMALL_FACES)))
        )

    want = float(function(1e-5) - function(-1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.0)), want, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    assert np.any(np.isnan(laplacian(SMALL * np.nan, SMALL_FACES).stiffness))
    with pytest.raises(TypeError, match="faces has dtype float"):
        cotan_laplacian(SMALL, SMALL_FACES * 1.0)
    with pytest.raises(ValueError, match="vertices_b has shape"):
        deformation_energy(np.eye(12), SMALL, SMALL_FACES, SMALL[:5], SMALL_FACES)
    with pytest.raises(ValueError, match="match_sparse: init has shape"):
        match_sparse(jnp.sum, np.ones((2, 3)), assign=assignment)
