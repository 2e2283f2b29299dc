"""Lie groups of preconditioners with few numbers: X-shaped matrices, and diagonal matrices plus one of low rank."""

import jax.numpy as jnp
import numpy as np

from geojax._core import checks
from geojax._core.struct import static, struct
from geojax.optim.preconditioned.groups import nonzero


@struct
class XMatrixGroup:
    """Matrices with entries on both diagonals only, as the group of preconditioners of `scale_by_psgd`.

    Q x = a x + b reverse(x),  for the array x as one long vector. Q consists of two-by-two parts with positive
    determinant, each of which mixes entry i and the i-th entry from the end.

    Args:
        (none): There are no parameters.

    Returns:
        A group for arrays of any shape; an element is a pair (a, b) of vectors.

    Differentiation: exact.

    Complexity: O(n) for n entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import XMatrixGroup
        >>> XMatrixGroup().act((jnp.ones(3), jnp.array([1.0, 0.0, 2.0])), jnp.array([1.0, 2.0, 3.0])).tolist()
        [4.0, 2.0, 5.0]

    References: [Pooladzandi2024].
    """

    def identity(self, like):
        """A is one and b zero; for an odd number of entries the middle one of b stays zero."""
        return jnp.ones(like.size, like.dtype), jnp.zeros(like.size, like.dtype)

    def act(self, q, x):
        """Product, entry by entry."""
        v = x.ravel()
        return (q[0] * v + q[1] * v[::-1]).reshape(x.shape)

    def act_transposed(self, q, x):
        """Product with the transpose."""
        v = x.ravel()
        return (q[0] * v + (q[1] * v)[::-1]).reshape(x.shape)

    def solve_transposed(self, q, x):
        """Cramer's rule for each two-by-two part."""
        v, (a, b) = x.ravel(), q
        determinant = a * a[::-1] - b * b[::-1]
        return ((a[::-1] * v - b[::-1] * v[::-1]) / determinant).reshape(x.shape)

    def step(self, q, a, b, rate):
        """A step along both diagonals of a a^T - b b^T, scaled for each two-by-two part by itself."""
        a, b = a.ravel(), b.ravel()
        size = a * a + b * b
        size = nonzero(size + size[::-1])
        along = (a * a - b * b) / size
        across = (a * a[::-1] - b * b[::-1]) / size * (2 * np.arange(a.size) != a.size - 1)
        moves = [along * part + across * other[::-1] for part, other in (q, q[::-1])]
        return tuple(part - rate * move for part, move in zip(q, moves))


@struct(kw_only=True)
class LowRankGroup:
    """Diagonal matrices times unit matrices plus ones of low rank, as the group of preconditioners of `scale_by_psgd`.

    Q = (I + U V^T) diag(d),  for the array as one long vector. For fixed V these matrices are a group in U, and for
    fixed U a group in V. A step is one step each in d, U and V, so Q stays invertible and of this form.

    Args:
        rank: Columns of U and V, a Python integer >= 1.

    Returns:
        A group for arrays of any shape; an element is (U, V, d). In the unit element V is orthonormal and U is zero.

    Raises:
        ValueError: If the rank is not between 1 and the number of entries.

    Differentiation: exact.

    Complexity: O(n rank + rank^3) for n entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import LowRankGroup
        >>> [part.shape for part in LowRankGroup(rank=2).identity(jnp.zeros((2, 3)))]
        [(6, 2), (6, 2), (6,)]

    References: [Pooladzandi2024].
    """

    rank: int = static()

    def identity(self, like):
        """The unit matrix: U is zero, d is one, and the columns of V are orthonormalised cosines."""
        rank = checks.count("LowRankGroup", "rank", self.rank, minimum=1)
        if rank > like.size:
            raise ValueError(
                f"LowRankGroup: rank is {rank}; expected at most {like.size}, the number of entries of the parameter. "
                "Lower it, or take TriangularGroup()."
            )
        angles = np.pi * (np.arange(like.size)[:, None] + 0.5) * (np.arange(rank) + 1) / like.size
        v = np.linalg.qr(np.cos(angles))[0]
        return jnp.zeros(v.shape, like.dtype), jnp.asarray(v, like.dtype), jnp.ones(like.size, like.dtype)

    def act(self, q, x):
        """Product, through the small dimension."""
        u, v, d = q
        y = d * x.ravel()
        return (y + u @ (v.T @ y)).reshape(x.shape)

    def act_transposed(self, q, x):
        """Product with the transpose."""
        u, v, d = q
        y = x.ravel()
        return (d * (y + v @ (u.T @ y))).reshape(x.shape)

    def solve_transposed(self, q, x):
        """Solution by the formula of Sherman, Morrison and Woodbury."""
        u, v, d = q
        y = x.ravel() / d
        return (y - v @ _solve(u.T @ v, u.T @ y)).reshape(x.shape)

    def step(self, q, a, b, rate):
        """A step in d, from the right, then in U and in V, from the left, each with a and b of the last element."""
        u, v, d = q
        h = (a.ravel() - u @ _solve(v.T @ u, v.T @ a.ravel())) / d
        probe = self.act_transposed(q, b.ravel())
        ph, pv = self.act_transposed(q, a.ravel()), (b.ravel() - u @ _solve(v.T @ u, v.T @ b.ravel())) / d
        rise, fall = h * ph, probe * pv
        # Each entry is scaled by its own size plus the mean size, because its own may vanish.
        sizes = jnp.abs(rise) + jnp.abs(fall)
        d = d - rate * (rise - fall) / nonzero(sizes + jnp.mean(sizes)) * d
        a, b = self._pair((u, v, d), h, probe)
        va, vb = v.T @ a, v.T @ b
        size = nonzero(
            jnp.linalg.norm(a) * jnp.linalg.norm(v @ va) + jnp.linalg.norm(b) * jnp.linalg.norm(v @ vb)
        )
        u = u - rate / size * (jnp.outer(a, va) - jnp.outer(b, vb)) @ (
            jnp.eye(len(va), dtype=a.dtype) + v.T @ u
        )
        a, b = self._pair((u, v, d), h, probe)
        ua, ub = u.T @ a, u.T @ b
        size = nonzero(
            jnp.linalg.norm(a) * jnp.linalg.norm(u @ ua) + jnp.linalg.norm(b) * jnp.linalg.norm(u @ ub)
        )
        v = v - rate / size * (jnp.outer(a + v @ ua, ua) - jnp.outer(b + v @ ub, ub))
        return u, v, d

    def _pair(self, q, h, probe):
        return self.act(q, h), self.solve_transposed(q, probe)


def _solve(small, right):
    """The solution x of (I + small) x = right."""
    return jnp.linalg.solve(jnp.eye(len(small), dtype=small.dtype) + small, right)
