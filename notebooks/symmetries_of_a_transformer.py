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
# # Which symmetries does a transformer have?
#
# Many settings of a transformer's weights compute the same function: its heads can change places, and inside a head
# the queries can be multiplied by any invertible matrix if the keys are divided by it. This page writes a small
# transformer in plain JAX, has `geojax` read all such freedoms off its program, and shows a map of them. Then it moves
# the weights along them: every weight matrix changes, the logits do not. It ends with what RMS norms, rotary
# positions, grouped heads or a tied embedding change, and with a scrambled copy put back in order.

# %%
import functools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib.patches import Patch

from geojax import symmetry, unwrap

COLOURS = {
    "permutation": "#0072b2",
    "general_linear": "#d55e00",
    "scaling": "#e69f00",
    "sign": "#8a8a8a",
    "orthogonal": "#009e73",
}

# %% [markdown]
# ## A transformer, written by hand
#
# What it is made of is read off its parameters: without positions it rotates queries and keys, without an output
# matrix it uses the embedding, and so on. Nothing in it knows of `geojax`.


# %%
def norm(p, x):
    if "shift" in p:  # a layer norm; otherwise an RMS norm
        x = x - jnp.mean(x, axis=-1, keepdims=True)
    x = x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
    return x * p.get("scale", 1) + p.get("shift", 0)


def rotate(x):
    angle = np.arange(x.shape[1])[:, None, None] * 10.0 ** -np.arange(x.shape[-1] // 2)
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate(
        [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], axis=-1
    )


def attention(p, x, rotary):
    q = jnp.einsum("btd,dhi->bthi", x, p["q"])
    k = jnp.einsum("btd,dgi->btgi", x, p["k"])
    if rotary:
        q, k = rotate(q), rotate(k)
    q = q.reshape(*q.shape[:2], k.shape[2], -1, q.shape[-1])  # queries in groups, one group a key head
    scores = jnp.einsum("btgri,bsgi->bgrts", q, k) / np.sqrt(q.shape[-1])
    return jax.nn.softmax(jnp.where(np.tri(x.shape[1], dtype=bool), scores, -jnp.inf))


def block(p, x, rotary):
    y = norm(p["norm1"], x)
    v = jnp.einsum("bsd,dgi->bsgi", y, p["v"])
    mixed = jnp.einsum("bgrts,bsgi->btgri", attention(p, y, rotary), v)
    x = x + jnp.einsum("bthi,hid->btd", mixed.reshape(*x.shape[:2], *p["o"].shape[:2]), p["o"])
    y = norm(p["norm2"], x)
    h = jax.nn.silu(y @ p["gate"]) * (y @ p["up"]) if "gate" in p else jax.nn.gelu(y @ p["up"])
    return x + h @ p["down"]


def transformer(params, tokens):
    x = params["embed"][tokens] + params.get("position", 0)
    for p in params["blocks"]:
        x = block(p, x, rotary="position" not in params)
    return norm(params["norm"], x) @ params.get("out", params["embed"].T)


def draw(seed, *, words, length, width, heads, inner, hidden, blocks=1, key_heads=None, affine=("scale", "shift"),
         drop=(), gated=False):  # fmt: skip
    generator = np.random.default_rng(seed)

    def normal(*shape, n=width):
        return jnp.asarray(generator.normal(0, n**-0.5, shape), jnp.float32)

    def affines():
        return {name: normal(width, n=100) + (name == "scale") for name in affine}

    def one():
        kept = key_heads or heads
        p = {"norm1": affines(), "norm2": affines()}
        p |= {"q": normal(width, heads, inner), "k": normal(width, kept, inner)}
        p |= {"v": normal(width, kept, inner), "o": normal(heads, inner, width, n=heads * inner)}
        p |= {"up": normal(width, hidden), "down": normal(hidden, width, n=hidden)}
        return p | ({"gate": normal(width, hidden)} if gated else {})

    params = {"embed": normal(words, width, n=1), "position": normal(length, width, n=1)}
    params |= {"blocks": [one() for _ in range(blocks)], "norm": affines(), "out": normal(width, words)}
    return {name: value for name, value in params.items() if name not in drop}


# %% [markdown]
# It learns, in a few seconds, to repeat eight random words, so that its weights mean something.

# %%
HEADS, INNER, WIDTH, HIDDEN, WORDS, LENGTH, BLOCKS = 4, 8, 32, 64, 32, 16, 2


def sentences(key, count):
    half = jax.random.randint(key, (count, LENGTH // 2), 0, WORDS)
    return jnp.concatenate([half, half], axis=1)


@jax.jit
def loss(params, tokens):
    logits = transformer(params, tokens)[:, LENGTH // 2 - 1 : -1]
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, LENGTH // 2 :]).mean()


@jax.jit
def fit(params, key):
    optimizer = optax.adam(3e-3)

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, sentences(key, 32)), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(key, 250))[0][0]


start = draw(
    0, words=WORDS, length=LENGTH, width=WIDTH, heads=HEADS, inner=INNER, hidden=HIDDEN, blocks=BLOCKS
)
params = fit(start, jax.random.key(1))
tokens = sentences(jax.random.key(2), 16)
apply = jax.jit(transformer)
print(f"loss {loss(start, tokens):.2f} before, {loss(params, tokens):.3f} after training")

# %% [markdown]
# ## The groups, read off the program
#
# `infer` traces the function once and follows each axis of each array through the program.

# %%
spec = symmetry.infer(transformer, params, tokens)
print(spec)

# %% [markdown]
# Row by row, for each block:
#
# | group | size | what may move | why the output cannot tell |
# |---|---|---|---|
# | `blocks/0` | S₄ | the heads, with all they have | it is a sum over heads |
# | `q[2]:general_linear` | GL(8) a head | Q → Q M, K → K M⁻ᵀ | scores see only Q Kᵀ |
# | `v[2]:general_linear` | GL(8) a head | V → V M, O → M⁻¹ O | it sees only V O |
# | `up[1]` | S₆₄ | hidden units of the feed-forward part | all go through the same `gelu` |
# | `embed` | S₃₂ | coordinates of the residual stream, in *every* tensor | norms treat them alike |
# | `embed:scaling` | ℝ₊³² a norm | a norm's scale and shift, against their readers | only the product counts |
# | `embed:sign` | {±1}³² a norm | the same with signs | the same |
#
# The permutations inside GL(8) are listed for themselves as `q[2]` and `v[2]`, for those who want only those. Axes that
# cannot move come last, with the reason: words and positions have a meaning outside.
#
# As a map: a row for each tensor, a column for each group, a mark where the group moves the tensor. Columns of one
# block stay in it; the stream's permutation runs through all. An empty ring marks a tensor that the inverse acts on.


# %%
def moved_by(name):
    return {(leaf.path, dict(part.moves)[name]) for leaf, _, part in spec.occurrences(name)}


kinds = [kind for kind in COLOURS if any(group.kind == kind for group in spec.groups.values())]
columns = sorted(spec.groups, key=lambda name: kinds.index(spec.groups[name].kind))
rows = [leaf.path for leaf in spec.leaves]
rows.sort(key=lambda path: (path.startswith("out"), path == "norm/shift", path == "norm/scale", "/" in path))
figure, axes = plt.subplots(figsize=(9, 7), layout="constrained")
for x, name in enumerate(columns):
    colour = COLOURS[spec.groups[name].kind]
    marks = {rows.index(path): exponent for path, exponent in moved_by(name)}
    axes.plot([x, x], [min(marks), max(marks)], color=colour, lw=1, alpha=0.35)
    for forward, face in ((True, colour), (False, "white")):
        shown = [y for y, exponent in marks.items() if (exponent > 0) == forward]
        axes.plot([x] * len(shown), shown, "o", ms=8.5, mfc=face, mec=colour, mew=1.6)
axes.set_yticks(range(len(rows)), rows, fontsize=8)
axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
axes.set_ylim(len(rows) - 0.4, -0.6)
axes.grid(axis="y", color="#eeeeee")
axes.set_axisbelow(True)
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
patches = [Patch(color=COLOURS[kind], label=kind.replace("_", " ")) for kind in kinds]
figure.legend(handles=patches, loc="outside upper center", ncols=len(patches), frameon=False)
plt.show()

# %% [markdown]
# ## Moving along it
#
# `random_element` draws from all groups at once, `act` moves the weights. Below, the query matrix of the first block
# with its four heads side by side, and what each head attends to in one sentence: eight words, then the same eight
# again. The matrix has become another; the attention maps are the same four, dealt to other heads.


# %%
random_element = jax.jit(functools.partial(symmetry.random_element, spec))
act = jax.jit(functools.partial(symmetry.act, spec))
element = random_element(jax.random.key(20))
moved = act(element, params)
logits = apply(params, tokens)
scale = jnp.abs(logits).max()
change = jnp.abs(apply(moved, tokens) - logits).max() / scale
heads = element["blocks/0"]


@jax.jit
def size(tree):
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


@jax.jit
def distance(a, b):
    """Relative to the length of the second."""
    return size(jax.tree.map(jnp.subtract, a, b)) / size(b)


print(f"distance in weights: {distance(moved, params):.2f} of their length")
print(f"largest change of a logit: {change:.1e} of the largest logit")


@jax.jit
def maps(params):
    p = params["blocks"][0]
    x = params["embed"][tokens[:1]] + params["position"]
    return attention(p, norm(p["norm1"], x), rotary=False)[0, :, 0]


figure, panels = plt.subplots(2, 5, figsize=(9.5, 4.3), layout="constrained", width_ratios=[1.35, 1, 1, 1, 1])
for row, (title, p) in zip(panels, {"as trained": params, "moved": moved}.items(), strict=True):
    matrix, attended = np.asarray(p["blocks"][0]["q"]).reshape(WIDTH, -1), np.asarray(maps(p))
    limit = np.quantile(np.abs(matrix), 0.99)
    row[0].imshow(matrix, cmap="PuOr", vmin=-limit, vmax=limit)
    row[0].vlines(np.arange(1, HEADS) * INNER - 0.5, -0.5, WIDTH - 0.5, color="black", lw=0.8)
    row[0].set_ylabel(title, fontsize=11)
    for i, panel in enumerate(row[1:]):
        panel.imshow(attended[i], cmap="viridis", vmin=0, vmax=1)
        panel.set_title(f"head {i}" if p is params else f"head {i}, was {heads[i]}", fontsize=9)
    for panel in row:
        panel.set_xticks([])
        panel.set_yticks([])
panels[0, 0].set_title("queries, block 0", fontsize=9)
plt.show()

# %% [markdown]
# ## What stays, and what does not
#
# Left: the singular values of each head's query matrix change, those of queries times keys, with the norm's scale, are
# what the program sees, and they stay. Right: a walk along the group, beside walks of the same length in directions
# drawn at random. Along the group the logits change by rounding, however far it goes.


# %%
def spectra(params):
    p = params["blocks"][0]
    q, k = (np.moveaxis(np.asarray(p[name]), 1, 0) for name in ("q", "k"))
    weighed = np.asarray(p["norm1"]["scale"])[:, None] * q, np.asarray(p["norm1"]["scale"])[:, None] * k
    return [np.linalg.svd(x, compute_uv=False)[:, :INNER] for x in (q, weighed[0] @ weighed[1].mT)]


rest = symmetry.identity(spec)
generator = np.random.default_rng(6)
matrices = {name for name, group in spec.groups.items() if group.kind == "general_linear"}
tangent = {
    name: generator.normal(0, 1 / INNER if name in matrices else 0.3, group.shape)
    for name, group in spec.groups.items()
    if group.dimension > 0
}


def along(t):
    """From the identity in the direction of the tangent: 1 + t X for matrices, exp(t x) for scalings."""
    step = {name: np.eye(INNER) + t * x if name in matrices else np.exp(t * x) for name, x in tangent.items()}
    return act(rest | {name: jnp.asarray(x, jnp.float32) for name, x in step.items()}, params)


def aside(far):
    """As far away in a direction drawn at random."""
    v = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), params)
    length = np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(v)))
    return jax.tree.map(lambda leaf, v: leaf + v * (far * size(params) / length), params, v)


def shift(there):
    return float(jnp.abs(apply(there, tokens) - logits).max() / scale)


inside = [along(t) for t in np.geomspace(1e-3, 1.5, 13)]
length = np.array([float(distance(there, params)) for there in inside])
inside = np.array([shift(there) for there in inside])
outside = np.array([[shift(aside(far)) for _ in range(4)] for far in length])
before, after = spectra(params), spectra(moved)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
names = ("queries", "queries times keys")
for name, colour, was, now in zip(names, ("#8a8a8a", "#0072b2"), before, after, strict=True):
    left.loglog(was[heads], now, "o", ms=5, mfc="none", color=colour)
    left.loglog([], [], "o", ms=5, mfc="none", color=colour, label=name)
ends = [before[1].min(), after[0].max()]
left.plot(ends, ends, color="black", lw=0.6, zorder=0)
ticks = [0.5, 1, 2, 4]
left.set_xticks(ticks, ticks, minor=False)
left.set_yticks(ticks, ticks, minor=False)
left.minorticks_off()
left.set_xlabel("singular value as trained")
left.set_ylabel("singular value when moved")
left.legend(frameon=False)
right.loglog(length, outside, color="#8a8a8a", lw=1)
right.loglog([], [], color="#8a8a8a", lw=1, label="in random directions")
right.loglog(length, inside, color="#d55e00", marker="o", ms=3, label="along the group")
right.set_xlabel("distance from the trained weights / their length")
right.set_ylabel("largest change of a logit")
right.legend(frameon=False)
for panel in (left, right):
    panel.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# `verify` is the same check done with care: weights redrawn, all groups moved at once, in double precision, and as a
# control each group moves one of its tensors alone, which must change the output. `infer` has already run it.

# %%
checked = spec.verification
print(f"all groups together: {checked.change:.1e} (rounding allows {checked.tolerance:.1e})")
print(f"one tensor alone, the smallest change: {checked.control:.1e}")

# %% [markdown]
# ## How much of it there is
#
# Two linear groups a head in each block, and a scaling for each of the norms: the continuous symmetry has dimension
# 2 · 4 · (8² + 8²) + 5 · 32. The permutations are too many to be looked through one by one.

# %%
count = sum(leaf.size for leaf in jax.tree.leaves(params))
permutations = symmetry.permutation_count(spec)
print(f"{spec.dimension} of {count} directions change nothing: {spec.dimension / count:.1%}")
print(f"10^{len(str(permutations)) - 1} permutations")

# %% [markdown]
# ## Other choices, other groups
#
# The same function with other parameters, read again, this time without the numerical check: a reading alone is quick.
# Signs are left out, and so are permutations where there is a larger group on the same axis.

# %%
SYMBOLS = {"permutation": "S", "general_linear": "GL", "orthogonal": "O", "scaling": "R+"}
ROLES = ("stream", "norms", "heads", "queries, keys", "values, output", "feed-forward")


def role(spec, name):
    leaves = {leaf.path.split("/")[-1] for leaf, _, _ in spec.occurrences(name)}
    if "embed" in leaves:
        return "stream"
    if {"scale", "shift"} & leaves:
        return "norms"
    if {"up", "down"} & leaves:
        return "feed-forward"
    if leaves == {"q", "k"}:
        return "queries, keys"
    return "values, output" if leaves == {"v", "o"} else "heads"


def table_row(spec):
    cells = {name: [] for name in ROLES}
    matrices = {group.axis for group in spec.groups.values() if len(group.shape) > len(group.parents) + 1}
    for name, group in spec.groups.items():
        if group.kind == "sign" or (group.kind == "permutation" and group.axis in matrices):
            continue
        symbol = ("S" if group.connected else "") + f"{SYMBOLS[group.kind]}({group.size})"
        cells[role(spec, name)].append(symbol + (f"^{group.copies}" if group.copies > 1 else ""))
    return [
        f"{len(found)} {found[0]}" if len(set(found)) < len(found) else " ".join(found) or "-"
        for found in cells.values()
    ]


def small(**options):
    shape = {"words": 7, "length": 6, "width": 8, "heads": 4, "inner": 4, "hidden": 12}
    return draw(3, **{**shape, **options})


def without_scales(params):
    if isinstance(params, dict):
        return {name: without_scales(value) for name, value in params.items() if name != "scale"}
    return [without_scales(value) for value in params] if isinstance(params, list) else params


some = jax.random.randint(jax.random.key(9), (32, 6), 0, 7)
rms = small(affine=("scale",))
folded = without_scales(symmetry.fold_scales(symmetry.infer(transformer, rms, some, verify=False), rms))
variants = {
    "layer norm, as above": small(),
    "RMS norm": rms,
    "RMS norm, scales folded": folded,
    "rotary positions": small(drop=("position",)),
    "two key heads for four": small(key_heads=2),
    "tied embedding": small(drop=("out",)),
    "gated feed-forward": small(gated=True),
}
specs = {name: symmetry.infer(transformer, value, some, verify=False) for name, value in variants.items()}
lines = [["", *ROLES, "dimension"]]
lines += [[name, *table_row(found), str(found.dimension)] for name, found in specs.items()]
widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
for line in lines:
    print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))

# %% [markdown]
# * An **RMS norm** has the groups of the layer norm, and the signs of the stream besides. The rotations of its stream
#   hide behind its scale: `fold_scales` moves the scale into the next matrix, and then O(8) appears, of dimension 28,
#   in place of three scalings of 8.
# * **Rotary positions** tell the query-key coordinates apart by their frequency: GL(4) a head shrinks to one complex
#   number a frequency, a scaling and a rotation. Values and outputs keep theirs.
# * With **grouped heads** the queries of one key head may change places with each other, and two key heads with all of
#   theirs. There are as many linear groups as key heads.
# * A **tied embedding** stands on both sides of the last norm, whose scale then has no partner: one scaling fewer.
# * A **gated** feed-forward part has a scaling for each hidden unit: one of its two factors enters linearly.
#
# Is that all of it? For functions of few parameters `infer` also bounds the dimension from above, by the rank of the
# Jacobian of the outputs.

# %%
tiny = {"words": 7, "length": 6, "width": 4, "heads": 2, "inner": 4, "hidden": 3, "affine": ()}
places = draw(4, **tiny)
counted = symmetry.infer(transformer, places, some)
print("found {} of at most {} dimensions".format(*counted.reach))

# %% [markdown]
# Four directions are missing, as many as the stream is wide: a vector added to every word and taken from every
# position. That is a translation, none of the five kinds of group that `infer` looks for (layer norms, which take a
# mean away, bring more of them). With it the account is closed:

# %%
vector = jax.random.normal(jax.random.key(11), (4,))
shifted = places | {"embed": places["embed"] + vector, "position": places["position"] - vector}
translation = jnp.abs(apply(shifted, some) - apply(places, some)).max()
print(f"largest change of a logit under the translation: {translation:.1e}")

# %% [markdown]
# ## A scrambled copy, put back
#
# `weight_matching` takes two sets of weights, here the trained ones and a copy moved by a random element, and finds the
# element that moves one onto the other: permutations, linear maps, scalings and signs. The permutations inside a head
# are linear maps like others, and are left to those.

# %%
left_out = [f"blocks/{i}/{name}[2]" for i in range(BLOCKS) for name in "qv"]
planted = random_element(jax.random.key(12)) | {name: rest[name] for name in left_out}
scrambled = act(planted, params)
found = unwrap(symmetry.weight_matching(spec.without(*left_out), params, scrambled, key=jax.random.key(13)))
restored = act(rest | found.element, scrambled)
apart = {"scrambled": distance(scrambled, params), "aligned": distance(restored, params)}
for name, value in apart.items():
    print(f"distance of the {name} copy: {value:.1e} of the weights' length")

# %% [markdown]
# What this page claims, checked:

# %%
assert loss(params, tokens) < 0.1 < loss(start, tokens)
assert checked.passed
assert checked.control > 1e-3
assert spec.dimension == BLOCKS * HEADS * 2 * INNER**2 + (2 * BLOCKS + 1) * WIDTH
assert change < 1e-4
assert distance(moved, params) > 0.5
assert jnp.abs(maps(moved) - maps(params)[heads]).max() < 1e-4
assert np.allclose(after[1], before[1][heads], rtol=1e-2)
assert not np.allclose(after[0], before[0][heads], rtol=0.1)
assert inside.max() < 1e-3
assert (outside[length > 0.1] > 0.05).all()
scales = [p[name]["scale"] for p in params["blocks"] for name in ("norm1", "norm2")]
assert all((leaf > 0).all() for leaf in (*scales, params["norm"]["scale"]))
kinds = {name: [group.kind for group in found.groups.values()] for name, found in specs.items()}
assert kinds["RMS norm"].count("sign") == kinds["layer norm, as above"].count("sign") + 1
assert "orthogonal" in kinds["RMS norm, scales folded"]
dimensions = {name: found.dimension for name, found in specs.items()}
assert dimensions["RMS norm, scales folded"] == dimensions["RMS norm"] - 24 + 28
assert dimensions["tied embedding"] == dimensions["layer norm, as above"] - 8
assert dimensions["gated feed-forward"] == dimensions["layer norm, as above"] + 12
assert jnp.abs(apply(folded, some) - apply(rms, some)).max() < 1e-3
assert counted.reach[1] - counted.reach[0] == len(vector)
assert translation < 1e-4
assert apart["scrambled"] > 0.5
assert apart["aligned"] < 1e-3
