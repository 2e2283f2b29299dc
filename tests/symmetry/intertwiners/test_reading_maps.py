"""equivariance: programs whose groups are known by a theorem, each checked on f itself with public actions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry
from geojax.symmetry import equivariance


def drawn(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


W, V = drawn(4, 4, seed=8), drawn(4, 4, seed=9)


def egnn(z):
    """One layer of an E(n)-equivariant graph network, written by hand: coordinates x and features h of points."""
    x, h = z["x"], z["h"]
    d = x[:, None] - x[None]
    m = jnp.tanh(jnp.sum(d**2, -1)[..., None] * V[0] + h[:, None] @ W + h[None] @ W)
    return {"x": x + jnp.sum(d * jnp.tanh(m @ V[:, :1]), 1), "h": h + jnp.sum(m, 1) @ V}


def attention(x):
    return jax.nn.softmax((x @ W) @ (x @ V).T / 2, -1) @ (x @ (W + V))


def deep_set(x):
    return jnp.tanh(x @ W + jnp.sum(x, 0, keepdims=True) @ V)


def graph_net(A, h):
    return jnp.tanh(A @ (h @ W) + h @ V)


def least_squares(X, y):
    return jnp.linalg.solve(X.T @ X, X.T @ y)


CLOUD = {"x": drawn(5, 3), "h": drawn(5, 4, seed=1)}

# For each program and its inputs: (kind, size): (axes of inputs, axes of outputs), as the table writes them.
KNOWN = {
    "egnn": (
        egnn,
        (CLOUD,),
        {
            ("permutation", 5): ("h[0] x[0]", "output/h[0] output/x[0]"),
            ("orthogonal", 3): ("x[1]", "output/x[1]"),
            ("permutation", 3): ("x[1]", "output/x[1]"),
        },
    ),
    "attention without positions": (
        attention,
        (drawn(7, 4),),
        {("permutation", 7): ("x[0]", "output[0]")},
    ),
    "deep sets": (deep_set, (drawn(6, 4),), {("permutation", 6): ("x[0]", "output[0]")}),
    "graph net": (
        graph_net,
        (drawn(5, 5), drawn(5, 4)),
        {
            ("permutation", 5): ("A[0] A[1] h[0]", "output[0]"),
            ("sign", 5): ("A[0] A[1] h[0]", "output[0]"),
        },
    ),
    "relu: positive monomial matrices": (
        jax.nn.relu,
        (drawn(5),),
        {("permutation", 5): ("x[0]", "output[0]"), ("scaling", 5): ("x[0]", "output[0]")},
    ),
    "tanh: signed permutations": (
        lambda x: jnp.tanh(x),
        (drawn(5),),
        {("permutation", 5): ("x[0]", "output[0]"), ("sign", 5): ("x[0]", "output[0]")},
    ),
    "the largest of a set": (
        lambda x: jnp.max(x, 0),
        (drawn(5, 3),),
        {
            ("permutation", 5): ("x[0]", ""),
            ("permutation", 3): ("x[1]", "output[0]"),
            ("scaling", 3): ("x[1]", "output[0]"),
        },
    ),
    "gram": (
        lambda x: x @ x.T,
        (drawn(5, 3),),
        {
            ("permutation", 5): ("x[0]", "output[0] output[1]"),
            ("general_linear", 5): ("x[0]", "output[0] output[1]"),
            ("permutation", 3): ("x[1]", ""),
            ("orthogonal", 3): ("x[1]", ""),
        },
    ),
    "least squares": (
        least_squares,
        (drawn(9, 3), drawn(9, seed=1)),
        {
            ("permutation", 9): ("X[0] y[0]", ""),
            ("orthogonal", 9): ("X[0] y[0]", ""),
            ("permutation", 3): ("X[1]", "output[0]"),
            ("general_linear", 3): ("X[1]", "output[0]^-1"),
            ("scaling", 1): ("y", "output"),
        },
    ),
    "taking the mean off": (
        lambda x: x - jnp.mean(x, 0),
        (drawn(5, 3),),
        {
            ("permutation", 5): ("x[0]", "output[0]"),
            ("permutation", 3): ("x[1]", "output[1]"),
            ("general_linear", 3): ("x[1]", "output[1]"),
        },
    ),
    "a map that is linear": (
        lambda u, x: u @ x,
        (drawn(4, 3), drawn(3)),
        {
            ("permutation", 4): ("u[0]", "output[0]"),
            ("general_linear", 4): ("u[0]", "output[0]"),
            ("permutation", 3): ("u[1] x[0]", ""),
            ("general_linear", 3): ("u[1] x[0]^-1", ""),
        },
    ),
    "entries that are alike": (
        lambda x: jnp.broadcast_to(jnp.tanh(jnp.sum(x)), (4,)),
        (drawn(3),),
        {
            ("permutation", 3): ("x[0]", ""),
            ("permutation", 4): ("", "output[0]"),
        },
    ),
}


@functools.cache
def found(name):
    f, inputs, _ = KNOWN[name]
    return equivariance(f, *inputs)


def axes_of(report):
    """{(kind, size): (axes of the inputs, axes of the output)} of a printed spec."""
    sides = []
    for spec, names in ((report.domain, report.input_names), (report.codomain, report.output_names)):
        moved = {name: [] for name in report.groups}
        for leaf, title in zip(spec.leaves, names, strict=True):
            for name in report.groups:
                for where, part in enumerate(leaf.layout.parts):
                    if name in dict(part.moves):
                        power = dict(part.moves)[name]
                        moved[name].append(f"{title}[{where}]" + (f"^{power}" if power != 1 else ""))
                if name in dict(leaf.layout.moves):
                    moved[name].append(title)
        sides.append(moved)
    return {
        (group.kind, group.size): tuple(" ".join(side[name]) for side in sides)
        for name, group in report.groups.items()
    }


def defect(report, f, tree, key, dtype):
    """Largest difference of f(g x) and g f(x) relative to f(x), for one random element of all groups."""
    call = f if not isinstance(tree, tuple) else lambda inputs: f(*inputs)
    tree = jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)
    g = symmetry.random_element(report.domain, key)
    one = call(symmetry.act(report.domain, g, tree))
    two = symmetry.act(report.codomain, g, call(tree))
    return max(
        float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(a)))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two))
    )


@pytest.mark.full
@pytest.mark.parametrize("name", KNOWN)
def test_groups_are_those_of_the_theorem_and_hold_on_f(name):
    f, inputs, expected = KNOWN[name]
    report = found(name)
    tree = inputs[0] if len(inputs) == 1 else inputs
    assert axes_of(report) == expected
    assert report.verification.passed and report.verified == tuple(report.groups)
    assert defect(report, f, tree, jax.random.key(1), jnp.float64) < 1e-11
    # Rounding of float32, times the condition of the draws of scalings and of the normal equations.
    assert defect(report, f, tree, jax.random.key(2), jnp.float32) < 1e-3
    g = symmetry.random_element(report.domain, jax.random.key(3))
    back = symmetry.act(
        report.domain, symmetry.inverse(report.domain, g), symmetry.act(report.domain, g, tree)
    )
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(tree)):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_one_element_moves_inputs_and_output():
    report = equivariance(deep_set, drawn(6, 4), verify=False)
    assert report.verification is None and report.verified == ()
    x, perm = drawn(6, 4), jnp.array([2, 0, 1, 5, 4, 3])
    moved = symmetry.act(report.codomain, {"x": perm}, deep_set(x))
    np.testing.assert_allclose(deep_set(x[np.asarray(perm)]), moved, rtol=1e-12)
    assert report.equivariant == ("x",) and report.invariant == () and report.fixing == ()


def test_shapes_are_enough():
    shapes = jax.ShapeDtypeStruct((6, 4), jnp.float32)
    report = equivariance(deep_set, shapes)
    assert report.groups == equivariance(deep_set, drawn(6, 4), verify=False).groups
    assert "not verified" in str(report)


def test_a_slice_is_where_the_reading_stops_and_not_a_denial():
    report = equivariance(lambda x: 0.3 * x + jnp.roll(x, 1), drawn(8), verify=False)
    table = str(report)
    assert [group.kind for group in report.groups.values()] == ["scaling"]
    assert "x[0] output[0]  by slice  test_reading_maps.py" in table
    assert "the reading stops here: labels do not see shifts or other finite groups" in table
    assert "no symmetry" not in table


def test_a_convolution_holds_space_and_keeps_the_batch():
    kernel = drawn(4, 3, 3)

    def conv(x):
        return jax.lax.conv(x, kernel, (1,), "SAME")

    report = equivariance(conv, drawn(2, 3, 8), verify=False)
    held = [(pin.path, pin.axis, pin.primitive) for pin in report.domain.pins]
    assert ("", 2, "conv_general_dilated") in held
    assert ("permutation", 2) in {(group.kind, group.size) for group in report.groups.values()}
    assert "test_reading_maps.py" in next(pin.source for pin in report.domain.pins if pin.axis == 2)


def test_positions_hold_the_tokens():
    report = equivariance(lambda x: attention(x + jnp.arange(7.0)[:, None]), drawn(7, 4))
    assert report.groups == {}
    assert "no group of these kinds was read" in str(report)
    assert "by constant  test_reading_maps.py" in str(report)
    assert {pin.primitive for pin in report.domain.pins} == {"iota", "constant"}


@pytest.mark.parametrize("output", ["labels", ""])
def test_outputs_that_are_no_floats_are_refused_by_name(output):
    def f(x):
        best = jnp.argmax(x, -1)
        return {"labels": best, "scores": x} if output else best

    with pytest.raises(TypeError, match=r"(leaf 'labels' of )?the output of f.* holds int"):
        equivariance(f, drawn(5, 3))
    with pytest.raises(TypeError, match="holds bool"):
        equivariance(lambda x: x > 0, drawn(5, 3))


def test_groups_that_no_input_exercises_are_not_verified():
    report = equivariance(lambda x: {"a": jnp.tanh(x), "b": 0.0 * x}, drawn(3))
    assert report.groups.keys() - set(report.verified) == set(report.verification.blind) != set()
    assert report.verified
    assert "not verified, as these inputs do not exercise them" in str(report)


def test_a_program_that_no_input_exercises_is_not_verified_at_all():
    report = equivariance(lambda x: 0.0 * x, drawn(3))
    assert report.groups and not report.verified
    assert "NOT VERIFIED" in str(report)


def test_a_false_rule_is_caught_on_f_itself():
    """A primitive whose rule claims too much."""
    import jax.extend.core as core
    from jax.interpreters import mlir

    from geojax.symmetry.inference.labels.interpreter import OWN

    bend = core.Primitive("bend_of_a_test")
    bend.def_impl(lambda x: x * jnp.arange(1.0, 1 + x.shape[0]))
    bend.def_abstract_eval(lambda x: x)
    mlir.register_lowering(bend, mlir.lower_fun(lambda x: x * jnp.arange(1.0, 1 + x.shape[0]), False))
    symmetry.rule("bend_of_a_test")(lambda run, eqn, x: x)
    try:
        report = equivariance(lambda x: bend.bind(x), drawn(4))
    finally:
        del OWN["bend_of_a_test"]
    assert "x" in report.verification.failed
    assert "permutation" not in {group.kind for group in report.groups.values()}
    assert "FAILED verification" in str(report)


def test_names_do_not_collide():
    report = equivariance(lambda z: z["output"], {"output": drawn(3)}, verify=False)
    assert report.input_names == ("output",)
    assert report.output_names == ("output'",)


def test_arguments_are_called_as_the_function_calls_them():
    def f(points, options):
        return options["scale"] * points

    report = equivariance(f, drawn(3), {"scale": 2.0, "name": "a"}, verify=False)
    assert report.input_names == ("points",)
    assert [leaf.path for leaf in report.domain.leaves] == ["0"]
    assert report.groups["points"].size == 3
    report = equivariance(lambda *arrays: arrays[0] + arrays[1], drawn(3), drawn(3), verify=False)
    assert report.input_names == ("input 0", "input 1")


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "f is", lambda: equivariance(drawn(3), drawn(3))),
        (ValueError, "no inputs", lambda: equivariance(jnp.tanh)),
        (ValueError, "does not trace", lambda: equivariance(lambda x: x @ x, drawn(2, 3))),
        (ValueError, "returns no array", lambda: equivariance(lambda x: None, drawn(3))),
    ],
)
def test_bad_calls_are_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_an_unknown_primitive_is_held_or_refused():
    import jax.extend.core as core

    strange = core.Primitive("strange_of_a_test")
    strange.def_abstract_eval(lambda x: x)
    report = equivariance(lambda x: strange.bind(x), drawn(3), verify=False)
    assert report.unknown and "the reading stops there" in str(report)
    with pytest.raises(ValueError, match="strange_of_a_test"):
        equivariance(lambda x: strange.bind(x), drawn(3), strict=True)


def test_the_answer_is_static_data():
    one, two = (equivariance(deep_set, drawn(6, 4), verify=False) for _ in range(2))
    assert one == two and hash(one) == hash(two)
    assert jax.tree.leaves(one) == []
    assert repr(one).startswith("Equivariance(1 groups")
    assert symmetry.SymmetrySpec.from_json(one.codomain.to_json()) == one.codomain
