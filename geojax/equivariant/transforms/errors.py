"""How far a function is from equivariant, over elements of a group."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe, tree
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.typing import PyTree

__all__ = ["ErrorResult", "equivariance_error"]

Action = Callable[[PyTree, PyTree], PyTree]


@struct
class ErrorResult:
    """How far a function is from equivariant.

    Attributes:
        mean: Mean over the elements of what `compare` returned.
        worst: The largest of these numbers.
        element: Index of the element that has it.
    """

    mean: Float[Array, ""]
    worst: Float[Array, ""]
    element: Int[Array, ""]


def relative(wanted: PyTree, got: PyTree) -> Float[Array, ""]:
    """Norm of the difference over the norm of the larger: between 0 and 2, and 0 for two zeros."""
    scale = jnp.maximum(_norm(wanted), _norm(got))
    zero = scale == 0
    apart = _norm(jax.tree.map(jnp.subtract, wanted, got))
    return jnp.where(zero, 0, apart / jnp.where(zero, 1, scale))


@rounded_once
def equivariance_error(
    f: Callable[[PyTree], PyTree],
    act_in: Action,
    act_out: Action,
    elements: PyTree,
    x: PyTree,
    *,
    compare: Callable[[PyTree, PyTree], Array] = relative,
) -> ErrorResult:
    """How far a function is from equivariant at a point, over elements of a group.

    error_g = compare(g . f(x), f(g . x)), which is 0 for all g and x if f is equivariant.

    Args:
        f: f(x) -> y, of trees. Close over everything else that it needs.
        act_in: act_in(g, x) -> x, how an element moves inputs: `functools.partial(symmetry.act, spec)` is one.
        act_out: act_out(g, y) -> y, how it moves outputs; ``lambda g, y: y`` asks for invariance.
        elements: The elements, a tree whose leaves share a first axis: [k, n, n] for k matrices.
        x: The point, a tree.
        compare: compare(wanted, got) -> a number, larger where they are further apart. By default the norm of the
            difference over that of the larger, all leaves together: without units, between 0 and 2.

    Returns:
        ErrorResult: the mean, the worst, and the index of the worst element. NaN is worse than any number.

    Raises:
        ValueError: If the leaves of ``elements`` share no first axis, if the two outputs have other shapes or
            structures, or if ``compare`` returns no scalar.
        TypeError: If ``compare`` returns no real number, or a leaf of an output is none by default.

    Differentiation: exact; `worst` by its own element. An error of zero has the derivative 0.
    Complexity: k + 1 calls of f, k of them under vmap.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import equivariance_error
        >>> turns = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]]])
        >>> turn = lambda g, x: x @ g.T
        >>> x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
        >>> result = equivariance_error(lambda x: x.at[:, 0].set(0.0), turn, turn, turns, x)
        >>> int(result.element), round(float(result.worst), 4), round(float(result.mean), 4)
        (1, 1.25, 0.625)

    References: [Crabbe2023], whose scores are means of a similarity over a group.
    """
    for name, value in {"f": f, "act_in": act_in, "act_out": act_out, "compare": compare}.items():
        checks.function("equivariance_error", name, value, "Write a lambda.")
    stack_size("equivariance_error", elements)
    x = traceable(x)
    output = f(x)

    def error(element: PyTree) -> Array:
        wanted, got = act_out(element, output), f(act_in(element, x))
        checks.same_tree("equivariance_error", "f(act_in(g, x))", got, "act_out(g, f(x))", wanted)
        (number,) = checks.floats("equivariance_error", **{"what compare returned": compare(wanted, got)})
        checks.shapes("equivariance_error", **{"what compare returned": (number, "")})
        return number

    errors = jax.vmap(error)(elements)
    worst = jnp.argmax(errors)
    return ErrorResult(jnp.mean(errors), errors[worst], worst.astype(jnp.int32))


def stack_size(where: str, elements: PyTree, *, name: str = "elements") -> int:
    """The number of elements in a stack: the length of the first axis of every leaf."""
    checks.arrays_only(where, name, elements)
    sizes = {path: jnp.shape(leaf)[:1] for path, leaf in tree.leaf_pairs(elements)}
    if len(set(sizes.values())) != 1 or () in sizes.values() or (0,) in sizes.values():
        got = (
            ", ".join(f"{path or 'the array'!s}: {list(size)}" for path, size in sizes.items()) or "no leaves"
        )
        raise ValueError(
            f"{where}: the first axes of {name} are {got}; expected one size, above 0, in every leaf. "
            "Stack the elements along a first axis, one element as x[None]."
        )
    return next(iter(sizes.values()))[0]


def traceable(x: PyTree) -> PyTree:
    """The tree with numpy arrays as arrays of JAX, which traced permutations may index."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, x)


def _norm(value: PyTree) -> Array:
    """Norm of all leaves together, with derivative 0 at 0."""
    norms = [safe.norm(part) for leaf in jax.tree.leaves(value) for part in _real_parts(leaf)]
    return safe.norm(jnp.stack(norms)) if norms else jnp.zeros(())


def _real_parts(leaf: Array) -> tuple[Array, ...]:
    if jnp.iscomplexobj(leaf):
        return jnp.real(leaf), jnp.imag(leaf)
    return checks.floats("equivariance_error", **{"a leaf of the output": leaf})
