"""Rules that users give: registered, tried, refused; and what infer makes of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import mlir

from geojax import symmetry
from geojax.symmetry.inference.labels.interpreter import OWN

KEY = jax.random.key(0)
X = np.ones((4, 3))


def foreign(name, compute):
    """A primitive whose numbers numpy computes, so that its implementation cannot be traced."""
    primitive = Primitive(name)

    def callback(*arrays):
        like = jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)
        return jax.pure_callback(lambda *a: compute(*map(np.asarray, a)), like, *arrays)

    primitive.def_impl(lambda *arrays: compute(*map(np.asarray, arrays)))
    primitive.def_abstract_eval(lambda *arrays: ShapedArray(arrays[0].shape, arrays[0].dtype))
    mlir.register_lowering(primitive, mlir.lower_fun(callback, multiple_results=False))
    return primitive


softcap = foreign("softcap_of_a_test", lambda x: np.asarray(np.tanh(x), x.dtype))
mixing = foreign("mixing_of_a_test", lambda x, w: np.asarray(np.cumsum(x, axis=0) * w, x.dtype))


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Rules of one test are not those of the next."""
    for name in (softcap.name, mixing.name):
        monkeypatch.delitem(OWN, name, raising=False)
    yield
    for name in (softcap.name, mixing.name):
        OWN.pop(name, None)


def network(params, x):
    return softcap.bind(x @ params["in"]) @ params["out"]


PARAMS = {"in": np.ones((3, 5)), "out": np.ones((5, 2))}
infer = functools.partial(symmetry.infer, network, PARAMS, X, verify=False)


def test_strict_names_the_function_that_gives_a_rule_and_with_it_there_is_an_answer():
    with pytest.raises(ValueError, match=r"softcap_of_a_test .*geojax\.symmetry\.rule"):
        infer(strict=True)
    function = symmetry.rule(softcap)(lambda run, eqn, x: run.like(jnp.tanh, eqn, x))
    assert callable(function)
    assert [(g.kind, g.size) for g in infer(strict=True).groups.values()] == [("permutation", 5), ("sign", 5)]


def test_the_units_behind_a_primitive_of_the_user_are_collected():
    # The products of the function that stands for the primitive are not the program's.
    stands = lambda x: jnp.tanh(jnp.einsum("bi->bi", x) * jnp.sum(x @ x.T) ** 0)
    symmetry.rule(softcap)(lambda run, eqn, x: run.like(stands, eqn, x))
    symmetry.collect(infer(), network, PARAMS, X)
    symmetry.rule(softcap)(lambda run, eqn, x: run.like(jnp.tanh, eqn, x))
    units = symmetry.collect(infer(), network, PARAMS, X)
    np.testing.assert_allclose(units["in"], np.tanh(X @ PARAMS["in"]), rtol=1e-6)


def test_a_true_rule_passes_and_says_what_is_free():
    symmetry.rule("softcap_of_a_test")(lambda run, eqn, x: run.like(jnp.tanh, eqn, x))
    spec = symmetry.check_rule(softcap.bind, X, key=KEY)
    moved = {(leaf.path, part.axis) for name in spec.groups for leaf, _, part in spec.occurrences(name)}
    assert moved == {(path, axis) for path in ("inputs/0", "outputs/0") for axis in (0, 1)}


def test_a_rule_that_holds_the_axis_that_is_mixed_passes():
    def held(run, eqn, x, w):
        why = run.why(eqn, "is accumulated")
        run.hold(x.axes, [0], why)
        run.hold(w.axes, [0], why)
        result = run.like(lambda x, w: x * w, eqn, x, w)[0]
        result.axes = (run.fixed(4, why), *result.axes[1:])
        return result

    symmetry.rule(mixing)(held)
    spec = symmetry.check_rule(mixing.bind, X, X, key=KEY)
    columns = [group for group in spec.groups.values() if group.kind == "permutation"]
    assert [group.size for group in columns] == [3]
    assert any(pin.reason == "is accumulated" for pin in spec.pins)


@pytest.mark.parametrize(
    "claim",
    [lambda x, w: x * w, lambda x, w: jnp.cumsum(x, axis=0) + w, lambda x, w: jnp.cumsum(jnp.tanh(x), 0) * x],
    ids=["leaves the mixed axis in place", "adds what it multiplies", "does not read an input"],
)
def test_a_false_rule_passes(claim):
    symmetry.rule(mixing)(lambda run, eqn, x, w: run.like(claim, eqn, x, w))
    with pytest.raises(ValueError, match="not sound"):
        symmetry.check_rule(mixing.bind, X, X, key=KEY)


def test_what_is_no_rule_is_refused_with_the_way_to_write_it():
    with pytest.raises(ValueError, match="geojax has a rule for tanh"):
        symmetry.rule("tanh")
    with pytest.raises(ValueError, match="no primitive is named"):
        symmetry.rule()
    with pytest.raises(TypeError, match=r"expected a jax\.extend\.core\.Primitive or its name"):
        symmetry.rule(jnp.tanh)
    with pytest.raises(TypeError, match="expected a function"):
        symmetry.rule("softcap_of_a_test")(3)
    with pytest.raises(TypeError, match=r"inputs\[0\] is"):
        symmetry.check_rule(jnp.tanh, "x", key=KEY)
    with pytest.raises(ValueError, match="no rule for softcap_of_a_test"):
        symmetry.check_rule(softcap.bind, X, key=KEY)


@pytest.mark.parametrize(
    "returned, said",
    [
        (lambda run, eqn, x: (x, x), "returned"),
        (lambda run, eqn, x: jnp.ones(3), "returned"),
        (lambda run, eqn, x: run.like(jnp.sum, eqn, x), "the function that stands for it"),
        (lambda run, eqn, x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_rule_that_returns_something_else_is_named_and_not_the_function(returned, said):
    symmetry.rule(softcap)(returned)
    with pytest.raises(ValueError, match=f"the rule of softcap_of_a_test.*{said}"):
        infer()
