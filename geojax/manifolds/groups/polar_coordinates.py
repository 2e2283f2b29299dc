"""Polar coordinates of linear groups: they reach every matrix, which the group's exponential does not."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once
from geojax._core.trigonometric import exp_skew
from geojax.manifolds.groups.rotation_log import rotation_log
from geojax.manifolds.groups.special_orthogonal import difference

Matrix = Float[Array, "n n"]


@rounded_once
def gl_polar(a: Matrix) -> tuple[Matrix, Matrix]:
    """Rotation and symmetric positive factor of a matrix with positive determinant.

    A = R P with R in SO(n), P symmetric positive definite: unique, and smooth in A.

    Args:
        a: Matrix in GL+(n), [n, n], det a > 0.

    Returns:
        R and P, each [n, n]; NaN if det a <= 0. For A in SL(n), det P = 1.

    Raises:
        ValueError: At trace time, if `a` is not square.

    Differentiation: exact, at equal singular values too.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import gl_polar
        >>> r, p = gl_polar(jnp.diag(jnp.array([-2.0, -0.5])))
        >>> jnp.diag(r).tolist(), p.round(4).tolist()
        ([-1.0, -1.0], [[2.0, 0.0], [0.0, 0.5]])

    References: [Mironenco2024]; [Higham2008].
    """
    (a,) = checks.floats("gl_polar", a=a)
    checks.shapes("gl_polar", a=(a, "n n"))
    return polar_factors(a)


@rounded_once
def gl_exp(omega: Matrix, s: Matrix) -> Matrix:
    """Matrix with given polar coordinates: onto GL+(n), and onto SL(n) from symmetric matrices of trace 0.

    A = exp(omega) exp(s).

    Args:
        omega: Skew matrix, [n, n], in radians; its skew part is read.
        s: Symmetric matrix, [n, n]; its symmetric part is read.

    Returns:
        Matrix [n, n] of determinant exp(tr s).

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import gl_exp
        >>> turn = jnp.pi * jnp.array([[0.0, -1.0], [1.0, 0.0]])
        >>> gl_exp(turn, jnp.diag(jnp.log(jnp.array([2.0, 0.5])))).round(4).diagonal().tolist()
        [-2.0, -0.5]

    References: [Mironenco2024].
    """
    omega, s = checks.floats("gl_exp", omega=omega, s=s)
    checks.shapes("gl_exp", omega=(omega, "n n"), s=(s, "n n"))
    return exp_skew((omega - omega.T) / 2) @ linalg.expm(s)


@rounded_once
def gl_log(a: Matrix) -> tuple[Matrix, Matrix]:
    """Polar coordinates of a matrix with positive determinant, whether or not it has a real logarithm.

    The inverse of `gl_exp`:  omega = log R, all angles at most pi, and s = log P, with A = R P.

    Args:
        a: Matrix in GL+(n), [n, n], det a > 0.

    Returns:
        Skew omega and symmetric s, each [n, n]; NaN if det a <= 0. tr s = log det a.

    Raises:
        ValueError: At trace time, if `a` is not square.

    Differentiation: exact unless R turns a plane by pi, and finite then.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import gl_log
        >>> omega, s = gl_log(jnp.diag(jnp.array([-2.0, -0.5])))
        >>> round(abs(float(omega[0, 1])), 4), jnp.exp(jnp.diag(s)).round(4).tolist()
        (3.1416, [2.0, 0.5])

    References: [Mironenco2024].
    """
    (a,) = checks.floats("gl_log", a=a)
    checks.shapes("gl_log", a=(a, "n n"))
    turn, stretch = polar_factors(a)
    return turn_log(turn), linalg.logm(stretch)


@rounded_once
def affine_kernel_coords(g: Float[Array, "m m"]) -> Float[Array, " k"]:
    """Coordinates of an affine map in which a convolution kernel on the affine group may be parametrised.

    (b, omega, s) with g = [[A, b], [0, 1]] and (omega, s) = gl_log(A): a global chart of R^n x| GL+(n), in orthonormal
    coordinates of skew (|omega|_F / 2^(1/2) is their length) and of symmetric matrices.

    Args:
        g: Homogeneous matrix, [n + 1, n + 1], with det A > 0; for a kernel k(g^-1 h) the relative map.

    Returns:
        Coordinates, [n + n (n - 1) / 2 + n (n + 1) / 2]: b in units of length, angles in radians, logarithms of scales.
        NaN if det A <= 0.

    Raises:
        ValueError: At trace time, if `g` is not square.

    Differentiation: exact if that of `gl_log` is.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.spd import affine_kernel_coords
        >>> affine_kernel_coords(jnp.eye(3).at[0, 2].set(2.0)).tolist()
        [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]

    References: [Mironenco2024].
    """
    (g,) = checks.floats("affine_kernel_coords", g=g)
    checks.shapes("affine_kernel_coords", g=(g, "m m"))
    turn, stretch = polar_factors(g[:-1, :-1])
    omega, s = turn_log(turn), linalg.logm(stretch)
    low = jnp.tril_indices(len(s), -1)
    root = jnp.asarray(2**0.5, g.dtype)
    return jnp.concatenate([g[:-1, -1], omega[low], jnp.diagonal(s), root * s[low]])


def polar_factors(a):
    """R and P of A = R P; NaN without positive determinant."""
    turn = linalg.polar(a)
    # The determinant of the polar factor has the same sign, and cannot overflow or underflow.
    turn = jnp.where(jnp.linalg.det(jax.lax.stop_gradient(turn)) > 0, turn, jnp.nan)
    return turn, linalg.symmetric(turn.T @ a)


def turn_log(turn):
    """Logarithm of a rotation matrix."""
    return rotation_log(*difference(jnp.eye(len(turn), dtype=turn.dtype), turn))
