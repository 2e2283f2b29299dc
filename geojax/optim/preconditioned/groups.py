"""Lie groups of preconditioners: how an element acts on a parameter, and steps of descent inside the group."""

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.struct import struct
from geojax.typing import Scalar


@runtime_checkable
class Group(Protocol):
    """A Lie group that acts linearly on an array; an element Q gives the preconditioner P = Q^T Q."""

    def identity(self, like: Array) -> Any:
        """The unit element for arrays of this shape."""
        ...

    def act(self, q: Any, x: Array) -> Array:
        """Product Q x."""
        ...

    def act_transposed(self, q: Any, x: Array) -> Array:
        """Product with the transpose, Q^T x."""
        ...

    def solve_transposed(self, q: Any, x: Array) -> Array:
        """Solution Q^-T x."""
        ...

    def step(self, q: Any, a: Array, b: Array, rate: Scalar) -> Any:
        """The next element (I - rate E / |E|) Q, with E the part of a a^T - b b^T in the Lie algebra."""
        ...


@struct
class DiagonalGroup:
    """Diagonal matrices with entries of one sign, as the group of preconditioners of `scale_by_psgd`.

    Q = diag(q),  acting entry by entry.

    Args:
        (none): There are no parameters.

    Returns:
        A group for arrays of any shape.

    Differentiation: exact.

    Complexity: O(n) for n entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import DiagonalGroup, psgd_criterion
        >>> float(psgd_criterion(DiagonalGroup(), jnp.array([2.0]), jnp.array([1.0]), jnp.array([4.0])))
        64.25

    References: [Li2018].
    """

    def identity(self, like):
        """Ones."""
        return jnp.ones_like(like)

    def act(self, q, x):
        """Products."""
        return q * x

    def act_transposed(self, q, x):
        """Products."""
        return q * x

    def solve_transposed(self, q, x):
        """Quotients."""
        return x / q

    def step(self, q, a, b, rate):
        """A step along the diagonal of a a^T - b b^T, scaled for each entry by itself, as the group is a product."""
        return q - rate * (a * a - b * b) / nonzero(a * a + b * b) * q


@struct
class TriangularGroup:
    """Upper triangular matrices with positive diagonal, as the group of preconditioners of `scale_by_psgd`.

    Q is upper triangular and acts on the array as one long vector. Every positive definite P is Q^T Q for exactly one
    Q.

    Args:
        (none): There are no parameters.

    Returns:
        A group for arrays of any shape; an element for n entries has n^2.

    Differentiation: exact.

    Complexity: O(n^2) for n entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import TriangularGroup
        >>> TriangularGroup().identity(jnp.zeros(2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    References: [Li2018].
    """

    def identity(self, like):
        """Unit matrix."""
        return jnp.eye(like.size, dtype=like.dtype)

    def act(self, q, x):
        """Product of a matrix and a vector."""
        return (q @ x.ravel()).reshape(x.shape)

    def act_transposed(self, q, x):
        """Product with the transpose."""
        return (x.ravel() @ q).reshape(x.shape)

    def solve_transposed(self, q, x):
        """Forward substitution."""
        solved = jax.scipy.linalg.solve_triangular(q, x.ravel(), trans="T", lower=False)
        return solved.reshape(x.shape)

    def step(self, q, a, b, rate):
        """A step along the upper triangle of a a^T - b b^T."""
        a, b = a.ravel(), b.ravel()
        e = jnp.triu(jnp.outer(a, a) - jnp.outer(b, b))
        return q - rate / nonzero(jnp.vdot(a, a) + jnp.vdot(b, b)) * (e @ q)


@struct
class KroneckerGroup:
    """Pairs of triangular matrices that act on the two sides of a matrix, for `scale_by_psgd`.

    Q = (L, R),  Q X = L X R^T,  with L and R upper triangular with positive diagonal: P = (R^T R) x (L^T L).

    Args:
        (none): There are no parameters.

    Returns:
        A group for matrices [m, n].

    Raises:
        ValueError: At trace time, if the parameter is not a matrix.

    Differentiation: exact.

    Complexity: O(m^2 n + m n^2) for each step; m^2 + n^2 numbers in memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import KroneckerGroup
        >>> [side.shape for side in KroneckerGroup().identity(jnp.zeros((2, 3)))]
        [(2, 2), (3, 3)]

    References: [Li2018]; [Pooladzandi2024].
    """

    def identity(self, like):
        """Two unit matrices."""
        checks.shapes("KroneckerGroup", parameter=(like, "_ _"))
        return tuple(jnp.eye(size, dtype=like.dtype) for size in like.shape)

    def act(self, q, x):
        """Both sides."""
        return q[0] @ x @ q[1].T

    def act_transposed(self, q, x):
        """Both transposes."""
        return q[0].T @ x @ q[1]

    def solve_transposed(self, q, x):
        """Two substitutions."""
        left = jax.scipy.linalg.solve_triangular(q[0], x, trans="T", lower=False)
        return jax.scipy.linalg.solve_triangular(q[1], left.T, trans="T", lower=False).T

    def step(self, q, a, b, rate):
        """A step along both upper triangles."""

        def side(factor: Array, a: Array, b: Array) -> Array:
            e = jnp.triu(a @ a.T - b @ b.T)
            size = jnp.linalg.norm(a @ a.T + b @ b.T)
            return factor - rate / nonzero(size) * (e @ factor)

        return side(q[0], a, b), side(q[1], a.T, b.T)


def nonzero(size: Array) -> Array:
    """The size, with 1 in place of 0, to divide by."""
    return jnp.where(size == 0, 1, size)
