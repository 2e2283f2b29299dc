"""The demonstration's networks and their training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax.demo.data import digits
from geojax.demo.models import ConvNet, Mlp, convolve_by_patches
from geojax.demo.training import measure, train


@pytest.mark.parametrize("padding", ["SAME", "VALID", [(1, 0), (2, 1)]])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
def test_matches_jax_convolution(padding, strides):
    random = np.random.default_rng(0)
    images, kernel = random.normal(size=(2, 9, 8, 3)), random.normal(size=(3, 4, 3, 5))

    @jax.jit
    def both(images, kernel):
        expected = jax.lax.conv_general_dilated(
            images, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
        )
        return convolve_by_patches(images, kernel, strides, padding), expected

    np.testing.assert_allclose(*both(images, kernel), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("side", [8, pytest.param(28, marks=pytest.mark.full)])
def test_both_ways_of_convolving_are_one_function_of_the_same_parameters(side):
    images = np.random.default_rng(1).random((3, side, side, 1), np.float32)
    slow, fast = ConvNet(8, 10), ConvNet(8, 10, convolve_by_patches)
    variables = jax.jit(slow.init)(jax.random.key(0), images)
    other = jax.eval_shape(fast.init, jax.random.key(0), images)
    assert jax.tree.structure(variables) == jax.tree.structure(other)
    outputs = jax.jit(lambda v, x: (fast.apply(v, x), slow.apply(v, x)))
    np.testing.assert_allclose(*outputs(variables, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(Mlp(32, 10), id="mlp"),
        pytest.param(ConvNet(24, 10, convolve_by_patches), id="conv", marks=pytest.mark.full),
    ],
)
def test_training_several_networks_at_once_teaches_each(model):
    data = digits()
    images, labels = data.train_images, data.train_labels
    keys = jax.random.split(jax.random.key(0), 2)
    epochs = list(train(model, images, labels, keys, epochs=6, batch=64, rate=5e-3))
    variables, losses = epochs[-1]
    assert losses.shape == (2,)
    assert jax.tree.all(
        jax.tree.map(lambda leaf: leaf.dtype == jnp.float32 and leaf.shape[0] == 2, variables)
    )
    first, second = (jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], variables) for i in range(2))
    for one in (first, second):
        _, accuracy = measure(model.apply, one, data.test_images, data.test_labels)
        assert accuracy > 0.85
    assert not np.allclose(first["params"]["Dense_0"]["kernel"], second["params"]["Dense_0"]["kernel"])


def test_the_same_key_trains_the_same_network():
    data = digits().head(200, 10)
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    keys = jax.random.split(jax.random.key(3), 2)
    runs = [
        list(train(Mlp(8, 10), images, labels, keys, epochs=1, batch=50, rate=1e-2))[-1][0] for _ in range(2)
    ]
    assert jax.tree.all(jax.tree.map(np.array_equal, *runs))


@pytest.mark.parametrize("count", [7, 250, 251, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 600))])
def test_measure_counts_every_image_once(count):
    random = np.random.default_rng(0)
    images = random.normal(size=(count, 3, 3, 1)).astype(np.float32)
    labels = random.integers(0, 4, count)
    weights = random.normal(size=(9, 4)).astype(np.float32)
    apply = lambda w, x: x.reshape(len(x), -1) @ w
    loss, accuracy = measure(apply, weights, images, labels)
    scores = images.reshape(count, -1) @ weights
    np.testing.assert_allclose(accuracy, (scores.argmax(1) == labels).mean(), rtol=1e-6)
    expected = (scipy.special.logsumexp(scores, axis=1) - scores[np.arange(count), labels]).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
