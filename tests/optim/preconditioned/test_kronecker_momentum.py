"""Kronecker products in orthonormal coordinates, exact momentum to second order, KFAC's inverses without inverting."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.manifolds import SPDAffineInvariant
from geojax.optim import (
    diagonal_structure,
    kronecker_momentum_step,
    kronecker_normal_coords,
    scale_by_inverse_free_kfac,
    symmetric_structure,
    triangular_structure,
)

SIDES = {"symmetric": (symmetric_structure,) * 2, "mixed": (triangular_structure, diagonal_structure)}
INPUTS = jnp.asarray([[3.0, 1.0, 0.2], [1.0, 1.0, 0.1], [0.2, 0.1, 0.3]])
OUTPUTS = jnp.asarray([[2.0, -0.5], [-0.5, 0.4]])
SIZES = (3, 2)


def within(structures, z):
    """The coordinates that the structures read, of trace zero on the second side."""
    kept = {
        symmetric_structure: lambda a: (a + a.T) / 2,
        diagonal_structure: lambda a: jnp.diag(jnp.diag(a)),
        triangular_structure: jnp.tril,
    }
    first, second = (kept[structure](side) for structure, side in zip(structures, z))
    return first, second - jnp.trace(second) / len(second) * jnp.eye(len(second))


def normal(key):
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return tuple(random.normal(size=(n, n)) for n in SIZES)


def product(sides):
    return jnp.kron(*(side @ side.T for side in sides))


@pytest.mark.parametrize("structures", SIDES.values(), ids=SIDES)
def test_law_the_metric_is_the_identity_in_the_coordinates(structures):
    factors = tuple(a + 3 * jnp.eye(len(a)) for a in within(structures, normal(jax.random.key(0))))
    dz = [within(structures, normal(jax.random.key(k))) for k in (1, 2)]

    def matrix(z):
        return product(kronecker_normal_coords(factors, z, structures=structures))

    zero = tuple(jnp.zeros((n, n)) for n in SIZES)
    pushed = jax.jit(lambda d: jax.jvp(matrix, (zero,), (d,)))
    ds = [np.linalg.solve(*pushed(d)) for d in dz]
    want = sum(np.vdot(a, b) for a, b in zip(*dz))
    np.testing.assert_allclose(np.trace(ds[0] @ ds[1]), want, rtol=1e-9)


def test_matches_exact_riemannian_momentum_to_second_order():
    """Two steps beside exp and transport on each side; the product of the sides is totally geodesic."""
    manifold = SPDAffineInvariant()
    target = jnp.linalg.inv(jnp.kron(INPUTS, OUTPUTS))
    start = jnp.diag(jnp.asarray([1.0, 2.0, 3.0])) + 0.3, jnp.diag(jnp.asarray([0.5, 1.0])) + 0.1

    def loss(sides):
        return jnp.trace(target @ jnp.kron(*sides)) - jnp.linalg.slogdet(jnp.kron(*sides))[1]

    # In the metric of the product each side weighs as the other's size, and traces count once.
    def gradient(sides):
        by = jax.grad(loss)(sides)
        moved = [s @ (g + g.T) @ s / 2 / len(o) for s, g, o in zip(sides, by, sides[::-1])]
        trace = jnp.trace(jnp.linalg.solve(sides[1], moved[1])) / len(sides[1])
        return moved[0], moved[1] - trace * sides[1]

    def difference(rate):
        sides, moment = start, tuple(0 * s for s in start)
        factors = tuple(jnp.linalg.cholesky(s) for s in start)
        momenta: Any = tuple(0 * s for s in start)
        for _ in range(2):
            moment = tuple(0.9 * m + g for m, g in zip(moment, gradient(sides)))
            following = tuple(manifold.exp(s, -rate * m) for s, m in zip(sides, moment))
            moment = tuple(manifold.parallel_transport(s, f, m) for s, f, m in zip(sides, following, moment))
            sides = following
            gradients = jax.grad(loss)(tuple(f @ f.T for f in factors))
            factors, momenta = kronecker_momentum_step(factors, momenta, gradients, learning_rate=rate)
        return jnp.linalg.norm(product(factors) - jnp.kron(*sides))

    coarse, fine = map(float, jax.jit(jax.vmap(difference))(np.array([1e-3, 5e-4])))
    np.testing.assert_allclose(np.log2(coarse / fine), 3, atol=0.2)


def fitted(structures, steps=400, **options):
    optimiser = scale_by_inverse_free_kfac(structures=structures, **options)
    g = jax.random.normal(jax.random.key(4), SIZES)
    params = {"kernel": g, "bias": jnp.ones(2)}
    curvature = {"kernel": (INPUTS, OUTPUTS), "bias": None}

    def step(state, _):
        update, state = optimiser.update(params, state, curvature=curvature)
        return state, update

    return params, jax.jit(lambda: jax.lax.scan(step, optimiser.init(params), length=steps))()


def test_matches_kfac_with_inverses():
    params, (state, updates) = fitted(SIDES["symmetric"], damping=0.0)
    want = jnp.linalg.solve(INPUTS, params["kernel"]) @ jnp.linalg.inv(OUTPUTS)
    np.testing.assert_allclose(updates["kernel"][-1], want, rtol=1e-7)
    np.testing.assert_array_equal(updates["bias"][-1], params["bias"])
    np.testing.assert_allclose(
        product(state.factors["kernel"]), jnp.linalg.inv(jnp.kron(INPUTS, OUTPUTS)), rtol=1e-6
    )


def test_law_factors_keep_their_structure_and_the_damped_fit_is_stationary():
    """Within the structure nothing nearby is lower, in tr P (U x G + damping) - log det P."""
    _, (state, _) = fitted(SIDES["mixed"], damping=0.1)
    factors = state.factors["kernel"]
    np.testing.assert_array_equal(factors[0], jnp.tril(factors[0]))
    np.testing.assert_array_equal(factors[1], jnp.diag(jnp.diag(factors[1])))

    def loss(z):
        p = product(kronecker_normal_coords(factors, z, structures=SIDES["mixed"]))
        return jnp.trace(p @ (jnp.kron(INPUTS, OUTPUTS) + 0.1 * jnp.eye(6))) - jnp.linalg.slogdet(p)[1]

    zero = tuple(jnp.zeros((n, n)) for n in SIZES)
    for slope in jax.jit(jax.grad(loss))(zero):
        np.testing.assert_allclose(slope, 0, atol=1e-7)


def test_law_reckless_bfloat16_steps_stay_definite_without_any_inverse():
    optimiser = scale_by_inverse_free_kfac(rate=10.0)
    g = jnp.ones(SIZES, jnp.bfloat16)
    state: Any = optimiser.init(g)
    update: Any = g
    curvature = tuple(1e4 * m.astype(jnp.bfloat16) for m in (INPUTS, OUTPUTS))
    step = jax.jit(lambda state: optimiser.update(g, state, curvature=curvature))
    for _ in range(5):
        update, state = step(state)
        assert update.dtype == jnp.bfloat16
        assert np.all(np.isfinite(np.asarray(update, np.float64)))
        for factor in state.factors:
            assert abs(np.linalg.det(np.asarray(factor, np.float64))) > 0
    used = str(jax.make_jaxpr(lambda s: optimiser.update(g, s, curvature=curvature))(state))
    assert not re.search(r"\b(triangular_solve|custom_linear_solve|lu|cholesky|eigh|svd|qr)\b", used)


def test_descends_an_ill_conditioned_regression_in_single_precision():
    """Squares of condition 1e4: fitted it takes steps of 0.5, of which plain descent could take 1e-4."""
    scales = jnp.asarray([100.0, 1.0, 0.01], jnp.float32)
    x = jax.random.normal(jax.random.key(5), (64, 3), jnp.float32) * jnp.sqrt(scales)
    w = jax.random.normal(jax.random.key(6), SIZES, jnp.float32)
    curvature = x.T @ x / 64, jnp.eye(2, dtype=jnp.float32)
    optimiser = optax.chain(
        scale_by_inverse_free_kfac(damping=0.0),
        optax.scale_by_learning_rate(lambda k: jnp.where(jnp.asarray(k) < 200, 0.0, 0.5)),
    )

    def step(carry, _):
        guess, state = carry
        gradient = curvature[0] @ (guess - w)
        update, state = optimiser.update(gradient, state, guess, curvature=curvature)
        return (optax.apply_updates(guess, update), state), None

    start = jnp.zeros_like(w)
    (guess, _), _ = jax.jit(lambda: jax.lax.scan(step, (start, optimiser.init(start)), length=230))()
    np.testing.assert_allclose(guess, w, atol=1e-3)


def test_bad_input_says_what_is_wrong():
    eyes = jnp.eye(3), jnp.eye(2)
    with pytest.raises(ValueError, match="kronecker_momentum_step: gradient has shape"):
        kronecker_momentum_step(eyes, eyes, (jnp.eye(3), jnp.eye(3)), learning_rate=0.1)
    with pytest.raises(ValueError, match="kronecker_normal_coords: z has shape"):
        kronecker_normal_coords(eyes, (jnp.eye(2), jnp.eye(2)))
    optimiser = scale_by_inverse_free_kfac()
    g = jnp.ones(SIZES)
    with pytest.raises(ValueError, match="curvature is None"):
        optimiser.update(g, optimiser.init(g))
    with pytest.raises(ValueError, match="inputs has shape"):
        optimiser.update(g, optimiser.init(g), curvature=(jnp.eye(2), jnp.eye(2)))
    update: Any = optimiser.update(g, optimiser.init(g), curvature=(jnp.nan * INPUTS, OUTPUTS))[0]
    assert jnp.any(jnp.isnan(update))
