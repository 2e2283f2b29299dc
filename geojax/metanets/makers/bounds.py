"""interval: what a function may return while its parameters move in a box, read off its program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.precision import is_floating, is_half, wide, widened
from geojax._core.tree import is_key, is_numeric, leaf_pairs
from geojax._program import jaxprs
from geojax._program.definitions import definition
from geojax._program.sources import source_of
from geojax._program.walk import Cursor, walk
from geojax.metanets.makers import box_control, box_elementwise, box_products
from geojax.metanets.makers.boxes import EXACT, RULES, Box, ends, known, plain
from geojax.typing import PyTree

_ = box_control, box_elementwise, box_products  # they fill the tables of rules


def interval(f: Callable[..., PyTree]) -> Callable[..., tuple[PyTree, PyTree]]:
    """Bounds of a function over a box: interval arithmetic as a transform.

    lower <= x <= upper entry by entry  implies  g(lower, upper, *inputs)[0] <= f(x, *inputs) <= g(lower, upper,
    *inputs)[1]

    The first argument of f moves in the box and everything else is exact. To bound several arguments, take them as one:
    ``interval(lambda moved: f(*moved))((w0, x0), (w1, x1))``. The bounds hold for exact arithmetic and for the
    program's own, whatever the order of its sums: each operation moves them outwards by what it may round. Nothing is
    evaluated at random. Sharpness is that of the operations: a linear map of the box is bounded sharply, a product of
    two boxes within the tighter of two rules, and a number that occurs twice counts as two.

    Args:
        f: Any traceable JAX function. Its program may use products, convolutions, sums, elementwise functions,
            comparisons and selections, exact indices, scans, and loops and branches whose course depends on no
            interval.

    Returns:
        g(lower, upper, *inputs) -> (lower, upper): two trees like the result of f. Both arguments are trees of
        floating arrays like the first argument of f. Bounds are infinite where a quotient or a power is unbounded, and
        NaN where lower exceeds upper, a root or a logarithm leaves its domain, or infinite bounds cancel. A boolean
        is False in the first and True in the second tree where both may happen. What depends on no interval is in both.

    Raises:
        TypeError: If f is no function, or a leaf of lower or upper is no floating array.
        ValueError: If lower and upper differ in their leaves; or, with the source line, if the program uses a primitive
            that has no rule (fft, decompositions), or an index, a loop or a branch that depends on the interval.

    Differentiation: exact in lower, upper and inputs, but for the roundings, which count as constants. Loops that are
        no scans have forward mode only.
    Complexity: two to three times the products of f, and about eleven times where both factors have bounds.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> lower, upper = gj.metanets.interval(lambda w, x: jax.nn.relu(w @ x))(
        ...     jnp.array([-1.0, 2.0]), jnp.array([1.0, 3.0]), jnp.array([1.0, -1.0]))
        >>> [round(float(end), 3) for end in (lower, upper)]
        [0.0, 0.0]
        >>> lower, upper = gj.metanets.interval(jnp.sin)(jnp.array(1.0), jnp.array(2.0))
        >>> [round(float(end), 3) for end in (lower, upper)]
        [0.841, 1.0]

    References: [Krukowski2024]
    """
    checks.function("interval(f)", "f", f, "Pass the function whose values are to be bounded.")

    def bounded(lower: PyTree, upper: PyTree, *inputs: Any) -> tuple[PyTree, PyTree]:
        where = "interval(f)(lower, upper, *inputs)"
        for name, tree in (("lower", lower), ("upper", upper)):
            _floating(where, name, tree)
        checks.same_tree(where, "upper", upper, "lower", lower)
        floating = [leaf for leaf in jax.tree.leaves((lower, upper, inputs)) if is_floating(leaf)]
        half = jnp.result_type(*floating) if floating and all(map(is_half, floating)) else None
        lower, upper, inputs = widened((lower, upper, inputs))
        program, given, tree = _program(f, lower, inputs)
        boxes = [_box(a, b) for a, b in zip(jax.tree.leaves(lower), jax.tree.leaves(upper), strict=True)]
        outs = Runner()(program, [*boxes, *given])
        pairs = [
            _rounded(*_result(out, var), half) for out, var in zip(outs, program.jaxpr.outvars, strict=True)
        ]
        first, second = ([pair[side] for pair in pairs] for side in (0, 1))
        return jax.tree.unflatten(tree, first), jax.tree.unflatten(tree, second)

    return bounded


class Runner:
    """Runs programs on boxes and exact arrays.

    A value that depends on no interval is computed by the program's own equation. Its bounds are carried along for the
    sake of rounding; indices, tests and primitives without a rule take it as it is.
    """

    def __init__(self) -> None:
        self.cursor = Cursor()

    def __call__(self, program: jaxprs.Body, values: list[Any]) -> list[Any]:
        """The values of a program's outputs."""
        return walk(
            program, values, self._step, constant=lambda number: number, unused=None, cursor=self.cursor
        )

    def _step(self, eqn: Any, values: list[Any]) -> list[Any]:
        name = eqn.primitive.name
        if name == "pvary":  # the types of devices follow the arrays by themselves
            return values
        if name in ("scan", "while", "cond"):
            return RULES[name](self, eqn, values)
        if not all(map(known, values)):
            return self._bounds(eqn, values)
        results = jaxprs.evaluate(eqn, [plain(value) for value in values])
        rounds = name in RULES and is_floating(results[0])
        if not (rounds or (name in EXACT and any(isinstance(value, Box) for value in values))):
            return results
        found = self._bounds(eqn, values)
        return [Box(*ends(box), result) for box, result in zip(found, results, strict=True)]

    def _bounds(self, eqn: Any, values: list[Any]) -> list[Any]:
        rule = RULES.get(eqn.primitive.name) or EXACT.get(eqn.primitive.name)
        if rule is not None:
            return rule(self, eqn, values)
        body = definition(eqn)
        return self.refuse(eqn, "has no rule") if body is None else self(body, values)

    def refuse(self, eqn: Any, why: str) -> Any:
        """Raises the error that names a primitive and its source line."""
        line = source_of(eqn, self.cursor.callers)
        raise ValueError(
            f"interval: the primitive {eqn.primitive.name!r}{f' at {line}' if line else ''} {why}; expected products, "
            "convolutions, sums, elementwise functions, and indices, loops and branches that depend on no interval. "
            "Write the step with these, or pass what it depends on as an exact argument."
        )


def _floating(where: str, name: str, tree: PyTree) -> None:
    for path, leaf in leaf_pairs(tree):
        if not is_floating(leaf):
            raise TypeError(
                f"{where}: {checks.leaf_of(name, path)} is {checks.described(leaf)}; expected floating arrays. "
                "Pass what has no bounds as one of the inputs, which are exact."
            )


def _box(lower: Array, upper: Array) -> Box:
    dtype = jnp.result_type(lower, upper)
    lower, upper = jnp.asarray(lower, dtype), jnp.asarray(upper, dtype)
    fits = lower <= upper
    return Box(jnp.where(fits, lower, jnp.nan), jnp.where(fits, upper, jnp.nan))


def _program(
    f: Callable[..., Any], moved: PyTree, inputs: tuple[Any, ...]
) -> tuple[jaxprs.Body, list[Any], Any]:
    """The program of f, its exact arrays, and the tree of its result."""
    leaves, tree = jax.tree.flatten(moved)
    others, rest = jax.tree.flatten(inputs)
    places = [k for k, leaf in enumerate(others) if is_numeric(leaf) or is_key(leaf)]
    kept: list[Any] = []

    def flat(first: list[Any], arrays: list[Any]) -> list[Any]:
        everything = list(others)
        for place, array in zip(places, arrays, strict=True):
            everything[place] = array
        out, structure = jax.tree.flatten(
            f(jax.tree.unflatten(tree, first), *jax.tree.unflatten(rest, everything))
        )
        kept.append(structure)
        return [jnp.asarray(leaf) if not is_key(leaf) else leaf for leaf in out]

    given = [others[place] for place in places]
    return jaxprs.trace(flat, [jnp.asarray(leaf) for leaf in leaves], given), given, kept[-1]


def _result(value: Any, var: Any) -> tuple[Any, Any]:
    """The bounds of an output in the type of its variable."""
    if not isinstance(value, Box):
        return value, value
    return _rounded(value.lower, value.upper, var.aval.dtype if is_half(var.aval) else None)


def _rounded(lower: Any, upper: Any, dtype: Any) -> tuple[Any, Any]:
    """Bounds in half precision, rounded outwards; other bounds as they are."""
    if dtype is None or not is_floating(lower) or lower is upper:
        return lower, upper
    kind, full = jnp.finfo(dtype), wide(dtype)
    below, above = (
        (jnp.abs(end) * float(kind.eps) + float(kind.tiny)).astype(full) for end in (lower, upper)
    )
    return (lower - below).astype(dtype), (upper + above).astype(dtype)
