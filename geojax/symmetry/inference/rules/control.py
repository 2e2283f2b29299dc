"""Rules of control flow: loops, branches and per-device programs."""

from typing import Any

from geojax._program import jaxprs
from geojax._program.accumulation import in_any_order
from geojax._program.definitions import never_returns
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Label
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Value


@rule("scan")
def scan(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """The body runs once: a carry has the same label before and after it; scanned arrays depend on the loop's index.

    Where the steps may be taken in any order, the index may be permuted.
    """
    parts = jaxprs.scan(eqn)
    split = parts.num_consts + parts.num_carry
    consts, inits, scanned = values[: parts.num_consts], values[parts.num_consts : split], values[split:]
    why = interpreter.why(eqn, "is carried from one step of a loop to the next")
    index = _loop_index(interpreter, eqn, scanned, parts)
    carry = interpreter.loop(inits, why)
    for value in carry:
        interpreter.record(value.axes)
    rows = [
        Value(interpreter.settle(value.axes[1:], why), data=value.data, whole=value.whole)
        for value in scanned
    ]
    outer = interpreter.ambient
    interpreter.ambient = (*outer, *index)
    with interpreter.cursor.inside(eqn):
        outs = interpreter.run(parts.body, [*consts, *carry, *rows])
    interpreter.ambient = outer
    final = interpreter.close(carry, outs[: parts.num_carry], why)
    stacked = [Value((index, *out.axes), data=out.data, whole=out.whole) for out in outs[parts.num_carry :]]
    return [*final, *stacked]


def _loop_index(interpreter: Interpreter, eqn: Any, scanned: tuple[Value, ...], parts: jaxprs.Scan) -> Label:
    """The label of a loop's index, along which nothing is scaled; it is held if the order of the steps matters."""
    why = interpreter.why(eqn, "is the index of a loop whose steps depend on those before")
    if scanned and in_any_order(parts):
        index = interpreter.domain.stop(scanned[0].axes[0])
    else:
        index = interpreter.fixed(parts.length, why)
        for value in scanned:
            interpreter.pin(value.axes[0], why)
    for value in scanned:
        index = interpreter.unify(index, interpreter.domain.stop(value.axes[0]), why)
    return index


@rule("while")
def while_loop(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Body and condition run once; a carry has the same label before and after the body."""
    parts = jaxprs.while_loop(eqn)
    split = parts.cond_consts + parts.body_consts
    tests, consts, inits = values[: parts.cond_consts], values[parts.cond_consts : split], values[split:]
    why = interpreter.why(eqn, "is carried from one step of a loop to the next")
    carry = interpreter.loop(inits, why)
    for value in interpreter.run(parts.cond, [*tests, *carry]):
        interpreter.transform(eqn, value, arithmetic.NONLINEAR)
    return interpreter.close(carry, interpreter.run(parts.body, [*consts, *carry]), why)


@rule("cond")
def cond(interpreter: Interpreter, eqn: Any, which: Value, *values: Value) -> list[Value]:
    """Branches are matched output by output, except those that raise an error."""
    interpreter.transform(eqn, which, arithmetic.NONLINEAR)
    why = interpreter.why(eqn, "is matched across branches")
    bodies = jaxprs.branches(eqn)
    returning = [body for body in bodies if not never_returns(body)]
    branches = [interpreter.run(branch, values) for branch in returning or bodies]
    merged = branches[0]
    for outs in branches[1:]:
        merged = [interpreter.match(a, b, why) for a, b in zip(merged, outs, strict=True)]
    return [Value(v.axes, v.scalar, v.data, whole=v.whole) for v in merged]


@rule("shard_map")
def shard_map(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Axes that are divided among devices are held; the others pass."""
    parts = jaxprs.shard_map(eqn)
    why = interpreter.why(eqn, "is divided among devices")
    inside = []
    for value, shards in zip(values, parts.in_shards, strict=True):
        axes = list(value.axes)
        interpreter.hold(axes, shards, why)
        for axis, count in shards.items():
            axes[axis] = interpreter.fixed(value.shape[axis] // count, why)
        inside.append(Value(tuple(axes), value.scalar, value.data, whole=value.whole))
    outs = interpreter.run(parts.body, inside)
    results = []
    for value, shards, var in zip(outs, parts.out_shards, eqn.outvars, strict=True):
        axes = list(value.axes)
        interpreter.hold(axes, shards, why)
        for axis in shards:
            axes[axis] = interpreter.fixed(jaxprs.shape(var)[axis], why)
        results.append(Value(tuple(axes), whole=value.whole))
    return results


COLLECTIVES = {
    **dict.fromkeys(("psum", "psum2", "psum_invariant", "pbroadcast", "pcast"), arithmetic.LINEAR),
    **dict.fromkeys(("pmax", "pmin"), arithmetic.HOMOGENEOUS),
}


@rule(*COLLECTIVES)
def collective(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Sums and extremes over devices, entry by entry."""
    return [interpreter.transform(eqn, value, COLLECTIVES[eqn.primitive.name]) for value in values]


@rule("axis_index", "platform_index")
def device(interpreter: Interpreter, eqn: Any) -> Value:
    """A number that depends on the device alone."""
    return interpreter.fresh(eqn.outvars[0], interpreter.why(eqn, "is the number of a device"))
