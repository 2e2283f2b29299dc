# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning on weights
#
# How well does a network do? One may look at its weights alone, without a single image, and say. The units of a hidden
# layer stand in no order, so that what reads the weights should not care for the order either. This page trains a few
# hundred small networks, good and bad ones, and compares three readers: a random forest on statistics of the weights, a
# network that commutes with the permutations of units by construction, and a perceptron on the list of all weights.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy.stats import kendalltau
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestRegressor

import geojax as gj

GREY, BLUE, ORANGE, GREEN = "#8a8a8a", "#0072b2", "#e69f00", "#009e73"

# %% [markdown]
# ## A zoo
#
# Perceptrons 64-16-10 on digits. Each draws its learning rate, the scale of its first weights, the share of wrong
# labels and its number of steps. `population` trains all of them in one program; network i depends on the key and i
# alone.

# %%
HIDDEN, STEPS, NUM, HELD = 16, 100, 1024, 256
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = jnp.asarray(x[order] / 16, jnp.float32), jnp.asarray(y[order], jnp.int32)
(x, y), (x_test, y_test) = (x[:900], y[:900]), (x[900:], y[900:])


def network(params, x):
    return jax.nn.gelu(x @ params["w0"] + params["b0"]) @ params["w1"] + params["b1"]


def init(key):
    scale_key, first, second = jax.random.split(key, 3)
    scale = jnp.exp(jax.random.uniform(scale_key, minval=-1.5, maxval=1.0))
    return {
        "b0": jnp.zeros(HIDDEN),
        "b1": jnp.zeros(10),
        "w0": scale * jax.random.normal(first, (64, HIDDEN)) / 8,
        "w1": scale * jax.random.normal(second, (HIDDEN, 10)) / 4,
    }


def train(params, key):
    first, second = jax.random.split(key)
    draws = jax.random.uniform(first, (3,))
    rate = 10 ** (2.5 * draws[0] - 3.5)
    steps = jnp.round(3 + (STEPS - 3) * draws[1])
    other = jax.random.uniform(second, y.shape) / (draws[2] / 2)
    labels = jnp.where(other < 1, jnp.int32(10 * other), y)
    optimiser = optax.scale_by_adam()

    def step(carry, number):
        params, state = carry
        images, given = (jax.lax.dynamic_slice_in_dim(a, 32 * (number % 28), 32) for a in (x, labels))

        def loss(p):
            return optax.softmax_cross_entropy_with_integer_labels(network(p, images), given).mean()

        updates, state = optimiser.update(jax.grad(loss)(params), state)
        now = jnp.where(number < steps, rate, 0)
        return (jax.tree.map(lambda p, u: p - now * u, params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), jnp.arange(STEPS))
    return params, jnp.mean(jnp.argmax(network(params, x_test), axis=-1) == y_test)


make = jax.jit(lambda key: gj.metanets.population(init, train, key=key, num=NUM))
zoo, accuracy, finite = make(jax.random.key(0))
accuracy = np.asarray(accuracy)
print(f"{NUM} networks, {int(np.sum(~finite))} diverged")
print("accuracies, in tenths:", np.quantile(accuracy, np.linspace(0, 1, 11)).round(2))


def part(tree, rows):
    return jax.tree.map(lambda leaf: leaf[rows], tree)


held, seen = slice(0, HELD), slice(HELD, NUM)
truth = accuracy[held]


def scores(predicted):
    rest = np.mean((predicted - truth) ** 2) / np.var(truth)
    return {"R2": float(1 - rest), "tau": float(kendalltau(predicted, truth)[0])}


# %% [markdown]
# ## The baseline: a forest on statistics
#
# Mean, variance and quartiles of each leaf, 28 numbers for a network, and a random forest. No permutation of units
# changes them. It is a strong baseline, and needs a second.

# %%
statistics = np.asarray(jax.jit(jax.vmap(gj.metanets.weight_statistics))(zoo))
forest = RandomForestRegressor(120, n_jobs=1, random_state=0, max_features=0.33)
forest.fit(statistics[seen], accuracy[seen])
found = {"forest on statistics": forest.predict(statistics[held])}

# %% [markdown]
# ## A network on weights
#
# `infer` reads the permutations off the function, `features` makes channels of the weights, and `invariant` builds a
# network of maps that commute with the permutations, with a mean at the end. The same code would build one for a
# convolutional network or a transformer. The loss is the cross-entropy of the accuracy.

# %%
spec = gj.symmetry.infer(network, part(zoo, 0), x[:4])
assert [(group.kind, group.size) for group in spec.groups.values()] == [("permutation", HIDDEN)]
channels = jax.jit(jax.vmap(lambda p: gj.metanets.features(spec, p)))(zoo)
channels_in = channels["w0"].shape[-1]
init_pool, pool = gj.metanets.invariant(spec, size=16, width=8, depth=1, channels_in=channels_in)


def init_reader(key):
    first, second = jax.random.split(key)
    return {"pool": init_pool(first), "out": jax.random.normal(second, (16,)) / 4, "bias": jnp.zeros(())}


def reader(theta, channels):
    return jax.nn.gelu(pool(theta["pool"], channels)) @ theta["out"] + theta["bias"]


# %% [markdown]
# The third reader is a perceptron on the list of all channels. It has twelve times as many coefficients, and no notion
# of what a unit is.


# %%
def flat(channels):
    return jnp.concatenate([leaf[..., :2].ravel() for leaf in jax.tree.leaves(channels)])


size = flat(part(channels, 0)).size


def init_perceptron(key):
    first, second = jax.random.split(key)
    return {
        "in": jax.random.normal(first, (size, 32)) / size**0.5,
        "bias": jnp.zeros(32),
        "out": jax.random.normal(second, (32,)) / 32**0.5,
    }


def perceptron(theta, channels):
    return jax.nn.gelu(flat(channels) @ theta["in"] + theta["bias"]) @ theta["out"]


def fitted(init, apply, key, steps, data):
    """The coefficients after some steps on batches of the networks that are seen."""
    first, order = jax.random.split(key)
    schedule = optax.cosine_onecycle_schedule(steps, 5e-3, pct_start=0.2)
    optimiser = optax.adamw(schedule, weight_decay=0.03)

    def step(carry, key):
        theta, state = carry
        rows = jax.random.randint(key, (32,), 0, len(data[1]))

        def loss(theta):
            logits = jax.vmap(apply, (None, 0))(theta, part(data[0], rows))
            return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, data[1][rows]))

        updates, state = optimiser.update(jax.grad(loss)(theta), state, theta)
        return (optax.apply_updates(theta, updates), state), None

    theta = init(first)
    return jax.lax.scan(step, (theta, optimiser.init(theta)), jax.random.split(order, steps))[0][0]


KEYS = jax.random.split(jax.random.key(1, impl="rbg"), 3)  # this kind of key compiles in half the time


def compiled(init, apply, steps=400):
    """(fit, predict) of a reader: three of them are trained, and their mean predicts."""
    fit = jax.jit(jax.vmap(lambda key, data: fitted(init, apply, key, steps, data), (0, None)))

    def one(thetas, params):
        channels = gj.metanets.features(spec, params)
        return jnp.mean(jax.nn.sigmoid(jax.vmap(apply, (0, None))(thetas, channels)))

    return fit, jax.jit(jax.vmap(one, (None, 0)))


data = part(channels, seen), jnp.asarray(accuracy[seen])
fit_network, by_network = compiled(init_reader, reader)
trained = fit_network(KEYS, data)
found["network on weights"] = np.asarray(by_network(trained, part(zoo, held)))

# %% [markdown]
# ## More data for nothing
#
# A random element of the group makes from each network another one that computes the same. The network on weights
# learns nothing from the copies, since it does not tell them apart. A perceptron does: it is trained once on the
# networks as they are, and once on eight copies of each, with the units in another order.

# %%
COPIES = 8


def copies_of(params, keys):
    """A network moved by a random element for each key."""
    return jax.vmap(lambda key: gj.symmetry.act(spec, gj.symmetry.random_element(spec, key), params))(keys)


def joined(stack):
    """Networks and their copies in one row."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stack)


keys = jax.random.split(jax.random.key(2), (NUM, COPIES))
copies = jax.jit(jax.vmap(copies_of))(zoo, keys)
channels_of = jax.jit(jax.vmap(lambda p: gj.metanets.features(spec, p)))
repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf, COPIES, axis=0), data)
fit_perceptron, by_perceptron = compiled(init_perceptron, perceptron)
for name, rows in (
    ("perceptron on weights", repeated[0]),
    ("perceptron, copies", channels_of(joined(part(copies, seen)))),
):
    trained_perceptron = fit_perceptron(KEYS, (rows, repeated[1]))
    found[name] = np.asarray(by_perceptron(trained_perceptron, part(zoo, held)))
found["forest and network"] = (found["forest on statistics"] + found["network on weights"]) / 2

# %% [markdown]
# ## Who wins?

# %%
results = {name: scores(predicted) for name, predicted in found.items()}
for name, result in results.items():
    print(f"{name:24} R2 {result['R2']:.3f}   Kendall's tau {result['tau']:.3f}")

COLORS = dict(zip(found, (GREEN, BLUE, GREY, ORANGE), strict=False))
figure, panels = plt.subplots(1, 4, figsize=(11, 3.3), layout="constrained", sharex=True, sharey=True)
for panel, (name, color) in zip(panels, COLORS.items(), strict=True):
    panel.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    panel.scatter(truth, found[name], s=10, color=color, alpha=0.7)
    panel.set_title(f"{name}\nR2 {results[name]['R2']:.2f}, tau {results[name]['tau']:.2f}", fontsize=10)
    panel.set_xlabel("accuracy of a network")
    panel.set_aspect("equal")
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("predicted from its weights")
plt.show()

# %% [markdown]
# The forest and the network on weights are level at this size, and the forest takes a fraction of the time: statistics
# are a good summary of how far a perceptron was trained. The two err on different networks, so that their mean is no
# worse than the better one, and here a little better. The perceptron on weights falls far behind. Copies help it, but
# there are 16! orders, and it still gives one network different answers.
#
# Here are 32 networks that no reader has seen, each in eight orders.

# %%
NETWORKS = HELD // COPIES
some = joined(part(copies, slice(0, NETWORKS)))
moved = {
    "network on weights": by_network(trained, some),
    "perceptron, copies": by_perceptron(trained_perceptron, some),
}
moved = {name: np.asarray(values).reshape(NETWORKS, COPIES) for name, values in moved.items()}
ranks = np.argsort(np.argsort(truth[:NETWORKS]))
figure, axis = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for name, dot in (("perceptron, copies", 10), ("network on weights", 28)):
    axis.scatter(np.repeat(ranks, COPIES), moved[name], s=dot, color=COLORS[name], label=name, linewidths=0)
axis.scatter(ranks, truth[:NETWORKS], s=140, marker="_", color="black", label="accuracy")
axis.set_xlabel("networks, by their accuracy")
axis.set_ylabel("predicted from weights")
axis.set_xticks([])
axis.set_title("Eight orders of the units: eight answers, or one")
axis.legend(frameon=False, loc="upper left")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## What holds

# %%
few = part(copies, slice(0, 4))
logits = jax.vmap(jax.vmap(network, (0, None)), (0, None))(few, x_test[:50])
np.testing.assert_allclose(logits, logits[:, :1] + 0 * logits, atol=2e-4 * np.abs(logits).max())

assert finite.all()
assert np.ptp(accuracy) > 0.7
assert np.ptp(moved["network on weights"], axis=1).max() < 1e-4
assert np.ptp(moved["perceptron, copies"], axis=1).mean() > 0.05

# A constant has R2 at most 0 and no order.
assert results["forest on statistics"]["R2"] > 0.85
assert results["forest on statistics"]["tau"] > 0.75
assert results["network on weights"]["R2"] > 0.8
assert results["network on weights"]["tau"] > 0.7
level = abs(results["forest on statistics"]["tau"] - results["network on weights"]["tau"])
assert level < 0.06
better = max(results[name]["R2"] for name in ("forest on statistics", "network on weights"))
assert results["forest and network"]["R2"] > better - 0.01
assert results["perceptron, copies"]["R2"] > results["perceptron on weights"]["R2"] + 0.05
for name in ("perceptron on weights", "perceptron, copies"):
    assert results[name]["R2"] < results["network on weights"]["R2"] - 0.1
