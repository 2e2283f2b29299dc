"""The programs that primitives of other libraries stand for.

A primitive of JAX is known by name. A library on top of it may add its own (equinox's loops do, and with them diffrax
and optimistix), and defines what one does by a function of arrays: traced, that is an ordinary program.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from geojax._program import jaxprs


def definition(eqn: Any) -> jaxprs.Body | None:
    """The program that an equation of another library's primitive stands for.

    None if the primitive is one of JAX that holds no definition, or its definition cannot be traced.
    """
    if eqn.primitive.name == "call_hi_primitive":  # of JAX from 0.11: it holds its own definition
        implementation, params = eqn.params["_prim"].expand, {}
    else:
        implementation, params = getattr(eqn.primitive, "impl", None), eqn.params
        if implementation is None or _module(implementation).split(".")[0] in ("jax", "jaxlib"):
            return None

    def program(*arrays: Any) -> Any:
        return jax.tree.leaves(implementation(*arrays, **params))

    try:
        found = jaxprs.trace(program, *(_shaped(var) for var in eqn.invars))
    except Exception:  # a function of numbers, not of arrays that are traced
        return None
    same = [jaxprs.shape(var) for var in found.jaxpr.outvars] == [jaxprs.shape(var) for var in eqn.outvars]
    return found if same and not _mentions(found, eqn.primitive) else None


def reference(function: Callable[..., Any], eqn: Any) -> jaxprs.Body:
    """The program of a function of arrays that gives what an equation gives of its inputs.

    Raises:
        ValueError: If its results are not in the shapes of the equation's outputs.
    """
    found = jaxprs.trace(
        lambda *arrays: jax.tree.leaves(function(*arrays)), *(_shaped(var) for var in eqn.invars)
    )
    made, wanted = ([jaxprs.shape(var) for var in each] for each in (found.jaxpr.outvars, eqn.outvars))
    if made != wanted:
        raise ValueError(
            f"{eqn.primitive.name} gives arrays of the shapes {wanted}, and the function that stands for it {made}"
        )
    return found


def never_returns(program: jaxprs.Body) -> bool:
    """Whether a branch always raises an error, as that of `equinox.error_if` does, so that nothing uses its result."""
    return any(eqn.primitive.name == "pure_callback" and _raises(eqn) for eqn in program.jaxpr.eqns)


def _raises(eqn: Any) -> bool:
    function = getattr(eqn.params.get("callback"), "callback_func", None)
    return _module(function) == "equinox._errors" and getattr(function, "__name__", "") == "raises"


def _module(function: Callable[..., Any] | None) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__module__", None) or "jax"


def _shaped(var: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(
        var.aval.shape, var.aval.dtype, weak_type=getattr(var.aval, "weak_type", False)
    )


def _mentions(program: jaxprs.Body, primitive: Any) -> bool:
    """Whether a primitive occurs in a program or in those that it calls: then it was not taken apart."""
    for eqn in program.jaxpr.eqns:
        inner = jaxprs.call(eqn)
        if eqn.primitive is primitive or (inner is not None and _mentions(inner, primitive)):
            return True
    return False
