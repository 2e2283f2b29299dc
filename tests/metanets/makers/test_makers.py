"""Hypernetworks, learned initial parameters, and fields."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator, RegularGridInterpolator

from geojax.metanets import (
    constant_norm_encoding,
    coordinate_field,
    coordinate_field_init,
    hypernetwork,
    meta_init,
    rbf_field,
)

rng = np.random.default_rng(0)


def homogeneous(phi, code):
    """A piecewise linear network without offsets."""
    h = jax.nn.leaky_relu(phi["a"] @ code)
    return {"w": (phi["b"] @ h).reshape(2, 3)}


def draw_phi(n):
    return {"a": jnp.asarray(rng.normal(size=(8, n))), "b": jnp.asarray(rng.normal(size=(6, 8)))}


ZERO = {"w": jnp.zeros((2, 3))}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_law_codes_have_one_norm(dtype):
    gamma = jnp.asarray(rng.uniform(size=(200, 3)), dtype)
    norms = jnp.linalg.norm(constant_norm_encoding(gamma).reshape(200, -1), axis=1)
    np.testing.assert_allclose(norms, 3**0.5, rtol=4 * jnp.finfo(dtype).eps)
    assert norms.dtype == dtype


@pytest.mark.full
def test_law_output_scale_is_proportional_to_the_input_without_encoding_and_constant_with_it():
    phi = draw_phi(2)
    plain = hypernetwork(homogeneous, ZERO, encode=lambda gamma: gamma)
    gamma = jnp.asarray(rng.uniform(size=2))
    for c in (0.0, 0.25, 4.0):  # powers of two scale without rounding
        np.testing.assert_array_equal(plain(phi, c * gamma)["w"], c * plain(phi, gamma)["w"])
    linear = lambda phi, code: {"w": jnp.reshape(phi @ code, (2, 3))}
    rotation = jnp.linalg.qr(jnp.asarray(rng.normal(size=(6, 6))))[0][:, :2]
    sizes = jax.vmap(lambda g: jnp.linalg.norm(hypernetwork(linear, ZERO)(rotation, g)["w"]))(
        jnp.linspace(0, 1, 33)
    )
    np.testing.assert_allclose(sizes, 1, rtol=1e-14)


@pytest.mark.full
def test_a_hypernetwork_of_zeros_returns_the_base_weights():
    theta0 = {"w": jnp.asarray(rng.normal(size=(2, 3)))}
    phi = jax.tree.map(jnp.zeros_like, draw_phi(4))
    np.testing.assert_array_equal(
        hypernetwork(homogeneous, theta0)(phi, jnp.array([0.3, 0.9]))["w"], theta0["w"]
    )
    slope = jax.grad(lambda t: jnp.sum(hypernetwork(homogeneous, t)(phi, jnp.array([0.3, 0.9]))["w"]))(theta0)
    np.testing.assert_array_equal(slope["w"], 1)


@pytest.mark.full
def test_law_the_encoding_lowers_the_spread_of_gradients_over_hyperparameters():
    gammas = jnp.linspace(0, 1, 65)[:, None]

    def spread(encode, n):
        apply = hypernetwork(homogeneous, ZERO, encode=encode)
        loss = lambda phi, gamma: jnp.sum(apply(phi, gamma)["w"])
        slopes = jax.vmap(jax.grad(loss), (None, 0))(draw_phi(n), gammas)
        sizes = jnp.sqrt(sum(jnp.sum(leaf**2, (1, 2)) for leaf in jax.tree.leaves(slopes)))
        return float(jnp.std(sizes) / jnp.mean(sizes))

    for _ in range(5):
        assert spread(constant_norm_encoding, 2) < 0.6 * spread(lambda gamma: gamma, 1)


def quadratic(theta, center):
    return jnp.sum((theta - center) ** 2) / 2


@pytest.mark.full
@pytest.mark.parametrize("first_order", [False, True])
def test_law_the_learned_start_of_quadratic_tasks_is_their_mean(first_order):
    centers = jnp.asarray(rng.normal(size=(7, 3)))
    settings = {"inner_rate": 0.1, "inner_steps": 3, "first_order": first_order}
    found = meta_init(quadratic, centers, jnp.zeros(3), rate=1.0, num_steps=80, **settings)
    np.testing.assert_allclose(found, centers.mean(0), rtol=1e-9, atol=1e-9)
    # One step in closed form: the inner descent shrinks the offset by q = (1 - inner_rate)^steps.
    q = 0.9**3
    one = meta_init(quadratic, centers, jnp.ones(3), rate=0.5, num_steps=1, **settings)
    share = (1 - q) if first_order else q * q
    np.testing.assert_allclose(one, 1 - 0.5 * share * (1 - centers.mean(0)), rtol=1e-12)


@pytest.mark.full
def test_the_direction_of_maml_is_the_derivative_through_the_inner_descent():
    x, y = jnp.asarray(rng.normal(size=(2, 4, 5)))
    loss = lambda theta, task: jnp.mean((jnp.tanh(theta[0] * task[0]) * theta[1] - task[1]) ** 2)
    theta0 = jnp.asarray([0.7, -0.4])

    def objective(theta):
        total = 0.0
        for task in zip(x, y, strict=True):
            inner = theta
            for _ in range(2):
                inner = inner - 0.3 * jax.grad(loss)(inner, task)
            total += loss(inner, task) / len(x)
        return total

    moved = meta_init(loss, (x, y), theta0, inner_rate=0.3, inner_steps=2, rate=1.0, num_steps=1)
    np.testing.assert_allclose(theta0 - moved, jax.grad(objective)(theta0), rtol=1e-12)
    push = jnp.eye(2) * 1e-5
    quotients = jnp.stack([(objective(theta0 + d) - objective(theta0 - d)) / 2e-5 for d in push])
    np.testing.assert_allclose(theta0 - moved, quotients, rtol=1e-7)


@pytest.mark.full
@pytest.mark.parametrize("num_frequencies, scale", [(0, 30.0), (16, 3.0)])
def test_a_field_has_the_sizes_and_spreads_that_its_start_promises(num_frequencies, scale):
    theta = coordinate_field_init(
        (2, 64, 64, 3), key=jax.random.key(1), num_frequencies=num_frequencies, scale=scale
    )
    first, second = theta["layers"][:2]
    assert first["w"].shape == (2 * num_frequencies or 2, 64)
    bound = scale / 2 if num_frequencies == 0 else (6 / 32) ** 0.5
    assert 0.9 * bound < jnp.max(jnp.abs(first["w"])) <= bound
    assert 0.99 * (6 / 64) ** 0.5 < jnp.max(jnp.abs(second["w"])) <= (6 / 64) ** 0.5
    x = rng.normal(size=2)
    h = (
        x
        if num_frequencies == 0
        else np.ravel([f(2 * np.pi * x @ theta["frequencies"]) for f in (np.cos, np.sin)])
    )
    for layer in theta["layers"][:-1]:
        h = np.sin(h @ layer["w"] + layer["b"])
    expected = h @ theta["layers"][-1]["w"] + theta["layers"][-1]["b"]
    np.testing.assert_allclose(
        coordinate_field(theta, jnp.asarray(x), nonlinearity=jnp.sin), expected, rtol=1e-10
    )


@pytest.mark.full
def test_matches_scipy_with_a_multilinear_kernel_on_a_grid():
    axes, values = (np.arange(4) * 0.5, np.arange(5) * 0.5), rng.normal(size=(4, 5, 2))
    centers = np.array(list(itertools.product(*axes)))
    theta = {
        "centers": centers,
        "shapes": np.tile(np.eye(2) / 0.5, (20, 1, 1)),
        "features": values.reshape(20, 2),
    }
    points = rng.uniform(size=(50, 2)) * [1.5, 2.0]
    tent = lambda u: jnp.prod(jnp.maximum(0, 1 - jnp.abs(u)))
    found = jax.vmap(lambda x: rbf_field(theta, x, kernel=tent))(points)
    np.testing.assert_allclose(found, RegularGridInterpolator(axes, values)(points), rtol=1e-12, atol=1e-13)


@pytest.mark.full
def test_matches_scipy_with_gaussian_kernels_at_the_data():
    points, values = rng.uniform(size=(12, 2)), rng.normal(size=12)
    shape = 3.0
    scipy = RBFInterpolator(points, values, kernel="gaussian", epsilon=shape, degree=-1)
    # scipy's Gaussian is exp(-(epsilon r)^2), ours exp(-|L r|^2 / 2).
    theta = {"centers": points, "shapes": np.tile(np.eye(2) * shape * 2**0.5, (12, 1, 1))}
    kernel = jax.vmap(lambda x: rbf_field({**theta, "features": np.eye(12)}, x))(points)
    theta["features"] = np.linalg.solve(kernel, values)[:, None]
    elsewhere = np.concatenate([points, rng.uniform(size=(30, 2))])
    found = jax.vmap(lambda x: rbf_field(theta, x))(elsewhere)[:, 0]
    np.testing.assert_allclose(found[:12], values, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found, scipy(elsewhere), rtol=1e-6, atol=1e-7)


@pytest.mark.full
def test_several_numbers_of_a_kernel_have_features_of_their_own():
    theta = {"centers": jnp.zeros((2, 1)), "shapes": jnp.ones((2, 1, 1)), "features": jnp.ones((2, 3, 1))}
    kernel = lambda u: jnp.sin(jnp.arange(1.0, 4) * jnp.exp(-u @ u))
    found = rbf_field(theta, jnp.array([0.5]), kernel=kernel)
    np.testing.assert_allclose(found, 2 * jnp.sum(kernel(jnp.array([0.5]))), rtol=1e-12)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: hypernetwork(3, ZERO), "h is a int"),
        (lambda: hypernetwork(lambda p, c: {"v": c}, ZERO)(0.0, jnp.ones(2)), "lacks 'w'"),
        (lambda: hypernetwork(homogeneous, {"w": "text"}), "theta0"),
        (lambda: meta_init(3, 0, 0, inner_rate=1, inner_steps=1, rate=1, num_steps=1), "loss is a int"),
        (
            lambda: meta_init(
                quadratic,
                (jnp.ones(2), jnp.ones(3)),
                jnp.ones(2),
                inner_rate=1,
                inner_steps=1,
                rate=1,
                num_steps=1,
            ),
            "one axis of tasks",
        ),
        (
            lambda: meta_init(
                jnp.subtract, jnp.ones((2, 3)), jnp.ones(3), inner_rate=1, inner_steps=1, rate=1, num_steps=1
            ),
            "expected a scalar",
        ),
        (lambda: coordinate_field_init((2,), key=jax.random.key(0)), "at least"),
        (lambda: coordinate_field_init((2, 0), key=jax.random.key(0)), "at least 1"),
        (
            lambda: coordinate_field(coordinate_field_init((2, 3), key=jax.random.key(0)), jnp.ones(3)),
            "x has shape",
        ),
        (
            lambda: rbf_field(
                {"centers": jnp.ones((2, 1)), "shapes": jnp.ones((2, 1, 1)), "features": jnp.ones((3, 1))},
                jnp.ones(1),
            ),
            "features has shape",
        ),
    ],
)
def test_wrong_calls_of_makers_are_answered(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
