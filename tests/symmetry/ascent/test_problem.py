"""The matching problem: its structure by hand, and moves, gains and the objective against explicit sums."""

import jax.numpy as jnp
import numpy as np

from geojax.symmetry.action.groups import SIGN
from geojax.symmetry.ascent.kinds import SIGNED
from geojax.symmetry.ascent.problem import (
    Pair,
    Problem,
    inner_product,
    move_array,
    objective,
    pair_gains,
    real_dtype,
)

RANDOM = np.random.default_rng(1)

# Two heads of three units (u depends on h), read from an axis r of four; a bias per unit; an unmoved array.
WEIGHT, BIAS, FREE = Pair(("r", "h", "u"), ("r", "h", "u")), Pair(("h", "u"), ("h", "u")), Pair(("",), ("",))
HEADS = Problem((WEIGHT, BIAS, FREE), (("r", ()), ("h", ()), ("u", ("h",))))
ELEMENT = {
    "r": jnp.array([2, 0, 3, 1]),
    "h": jnp.array([1, 0]),
    "u": jnp.array([[1, 2, 0], [0, 2, 1]]),
}


def arrays(*shapes):
    return [RANDOM.normal(size=shape) for shape in shapes]


def moved_by_hand(x):
    """new[r, h, u] = old[pr[r], ph[h], pu[h, u]]."""
    r, h, u = (np.asarray(ELEMENT[name]) for name in "rhu")
    return x[r[:, None, None], h[None, :, None], u[None, :, :]]


def test_the_structure_of_a_problem():
    assert HEADS.roots == ("r", "h")
    assert HEADS.dependents("h") == ("u",) and HEADS.dependents("r") == ()
    assert HEADS.touched("r") == (0,) and HEADS.touched("u") == (0, 1)
    assert not HEADS.quadratic("u")
    assert not HEADS.separable  # r and h share the weight
    inside = HEADS.inside("h")
    assert inside == Problem((Pair(("r", "u"), ("r", "u")), Pair(("u",), ("u",))), (("u", ()),))
    assert Problem((BIAS,), HEADS.groups[1:]).separable
    recurrent = Problem((Pair(("h", "h"), ("h", "h")),), (("h", ()),))
    assert recurrent.quadratic("h") and not recurrent.separable


def test_axes_are_taken_out_of_a_pair_with_their_signs():
    pair = Pair(("", "a", "b"), ("s", "a", "b"), (0, 2))
    assert pair.without([1]) == Pair(("", "b"), ("s", "b"), (0, 1))
    assert pair.positions("b") == (2,)


def test_arrays_are_moved_parents_before_children():
    (x,) = arrays((4, 2, 3))
    moved = move_array(HEADS, WEIGHT, jnp.asarray(x), ELEMENT, ("u", "r", "h"))
    np.testing.assert_array_equal(moved, moved_by_hand(x))
    alone = move_array(HEADS, WEIGHT, jnp.asarray(x), ELEMENT, ("r",))
    np.testing.assert_array_equal(alone, x[np.asarray(ELEMENT["r"])])


def test_the_objective_is_the_sum_of_inner_products():
    a, b = arrays((4, 2, 3), (2, 3), (5,)), arrays((4, 2, 3), (2, 3), (5,))
    h, u = np.asarray(ELEMENT["h"]), np.asarray(ELEMENT["u"])
    expected = np.vdot(a[0], moved_by_hand(b[0])) + np.vdot(a[1], b[1][h[:, None], u]) + np.vdot(a[2], b[2])
    value = objective(HEADS, [*map(jnp.asarray, a)], [*map(jnp.asarray, b)], ELEMENT)
    np.testing.assert_allclose(value, expected, rtol=1e-13)


def test_gains_are_inner_products_of_slices():
    a, b = arrays((4, 2, 3), (4, 2, 3))
    gains = pair_gains(HEADS, WEIGHT, "u", jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(gains, np.einsum("rhi,rhj->hij", a, b), rtol=1e-13)


def test_gains_of_signs_stand_behind_and_count_only_on_signed_axes():
    pair, plain = Pair(("", "s"), ("", "s"), (1,)), Pair(("", "s"), ("", "s"))
    problem = Problem((pair, plain), (("s", ()),), (("s", SIGNED),))
    a, b = map(jnp.asarray, arrays((2, 3), (2, 3)))
    products = np.asarray(a).T @ np.asarray(b)
    signed, unsigned = (pair_gains(problem, each, "s", a, b) for each in (pair, plain))
    np.testing.assert_allclose(signed, np.concatenate([products, -products], axis=1), rtol=1e-13)
    np.testing.assert_allclose(unsigned, np.concatenate([products, products], axis=1), rtol=1e-13)
    assert problem.kind("s") == SIGNED
    assert Problem((pair,), (("s", ()),), (("s", SIGN),)).kind("s") == SIGN


def test_complex_arrays_have_real_objectives():
    a, b = (x + 1j * y for x, y in (arrays((3,), (3,)), arrays((3,), (3,))))
    np.testing.assert_allclose(inner_product(jnp.asarray(a), jnp.asarray(b)), np.vdot(a, b).real, rtol=1e-14)
    assert real_dtype([jnp.asarray(a)]) == jnp.float64
    assert real_dtype([]) == jnp.float32
