"""What the alignment benchmark compares: ways to match two MLPs, and the losses along the line between them."""

import fashion_mlp
import jax
import jax.numpy as jnp
import numpy as np

from geojax.merging import repair
from geojax.symmetry import (
    activation_matching,
    frank_wolfe_matching,
    sinkhorn_matching,
    straight_through_matching,
    weight_matching,
)

LOSS_MATCHERS = ("straight through", "Sinkhorn")


def only_permutations(spec):
    return spec.without(*(name for name, group in spec.members if group.kind != "permutation"))


def curve(evaluate):
    """A function (a, b) -> losses and accuracies at 25 points between them."""
    points = jnp.linspace(0, 1, 25)

    def at(t, a, b):
        return evaluate(jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b))

    return jax.jit(lambda a, b: jax.lax.map(lambda t: at(t, a, b), points))


def repaired_curve(spec, evaluate, sample):
    """As `curve`, with every point repaired."""

    def at(t, a, b):
        mixed = jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b)
        return evaluate(repair(spec, fashion_mlp.apply, mixed, a, b, sample, t=t))

    return jax.jit(lambda a, b: jax.lax.map(lambda t: at(t, a, b), jnp.linspace(0, 1, 25)))


def report(losses, accuracies):
    losses, accuracies = np.asarray(losses), np.asarray(accuracies)
    t = np.linspace(0, 1, len(losses))
    return {
        "barrier": float(np.max(losses - (1 - t) * losses[0] - t * losses[-1])),
        "midpoint_loss": float(losses[len(t) // 2]),
        "midpoint_accuracy": float(accuracies[len(t) // 2]),
        "endpoint_accuracy": float((accuracies[0] + accuracies[-1]) / 2),
    }


def dot(x, y):
    return float(sum(jnp.vdot(p, q) for p, q in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)))


def mean(models):
    return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *models)


def level(params):
    """Every kernel scaled to norm 1 and biases left out, so that each layer has the same say."""
    return [{"w": layer["w"] / jnp.linalg.norm(layer["w"]), "b": 0 * layer["b"]} for layer in params]


def methods(whole, data, key, steps):
    """{name: compiled (a, b) -> element}; of permutations alone, but for those called continuous."""
    spec = only_permutations(whole)
    images, labels = data["train"]
    sample = jnp.asarray(images[:4000])
    probes = jax.random.normal(key, sample.shape)
    x, y = jnp.asarray(images), jnp.asarray(labels)

    def loss(params, key):
        batch = jax.random.randint(key, (1000,), 0, len(x))
        return fashion_mlp.cross_entropy(params, x[batch], y[batch])

    def weights(a, b, init=None):
        return weight_matching(spec, a, b, key=key, init=init).element

    def on(inputs):
        return lambda a, b: activation_matching(spec, fashion_mlp.apply, a, b, inputs).element

    found = {
        "weights": weights,
        "weights, kernels of norm 1": lambda a, b: weights(level(a), level(b)),
        "Frank-Wolfe": lambda a, b: frank_wolfe_matching(spec, a, b).element,
        "Gaussian probes": on(probes),
        "Gaussian probes, then weights": lambda a, b: weights(a, b, on(probes)(a, b)),
        "activations": on(sample),
        "continuous: weights": lambda a, b: weight_matching(whole, a, b, key=key).element,
        "continuous: activations": lambda a, b: (
            activation_matching(whole, fashion_mlp.apply, a, b, sample).element
        ),
        "activations, then weights": lambda a, b: weights(a, b, on(sample)(a, b)),
    }
    if steps:

        def from_activations(matcher):
            def run(a, b):
                start = on(sample)(a, b)
                return matcher(spec, loss, a, b, key=key, init=start, num_steps=steps).element

            return run

        found["straight through"] = from_activations(straight_through_matching)
        found["Sinkhorn"] = from_activations(sinkhorn_matching)
    return {name: jax.jit(function) for name, function in found.items()}
