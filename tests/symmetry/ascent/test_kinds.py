"""Kinds of compact group: every operation against explicit matrices, and the best element against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.symmetry.action.groups import ORTHOGONAL, PERMUTATION, SIGN
from geojax.symmetry.ascent import kinds
from geojax.symmetry.ascent.kinds import ROTATION, SIGNED

N = 4
PERMUTATIONS = [list(p) for p in itertools.permutations(range(N))]
FLIPS = [[N * f for f in flips] for flips in itertools.product((0, 1), repeat=N)]
ALL = {
    PERMUTATION: np.array(PERMUTATIONS),
    SIGN: np.arange(N) + np.array(FLIPS),
    SIGNED: np.array([np.add(p, f) for p in PERMUTATIONS for f in FLIPS]),
}
each_kind = pytest.mark.parametrize("kind", ALL)
RANDOM = np.random.default_rng(0)


def matrices(kind, signed=True):
    """The matrix of every element: row i holds 1 or -1 in the column of the old unit at new place i."""
    codes = ALL[kind]
    result = np.zeros((len(codes), N, N))
    sign = np.where(codes >= N, -1.0 if signed else 1.0, 1.0)
    np.put_along_axis(result, (codes % N)[..., None], sign[..., None], axis=2)
    return result


@each_kind
def test_the_best_element_equals_brute_force(kind):
    products = RANDOM.normal(size=(6, N, N))

    @jax.jit
    def best_scores(products):
        gains = kinds.gains_of(kind, products, signed=True)
        return kinds.score(kind, gains, kinds.best(kind, gains))

    reached = np.asarray(best_scores(products)).sum(axis=-1)
    of_all = np.einsum("gij,eij->ge", products, matrices(kind))
    np.testing.assert_allclose(reached, of_all.max(axis=1), rtol=1e-12)


@each_kind
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_elements_act_as_their_matrices(kind, signed):
    x = RANDOM.normal(size=(N, 3))
    codes = jnp.asarray(ALL[kind], jnp.int32)

    @jax.jit
    def act(codes):
        moved = jax.vmap(lambda value: kinds.apply(kind, value, jnp.asarray(x), 0, [], signed))(codes)
        return moved, kinds.matrix(kind, kinds.coordinates(kind, codes, jnp.float64), signed)

    moved, as_matrices = act(codes)
    np.testing.assert_array_equal(moved, matrices(kind, signed) @ x)
    np.testing.assert_array_equal(as_matrices, matrices(kind, signed))


@each_kind
def test_the_centre_is_the_mean_of_all_elements(kind):
    codes = jnp.asarray(ALL[kind], jnp.int32)
    mean = np.mean(kinds.coordinates(kind, codes, jnp.float64), axis=0)
    np.testing.assert_allclose(kinds.centre(kind, codes[0], jnp.float64), mean, atol=1e-15)


@each_kind
def test_the_score_is_the_product_of_gains_and_coordinates(kind):
    gains = RANDOM.normal(size=(N, kinds.num_columns(kind, N)))
    codes = jnp.asarray(ALL[kind][5], jnp.int32)
    expected = np.sum(gains * kinds.coordinates(kind, codes, jnp.float64), axis=-1)
    np.testing.assert_allclose(kinds.score(kind, jnp.asarray(gains), codes), expected, rtol=1e-15)


def test_orthogonal_elements_equal_scipys_procrustes_and_rotations_have_determinant_one():
    """The best rotation loses twice the smallest singular value if the best orthogonal matrix is a reflection."""
    both = jax.jit(lambda products: [kinds.best(kind, products) for kind in (ORTHOGONAL, ROTATION)])
    for products in RANDOM.normal(size=(8, N, N)):
        best, total = scipy.linalg.orthogonal_procrustes(np.eye(N), products)
        orthogonal, rotation = map(np.asarray, both(products))
        np.testing.assert_allclose(orthogonal, best, atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(rotation), 1, rtol=1e-12)
        loss = 2 * np.linalg.svd(products)[1][-1] if np.linalg.det(best) < 0 else 0
        np.testing.assert_allclose(np.sum(rotation * products), total - loss, rtol=1e-10)


def test_gains_that_are_not_finite_give_the_identity():
    names = (*ALL, ORTHOGONAL)
    gains = [np.full((N, kinds.num_columns(kind, N)), np.nan) for kind in names]
    chosen = jax.jit(lambda gains: [kinds.best(kind, each) for kind, each in zip(names, gains)])(gains)
    for kind, best in zip(names, chosen, strict=True):
        np.testing.assert_array_equal(best, kinds.identity_of(kind, (N,), jnp.float64))
