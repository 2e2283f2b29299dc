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
# # Does teleporting make an optimiser faster?
#
# The symmetries of a network join weights of equal loss. The gradient is not equal there: an optimiser can be moved, at
# no change of the loss, to where the slope is steeper, or to where the valley is wider. This page shows such a
# teleport, puts it into SGD with one line of `optax`, and measures what it brings, against steps and against time. The
# answer in short: moving to steep places acts like a larger learning rate and no better, and costs more; moving to flat
# places helps where the weights are badly scaled.

# %%
import functools
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import load_digits

from geojax import symmetry

SEEDS, STEPS = 8, 100
GREY, BLUE, ORANGE, RED = "#8a8a8a", "#0072b2", "#e69f00", "#d55e00"

# %% [markdown]
# ## A small network, eight seeds
#
# A relu perceptron on 256 of scikit-learn's handwritten digits, with the whole set in each step, so that nothing but
# the start is random.

# %%
digits = load_digits()
images = jnp.asarray(digits.images[:256].reshape(-1, 64) / 16, jnp.float32)
labels = jnp.asarray(digits.target[:256])


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.Dense(24)(x))
        return nn.Dense(10)(x)


model = Mlp()


def loss(params):
    return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, images), labels).mean()


def slope(params):
    return optax.tree.norm(jax.grad(loss)(params))


starts = jax.jit(jax.vmap(lambda key: model.init(key, images[:1])))(
    jax.random.split(jax.random.key(0), SEEDS)
)
spec = symmetry.infer(model.apply, jax.tree.map(lambda leaf: leaf[0], starts), images[:8])
print(spec)

# %% [markdown]
# A relu unit may be scaled by any s > 0 if what reads it is divided by s: that is what `scaling` says, for the 24 units
# of each layer. The weights of equal loss around one start form a surface of 48 dimensions.
#
# ## One teleport
#
# `teleport` climbs the squared norm of the gradient along that surface, here in twenty steps of length 0.1 one after
# another. The loss keeps its value to rounding.


# %%
@jax.jit
@jax.vmap
def flight(params):
    def step(params, _):
        there = symmetry.teleport(spec, loss, params, step_size=0.1, max_steps=1).params
        return there, (loss(there), slope(there))

    values = jax.lax.scan(step, params, length=20)[1]
    return tuple(
        jnp.append(first, more) for first, more in zip((loss(params), slope(params)), values, strict=True)
    )


losses, slopes = (np.asarray(values) for values in flight(starts))
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
axes.plot((slopes / slopes[:, :1]).T, color=RED, lw=1)
axes.plot((losses / losses[:, :1]).T, color=GREY, lw=2)
axes.text(20.3, (slopes[:, -1] / slopes[:, 0]).mean(), "gradient norm", color=RED, va="center")
axes.text(20.3, 1, "loss", color=GREY, va="center")
axes.set_xlabel("step of the teleport")
axes.set_ylabel("relative to the start")
axes.set_xlim(0, 25)
axes.set_xticks(range(0, 21, 5))
axes.set_title("Eight networks, teleported")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## In an optimiser
#
# `with_teleportation` wraps any `optax` transformation; its update takes the loss as `value_fn`, as line searches do.
# Learning rate and length of the teleport are arrays like others, so that one compiled function trains all seeds with
# all settings. A length of zero is plain SGD.


# %%
def train(start, rate, length, *, every=STEPS, objective=None):
    optimizer = symmetry.with_teleportation(
        spec, optax.sgd(rate), every=every, objective=objective, step_size=length, max_steps=5
    )

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params, value_fn=loss)
        return (optax.apply_updates(params, updates), state), value

    (params, _), curve = jax.lax.scan(step, (start, optimizer.init(start)), length=STEPS)
    return jnp.append(curve, loss(params))


def over(starts, rates, lengths, **settings):
    """Loss curves [lengths, rates, seeds, steps]; a run that overflows counts as infinite loss."""
    run = functools.partial(train, **settings)
    run = jax.vmap(jax.vmap(jax.vmap(run, (0, None, None)), (None, 0, None)), (None, None, 0))
    curves = np.array(jax.jit(run)(starts, jnp.asarray(rates), jnp.asarray(lengths)))
    return np.where(np.isfinite(curves), curves, np.inf)


rates = np.geomspace(0.05, 1.6, 11)
lengths = np.array([0, 0.2, 0.4, 0.8])
once = over(starts, rates, lengths)
often = over(starts, rates[2:3], lengths[2:3], every=20)

# %% [markdown]
# A teleport is not free. Each of its five steps takes the derivative of a gradient norm, and a gradient. Measured here,
# for all eight seeds at once:


# %%
def median_time(function):
    compiled = jax.jit(jax.vmap(function))
    jax.block_until_ready(compiled(starts))
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        jax.block_until_ready(compiled(starts))
        times.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(times))


a_step = median_time(lambda params: optax.apply_updates(params, jax.grad(loss)(params)))
a_teleport = median_time(
    lambda params: symmetry.teleport(spec, loss, params, step_size=0.4, max_steps=5).params
)
print(f"a step of SGD: {a_step:.2f} ms; a teleport: {a_teleport:.2f} ms, or {a_teleport / a_step:.0f} steps")

# %% [markdown]
# Against steps, one teleport before the first step is a small gain, the same as from a learning rate a little larger.
# Against time even that is used up by the teleport itself. Teleporting every twenty steps makes the loss leap: the
# gradient has no largest value on the surface, and sooner or later it is larger than the learning rate can bear.

# %%
runs = {
    f"SGD, rate {rates[2]:.2f}": (once[0, 2], GREY, 0),
    "teleported once": (once[2, 2], ORANGE, 1),
    "teleported every 20 steps": (often[0, 0], RED, 5),
    f"SGD, rate {rates[4]:.2f}": (once[0, 4], BLUE, 0),
}
figure, panels = plt.subplots(1, 2, figsize=(9.5, 3.8), sharey=True, layout="constrained")
for name, (curves, colour, teleports) in runs.items():
    low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
    steps = np.arange(STEPS + 1)
    jumps = np.minimum((steps + 19) // 20, teleports) if teleports > 1 else teleports * (steps > 0)
    for panel, x in zip(panels, (steps, steps * a_step + jumps * a_teleport), strict=True):
        if teleports < 2:
            panel.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        panel.plot(x, middle, color=colour, label=name)
panels[0].set_ylim(0, 3)
panels[0].set_ylabel("loss (nats): median and quartiles")
panels[0].set_xlabel("step")
panels[1].set_xlabel("time of the steps and teleports (ms)")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
for panel in panels:
    panel.spines[["top", "right"]].set_visible(False)
plt.show()

medians = {name: np.median(curves, axis=0) for name, (curves, _, _) in runs.items()}
plain, teleported, leaping, faster = medians.values()
needed = int((teleported > plain[-1]).sum())
print(f"teleported once, {needed} steps reach what {STEPS} reach without: {STEPS - needed} saved")

# %% [markdown]
# ## Every learning rate, every length
#
# A comparison at one learning rate can show what one likes. Here is the loss after 100 steps for all of them; the mark
# is the best rate for each length of teleport. Left of the marks longer teleports help, as longer steps would. At the
# marks, where one would train, there is nothing to be had.

# %%
final = np.median(once[..., -1], axis=-1)
best = final.min(axis=1)
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
shown = axes.imshow(np.log10(np.minimum(final, 2.3)), cmap="viridis_r", aspect="auto", origin="lower")
axes.plot(final.argmin(axis=1), range(len(lengths)), "o", color="white", mec="black", ms=9)
axes.set_xticks(range(len(rates)), [f"{rate:.2f}" for rate in rates])
axes.set_yticks(range(len(lengths)), [f"{length:g}" for length in lengths])
axes.set_xlabel("learning rate")
axes.set_ylabel("length of a teleport's step")
bar = figure.colorbar(shown, label="loss after 100 steps (nats)")
bar.set_ticks(np.log10([0.03, 0.1, 0.3, 1, 2.3]), labels=["0.03", "0.1", "0.3", "1", "2.3"])
plt.show()
for length, value in zip(lengths, best, strict=True):
    print(f"length {length:.1f}: loss {value:.3f} at its best rate")

# %% [markdown]
# ## Where it helps: the other way
#
# Scale the units of a start at random, by factors of about three up and down. It is the same function, but some
# directions are now steep and others shallow, and no learning rate suits both: small ones do more than they did, large
# ones fail earlier, and the loss at the best one is twice as high. The wanted place is the flat one. Its objective here
# is minus the squared length of the weights, a cheap stand-in for the curvature; another, such as minus a trace of the
# Hessian, goes in the same place. The teleport gives back what a good start has.


# %%
@jax.jit
@jax.vmap
def scaled(params, key):
    element = symmetry.identity(spec)
    for i, (name, group) in enumerate(spec.groups.items()):
        if group.kind == "scaling":
            element[name] = jnp.exp(1.1 * jax.random.normal(jax.random.fold_in(key, i), group.shape))
    return symmetry.act(spec, element, params)


bad = scaled(starts, jax.random.split(jax.random.key(1), SEEDS))
flat = over(bad, rates, [0.0, 1.0], objective=lambda params: -optax.tree.norm(params, squared=True))
ends = {
    "as initialised": (final[0], GREY),
    "badly scaled": (np.median(flat[0, ..., -1], axis=-1), BLUE),
    "badly scaled, teleported once to a flat place": (np.median(flat[1, ..., -1], axis=-1), RED),
}
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for name, (values, colour) in ends.items():
    axes.loglog(rates, values, marker="o", ms=4, color=colour, label=f"{name}: {values.min():.3f} at best")
axes.set_xticks([0.05, 0.1, 0.2, 0.4, 0.8, 1.6], ["0.05", "0.1", "0.2", "0.4", "0.8", "1.6"])
axes.set_yticks([0.03, 0.1, 0.3, 1, 2.3], ["0.03", "0.1", "0.3", "1", "2.3"])
axes.minorticks_off()
axes.set_xlabel("learning rate")
axes.set_ylabel("loss after 100 steps (nats)")
figure.legend(loc="outside upper left", frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# So, when does a teleport not help?
#
# * Where the learning rate is tuned: a steeper place is a larger rate by another name.
# * Where a step is cheap: a teleport costs many.
# * Where it is done often with no bound: what is steep at one place makes the next step too long.
# * Where the program has no continuous symmetry: permutations alone leave the gradient as it is.
#
# It helps where weights come badly scaled, from another parametrisation, a pruning or a hand-made start; and then to
# the flat side.
#
# What this page claims, checked:

# %%
assert spec.dimension == 48
assert np.allclose(losses, losses[:, :1], rtol=1e-4)
assert (slopes[:, -1] > 1.3 * slopes[:, 0]).all()
assert faster[-1] < teleported[-1] < plain[-1]
assert (np.maximum(leaping[1:] - leaping[:-1], 0)).max() > 0.3
assert 0 < STEPS - needed < 20
assert (best > 0.8 * best[0]).all()
as_initialised, badly_scaled, mended = (values for values, _ in ends.values())
assert badly_scaled[0] < as_initialised[0]
assert badly_scaled.min() > 1.4 * mended.min()
assert mended.min() < 1.4 * as_initialised.min()
