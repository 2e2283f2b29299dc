"""Scaled gradient descent: planted low-rank matrices, rates that do not know the condition number, equivariance."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.optim import scale_by_scaled_gd, scaled_gradient, small_init

N, RANK, WIDTH, MEASUREMENTS = 16, 3, 10, 1200
DESIGN = jax.random.normal(jax.random.key(0), (MEASUREMENTS, N, N))
FRAME = jnp.linalg.qr(jax.random.normal(jax.random.key(1), (N, RANK)))[0]


def seen_whole(misfit):
    """The gradient of half the squared misfit of a matrix that is seen entry by entry."""
    return misfit


def seen_through_gaussians(misfit):
    """The same through random linear measurements, their number's share of it."""
    return jnp.einsum("m,mij->ij", jnp.einsum("mij,ij->m", DESIGN, misfit), DESIGN) / MEASUREMENTS


def steps_to(error, seen, precondition):
    """Steps of descent on X X^T, X of width 10, to a planted matrix of rank 3; for three condition numbers."""

    def curve(condition):
        planted = (FRAME * jnp.geomspace(1.0, 1.0 / condition, RANK)) @ FRAME.T

        def step(x, _):
            residual = seen(x @ x.T - planted)
            gradient = (residual + residual.T) @ x / 2
            scaled = scaled_gradient(gradient, x, damping=0.02 / condition) if precondition else gradient
            x = x - 0.3 * scaled
            return x, jnp.linalg.norm(x @ x.T - planted) / jnp.linalg.norm(planted)

        x = small_init(jax.random.key(2), (N, WIDTH), scale=1e-10, dtype=jnp.float64)
        return jax.lax.scan(step, x, length=300)[1]

    curves = jax.jit(jax.vmap(curve))(jnp.asarray([1.0, 30.0, 1000.0]))
    return [int(jnp.argmax(c < error)) if bool(c[-1] < error) else None for c in curves]


@pytest.mark.parametrize("seen, error", [(seen_whole, 1e-6), (seen_through_gaussians, 1e-4)])
def test_law_steps_hardly_grow_with_the_condition_number(seen, error):
    """ScaledGD(lambda) takes a logarithm more at condition 1e3, where gradient descent does not arrive."""
    reached = [steps for steps in steps_to(error, seen, True) if steps is not None]
    assert len(reached) == 3
    assert max(reached) < 3 * reached[0]
    plain = steps_to(error, seen, False)
    assert plain[0] is not None
    assert plain[1:] == [None, None]


def test_small_factors_have_the_size_that_is_asked_for():
    x = small_init(jax.random.key(0), (100, 80), scale=1e-3)
    np.testing.assert_allclose(np.std(x), 1e-3 / 10, rtol=0.03)
    assert abs(np.mean(x)) < 5e-6


def test_law_the_basis_of_the_factors_does_not_matter():
    """Orthogonal changes for X X^T; any invertible one for L R^T without damping."""
    keys = jax.random.split(jax.random.key(3), 4)
    left, right = (jax.random.normal(k, (5, 3)) for k in keys[:2])
    target = jax.random.normal(keys[2], (5, 5))
    change = jax.random.normal(keys[3], (3, 3))
    turn = jnp.linalg.qr(change)[0]

    def symmetric(x):
        gradient = jax.grad(lambda x: jnp.sum((x @ x.T - target) ** 2))(x)
        return x - 0.1 * scaled_gradient(gradient, x, damping=0.3)

    np.testing.assert_allclose(symmetric(left @ turn), symmetric(left) @ turn, atol=1e-10)
    optimiser = optax.chain(
        scale_by_scaled_gd(partners=lambda p: {"l": p["r"], "r": p["l"]}), optax.scale(-0.1)
    )

    def product(p):
        gradient = jax.grad(lambda p: jnp.sum((p["l"] @ p["r"].T - target) ** 2))(p)
        updates, _ = optimiser.update(gradient, optimiser.init(p), p)
        moved: Any = optax.apply_updates(p, updates)
        return moved["l"] @ moved["r"].T

    want = product({"l": left, "r": right})
    got = product({"l": left @ change, "r": right @ jnp.linalg.inv(change).T})
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_matches_the_formula_of_scaled_gd_without_damping():
    """Exact rank and damping 0, by numpy's inverse; the optax transformation is the same step."""
    x, gradient = jax.random.normal(jax.random.key(4), (5, 3)), jax.random.normal(jax.random.key(5), (5, 3))
    want = np.asarray(gradient) @ np.linalg.inv(np.asarray(x).T @ np.asarray(x))
    np.testing.assert_allclose(scaled_gradient(gradient, x), want, rtol=1e-9)
    optimiser = scale_by_scaled_gd()
    got, _ = optimiser.update([gradient], optimiser.init([x]), [x])
    np.testing.assert_allclose(jax.tree.leaves(got)[0], want, rtol=1e-9)


def test_bad_input_says_what_is_wrong():
    x = jnp.ones((3, 2))
    assert jnp.all(jnp.isnan(scaled_gradient(x, x)))
    with pytest.raises(ValueError, match="r = 2"):
        scaled_gradient(x, jnp.ones((3, 4)))
    with pytest.raises(ValueError, match="params is None"):
        scale_by_scaled_gd().update(x, optax.EmptyState())
    with pytest.raises(TypeError, match="typed random key"):
        small_init(jnp.zeros(2), (2, 2), scale=1.0)  # type: ignore[arg-type]
