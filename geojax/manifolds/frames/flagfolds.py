"""Weighted flags of subspaces as covariance matrices: their metric, geodesics between dimensions, and a kernel."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import checks
from geojax._core.matrices.linalg import symmetric
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.typing import Scalar

Matrix = Float[Array, "n n"]


@struct
class WeightedFlag:
    """Nested subspaces with weights.

    Attributes:
        vectors: Orthonormal, [n, n]: the first k columns span the k-dimensional subspace of the flag, if there is one.
        weights: Weight of each direction, [n], descending: the eigenvalues.
        levels: Whether the flag has a subspace of dimension k = 1 ... n - 1, [n - 1].
    """

    vectors: Float[Array, "n n"]
    weights: Float[Array, " n"]
    levels: Bool[Array, " n_minus_1"]


@rounded_once
def flag_from_covariance(s: Matrix, *, tol: Scalar = 1e-6) -> WeightedFlag:
    """Nested principal subspaces of a covariance matrix, with their weights.

    S = sum_k w_k v_k v_k^T, w_1 >= ... >= w_n; span(v_1 .. v_k) is in the flag if w_k - w_(k+1) > tol w_1.

    Args:
        s: Covariance matrix, [n, n]; its symmetric part is read.
        tol: Gap, relative to the largest eigenvalue, below which two weights count as equal. Traced.

    Returns:
        WeightedFlag. Between two levels the vectors are some basis of the subspace, which one is not determined.

    Raises:
        ValueError: At trace time, if `s` is not square.

    Differentiation: weights exact if they are distinct; vectors if all eigenvalues are; levels none.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import flag_from_covariance
        >>> flag = flag_from_covariance(jnp.diag(jnp.array([1.0, 3.0, 1.0])))
        >>> flag.weights.tolist(), flag.levels.tolist()
        ([3.0, 1.0, 1.0], [True, False])

    References: [Buet2023].
    """
    s, tol = checks.floats("flag_from_covariance", s=s, tol=tol)
    checks.shapes("flag_from_covariance", s=(s, "n n"))
    values, vectors = jnp.linalg.eigh(symmetric(s))
    values, vectors = values[::-1], vectors[:, ::-1]
    return WeightedFlag(vectors, values, values[:-1] - values[1:] > tol * values[0])


@rounded_once
def embed_subspace(x: Float[Array, "n d"]) -> Matrix:
    """Subspace as a covariance matrix: the orthogonal projector, of weights 1 and 0.

    S = x x^T for an orthonormal frame x; the lowest stratum of covariance matrices of rank d.

    Args:
        x: Orthonormal frame of the subspace, [n, d].

    Returns:
        Projector, [n, n]; the same for all frames of the subspace.

    Raises:
        ValueError: At trace time, if `x` is not a matrix.

    Differentiation: exact.

    Complexity: O(n^2 d).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import embed_subspace
        >>> embed_subspace(jnp.eye(2)[:, :1]).tolist()
        [[1.0, 0.0], [0.0, 0.0]]

    References: [Buet2023].
    """
    (x,) = checks.floats("embed_subspace", x=x)
    checks.shapes("embed_subspace", x=(x, "n d"))
    return x @ x.T


@rounded_once
def stratified_metric(s: Matrix, u: Matrix, v: Matrix) -> Float[Array, ""]:
    """Inner product of two changes of a covariance matrix: of its weights and of the directions of its flag.

    In the eigenbasis of S:  sum_i u_ii v_ii + sum_{i<j} u_ij v_ij / (w_i - w_j)^2,  as u_ij / (w_i - w_j) is how fast
    v_i turns towards v_j: the metric of scalings and rotations.

    Args:
        s: Covariance matrix, [n, n], symmetric.
        u: Change of it, [n, n], symmetric; on a subspace of equal weights a multiple of the identity, as for every
            change that stays in the stratum of S.
        v: Another change.

    Returns:
        Scalar, squared units of weight plus squared radians. Two directions whose weights agree to
        16 n ulp of the largest do not turn. O(n)-invariant.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact in u and v; in S if its eigenvalues are distinct.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import stratified_metric
        >>> turn = jnp.array([[0.0, 1.0], [1.0, 0.0]])
        >>> float(stratified_metric(jnp.diag(jnp.array([3.0, 1.0])), turn, turn))
        0.25

    References: [Jung2015] for the metric; [Buet2023] for the strata.
    """
    s, u, v = checks.floats("stratified_metric", s=s, u=u, v=v)
    checks.shapes("stratified_metric", s=(s, "n n"), u=(u, "n n"), v=(v, "n n"))
    values, vectors = jnp.linalg.eigh(symmetric(s))
    u, v = (vectors.T @ symmetric(change) @ vectors for change in (u, v))
    gaps = values[:, None] - values[None, :]
    one = jnp.abs(gaps) <= 16 * len(s) * jnp.finfo(s.dtype).eps * jnp.max(jnp.abs(values), initial=0)
    turning = jnp.where(one, 0, u * v / jnp.square(jnp.where(one, 1, gaps)))
    return jnp.vdot(jnp.diagonal(u), jnp.diagonal(v)) + jnp.sum(turning) / 2


@rounded_once
def flag_geodesic(x: Float[Array, "n p"], y: Float[Array, "n q"], t: Scalar) -> Matrix:
    """Point at time t of the geodesic between two subspaces of any dimensions, as a covariance matrix.

    S_t = sum_i g_i(t) g_i(t)^T + t sum_j r_j r_j^T  for p <= q:  g_i turns steadily from one principal vector to its
    partner, and the directions r_j that only y has grow from weight 0 to 1; the other way round for p > q.

    Args:
        x: Orthonormal frame at time 0, [n, p].
        y: Orthonormal frame at time 1, [n, q].
        t: Time, in [0, 1].

    Returns:
        Symmetric matrix [n, n] with weights in [0, 1], never of higher rank than max(p, q). The length of the curve in
        `stratified_metric` is (sum_i t_i^2 + |p - q|)^(1/2), t_i the principal angles: for p = q the distance on the
        Grassmannian.

    Raises:
        ValueError: At trace time, if the frames have different numbers of rows.

    Differentiation: exact in t, and in the frames if the principal angles differ from each other.

    Complexity: O(n (p + q)^2 + n^2 max(p, q)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import flag_geodesic
        >>> line, plane = jnp.eye(3)[:, :1], jnp.eye(3)[:, :2]
        >>> flag_geodesic(line, plane, 0.5).diagonal().tolist()
        [1.0, 0.5, 0.0]

    References: [Buet2023]; [Jung2015] for curves of scalings and rotations.
    """
    x, y, t = checks.floats("flag_geodesic", x=x, y=y, t=t)
    checks.shapes("flag_geodesic", x=(x, "n p"), y=(y, "n q"), t=(t, ""))
    if x.shape[1] > y.shape[1]:
        x, y, t = y, x, 1 - t
    left, cosines, right = jnp.linalg.svd(x.T @ y, full_matrices=False)
    first, second = x @ left, y @ right.T
    rest = y @ y.T - second @ second.T  # the projection onto what only y has
    # The part of each partner across its principal vector, whose length is the sine of the angle.
    across = second - first * cosines
    squares = jnp.sum(jnp.square(across), axis=0)
    still = squares == 0
    sines = jnp.sqrt(jnp.where(still, 1, squares))
    angles = jnp.where(still, 0, jnp.arctan2(sines, cosines))
    moving = first * jnp.cos(t * angles) + across / sines * jnp.sin(t * angles)
    return moving @ moving.T + t * rest


@rounded_once
def flagfold_kernel(
    x: Float[Array, "m d"],
    s: Float[Array, "m n n"],
    a: Float[Array, " m"],
    y: Float[Array, "k d"],
    r: Float[Array, "k n n"],
    b: Float[Array, " k"],
    *,
    width: Scalar,
) -> Float[Array, ""]:
    """Inner product of two shapes given as points that carry weighted flags.

    sum_ij a_i b_j exp(-|x_i - y_j|^2 / (2 width^2)) tr(S_i R_j);  on projectors of one dimension that of varifolds.

    Args:
        x: Points of the first shape, [m, d].
        s: A flag at each, as covariance matrices, [m, n, n], of any ranks.
        a: Masses, [m].
        y: Points of the second shape, [k, d].
        r: Its flags, [k, n, n].
        b: Its masses, [k].
        width: Distance beyond which points have little effect on each other, > 0. Traced.

    Returns:
        Scalar. Positive semidefinite as a kernel, and the same if both shapes are moved rigidly.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: O(m k (d + n^2)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import flagfold_kernel
        >>> shape = jnp.zeros((1, 2)), jnp.diag(jnp.array([1.0, 0.5]))[None], jnp.array([2.0])
        >>> float(flagfold_kernel(*shape, *shape, width=1.0))
        5.0

    References: [Buet2023]; [Charon2013] for varifolds.
    """
    x, s, a, y, r, b, width = checks.floats("flagfold_kernel", x=x, s=s, a=a, y=y, r=r, b=b, width=width)
    checks.shapes(
        "flagfold_kernel", x=(x, "m d"), s=(s, "m n n"), a=(a, "m"), y=(y, "k d"), r=(r, "k n n"), b=(b, "k")
    )
    apart = jnp.sum(jnp.square(x[:, None] - y[None]), axis=-1)
    near = jnp.exp(-apart / (2 * jnp.square(width)))
    alike = s.reshape(len(s), -1) @ r.mT.reshape(len(r), -1).T
    return a @ (near * alike) @ b
