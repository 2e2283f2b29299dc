"""Primitives of other libraries, taken apart into the programs that they stand for."""

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

from geojax._program import jaxprs
from geojax._program.definitions import definition, never_returns


def equation(function, *arrays, name):
    return next(e for e in jaxprs.trace(function, *arrays).jaxpr.eqns if e.primitive.name == name)


def added(name, implementation):
    primitive = Primitive(name)
    primitive.def_impl(implementation)
    primitive.def_abstract_eval(lambda x, **_: x)
    return primitive


def test_a_primitive_of_equinox_stands_for_a_reduction():
    eqn = equation(eqxi.unvmap_any, jnp.ones((2, 3), bool), name="unvmap_any")
    found = definition(eqn)
    names = [e.primitive.name for e in found.jaxpr.eqns]
    assert "reduce_or" in str(found.jaxpr), names


def test_primitives_of_jax_stand_for_themselves():
    assert definition(equation(jnp.sin, jnp.ones(3), name="sin")) is None
    callback = lambda x: jax.pure_callback(lambda y: pytest_must_not_call(y), jnp.ones(3), x)
    assert definition(equation(callback, jnp.ones(3), name="pure_callback")) is None


def pytest_must_not_call(_):
    raise AssertionError("a callback of the user was called while its program was read")


def test_what_cannot_be_traced_stays_whole():
    numbers = added("of_numbers", lambda x: np.asarray(x) * 2)
    again = added("again", lambda x: again.bind(x))
    shorter = added("shorter", lambda x: x[:1])
    for primitive in (numbers, again, shorter):
        assert definition(equation(primitive.bind, jnp.ones(3), name=primitive.name)) is None


def test_only_an_error_of_equinox_never_returns():
    def branches(function, *arrays):
        program = jaxprs.trace(function, *arrays)
        while not any(e.primitive.name == "cond" for e in program.jaxpr.eqns):
            program = next(call for e in program.jaxpr.eqns if (call := jaxprs.call(e)) is not None
                           and "cond" in str(call.jaxpr))  # fmt: skip
        eqn = next(e for e in program.jaxpr.eqns if e.primitive.name == "cond")
        return [never_returns(body) for body in jaxprs.branches(eqn)]

    x = jnp.ones(3)
    assert branches(lambda y: eqx.error_if(y, jnp.any(y < 0), "negative"), x) == [False, True]
    assert branches(
        lambda y: jax.lax.cond(y[0] > 0, lambda z: jax.pure_callback(np.sin, z, z), lambda z: z, y), x
    ) == [False, False]
