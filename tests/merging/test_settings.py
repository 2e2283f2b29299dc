"""Models with settings among their leaves (rates, functions, names): in lists, and stacked as vmap stacks them."""

import functools

import jax
import numpy as np
import pytest

from geojax import merging, symmetry

SETTINGS = {"rate": 0.5, "act": jax.nn.relu, "name": "net", "none": None, "layers": 2}
X = np.ones((4, 3))
KEY = jax.random.key(0)


def network(params, x):
    return params["act"](x @ params["in"]) @ params["out"] * (1 - params["rate"])


def draw(seed, *batch):
    random = np.random.default_rng(seed)
    shapes = {"in": (3, 5), "out": (5, 2)}
    return {**{name: random.normal(size=(*batch, *s)) for name, s in shapes.items()}, **SETTINGS}


MODELS = [draw(seed) for seed in range(3)]
STACK = {**{name: np.stack([m[name] for m in MODELS]) for name in ("in", "out")}, **SETTINGS}
BASE = draw(9)
RULES = {
    "average": lambda models, align: merging.average(models, align=align),
    "karcher": lambda models, align: merging.karcher(models, align=align).params,
    "task_arithmetic": lambda models, align: merging.task_arithmetic(BASE, models, align=align),
    "ties": lambda models, align: merging.ties(BASE, models, density=0.5, align=align),
    "dare": lambda models, align: merging.dare(BASE, models, density=0.5, key=KEY, align=align),
    "model_stock": lambda models, align: merging.model_stock(BASE, models, align=align),
}


@functools.cache
def spec():
    return symmetry.infer(network, BASE, X, verify=False)


def settings_of(tree):
    return {name: tree[name] for name in SETTINGS}


def agree(one, other):
    assert settings_of(one) == settings_of(other) == SETTINGS
    for name in ("in", "out"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6)


@pytest.mark.parametrize(
    "rule", [pytest.param(r, marks=() if r == "average" else pytest.mark.full) for r in RULES]
)
def test_a_stack_of_modules_with_a_python_number_has_no_common_leading_axis(rule):
    agree(RULES[rule](MODELS, None), RULES[rule](STACK, None))


@pytest.mark.full
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_aligns_finds_an_unexpected_leaf_where_a_setting_is(rule):
    align = merging.WeightMatching(spec(), key=KEY)
    agree(RULES[rule](MODELS, align), RULES[rule](STACK, align))


def test_a_mixed_model_still_fits_its_spec():
    mixed = merging.interpolate(MODELS[0], MODELS[1], 0.5)
    assert settings_of(mixed) == SETTINGS
    spec().check(mixed)
    cosines = merging.feature_connectivity(spec(), network, MODELS[0], MODELS[1], X)
    assert cosines.keys() == {"in"}


def test_settings_that_differ_are_refused_by_path_and_not_mixed():
    other = {**MODELS[1], "rate": 0.25}
    for call in (
        lambda: merging.interpolate(MODELS[0], other, 0.5),
        lambda: merging.average([MODELS[0], other]),
        lambda: merging.task_arithmetic(other, MODELS),
    ):
        with pytest.raises(ValueError, match=r"'rate' is the number .*Make it an array"):
            call()
