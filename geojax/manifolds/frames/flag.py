"""Flags: nested subspaces, each the span of the first columns of one orthonormal frame."""

import jax.numpy as jnp
import numpy as np

from geojax._core import checks
from geojax._core.struct import static, struct
from geojax.manifolds.base.geodesics import WithExp, plane_area
from geojax.manifolds.frames.orthonormal import Frames, skew
from geojax.manifolds.frames.stiefel import Stiefel

_CANONICAL = Stiefel(beta=0.5)


@struct
class Flag(Frames, WithExp):
    """Nested subspaces of R^n, the first d_1 columns of a frame spanning one, the first d_2 the next, and so on.

    The quotient of the frames with the canonical metric by rotations within each block of columns. Tangents are
    u = x A + K with x^T K = 0 and A skew with zero blocks on its diagonal, and
    <u, v> = tr(A_u^T A_v) / 2 + tr(K_u^T K_v).  Geodesics are those of the frames: exp(x, u) is theirs.

    Args:
        dims: Dimensions of the subspaces, increasing, such as (1, 3); static. With a single one it is the space of
            subspaces, `Grassmann`.

    Returns:
        A manifold whose points are matrices [n, dims[-1]] with orthonormal columns. It has no logarithm and distance,
        as there is no closed form; `Grassmann().dist` compares the subspaces of each dimension.
        `retract` is the polar factor, `project` the nearest frame.

    Raises:
        ValueError: If dims is empty, or not increasing and positive.

    Differentiation: exact.

    Complexity: O(n d^2), d = dims[-1], with products only in `exp` and `retract`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Flag
        >>> x, u = jnp.eye(3)[:, :2], jnp.array([[0.0, 5.0], [-5.0, 0.0], [1.0, 0.0]])
        >>> Flag((2,)).to_tangent(x, u).tolist()
        [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]

    References: [YeWongLim2022].
    """

    dims: tuple[int, ...] = static()

    def __post_init__(self):
        dims = tuple(self.dims) if isinstance(self.dims, list | tuple) else ()
        whole = all(isinstance(d, int | np.integer) for d in dims)
        if not dims or not whole or any(low >= high for low, high in zip((0, *dims), dims)):
            raise ValueError(
                f"Flag: dims is {self.dims}; expected increasing positive integers, the dimensions of nested "
                "subspaces, such as (1, 3)."
            )
        object.__setattr__(self, "dims", tuple(int(d) for d in dims))

    def _arrays(self, operation, **values):
        arrays = super()._arrays(operation, **values)
        words = f"n {self.dims[-1]}"
        checks.shapes(
            f"Flag({self.dims}).{operation}", **{name: (array, words) for name, array in zip(values, arrays)}
        )
        return arrays

    def _to_tangent(self, x, u):
        within = x.T @ u
        return u - x @ within + x @ (skew(within) * self._between(x))

    def _inner(self, x, u, v):
        return _CANONICAL._inner(x, u, v)

    def _riemannian_gradient(self, x, gradient):
        # The gradient in the canonical metric, for functions that turns within a block do not change.
        full = _CANONICAL._riemannian_gradient(x, gradient)
        return self._to_tangent(x, full)

    def _exp(self, x, u):
        return _CANONICAL._exp(x, u)

    def _sectional_curvature(self, x, u, v):
        # Of a normal homogeneous space: |[u, v]_m|^2 / 4 + |[u, v]_h|^2, h the rotations that leave the flag as it is.
        a, b = skew(x.T @ u), skew(x.T @ v)
        k, l = u - x @ (x.T @ u), v - x @ (x.T @ v)
        mixed = k.T @ l
        inside = a @ b - b @ a - mixed + mixed.T
        between = self._between(x)
        moving = jnp.sum(jnp.square(inside * between)) / 2 + jnp.sum(jnp.square(k @ b - l @ a))
        outside = jnp.vdot(k.T @ k, l.T @ l) - jnp.vdot(mixed, mixed.T)
        held = jnp.sum(jnp.square(inside * (1 - between))) / 2 + outside
        area = plane_area(self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v))
        return (moving / 4 + held) / area

    def _dimension(self, x):
        n, edges = x.shape[0], (0, *self.dims)
        blocks = np.diff(edges)
        d = self.dims[-1]
        return n * d - d * (d + 1) // 2 - sum(int(b * (b - 1) // 2) for b in blocks)

    def _between(self, x):
        """1 for two columns of different blocks, else 0."""
        block = np.searchsorted(np.asarray(self.dims), np.arange(self.dims[-1]), side="right")
        return jnp.asarray(block[:, None] != block[None, :], x.dtype)
