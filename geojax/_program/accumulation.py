"""Loops whose steps may be taken in any order: each step reads its own row, and results are at most added up.

What a loop carries may be passed on as it is. It may also be combined with something by one operation that is
associative and commutative (a sum, a product, an extreme), if nothing else reads it. Then the end does not depend on
the order of the steps, and what a step returns depends on its own row alone. Sums change by rounding.
"""

from typing import Any

from geojax._program import jaxprs

OPERATIONS = {
    "add": "sum",
    "add_any": "sum",
    "sub": "sum",
    "mul": "product",
    "max": "largest",
    "min": "least",
    "and": "all",
    "or": "any",
}


def in_any_order(loop: jaxprs.Scan) -> bool:
    """Whether the steps of a scan may be taken in any order."""
    first = loop.num_consts
    carried = loop.body.jaxpr.invars[first : first + loop.num_carry]
    return all(_unordered(loop.body, var, place) for place, var in enumerate(carried))


def _unordered(body: jaxprs.Body, var: Any, place: int) -> bool:
    """Whether an entry of the carry is passed on, or accumulated and not read, and leaves the step where it came in."""
    outs = body.jaxpr.outvars
    if outs[place] is var:
        return True
    found = _followed(body, var, None)
    return found is not None and found[1] == [place]


def _followed(body: jaxprs.Body, var: Any, operation: str | None) -> tuple[str | None, list[int]] | None:
    """The operation that accumulates a variable, and the numbers of the outputs that it becomes; None if it is read."""
    while True:
        readers = [eqn for eqn, _ in jaxprs.live(body).equations if any(v is var for v in eqn.invars)]
        ends = [k for k, out in enumerate(body.jaxpr.outvars) if out is var]
        if not readers:
            return operation, ends
        if len(readers) > 1 or ends:
            return None
        (eqn,) = readers
        places = [k for k, v in enumerate(eqn.invars) if v is var]
        if len(places) > 1:
            return None
        inner = jaxprs.call(eqn)
        if inner is not None:
            found = _followed(inner, inner.jaxpr.invars[places[0]], operation)
            if found is None or len(found[1]) != 1:
                return None
            operation, var = found[0], eqn.outvars[found[1][0]]
            continue
        name = eqn.primitive.name
        if name == "convert_element_type" and eqn.params["new_dtype"] == var.aval.dtype:
            var = eqn.outvars[0]
            continue
        if name not in OPERATIONS or (name == "sub" and places[0] == 1):
            return None
        if operation not in (None, OPERATIONS[name]):
            return None
        operation, var = OPERATIONS[name], eqn.outvars[0]
