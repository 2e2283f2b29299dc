"""Matrices of a given rank with the metric of the space around them."""

import functools

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.struct import static, struct
from geojax.manifolds.base.manifold import Manifold


@struct
class FixedRank(Manifold):
    """Matrices of one rank: {x in R^(m x n) : rank x = r} with <u, v> = tr u^T v.

    With x = U diag(s) V^T, tangents are U M V^T + U_p V^T + U V_p^T, and the projection of u is
      u - (1 - U U^T) u (1 - V V^T).

    Args:
        rank: The rank r, at least 1; static.

    Returns:
        A manifold whose points are matrices [m, n]. `project` is the nearest matrix of rank r, NaN if the rank is
        smaller or the r-th and next singular values are equal; `retract` is the projection of x + u, of second order;
        `vector_transport` projects. It has no `exp`, `log` and `dist`, as there is no closed form.

    Raises:
        ValueError: If `rank` is not positive, or at trace time larger than a side of the matrix.

    Differentiation: exact, at equal singular values too; x may change only along matrices of the same rank. Second
        derivatives of `project` and `retract` if the singular values are distinct and none is zero.

    Complexity: O(m n min(m, n)) for the singular value decomposition.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import FixedRank
        >>> FixedRank(1).project(jnp.diag(jnp.array([3.0, 1.0]))).tolist()
        [[3.0, 0.0], [0.0, 0.0]]

    References: [Vandereycken2013].
    """

    rank: int = static()
    point_shape = "m n"

    def __post_init__(self):
        if self.rank < 1:
            raise ValueError(f"FixedRank: rank is {self.rank}; expected at least 1. Raise it.")

    def _arrays(self, operation, **values):
        arrays = super()._arrays(operation, **values)
        if min(arrays[0].shape) < self.rank:
            raise ValueError(
                f"FixedRank.{operation}: {next(iter(values))} has shape {list(arrays[0].shape)}; expected both sides "
                f"at least the rank {self.rank}. Lower the rank."
            )
        return arrays

    def _project(self, x):
        return _truncated(x, self.rank)

    def _to_tangent(self, x, u):
        left, right = _projectors(x, self.rank)
        across = u - left @ u
        return u - (across - across @ right)

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _norm(self, x, u):
        return safe.norm(u)

    def _retract(self, x, u):
        return _truncated(x + u, self.rank)

    def _random_point(self, key, shape, dtype):
        left, right = jax.random.split(key)
        m, n = shape
        return jax.random.normal(left, (m, self.rank), dtype) @ jax.random.normal(
            right, (self.rank, n), dtype
        )

    def _dimension(self, x):
        m, n = x.shape
        return self.rank * (m + n - self.rank)


def _projectors(x, rank):
    """Orthogonal projectors onto the column space and the row space of a point."""
    inverse = _pseudoinverse(x, rank)
    return x @ inverse, inverse @ x


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _pseudoinverse(x, rank):
    left, sizes, right = jnp.linalg.svd(x, full_matrices=False)
    return (right[:rank].T / sizes[:rank]) @ left[:, :rank].T


@_pseudoinverse.defjvp
def _(rank, primals, tangents):
    # Right along directions that keep the rank. It is written in terms of itself, so higher derivatives work too.
    (x,), (dot,) = primals, tangents
    inverse = _pseudoinverse(x, rank)
    below, above = dot - x @ (inverse @ dot), dot - (dot @ inverse) @ x
    grown = inverse @ (inverse.T @ below.T) + above.T @ (inverse.T @ inverse)
    return inverse, grown - inverse @ dot @ inverse


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _truncated(a, rank):
    """The nearest matrix of the rank; NaN if there are several or the rank of `a` is smaller."""
    _, sizes, right = jnp.linalg.svd(a, full_matrices=False)
    following = jnp.append(sizes, 0)[rank]
    kept = right[:rank]
    gap = sizes[rank - 1] - following
    clear = gap > max(a.shape) * jnp.finfo(a.dtype).eps * sizes[0]
    return jnp.where(clear, a @ kept.T @ kept, jnp.nan)


@_truncated.defjvp
def _(rank, primals, tangents):
    # a P with P the projector onto the leading eigenvectors of a^T a, whose derivative divides by the gaps between
    # kept and lost eigenvalues only.
    (a,), (dot,) = primals, tangents
    values, vectors = jnp.linalg.eigh(a.T @ a)
    lost, kept = vectors[:, : len(values) - rank], vectors[:, len(values) - rank :]
    half = (a @ kept).T @ (dot @ lost) + (dot @ kept).T @ (a @ lost)
    half = half / (values[len(values) - rank :, None] - values[: len(values) - rank])
    turned = kept @ half @ lost.T
    return _truncated(a, rank), (dot @ kept) @ kept.T + a @ (turned + turned.T)
