"""Orthonormal frames from Householder vectors, and matrices of low rank built on them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.manifolds.frames.orthonormal import nearest_frame


@rounded_once
def householder_orthogonal(v: Float[Array, "r d"]) -> Float[Array, "d r"]:
    """First r columns of the product of r reflections, orthonormal for any vectors.

    Q = H_1 H_2 ... H_r [1; 0],  H_i = 1 - 2 v_i v_i^T / |v_i|^2.  In compact form H_1 ... H_r = 1 - V^T T V with
    T^-1 = striu(V V^T) + diag(V V^T) / 2.

    Args:
        v: Vectors, the rows of [r, d] with r <= d, none zero; only their directions count.

    Returns:
        Frame [d, r] with orthonormal columns. For r = d it is orthogonal with determinant (-1)^d. A vector that is zero
        gives NaN.

    Raises:
        ValueError: At trace time, if there are more vectors than dimensions.

    Differentiation: exact.

    Complexity: O(d r^2), products of matrices and one triangular solve.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import householder_orthogonal
        >>> householder_orthogonal(jnp.array([[1.0, 0.0, 0.0]])).ravel().tolist()
        [-1.0, 0.0, 0.0]

    References: [Schreiber1989] for the compact form; [Song2023] for the use.
    """
    (v,) = checks.floats("householder_orthogonal", v=v)
    checks.shapes("householder_orthogonal", v=(v, "r d"))
    r, d = v.shape
    if r > d:
        raise ValueError(
            f"householder_orthogonal: v has shape [{r}, {d}]; expected at most as many vectors as dimensions. "
            f"Pass the first {d} rows, or the transpose."
        )
    # Scaled before they are normalised: the squares of tiny or huge numbers would leave the range.
    v = v / jnp.max(jnp.abs(v), axis=1, keepdims=True)
    v = v / jnp.linalg.norm(v, axis=1, keepdims=True)
    overlaps = jnp.triu(v @ v.T, 1) + jnp.eye(r, dtype=v.dtype) / 2
    # The diagonal is 1/2, so the triangular system is as well-conditioned as it can be.
    compact = jnp.linalg.solve(overlaps, v[:, :r])
    return jnp.eye(d, r, dtype=v.dtype) - v.T @ compact


@rounded_once
def householder_low_rank(
    v_left: Float[Array, "r m"], s: Float[Array, " r"], v_right: Float[Array, "r n"]
) -> Float[Array, "m n"]:
    """Matrix of rank at most r with given singular values and directions from Householder vectors.

    A = U diag(s) W^T  with U = householder_orthogonal(v_left), W = householder_orthogonal(v_right).

    Args:
        v_left: Householder vectors of the output directions, [r, m], r <= m.
        s: Singular values, [r]; a negative one reverses its direction.
        v_right: Householder vectors of the input directions, [r, n], r <= n.

    Returns:
        Matrix [m, n], in units of s, whose singular values are |s| and zeros.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: O((m + n) r^2 + m n r).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import householder_low_rank
        >>> matrix = householder_low_rank(jnp.ones((1, 3)), jnp.array([2.0]), jnp.ones((1, 2)))
        >>> round(float(jnp.linalg.norm(matrix)), 4)
        2.0

    References: [Song2023].
    """
    v_left, s, v_right = checks.floats("householder_low_rank", v_left=v_left, s=s, v_right=v_right)
    checks.shapes("householder_low_rank", v_left=(v_left, "r m"), s=(s, "r"), v_right=(v_right, "r n"))
    return (householder_orthogonal(v_left) * s) @ householder_orthogonal(v_right).T


@rounded_once
def nearest_orthogonal(a: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Matrix with orthonormal columns nearest to a given one: its orthogonal polar factor.

    argmin |Q - A|_F over Q^T Q = 1 (Q Q^T = 1 if A has more columns than rows): Q = U V^T of A = U diag(s) V^T.

    Args:
        a: Matrix [m, n] of full rank, such as a trained weight.

    Returns:
        Matrix [m, n]; NaN if the rank is not full, as several are nearest then.

    Raises:
        ValueError: At trace time, if `a` is not a matrix.

    Differentiation: exact, at equal singular values too.

    Complexity: O(m n min(m, n)), one singular value decomposition.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import nearest_orthogonal
        >>> nearest_orthogonal(jnp.array([[3.0, 0.0], [0.0, -0.1]])).round(4).tolist()
        [[1.0, 0.0], [0.0, -1.0]]

    References: [Higham2008]; [Song2023] for the use.
    """
    (a,) = checks.floats("nearest_orthogonal", a=a)
    checks.shapes("nearest_orthogonal", a=(a, "m n"))
    return nearest_frame(a) if a.shape[0] >= a.shape[1] else nearest_frame(a.T).T
