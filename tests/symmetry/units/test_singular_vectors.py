"""Singular-vector alignment: what permutations change, against numpy's decompositions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.units.singular_vectors import singular_alignment
from tests.symmetry.inference.handmade import mlp, plant

KEYS = jax.random.split(jax.random.key(0), 32)


def test_it_is_the_sum_over_pairs_of_singular_vectors():
    pairs = np.asarray(jax.random.normal(KEYS[0], (8, 2, 5, 4)))
    alignment = jax.jit(singular_alignment)
    for a, b in pairs:
        b = a + b
        (u, s, vt), (x, t, yt) = np.linalg.svd(a, full_matrices=False), np.linalg.svd(b, full_matrices=False)
        expected = np.einsum("i,j,ij,ij->", s, t, u.T @ x, vt @ yt.T) / (s @ t)
        np.testing.assert_allclose(alignment(a, b), expected, rtol=1e-12)


def test_law_between_0_and_1_and_unchanged_by_rotations_of_both():
    @jax.vmap
    def law(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        a, b = jax.random.normal(k1, (5, 4)), jax.random.normal(k2, (5, 4))
        left, right = jax.random.orthogonal(k3, 5), jax.random.orthogonal(k4, 4)
        here, there = singular_alignment(a, b), singular_alignment(left @ a @ right, left @ b @ right)
        scaled = a @ a.T @ a
        return here, there - here, singular_alignment(a, scaled), singular_alignment(a, -a)

    here, change, same, opposite = law(KEYS)
    assert np.all((here >= 0) & (here <= 1))
    assert np.mean(here) < 0.3
    np.testing.assert_allclose(change, 0, atol=1e-12)
    np.testing.assert_allclose(same, 1, rtol=1e-12)
    np.testing.assert_array_equal(opposite, 0)


def test_a_planted_permutation_is_undone_to_alignment_one_with_the_singular_values_it_had():
    spec = mlp([30, 6, 5, 3])
    a, b, planted = plant(spec, jax.random.key(1))
    moved = act(spec, planted, b)
    for layer in "012":
        values = [np.linalg.svd(p[layer]["w"], compute_uv=False) for p in (b, moved)]
        np.testing.assert_allclose(*values, rtol=1e-6)
        np.testing.assert_allclose(singular_alignment(a[layer]["w"], moved[layer]["w"]), 1, rtol=1e-12)
    assert singular_alignment(a["1"]["w"], b["1"]["w"]) < 0.9


def test_zeros_nan_and_shapes():
    assert singular_alignment(jnp.zeros((3, 2)), jnp.ones((3, 2))) == 0
    assert jnp.isnan(singular_alignment(jnp.full((3, 2), jnp.nan), jnp.ones((3, 2))))
    with pytest.raises(ValueError, match="singular_alignment: weight_b"):
        singular_alignment(jnp.ones((3, 2)), jnp.ones((2, 3)))
