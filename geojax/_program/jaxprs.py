"""Reading jaxprs: the one file that knows the form of JAX's programs, for every supported release."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core as jex

from geojax._core.loops import vary_with

Literal = jex.Literal


@dataclasses.dataclass(frozen=True)
class Body:
    """A program inside a program: its jaxpr and the constants it closes over."""

    jaxpr: Any
    consts: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Scan:
    """A scan equation taken apart; inputs and outputs come as constants, carry, then scanned arrays."""

    body: Body
    num_consts: int
    num_carry: int
    length: int
    reverse: bool


@dataclasses.dataclass(frozen=True)
class While:
    """A while equation taken apart; inputs come as condition constants, body constants, then the carry."""

    cond: Body
    body: Body
    cond_consts: int
    body_consts: int


@dataclasses.dataclass(frozen=True)
class ShardMap:
    """A shard_map equation taken apart: for each array axis, how many shards it is divided into."""

    body: Body
    in_shards: tuple[dict[int, int], ...]
    out_shards: tuple[dict[int, int], ...]


@dataclasses.dataclass(frozen=True)
class LinearSolve:
    """A linear system taken apart: the program that it is read by, and where this has its constants.

    Attributes:
        direct: Whether it is solved by triangular systems, and so exactly; then the program multiplies by the matrix.
            Otherwise the program computes the solution from the right side.
        body: The program; its inputs are its constants, then the solution or the right side.
        consts: The places of its constants among the equation's inputs.
        sides: The places of the right side.
        reads: For each input of the equation, whether it is one of these.
    """

    direct: bool
    body: Body
    consts: range
    sides: range
    reads: list[bool]


@dataclasses.dataclass(frozen=True)
class Live:
    """The part of a program that is used: equations, each with a flag for every output, and a flag for every input."""

    equations: list[tuple[Any, list[bool]]]
    inputs: list[bool]


CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}


def trace(function: Callable[..., Any], *args: Any) -> Body:
    """The program of ``function(*args)``; arguments are flat tuples of arrays or shapes."""
    return body(jax.make_jaxpr(function)(*args))


def body(closed: Any) -> Body:
    """A jaxpr with its constants, from any of the classes JAX has used for it."""
    if hasattr(closed, "jaxpr"):
        return Body(closed.jaxpr, tuple(closed.consts))
    return Body(closed, tuple(getattr(closed, "consts", ())))


def call(eqn: Any) -> Body | None:
    """The body of an equation that merely calls a program (jit, remat, custom derivatives), else None."""
    name = CALLS.get(eqn.primitive.name)
    return None if name is None or name not in eqn.params else body(eqn.params[name])


def live(
    program: Body, needed: Sequence[bool] | None = None, *, loops: bool = False, solves: bool = False
) -> Live:
    """The equations and inputs from which the needed outputs of a program are computed.

    Calls are looked into. With ``loops`` so are loops and branches, whose bodies may ignore an input; without it each
    equation uses all its inputs, as whoever evaluates the equations needs. With ``solves`` a linear system that is
    solved directly uses its matrix and its right side, and not the factors that are computed from the matrix.
    """
    outvars = program.jaxpr.outvars
    used = {
        v for v, use in zip(outvars, needed or [True] * len(outvars), strict=True) if use and _is_variable(v)
    }
    kept = []
    for eqn in reversed(program.jaxpr.eqns):
        wanted = [var in used for var in eqn.outvars]
        if not any(wanted):
            continue
        kept.append((eqn, wanted))
        reads = _reads(eqn, wanted, loops, solves)
        used.update(v for v, read in zip(eqn.invars, reads, strict=True) if read and _is_variable(v))
    return Live(kept[::-1], [var in used for var in program.jaxpr.invars])


def _reads(eqn: Any, wanted: list[bool], loops: bool, solves: bool) -> list[bool]:
    """Which inputs of an equation the wanted ones among its outputs are computed from."""
    inner = call(eqn)
    if inner is not None:
        return live(inner, wanted, loops=loops, solves=solves).inputs
    name = eqn.primitive.name
    if solves and name == "custom_linear_solve":
        return linear_solve(eqn).reads
    if loops and name == "scan":
        parts = scan(eqn)
        return _reads_of_loop(
            parts.body, parts.num_consts, wanted[: parts.num_carry], wanted[parts.num_carry :]
        )
    if loops and name == "while":
        parts = while_loop(eqn)
        tests = live(parts.cond, loops=True).inputs
        asked = [use or test for use, test in zip(wanted, tests[parts.cond_consts :], strict=True)]
        return tests[: parts.cond_consts] + _reads_of_loop(parts.body, parts.body_consts, asked, [])
    if loops and name == "cond":
        reads = [live(branch, wanted, loops=True).inputs for branch in branches(eqn)]
        return [True, *(any(reads_of_one) for reads_of_one in zip(*reads, strict=True))]
    return [True] * len(eqn.invars)


def _reads_of_loop(step: Body, num_consts: int, carry: list[bool], stacked: list[bool]) -> list[bool]:
    """Which inputs a loop reads: constants, the carry at the start, scanned arrays.

    An entry of the carry is read if its end is wanted, or if a step computes from it what another step or an output
    needs.
    """
    while True:
        reads = live(step, carry + stacked, loops=True).inputs
        rest = num_consts + len(carry)
        following = [use or read for use, read in zip(carry, reads[num_consts:rest], strict=True)]
        if following == carry:
            return reads[:num_consts] + carry + reads[rest:]
        carry = following


def _is_variable(atom: Any) -> bool:
    return not isinstance(atom, Literal)


def scan(eqn: Any) -> Scan:
    """The parts of a scan equation."""
    params = eqn.params
    if "num_consts" in params:
        consts, carry = params["num_consts"], params["num_carry"]
    else:
        consts, carry = (len(part) for part in params["ft_in"].unpack()[:2])
    return Scan(body(params["jaxpr"]), consts, carry, params["length"], params["reverse"])


def while_loop(eqn: Any) -> While:
    """The parts of a while equation."""
    params = eqn.params
    return While(
        body(params["cond_jaxpr"]), body(params["body_jaxpr"]), params["cond_nconsts"], params["body_nconsts"]
    )


def branches(eqn: Any) -> list[Body]:
    """The branches of a cond equation, whose first input is the index."""
    return [body(branch) for branch in eqn.params["branches"]]


def linear_solve(eqn: Any) -> LinearSolve:
    """The parts of a custom_linear_solve equation."""
    lengths, bodies = eqn.params["const_lengths"], eqn.params["jaxprs"]
    inside = primitives(body(bodies.solve))
    direct = "triangular_solve" in inside and not inside & {"while", "scan", "custom_linear_solve"}
    start = 0 if direct else lengths.matvec + lengths.vecmat
    consts = range(start, start + (lengths.matvec if direct else lengths.solve))
    sides = range(sum(lengths), len(eqn.invars))
    reads = [place in consts or place in sides for place in range(len(eqn.invars))]
    return LinearSolve(direct, body(bodies.matvec if direct else bodies.solve), consts, sides, reads)


def primitives(program: Body) -> set[str]:
    """The names of all primitives in a program and the programs inside it."""
    names: set[str] = set()
    for eqn in program.jaxpr.eqns:
        names.add(eqn.primitive.name)
        for value in eqn.params.values():
            inner = value if isinstance(value, tuple | list) else (value,)
            for one in inner:
                if hasattr(one, "eqns") or hasattr(one, "jaxpr"):
                    names |= primitives(body(one))
    return names


def shard_map(eqn: Any) -> ShardMap:
    """The parts of a shard_map equation."""
    params = eqn.params
    sizes = dict(zip(params["mesh"].axis_names, params["mesh"].axis_sizes, strict=True))

    def shards(spec: Any) -> dict[int, int]:
        named = ((axis, (names,) if isinstance(names, str) else names) for axis, names in enumerate(spec))
        return {
            axis: int(np.prod([sizes[name] for name in names])) for axis, names in named if names is not None
        }

    return ShardMap(
        body(params["jaxpr"]),
        tuple(shards(spec) for spec in params["in_specs"]),
        tuple(shards(spec) for spec in params["out_specs"]),
    )


def shape(var: Any) -> tuple[int, ...]:
    """Shape of a variable or literal; empty for values that are not arrays (tokens)."""
    return tuple(getattr(var.aval, "shape", ()))


def number(literal: Any) -> Any:
    """The number that a literal stands for, in its own dtype."""
    dtype = getattr(literal.aval, "dtype", None)
    return literal.val if dtype is None or hasattr(literal.val, "dtype") else np.asarray(literal.val, dtype)


def is_float(var: Any) -> bool:
    """Whether a variable holds floating-point or complex numbers."""
    dtype = getattr(var.aval, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, np.inexact)


def evaluate(eqn: Any, values: Sequence[Any], params: dict[str, Any] | None = None) -> list[Any]:
    """Runs one equation that `call` and `scan` do not take apart, on concrete or traced values.

    ``params`` take the place of the equation's own parameters.
    """
    arrays = [value for value in values if hasattr(value, "dtype")]
    values = [vary_with(value, arrays) if hasattr(value, "dtype") else value for value in values]
    own = eqn.params if params is None else params
    bound = eqn.primitive.get_bind_params(own)
    result = eqn.primitive.bind(*values, **(bound if isinstance(bound, dict) else own))
    return list(result) if eqn.primitive.multiple_results else [result]


def evaluate_on_shards(eqn: Any, function: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
    """Runs a shard_map equation with another function on the shards in the place of its own."""
    params = eqn.params
    mapped = jax.shard_map(
        lambda *shards: tuple(function(*shards)),
        mesh=params["mesh"],
        in_specs=tuple(params["in_specs"]),
        out_specs=tuple(params["out_specs"]),
        axis_names=set(params["manual_axes"]),
        check_vma=params["check_vma"],
    )
    return list(mapped(*values))


def rounding_units(program: Body) -> set[float]:
    """The rounding units of the floating-point types that a program computes in."""
    units: set[float] = set()
    for eqn in program.jaxpr.eqns:
        dtypes = (getattr(var.aval, "dtype", None) for var in eqn.outvars)
        floats = (dtype for dtype in dtypes if dtype is not None and jax.dtypes.issubdtype(dtype, np.inexact))
        units |= {float(jax.numpy.finfo(dtype).eps) for dtype in floats}
        for inner in inside(eqn):
            units |= rounding_units(inner)
    return units


def inside(eqn: Any) -> Iterator[Body]:
    """The programs among the parameters of an equation: of calls, loops and branches."""
    for value in eqn.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if hasattr(one, "eqns") or hasattr(one, "jaxpr"):
                yield body(one)
