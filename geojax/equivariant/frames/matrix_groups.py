"""Groups of the matrices that keep a form: the element nearest to a feature, and distances between orbits."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.loops import iterate
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once
from geojax.results import Status

__all__ = ["lift_to_group", "orbit_distance"]

Matrix = Float[Array, "d d"]
_MOST_MINORS = 1_000_000


@rounded_once
def lift_to_group(matrix: Matrix, eta: Matrix | None = None) -> Matrix:
    """The element of the group of a form that a matrix flows to; the polar factor for O(d).

    g^T eta g = eta, where M = g S with S the square root of eta^-1 M^T eta M that has its eigenvalues to the right. It
    is the end of the flow dM/dt = -M eta^-1 (M^T eta M - eta), which lowers ||M^T eta M - eta||^2 near the group. As
    the flow multiplies from the right, lift(h M) = h lift(M) for all h in the group: with M(x) an equivariant feature,
    whose columns are vectors that move with x, ``lambda x: (lift_to_group(M(x), eta)[None], ones(1))`` is a frame.

    Args:
        matrix: M, not singular; its unit of length does not matter.
        eta: The form, symmetric or skew and not singular: diag(1, -1, -1, -1) for the Lorentz group. By default the
            identity, for O(d).

    Returns:
        g, which keeps eta to rounding times the squared norm of g. NaN if eta^-1 M^T eta M has eigenvalues on the
        negative half of the real line, and so no such root, or is singular.

    Raises:
        ValueError: If a matrix is not square, or their sizes differ.

    Differentiation: exact in `matrix`, by the equation O S + S O = g^-1 dM - (g^-1 dM)^*; `eta` is held fixed.
    Complexity: O(d^3) a step, about eight steps; a derivative O(d^6), or O(d^3) without eta.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import lift_to_group
        >>> lift_to_group(jnp.array([[0.0, -3.0], [2.0, 0.0]])).round(5).tolist()
        [[0.0, -1.0], [1.0, 0.0]]

    References: [NguyenOrbit2023]; [Higham2008] for the iteration.
    """
    if eta is None:
        (matrix,) = checks.floats("lift_to_group", matrix=matrix)
        checks.shapes("lift_to_group", matrix=(matrix, "d d"))
        return linalg.polar(matrix)
    matrix, eta = checks.floats("lift_to_group", matrix=matrix, eta=eta)
    checks.shapes("lift_to_group", matrix=(matrix, "d d"), eta=(eta, "d d"))
    return _lift(matrix, jax.lax.stop_gradient(eta))


@jax.custom_jvp
def _lift(matrix: Matrix, eta: Matrix) -> Matrix:
    """Newton's iteration M <- (M + M^-*) / 2, whose steps are scaled to determinant 1."""
    size = len(matrix)
    eps = float(jnp.finfo(matrix.dtype).eps)

    def step(current: Matrix) -> tuple[Matrix, Array]:
        unit = jnp.exp(-jnp.linalg.slogdet(current)[1] / size)
        scaled = unit * current
        following = (scaled + jnp.linalg.solve(eta, jnp.linalg.solve(scaled.T, eta))) / 2
        change = jnp.max(jnp.abs(following - scaled)) / jnp.max(jnp.abs(following))
        return following, change

    # An error e becomes e^2 / 2: once a step is below the root of the rounding error, it was the last.
    end = iterate(step, matrix, tol=(size * eps) ** 0.5, max_steps=60)
    failed = jnp.where(end.status == Status.CONVERGED, 0, jnp.nan)
    return end.state + failed.astype(matrix.dtype)


@_lift.defjvp
def _(primals: tuple[Matrix, Matrix], tangents: tuple[Matrix, Matrix]) -> tuple[Matrix, Matrix]:
    (matrix, eta), change = primals, tangents[0]
    g = _lift(matrix, eta)

    def star(a: Matrix) -> Matrix:
        return jnp.linalg.solve(eta, a.T @ eta)

    root, turn = star(g) @ matrix, star(g) @ change
    eye = jnp.eye(len(g), dtype=g.dtype)
    sums = jnp.kron(root, eye) + jnp.kron(eye, root.T)
    skew = jnp.linalg.solve(sums, (turn - star(turn)).ravel()).reshape(g.shape)
    return g, g @ skew


@rounded_once
def orbit_distance(
    x: Float[Array, "n d"],
    y: Float[Array, "n d"],
    eta: Matrix | None = None,
    *,
    oriented: bool = False,
) -> Float[Array, ""]:
    """How far apart the orbits of two lists of vectors are, under the group that keeps a form.

    ||x eta x^T - y eta y^T||_F. It is 0 if y_i = g x_i for a g with g^T eta g = eta, and for vectors that span the
    space only then. Oriented, the squares of the differences of all determinants of d vectors are added, times
    s^(4 - 2 d) with s^2 the mean square of a vector: then g has determinant 1.

    Args:
        x: Vectors, in rows.
        y: As many vectors, in the same order and unit.
        eta: The form, symmetric: diag(1, -1, -1, -1) for the Lorentz group. By default the identity, for O(d).
        oriented: Whether g must have determinant 1, for SO(d) and SO(p, q); static.

    Returns:
        The distance, in the squared unit of the vectors.

    Raises:
        ValueError: If shapes differ, or there are more than a million determinants.

    Differentiation: exact; the derivative at a distance of 0 is 0.
    Complexity: O(n^2 d), and n! / (d! (n - d)!) determinants if oriented.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import orbit_distance
        >>> x, mirrored = jnp.array([[1.0, 2.0], [0.0, 1.0]]), jnp.array([[1.0, -2.0], [0.0, -1.0]])
        >>> float(orbit_distance(x, mirrored)), float(orbit_distance(x, mirrored, oriented=True).round(4))
        (0.0, 2.0)

    References: [NguyenOrbit2023].
    """
    x, y = checks.floats("orbit_distance", x=x, y=y)
    form = jnp.eye(jnp.shape(x)[-1], dtype=x.dtype) if eta is None else eta
    x, y, form = checks.floats("orbit_distance", x=x, y=y, eta=form)
    sizes = checks.shapes("orbit_distance", x=(x, "n d"), y=(y, "n d"), eta=(form, "d d"))
    apart = safe.norm(x @ form @ x.T - y @ form @ y.T)
    if not oriented:
        return apart
    num, size = sizes["n"], sizes["d"]
    if math.comb(num, size) > _MOST_MINORS:
        raise ValueError(
            f"orbit_distance: {num} vectors in {size} dimensions have {math.comb(num, size)} determinants; expected "
            f"at most {_MOST_MINORS}. Take fewer vectors, some that span the space."
        )
    rows = np.array(list(itertools.combinations(range(num), size)), int).reshape(-1, size)
    mean = safe.norm(jnp.concatenate([x, y])) / (2 * num) ** 0.5
    unit = jnp.where(mean == 0, 1, mean)
    minors = jnp.linalg.det((x / unit)[rows]) - jnp.linalg.det((y / unit)[rows])
    return safe.norm(jnp.stack([apart, unit * unit * safe.norm(minors)]))
