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
# # How do I average many networks trained from different seeds?
#
# Two networks can be aligned one onto the other. Sixteen want a common frame: `universe_matching` moves all of them to
# one, so that what it finds for A to B and for B to C is what it finds for A to C. Training, alignment and averaging
# are pure functions, and here they are one compiled program.

# %%
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
from sklearn.datasets import load_digits

from geojax import Status, merging, symmetry

SEEDS = 16

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
            x = nn.relu(nn.Dense(256)(x))
        return nn.Dense(10)(x)


model = Mlp()
optimizer = optax.adam(1e-3)
spec = symmetry.infer(model.apply, model.init(jax.random.key(0), images[:1]), images[:8])
print(spec)


def accuracy(params):
    return jnp.mean(model.apply(params, images[test]).argmax(-1) == labels[test])


def fit(key):
    params = model.init(key, images[:1])

    def loss(params, rows):
        logits = model.apply(params, images[rows])
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

    def step(carry, key):
        params, state = carry
        rows = jax.random.choice(key, train, (100,))
        updates, state = optimizer.update(jax.grad(loss)(params, rows), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(key, 300))[0][0]


# %% [markdown]
# ## One program
#
# `vmap` trains all seeds; `universe_matching` takes the stack and gives one element for each; `vmap` again applies
# them. The average of the aligned networks is one network of the same size.


# %%
@jax.jit
def experiment(key):
    train_key, match_key = jax.random.split(key)
    networks = jax.vmap(fit)(jax.random.split(train_key, SEEDS))
    found = symmetry.universe_matching(spec, networks, key=match_key)
    aligned = jax.vmap(functools.partial(symmetry.act, spec))(found.element, networks)
    even = jnp.full(SEEDS, 1 / SEEDS)
    return networks, aligned, merging.average(networks, even), merging.average(aligned, even), found.status


networks, aligned, plain, merged, status = experiment(jax.random.key(1))
single = jax.vmap(accuracy)(networks)
print(f"status of the matching: {Status(int(status)).name}")
print(f"one network:            {single.mean():.1%}, from {single.min():.1%} to {single.max():.1%}")
print(f"plain average:          {accuracy(plain):.1%}")
print(f"average when aligned:   {accuracy(merged):.1%}")

# %% [markdown]
# Aligned networks still compute what they computed, each its own function:

# %%
outputs = jax.vmap(lambda params: model.apply(params, images[test]))
change = jnp.abs(outputs(aligned) - outputs(networks)).max()
print(f"largest change of an output: {change:.1e}")

# %% [markdown]
# ## Every pair
#
# Accuracy half-way between each two networks, before and after. The matching has never looked at a pair by itself.


# %%
@jax.jit
def halfway(stack):
    def between(a, b):
        return accuracy(merging.interpolate(a, b, 0.5))

    return jax.lax.map(lambda a: jax.vmap(between, (None, 0))(a, stack), stack)


before, after = halfway(networks), halfway(aligned)
figure, panels = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for panel, table, title in zip(panels, (before, after), ("as trained", "in one frame"), strict=True):
    shown = panel.imshow(table, vmin=0.5, vmax=1, cmap="viridis")
    panel.set_title(title)
    panel.set_xticks(range(0, SEEDS, 5))
    panel.set_yticks(range(0, SEEDS, 5))
    panel.set_xlabel("seed")
panels[0].set_ylabel("seed")
figure.colorbar(shown, ax=panels, label="accuracy half-way")
plt.show()

# %% [markdown]
# What this page claims, checked:

# %%
off = ~jnp.eye(SEEDS, dtype=bool)
assert int(status) == Status.CONVERGED
assert change < 1e-2
assert accuracy(merged) > accuracy(plain)
assert accuracy(merged) > 0.95 * single.mean()
assert after[off].mean() > before[off].mean()
