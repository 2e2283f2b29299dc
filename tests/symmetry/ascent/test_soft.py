"""Soft elements: they agree with elements at the vertices, and the mean element gives the mean over all elements."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.ascent.problem import Pair, Problem, objective
from geojax.symmetry.ascent.soft import harden, mean_element, soft_objective, soften

# Units (u) in two heads (h), signed units (s) on a second axis.
PROBLEM = Problem(
    (Pair(("", "h", "u"), ("", "h", "u")), Pair(("s", ""), ("s", ""), (0,))),
    (("h", ()), ("u", ("h",)), ("s", ())),
    (("s", "signed permutation"),),
)
SHAPES = [(4, 2, 3), (3, 5)]
ELEMENT = {
    "h": np.array([1, 0], np.int32),
    "u": np.array([[1, 2, 0], [0, 2, 1]], np.int32),
    "s": np.array([1, 5, 3], np.int32),
}


def arrays(seed):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in SHAPES]


def test_the_soft_objective_agrees_at_the_vertices():
    a, b = arrays(0), arrays(1)

    @jax.jit
    def both(element):
        soft = soften(PROBLEM, element, jnp.float64)
        return soft_objective(PROBLEM, a, b, soft), objective(PROBLEM, a, b, element), harden(PROBLEM, soft)

    value, expected, hard = both(ELEMENT)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for name, value in hard.items():
        np.testing.assert_array_equal(value, ELEMENT[name])


@pytest.mark.parametrize("signed", [False, True], ids=["permutations", "signed permutations"])
def test_one_group_at_its_mean_element_has_the_mean_objective_of_all_elements(signed):
    kinds = (("s", "signed permutation"),) if signed else ()
    problem = Problem((Pair(("s", ""), ("s", ""), (0,) if signed else ()),), (("s", ()),), kinds)
    flips = itertools.product((0, 3), repeat=3) if signed else [(0, 0, 0)]
    codes = [np.add(p, f) for f in flips for p in itertools.permutations(range(3))]
    a, b = arrays(2)[1:], arrays(3)[1:]

    @jax.jit
    def both(codes):
        mean = mean_element(problem, {"s": jnp.arange(3)}, jnp.float64)
        of_all = jax.vmap(lambda s: objective(problem, a, b, {"s": s}))(codes)
        return soft_objective(problem, a, b, mean), of_all

    value, of_all = both(np.array(codes))
    np.testing.assert_allclose(value, np.mean(of_all), atol=1e-12)
