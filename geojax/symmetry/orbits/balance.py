"""Balancing a model: the scalings and linear maps of least norm, so that only compact groups are left to match.

The orbit of a network under scalings and general linear groups holds one point of least norm, up to rotations
[KempfNess1979]. Once two networks of one orbit are both balanced, they differ by an element of a compact group, and
inner products between them mean something. Unbalanced, a scaling alone could make an inner product arbitrarily large.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.loops import iterate
from geojax._core.matrices.linalg import inv_sqrtm, sqrtm
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import GENERAL_LINEAR, SCALING
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import move_leaves, unit_weights
from geojax.symmetry.orbits.reading import Leaves
from geojax.symmetry.orbits.rescaling import rescale_leaves

MAX_SWEEPS = 200
"""Most sweeps over scalings and linear groups that share leaves."""

MAX_RESCALING_SWEEPS = 500
"""Most sweeps over scalings alone."""


def is_compact(spec: SymmetrySpec) -> bool:
    """Whether the spec has neither scalings nor general linear groups."""
    return not _noncompact(spec)


@functools.partial(jax.jit, static_argnames=("spec", "dtype"))
def balancing_element(spec: SymmetrySpec, leaves: Leaves, dtype) -> Element:
    """The scalings and linear maps that balance parameters.

    Minimises  sum over leaves |act(g, params)|^2. Scalings are solved by `min_norm_rescaling`. A general linear group
    is solved by the geometric mean of two Gram matrices: of the weights that its matrix multiplies, and of those that
    the inverse multiplies. If a group occurs on one of the two sides only, the least norm would be 0; then each unit
    is scaled to norm one, and the Gram matrix of a linear group is made the identity.

    Args:
        spec: The symmetry.
        leaves: The array leaves by path, checked against the spec.
        dtype: Dtype of the element.

    Complexity: a few dozen sweeps, each an action on the parameters for each group, and an eigendecomposition of
    size n for each general linear group.
    """
    one_sided = [name for name, group in spec.members if group.kind == SCALING and _is_one_sided(spec, name)]
    linear = [name for name, group in spec.members if group.kind == GENERAL_LINEAR]
    tol = float(jnp.finfo(dtype).eps) ** 0.75

    def scalings(leaves: Leaves) -> Element:
        return _cast(rescale_leaves(spec, leaves, tol=tol, max_steps=MAX_RESCALING_SWEEPS).element, dtype)

    start = {name: array.astype(dtype) for name, array in identity(spec).items() if name in _noncompact(spec)}
    if not one_sided and not linear:
        return {**start, **scalings(leaves)}

    def sweep(element: Element):
        before = element
        for name in (*linear, *one_sided):
            moved = move_leaves(spec, element, leaves)
            factor = _linear_factor(spec, name, moved) if name in linear else _unit_norm(spec, name, moved)
            element = _followed_by(spec, element, {name: factor.astype(dtype)})
        if len(start) > len(one_sided) + len(linear):
            element = _followed_by(spec, element, scalings(move_leaves(spec, element, leaves)))
        change = [
            jnp.max(jnp.abs(element[name] - before[name])) / _largest(element[name]) for name in element
        ]
        return element, jnp.max(jnp.stack(change))

    return iterate(sweep, start, tol=tol, max_steps=MAX_SWEEPS).state


def _noncompact(spec: SymmetrySpec) -> set[str]:
    return {name for name, group in spec.members if group.kind in (SCALING, GENERAL_LINEAR)}


def _cast(element: Element, dtype) -> Element:
    return {name: array.astype(dtype) for name, array in element.items()}


def _followed_by(spec: SymmetrySpec, element: Element, factor: Element) -> Element:
    """The product of two elements of which ``element`` acts first, for the groups of ``element`` only."""
    product = compose(spec, factor, element)
    return {name: product[name].astype(array.dtype) for name, array in element.items()}


def _largest(x: Array) -> Array:
    """The largest absolute entry, at least the smallest positive number."""
    return jnp.maximum(jnp.max(jnp.abs(x)), jnp.finfo(x.dtype).tiny)


def _is_one_sided(spec: SymmetrySpec, name: str) -> bool:
    """Whether a scaling has exponents of one sign only."""
    exponents = {dict(part.moves)[name] for _, _, part in spec.occurrences(name)}
    for leaf in spec.leaves:
        for block in blocks(leaf.layout):
            exponents |= {exponent for other, exponent in block.moves if other == name}
    return min(exponents) > 0 or max(exponents) < 0


def _unit_norm(spec: SymmetrySpec, name: str, leaves: Leaves) -> Array:
    """The one-sided scaling that gives each unit norm one; 1 for units without weights."""
    squares: dict[int, Array] = {}
    for _, exponent, array in unit_weights(spec, name, leaves):
        squares[exponent] = squares.get(exponent, 0) + jnp.sum(jnp.square(array), axis=-1)
    if not squares:
        return jnp.ones(spec.groups[name].shape)
    # Of several exponents only the one nearest to 0 counts: any rule is valid that moves with the units.
    exponent = min(squares, key=abs)
    fine = squares[exponent] > 0
    return jnp.where(fine, jnp.where(fine, squares[exponent], 1) ** (-1 / (2 * exponent)), 1)


def _linear_factor(spec: SymmetrySpec, name: str, leaves: Leaves) -> Array:
    """The positive matrix A that minimises tr(A X A^T) + tr(A^-T Y A^-1), X and Y the Gram matrices of either side.

    A^T A is the geometric mean of X^-1 and Y. If a Gram matrix is singular, a small multiple of the identity is added
    (eps^0.4 of its mean eigenvalue); the missing directions are then not balanced.
    """
    grams: dict[int, Array] = {}
    for _, exponent, array in unit_weights(spec, name, leaves):
        gram = jnp.einsum("...ir,...jr->...ij", array, array, precision="highest")
        grams[exponent] = grams.get(exponent, 0) + gram
    shape = spec.groups[name].shape
    copies = {e: jnp.reshape(_regular(gram), (-1, *shape[-2:])) for e, gram in grams.items()}
    if set(copies) == {1, -1}:
        factor = jax.vmap(_geometric_mean_root)(copies[1], copies[-1])
    elif 1 in copies:
        factor = jax.vmap(inv_sqrtm)(copies[1])
    else:
        factor = jax.vmap(sqrtm)(copies[-1])
    return jnp.reshape(factor, shape)


def _geometric_mean_root(x: Array, y: Array) -> Array:
    """The square root of the geometric mean of the inverse of x with y."""
    root, inverse_root = sqrtm(x), inv_sqrtm(x)
    return sqrtm(_symmetric(inverse_root @ sqrtm(_symmetric(root @ y @ root)) @ inverse_root))


def _regular(gram: Array) -> Array:
    """The Gram matrix, with a small multiple of the identity added if it is singular."""
    eps, n = float(jnp.finfo(gram.dtype).eps), gram.shape[-1]
    values = jnp.linalg.eigvalsh(gram)
    singular = values[..., :1] <= 10 * n * eps * jnp.abs(values[..., -1:])
    mean = jnp.mean(values, axis=-1, keepdims=True)
    added = jnp.where(singular, eps**0.4 * jnp.where(mean > 0, mean, 1), 0)
    return gram + added[..., None] * jnp.eye(n, dtype=gram.dtype)


def _symmetric(x: Array) -> Array:
    return (x + jnp.matrix_transpose(x)) / 2
