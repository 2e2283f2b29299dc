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


def restored_from_factors(layers, num):
    """Task vectors of adapters as pairs of factors, and the squared error: nothing has the shape of a dense product."""
    gram = sum(low_rank_gram(factors) for factors in layers)
    ends = [np.cumsum([0, *(len(a) for _, a in factors)]) for factors in layers]
    stack = [
        jnp.stack(
            [jnp.zeros((e[-1], a.shape[1]), a.dtype).at[e[i] : e[i + 1]].set(a) for i, (_, a) in enumerate(f)]
        )
        for f, e in zip(layers, ends)
    ]
    merged = reversible_merge(dict(enumerate(stack)), num=num, gram=gram)
    right = [revert(merged, i) for i in range(len(gram))]
    left = [jnp.concatenate([b for b, _ in factors], axis=1) for factors in layers]
    return left, right, merged.squared_error


def adapters(dtype):
    """Two layers of four tasks, whose ranks differ; the tasks share a direction."""
    random = np.random.default_rng(3)
    shared = [random.normal(size=(40, 1)), random.normal(size=(50, 1))]

    def factors(m, rank, common):
        return (
            np.concatenate([common, 0.3 * random.normal(size=(m, rank))], 1).astype(dtype),
            random.normal(size=(rank + 1, m + 3)).astype(dtype),
        )

    return [[factors(len(common), rank, common) for rank in (1, 2, 3, 2)] for common in shared]


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num", [2, 4])
def test_adapters_of_low_rank_are_restored_from_their_factors(num, dtype):
    layers = adapters(dtype)
    rows = np.stack(
        [np.concatenate([np.ravel(f[i][0].astype(float) @ f[i][1]) for f in layers]) for i in range(4)]
    )
    left, right, error = jax.jit(restored_from_factors, static_argnums=1)(layers, num)
    found = np.stack(
        [
            np.concatenate([np.ravel(np.asarray(b, float) @ part[j]) for j, b in enumerate(left)])
            for part in right
        ]
    )
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    rounding = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, (u[:, :num] * s[:num]) @ vt[:num], atol=rounding * s[0])
    np.testing.assert_allclose(error, np.sum(s[num:] ** 2), atol=rounding * s[0] ** 2)
    assert error.dtype == dtype
    np.testing.assert_allclose(np.sum((found - rows) ** 2), np.sum(s[num:] ** 2), atol=rounding * s[0] ** 2)


def test_adapters_are_restored_without_a_dense_product():
    text = str(jax.make_jaxpr(restored_from_factors, static_argnums=1)(adapters(np.float64), 2))
    assert "f64[12,43]" in text, "the stack of the second factors"
    assert "[40,43]" not in text
    assert "[50,53]" not in text


def test_a_gram_matrix_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"gram has shape \[3, 3\]; expected \[4, 4\]"):
        reversible_merge(jnp.ones((4, 6)), num=1, gram=jnp.eye(3))
    with pytest.raises(TypeError, match="gram"):
        reversible_merge(jnp.ones((4, 6)), num=1, gram="eye")
