"""The interpreter's own work: constants, primitives without a rule, the log; and that both domains are whole."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._program import jaxprs
from geojax.symmetry.inference.exponents.carriers import Carrier
from geojax.symmetry.inference.exponents.exponent_domain import ExponentDomain
from geojax.symmetry.inference.labels.arithmetic import Join
from geojax.symmetry.inference.labels.axes import Node, Reason, Uniform, is_uniform, length, resolve
from geojax.symmetry.inference.labels.domain import Domain
from geojax.symmetry.inference.labels.interpreter import RULES, Interpreter
from geojax.symmetry.inference.labels.label_domain import LabelDomain
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.rules import load

load()
WHY = Reason("add", "is matched index by index", "here")


def value(*sizes):
    return Value(tuple((Node(size),) for size in sizes))


def run(function, *values):
    """The values of a function's outputs, and the interpreter that made them."""
    interpreter = Interpreter()
    arrays = [jax.ShapeDtypeStruct(v.shape, jnp.float32) for v in values]
    return interpreter.run(jaxprs.trace(function, *arrays), values), interpreter


@pytest.mark.parametrize("domain", [LabelDomain, ExponentDomain])
def test_a_domain_answers_every_verb_of_the_protocol(domain):
    verbs = [name for name, _ in inspect.getmembers(Domain, inspect.isfunction) if not name.startswith("_")]
    assert len(verbs) == 13
    for name in verbs:
        assert list(inspect.signature(getattr(domain, name)).parameters) == list(
            inspect.signature(getattr(Domain, name)).parameters
        ), name


def test_no_method_of_a_run_is_overridden():
    assert Interpreter.__subclasses__() == []
    assert LabelDomain.__bases__ == ExponentDomain.__bases__ == (object,)


def test_an_elementwise_function_keeps_labels():
    x = value(3, 4)
    (out,), interpreter = run(jnp.tanh, x)
    assert out.axes == x.axes
    assert not interpreter.unknown


def test_a_sum_removes_an_axis_and_the_log_says_so():
    x = value(3, 4)
    (out,), interpreter = run(lambda a: jnp.sum(a, axis=1), x)
    assert out.axes == x.axes[:1]
    ((gone, kept),) = [(e.gone, e.kept) for e in interpreter.eliminations]
    assert (gone, kept) == (x.axes[1:], (*x.axes[:1], interpreter.ambient))


def test_a_contraction_makes_two_axes_one():
    x, y = value(3, 4), value(4, 5)
    (out,), interpreter = run(lambda a, b: a @ b, x, y)
    assert resolve(x.axes[1]) == resolve(y.axes[0])
    assert out.axes == (x.axes[0], y.axes[1])
    assert len(interpreter.contractions) == len(interpreter.products) == 1


def test_a_primitive_without_a_rule_holds_all_axes_and_is_named(monkeypatch):
    monkeypatch.delitem(RULES, "tanh")
    x = value(3)
    (out,), interpreter = run(lambda a: jnp.tanh(a), x)
    (name,) = interpreter.unknown
    assert name.startswith("tanh (test_interpreter.py:")
    assert resolve(x.axes[0])[0].pin.text.startswith("has no rule")
    assert all(node.pin for node in resolve(out.axes[0]))


def test_constants_are_uniform_along_axes_where_they_do_not_change():
    interpreter = Interpreter()
    table = interpreter.constant(np.arange(3.0)[:, None] * np.ones(4))
    assert resolve(table.axes[0])[0].pin.primitive == "constant"
    assert table.axes[1] == (Uniform(4),)
    seven = interpreter.constant(np.full((2, 3), 7))
    assert seven.scalar == 7
    assert all(map(is_uniform, seven.axes))
    assert not interpreter.constant(np.array([1.0, np.inf])).finite


def test_joins_of_exponents():
    """Equal, product, quotient and contraction, each on one node with unknowns a and b."""
    node = Node(3)
    for join, sides in {Join.EQUAL: (1, -1), Join.CONTRACT: (1, 1)}.items():
        domain = ExponentDomain([])
        run = Interpreter(domain, stacks=True)
        a, b = (domain.with_unknowns((node,)) for _ in range(2))
        run.unify(a, b, WHY, join)
        ((one, other),) = [tuple(v.values()) for v in domain.scales.solutions(range(2))]
        assert one * sides[0] + other * sides[1] == 0, join
    for join, sign in {Join.PRODUCT: 1, Join.QUOTIENT: -1}.items():
        domain = ExponentDomain([])
        run = Interpreter(domain, stacks=True)
        a, b = (domain.with_unknowns((node,)) for _ in range(2))
        (joint,) = run.unify(a, b, WHY, join)
        assert isinstance(joint, Carrier)
        assert joint.exponents.scale == {0: 1, 1: sign}
        assert len(domain.scales.solutions(range(2))) == 2


def test_an_axis_that_is_read_by_position_carries_no_exponent():
    domain = ExponentDomain([])
    run = Interpreter(domain, stacks=True)
    label = domain.with_unknowns((Node(4),))
    part = run.part(label, 1, 3)
    assert part is not None
    assert length(part) == 2
    assert domain.scales.solutions(range(1)) == []
