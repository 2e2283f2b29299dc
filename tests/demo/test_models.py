"""The demonstration's networks and their training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.demo.data import digits
from geojax.demo.models import ConvNet, Mlp, convolve_by_patches
from geojax.demo.training import measure, train


@pytest.mark.parametrize("padding", ["SAME", "VALID", [(1, 0), (2, 1)]])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
def test_matches_jax_convolution(padding, strides):
    k1, k2 = jax.random.split(jax.random.key(0))
    images, kernel = jax.random.normal(k1, (2, 9, 8, 3)), jax.random.normal(k2, (3, 4, 3, 5))
    expected = jax.lax.conv_general_dilated(
        images, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    np.testing.assert_allclose(
        convolve_by_patches(images, kernel, strides, padding), expected, rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("side", [8, 28])
def test_both_ways_of_convolving_are_one_function_of_the_same_parameters(side):
    images = jax.random.uniform(jax.random.key(1), (3, side, side, 1), jnp.float32)
    slow, fast = ConvNet(8, 10), ConvNet(8, 10, convolve_by_patches)
    variables = slow.init(jax.random.key(0), images)
    assert jax.tree.structure(variables) == jax.tree.structure(fast.init(jax.random.key(0), images))
    np.testing.assert_allclose(
        fast.apply(variables, images), slow.apply(variables, images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("model", [Mlp(32, 10), ConvNet(24, 10, convolve_by_patches)], ids=["mlp", "conv"])
def test_training_several_networks_at_once_teaches_each(model):
    data = digits()
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    keys = jax.random.split(jax.random.key(0), 2)
    epochs = list(train(model, images, labels, keys, epochs=6, batch=64, rate=5e-3))
    variables, losses = epochs[-1]
    assert losses.shape == (2,)
    assert jax.tree.all(
        jax.tree.map(lambda leaf: leaf.dtype == jnp.float32 and leaf.shape[0] == 2, variables)
    )
    first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], variables) for i in range(2))
    for one in (first, second):
        _, accuracy = measure(model.apply, one, data.test_images, data.test_labels)
        assert accuracy > 0.85
    assert not jnp.allclose(first["params"]["Dense_0"]["kernel"], second["params"]["Dense_0"]["kernel"])


def test_the_same_key_trains_the_same_network():
    data = digits().head(200, 10)
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    keys = jax.random.split(jax.random.key(3), 2)
    runs = [
        list(train(Mlp(8, 10), images, labels, keys, epochs=1, batch=50, rate=1e-2))[-1][0] for _ in range(2)
    ]
    assert jax.tree.all(jax.tree.map(lambda x, y: (x == y).all(), *runs))


@pytest.mark.parametrize("count", [1, 7, 250, 251, 600])
def test_measure_counts_every_image_once(count):
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(k1, (count, 3, 3, 1), jnp.float32)
    labels = jax.random.randint(k2, (count,), 0, 4)
    weights = jax.random.normal(k3, (9, 4), jnp.float32)
    apply = lambda w, x: x.reshape(len(x), -1) @ w
    loss, accuracy = measure(apply, weights, images, labels)
    scores = np.asarray(images).reshape(count, -1) @ np.asarray(weights)
    np.testing.assert_allclose(accuracy, (scores.argmax(1) == labels).mean(), rtol=1e-6)
    expected = optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
