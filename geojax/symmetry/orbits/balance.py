"""The balanced gauge: scalings and linear maps of least norm, so that only compact groups are left.

The orbit of a network under scalings and general linear groups holds one point of least norm, up to rotations
[KempfNess1979]. Two networks of one orbit therefore differ, once both are there, by an element of a compact group,
and distances between them mean something: a scaling alone could make an inner product as large as one likes.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.loops import iterate
from geojax._core.matrices.linalg import inv_sqrtm, sqrtm
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import GENERAL_LINEAR, SCALING
from geojax.symmetry.action.layout import blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.canonical import min_norm_rescaling

Leaves = dict[str, Array]

MAX_SWEEPS = 200
"""Most rounds over scalings and linear groups that share leaves."""


def is_compact(spec: SymmetrySpec) -> bool:
    """Whether the spec has neither scalings nor general linear groups."""
    return not any(group.kind in (SCALING, GENERAL_LINEAR) for _, group in spec.members)


@functools.partial(jax.jit, static_argnames=("spec", "dtype"))
def balancing_element(spec: SymmetrySpec, params: Leaves, dtype) -> Element:
    """The scalings and linear maps that bring parameters to the balanced gauge.

    Minimises  sum over leaves |act(g, params)|^2: scalings by `min_norm_rescaling`, a general linear group by the
    geometric mean of the Gram matrices of what it multiplies and what its inverse multiplies. Where only one of the
    two is there the least norm is 0: then every unit gets norm one, and a linear group's Gram matrix the identity.

    Args:
        spec: The symmetry.
        params: {path: array}, the array leaves.
        dtype: Of the element.

    Complexity: a few dozen sweeps, each an action on the parameters for each group, and an eigendecomposition of
    size n for each general linear group.
    """
    lone = [name for name, group in spec.members if group.kind == SCALING and _is_lone(spec, name)]
    linear = [name for name, group in spec.members if group.kind == GENERAL_LINEAR]
    tol = float(jnp.finfo(dtype).eps) ** 0.75
    scales = lambda params: min_norm_rescaling(spec, params, tol=tol).element  # noqa: E731
    start = {name: array.astype(dtype) for name, array in identity(spec).items() if name in _noncompact(spec)}
    if not lone and not linear:
        return {**start, **_cast(scales(params), dtype)}

    def sweep(element: Element):
        before = element
        for name in (*linear, *lone):
            moved = act(spec, element, params)
            step = _linear_step(spec, name, moved) if name in linear else _unit_norm(spec, name, moved)
            element = _after(spec, {name: step.astype(dtype)}, element)
        if len(start) > len(lone) + len(linear):
            element = _after(spec, _cast(scales(act(spec, element, params)), dtype), element)
        change = [jnp.max(jnp.abs(element[name] - before[name]) / _size(element[name])) for name in element]
        return element, jnp.max(jnp.stack(change))

    return iterate(sweep, start, tol=tol, max_steps=MAX_SWEEPS).state


def _noncompact(spec: SymmetrySpec) -> set[str]:
    return {name for name, group in spec.members if group.kind in (SCALING, GENERAL_LINEAR)}


def _cast(element: Element, dtype) -> Element:
    return {name: array.astype(dtype) for name, array in element.items()}


def _after(spec: SymmetrySpec, step: Element, element: Element) -> Element:
    """``element``, then ``step``; only of their own groups."""
    product = compose(spec, step, element)
    return {name: product[name].astype(array.dtype) for name, array in element.items()}


def _size(x: Array) -> Array:
    return jnp.maximum(jnp.max(jnp.abs(x)), jnp.finfo(x.dtype).tiny)


def _exponents(spec: SymmetrySpec, name: str) -> tuple[set[int], bool]:
    """The exponents with which a group occurs, and whether it moves a block as a whole."""
    parts = {dict(part.moves)[name] for _, _, part in spec.occurrences(name)}
    whole = {
        dict(block.moves)[name]
        for leaf in spec.leaves
        for block in blocks(leaf.layout)
        if name in dict(block.moves)
    }
    return parts | whole, bool(whole)


def _is_lone(spec: SymmetrySpec, name: str) -> bool:
    """Whether a scaling has no least norm of its own, or moves blocks as a whole."""
    exponents, whole = _exponents(spec, name)
    return whole or min(exponents) > 0 or max(exponents) < 0


def _unit_norm(spec: SymmetrySpec, name: str, params: Leaves) -> Array:
    """The scaling that gives every unit norm one, or the norm that balances it; 1 where it is not determined."""
    group = spec.groups[name]
    squares: dict[int, Array] = {}
    for exponent, array in _slices(spec, name, params):
        squares[exponent] = squares.get(exponent, 0) + jnp.sum(jnp.square(array), axis=-1)
    if not squares:
        return jnp.ones(group.shape)
    # A power that is further from 0 than another of its sign is left out: any rule will do that moves with the units.
    low = max((e for e in squares if e < 0), default=0)
    high = min((e for e in squares if e > 0), default=0)
    if low and high:
        fine = (squares[high] > 0) & (squares[low] > 0)
        ratio = -low * squares[low] / jnp.where(fine, high * squares[high], 1)
        power = 1 / (2 * (high - low))
    else:
        fine = squares[low + high] > 0
        ratio, power = 1 / jnp.where(fine, squares[low + high], 1), 1 / (2 * (low + high))
    return jnp.reshape(jnp.where(fine, jnp.where(fine, ratio, 1) ** power, 1), group.shape)


def _linear_step(spec: SymmetrySpec, name: str, params: Leaves) -> Array:
    """The positive matrix A that minimises tr(A X A^T) + tr(A^-T Y A^-1), X and Y the Gram matrices of either side.

    A^T A is the geometric mean of X^-1 and Y. A side that lacks a direction is given a little of all (eps^0.4 of its
    mean), which leaves that direction out of balance.
    """
    grams: dict[int, Array] = {}
    for exponent, array in _slices(spec, name, params):
        grams[exponent] = grams.get(exponent, 0) + jnp.einsum(
            "...ir,...jr->...ij", array, array, precision="highest"
        )
    filled = {e: _filled(gram) for e, gram in grams.items()}
    shape = spec.groups[name].shape
    copies = {e: jnp.reshape(gram, (-1, *shape[-2:])) for e, gram in filled.items()}
    if set(copies) == {1, -1}:
        step = jax.vmap(_geometric_mean_root)(copies[1], copies[-1])
    elif 1 in copies:
        step = jax.vmap(inv_sqrtm)(copies[1])
    else:
        step = jax.vmap(sqrtm)(copies[-1])
    return jnp.reshape(step, shape)


def _geometric_mean_root(x: Array, y: Array) -> Array:
    root, back = sqrtm(x), inv_sqrtm(x)
    return sqrtm(_symmetric(back @ sqrtm(_symmetric(root @ y @ root)) @ back))


def _filled(gram: Array) -> Array:
    eps, n = float(jnp.finfo(gram.dtype).eps), gram.shape[-1]
    values = jnp.linalg.eigvalsh(gram)
    lacking = values[..., :1] <= 10 * n * eps * jnp.abs(values[..., -1:])
    mean = jnp.mean(values, axis=-1, keepdims=True)
    little = jnp.where(lacking, eps**0.4 * jnp.where(mean > 0, mean, 1), 0)
    return gram + little[..., None] * jnp.eye(n, dtype=gram.dtype)


def _symmetric(x: Array) -> Array:
    return (x + jnp.matrix_transpose(x)) / 2


def _slices(spec: SymmetrySpec, name: str, params: Leaves):
    """For each block that a group moves: the exponent, and the array [parents..., n, rest], or [1, all] as a whole."""
    group = spec.groups[name]
    leaves = dict(array_leaves(params))
    for leaf in spec.leaves:
        value = leaves[leaf.path]
        if not jnp.issubdtype(value.dtype, jnp.floating):
            continue
        for block, array in zip(blocks(leaf.layout), split(leaf.layout, value), strict=True):
            for other, exponent in block.moves:
                if other == name:
                    yield exponent, jnp.reshape(array, (1, -1))
            present = [part.name for part in block.parts]
            for axis, part in enumerate(block.parts):
                exponent = dict(part.moves).get(name)
                if exponent is not None:
                    first = [*(present.index(parent) for parent in group.parents), axis]
                    rest = [k for k in range(len(present)) if k not in first]
                    moved = jnp.transpose(array, (*first, *rest))
                    yield exponent, jnp.reshape(moved, (*(moved.shape[: len(first)]), -1))
