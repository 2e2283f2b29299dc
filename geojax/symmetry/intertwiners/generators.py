"""commutant: the linear maps that commute with any group, from matrices that generate it."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks

DIRECT = 600
"""Up to as many entries of a map its equations are written out and decomposed."""

PROBES = 8
"""Random maps that are projected at once, to begin with."""

MOST_STEPS = 5000
"""Steps of conjugate gradients before giving up."""


def commutant(
    generators_in: Float[Array, "g m m"] | Sequence[Float[Array, "m m"]],
    generators_out: Float[Array, "g n n"] | Sequence[Float[Array, "n n"]] | None = None,
    *,
    tol: float | None = None,
) -> Float[Array, "count n m"]:
    """An orthonormal basis of the linear maps that commute with a group given by generators.

    {W : B_i W = W A_i for every i},  <W, W'> = trace(W^T W')

    A_i and B_i may be elements of a group, how it moves inputs and outputs, or elements of a Lie algebra, or some of
    each: the equation is the same. So this is for groups that are no kind of a spec, cyclic ones, Lorentz
    transformations, irreducible representations; `linear_maps` is for those that are.

    Args:
        generators_in: Matrices A_i, how each generator acts on the input.
        generators_out: Matrices B_i, as many, in the same order; those of the input by default.
        tol: Largest ||B W - W A||, for maps and generators of norm one, that counts as zero. By default the root of
            the rounding of the generators' dtype.

    Returns:
        The basis. How many maps there are depends on the values, so this runs on the host, outside of `jit`.

    Raises:
        TypeError: Under `jit`, `vmap` or `grad`.
        ValueError: If shapes do not fit or numbers are not finite; or if some maps nearly commute, so that the number
            of those that do is not clear at this tolerance.

    Differentiation: none; computed on the host, in float64.
    Complexity: O((n m)^3) up to 600 entries of a map. Beyond that the projections of random maps, by conjugate
        gradients: products with the generators, and memory for as many maps as are found.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> shift = jnp.roll(jnp.eye(4), 1, axis=0)
        >>> gj.symmetry.commutant([shift]).shape  # the circulant matrices
        (4, 4, 4)

    References: [Finzi2021]
    """
    dtype, a = _matrices("generators_in", generators_in)
    other, b = (dtype, a) if generators_out is None else _matrices("generators_out", generators_out)
    if len(a) != len(b):
        raise ValueError(
            f"commutant: there are {len(a)} generators_in and {len(b)} generators_out; expected pairs, each generator "
            "as it acts on the input and on the output."
        )
    dtype = jnp.promote_types(dtype, other)
    rounding = float(np.sqrt(jnp.finfo(dtype).eps))
    limit = rounding if tol is None else float(tol)
    scale = np.maximum(np.linalg.norm(a, 2, (1, 2)), np.linalg.norm(b, 2, (1, 2)))
    scale = np.where(scale > 0, scale, 1)[:, None, None]
    a, b = a / scale, b / scale
    basis = _direct(a, b, limit) if a.shape[1] * b.shape[1] <= DIRECT else _projected(a, b, limit)
    return jnp.asarray(basis.reshape(-1, b.shape[1], a.shape[1]), dtype)


def _matrices(name: str, generators: Sequence[Array] | Array) -> tuple[jnp.dtype, np.ndarray]:
    """The generators' dtype, and the generators in float64."""
    checks.arrays_only("commutant", name, list(generators))
    shapes = {jnp.shape(g) for g in generators}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"commutant: {name} has the shapes {sorted(shapes)}; expected one or more square matrices of one size."
        )
    (stack,) = checks.floats("commutant", **{name: jnp.stack([jnp.asarray(g) for g in generators])})
    values = np.asarray(stack, np.float64)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"commutant: {name} holds numbers that are not finite.")
    return stack.dtype, values


def _direct(a: np.ndarray, b: np.ndarray, limit: float) -> np.ndarray:
    """The null space of the equations, written out."""
    n, m = b.shape[1], a.shape[1]
    equations = np.concatenate(
        [np.kron(y, np.eye(m)) - np.kron(np.eye(n), x.T) for x, y in zip(a, b, strict=True)]
    )
    _, values, rows = np.linalg.svd(equations, full_matrices=False)
    values = np.concatenate([values, np.zeros(n * m - len(values))])
    _check_gap(values, limit)
    return rows[values[: len(rows)] <= limit]


def _projected(a: np.ndarray, b: np.ndarray, limit: float) -> np.ndarray:
    """The span of the projections of random maps to the null space, more and more until they are dependent."""
    n, m = b.shape[1], a.shape[1]
    rng = np.random.default_rng(0)
    found = np.zeros((0, n, m))
    count = PROBES
    while True:
        probes = rng.normal(size=(min(count, n * m), n, m))
        probes -= np.einsum("kij,lij,lpq->kpq", probes, found, found)
        projected = _null_part(probes, a, b, limit) / np.sqrt(n * m)
        _, values, rows = np.linalg.svd(projected.reshape(len(projected), -1), full_matrices=False)
        # A random map has a component of order one along each map that is left; others leave what CG has not removed.
        kept = rows[values > 1e-3 / np.sqrt(n * m)].reshape(-1, n, m)
        found = np.concatenate([found, kept])
        if len(kept) < len(probes) or len(found) >= n * m:
            break
        count *= 2
    flat = np.linalg.qr(found.reshape(len(found), -1).T)[0].T
    basis = flat.reshape(-1, n, m)
    left = np.sqrt(sum(np.sum((y @ basis - basis @ x) ** 2, (1, 2)) for x, y in zip(a, b, strict=True)))
    if np.any(left > limit):
        raise ValueError(
            f"commutant: maps commute to {np.max(left):.1e} only, above tol = {limit:.1e}, so their number is not "
            "clear. Pass generators in float64, or a larger tol."
        )
    return flat


def _null_part(probes: np.ndarray, a: np.ndarray, b: np.ndarray, limit: float) -> np.ndarray:
    """Probes X less L^+ L X, by conjugate gradients, for  L W = sum_i B_i^T (B_i W - W A_i) - (B_i W - W A_i) A_i^T."""

    def apply(w: np.ndarray) -> np.ndarray:
        result = np.zeros_like(w)
        for x, y in zip(a, b, strict=True):
            left = y @ w - w @ x
            result += y.T @ left - left @ x.T
        return result

    def dot(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.sum(u * v, (1, 2), keepdims=True)

    x = probes.copy()
    residual = -apply(x)  # conjugate gradients for L x = 0 keep the part of the start in the null space
    direction, power = residual, dot(residual, residual)
    # A part that commutes to s has a residual of s^2: what is within the limit is never removed.
    goal = max(1e-15, 1e-2 * limit**2) ** 2 * dot(probes, probes)
    for _ in range(MOST_STEPS):
        if np.all(power <= goal):
            return x
        image = apply(direction)
        curvature = dot(direction, image)
        step = np.where(curvature > 0, power / np.where(curvature > 0, curvature, 1), 0)
        x = x + step * direction
        residual = residual - step * image
        new = dot(residual, residual)
        direction = residual + np.where(power > 0, new / np.where(power > 0, power, 1), 0) * direction
        power = new
    raise ValueError(
        f"commutant: conjugate gradients did not reach tol = {limit:.1e} in {MOST_STEPS} steps, as some maps nearly "
        "commute. Pass a larger tol, or generators that are farther from the identity."
    )


def _check_gap(values: np.ndarray, limit: float) -> None:
    near = values[(values > limit / 10) & (values <= 10 * limit)]
    if near.size:
        raise ValueError(
            f"commutant: {near.size} maps commute to {near.max():.1e}, which is neither well below nor well above "
            f"tol = {limit:.1e}, so their number is not clear. Pass generators in float64, or another tol."
        )
