"""Measures and costs as arguments: what a solver asks of its points, weights and numbers, checked at the door."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from geojax._core import checks
from geojax._core.precision import widened
from geojax.typing import PyTree, Scalar

USUAL_FIELD = {"x": "points", "y": "points", "projections": "direction", "weights": "weights", "b": "a"}


def arrays(where: str, **values: Any) -> tuple[Array, ...]:
    """Arguments as arrays of one floating dtype, at least float32.

    A solver's result in place of an array is answered with the field to write.
    """
    for name, value in values.items():
        if dataclasses.is_dataclass(value):
            fields = [field.name for field in dataclasses.fields(value)]
            likely = next((f for f in (name, USUAL_FIELD.get(name, "")) if hasattr(value, f)), None)
            one = (
                f"write {name}=result.{likely}" if likely else f"its fields are {', '.join(fields) or 'none'}"
            )
            raise TypeError(
                f"{where}: {name} is {checks.described(value)}; expected an array. Pass one of its arrays: {one}."
            )
    return widened(checks.floats(where, **values))


def number(where: str, name: str, value: Any, dtype: Any) -> Float[Array, ""]:
    """A real number of the given dtype; raises for a string, None or an array of several."""
    is_number = isinstance(value, bool | int | float | np.ndarray | np.generic | jax.Array | Tracer)
    is_number = is_number or hasattr(value, "__jax_array__")
    if not is_number or not jnp.isrealobj(value):
        got = f"the string {value!r}" if isinstance(value, str) else f"{value!r}"
        raise TypeError(
            f"{where}: {name} is {got}; expected a real number. Write it without quotes, such as 0.1."
        )
    if jnp.shape(value) != ():
        raise ValueError(
            f"{where}: {name} has shape {list(jnp.shape(value))}; expected one number. Use jax.vmap over several."
        )
    return jnp.asarray(value, dtype)


def exponent(where: str, p: Any) -> Scalar:
    """The exponent of a distance; a Python integer stays one, since its powers are cheaper."""
    return p if isinstance(p, int) else number(where, "p", p, jnp.result_type(float))


def num_points(where: str, **sets: PyTree) -> tuple[int, ...]:
    """The number of points of each set, the leading size that all its leaves share."""
    sizes = []
    for name, points in sets.items():
        leaves = jax.tree.leaves(points)
        if dataclasses.is_dataclass(points) and hasattr(points, "status"):
            arrays(where, **{name: points})
        wrong = [leaf for leaf in leaves if not hasattr(leaf, "shape")]
        if wrong or not leaves:
            got = f"{wrong[0]!r}" if wrong else f"{points!r}, which holds no arrays"
            raise TypeError(
                f"{where}: {name} is {got}; expected points [n, ...]: an array, or a tree of arrays that share the "
                "first axis. Convert it with jax.numpy.asarray."
            )
        leading = {jnp.shape(leaf)[:1] for leaf in leaves}
        if len(leading) != 1 or () in leading or (0,) in leading:
            raise ValueError(
                f"{where}: the leaves of {name} have leading axes {sorted(leading)}; expected one size, at least 1, "
                "since a measure has at least one point. Stack the points along the first axis of every leaf."
            )
        sizes.append(leading.pop()[0])
    return tuple(sizes)


def check_same_space(where: str, **sets: PyTree) -> None:
    """Check that the points of two sets have the same structure and shape."""
    (name_x, x), (name_y, y) = sets.items()
    shape_x, shape_y = (jax.tree.map(lambda leaf: jnp.shape(leaf)[1:], points) for points in (x, y))
    if jax.tree.structure(x) != jax.tree.structure(y) or shape_x != shape_y:
        raise ValueError(
            f"{where}: the points of {name_x} have shape {_shown(shape_x)} and those of {name_y} {_shown(shape_y)}; "
            "expected points of one space. If the first argument is a matrix of costs, use a function that takes one, "
            "such as sinkhorn(cost_matrix, a, b, ...)."
        )


def check_cost(where: str, name: str, cost: Any) -> None:
    """Check that a cost is a function of two points, and say what to write if it is something near it."""
    if isinstance(cost, str):
        got, mend = f"the string {cost!r}", "Write SquaredEuclidean() or Distance(), or pass a function"
    elif isinstance(cost, type):
        got, mend = f"the class {cost.__name__}", f"Write {cost.__name__}()"
        if hasattr(cost, "dist"):
            mend = f"Write Distance({cost.__name__}()) or {cost.__name__}().squared_dist"
    elif hasattr(cost, "dist") and hasattr(cost, "squared_dist"):
        kind = type(cost).__name__
        got, mend = f"the space {kind}", f"Write Distance({kind}(...)) or {kind}(...).squared_dist"
    elif hasattr(cost, "shape"):
        got = f"an array of shape {list(jnp.shape(cost))}"
        mend = "Pass a matrix of costs to sinkhorn; from points, leave the cost out or pass a function"
    elif not callable(cost):
        got, mend = f"{cost!r}", "Write SquaredEuclidean() or Distance(), or pass a function"
    else:
        return
    raise TypeError(f"{where}: {name} is {got}; expected a function {name}(x_i, y_j) -> scalar. {mend}.")


def check_weights(where: str, x: PyTree, y: PyTree, a: Any, b: Any) -> tuple[int, int]:
    """Check that weights, unless they are None, are one number for each point; returns the numbers of points."""
    checks.no_explicit_axes(where, x, y, a, b)
    n, m = num_points(where, x=x, y=y)
    for name, weights, points, size in (("a", a, "x", n), ("b", b, "y", m)):
        if weights is not None:
            (array,) = arrays(where, **{name: weights})
            if array.shape != (size,):
                shapes = [list(jnp.shape(leaf)) for leaf in jax.tree.leaves({"x": x, "y": y}[points])]
                raise ValueError(
                    f"{where}: {points} has shapes {shapes} and its weights {name} have shape {list(array.shape)}; "
                    f"expected {name} of shape [{size}]. Give each point one weight."
                )
    return n, m


def uniform(size: int, dtype: Any) -> Float[Array, " n"]:
    """Equal weights of sum 1."""
    return jnp.full((size,), 1 / max(size, 1), dtype)


def coarsest_ulp(dtype: Any, *weights: Any) -> float:
    """The ulp of the least precise of some weights as they were given, at least that of dtype."""
    given = [jnp.result_type(weight) for weight in weights if weight is not None]
    return max(float(jnp.finfo(kind).eps) for kind in (dtype, *given) if jnp.issubdtype(kind, jnp.floating))


def same_mass(a: Array, b: Array, ulp: float, mass_a: Array | None = None) -> Float[Array, " m"]:
    """The weights b, scaled to the sum of a if the two sums differ by no more than rounding of this ulp.

    Weights that a caller computed in float32 are valid although they add up to 1 only to float32 rounding.
    """
    if ulp <= float(jnp.finfo(b.dtype).eps):
        return b
    mass_a, mass_b = jax.lax.stop_gradient((jnp.sum(a) if mass_a is None else mass_a, jnp.sum(b)))
    rounding = 4 * (a.size + b.size) * ulp * jnp.abs(mass_a)
    agree = (jnp.abs(mass_a - mass_b) <= rounding) & (mass_b > 0)
    return b * jnp.where(agree, mass_a / jnp.where(mass_b > 0, mass_b, 1), 1)


def sums_to_one(weights: Array, slack: float | Array) -> Bool[Array, ""]:
    """Whether weights are nonnegative and their sums along the last axis are 1 within some slack."""
    return jnp.all(weights >= 0) & jnp.all(jnp.abs(jnp.sum(weights, axis=-1) - 1) <= slack)


def with_weights(
    where: str, a: Any, b: Any, *, balanced: bool = True, **data: tuple[Any, str]
) -> tuple[Array, ...]:
    """The data of a transport problem, then the weights a [n] and b [m], all in one floating dtype.

    `data` are arrays with their shapes in words, as in `checks.shapes`, among which n and m occur. A weight that is
    None is uniform. If `balanced`, weights whose sums differ by the rounding of their own precision are given one
    sum.
    """
    weights = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
    values = {name: value for name, (value, _) in data.items()}
    checks.no_explicit_axes(where, values, weights)
    converted = dict(zip((*values, *weights), arrays(where, **values, **weights)))
    words = {name: text for name, (_, text) in data.items()}
    if any(jnp.ndim(converted[name]) > 1 for name in weights):
        got = _shapes_of(converted)
        raise ValueError(
            f"{where}: {got}; expected weights a [n] and b [m], one number for each point. "
            f"From points x and y write {where}(pairwise(SquaredEuclidean(), x, y), a, b, ...)."
        )
    size = checks.shapes(
        where, **{name: (converted[name], text) for name, text in {**words, **_axes(weights)}.items()}
    )
    if 0 in size.values():
        got = _shapes_of(converted)
        raise ValueError(
            f"{where}: {got}; expected at least one point in each measure. "
            "An empty measure has no coupling; leave the problem out."
        )
    dtype = converted[next(iter(words))].dtype
    first = converted["a"] if "a" in weights else uniform(size["n"], dtype)
    second = converted["b"] if "b" in weights else uniform(size["m"], dtype)
    if balanced:
        second = same_mass(first, second, coarsest_ulp(dtype, a, b))
    return *(converted[name] for name in words), first, second


def matrix_problem(
    where: str, cost_matrix: Any, a: Any, b: Any, *, balanced: bool = True
) -> tuple[Float[Array, "n m"], Float[Array, " n"], Float[Array, " m"]]:
    """Costs and weights of a transport problem in one floating dtype; a weight that is None is uniform."""
    if isinstance(cost_matrix, str) or callable(cost_matrix):
        got = f"the string {cost_matrix!r}" if isinstance(cost_matrix, str) else "a function"
        raise TypeError(
            f"{where}: cost_matrix is {got}; expected costs [n, m]. Write {where}(pairwise(cost, x, y), ...)."
        )
    cost_matrix, a, b = with_weights(where, a, b, balanced=balanced, cost_matrix=(cost_matrix, "n m"))
    return cost_matrix, a, b


def potential_of(where: str, init: Any, shape: tuple[int, ...], dtype: Any) -> Float[Array, " m"]:
    """Check potentials (f, g) to start from and return g; the first solver step computes f from it."""
    if not isinstance(init, tuple | list) or len(init) != 2:
        kind = f"a {type(init).__name__}"
        mend = "Write init=(result.f, result.g)" if hasattr(init, "f") else "Write init=(f, g)"
        raise TypeError(f"{where}: init is {kind}; expected a pair of potentials f [n] and g [m]. {mend}.")
    f, g = arrays(where, init_f=init[0], init_g=init[1])
    checks.shapes(where, init_f=(f, str(shape[0])), init_g=(g, str(shape[1])))
    return g.astype(dtype)


def _shapes_of(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} has shape {list(jnp.shape(value))}" for name, value in values.items())


def _axes(weights: dict[str, Any]) -> dict[str, str]:
    return {name: {"a": "n", "b": "m"}[name] for name in weights}


def _shown(shapes: Any) -> str:
    """The shape of one array, or those of a tree."""
    return (
        str(list(shapes))
        if isinstance(shapes, tuple) and all(isinstance(s, int) for s in shapes)
        else str(shapes)
    )
