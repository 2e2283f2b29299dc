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
# # How do I merge two neural networks that were trained separately?
#
# Averaging the weights of two networks that learnt the same task from different starts gives a network that has
# learnt nothing. The reason is not that they found different solutions: it is that the hidden units of one come in
# another order than those of the other. `geojax` reads that freedom off the network's own program, puts the units of
# the second network in the order of the first, and then the average works.

# %%
import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
from sklearn.datasets import load_digits

from geojax import merging, symmetry, unwrap

# %% [markdown]
# ## Two networks
#
# A perceptron with two hidden layers on scikit-learn's handwritten digits, trained from two seeds at once.

# %%
digits = load_digits()
images = jnp.asarray(digits.images.reshape(-1, 64) / 16, jnp.float32)
labels = jnp.asarray(digits.target)
order = jax.random.permutation(jax.random.key(0), len(images))
test, train = order[:400], order[400:]


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.Dense(512)(x))
        return nn.Dense(10)(x)


model = Mlp()
optimizer = optax.adam(1e-3)


def loss(params, rows):
    return optax.softmax_cross_entropy_with_integer_labels(
        model.apply(params, images[rows]), labels[rows]
    ).mean()


def accuracy(params):
    return jnp.mean(model.apply(params, images[test]).argmax(-1) == labels[test])


@jax.jit
@jax.vmap
def fit(key):
    params = model.init(key, images[:1])

    def step(carry, key):
        params, state = carry
        rows = jax.random.choice(key, train, (100,))
        updates, state = optimizer.update(jax.grad(loss)(params, rows), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(key, 300))[0][0]


networks = fit(jax.random.split(jax.random.key(1), 2))
params_a, params_b = (jax.tree.map(lambda leaf, i=i: leaf[i], networks) for i in range(2))
ends = [float(accuracy(params)) for params in (params_a, params_b)]
print(f"accuracy of the networks: {ends[0]:.1%} and {ends[1]:.1%}")

# %% [markdown]
# ## The symmetries, read off the program
#
# `infer` needs the function and one example of its arguments. It has never heard of layers; the table says which axes
# of which arrays move together, and why the others must stay.

# %%
spec = symmetry.infer(model.apply, params_a, images[:2])
print(spec)

# %% [markdown]
# A random element of that group changes every hidden weight and not one output:

# %%
element = symmetry.random_element(spec, jax.random.key(2))
moved = symmetry.act(spec, element, params_b)
change = jnp.abs(model.apply(moved, images[test]) - model.apply(params_b, images[test])).max()
print(f"largest change of an output: {change:.1e}")

# %% [markdown]
# ## Align, average, repair
#
# Of all the networks that compute what the second one computes, `activation_matching` picks the one whose units
# respond like the first network's. Its average with the first network has units that vary a little less than they
# should; `repair` gives them back the mean and standard deviation that lie between those of the two.

# %%
shown = images[train[:500]]
found = unwrap(symmetry.activation_matching(spec, model.apply, params_a, params_b, shown))
aligned = symmetry.act(spec, found.element, params_b)

naive = merging.interpolate(params_a, params_b, 0.5)
middle = merging.interpolate(params_a, aligned, 0.5)
repaired = merging.repair(spec, model.apply, middle, params_a, aligned, shown, t=0.5)
for name, params in {"not aligned": naive, "aligned": middle, "aligned and repaired": repaired}.items():
    print(f"{name:>21}: {accuracy(params):.1%}")

# %% [markdown]
# ## The way from one network to the other
#
# The loss on the straight line between the networks has a barrier; between aligned networks it is almost gone.


# %%
def fixed(a, b, t):
    return merging.repair(spec, model.apply, merging.interpolate(a, b, t), a, b, shown, t=t)


@jax.jit
def curves(a, b, aligned):
    def on_test(params):
        return loss(params, test)

    return {
        "not aligned": merging.barrier(on_test, a, b),
        "aligned": merging.barrier(on_test, a, aligned),
        "aligned and repaired": merging.barrier(on_test, a, aligned, path=fixed),
    }


along = curves(params_a, params_b, aligned)
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
colours = {"not aligned": "#8a8a8a", "aligned": "#e69f00", "aligned and repaired": "#d55e00"}
for name, colour in colours.items():
    path = along[name]
    axes.plot(
        path.times, path.curve, marker="o", ms=3, color=colour, label=f"{name}: barrier {path.value:.3f}"
    )
axes.set_xticks([0, 0.5, 1], ["network A", "midpoint", "network B"])
axes.set_ylabel("test loss (nats)")
axes.margins(x=0.08)
axes.set_title("Two networks become one")
axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# What this page claims, checked:

# %%
mean = sum(ends) / 2
assert change < 1e-3
assert accuracy(naive) < accuracy(middle)
assert along["aligned"].value < along["not aligned"].value / 5
assert accuracy(repaired) > 0.97 * mean
