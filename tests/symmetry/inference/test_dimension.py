"""Dimensions of functions and of their symmetries, against networks whose answer is known by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry import (
    act,
    functional_dimension,
    hidden_symmetry_defect,
    orbit_dimension,
    random_element,
    symmetry_dimension,
)


def shallow(params, x):
    return jax.nn.relu(x @ params["w"] + params["b"]) @ params["v"]


@pytest.fixture(scope="module")
def network():
    key = jax.random.key(0)
    params = {
        "w": jax.random.normal(key, (2, 4)),
        "b": jnp.full(4, 0.1),
        "v": jax.random.normal(key, (4, 1)),
    }
    x = jax.random.normal(key, (200, 2))
    return params, x, gj.symmetry.infer(shallow, params, x, verify=False)


def test_a_wide_shallow_network_has_its_scalings_alone(network):
    params, x, spec = network
    assert int(functional_dimension(shallow, params, x)) == 16 - 4, "parameters minus hidden units"
    assert int(symmetry_dimension(shallow, params, x)) == int(orbit_dimension(spec, params)) == 4
    assert int(hidden_symmetry_defect(spec, shallow, params, x)) == 0


@pytest.mark.parametrize("plant", ["dead", "doubled"])
def test_a_planted_unit_adds_hidden_symmetry(network, plant):
    """A dead unit frees its four parameters, a doubled one three beside its scaling; the scaling is known: 3 each."""
    params, x, spec = network
    planted = {
        "dead": {**params, "b": params["b"].at[0].set(-100.0)},
        "doubled": {**params, "w": params["w"].at[:, 1].set(params["w"][:, 0])},
    }[plant]
    assert int(functional_dimension(shallow, planted, x)) == 12 - 3
    assert int(hidden_symmetry_defect(spec, shallow, planted, x)) == 3


def test_law_dimensions_are_those_of_the_orbit(network):
    params, x, spec = network
    planted = {**params, "b": params["b"].at[0].set(-100.0)}
    for one in (params, planted):
        moved = act(spec, random_element(spec, jax.random.key(1)), one)
        assert int(symmetry_dimension(shallow, moved, x)) == int(symmetry_dimension(shallow, one, x))
        assert int(hidden_symmetry_defect(spec, shallow, moved, x)) == int(
            hidden_symmetry_defect(spec, shallow, one, x)
        )


@pytest.mark.full
def test_complex_parameters_count_twice():
    """Products of two complex matrices: the general linear group of two complex dimensions has eight real ones."""
    first, second, x = (jax.lax.complex(*jax.random.normal(jax.random.key(i), (2, 2, 2))) for i in range(3))
    apply = lambda p, x: x @ p[0] @ p[1]
    assert int(functional_dimension(apply, [first, second], x)) == 8
    assert int(symmetry_dimension(apply, [first, second], x)) == 8
    spec = gj.symmetry.infer(apply, [first, second], x)
    assert spec.reach == (4, 8), "real matrices are found"
    assert int(orbit_dimension(spec, [first, second])) == 4


def test_parameters_that_are_whole_numbers_have_no_dimension():
    assert int(functional_dimension(lambda p, x: x * p, jnp.arange(3), jnp.ones(3))) == 0


def deep(params, x):
    for w, b in params[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def share_without_hidden_symmetry(width, depth, count=16):
    """The share of random networks, as wide as their input, whose scalings are all the symmetry they have."""
    sizes = (*[width] * (depth + 1), 1)
    shapes = [((a, b), (b,)) for a, b in itertools.pairwise(sizes)]
    number = sum(a * b + b for a, b in itertools.pairwise(sizes))
    x = jax.random.normal(jax.random.key(1), (20 * number, width))

    def draw(key):
        keys = iter(jax.random.split(key, 2 * len(shapes)))
        return [
            (jax.random.normal(next(keys), w) * (2 / w[0]) ** 0.5, 0.3 * jax.random.normal(next(keys), b))
            for w, b in shapes
        ]

    spec = gj.symmetry.infer(deep, jax.eval_shape(draw, jax.random.key(0)), x)
    defect = jax.jit(jax.vmap(lambda key: hidden_symmetry_defect(spec, deep, draw(key), x)))
    defects = np.asarray(defect(jax.random.split(jax.random.key(2), count)))
    assert defects.min() >= 0, "the number of scalings is a lower bound"
    return np.mean(defects == 0)


@pytest.mark.full
def test_hidden_symmetry_is_likelier_in_deeper_and_in_narrower_networks():
    shallow, deeper, wider = (share_without_hidden_symmetry(*size) for size in ((2, 1), (2, 2), (4, 2)))
    assert shallow > deeper < wider, (shallow, deeper, wider)
