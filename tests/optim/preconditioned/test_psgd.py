"""Preconditioners in Lie groups: |H|^-1 on quadratics, closure, descent, equivariance; no damping at condition 1e4."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.optim import (
    DiagonalGroup,
    KroneckerGroup,
    LowRankGroup,
    TriangularGroup,
    XMatrixGroup,
    group_step,
    psgd_criterion,
    scale_by_psgd,
)

GROUPS = {"diagonal": DiagonalGroup(), "triangular": TriangularGroup(), "kronecker": KroneckerGroup()}
SHAPE = (2, 3)


def random_element(group, key):
    """Some element of the group, from a few steps."""
    q = group.identity(jnp.zeros(SHAPE))
    for k in jax.random.split(key, 3):
        v, h = jax.random.normal(k, (2, *SHAPE))
        q = group_step(group, q, v, h, rate=0.5)
    return q


def matrix_of(group, q):
    """Q as a matrix, column by column."""
    columns = jnp.eye(6).reshape(6, *SHAPE)
    return jax.vmap(lambda c: group.act(q, c).ravel())(columns).T


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_matches_numpy_on_the_criterion(group):
    q = random_element(group, jax.random.key(0))
    v, h = jax.random.normal(jax.random.key(1), (2, *SHAPE))
    dense = np.asarray(matrix_of(group, q))
    p = dense.T @ dense
    want = h.ravel() @ p @ h.ravel() + v.ravel() @ np.linalg.inv(p) @ v.ravel()
    np.testing.assert_allclose(psgd_criterion(group, q, v, h), want, rtol=1e-9)
    np.testing.assert_allclose(group.act_transposed(q, v).ravel(), dense.T @ v.ravel(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_law_steps_descend_and_stay_in_the_group(group):
    q = random_element(group, jax.random.key(2))
    v, h = jax.random.normal(jax.random.key(3), (2, *SHAPE))
    before = psgd_criterion(group, q, v, h)
    after = psgd_criterion(group, group_step(group, q, v, h, rate=1e-3), v, h)
    assert after < before
    # Far-out probes at a bold rate: no diagonal entry changes its sign.
    for k in jax.random.split(jax.random.key(4), 8):
        v, h = jax.random.normal(k, (2, *SHAPE)) * jnp.asarray([1e-6, 1e6])[:, None, None]
        q = group_step(group, q, v, h, rate=0.9)
        dense = matrix_of(group, q)
        assert jnp.all(jnp.diag(dense) > 0)
        np.testing.assert_allclose(dense, jnp.triu(dense), atol=1e-12 * float(jnp.max(jnp.abs(dense))))


@pytest.mark.parametrize("signs", [(1.0, 1.0, 1.0), (1.0, -1.0, 1.0)])
def test_law_the_preconditioner_becomes_the_inverse_of_the_absolute_hessian(signs):
    """Eigenvalues of P H are 1 or -1: exactly for a definite H, in the limit of small rates else."""
    frame = jnp.linalg.qr(jax.random.normal(jax.random.key(5), (3, 3)))[0]
    hessian = (frame * jnp.asarray(signs) * jnp.asarray([0.1, 1.0, 10.0])) @ frame.T
    group, steps, last = TriangularGroup(), 4000, 0.05 if min(signs) > 0 else 1e-3

    def step(q, inputs):
        v, rate = inputs
        return group_step(group, q, v, hessian @ v, rate=rate), None

    probes = jax.random.normal(jax.random.key(6), (steps, 3))
    q, _ = jax.jit(lambda: jax.lax.scan(step, jnp.eye(3), (probes, jnp.geomspace(0.3, last, steps))))()
    values = np.sort(np.linalg.eigvals(np.asarray(q.T @ q @ hessian)).real)
    np.testing.assert_allclose(values, np.sort(signs), atol=1e-6 if min(signs) > 0 else 0.1)


def test_law_linear_changes_inside_the_group_carry_the_steps_along():
    group = TriangularGroup()
    change = jnp.tril(jax.random.normal(jax.random.key(7), (3, 3))) + 3 * jnp.eye(3)
    q = jnp.triu(jax.random.normal(jax.random.key(8), (3, 3))) + 3 * jnp.eye(3)
    v, h = jax.random.normal(jax.random.key(9), (2, 3))
    inverse = jnp.linalg.inv(change)
    got = group_step(group, q @ inverse.T, inverse @ v, change.T @ h)
    np.testing.assert_allclose(got, group_step(group, q, v, h) @ inverse.T, atol=1e-9)


def test_no_damping_is_needed_at_condition_ten_thousand():
    """Descent on a quadratic of condition 1e4 once the preconditioner is fitted, at one rate for all groups."""
    scales = jnp.outer(jnp.asarray([1.0, 100.0]), jnp.asarray([0.01, 0.1, 1.0]))
    gradient = jax.grad(lambda p: sum(jnp.sum(scales * leaf**2) / 2 for leaf in p))
    groups = (KroneckerGroup(), TriangularGroup(), DiagonalGroup(), XMatrixGroup(), LowRankGroup(rank=1))
    optimiser = optax.chain(
        scale_by_psgd(groups, key=jax.random.key(10), rate=0.5, update_prob=0.9),
        optax.scale_by_learning_rate(lambda step: jnp.where(jnp.asarray(step) < 1500, 0.0, 0.2)),
    )
    params = tuple(jnp.ones(SHAPE) for _ in groups)

    def step(carry, _):
        params, state = carry
        updates, state = optimiser.update(gradient(params), state, params, gradient=gradient)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.jit(lambda p: jax.lax.scan(step, (p, optimiser.init(p)), length=1700))(params)
    for leaf in params:
        assert float(jnp.max(jnp.abs(leaf))) < 1e-3


def test_bad_input_says_what_is_wrong():
    x, key = jnp.ones(2), jax.random.key(0)
    optimiser = scale_by_psgd(DiagonalGroup(), key=key)
    with pytest.raises(ValueError, match="gradient is None"):
        optimiser.update(x, optimiser.init(x), x)
    with pytest.raises(ValueError, match="params is None"):
        optimiser.update(x, optimiser.init(x))
    with pytest.raises(TypeError, match="expected groups"):
        scale_by_psgd({"a": 1.0}, key=key)
    with pytest.raises(TypeError, match="typed random key"):
        scale_by_psgd(DiagonalGroup(), key=jnp.zeros(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rank 2"):
        scale_by_psgd(KroneckerGroup(), key=key).init(x)
    with pytest.raises(ValueError, match="h has shape"):
        psgd_criterion(DiagonalGroup(), x, x, jnp.ones(3))
