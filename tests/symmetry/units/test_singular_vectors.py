"""Singular-vector alignment: what permutations change, against numpy's decompositions."""

import jax
import numpy as np
import pytest

from geojax.symmetry.action.acting import act
from geojax.symmetry.units.singular_vectors import singular_alignment
from tests.symmetry.inference.handmade import mlp, plant

RANDOM = np.random.default_rng(0)
alignment = jax.jit(singular_alignment)


def test_it_is_the_sum_over_pairs_of_singular_vectors():
    for a, b in RANDOM.normal(size=(8, 2, 5, 4)):
        b = a + b
        (u, s, vt), (x, t, yt) = np.linalg.svd(a, full_matrices=False), np.linalg.svd(b, full_matrices=False)
        expected = np.einsum("i,j,ij,ij->", s, t, u.T @ x, vt @ yt.T) / (s @ t)
        np.testing.assert_allclose(alignment(a, b), expected, rtol=1e-12)


def test_law_between_0_and_1_and_unchanged_by_rotations_of_both():
    a, b = RANDOM.normal(size=(2, 32, 5, 4))
    left, right = (np.linalg.qr(RANDOM.normal(size=(32, n, n)))[0] for n in (5, 4))
    moved = (left @ a @ right, left @ b @ right)
    pairs = ((a, b), moved, (a, a @ a.transpose(0, 2, 1) @ a), (a, -a))
    first, second = (np.stack(each) for each in zip(*pairs))
    here, there, same, opposite = np.asarray(jax.jit(jax.vmap(jax.vmap(singular_alignment)))(first, second))
    assert np.all((here >= 0) & (here <= 1))
    assert np.mean(here) < 0.3
    np.testing.assert_allclose(there - here, 0, atol=1e-12)
    np.testing.assert_allclose(same, 1, rtol=1e-12)
    np.testing.assert_array_equal(opposite, 0)


def test_a_planted_permutation_is_undone_to_alignment_one_with_the_singular_values_it_had():
    spec = mlp([30, 6, 5, 3])

    @jax.jit
    def law(key):
        a, b, planted = plant(spec, key)
        moved = act(spec, planted, b)
        aligned = [singular_alignment(a[layer]["w"], moved[layer]["w"]) for layer in "012"]
        return b, moved, aligned, singular_alignment(a["1"]["w"], b["1"]["w"])

    b, moved, aligned, before = law(jax.random.key(1))
    for layer in "012":
        values = [np.linalg.svd(p[layer]["w"], compute_uv=False) for p in (b, moved)]
        np.testing.assert_allclose(*values, rtol=1e-6)
    np.testing.assert_allclose(aligned, 1, rtol=1e-12)
    assert before < 0.9


def test_zeros_nan_and_shapes():
    assert alignment(np.zeros((5, 4)), np.ones((5, 4))) == 0
    assert np.isnan(alignment(np.full((5, 4), np.nan), np.ones((5, 4))))
    with pytest.raises(ValueError, match="singular_alignment: weight_b"):
        singular_alignment(np.ones((3, 2)), np.ones((2, 3)))
