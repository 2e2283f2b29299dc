"""Diagonal state-space models: invariance of the kernel, the recurrence, and HiPPO's spectrum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.signal

import geojax as gj
from geojax.symmetry.layers import (
    bilinear,
    hippo_legs,
    s4d_inverse,
    s4d_kernel,
    s4d_legs,
    s4d_linear,
    ssm_change_basis,
    ssm_diagonalize,
    zero_order_hold,
)


def draw(key, n=5):
    keys = jax.random.split(key, 4)
    a = jax.random.normal(keys[0], (n, n)) / 2 - jnp.eye(n)
    return a, jax.random.normal(keys[1], (n,)), jax.random.normal(keys[2], (n,)), keys[3]


def unbatched(tree):
    """The items of a batch, as numpy arrays."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, tree))
    return [jax.tree.unflatten(structure, [leaf[i] for leaf in leaves]) for i in range(len(leaves[0]))]


def dense_kernel(a, b, c, step, length):
    """C exp(A dt)^l A^-1 (exp(A dt) - 1) B, with scipy's exponential."""
    z = scipy.linalg.expm(np.asarray(a) * step)
    held = np.linalg.solve(a, (z - np.eye(len(b))) @ b)
    return np.array([c @ np.linalg.matrix_power(z, i) @ held for i in range(length)])


def test_law_kernel_unchanged_under_any_basis_and_when_diagonalised(key):
    @jax.jit
    @jax.vmap
    def systems(k):
        a, b, c, last = draw(k)
        moved = ssm_change_basis(a, b, c, jax.random.normal(last, a.shape))
        return (a, b, c), moved, s4d_kernel(*ssm_diagonalize(a, b, c), 0.1, length=20)

    for system, moved, kernel in zip(*map(unbatched, systems(jax.random.split(key, 8)))):
        expected = dense_kernel(*system, 0.1, 20)
        np.testing.assert_allclose(dense_kernel(*moved, 0.1, 20), expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(kernel, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("discretise, method", [(zero_order_hold, "zoh"), (bilinear, "bilinear")])
def test_discretisation_matches_scipy(discretise, method):
    rates, step = -np.asarray([0.1, 1.0, 30.0]), 0.05
    found = discretise(jnp.asarray(rates), step)
    for k, rate in enumerate(rates):
        system = np.asarray([[rate]]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1))
        a, b, *_ = scipy.signal.cont2discrete(system, step, method=method)
        np.testing.assert_allclose([found[0][k], found[1][k]], [a[0, 0], b[0, 0]], rtol=1e-12)


@pytest.mark.parametrize("discretise", [zero_order_hold, bilinear])
def test_convolution_is_the_recurrence(key, discretise):
    rates, b, c = s4d_legs(8), jnp.ones(8), jax.random.normal(key, (8,)) + 0j
    u = jax.random.normal(key, (30,))
    kernel = s4d_kernel(rates, b, c, 0.05, length=30, discretise=discretise)
    z, factor = discretise(rates, 0.05)

    def step(x, u):
        x = z * x + factor * b * u
        return x, jnp.real(c @ x)

    _, expected = jax.lax.scan(step, jnp.zeros(8) + 0j, u)
    np.testing.assert_allclose(jnp.convolve(u, kernel)[:30], expected, rtol=1e-9, atol=1e-12)


def test_normal_part_of_legs_has_real_part_minus_one_half():
    a, _, p = hippo_legs(24)
    spectrum = np.linalg.eigvals(np.asarray(a + jnp.outer(p, p)))
    np.testing.assert_allclose(spectrum.real, -0.5, atol=1e-9)
    legs = np.asarray(s4d_legs(24))
    np.testing.assert_allclose(np.sort(spectrum.imag), np.sort(legs.imag), atol=1e-8)
    assert np.all(legs.real == -0.5)


def test_initialisations_follow_their_formulas():
    np.testing.assert_allclose(s4d_linear(4), -0.5 + 1j * np.pi * np.arange(4))
    n = np.arange(6)
    np.testing.assert_allclose(s4d_inverse(6), -0.5 + 6j / np.pi * (6 / (2 * n + 1) - 1))


def response(a, b, n):
    """First entry of the state after t = 2 with input t^2 exp(-t), by an exact augmented exponential."""
    # The input is the first entry of v' = [[-1, 1, 0], [0, -1, 2], [0, 0, -1]] v, v(0) = (0, 0, 1).
    drive = np.array([[-1.0, 1, 0], [0, -1, 2], [0, 0, -1]])
    whole = np.zeros((n + 3, n + 3))
    whole[:n, :n], whole[:n, n], whole[n:, n:] = a, b, drive
    state = scipy.linalg.expm(2.0 * whole) @ np.eye(n + 3)[-1]
    return state[:n]


def test_diagonal_restriction_converges_weakly_to_legs():
    """(A + p p^T, B / 2) answers a smooth input as (A, B) does, the better the larger the state."""
    errors = []
    for n in (16, 64):
        a, b, p = (np.asarray(part, float) for part in hippo_legs(n))
        errors.append(abs(response(a + np.outer(p, p), b / 2, n)[0] - response(a, b, n)[0]))
    assert errors[1] < errors[0] / 10 and errors[1] < 1e-3


def test_inference_finds_the_state_of_a_diagonal_model(key):
    def apply(params, u):
        kernel = s4d_kernel(params["rates"], params["b"], params["c"], 0.1, length=u.shape[-1])
        return jax.vmap(lambda row: jnp.convolve(row, kernel))(u)

    params = {"rates": -jax.random.uniform(key, (6,)), "b": jnp.ones(6), "c": jnp.ones(6)}
    spec = gj.symmetry.infer(apply, params, jnp.ones((2, 9)))
    assert {(group.kind, group.size) for group in spec.groups.values()} >= {
        ("permutation", 6),
        ("scaling", 6),
    }
