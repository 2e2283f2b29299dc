"""Signatures: they add, they come off again, they lie where the corruption was planted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import layer_energy, patch, quantize_signature, weight_signature


def draw(seed):
    random = np.random.default_rng(seed)
    return {"b": random.normal(size=3), "w": random.normal(size=(3, 4))}


def test_patch_and_unpatch_and_composition():
    model, one, two = draw(0), draw(1), draw(2)
    stack = jax.tree.map(lambda x, y: np.stack([x, y]), one, two)
    both = patch(model, stack, jnp.array([1.0, 0.5]))
    for name in model:
        np.testing.assert_allclose(both[name], model[name] + one[name] + 0.5 * two[name], rtol=1e-13)
    back = patch(both, stack, -jnp.array([1.0, 0.5]))
    for name in model:
        np.testing.assert_allclose(back[name], model[name], atol=1e-14)
    signature = weight_signature(model, one)
    np.testing.assert_allclose(signature["w"], model["w"] - one["w"])


def test_signature_of_a_linear_model_lies_along_the_planted_corruption():
    """One feature repeats the label in clean data and is noise in corrupted data: robust training lets go of it."""
    random = np.random.default_rng(3)
    x = random.normal(size=(400, 4))
    y = x @ np.arange(1.0, 5.0) + random.normal(size=400)
    echo, noise = y + 0.3 * random.normal(size=400), random.normal(size=400)

    def ridge(last):
        features = np.concatenate([x, last[:, None]], axis=1)
        return np.linalg.solve(features.T @ features + 1e-3 * np.eye(5), features.T @ y)

    clean, robust, direction = ridge(echo), ridge(noise), np.eye(5)[4]
    signature = np.asarray(weight_signature(robust, clean))
    assert signature[4] < -0.8
    np.testing.assert_allclose(
        weight_signature(robust, clean, direction[None]), signature * direction, atol=1e-12
    )
    patched = patch(clean, (signature * direction)[None], np.ones(1))
    features = np.concatenate([x, noise[:, None]], axis=1)
    assert np.mean((features @ patched - y) ** 2) > np.mean((features @ robust - y) ** 2)
    whole = patch(clean, signature[None], np.ones(1))
    np.testing.assert_allclose(whole, robust, atol=1e-12)


def test_a_signature_from_one_sample_makes_a_model_of_another_robust():
    """Both samples share the corruption and neither examples nor noise; the shallow part of the signature is enough."""

    def task(seed):
        random = np.random.default_rng(seed)
        x = random.normal(size=(400, 4))
        y = x @ np.arange(1.0, 5.0) + random.normal(size=400)
        echo, noise = y + 0.3 * random.normal(size=400), random.normal(size=400)
        corrupted = np.concatenate([x, noise[:, None]], axis=1)
        clean = np.concatenate([x, echo[:, None]], axis=1)
        fits = [np.linalg.solve(f.T @ f, f.T @ y) for f in (clean, corrupted)]
        return *({"inputs": f[:4], "echo": f[4:]} for f in fits), corrupted, y

    (clean, robust, _, _), (other, _, corrupted, y) = task(0), task(1)
    signature = weight_signature(robust, clean)
    patched = patch(other, jax.tree.map(lambda leaf: leaf[None], signature), np.ones(1))

    def error(model):
        return np.mean((corrupted @ np.concatenate([model["inputs"], model["echo"]]) - y) ** 2)

    assert error(patched) < 0.2 * error(other)


def test_projection_does_not_mind_a_dependent_basis():
    a, b = draw(0), draw(1)
    basis = jax.tree.map(lambda x: np.stack([x, 2 * x]), draw(4))
    got = weight_signature(a, b, basis)["w"]
    direction = basis["w"][0]
    want = direction * np.vdot(direction, a["w"] - b["w"]) / np.vdot(direction, direction)
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_quantization_error_is_bounded_and_its_derivative_straight_through():
    x = draw(5)
    for bits in (2, 4, 8):
        got = jax.tree.map(np.asarray, quantize_signature(x, num_bits=bits))
        for name in x:
            scale = float(np.max(np.abs(x[name])))
            levels = 2 ** (bits - 1) - 1
            assert float(np.max(np.abs(got[name] - x[name]))) <= scale / (2 * levels) * (1 + 1e-12)
            assert len(np.unique(np.round(np.asarray(got[name]) / scale * levels, 6))) <= 2 * levels + 1
    gradient = jax.grad(lambda x: jnp.sum(quantize_signature(x, num_bits=3)))(x["w"])
    np.testing.assert_array_equal(gradient, 1)


def test_energy_sums_to_one():
    shares = layer_energy(draw(6))
    np.testing.assert_allclose(sum(jax.tree.leaves(shares)), 1, rtol=1e-14)
    known = layer_energy({"a": jnp.asarray([3.0, 4.0]), "b": jnp.asarray([[5.0], [-5.0]])})
    np.testing.assert_allclose([known["a"], known["b"]], [1 / 3, 2 / 3], rtol=1e-14)
    with pytest.raises(ValueError, match="no leaf"):
        layer_energy({"a": jnp.arange(3)})
