"""Reversible merging against singular values: nothing keeps more in fewer vectors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import low_rank_gram, reversible_merge, revert

merge = jax.jit(reversible_merge, static_argnames="num")


def vectors(seed, count=5):
    random = np.random.default_rng(seed)
    return {"a": random.normal(size=(count, 3)), "b": random.normal(size=(count, 2, 4))}


def flat(stack):
    return np.concatenate(
        [np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(stack)], axis=1
    )


@functools.partial(jax.jit, static_argnums=1)
def reverted(merged, count):
    return jax.tree.map(lambda *x: jnp.stack(x), *(revert(merged, i) for i in range(count)))


@pytest.mark.parametrize("num", [1, 2, 5])
def test_error_is_the_tail_of_the_spectrum(num):
    for seed in range(3):
        stack = vectors(seed)
        merged = merge(stack, num=num)
        tail = np.linalg.svd(flat(stack), compute_uv=False)[num:]
        np.testing.assert_allclose(merged.squared_error, np.sum(tail**2), atol=1e-10)
        error = np.sum((flat(reverted(merged, 5)) - flat(stack)) ** 2)
        np.testing.assert_allclose(error, np.sum(tail**2), atol=1e-10)
        basis = flat(merged.basis)
        np.testing.assert_allclose(basis @ basis.T, np.eye(num), atol=1e-10)


def test_no_random_basis_does_better():
    stack = vectors(0)
    best, rows = float(merge(stack, num=2).squared_error), flat(stack)
    for seed in range(50):
        q = np.linalg.qr(np.random.default_rng(seed).normal(size=(rows.shape[1], 2)))[0]
        assert np.sum((rows - rows @ q @ q.T) ** 2) >= best


def test_order_of_tasks_and_identical_adapters():
    stack = vectors(1)
    turned = merge(jax.tree.map(lambda x: x[::-1], stack), num=2)
    np.testing.assert_allclose(
        flat(reverted(turned, 5))[::-1], flat(reverted(merge(stack, num=2), 5)), atol=1e-10
    )
    same = jnp.ones((4, 6))
    np.testing.assert_allclose(revert(reversible_merge(same, num=1), 2), 1, rtol=1e-12)
    beyond = reversible_merge(same, num=3)
    np.testing.assert_allclose(revert(beyond, 3), 1, rtol=1e-12)
    with pytest.raises(ValueError, match="at most 4"):
        reversible_merge(same, num=5)


def test_gram_of_factors_is_that_of_products():
    random = np.random.default_rng(2)
    factors = [(random.normal(size=(5, r)), random.normal(size=(r, 4))) for r in (1, 2, 3)]
    rows = np.stack([np.ravel(b @ a) for b, a in factors])
    np.testing.assert_allclose(jax.jit(low_rank_gram)(factors), rows @ rows.T, rtol=1e-12)
    with pytest.raises(ValueError, match="factors is empty"):
        low_rank_gram([])
    with pytest.raises(ValueError, match=r"factors\[1\] A"):
        low_rank_gram([factors[0], (factors[1][0], factors[2][1])])
