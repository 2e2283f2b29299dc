"""Functions made equivariant by averaging over the elements that a frame picks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, tree
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once
from geojax.equivariant.transforms.errors import Action, stack_size, traceable
from geojax.typing import PyTree

__all__ = ["symmetrize"]


def inverse_element(element: PyTree) -> PyTree:
    """Leaf by leaf: the inverse of matrices [..., n, n], of permutations [n] of integers the permutation back."""
    return tree.map_named(_inverse, element)


def _inverse(path: str, leaf: Array) -> Array:
    shape = jnp.shape(leaf)
    if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) and shape[-1:] == shape[-2:-1]:
        return linalg.inverses(jnp.asarray(leaf))
    if jnp.issubdtype(jnp.result_type(leaf), jnp.integer) and len(shape) == 1:
        return jnp.argsort(leaf).astype(jnp.result_type(leaf))
    raise ValueError(
        f"symmetrize: {checks.leaf_of('an element', path)} is {checks.described(jnp.asarray(leaf))}; expected a square "
        "matrix of floating numbers or a permutation of integers, whose inverses are known. Pass inverse=, a function "
        "of an element: functools.partial(geojax.symmetry.inverse, spec) for elements of a spec."
    )


def symmetrize(
    f: Callable[[PyTree], PyTree],
    frame: Callable[[PyTree], Any],
    act_in: Action,
    act_out: Action,
    *,
    inverse: Callable[[PyTree], PyTree] = inverse_element,
) -> Callable[[PyTree], PyTree]:
    """Makes any function equivariant by averaging it over a frame.

    F(x) = sum_i w_i g_i . f(g_i^-1 . x) with (g, w) = frame(x). F is equivariant if the frame is: if frame(h . x) has
    the elements h g_i with the same weights, in any order. If f is equivariant already and the weights add up to 1,
    then F = f.

    Args:
        f: f(x) -> y, of trees. Close over parameters: F may be differentiated by them.
        frame: frame(x) -> (elements, weights): a tree whose leaves share a first axis k, and weights [k]. The frames
            of this package are such functions, and so is any other.
        act_in: act_in(g, x) -> x, how an element moves inputs: `functools.partial(symmetry.act, spec)` is one.
        act_out: act_out(g, y) -> y, how it moves outputs; ``lambda g, y: y`` makes F invariant.
        inverse: inverse(g) -> g^-1 of one element. By default leaf by leaf: square matrices are inverted, which serves
            rotations, motions as matrices [n + 1, n + 1], Lorentz and other matrix groups, and permutations of integers
            [n] are undone. For elements of a spec it is `functools.partial(symmetry.inverse, spec)`.

    Returns:
        F(x) -> y, with the trees, shapes and dtypes of f. Integers that f returns are averaged as floating numbers.

    Raises:
        TypeError: If an argument is no function.
        ValueError: When F is called: if elements and weights have different numbers, or the default inverse does not
            know the elements.

    Differentiation: exact, through f, the actions, the elements and the weights.
    Complexity: k calls of f under vmap; of a frame that is `sampled`, as many as are drawn.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import symmetrize, whole_group
        >>> flips = jnp.array([[[1.0]], [[-1.0]]])
        >>> times = lambda g, x: g[0] * x
        >>> odd = symmetrize(lambda x: x**3 + x**2, whole_group(flips), times, times)
        >>> odd(jnp.array([2.0])).tolist()
        [8.0]

    References: [Puny2022].
    """
    functions = {"f": f, "frame": frame, "act_in": act_in, "act_out": act_out, "inverse": inverse}
    for name, value in functions.items():
        checks.function("symmetrize", name, value, "Write a lambda.")

    @rounded_once
    def averaged(x: PyTree) -> PyTree:
        x = traceable(x)
        elements, weights = frame(x)
        size = stack_size("symmetrize", elements, name="the frame's elements")
        (weights,) = checks.floats("symmetrize", **{"the frame's weights": weights})
        checks.shapes("symmetrize", **{"the frame's weights": (weights, str(size))})
        values = jax.vmap(lambda g: act_out(g, f(act_in(inverse(g), x))))(elements)
        return jax.tree.map(lambda leaf: _mean(weights, leaf), values)

    return averaged


def _mean(weights: Array, leaf: Array) -> Array:
    if jnp.issubdtype(leaf.dtype, jnp.inexact):
        weights = weights.astype(leaf.dtype)
    return jnp.tensordot(weights, leaf.astype(weights.dtype), axes=1)
