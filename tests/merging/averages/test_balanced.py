"""Balanced averages, and the model of spurious features that says when averaging puts errors right."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from geojax.merging import average, balanced_average, error_correction_table, interpolate


def linear(params, x):
    return x @ params["head"]


def kernels(seed):
    random = np.random.default_rng(seed)
    return tuple({"head": jnp.asarray(random.normal(size=(5, 3)))} for _ in range(2))


def test_a_louder_model_does_not_tilt_a_balanced_average():
    a, b = kernels(0)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(50, 5)))
    loud = {"head": 30 * b["head"]}
    calm = balanced_average(linear, a, b, 0.5, x, head=lambda name: name == "head")
    balanced = balanced_average(linear, a, loud, 0.5, x, head=lambda name: name == "head")
    np.testing.assert_allclose(balanced["head"], calm["head"], rtol=1e-12)

    def labels(p):
        return jnp.argmax(linear(p, x), axis=1)

    tilted = interpolate(a, loud, 0.5)
    assert jnp.mean(labels(tilted) == labels(b)) > 0.95
    assert jnp.mean(labels(balanced) == labels(b)) < 0.9
    ends = (balanced_average(linear, a, loud, t, x, head=lambda name: True) for t in (0.0, 1.0))
    for end, model in zip(ends, (a, b)):
        np.testing.assert_array_equal(labels(end), labels(model))
    with pytest.raises(ValueError, match=r"head returned False for all leaves \(head\)"):
        balanced_average(linear, a, b, 0.5, x, head=lambda name: False)


def test_linear_models_average_weights_as_they_average_outputs():
    a, b = kernels(2)
    x = jnp.asarray(np.random.default_rng(3).normal(size=(50, 5)))
    merged = average(jax.tree.map(lambda p, q: jnp.stack([p, q]), a, b), jnp.ones(2))
    np.testing.assert_allclose(linear(merged, x), (linear(a, x) + linear(b, x)) / 2, atol=1e-13)


CLASSES = 3


def votes(features):
    """Logits of a classifier: one vote for class 0, which is right, and one for what each spurious feature says."""
    return jax.nn.one_hot(0, CLASSES) + jnp.sum(jax.nn.one_hot(features, CLASSES), axis=-2)


def rescue_by_enumeration(shared, own, flip):
    """P(two classifiers are wrong and their average is right), over all that their features can say."""
    says = np.array([1 - flip + flip / CLASSES, *[flip / CLASSES] * (CLASSES - 1)])
    outcomes = np.array(list(itertools.product(range(CLASSES), repeat=shared + 2 * own)))
    chances = np.prod(says[outcomes], axis=1)
    common, one, two = np.split(outcomes, [shared, shared + own], axis=1)
    a, b = (np.asarray(jax.jit(votes)(np.concatenate([common, each], axis=1))) for each in (one, two))
    rescued = (np.argmax(a, axis=1) != 0) & (np.argmax(b, axis=1) != 0) & (np.argmax(a + b, axis=1) == 0)
    return np.sum(chances * rescued)


def test_law_averaging_puts_more_errors_right_the_fewer_spurious_features_are_shared():
    flip, draws = 0.9, 40000
    known = [rescue_by_enumeration(4 - own, own, flip) for own in range(5)]
    assert known[0] == 0
    assert known == sorted(known)

    @jax.jit
    def tabled(common, first, second):
        one, two = (votes(jnp.concatenate([common, each], axis=1)) for each in (first, second))
        labels = [jnp.argmax(logits, axis=-1) for logits in (one, two, one + two)]
        return error_correction_table(*labels, jnp.zeros(draws, int))

    for own in (3, 4):
        random = np.random.default_rng(own)
        wild = random.integers(0, CLASSES, (draws, 4 + own))
        features = np.where(random.random(wild.shape) < flip, wild, 0)
        table = tabled(*np.split(features, [4 - own, 4], axis=1))
        np.testing.assert_allclose(table[0, 0, 1] / draws, known[own], atol=5 * np.sqrt(known[own] / draws))


def test_averaging_outputs_of_margin_classifiers_rescues_one_of_two():
    """P(average right) of independent margins m + s z is Phi(sqrt(2) m / s) against Phi(m / s) for one."""
    m, s, draws = 0.5, 1.0, 200000
    one, two = m + s * np.random.default_rng(4).normal(size=(2, draws))
    y = np.ones(draws, int)
    table = jax.jit(error_correction_table)(*((v > 0).astype(int) for v in (one, two, (one + two) / 2)), y)
    right = table[..., 1].sum() / draws
    np.testing.assert_allclose(right, ndtr(np.sqrt(2) * m / s), atol=0.005)
    np.testing.assert_allclose(table[1].sum() / draws, ndtr(m / s), atol=0.005)


def test_the_table_counts_what_each_of_three_classifiers_got_right():
    random = np.random.default_rng(5)
    one, two, both, y = random.integers(0, 3, (4, 60))
    table = error_correction_table(one, two, both, y)
    for outcome in itertools.product((0, 1), repeat=3):
        counted = sum(
            ((a == label), (b == label), (c == label)) == tuple(map(bool, outcome))
            for a, b, c, label in zip(one, two, both, y)
        )
        assert table[outcome] == counted > 0
