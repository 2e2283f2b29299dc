"""Steepest descent under norms: scipy's factors, Adam and Shampoo without averages, and the defining inequality."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg

from geojax.optim import (
    ColumnNorm,
    MaxNorm,
    ModularNorm,
    RowNorm,
    SpectralNorm,
    dual_norm,
    newton_schulz,
    steepest_descent,
    steepest_step,
)

NORMS = {"max": MaxNorm(), "column": ColumnNorm(), "row": RowNorm(), "spectral": SpectralNorm()}
G = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_law_no_direction_beats_the_steepest(norm):
    """The identity <g, d> = -dual^2 / s, and the model at 64 random steps of any length is no lower."""
    s = 0.7
    others = np.random.default_rng(1).normal(size=(64, 4, 3))

    @jax.jit
    def measured(others):
        d = steepest_step(G, norm, sharpness=s)
        return d, dual_norm(G, norm), norm.norm(d), jax.vmap(norm.norm)(others)

    d, dual, length, lengths = jax.tree.map(np.asarray, measured(others))
    np.testing.assert_allclose(np.vdot(G, d), -(dual**2) / s, rtol=1e-5)
    np.testing.assert_allclose(length, dual / s, rtol=1e-5)
    rises = np.tensordot(others, G, 2)
    assert np.all(rises <= lengths * dual)
    best = np.min(-np.abs(rises / lengths) * dual / s + dual**2 / (2 * s))
    assert np.vdot(G, d) + s / 2 * length**2 <= best + 1e-5


def test_law_the_modular_norm_adds_up_duals_and_moves_every_part_equally_far():
    g = {"table": G, "layers": {"w": 3 * G.T, "b": jnp.asarray([1.0, -2.0])}}
    norm = ModularNorm({"table": RowNorm(), "layers": {"w": SpectralNorm(), "b": MaxNorm()}})
    d = steepest_step(g, norm)
    parts = [dual_norm(G, RowNorm()), dual_norm(3 * G.T, SpectralNorm()), 3.0]
    np.testing.assert_allclose(dual_norm(g, norm), sum(parts), rtol=1e-6)
    for part, length in ((d["table"], RowNorm()), (d["layers"]["b"], MaxNorm())):
        np.testing.assert_allclose(length.norm(part), sum(parts), rtol=1e-6)


@pytest.mark.parametrize("condition, tolerance", [(10.0, 1e-5), (1e3, 1e-3)])
def test_matches_scipy_polar_factor(condition, tolerance):
    left, _, right = np.linalg.svd(np.asarray(G), full_matrices=False)
    matrix = jnp.asarray(left @ np.diag([condition, 3.0, 1.0]) @ right)
    want = scipy.linalg.polar(matrix)[0]
    np.testing.assert_allclose(newton_schulz(matrix), want, atol=tolerance)
    np.testing.assert_allclose(newton_schulz(matrix.T), want.T, atol=tolerance)
    np.testing.assert_allclose(newton_schulz(matrix.astype(jnp.float32)), want, atol=tolerance)


def test_zero_singular_values_stay_zero():
    vector = jnp.asarray([[3.0], [4.0]])
    np.testing.assert_allclose(newton_schulz(vector @ vector.T), vector @ vector.T / 25, atol=1e-5)
    assert jnp.all(newton_schulz(jnp.zeros((2, 3))) == 0)
    assert dual_norm(jnp.zeros((2, 3)), SpectralNorm()) == 0


def updates(optimiser, gradients):
    state = optimiser.init(gradients[0])
    found = []
    for gradient in gradients:
        update, state = optimiser.update(gradient, state, gradients[0])
        found.append(update)
    return found


def test_matches_adam_without_averages():
    gradients = [G, -2 * G, G.at[0, 0].set(-5.0)]
    ours = updates(steepest_descent(0.1, MaxNorm(), unit=True), gradients)
    adam = updates(optax.adam(0.1, b1=0.0, b2=0.0, eps=0.0), gradients)
    for a, b in zip(ours, adam):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_matches_shampoo_without_accumulation():
    """(G G^T)^(-1/4) G (G^T G)^(-1/4) by scipy, for a square G."""
    g = np.asarray(G[:3])
    root = [np.linalg.inv(scipy.linalg.sqrtm(scipy.linalg.sqrtm(m))) for m in (g @ g.T, g.T @ g)]
    (ours,) = updates(steepest_descent(1.0, SpectralNorm(num_steps=20), unit=True), [jnp.asarray(g)])
    np.testing.assert_allclose(ours, -(root[0] @ g @ root[1]), atol=1e-5)


def test_matches_the_first_steps_of_prodigy_up_to_length():
    """For a constant gradient Prodigy's steps are sign descent, with a step that grows."""
    optimiser, params, sizes = optax.contrib.prodigy(1.0, eps=1e-30), jnp.zeros_like(G), []
    ours = updates(steepest_descent(1.0, MaxNorm(), unit=True), [G])[0]
    state = optimiser.init(params)
    for _ in range(8):
        update, state = optimiser.update(G, state, params)
        sizes.append(float(optax.tree.norm(update, ord=jnp.inf)))
        np.testing.assert_allclose(jnp.asarray(update) / sizes[-1], ours, atol=1e-4)
        params = optax.apply_updates(params, update)
    assert np.all(np.diff(sizes) >= -1e-9 * sizes[0])
    assert sizes[-1] > 2 * sizes[0]


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="matrix has shape"):
        dual_norm(jnp.ones(3), SpectralNorm())
    with pytest.raises(TypeError, match="expected norms"):
        ModularNorm({"a": 2.0})
    with pytest.raises(ValueError, match="num_steps"):
        newton_schulz(G, num_steps=2)
    assert jnp.all(jnp.isnan(newton_schulz(G.at[0, 0].set(jnp.nan))))
