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
# # How do I train a network with an optimal transport loss?
#
# A generator turns noise into points. To train it, compare the cloud it makes with a cloud of data: optimal transport
# says how far apart they are and, through its gradient, where each point should go. No second network, no adversary.
#
# This page puts two such losses into an ordinary flax and optax step, the Sinkhorn divergence and the sliced
# Wasserstein distance, and trains three seeds of each at once. You will see the cloud take the shape of a letter, the
# losses beside an exact distance to held-out data, the coupling behind the loss drawn as lines, what the solver's
# `status` and `error` say, and gradients that stay finite in two places where they are known to break: between clouds
# that coincide, and after a solve that did not finish.

# %%
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib.collections import LineCollection
from matplotlib.textpath import TextPath

from geojax import Status, transport, unwrap
from geojax.results import SolverError

BATCH, SEEDS = 256, 3
ROUNDS, STEPS = 10, 40  # the samples are looked at after each round of steps
GREY, BLUE, ORANGE, RED = "#8a8a8a", "#0072b2", "#e69f00", "#d55e00"

# %% [markdown]
# ## The data
#
# Points spread evenly over a letter, and a generator that starts as a round blob: noise plus a correction that is zero
# at first. The correction is a small network of sines, quick to learn sharp corners.

# %%
letter = TextPath((0, 0), "G", size=1)
low, high = letter.vertices.min(0), letter.vertices.max(0)
inside = np.random.default_rng(0).uniform(low, high, (20_000, 2))
inside = inside[letter.contains_points(inside)]
data = jnp.asarray(2 * (inside - (low + high) / 2) / (high - low).max(), jnp.float32)


def draw(key, num=BATCH):
    return jax.random.choice(key, data, (num,))


class Generator(nn.Module):
    @nn.compact
    def __call__(self, noise):
        h = jnp.sin(3 * nn.Dense(128)(noise))
        h = jnp.sin(1.5 * nn.Dense(128)(h))
        return 0.4 * noise + nn.Dense(2, kernel_init=nn.initializers.zeros)(h)


model = Generator()

# %% [markdown]
# ## Two losses
#
# The **Sinkhorn divergence** couples two batches so as to move mass as little as possible, softened by an entropy of
# strength `epsilon`, in units of cost; what the softening adds is taken off again, so that equal clouds are at zero.
# Any function of two points is a cost; by default it is the squared Euclidean distance. The **sliced Wasserstein
# distance** looks at both clouds along random directions, where the best coupling is a sort; it is the cheaper of
# the two.

# %%
EPSILON, TOL = 0.02, 1e-2
even = jnp.full(BATCH, 1 / BATCH)


def sinkhorn_loss(x, y, key):
    return transport.sinkhorn_divergence(x, y, epsilon=EPSILON, tol=TOL).value


def sliced_loss(x, y, key):
    directions = transport.orthogonal_directions(key, (32, 2))
    return transport.sliced_wasserstein(x, y, projections=directions).value


# %% [markdown]
# ## One step, one program
#
# Nothing about the step is special: the loss is a function of arrays, so `value_and_grad` goes through it, `scan`
# repeats it, `vmap` runs all seeds and `jit` compiles the whole. Between rounds of steps the loop keeps some samples to
# look at.

# %%
optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, ROUNDS * STEPS))


def fit(loss, key):
    init_key, noise_key, steps_key = jax.random.split(key, 3)
    params = model.init(init_key, jnp.zeros((1, 2)))
    shown = jax.random.normal(noise_key, (1000, 2))

    def objective(params, key):
        noise_key, data_key, loss_key = jax.random.split(key, 3)
        made = model.apply(params, jax.random.normal(noise_key, (BATCH, 2)))
        return loss(made, draw(data_key), loss_key)

    def step(carry, key):
        params, state = carry
        value, gradient = jax.value_and_grad(objective)(params, key)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    def one_round(carry, keys):
        carry, values = jax.lax.scan(step, carry, keys)
        return carry, (values, model.apply(carry[0], shown))

    keys = jax.random.split(steps_key, (ROUNDS, STEPS))
    _, (values, clouds) = jax.lax.scan(one_round, (params, optimizer.init(params)), keys)
    clouds = jnp.concatenate([model.apply(params, shown)[None], clouds])
    return clouds, values.reshape(-1), shown


runs = {}
for name, loss in {"Sinkhorn divergence": sinkhorn_loss, "sliced Wasserstein": sliced_loss}.items():
    train = jax.jit(jax.vmap(lambda key, loss=loss: fit(loss, key)))
    runs[name] = train(jax.random.split(jax.random.key(1), SEEDS))
    values = runs[name][1]
    print(
        f"{name}: loss {values[:, 0].mean():.3f} at first, {values[:, -STEPS:].mean():.3f} in the last round"
    )

# %% [markdown]
# Each point keeps the colour of the noise that it came from, so that the pictures also show the map: neighbours stay
# neighbours, and the blob opens into the letter without being torn.

# %%
seen = (0, 1, 2, 5, ROUNDS)
figure, panels = plt.subplots(2, len(seen) + 1, figsize=(11, 4.1), layout="constrained")
for row, (name, (clouds, _, shown)) in zip(panels, runs.items(), strict=True):
    hue = np.arctan2(shown[0, :, 1], shown[0, :, 0])
    for panel, at in zip(row, seen):
        panel.scatter(*clouds[0, at].T, s=3, c=hue, cmap="twilight_shifted", lw=0)
    row[-1].scatter(*draw(jax.random.key(2), 1000).T, s=3, color=GREY, lw=0)
    row[0].set_ylabel(name)
for panel, at in zip(panels[0], seen):
    panel.set_title(f"{at * STEPS} steps" if at else "start", fontsize=10)
panels[0, -1].set_title("data", fontsize=10)
for panel in panels.flat:
    panel.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), xticks=[], yticks=[], aspect="equal")
    panel.spines[:].set_color("#dddddd")
plt.show()

# %% [markdown]
# ## Is it learning?
#
# The losses of minibatches are noisy and come in different units. A judge that neither of them is: the exact
# Wasserstein distance to data held out, from `assignment_cost`, the best one-to-one matching. It cannot reach zero, as
# two samples of the data are some way apart themselves; that distance is the dashed line. Every seed ends at less than
# half of where it started, and most of what is left is that line.

# %%
JUDGED = 500


def costs(x, y):
    return transport.pairwise(transport.SquaredEuclidean(), x, y)


held_out, other = jax.random.choice(jax.random.key(3), data, (2, JUDGED))


@jax.jit
def exact(x):
    return jnp.sqrt(transport.assignment_cost(costs(x[:JUDGED], held_out)) / JUDGED)


floor = exact(other)
distances = {name: jax.lax.map(lambda run: jax.lax.map(exact, run), run[0]) for name, run in runs.items()}

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for (name, (_, values, _)), colour in zip(runs.items(), (BLUE, ORANGE), strict=True):
    for curve in values:
        left.plot(np.arange(1, len(curve) + 1), curve, color=colour, lw=0.5, alpha=0.35)
    smooth = values.mean(0).reshape(-1, 10).mean(1)
    left.plot(10 * np.arange(len(smooth)) + 5.5, smooth, color=colour, lw=2, label=name)
    for curve in distances[name]:
        right.plot(STEPS * np.arange(ROUNDS + 1), curve, color=colour, marker="o", ms=3, lw=1.2)
right.axhline(floor, color=GREY, ls="--", lw=1)
right.annotate(
    "two samples of the data", (0, floor), (0, -4), textcoords="offset points", va="top", color=GREY
)
left.set(yscale="log", xlabel="step", ylabel="loss of a minibatch", title="what is minimised")
right.set(xlabel="step", ylabel="exact distance to held-out data", title="what it is for", ylim=(0, None))
left.legend(frameon=False)
for panel in (left, right):
    panel.spines[["top", "right"]].set_visible(False)
plt.show()
for name, table in distances.items():
    print(f"{name}: from {table[:, 0].mean():.3f} to {table[:, -1].mean():.3f}; floor {floor:.3f}")

# %% [markdown]
# ## What the loss sees
#
# The plan of `sinkhorn` says how much mass goes from each sample to each data point. Between 90 of each, every line is
# mass that moves, darker where there is more. With a large `epsilon` each sample goes a little to many places, and the
# gradient points at their average; with a small one nearly to a single place.

# %%
FEW = 90
ends = runs["Sinkhorn divergence"][0][0][jnp.array([0, -1]), :FEW]
goal, few = draw(jax.random.key(4), FEW), jnp.full(FEW, 1 / FEW)
cases = (
    ("start, ε = 0.3", ends[0], 0.3),
    ("start, ε = 0.02", ends[0], 0.02),
    ("end, ε = 0.02", ends[1], 0.02),
)


couplings = [
    unwrap(transport.sinkhorn(costs(x, goal), few, few, epsilon=epsilon, tol=1e-4)) for _, x, epsilon in cases
]
figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for panel, (title, x, _), result in zip(panels, cases, couplings, strict=True):
    share = np.asarray(result.plan) * FEW
    rows, columns = np.nonzero(share > 0.01)
    lines = np.stack([x[rows], goal[columns]], axis=1)
    strength = np.clip(share[rows, columns], 0.03, 1)
    panel.add_collection(LineCollection(lines, colors=GREY, alpha=strength, lw=1.2, zorder=1))
    panel.scatter(*x.T, s=16, color=BLUE, zorder=2, label="samples")
    panel.scatter(*goal.T, s=16, color=RED, zorder=2, label="data")
    moved = result.plan.ravel() @ costs(x, goal).ravel()
    panel.set_title(f"{title}: mean cost {moved:.3f}", fontsize=10)
    panel.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), xticks=[], yticks=[], aspect="equal")
    panel.spines[:].set_color("#dddddd")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# ## Was the solver done?
#
# `error` is how far the plan's row and column sums are from the weights, added up: the mass that is in the wrong place.
# `status` is `CONVERGED` only where that is finite and within `tol`. A loss is a number, and cannot say so; the solve
# behind it can. Here it is for the clouds that were kept along the training, against fresh batches of data, with the
# loss's own `epsilon` and `tol`. Each converged:

# %%


@jax.jit
@jax.vmap
@jax.vmap
def solve(cloud, key):
    matrix = costs(cloud[:BATCH], draw(key))
    return transport.sinkhorn(matrix, even, even, epsilon=EPSILON, tol=TOL)


keys = jax.random.split(jax.random.key(5), (SEEDS, ROUNDS + 1))
solves = {name: solve(clouds, keys) for name, (clouds, _, _) in runs.items()}
for name, solved in solves.items():
    print(f"{name}: {(solved.status == Status.CONVERGED).sum()} of {solved.status.size} converged,", end=" ")
    print(
        f"error at most {solved.error.max():.1e}, {solved.num_steps.min()} to {solved.num_steps.max()} steps"
    )

# %% [markdown]
# Small `epsilon` costs steps. Options are traced, so one `vmap` tries them all. `MAX_STEPS` means that the answer is
# still on its way: `error` says how much mass is misplaced. It is not a failure of the program, and nothing is
# raised inside compiled code; `unwrap` raises, outside, wherever you want it to.

# %%
epsilons = jnp.array([0.3, 0.1, 0.03, 0.01, 0.003, 0.001])
start_costs = costs(ends[0], goal)
trials = jax.vmap(
    lambda epsilon: transport.sinkhorn(start_costs, few, few, epsilon=epsilon, tol=1e-4, max_steps=1000)
)(epsilons)
for epsilon, status, error, num_steps in zip(epsilons, trials.status, trials.error, trials.num_steps):
    print(f"epsilon {epsilon:.3f}: {Status(int(status)).name:>9}, error {error:.1e}, {num_steps} steps")
try:
    unwrap(trials)
except SolverError as problem:
    message = str(problem)
    print(f"\nSolverError: {message}")

# %% [markdown]
# `sinkhorn_newton` solves the same problem by Newton's method where scaling is slow:

# %%
newton = unwrap(transport.sinkhorn_newton(start_costs, few, few, epsilon=0.001, tol=1e-4))
print(
    f"epsilon 0.001: {Status(int(newton.status)).name}, error {newton.error:.1e}, {newton.num_steps} Newton steps"
)

# %% [markdown]
# ## Where gradients break, and do not here
#
# **Clouds that coincide.** With the distance itself for a cost, in place of its square, the gradient at x = y goes
# through the square root of zero, where `jnp.linalg.norm` has the derivative NaN, and one NaN ends a training. The cost
# of a point to itself is given the derivative 0 here, whichever function computes it, and both losses are at their
# minimum with a gradient of zero, up to rounding.
#
# **Solves that did not finish.** The gradient of the optimal cost is read off the plan, not carried back through the
# iterations. A solve that is cut short gives the gradient of a plan that is nearly right: finite, and in nearly the
# right direction. A training can live with that; now and then, look at `error`.

# %%


@functools.partial(jax.jit, static_argnames=("cost", "max_steps"))
@functools.partial(jax.grad, argnums=0)
def gradient(x, y, cost, max_steps=2000):
    return transport.sinkhorn_divergence(
        x, y, cost=cost, epsilon=EPSILON, tol=1e-4, max_steps=max_steps
    ).value


def naive(p, q):
    return jnp.linalg.norm(p - q)


@jax.jit
@jax.grad
def sliced_gradient(x):
    directions = transport.orthogonal_directions(jax.random.key(6), (32, 2))
    return transport.sliced_wasserstein(x, goal, projections=directions).value


at_minimum = {
    "Sinkhorn, jnp.linalg.norm": gradient(goal, goal, naive),
    "Sinkhorn, Distance()": gradient(goal, goal, transport.Distance()),
    "Sinkhorn, SquaredEuclidean()": gradient(goal, goal, transport.SquaredEuclidean()),
    "sliced": sliced_gradient(goal),
}
for name, slope in at_minimum.items():
    print(f"{name:>34}: largest entry of the gradient at x = y is {jnp.abs(slope).max():.0e}")

squares = transport.SquaredEuclidean()
finished, stopped = gradient(ends[0], goal, squares), gradient(ends[0], goal, squares, 20)
alike = jnp.vdot(finished, stopped) / (jnp.linalg.norm(finished) * jnp.linalg.norm(stopped))
print(f"after 20 steps: cosine to the gradient at the solution {alike:.2f}")

# %% [markdown]
# What this page claims, checked:

# %%
for clouds, values, _ in runs.values():
    assert jnp.isfinite(clouds).all()
    assert jnp.isfinite(values).all()
    assert values[:, -STEPS:].mean() < values[:, 0].mean() / 3
for table in distances.values():
    assert (table[:, -1] < table[:, 0] / 2).all()
    assert table[:, -1].mean() < table[:, 0].mean() / 2.5
    assert table[:, -1].mean() < 1.5 * floor
for solved in solves.values():
    assert (solved.status == Status.CONVERGED).all()
    assert (solved.error <= TOL).all()
assert list(trials.status) == [Status.CONVERGED] * 5 + [Status.MAX_STEPS]
assert (jnp.diff(trials.num_steps) > 0).all()
assert "1 of 6 items did not converge" in message
assert newton.num_steps < 100
blurred, sharp, _ = ((result.plan * FEW > 0.01).sum(1).mean() for result in couplings)
assert sharp < blurred / 3
assert jnp.isnan(jax.grad(naive)(goal[0], goal[0])).any()
assert all(jnp.abs(slope).max() < 1e-5 for slope in at_minimum.values())
assert jnp.isfinite(stopped).all()
assert alike > 0.9
