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
# # What is my network equivariant to?
#
# A network is equivariant if its output moves along when its input moves: f(g x) = g f(x). One can build that in, and
# hope that no line breaks it. `equivariance(f, x)` reads it off the program of any JAX function instead: which axes may
# be permuted, rotated, scaled or mixed, and how the output moves then. It checks the answer on the function itself, and
# names for every other axis the primitive and the line that hold it.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch

from geojax import symmetry

GREY, BLUE, ORANGE, GREEN, LIGHT = "#8a8a8a", "#0072b2", "#e69f00", "#009e73", "#e8e8e8"
random = np.random.default_rng(0)


def weights(*shape):
    return jnp.asarray(random.normal(size=shape) / np.sqrt(np.prod(shape[:-1])), jnp.float32)


def points(*shape):
    return jnp.asarray(random.normal(size=shape), jnp.float32)


# %% [markdown]
# ## A network on points in space
#
# One layer of a graph network for molecules: each point has a place `x` and features `h`. Messages depend on distances,
# and places are moved along differences.

# %%
w, v, u, out = weights(4, 8), weights(8), weights(8, 1), weights(8, 4)


def egnn(cloud):
    x, h = cloud["x"], cloud["h"]
    difference = x[:, None] - x[None]
    distance = jnp.sum(difference**2, axis=-1, keepdims=True)
    message = jnp.tanh(distance * v + (h[:, None] + h[None]) @ w)
    return {"x": x + jnp.mean(difference * (message @ u), axis=1), "h": h + jnp.mean(message, axis=1) @ out}


cloud = {"x": points(9, 3), "h": points(9, 4)}
found = symmetry.equivariance(egnn, cloud)
print(found)

# %% [markdown]
# The points may be permuted, and space may be turned and reflected: O(3). The features are held, since fixed weights
# mix them. Translations hold too, but they are no group that acts on an axis, so that the table does not speak of them.
#
# One element moves both sides, because the specs of input and output share their groups.

# %%
g = symmetry.random_element(found.domain, jax.random.key(3))
first = egnn(symmetry.act(found.domain, g, cloud))["x"]
then = symmetry.act(found.codomain, g, egnn(cloud))["x"]

figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
panels[0].scatter(*egnn(cloud)["x"][:, :2].T, color=GREY)
panels[0].set_title("f(x)")
panels[1].scatter(*then[:, :2].T, s=120, facecolors="none", edgecolors=BLUE, label="g f(x)")
panels[1].scatter(*first[:, :2].T, s=18, color=ORANGE, label="f(g x)")
panels[1].set_title("the points permuted, space turned")
panels[1].legend(frameon=False)
for panel in panels:
    panel.set_aspect("equal")
    panel.set_xticks([])
    panel.set_yticks([])
plt.show()

# %% [markdown]
# ## Which line breaks it?
#
# A harmless line in the wrong place: a gain for each coordinate, as a normalisation layer has. The rotations are gone
# but for signs, and the table says where the coordinates were held.

# %%
gain = jnp.array([1.0, 1.1, 0.9])


def careless(cloud):
    after = egnn(cloud)
    return {**after, "x": after["x"] * gain}


broken = symmetry.equivariance(careless, cloud)
print(broken)

# %% [markdown]
# ## Sets: attention without positions, and Deep Sets

# %%
q, k, value, s, t = weights(4, 4), weights(4, 4), weights(4, 4), weights(4, 4), weights(4, 4)


def attention(tokens):
    return jax.nn.softmax((tokens @ q) @ (tokens @ k).T, axis=-1) @ (tokens @ value)


def with_positions(tokens):
    return attention(tokens + jnp.sin(jnp.arange(len(tokens)))[:, None])


def deep_set(elements):
    return jnp.tanh(elements @ s + jnp.max(elements, axis=0) @ t)


tokens = points(7, 4)
sets = {f.__name__: symmetry.equivariance(f, tokens) for f in (attention, with_positions, deep_set)}
for name, answer in sets.items():
    print(name, answer, sep="\n", end="\n\n")

# %% [markdown]
# Attention treats tokens as a set. Numbers of positions hold them: `iota` is `arange`.
#
# ## A U-Net: held is not denied
#
# Convolutions that wrap around, two levels down and up with skip connections.

# %%
kernels = [weights(3, 2, 4), weights(3, 4, 6), weights(3, 6, 6), weights(3, 12, 6), weights(3, 10, 1)]
biases = [weights(k.shape[-1]) for k in kernels]


def convolved(x, layer, stride=1):
    wrapped = jnp.concatenate([x[-1:], x, x[:1]])
    sides = ("NWC", "WIO", "NWC")
    y = jax.lax.conv_general_dilated(
        wrapped[None], kernels[layer], (stride,), "VALID", dimension_numbers=sides
    )
    return y[0] + biases[layer]


def unet(signal):
    fine = jax.nn.relu(convolved(signal, 0))
    middle = jax.nn.relu(convolved(fine, 1, stride=2))
    coarse = jax.nn.relu(convolved(middle, 2, stride=2))
    middle = jnp.concatenate([jnp.repeat(coarse, 2, axis=0), middle], axis=1)
    fine = jnp.concatenate([jnp.repeat(jax.nn.relu(convolved(middle, 3)), 2, axis=0), fine], axis=1)
    return convolved(fine, 4)


signals = points(3, 16, 2)
network = jax.vmap(unet)
report = symmetry.equivariance(network, signals)
print(report)

# %% [markdown]
# The signals of a batch may be permuted. Along the signal the reading stops at a convolution: the table does not say
# that there is no symmetry, it says that it cannot see shifts. Numbers can: this network commutes with shifts by
# multiples of four, since it strides by two twice.


# %%
@jax.jit
@jax.vmap
def defect(shift):
    moved = network(jnp.roll(signals, shift, axis=1))
    return jnp.linalg.norm(moved - jnp.roll(network(signals), shift, axis=1)) / jnp.linalg.norm(moved)


shifts = np.arange(16)
defects = np.asarray(defect(shifts))
figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
axis.bar(shifts, defects, color=[BLUE if shift % 4 == 0 else GREY for shift in shifts])
axis.set_xlabel("shift of the signal")
axis.set_ylabel("relative defect")
axis.set_title("The U-Net commutes with shifts by multiples of four")
axis.set_xticks(range(0, 16, 4))
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## An algorithm: least squares and ridge regression
#
# Any function of data will do, also a learner: from examples to coefficients.


# %%
def least_squares(features, targets):
    return jnp.linalg.solve(features.T @ features, features.T @ targets)


def ridge(features, targets):
    return jnp.linalg.solve(features.T @ features + jnp.eye(3), features.T @ targets)


examples = points(12, 3), points(12)
learners = {f.__name__: symmetry.equivariance(f, *examples) for f in (least_squares, ridge)}
for name, answer in learners.items():
    print(name, answer, sep="\n", end="\n\n")

# %% [markdown]
# Least squares does not see in which basis the features are given: its coefficients move with the inverse matrix. Ridge
# regression sees more, and keeps orthogonal maps only. Both forget the order of the examples, and every rotation of
# them.
#
# ## All answers in one picture


# %%
COLORS = {"held": LIGHT, "permutation": BLUE, "orthogonal": ORANGE, "general_linear": GREEN}
answers = {"graph network": found, **sets, "U-Net": report, **learners}


def strongest(answer, path, axis):
    """The largest kind of group that moves an axis of an input."""
    kinds = {
        answer.groups[name].kind
        for leaf in answer.domain.leaves
        if leaf.path == path
        for name in answer.groups
        for spot, _, part in answer.domain.occurrences(name)
        if spot.path == path and part.axis == axis
    }
    return max(kinds & COLORS.keys(), key=list(COLORS).index, default="held")


cells = {
    name: [
        (f"{title}[{axis}]", strongest(answer, leaf.path, axis))
        for title, leaf in zip(answer.input_names, answer.domain.leaves, strict=True)
        for axis in range(len(leaf.shape))
    ]
    for name, answer in answers.items()
}
figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for row, entries in enumerate(cells.values()):
    for column, (title, kind) in enumerate(entries):
        axis.barh(-row, 0.94, left=column, height=0.8, color=COLORS[kind])
        axis.text(column + 0.47, -row, title, ha="center", va="center", fontsize=8)
axis.set_yticks([-row for row in range(len(cells))], [name.replace("_", " ") for name in cells])
axis.set_xticks([])
axis.spines[["top", "right", "bottom", "left"]].set_visible(False)
axis.tick_params(length=0)
axis.legend(
    handles=[Patch(color=color, label=kind.replace("_", " ")) for kind, color in COLORS.items()],
    frameon=False,
    loc="lower right",
)
axis.set_title("The largest group that moves each axis of the inputs")
plt.show()

# %% [markdown]
# ## What holds

# %%
spaces = {(group.kind, group.size) for group in found.groups.values()}
assert {("permutation", 9), ("orthogonal", 3)} <= spaces
assert found.verification.passed
assert set(found.verified) == set(found.groups)
np.testing.assert_allclose(first, then, atol=1e-5)

assert "orthogonal" not in {group.kind for group in broken.groups.values()}
assert any(pin.primitive == "constant" and pin.axis == 1 and pin.path == "x" for pin in broken.domain.pins)

assert [group.size for group in sets["attention"].groups.values()] == [7]
assert not sets["with_positions"].groups
assert [group.size for group in sets["deep_set"].groups.values()] == [7]

assert ("permutation", 3) in {(group.kind, group.size) for group in report.groups.values()}
assert {pin.primitive for pin in report.domain.pins if pin.axis == 1} <= {
    "slice",
    "conv_general_dilated",
    "concatenate",
}
assert "labels do not see shifts" in str(report)
assert defects[::4].max() < 1e-5 < 0.01 < np.delete(defects, range(0, 16, 4)).min()

kinds = {
    name: {answer.groups[n].kind for n in answer.equivariant if answer.groups[n].size == 3}
    for name, answer in learners.items()
}
assert kinds == {
    "least_squares": {"permutation", "general_linear"},
    "ridge": {"permutation", "orthogonal"},
}
assert all(answer.invariant for answer in learners.values())
