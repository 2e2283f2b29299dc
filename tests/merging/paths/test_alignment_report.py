"""Reports on alignments: planted elements, trained networks, and features between them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geojax.merging import alignment_report, barrier, feature_connectivity
from geojax.symmetry import act, infer, random_element, weight_matching

SIZES = {"w0": (2, 16), "b0": (16,), "w1": (16, 16), "b1": (16,), "w2": (16, 1)}
X = np.random.default_rng(0).uniform(-2, 2, size=(256, 2))
Y = np.sin(2 * X[:, :1]) * np.cos(X[:, 1:])


def net(p, x):
    x = jax.nn.relu(x @ p["w0"] + p["b0"])
    return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"]


def loss(params):
    return jnp.mean((net(params, X) - Y) ** 2)


def draw(key):
    keys = jax.random.split(key, len(SIZES))
    return {
        n: jax.random.normal(k, s) / (s[0] if len(s) > 1 else 4) ** 0.5
        for k, (n, s) in zip(keys, SIZES.items())
    }


@functools.cache
def spec():
    return infer(net, {n: np.ones(s) for n, s in SIZES.items()}, X, verify=False)


@functools.cache
def trained():
    optimiser = optax.adam(1e-2)

    @jax.jit
    @jax.vmap
    def train(key):
        params = draw(key)

        def step(carry, _):
            params, state = carry
            updates, state = optimiser.update(jax.grad(loss)(params), state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimiser.init(params)), length=400)[0][0]

    return train(jax.random.split(jax.random.key(1), 6))


def some(*numbers):
    """Some of the trained networks, without a program for each way to index a leaf."""
    return (jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], trained()) for i in numbers)


@jax.jit
def report(a, b, element):
    return alignment_report(spec(), loss, a, b, element)


@jax.jit
def matched(a, b):
    return weight_matching(spec(), a, b, key=jax.random.key(0)).element


def test_a_planted_element_gives_alignment_one_and_no_barrier():
    (b,) = some(0)

    @jax.jit
    def planted(b, key):
        element = random_element(spec(), key)
        return element, act(spec(), element, b)

    element, a = planted(b, jax.random.key(3))
    found = report(a, b, element)
    np.testing.assert_allclose(found.barrier[1], 0, atol=1e-9)
    assert found.barrier[0] > 0
    for name, alignment in found.alignment.items():
        np.testing.assert_allclose(alignment[1], 1, rtol=1e-9)
        assert alignment[0] < 0.9
        np.testing.assert_allclose(
            found.distance[name][0], np.linalg.norm(np.asarray(a[name]) - np.asarray(b[name])), rtol=1e-9
        )
    for distance in found.distance.values():
        np.testing.assert_allclose(distance[1], 0, atol=1e-9)


def test_on_trained_networks_distance_falls_a_little_and_alignment_rises():
    """Three pairs: the barrier falls by more than the distance does."""
    models = list(some(*range(6)))
    ratios, rises, barriers = [], [], []
    for a, b in zip(models[::2], models[1::2]):
        found = report(a, b, matched(a, b))
        total = [sum(d[k] ** 2 for d in found.distance.values()) ** 0.5 for k in (0, 1)]
        ratios.append(total[1] / total[0])
        rises.append(np.mean([r[1] - r[0] for r in found.alignment.values()]))
        barriers.append(found.barrier[1] / found.barrier[0])
    assert 0.4 < np.mean(ratios) < 1
    assert np.mean(rises) > 0.1
    assert np.mean(barriers) < np.mean(ratios)


def test_features_between_equal_and_aligned_models():
    a, b = some(0, 1)
    connectivity = jax.jit(lambda a, b, t: feature_connectivity(spec(), net, a, b, X, t=t))
    for value in connectivity(a, a, 0.3).values():
        np.testing.assert_allclose(value, 1, rtol=1e-9)
    moved = jax.jit(functools.partial(act, spec()))(matched(a, b), b)
    before, after = (connectivity(a, m, 0.5) for m in (b, moved))
    assert np.mean(list(after.values())) > np.mean(list(before.values()))
    height = jax.jit(lambda a, b: barrier(loss, a, b).value)
    assert height(a, moved) < height(a, b)


def test_features_equal_numpys_cosines():
    a, b = some(2, 3)
    t = 0.25
    found = jax.jit(lambda a, b: feature_connectivity(spec(), net, a, b, X, t=t))(a, b)
    first = lambda p: np.maximum(X @ p["w0"] + p["b0"], 0)
    middle = {n: (1 - t) * a[n] + t * b[n] for n in a}
    x, y = first(middle), (1 - t) * first(a) + t * first(b)
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines = np.where(norms > 0, (x * y).sum(axis=1) / np.where(norms > 0, norms, 1), 0)
    name = next(iter(found))
    np.testing.assert_allclose(found[name], cosines.mean(), rtol=1e-9)
