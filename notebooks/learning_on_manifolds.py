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
# # How do I train parameters that live on a manifold?
#
# Some parameters are not free numbers: a subspace, a covariance matrix, a place in a hierarchy. On this page each kind
# is trained with optax and does something that flat parameters do not. You will see a classifier of digits whose
# classes are **subspaces**, and how much of an image each class accounts for; **batch normalisation of covariance
# matrices**, which makes recordings from different sessions comparable; and a **tree in the hyperbolic plane**, drawn
# in a disc with straight edges that look bent, at less than half of the error that the flat plane leaves.
#
# One line does it everywhere: `riemannian(manifolds, inner)` takes any optax transformation and a tree that says
# which parameters are curved. The rest are updated as before.

# %%
import itertools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib.collections import EllipseCollection, LineCollection
from sklearn.datasets import load_digits

from geojax import Status, manifolds, optim

GREY, BLUE, ORANGE, RED = "#8a8a8a", "#0072b2", "#e69f00", "#d55e00"


def train(objective, params, optimizer, keys):
    """Minimise objective(params, key), one step for each key."""

    @jax.jit
    def run(params):
        def step(carry, key):
            params, state = carry
            value, gradient = jax.value_and_grad(objective)(params, key)
            updates, state = optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), value

        (params, _), values = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        return params, values

    return run(params)


# %% [markdown]
# ## Classes that are subspaces
#
# A linear classifier keeps one vector for each class and compares by inner products. Let a class be a plane of several
# dimensions instead, and let the logit be the length of the image's projection onto it: a class may then look in
# several ways. Only the plane matters, not the frame that spans it, so its home is the Grassmann manifold; all ten are
# a `Power` of it. The temperature beside them is an ordinary number. With one dimension a class is a single vector
# again, up to its sign; both heads are trained alike.

# %%
digits = load_digits()
images = jnp.asarray(digits.images.reshape(-1, 64), jnp.float32)
images = images / jnp.linalg.norm(images, axis=1, keepdims=True)
labels = jnp.asarray(digits.target)
order = jax.random.permutation(jax.random.key(0), len(images))
test, shown = order[:400], order[400:]
planes = manifolds.Power(manifolds.Grassmann())


def logits(params, x):
    scale = jnp.exp(params["log_scale"])
    return scale * jax.vmap(manifolds.frames.grassmann_logits, (0, None))(x, params["planes"])


def classification(params, key):
    rows = jax.random.choice(key, shown, (128,))
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, images[rows]), labels[rows]).mean()


def accuracy(params):
    return jnp.mean(logits(params, images[test]).argmax(-1) == labels[test])


heads = {}
for k in (1, 4):
    start = {"planes": planes.random_point(jax.random.key(1), (10, 64, k)), "log_scale": jnp.log(20.0)}
    optimizer = optim.riemannian({"planes": planes, "log_scale": None}, optax.adam(0.03))
    heads[k], _ = train(classification, start, optimizer, jax.random.split(jax.random.key(2), 200))
    print(f"classes of {k} dimension{'s' if k > 1 else ' '}: test accuracy {accuracy(heads[k]):.1%}")

# %% [markdown]
# Such a head can show what it sees: the projection of an image onto a class is the part of it that the class accounts
# for, strokes in orange, their absence in violet. The number above each picture is how much of the image's length is
# left; the largest of a row is the answer.

# %%
frames = heads[4]["planes"]
examples = images[jnp.array([test[jnp.argmax(labels[test] == digit)] for digit in (0, 3, 4, 6, 8)])]
drawn = jnp.einsum("cdk,cek,ne->ncd", frames, frames, examples)
kept = jax.vmap(manifolds.frames.grassmann_logits, (0, None))(examples, frames)
figure, panels = plt.subplots(len(examples), 11, figsize=(10, 5.4), layout="constrained")
for row, image, projections, length in zip(panels, examples, drawn, kept, strict=True):
    row[0].imshow(image.reshape(8, 8), cmap="gray_r", vmin=0)
    for panel, projection, left in zip(row[1:], projections, length, strict=True):
        won = left == length.max()
        limit = float(jnp.abs(image).max())
        panel.imshow(projection.reshape(8, 8), cmap="PuOr_r", vmin=-limit, vmax=limit)
        panel.set_title(
            f"{left:.2f}", fontsize=9, color=RED if won else GREY, weight="bold" if won else None, pad=3
        )
        panel.spines[:].set(color=RED if won else "#dddddd", linewidth=2 if won else 0.8)
for panel in panels.flat:
    panel.set(xticks=[], yticks=[])
for digit, panel in enumerate(panels[-1, 1:]):
    panel.set_xlabel(f"class {digit}", fontsize=9)
panels[-1, 0].set_xlabel("image", fontsize=9)
plt.show()

# %% [markdown]
# The frames are still orthonormal after all those steps, and another frame of the same planes gives the same logits:

# %%
drift = jnp.abs(jnp.einsum("cdk,cdl->ckl", frames, frames) - jnp.eye(4)).max()
turn = manifolds.SpecialOrthogonal().random_point(jax.random.key(3), (4, 4))
turned = {**heads[4], "planes": frames @ turn}
change = jnp.abs(logits(turned, examples) - logits(heads[4], examples)).max()
print(f"frames off orthonormal by {drift:.0e}; logits change by {change:.0e} when they turn")

# %% [markdown]
# ## Batch normalisation of covariance matrices
#
# Brain waves, radar, finance: what tells two states apart is often how channels vary together. But each session has
# gains and crosstalk of its own, A, and what is measured is A C Aᵀ. Between sessions that drowns the difference between
# the classes. Subtracting a mean does not mend it, since covariances do not add; `batch_norm` does what
# subtracting and dividing mean among positive definite matrices: it moves a session's Fréchet mean to one place and
# scales the spread.
#
# Eight channels, two states that differ in two hidden sources, six sessions to learn from and three new ones.

# %%
CHANNELS, SESSIONS, TRIALS, SAMPLES = 8, 9, 60, 200


def session(key):
    gain_key, mix_key, label_key, noise_key = jax.random.split(key, 4)
    gains = jnp.exp(jax.random.normal(gain_key, (CHANNELS, 1)))
    crosstalk = jnp.eye(CHANNELS) + 0.1 * jax.random.normal(mix_key, (CHANNELS, CHANNELS))
    state = jax.random.bernoulli(label_key, 0.5, (TRIALS,)).astype(int)
    powers = jnp.array([[1.15, 0.9], [0.9, 1.15]])[state]
    amplitudes = jnp.concatenate([powers, jnp.ones((TRIALS, CHANNELS - 2))], 1)
    sources = jax.random.normal(noise_key, (TRIALS, CHANNELS, SAMPLES)) * amplitudes[..., None]
    signals = gains * crosstalk @ (mixing @ sources)
    return jnp.einsum("tcs,tds->tcd", signals, signals) / SAMPLES, state


mixing = manifolds.SpecialOrthogonal().random_point(jax.random.key(4), (CHANNELS, CHANNELS))
covariances, states = jax.jit(jax.vmap(session))(jax.random.split(jax.random.key(5), SESSIONS))
known, new = slice(0, 6), slice(6, None)

# %% [markdown]
# The network is small and its parameters are of three kinds. The normalisation brings a session's mean to a learnt
# positive definite matrix; a frame W on the Stiefel manifold mixes eight channels into two, Wᵀ C W; the logarithm at
# the identity makes plain vectors for a linear head. One prefix tree tells the optimiser which is which. A step takes
# one session as its batch; without the normalisation the rest is the same.

# %%
spd = manifolds.SPDAffineInvariant()
kinds = {"frame": manifolds.Stiefel(), "mean": spd, "log_spread": None, "head": None, "bias": None}
params = {
    "frame": manifolds.Stiefel().random_point(jax.random.key(6), (CHANNELS, 2)),
    "mean": jnp.eye(CHANNELS),
    "log_spread": jnp.zeros(()),
    "head": jnp.zeros((2, 2)),
    "bias": jnp.zeros(()),
}
unseen = manifolds.normalization.BatchNormState(mean=jnp.eye(CHANNELS), variance=1.0)


def normalised(params, covariances):
    spread = jnp.exp(params["log_spread"])
    return manifolds.normalization.batch_norm(
        spd, covariances, unseen, params["mean"], spread, momentum=1.0, tol=1e-3
    )


def mixed(params, covariances):
    return params["frame"].T @ covariances @ params["frame"]


def without_norm(params, covariances):
    vectors = jax.vmap(spd.log, (None, 0))(jnp.eye(2), mixed(params, covariances))
    return jnp.einsum("tij,ij->t", vectors, params["head"]) + params["bias"]


def with_norm(params, covariances):
    return without_norm(params, normalised(params, covariances).points)


models, rates = {}, {}
optimizer = optim.riemannian(kinds, optax.adam(0.05))
for name, model in {"not normalised": without_norm, "normalised": with_norm}.items():

    def objective(params, key, model=model):
        at = jax.random.randint(key, (), 0, known.stop)
        return optax.sigmoid_binary_cross_entropy(model(params, covariances[at]), states[at]).mean()

    models[name], _ = train(objective, params, optimizer, jax.random.split(jax.random.key(7), 200))
    right = (jax.vmap(model, (None, 0))(models[name], covariances) > 0) == states
    rates[name] = right[known].mean(), right[new].mean()
    print(
        f"{name:>14}: {rates[name][0]:.1%} on the sessions it learnt from, {rates[name][1]:.1%} on new ones"
    )

# %% [markdown]
# The new sessions, seen by the trained network: each trial is the ellipse of its two-by-two covariance. Before the
# normalisation each session has its own size and slant, and the states are a detail of it; after, the sessions agree
# and the states stand apart. No label of the new sessions was used.

# %%
model = models["normalised"]
solved = jax.vmap(normalised, (None, 0))(model, covariances[new])
before, after = mixed(model, covariances[new]), mixed(model, solved.points)
figure, panels = plt.subplots(2, 3, figsize=(7.4, 5.4), layout="constrained")
for row, stack, words in zip(panels, (before, after), ("as recorded", "normalised"), strict=True):
    values, axes = np.linalg.eigh(stack)
    # One scale for the row: the longest axis fills the panel.
    lengths = 2 * np.sqrt(values / values.max())
    for number, panel in enumerate(row):
        for state, colour in enumerate((BLUE, RED)):
            mine = states[new][number] == state
            long, slant = lengths[number][mine], axes[number][mine][:, :, 1]
            angles = np.degrees(np.arctan2(slant[:, 1], slant[:, 0]))
            sizes = {"widths": long[:, 1], "heights": long[:, 0], "angles": angles, "units": "x"}
            ellipses = EllipseCollection(
                **sizes, offsets=np.zeros((len(long), 2)), offset_transform=panel.transData,
                facecolor="none", edgecolor=colour, alpha=0.5, lw=0.9,
            )  # fmt: skip
            panel.add_collection(ellipses)
        panel.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[], yticks=[], aspect="equal")
        panel.spines[:].set_color("#dddddd")
    row[0].set_ylabel(words)
for number, panel in enumerate(panels[0]):
    panel.set_title(f"new session {number + 1}", fontsize=10)
handles = [plt.Line2D([], [], color=colour, label=f"state {i}") for i, colour in enumerate((BLUE, RED))]
figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# A session may be too short for a batch, or come one trial at a time. The result carries running statistics for that;
# `batch_norm_eval` applies them. Here those of a session's first half serve its second:

# %%
half = TRIALS // 2


@jax.jit
@jax.vmap
def later(covariances):
    state = normalised(model, covariances[:half]).state
    spread = jnp.exp(model["log_spread"])
    return without_norm(
        model,
        manifolds.normalization.batch_norm_eval(spd, covariances[half:], state, model["mean"], spread),
    )


online = ((later(covariances[new]) > 0) == states[new, half:]).mean()
print(f"second halves of new sessions, by statistics of the first: {online:.1%}")

# %% [markdown]
# ## A tree in the hyperbolic plane
#
# A tree has three times as many nodes at each level, and a flat disc only has room that grows with the square of the
# radius: however a tree is drawn, leaves of distant branches meet. In the hyperbolic plane room grows exponentially, as
# the tree does. Both planes get the same task: 121 nodes, all distances as in the tree, up to a common length of an
# edge, which is learnt. Both start with the nodes in circles around the root, and `riemannian_adam` measures its steps
# in the metric: near the rim of the disc they are short in coordinates, and as long as any other in the plane.

# %%
DEPTH, CHILDREN = 4, 3
parents, depths, sectors = [-1], [0], [(0.0, 2 * np.pi)]
for node in range(sum(CHILDREN**level for level in range(DEPTH))):
    low, high = sectors[node]
    cuts = np.linspace(low, high, CHILDREN + 1)
    parents += [node] * CHILDREN
    depths += [depths[node] + 1] * CHILDREN
    sectors += list(itertools.pairwise(cuts))
parents, depths, angles = np.array(parents), np.array(depths), np.mean(sectors, axis=1)
count = len(parents)
child, parent = np.arange(1, count), parents[1:]

hops = np.where(np.eye(count), 0, np.inf)
hops[child, parent] = hops[parent, child] = 1
for node in range(count):
    hops = np.minimum(hops, hops[:, node, None] + hops[node])
first_node, second_node = np.triu_indices(count, 1)
target = jnp.asarray(hops[first_node, second_node], jnp.float32)

spaces = {"flat": manifolds.Euclidean(), "hyperbolic": manifolds.PoincareBall()}
rays = np.stack([np.cos(angles), np.sin(angles)], 1)
# In the ball the point at distance r from the centre has norm tanh(r / 2).
radii, edges = {"flat": depths, "hyperbolic": np.tanh(1.5 * depths / 2)}, {"flat": 1.0, "hyperbolic": 1.5}


def stretch(params, space):
    """Embedded distance over tree distance, for every pair."""
    points = params["points"]
    distances = jax.vmap(space.dist)(points[first_node], points[second_node])
    return distances / (jnp.exp(params["log_edge"]) * target)


drawn_trees, stretches = {}, {}
for name, space in spaces.items():
    points = jnp.asarray(radii[name][:, None] * rays, jnp.float32)
    start = {"points": points, "log_edge": jnp.log(edges[name])}
    optimizer = optim.riemannian_adam(
        optax.cosine_decay_schedule(0.2, 200), {"points": manifolds.Power(space), "log_edge": None}
    )

    def stress(params, _, space=space):
        return jnp.mean((stretch(params, space) - 1) ** 2)

    drawn_trees[name], _ = train(stress, start, optimizer, jax.random.split(jax.random.key(8), 200))
    stretches[name] = stretch(drawn_trees[name], space)
    wrong = jnp.abs(stretches[name] - 1).mean()
    worst = stretches[name].max() / stretches[name].min()
    print(f"{name:>10}: distances off by {wrong:.1%} on average; worst stretch to worst squeeze {worst:.1f}")

# %% [markdown]
# Edges are geodesics, drawn with `geodesic`. In the disc they bend, and lengths grow without bound towards the rim:
# edges that look short there are as long as those at the centre. On the right, what became of the distances.

# %%
times = jnp.linspace(0, 1, 30)
colours = np.array(["#222222", BLUE, "#009e73", ORANGE, RED])
figure, panels = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
for panel, (name, space) in zip(panels, spaces.items()):
    points = drawn_trees[name]["points"]
    along = jax.vmap(jax.vmap(space.geodesic, (None, None, 0)), (0, 0, None))(
        points[parent], points[child], times
    )
    panel.add_collection(LineCollection(np.asarray(along), colors=GREY, lw=0.8, zorder=1))
    panel.scatter(*points.T, s=14 - 2 * depths, c=colours[depths], zorder=2, lw=0)
    panel.set(xticks=[], yticks=[], aspect="equal")
    panel.spines[:].set_visible(False)
    panel.set_title(f"{name} plane", fontsize=11)
panels[1].add_patch(plt.Circle((0, 0), 1, fill=False, color="#bbbbbb", lw=0.8))
panels[1].set(xlim=(-1.04, 1.04), ylim=(-1.04, 1.04))
panels[2].axhline(1, color=GREY, lw=0.8, ls="--")
levels = np.arange(1, 2 * DEPTH + 1)
for (name, ratios), colour, side in zip(stretches.items(), (ORANGE, BLUE), (-0.13, 0.13), strict=True):
    low, middle, high = np.array([np.percentile(ratios[target == hop], (0, 50, 100)) for hop in levels]).T
    panels[2].errorbar(
        levels + side, middle, (middle - low, high - middle), color=colour, fmt="o", ms=4, lw=1.5, label=name
    )
panels[2].set(xlabel="distance in the tree", ylabel="embedded / tree distance", ylim=(0, None))
panels[2].set_title("median and range", fontsize=11)
panels[2].legend(frameon=False)
panels[2].spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# What this page claims, checked:

# %%
assert accuracy(heads[4]) > 0.93
assert accuracy(heads[4]) > accuracy(heads[1])
assert drift < 1e-5
assert change < 1e-4
assert rates["normalised"][1] > 0.85
assert rates["not normalised"][1] < rates["normalised"][1] - 0.15
assert online > 0.8
assert (solved.status == Status.CONVERGED).all()
assert (kept.argmax(1) == jnp.array([0, 3, 4, 6, 8])).all()
frame, mean = model["frame"], model["mean"]
assert jnp.abs(frame.T @ frame - jnp.eye(2)).max() < 1e-5
assert (jnp.linalg.eigvalsh(mean) > 0).all()
off = {name: jnp.abs(ratios - 1).mean() for name, ratios in stretches.items()}
assert off["hyperbolic"] < off["flat"] / 2
assert stretches["hyperbolic"].max() / stretches["hyperbolic"].min() < 4
assert stretches["flat"].max() / stretches["flat"].min() > 10
assert (jnp.linalg.norm(drawn_trees["hyperbolic"]["points"], axis=1) < 1).all()
