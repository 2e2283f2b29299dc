"""Generalised normal coordinates: an orthonormal chart, exact momentum to second order, structure kept, no inverses."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import SPDAffineInvariant
from geojax.optim import (
    diagonal_structure,
    generalized_normal_coords,
    hierarchical_structure,
    spd_momentum_step,
    symmetric_structure,
    triangular_structure,
)

STRUCTURES = {
    "symmetric": (symmetric_structure, lambda z: (z + z.T) / 2),
    "diagonal": (diagonal_structure, lambda z: jnp.diag(jnp.diag(z))),
    "triangular": (triangular_structure, jnp.tril),
    "hierarchical": (partial(hierarchical_structure, first=1, last=1), jnp.triu),
}
COVARIANCE = jnp.asarray([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.5]])


def gradient_by(s):
    """Of tr(C^-1 S) - log det S, the divergence of Gaussians, least at S = C."""
    return jnp.linalg.inv(COVARIANCE) - jnp.linalg.inv(s)


@pytest.mark.parametrize("structure, projected", STRUCTURES.values(), ids=STRUCTURES)
def test_law_the_metric_is_the_identity_in_the_coordinates(structure, projected):
    """tr(S^-1 dS S^-1 dS') = <dz, dz'> at z = 0, for any factor in the structure."""
    factor = projected(jax.random.normal(jax.random.key(0), (3, 3))) + 3 * jnp.eye(3)
    dz = [projected(jax.random.normal(jax.random.key(k), (3, 3))) for k in (1, 2)]

    def matrix(z):
        b = generalized_normal_coords(factor, z, structure=structure)
        return b @ b.T

    s = matrix(jnp.zeros((3, 3)))
    ds = [jnp.linalg.solve(s, jax.jvp(matrix, (jnp.zeros((3, 3)),), (d,))[1]) for d in dz]
    np.testing.assert_allclose(jnp.trace(ds[0] @ ds[1]), jnp.vdot(*dz), rtol=1e-9)


def test_matches_exact_riemannian_momentum_to_second_order():
    """Two steps beside exp and parallel transport: the difference falls like the cube of the rate."""
    manifold, start = SPDAffineInvariant(), jnp.diag(jnp.asarray([1.0, 2.0, 3.0])) + 0.3

    def difference(rate):
        s, moment = start, jnp.zeros((3, 3))
        factor, m = jnp.linalg.cholesky(start), jnp.zeros((3, 3))
        for _ in range(2):
            moment = 0.9 * moment + s @ gradient_by(s) @ s
            following = manifold.exp(s, -rate * moment)
            moment = manifold.parallel_transport(s, following, moment)
            s = following
            factor, m = spd_momentum_step(factor, m, gradient_by(factor @ factor.T), learning_rate=rate)
        return jnp.linalg.norm(factor @ factor.T - s)

    coarse, fine = (float(difference(rate)) for rate in (4e-3, 2e-3))
    np.testing.assert_allclose(np.log2(coarse / fine), 3, atol=0.2)


@pytest.mark.parametrize("structure, projected", STRUCTURES.values(), ids=STRUCTURES)
def test_converges_to_the_covariance_of_a_gaussian_in_the_structure(structure, projected):
    def step(carry, _):
        factor, m = carry
        gradient = gradient_by(factor @ factor.T)
        return spd_momentum_step(factor, m, gradient, learning_rate=0.1, decay=0.6, structure=structure), None

    (factor, _), _ = jax.jit(lambda a: jax.lax.scan(step, (a, 0 * a), length=200))(jnp.eye(3))
    if structure is symmetric_structure:
        np.testing.assert_allclose(factor @ factor.T, COVARIANCE, atol=1e-8)
    elif projected is jnp.triu:  # one dense corner of size 1 at each end of a triangle of size 3 is all of it
        np.testing.assert_allclose(factor @ factor.T, COVARIANCE, atol=1e-8)
        np.testing.assert_array_equal(factor, jnp.triu(factor))
    elif structure is triangular_structure:
        np.testing.assert_allclose(factor, jnp.linalg.cholesky(COVARIANCE), atol=1e-8)
    else:  # the closest diagonal matrix in that divergence
        want = jnp.diag(1 / jnp.diag(jnp.linalg.inv(COVARIANCE)))
        np.testing.assert_allclose(factor @ factor.T, want, atol=1e-8)


@pytest.mark.parametrize("structure, projected", STRUCTURES.values(), ids=STRUCTURES)
def test_law_reckless_bfloat16_steps_stay_definite_without_any_inverse(structure, projected):
    factor, m = jnp.eye(3, dtype=jnp.bfloat16), jnp.zeros((3, 3), jnp.bfloat16)
    for k in range(5):
        g = jax.random.normal(jax.random.key(k), (3, 3), jnp.bfloat16)
        factor, m = spd_momentum_step(factor, m, g + g.T, learning_rate=0.5, structure=structure)
        assert factor.dtype == m.dtype == jnp.bfloat16
        assert abs(float(jnp.linalg.det(factor.astype(jnp.float64)))) > 0
        if structure is not symmetric_structure:
            np.testing.assert_array_equal(factor, projected(factor))
    used = str(
        jax.make_jaxpr(lambda *a: spd_momentum_step(*a, learning_rate=0.1, structure=structure))(factor, m, m)
    )
    assert not re.search(r"\b(triangular_solve|custom_linear_solve|lu|cholesky|eigh|svd|qr)\b", used)


def test_bad_input_says_what_is_wrong():
    eye = jnp.eye(3)
    with pytest.raises(ValueError, match="spd_momentum_step: gradient has shape"):
        spd_momentum_step(eye, eye, jnp.eye(2), learning_rate=0.1)
    with pytest.raises(ValueError, match="triangular_structure: z has shape"):
        triangular_structure(jnp.ones((2, 3)))
    moved, _ = spd_momentum_step(eye, eye, eye * jnp.nan, learning_rate=0.1)
    assert jnp.any(jnp.isnan(moved))


def test_law_hierarchical_matrices_are_closed_and_orthonormal():
    """With a dense block of two and a diagonal of three: zeros stay where they are, through inverses too."""
    structure = partial(hierarchical_structure, first=2, last=0)
    free = np.block([[np.ones((2, 2)), np.ones((2, 3))], [np.zeros((3, 2)), np.eye(3)]])
    z = jax.random.normal(jax.random.key(3), (5, 5)) * free
    z = z.at[:2, :2].set((z + z.T)[:2, :2] / 2)
    n = structure(z)
    np.testing.assert_allclose(jnp.linalg.norm(n + n.T), jnp.linalg.norm(z), rtol=1e-12)
    factor = generalized_normal_coords(jnp.eye(5), z, structure=structure)
    moved = generalized_normal_coords(factor, 2 * z[::-1, ::-1].T * free, structure=structure)
    for matrix in (moved, jnp.linalg.inv(moved)):
        assert jnp.all(matrix[free == 0] == 0)
    assert jnp.linalg.det(moved) > 0
    with pytest.raises(ValueError, match="first \\+ last is 6"):
        hierarchical_structure(z, first=3, last=3)
