"""The projection on what a finite group leaves alone: linear maps that commute with it, and fixed points."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once, widened
from geojax._core.tree import leaf_pairs
from geojax.typing import PyTree

Action = Callable[[Any, Any], Any]


@rounded_once
def reynolds(act_in: Action | None, act_out: Action | None, elements: PyTree) -> Callable[[PyTree], PyTree]:
    """The projector on linear maps that commute with a finite group, or on the points that the group fixes.

    P W = (1 / |G|) sum over g of rho_out(g) W rho_in(g)^-1  for a matrix W, where rho(g) x = act(g, x). Without
    `act_in` it is  P x = (1 / |G|) sum over g of act_out(g, x)  for any tree x. P is idempotent. It is self-adjoint if
    rho_in and rho_out are orthogonal; then |W - P W| is the distance of W from the equivariant maps.

    Args:
        act_in: act(g, x) -> x, linear in the vector x [n]. None for the fixed points of `act_out`.
        act_out: act(g, y) -> y, linear in the vector y [m]; None leaves the outputs alone. Without `act_in` it may
            act on any tree of arrays, and may be affine: the operations of a space group are.
        elements: All elements of the group, stacked along a first axis of every leaf, in any order. A set of elements
            that is no group gives the mean over the set, which is no projector.

    Returns:
        A function: a matrix W [m, n] -> P W [m, n], or without `act_in` a tree x -> P x. `jax.vmap` maps it over more
        of them.

    Raises:
        TypeError: If an action is no function, or both are None.
        ValueError: If the leaves of `elements` do not share a first axis, or W does not fit the actions.

    Differentiation: exact.
    Complexity: time and memory of acting on each column of W with every element, and O(|G| n^3) for the inverses.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import reynolds
        >>> shifts = (jnp.arange(3)[:, None] + jnp.arange(3)) % 3
        >>> project = reynolds(lambda g, x: x[g], lambda g, x: x[g], shifts)
        >>> project(jnp.diag(jnp.array([0.0, 3.0, 0.0]))).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

    References: [Kim2023]; [Dong2023].
    """
    for name, act in (("act_in", act_in), ("act_out", act_out)):
        if act is not None:
            checks.function("reynolds", name, act, "Write a function of an element and a vector.")
    _check_elements(elements)
    elements = widened(elements)
    if act_in is not None:
        return rounded_once(lambda w: _commuting(act_in, act_out, elements, w))
    if act_out is None:
        raise TypeError("reynolds: act_in and act_out are None; expected at least one action. Pass act_out.")
    return rounded_once(lambda x: _fixed(act_out, elements, x))


def _fixed(act: Action, elements: PyTree, x: PyTree) -> PyTree:
    moved = jax.vmap(act, (0, None))(elements, checks.float_leaves("reynolds", "x", x))
    return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), moved)


def _commuting(act_in: Action, act_out: Action | None, elements: PyTree, w: Any) -> Array:
    (w,) = checks.floats("reynolds", w=w)
    basis = jnp.eye(checks.shapes("reynolds", w=(w, "m n"))["n"], dtype=w.dtype)
    matrices = jax.vmap(lambda g: _on_rows("act_in", act_in, g, basis).T)(elements)
    moved = w @ linalg.inverses(matrices)
    if act_out is not None:
        moved = jax.vmap(lambda g, each: _on_rows("act_out", act_out, g, each.T).T)(elements, moved)
    return jnp.mean(moved, axis=0)


def _check_elements(elements: PyTree) -> None:
    pairs = leaf_pairs(elements)
    sizes = {path: jnp.shape(leaf)[:1] for path, leaf in pairs}
    if not pairs or len(set(sizes.values())) > 1 or not all(size and size[0] for size in sizes.values()):
        found = (
            ", ".join(f"{path or 'the leaf'} {list(jnp.shape(leaf))}" for path, leaf in pairs) or "no leaf"
        )
        raise ValueError(
            f"reynolds: elements has {found}; expected leaves with one common first axis, an entry for each element. "
            "Stack the elements, as jax.tree.map(lambda *g: jax.numpy.stack(g), *elements) does."
        )


def _on_rows(name: str, act: Action, g: PyTree, rows: Array) -> Array:
    moved = jax.vmap(lambda x: act(g, x))(rows)
    if getattr(moved, "shape", None) != rows.shape:
        raise ValueError(
            f"reynolds: {name} takes a vector of shape {list(rows.shape[1:])} to {checks.described(moved)[:60]}; "
            "expected the same shape. Pass a matrix [m, n] of the sizes on which the actions act."
        )
    return moved
