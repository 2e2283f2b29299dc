"""X-shaped and low-rank preconditioners: numpy's criterion, descent inside the group, |H|^-1 where they can hold it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.optim import LowRankGroup, XMatrixGroup, group_step, psgd_criterion

SHAPE = (2, 3)
GROUPS = {"x-matrix": XMatrixGroup(), "low rank": LowRankGroup(rank=2)}


def matrix_of(group, q, shape=SHAPE):
    """Q as a matrix, column by column."""
    size = int(np.prod(shape))
    return jax.vmap(lambda c: group.act(q, c).ravel())(jnp.eye(size).reshape(size, *shape)).T


def random_element(group, key, shape=SHAPE):
    """Some element of the group, from a few steps."""
    q = group.identity(jnp.zeros(shape))
    for k in jax.random.split(key, 4):
        q = group_step(group, q, *jax.random.normal(k, (2, *shape)), rate=0.5)
    return q


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("shape", [SHAPE, (5,)], ids=str)
def test_matches_numpy(group, shape):
    q = random_element(group, jax.random.key(0), shape)
    v, h = jax.random.normal(jax.random.key(1), (2, *shape))
    dense = np.asarray(matrix_of(group, q, shape))
    p = dense.T @ dense
    assert np.linalg.norm(dense - np.diag(np.diag(dense))) > 0.1
    want = h.ravel() @ p @ h.ravel() + v.ravel() @ np.linalg.inv(p) @ v.ravel()
    np.testing.assert_allclose(psgd_criterion(group, q, v, h), want, rtol=1e-9)
    np.testing.assert_allclose(group.act_transposed(q, v).ravel(), dense.T @ v.ravel(), atol=1e-12)


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_law_steps_descend_and_stay_in_the_group(group):
    q = random_element(group, jax.random.key(2))
    v, h = jax.random.normal(jax.random.key(3), (2, *SHAPE))
    after = psgd_criterion(group, group_step(group, q, v, h, rate=1e-3), v, h)
    assert after < psgd_criterion(group, q, v, h)
    # Far-out probes at a bold rate: invertible on the side of the unit element, and of the same form.
    for k in jax.random.split(jax.random.key(4), 8):
        v, h = jax.random.normal(k, (2, *SHAPE)) * jnp.asarray([1e-3, 1e3])[:, None, None]
        q = group_step(group, q, v, h, rate=0.9)
        dense = np.asarray(matrix_of(group, q))
        assert np.linalg.det(dense) > 0
        if isinstance(group, XMatrixGroup):
            np.testing.assert_array_equal(dense[(np.eye(6) + np.eye(6)[::-1]) == 0], 0)
        else:
            assert np.linalg.matrix_rank(dense / np.asarray(q[2]) - np.eye(6)) <= 2


def hessians():
    """An indefinite X-shaped matrix; a diagonal one and two of rank one, seen through diagonal scales."""
    x = np.diag([3.0, -0.2, 1.0, 20.0, 0.5, 2.0]) + np.diag([1.0, 0.3, 0.1, 0.1, 0.3, 1.0])[::-1]
    w = np.random.default_rng(0).normal(size=(6, 2))
    scales = np.asarray([0.1, 0.3, 1.0, 3.0, 1.0, 0.5])
    return {"x-matrix": x, "low rank": scales[:, None] * (np.eye(6) + w @ w.T) * scales}


@pytest.mark.parametrize("name", GROUPS)
def test_law_the_preconditioner_becomes_the_inverse_of_the_absolute_hessian(name):
    group, hessian = GROUPS[name], jnp.asarray(hessians()[name])
    # A definite one is met exactly at any rate, an indefinite one in the limit of small rates.
    rates = np.full(6000, 0.3) if name == "low rank" else np.geomspace(0.5, 1e-3, 6000)

    def step(q, inputs):
        v, rate = inputs
        return group_step(group, q, v, hessian @ v, rate=rate), None

    probes = jax.random.normal(jax.random.key(6), (6000, 6))
    start = group.identity(jnp.zeros(6))
    q, _ = jax.jit(lambda: jax.lax.scan(step, start, (probes, rates)))()
    dense = np.asarray(matrix_of(group, q, (6,)))
    values = np.linalg.eigvals(dense.T @ dense @ hessian).real
    np.testing.assert_allclose(np.abs(values), 1, atol=1e-4 if name == "low rank" else 0.1)


def test_law_linear_changes_inside_the_group_carry_the_steps_along():
    group = XMatrixGroup()
    q, change = (random_element(group, jax.random.key(k), (6,)) for k in (7, 8))
    v, h = jax.random.normal(jax.random.key(9), (2, 6))
    dense = jnp.asarray(matrix_of(group, change, (6,)))
    turned = matrix_of(group, q, (6,)) @ jnp.linalg.inv(dense).T
    carried = jnp.diag(turned), jnp.diag(turned[:, ::-1])
    got = matrix_of(group, group_step(group, carried, jnp.linalg.solve(dense, v), dense.T @ h), (6,))
    want = matrix_of(group, group_step(group, q, v, h), (6,)) @ jnp.linalg.inv(dense).T
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="rank is 7"):
        LowRankGroup(rank=7).identity(jnp.zeros(SHAPE))
    with pytest.raises(ValueError, match="rank is 0"):
        LowRankGroup(rank=0).identity(jnp.zeros(SHAPE))
    for group in GROUPS.values():
        q = group.identity(jnp.zeros(SHAPE))
        nan = jnp.full(SHAPE, jnp.nan)
        assert jnp.isnan(psgd_criterion(group, q, nan, nan))
