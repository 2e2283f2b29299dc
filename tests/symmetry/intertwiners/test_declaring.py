"""declare: specs of data written by hand, against moves written out in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry
from geojax.symmetry import SymmetrySpec, declare

POINTS = {"h": ("points", None), "x": ("points", "space:orthogonal")}


def drawn(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def cloud(dtype=np.float64):
    return {"h": drawn((5, 4), 0, dtype), "x": drawn((5, 3), 1, dtype)}


@pytest.mark.full
def test_points_and_space_move_as_written():
    spec, z = declare(cloud(), POINTS), cloud()
    g = symmetry.random_element(spec, jax.random.key(0))
    moved = symmetry.act(spec, g, z)
    perm, turn = np.asarray(g["points"]), np.asarray(g["space:orthogonal"])
    np.testing.assert_array_equal(moved["h"], z["h"][perm])
    np.testing.assert_allclose(moved["x"], z["x"][perm] @ turn.T, rtol=1e-12)


def test_shapes_are_enough_and_dtypes_stay():
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), cloud())
    spec = declare(shapes, POINTS)
    assert spec == declare(cloud(), POINTS)
    assert hash(spec) == hash(declare(cloud(np.float32), POINTS))
    moved = symmetry.act(spec, symmetry.random_element(spec, jax.random.key(0)), cloud(np.float32))
    assert {a.dtype for a in jax.tree.leaves(moved)} == {jnp.dtype("float32")}


def test_contravariant_axes_keep_the_pairing():
    tree = {"c": drawn((3, 4)), "v": drawn((3, 4), 1)}
    axes = {"c": ("m^-1", "u:scaling^-2"), "v": ("m:general_linear", "u:scaling^2")}
    spec = declare(tree, axes)
    moved = symmetry.act(spec, symmetry.random_element(spec, jax.random.key(1)), tree)
    np.testing.assert_allclose(np.sum(moved["c"] * moved["v"]), np.sum(tree["c"] * tree["v"]), rtol=1e-12)
    assert np.max(np.abs(moved["v"] - tree["v"])) > 0.1


@pytest.mark.full
def test_several_kinds_on_one_axis_act_together():
    spec = declare(drawn((6,)), ("u:permutation+scaling^3",))
    assert {name: group.kind for name, group in spec.groups.items()} == {
        "u": "permutation",
        "u:scaling": "scaling",
    }
    x, g = drawn((6,)), symmetry.random_element(spec, jax.random.key(2))
    expected = np.asarray(g["u:scaling"]) ** 3 * x[np.asarray(g["u"])]
    np.testing.assert_allclose(symmetry.act(spec, g, x), expected, rtol=1e-12)


def test_an_exponent_of_zero_does_not_act_and_signs_count_modulo_two():
    tree = (drawn((4,)), drawn((4,), 1))
    spec = declare(tree, (("u:permutation+scaling^0",), ("u:permutation+scaling",)))
    g = symmetry.random_element(spec, jax.random.key(3))
    first, _ = symmetry.act(spec, g, tree)
    np.testing.assert_array_equal(first, tree[0][np.asarray(g["u"])])
    signs = declare(tree, (("s:sign^2",), ("s:sign^-1",)))
    flipped = symmetry.act(signs, {"s:sign": -jnp.ones(4)}, tree)
    np.testing.assert_array_equal(flipped[0], tree[0])
    np.testing.assert_array_equal(flipped[1], -tree[1])


@pytest.mark.parametrize("parent", ["head", "head:held"])
def test_units_of_a_head_move_with_the_index_of_the_head(parent):
    x = drawn((2, 3, 4))
    spec = declare(x, (parent, "head/unit:orthogonal", None))
    group = spec.groups["head/unit:orthogonal"]
    assert group.shape == (2, 3, 3) and group.parents == ("head",)
    g = symmetry.random_element(spec, jax.random.key(4))
    heads = np.asarray(g.get("head", np.arange(2)))
    assert ("head" in g) == (parent == "head")
    expected = np.einsum("hij,hjc->hic", np.asarray(g["head/unit:orthogonal"]), x[heads])
    np.testing.assert_allclose(symmetry.act(spec, g, x), expected, rtol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize(
    "axes",
    [
        ("a", "a/b", "a/b/c:orthogonal"),
        ("a:permutation+sign", "b:permutation+orthogonal", "c:scaling^-1"),
        ("a:held", "a/b:permutation+scaling", "a/c:general_linear^-1"),
    ],
)
def test_law_composition_and_inverse(axes):
    x = drawn((2, 3, 4))
    spec = declare(x, axes)
    g, h = (symmetry.random_element(spec, key) for key in jax.random.split(jax.random.key(5)))
    both = symmetry.act(spec, symmetry.compose(spec, g, h), x)
    np.testing.assert_allclose(both, symmetry.act(spec, g, symmetry.act(spec, h, x)), rtol=1e-10)
    back = symmetry.act(spec, symmetry.inverse(spec, g), symmetry.act(spec, g, x))
    np.testing.assert_allclose(back, x, rtol=1e-10)


@pytest.mark.full
def test_rotations_do_not_reflect():
    spec = declare(drawn((4, 3)), (None, "space:rotation"))
    assert spec.groups["space:orthogonal"].connected
    keys = jax.random.split(jax.random.key(6), 16)
    draws = jax.vmap(lambda key: symmetry.random_element(spec, key)["space:orthogonal"])(keys)
    np.testing.assert_allclose(jnp.linalg.det(draws), 1, rtol=1e-6)


def test_verify_passes_what_is_so_and_names_what_is_not():
    z = cloud()
    spec = declare(z, POINTS)
    good = symmetry.verify(spec, lambda z: jnp.sum(z["x"] ** 2) + jnp.sum(z["h"]), z, key=jax.random.key(0))
    bad = symmetry.verify(
        spec, lambda z: jnp.sum(jnp.abs(z["x"])) + jnp.sum(z["h"]), z, key=jax.random.key(0)
    )
    assert good.passed
    assert bad.failed == ("space:orthogonal",)


def test_domain_and_codomain_share_names():
    inside = declare(drawn((5, 3)), ("points", "space:orthogonal"))
    outside = declare(drawn((5,)), ("points",))
    g = symmetry.random_element(inside, jax.random.key(7))
    assert outside.groups.items() <= inside.groups.items()
    assert symmetry.act(outside, {"points": g["points"]}, drawn((5,))).shape == (5,)


def test_text_round_trip_and_table():
    spec = declare(cloud(), POINTS)
    assert SymmetrySpec.from_json(spec.to_json()) == spec
    table = str(spec)
    assert "space:orthogonal" in table and "h[0] x[0]" in table and "h[1]" in table and "declared" in table


def test_axes_of_one_entry_have_no_permutations():
    spec = declare(drawn((1, 1, 1)), ("points", "space:rotation", "points/u:scaling"))
    assert list(spec.groups) == ["points/u:scaling"]
    assert declare(drawn((1,)), ("points",)).groups == {}


def test_leaves_that_are_no_arrays_are_left_alone():
    tree = {"name": "a", "x": drawn((3,)), "rate": 0.1}
    spec = declare(tree, {"name": (), "x": ("p",), "rate": ()})
    assert [leaf.path for leaf in spec.leaves] == ["x"]
    moved = symmetry.act(spec, {"p": jnp.array([2, 0, 1])}, tree)
    assert moved["name"] == "a" and moved["rate"] == 0.1


BAD = {
    "no axes for a leaf": (cloud(), {"h": ("points", None)}, "no axes for x"),
    "axes for no leaf": ({"h": drawn((2,))}, {"h": ("a",), "y": ("a",)}, "no array for axes y"),
    "too few axes": (cloud(), {"h": ("points",), "x": POINTS["x"]}, "h: 1 axes for an array of shape"),
    "empty axes": (cloud(), {"h": (), "x": POINTS["x"]}, "h: 0 axes"),
    "empty tree": ({}, {}, "without an array"),
    "unequal lengths": (drawn((2, 3)), ("p", "p"), "length 3, but axis 0 of axes has length 2"),
    "length zero": (drawn((0, 3)), ("p", None), "length 0"),
    "no name": (drawn((2,)), ("",), "no name"),
    "a kind without a name": (drawn((2,)), (":orthogonal",), "no name"),
    "half a path": (drawn((2, 2)), ("head", "head/"), "no name"),
    "unknown kind": (drawn((2,)), ("p:rotated",), "unknown kind 'rotated'"),
    "a kind twice": (drawn((2,)), ("p:sign+sign",), "sign twice"),
    "held and moved": (drawn((2,)), ("p:held+sign",), "say 'held' alone"),
    "both orthogonal kinds": (drawn((2,)), ("p:orthogonal+rotation",), "say one of them"),
    "contradiction": (drawn((2, 2)), ("p:orthogonal", "p:general_linear"), "say the same kinds"),
    "permutation to a power": (drawn((2,)), ("p:permutation^2",), "has no exponent"),
    "bare name to a power": (drawn((2,)), ("p^-1",), "has no exponent"),
    "matrix to a power": (drawn((2,)), ("p:general_linear^2",), "exponent 1 .* or -1"),
    "no integer": (drawn((2,)), ("p:scaling^half",), "expected an integer"),
    "exponent before its kind": (drawn((2,)), ("p^2:scaling",), "belongs after its kind"),
    "child alone": (drawn((2, 3)), (None, "head/unit"), "child of 'head', which stands 0 times"),
    "child of twins": (drawn((2, 2, 3)), ("head", "head", "head/unit"), "stands 2 times"),
    "child of a matrix": (drawn((2, 3)), ("s:orthogonal", "s/unit"), "a matrix mixes its indices"),
    "integers scaled": (np.arange(3), ("u:scaling",), "would move an array of int64"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_axes_are_refused(name):
    tree, axes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        declare(tree, axes)


def test_a_text_in_the_place_of_a_tuple_is_refused():
    with pytest.raises(TypeError, match="leaf 'h' of axes"):
        declare(cloud(), {"h": "points", "x": POINTS["x"]})


def test_an_element_of_another_spec_is_refused():
    spec = declare(drawn((3,)), ("p",))
    other = declare(drawn((3,)), ("q",))
    with pytest.raises(ValueError, match="unknown group 'q'"):
        symmetry.act(spec, symmetry.random_element(other, jax.random.key(0)), drawn((3,)))
