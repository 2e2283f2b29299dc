"""Universal Neural Functionals [Zhou2024].

Claim: for any architecture, given how permutations move its weights, all linear maps of weights that commute with them
    can be written down; networks of such maps make learned optimisers that train faster than coordinate-wise ones.

Differs: the spec is inferred from a perceptron, a recurrent and a residual network of tiny widths, and the numbers of
    maps are held against the mean of the squared character over all elements of the group. The learned optimiser takes
    10 steps on perceptrons 3-6-2 that imitate drawn teachers; it is trained by the gradient through those steps and
    judged on teachers that it has not seen. The coordinate-wise one is the same network with the coefficients of all
    other maps held at zero, and to train faster is to end lower by a tenth or more. The paper trains on image
    classification and language, by evolution strategies.

Fails: the coordinate-wise optimiser is as good, within the error. The likely reason, which nothing here tries apart: it
    reads the mean of gradients and the size of every leaf, and ten steps on so small a perceptron leave the other maps
    nothing to add. Three settings of width, depth and rates were tried; in none were all maps ahead.
"""

import itertools

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

import geojax as gj
from examples.papers.harness import Claim, Size, above, below, in_turn

STEPS, TASKS, RATE, OUTER = 10, 8, 0.1, 300


def perceptron(p, x):
    """Two hidden layers."""
    return jax.nn.gelu(jax.nn.gelu(x @ p["w0"]) @ p["w1"]) @ p["w2"]


def recurrent(p, xs):
    """Two steps with the same weights."""
    state = jnp.zeros((4,))
    for x in xs:
        state = jnp.tanh(x @ p["read"] + state @ p["carry"] + p["bias"])
    return state @ p["write"]


def residual(p, x):
    """A stream, and a branch of its own width."""
    stream = x @ p["into"]
    return (stream + jax.nn.gelu(stream @ p["up"]) @ p["down"]) @ p["out"]


ARCHITECTURES = (
    (perceptron, {"w0": (2, 3), "w1": (3, 4), "w2": (4, 2)}, (5, 2)),
    (recurrent, {"bias": (4,), "carry": (4, 4), "read": (2, 4), "write": (4, 2)}, (2, 2)),
    (residual, {"down": (3, 4), "into": (2, 4), "out": (4, 2), "up": (4, 3)}, (5, 2)),
)


def characters(spec, shapes):
    """The mean over all elements of the squared number of weights that they leave in place."""
    orders = [np.array(list(itertools.permutations(range(g.size)))) for g in spec.groups.values()]
    grids = np.meshgrid(*[np.arange(len(order)) for order in orders], indexing="ij")
    elements = {
        name: jnp.asarray(order[grid.ravel()])
        for name, order, grid in zip(spec.groups, orders, grids, strict=True)
    }
    index = {
        name: jnp.arange(np.prod(shape), dtype=jnp.float32).reshape(shape) for name, shape in shapes.items()
    }

    def fixed(element):
        moved = gj.symmetry.act(spec, element, index)
        return sum(jnp.sum(moved[name] == index[name]) for name in shapes)

    return float(np.mean(np.square(np.asarray(jax.vmap(fixed)(elements)), dtype=float)))


def counts():
    """For each architecture the number of maps minus the dimension of the commutant."""
    wrong = []
    for function, shapes, data in ARCHITECTURES:
        zeros = {name: jnp.zeros(shape) for name, shape in shapes.items()}
        spec = gj.symmetry.infer(function, zeros, jnp.ones(data), verify=False)
        spec = spec.without(*(name for name, group in spec.groups.items() if group.kind != "permutation"))
        wrong.append(gj.symmetry.linear_maps(spec).count - characters(spec, shapes))
    return wrong


def student(p, x):
    """What the learned optimiser trains."""
    return jnp.tanh(x @ p["w0"] + p["b0"]) @ p["w1"]


def task(key):
    """Parameters to begin with, and data of a teacher."""
    keys = jax.random.split(key, 2)
    draws, x = jax.random.normal(keys[0], (72,)), jax.random.normal(keys[1], (16, 3))

    def weights(row):
        return {"b0": row[:6] / 2, "w0": row[6:24].reshape(3, 6), "w1": row[24:36].reshape(6, 2)}

    return weights(draws[:36] / 2), x, student(weights(draws[36:]), x)


def optimisers(size: Size):
    """Log losses of what was learned: of one that is not, and of one without maps between entries, minus it."""
    key = jax.eval_shape(jax.random.key, 0)
    start, x, _ = jax.eval_shape(task, key)
    spec = gj.symmetry.infer(student, start, x, verify=False)
    spec = spec.without(*(name for name, group in spec.groups.items() if group.kind != "permutation"))
    channels = jax.eval_shape(lambda p: gj.metanets.features(spec, p, p, p), start)["w0"].shape[-1]
    init, apply = gj.metanets.metanet(spec, channels_in=channels, width=8, depth=0)
    shapes = jax.eval_shape(init, key)

    def final(theta, key):
        """Logarithm of the loss after ten steps."""
        params, x, y = task(key)
        optimiser = gj.metanets.learned_optimizer(spec, apply, theta, learning_rate=RATE, decays=(0.9,))

        def loss(p):
            return jnp.mean((student(p, x) - y) ** 2)

        def step(carry, _):
            params, state = carry
            updates, state = optimiser.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), length=STEPS)
        return jnp.log(loss(params))

    def drawn(key):
        """Coefficients of which the last are zeros: descent along the mean of gradients."""
        flat, fold = jax.flatten_util.ravel_pytree(
            jax.tree.map(lambda s: np.zeros(s.shape, np.float32), shapes)
        )
        theta = fold(0.2 * jax.random.normal(key, flat.shape))
        return theta | {name: jax.tree.map(jnp.zeros_like, theta[name]) for name in ("last", "out")}

    outer_optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))

    def measured(key):
        first, second, third = jax.random.split(key, 3)
        theta, held = drawn(first), jax.random.split(third, 64)

        def trained(free):
            """With the maps between entries, or (free = 0) with those of entries to themselves alone."""

            def masked(theta):
                maps = {
                    name: jax.tree.map(lambda leaf: free * leaf, theta[name]) for name in ("trunk", "last")
                }
                return theta | maps

            def objective(theta, keys):
                return jnp.mean(jax.vmap(final, (None, 0))(masked(theta), keys))

            def step(carry, key):
                theta, state = carry
                slope = jax.grad(objective)(theta, jax.random.split(key, TASKS))
                updates, state = outer_optimiser.update(slope, state)
                return (optax.apply_updates(theta, updates), state), None

            carry = theta, outer_optimiser.init(theta)
            (last, _), _ = jax.lax.scan(step, carry, jax.random.split(second, OUTER))
            return masked(last)

        both = jax.vmap(trained)(jnp.array([1.0, 0.0]))
        three = jax.tree.map(lambda pair, one: jnp.concatenate([pair, one[None]]), both, theta)
        losses = jax.vmap(lambda t: jnp.mean(jax.vmap(final, (None, 0))(t, held)))(three)
        return losses[1] - losses[0], losses[2] - losses[0]

    return size.seeds(measured, batch=in_turn)


def run(size: Size) -> list[Claim]:
    """Count the maps; at full size train optimisers, which takes a while to compile."""
    names = [function.__name__ for function, *_ in ARCHITECTURES]
    claims = [
        Claim(f"maps minus the commutant's dimension, {name} network", "0", abs(off), below(1e-6))
        for name, off in zip(names, counts(), strict=True)
    ]
    if size.full:
        against, gain = optimisers(size)
        claims += [
            Claim("log loss after 10 steps, without learning minus learned", "above 0", gain, above(0)),
            Claim("the same, coordinate-wise minus all maps", "above 0", against, above(0.1), expected=False),
        ]
    return claims
