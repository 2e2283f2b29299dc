"""Functions of symmetric matrices, and the polar factor, with derivatives that are right at repeated eigenvalues.

With A = V diag(l) V^T, f(A) = V diag(f(l)) V^T has the Daleckii-Krein derivative

    Df(A)[E] = V (G * (V^T E V)) V^T,    G_ij = f[l_i, l_j] = (f(l_i) - f(l_j)) / (l_i - l_j),  f'(l_i) on ties,

and the second derivative has the second divided differences f[l_i, l_k, l_j] in the same place [Daleckii1965]. Neither
divides by a difference of eigenvalues that is small: `divided.py` sees to that. Derivatives to second order are right
at ties, in forward and reverse mode and their compositions; the third order is right if eigenvalues are distinct.
Square roots, logarithms and the polar factor are those of [Higham2008].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.matrices import divided

Matrix = Float[Array, "n n"]
Elementwise = Callable[[Array], Array]


def sym_fn(
    matrix: Matrix, f: Elementwise, df: Elementwise, *, difference: divided.Difference | None = None
) -> Matrix:
    """The function f of a symmetric matrix: V diag(f(eigenvalues)) V^T.

    Only the symmetric part of `matrix` is read, so gradients are symmetric. `f` and its derivative `df` act on
    arrays elementwise and depend on nothing traced. `difference(a, b)` is the divided difference of f in closed form;
    without it, it is computed from f and df. O(n^3), the second derivative O(n^3) memory.
    """
    difference = difference or divided.first(f, df)

    @jax.custom_jvp
    def function(a: Matrix) -> Matrix:
        values, vectors = jnp.linalg.eigh(a)
        return (vectors * f(values)) @ vectors.T

    @function.defjvp
    def _(primals: tuple[Matrix], tangents: tuple[Matrix]) -> tuple[Matrix, Matrix]:
        return function(*primals), _derivative(primals[0], tangents[0], difference)

    return function(symmetric(matrix))


def _derivative(a: Matrix, direction: Matrix, difference: divided.Difference) -> Matrix:
    """Df(a)[direction], as a linear map that keeps its own rule for being differentiated with respect to `a`.

    L = Df(a) could be applied directly, but reverse mode would then look inside and differentiate `eigh`, which is
    wrong at ties. So it is applied as the solution of a linear system: (x, y) with  y = E,  x - L y = 0  has x = L E.
    The system is symmetric as L is, and JAX differentiates solutions of linear systems through the system alone.
    """

    @jax.custom_jvp
    def apply(a: Matrix, direction: Matrix) -> Matrix:
        values, vectors = jnp.linalg.eigh(a)
        table = difference(values[:, None], values[None, :])
        return vectors @ (table * (vectors.T @ direction @ vectors)) @ vectors.T

    @apply.defjvp
    def _(primals: tuple[Matrix, Matrix], tangents: tuple[Matrix, Matrix]) -> tuple[Matrix, Matrix]:
        (a, direction), (a_dot, direction_dot) = primals, tangents
        change = _second_derivative(a, direction, a_dot, difference) + apply(a, direction_dot)
        return apply(a, direction), change

    # One stacked array, not a pair: JAX transposes a solve only if the whole right side is linear in the cotangent.
    def system(unknown: Array) -> Array:
        x, y = unknown
        return jnp.stack([y, x - apply(a, y)])

    def solve(_: Callable, right: Array) -> Array:
        first, second = right
        return jnp.stack([second + apply(a, first), first])

    right = jnp.stack([direction, jnp.zeros_like(direction)])
    return jax.lax.custom_linear_solve(system, right, solve, symmetric=True)[0]


def _second_derivative(a: Matrix, one: Matrix, two: Matrix, difference: divided.Difference) -> Matrix:
    """D^2 f(a)[one, two] = V (sum_k f[l_i, l_k, l_j] (one_ik two_kj + two_ik one_kj)) V^T in the eigenbasis."""
    values, vectors = jnp.linalg.eigh(a)
    one, two = vectors.T @ one @ vectors, vectors.T @ two @ vectors
    table = divided.second(difference)(values[:, None, None], values[None, :, None], values[None, None, :])
    half = jnp.einsum("ikj,ik,kj->ij", table, one, two) + jnp.einsum("ikj,ik,kj->ij", table, two, one)
    return vectors @ half @ vectors.T


def sqrtm(matrix: Matrix) -> Matrix:
    """Square root of a symmetric positive semidefinite matrix; NaN if an eigenvalue is clearly negative.

    Eigenvalues within n ulp of the largest below zero count as zero. On the null space the derivative is taken as 0.
    """
    return sym_fn(matrix, _clipped(jnp.sqrt), lambda s: 0.5 / jnp.sqrt(s), difference=_sqrt_difference)


def inv_sqrtm(matrix: Matrix) -> Matrix:
    """Inverse square root of a symmetric positive definite matrix; NaN or infinite if it is not definite."""

    def difference(a: Array, b: Array) -> Array:
        root_a, root_b = jnp.sqrt(a), jnp.sqrt(b)
        return -1 / (root_a * root_b * (root_a + root_b))

    return sym_fn(
        matrix, lambda s: 1 / jnp.sqrt(s), lambda s: -0.5 / (s * jnp.sqrt(s)), difference=difference
    )


def logm(matrix: Matrix) -> Matrix:
    """Logarithm of a symmetric positive definite matrix; NaN or infinite if it is not definite."""
    return sym_fn(matrix, jnp.log, lambda s: 1 / s, difference=divided.log)


def expm(matrix: Matrix) -> Matrix:
    """Exponential of a symmetric matrix."""

    def difference(a: Array, b: Array) -> Array:
        # e^b (e^(a-b) - 1) / (a - b) with a <= b, so that nothing overflows that should not.
        low, high = jnp.minimum(a, b), jnp.maximum(a, b)
        return jnp.exp(high) * safe.expm1c(low - high)

    return sym_fn(matrix, jnp.exp, jnp.exp, difference=difference)


def polar(matrix: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Orthogonal polar factor Q of a matrix of full column rank: matrix = Q P, Q^T Q = I, P symmetric positive.

    The nearest matrix with orthonormal columns. Its derivative  Q X + (I - Q Q^T) dA P^-1, where the skew X solves
    X P + P X = Q^T dA - dA^T Q, involves sums of singular values only: ties do not matter. O(m n^2).
    """
    if matrix.ndim != 2 or matrix.shape[0] < matrix.shape[1]:
        raise ValueError(
            f"polar: matrix has shape {list(matrix.shape)}; expected [m, n] with m >= n. Transpose it, and the factor."
        )
    return _polar(matrix)


@jax.custom_jvp
def _polar(a: Array) -> Array:
    left, _, right = jnp.linalg.svd(a, full_matrices=False)
    return left @ right


@_polar.defjvp
def _polar_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (a,), (a_dot,) = primals, tangents
    q = _polar(a)
    p = q.T @ a
    p = (p + p.T) / 2
    inside = q.T @ a_dot
    outside = a_dot - q @ inside
    skew = lyapunov(p, inside - inside.T)
    return q, q @ skew + jnp.linalg.solve(p, outside.T).T


def lyapunov(p: Matrix, right: Matrix) -> Matrix:
    """The solution x of x p + p x = right for symmetric positive p, differentiable to any order."""
    return _lyapunov(p, right, jnp.divide)


def lyapunov_least(p: Matrix, right: Matrix) -> Matrix:
    """The least x that solves x p + p x = right as nearly as possible, for any symmetric p.

    Sums of two eigenvalues of less than n ulp of the largest are taken as 0, and the entries of `right` there as 0 too.
    """

    def quotient(right: Matrix, sums: Matrix) -> Matrix:
        zero = jnp.abs(sums) <= 4 * len(p) * jnp.finfo(p.dtype).eps * jnp.max(jnp.abs(sums), initial=0)
        return jnp.where(zero, 0, right / jnp.where(zero, 1, sums))

    return _lyapunov(p, right, quotient)


def _lyapunov(p: Matrix, right: Matrix, quotient: Callable[[Matrix, Matrix], Matrix]) -> Matrix:
    def solve(_: Callable, right: Matrix) -> Matrix:
        values, vectors = jnp.linalg.eigh(p)
        sums = values[:, None] + values[None, :]
        return vectors @ quotient(vectors.T @ right @ vectors, sums) @ vectors.T

    return jax.lax.custom_linear_solve(lambda x: x @ p + p @ x, right, solve, symmetric=True)


@jax.custom_jvp
def triangular_inverse(lower: Matrix) -> Matrix:
    """Inverse of a lower triangular matrix by products of matrices alone: diagonal blocks of doubling size are
    inverted.

    The inverse of [[A, 0], [B, C]] has -C^-1 B A^-1 below its diagonal blocks. On CPU this is faster than a triangular
    solve of a batch, much faster if cores are busy.
    """
    n = lower.shape[0]
    places = jnp.arange(n)
    inverse = jnp.diag(1 / jnp.diagonal(lower))
    size = 1
    while size < n:
        block = places // size
        joined = (block[:, None] // 2 == block // 2) & (block[:, None] > block)
        inverse = inverse - inverse @ jnp.where(joined, lower, 0) @ inverse
        size *= 2
    return inverse


@triangular_inverse.defjvp
def _(primals: tuple[Matrix], tangents: tuple[Matrix]) -> tuple[Matrix, Matrix]:
    inverse = triangular_inverse(*primals)
    return inverse, -inverse @ jnp.tril(tangents[0]) @ inverse


def symmetric(matrix: Matrix) -> Matrix:
    """The symmetric part of a matrix."""
    return (matrix + matrix.T) / 2


def _clipped(f: Elementwise) -> Elementwise:
    """The function f, with eigenvalues that are negative by rounding alone taken as 0."""

    def clipped(values: Array) -> Array:
        slack = values.shape[-1] * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values), initial=0)
        return f(jnp.where((values < 0) & (values >= -slack), 0, values))

    return clipped


def _sqrt_difference(a: Array, b: Array) -> Array:
    total = safe.sqrt(jnp.maximum(a, 0)) + safe.sqrt(jnp.maximum(b, 0))
    zero = total == 0
    return jnp.where(zero, 0, 1 / jnp.where(zero, 1, total))


@jax.jit
def inverses(matrices: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """Inverses of matrices, one after the other.

    On CPU a batch of factorisations asks for threads of the pool on which it runs itself. If a program holds many
    batches that do not depend on each other, all of them can wait for a thread at once, for ever. One factorisation at
    a time needs no further thread.
    """
    n = matrices.shape[-1]
    return jax.lax.map(jnp.linalg.inv, matrices.reshape(-1, n, n)).reshape(matrices.shape)
