"""On Calibration of Modern Neural Networks [Guo2017].

Claim: networks trained to fit their labels are too sure of themselves, and dividing the logits by one number, fitted
    on held-out labels, takes most of the calibration error away and changes no prediction.

Differs: the paper calibrates ResNets on images, of which the 110-layer one on CIFAR-100 has the largest error; here a
    perceptron of 256 units learns 200 noisy digits until it knows them by heart. The error is measured over 15 bins as
    in the paper, but on 200 images, where even a calibrated network shows an error of some hundredths: that floor is
    why the ratio here is far above the paper's. The first trial made the labels noisy in place of the pixels; there one
    number could not mend the error (a ratio of 0.99), as no label was predictable to begin with.
"""

import jax
import jax.numpy as jnp
import optax

from examples.papers.harness import Claim, Size, above, below, cross_entropy, digits, fit, mlp


def calibration_error(probabilities, labels, bins=15):
    """The gap between confidence and accuracy, averaged over bins of confidence by their counts."""
    sure = probabilities.max(1)
    right = (probabilities.argmax(1) == labels).astype(sure.dtype)
    place = jnp.clip(jnp.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return jnp.abs(jax.ops.segment_sum(right - sure, place, bins)).sum() / len(labels)


def fitted_temperature(logits, labels):
    """The least cross-entropy over temperatures; it is convex in the inverse of T, which Newton's steps find."""

    def loss(inverse):
        return optax.softmax_cross_entropy_with_integer_labels(inverse * logits, labels).mean()

    def newton(_, inverse):
        step = jax.grad(loss)(inverse) / jnp.maximum(jax.hessian(loss)(inverse), 1e-6)
        return jnp.clip(inverse - step, inverse / 2, 2 * inverse)

    return 1 / jax.lax.fori_loop(0, 20, newton, jnp.ones(()))


def run(size: Size) -> list[Claim]:
    """Train, fit the temperature on one half of the test images, and measure on the other."""
    (x, y), (held, labels) = digits()
    x, y, init, apply = x[:200], y[:200], *mlp((64, 256, 10))

    def one(key):
        here, there, training = jax.random.split(key, 3)
        seen, unseen = (z + 0.5 * jax.random.normal(k, z.shape) for k, z in ((here, x), (there, held)))
        train = fit(cross_entropy(apply), init, optax.adam(5e-3), 300, batches=lambda _: (seen, y))
        logits = apply(train(training)[0], unseen)
        temperature = fitted_temperature(logits[:200], labels[:200])
        before, after = jax.nn.softmax(logits[200:]), jax.nn.softmax(logits[200:] / temperature)
        moved = jnp.mean(before.argmax(1) != after.argmax(1))
        return *(calibration_error(p, labels[200:]) for p in (before, after)), temperature, moved

    before, after, temperature, moved = size.seeds(one, 20 if size.full else 6)
    return [
        Claim("calibration error after / before", "0.013 / 0.165", after / before, below(1)),
        Claim("calibration error, after - before", "-0.15", after - before, below(0)),
        Claim("temperature", "above 1", temperature, above(1)),
        Claim("share of predictions that change", "0", moved, below(1e-9)),
    ]
