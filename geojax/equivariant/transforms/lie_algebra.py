"""The continuous symmetries of a function along one axis, from its derivative at samples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.typing import Scalar


@struct
class LieResult:
    """Infinitesimal equivariances: x moves by A x + t, and f(x) by B f(x) + s.

    Attributes:
        basis_in: A of each generator, [p, d, d]; the rows after the first `dimension` are 0, here and below.
        shift_in: t, [p, d], in the units of x.
        basis_out: B, [p, e, e]; e = 0 for invariances.
        shift_out: s, [p, e], in the units of f(x).
        singular_values: Of the linear condition, relative to the largest, ascending, [p].
        dimension: How many of them are at most the tolerance, [].
        gap: The least of those above the tolerance, infinite if there is none, [].
        error: The largest of those within it, 0 if there is none, []. A clear answer has error far below gap.
    """

    basis_in: Float[Array, "p d d"]
    shift_in: Float[Array, "p d"]
    basis_out: Float[Array, "p e e"]
    shift_out: Float[Array, "p e"]
    singular_values: Float[Array, " p"]
    dimension: Int[Array, ""]
    gap: Float[Array, ""]
    error: Float[Array, ""]


@rounded_once
def lie_equivariance(
    f: Callable[[Any], Any],
    xs: Float[Array, "num *shape"],
    *,
    axis: int = -1,
    axis_out: int | None = -1,
    tol: Scalar | None = None,
) -> LieResult:
    """The Lie algebra of affine motions of an axis under which a differentiable function is equivariant.

    All (A, t, B, s) with  Df(x)[x A^T + t] = f(x) B^T + s  at every sample x, where the products act along the axis:
    the nullspace of a linear condition, by a singular value decomposition. Rotations, boosts, shears, scalings and
    translations are found alike; which motion of the output belongs to one of the input is found with it.

    Data and outputs are centred and scaled first, so that neither units nor an origin far away change the answer.
    Directions that the samples do not reach, and combinations of outputs that never change, count as symmetric.

    Args:
        f: A function of one array x [*shape] that returns one array.
        xs: Samples, [num, *shape]; with all entries of their outputs they must give at least p = d^2 + d + e^2 + e
            equations.
        axis: The axis of x, of length d, along which the motions act.
        axis_out: The axis of f(x), of length e; None asks for invariances, B = 0 and s = 0, of any output.
        tol: Largest relative singular value that counts as zero; by default the root of the machine epsilon. Raise it
            for a function that was learnt.

    Returns:
        `LieResult`. The generators are orthonormal as vectors (A, t, B, s) with shifts in units of the spread of the
        data, and chosen so that generators of separate entries stay apart: elementary rotations come out as such.

    Raises:
        TypeError: If f is no function, or returns no single array of real numbers.
        ValueError: If an axis does not exist, or the samples give too few equations.

    Differentiation: stop_gradient.
    Complexity: d^2 + d forward derivatives of f at each sample, and a decomposition of [num size(f(x)), p].

    Example:
        >>> import jax
        >>> from geojax.equivariant import lie_equivariance
        >>> xs = jax.random.normal(jax.random.key(0), (20, 3))
        >>> found = lie_equivariance(lambda x: x @ x, xs, axis_out=None)
        >>> (2**0.5 * found.basis_in[:3]).round().astype(int).tolist()  # the rotations of space
        [[[0, 1, 0], [-1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, 0, 0], [0, 0, 1], [0, -1, 0]]]

    References: [Yang2023].
    """
    where = "lie_equivariance"
    checks.function(where, "f", f, "Write a function of one array.")
    (xs,) = checks.floats(where, xs=xs)
    if xs.ndim < 2:
        raise ValueError(
            f"{where}: xs has shape {list(xs.shape)}; expected samples with an axis, [num, *shape]. "
            "Add an axis with [:, None]."
        )
    axis = _place(where, "axis", axis, xs.ndim - 1)
    y = jax.eval_shape(f, jax.ShapeDtypeStruct(xs.shape[1:], xs.dtype))
    if not isinstance(y, jax.ShapeDtypeStruct) or not jnp.issubdtype(y.dtype, jnp.floating):
        got = checks.described(y) if not isinstance(y, jax.ShapeDtypeStruct) else str(y.dtype)
        raise TypeError(
            f"{where}: f returned {got}; expected one array of real numbers. Return one output alone."
        )
    if axis_out is not None:
        axis_out = _place(where, "axis_out", axis_out, y.ndim)
    d, e = xs.shape[1 + axis], 0 if axis_out is None else y.shape[axis_out]
    unknown = d * d + d + e * e + e
    if xs.shape[0] * y.size < unknown:
        raise ValueError(
            f"{where}: {len(xs)} samples with outputs of {y.size} numbers give {len(xs) * y.size} equations; expected "
            f"at least {unknown}, one for each entry of A, t, B and s. Pass more samples."
        )
    xs = jax.lax.stop_gradient(xs)
    center, spread = _centre_and_spread(jnp.moveaxis(xs, 1 + axis, -1))

    def derivatives(x: Array) -> tuple[Array, Array]:
        """f(x), and its change along each entry of A and t, in units of the spread of x."""
        value, forward = jax.linearize(f, x)
        scaled = (jnp.moveaxis(x, axis, -1) - center) / spread
        moves = _motions(scaled) * spread
        changes = jax.vmap(lambda move: forward(jnp.moveaxis(move, -1, axis)))(moves)
        return value, changes

    values, changes = jax.vmap(derivatives)(xs)
    values, changes = jax.lax.stop_gradient((values, changes))
    columns = jnp.moveaxis(changes, 1, -1).reshape(-1, d * d + d)
    stretch = _or_one(jnp.sqrt(jnp.mean(jnp.square(columns))))
    columns = columns / stretch
    middle, size = jnp.zeros(e, xs.dtype), jnp.ones((), xs.dtype)
    if axis_out is not None:
        outputs = jnp.moveaxis(values, 1 + axis_out, -1)
        middle, size = _centre_and_spread(outputs)
        scaled = jax.vmap(_motions)((outputs - middle) / size)
        moved = jnp.moveaxis(scaled, -1, 2 + axis_out)
        columns = jnp.concatenate([columns, -jnp.moveaxis(moved, 1, -1).reshape(-1, e * e + e)], axis=1)

    _, found, rows = jnp.linalg.svd(columns, full_matrices=False)
    found, rows = found[::-1], rows[::-1]
    relative = found / _or_one(found[-1])
    limit = float(jnp.finfo(xs.dtype).eps) ** 0.5 if tol is None else jnp.asarray(tol, xs.dtype)
    null = relative <= limit
    # Back from the centred and scaled frame: A x' + t' there is A x + (spread t' - A center) here.
    rate = size / stretch
    linear_in, move_in = _parts(rows[:, : d * d + d] * rate, d)
    linear_out, move_out = _parts(rows[:, d * d + d :], e)
    move_in = move_in - linear_in @ center / spread
    move_out = move_out - linear_out @ middle / size
    parts = (linear_in, move_in, linear_out, move_out)
    joined = jnp.concatenate([part.reshape(unknown, -1) for part in parts], axis=1)
    parts = _canonical(jnp.where(null[:, None], joined, 0))
    inside, outside = parts[:, : d * d + d], parts[:, d * d + d :]
    linear_in, move_in = _parts(inside, d)
    linear_out, move_out = _parts(outside, e)
    return LieResult(
        basis_in=linear_in,
        shift_in=move_in * spread,
        basis_out=linear_out,
        shift_out=move_out * size,
        singular_values=relative,
        dimension=jnp.sum(null, dtype=jnp.int32),
        gap=jnp.min(jnp.where(null, jnp.inf, relative)),
        error=jnp.max(jnp.where(null | jnp.isnan(relative), relative, 0)),
    )


def _place(where: str, name: str, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        what, mend = ("x", "") if name == "axis" else ("f(x)", " Pass axis_out=None for an invariance.")
        raise ValueError(f"{where}: {name} is {axis}; expected an axis of {what}, which has {rank}.{mend}")
    return axis % rank


def _or_one(scale: Array) -> Array:
    return jnp.where(scale == 0, 1, scale)


def _centre_and_spread(values: Float[Array, "*batch d"]) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """The mean along the last axis's entries, and the root mean square about it."""
    flat = values.reshape(-1, values.shape[-1])
    center = jnp.mean(flat, axis=0)
    # A second pass takes off what rounding left of a mean that is far away.
    center = center + jnp.mean(flat - center, axis=0)
    gap = flat - center
    largest = _or_one(jnp.max(jnp.abs(gap), initial=0))
    return center, _or_one(largest * jnp.sqrt(jnp.mean(jnp.square(gap / largest))))


def _motions(x: Float[Array, "*rest d"]) -> Float[Array, "p *rest d"]:
    """The images of x under each unit matrix E_ij, i the target, and each unit translation."""
    d = x.shape[-1]
    eye = jnp.eye(d, dtype=x.dtype)
    linear = jnp.einsum("...j,ik->ij...k", x, eye).reshape(d * d, *x.shape)
    shifts = jnp.broadcast_to(eye.reshape(d, *(1,) * (x.ndim - 1), d), (d, *x.shape))
    return jnp.concatenate([linear, shifts])


def _parts(rows: Float[Array, "p q"], d: int) -> tuple[Float[Array, "p d d"], Float[Array, "p d"]]:
    return rows[:, : d * d].reshape(len(rows), d, d), rows[:, d * d :]


def _canonical(rows: Float[Array, "p q"]) -> Float[Array, "p q"]:
    """An orthonormal basis of the span of the rows that depends on the span alone; rows of zeros fill it up.

    It diagonalises, within the span, a fixed diagonal matrix of distinct entries, from large to small. Vectors that
    have no entry in common are eigenvectors of it. The largest entry, so weighted, is positive.
    """
    p = rows.shape[1]
    order = 2 - (np.arange(p) + np.random.default_rng(0).uniform(0, 0.25, p)) / p
    weights = jnp.asarray(order, rows.dtype)
    _, size, span = jnp.linalg.svd(rows, full_matrices=False)
    independent = size > p * jnp.finfo(rows.dtype).eps * jnp.max(size, initial=0)
    span = jnp.where(independent[:, None], span, 0)
    values, turn = jnp.linalg.eigh((span * weights) @ span.T)
    basis = jnp.where((values > 0.5)[:, None], turn.T @ span, 0)[::-1]
    largest = jnp.take_along_axis(basis, jnp.argmax(jnp.abs(basis * weights), axis=1)[:, None], axis=1)
    return jnp.where(largest < 0, -basis, basis)
