"""Functional maps between shapes: linear maps of functions in eigenbases, and the point maps behind them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.loops import reachable
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base.descent import descend
from geojax.manifolds.base.euclidean import Euclidean
from geojax.typing import Key, Scalar

Map = Float[Array, "k k"]


@struct
class FunctionalMapResult:
    """A functional map found by descent.

    Attributes:
        map: The map C, [k, k].
        error: Norm of the gradient, in parts of |A| |B|.
        num_steps: Gradients evaluated.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    map: Map
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def functional_map(
    evals_a: Float[Array, " k"],
    evals_b: Float[Array, " k"],
    coef_a: Float[Array, "k q"],
    coef_b: Float[Array, "k q"],
    *,
    alpha: Scalar,
) -> Map:
    """Functional map that takes descriptors to descriptors and nearly commutes with the Laplacians.

    Minimises  |C A - B|^2 + alpha |C L_a - L_b C|^2,  row by row:
    (A A^T + alpha diag((L_a,j - L_b,i)^2)) c_i = A b_i.

    Args:
        evals_a: Eigenvalues of the Laplacian of shape a, [k], divided by a common scale.
        evals_b: The same of shape b, [k].
        coef_a: Coefficients of q descriptors in the eigenfunctions of a, [k, q].
        coef_b: The same descriptors of b, [k, q].
        alpha: Weight of the commutativity, > 0 if the descriptors alone do not determine the map.

    Returns:
        C, [k, k]: coefficients of functions on a to coefficients on b. NaN if the equations are singular.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact.

    Complexity: k systems of order k.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import functional_map
        >>> functional_map(jnp.arange(2.0), jnp.arange(2.0), jnp.eye(2), -jnp.eye(2), alpha=1.0).tolist()
        [[-1.0, 0.0], [0.0, -1.0]]

    References: [Ovsjanikov2012]; [Pierson2025].
    """
    where = "functional_map"
    evals_a, evals_b, coef_a, coef_b, alpha = checks.floats(
        where, evals_a=evals_a, evals_b=evals_b, coef_a=coef_a, coef_b=coef_b, alpha=alpha
    )
    checks.shapes(
        where,
        evals_a=(evals_a, "k"),
        evals_b=(evals_b, "k"),
        coef_a=(coef_a, "k q"),
        coef_b=(coef_b, "k q"),
        alpha=(alpha, ""),
    )
    gram = coef_a @ coef_a.T

    def row(b: Array, eigenvalue: Array) -> Array:
        return jnp.linalg.solve(gram + alpha * jnp.diag(jnp.square(evals_a - eigenvalue)), coef_a @ b)

    return jax.vmap(row)(coef_b, evals_b)


@rounded_once
def regularized_functional_map(
    coef_a: Float[Array, "k q"],
    coef_b: Float[Array, "k q"],
    regularizer_gradient: Callable[[Map], Map],
    *,
    weight: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 500,
) -> FunctionalMapResult:
    """Functional map that takes descriptors to descriptors under a learned regulariser, by descent on its gradient.

    Solves  (C A - B) A^T + weight r(C) = 0  from C = 0.

    Args:
        coef_a: Coefficients of q descriptors of shape a, [k, q].
        coef_b: The same descriptors of shape b, [k, q].
        regularizer_gradient: r, C -> gradient of the regulariser at C, [k, k], such as `score_distillation_grad` with a
            fixed key; static.
        weight: Weight of the regulariser, >= 0.
        tol: Norm of the gradient to reach, in parts of |A| |B|; or what rounding allows, if that is more.
        max_steps: Most gradients to evaluate; static.

    Returns:
        FunctionalMapResult.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: forward mode, through the steps.

    Complexity: O(k^2 q) a step beside the regulariser.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import regularized_functional_map
        >>> result = regularized_functional_map(jnp.eye(2), 3 * jnp.eye(2), lambda c: c, weight=0.5)
        >>> result.map.round(3).tolist()
        [[2.0, 0.0], [0.0, 2.0]]

    References: [Pierson2025].
    """
    where = "regularized_functional_map"
    coef_a, coef_b, weight = checks.floats(where, coef_a=coef_a, coef_b=coef_b, weight=weight)
    k = checks.shapes(where, coef_a=(coef_a, "k q"), coef_b=(coef_b, "k q"), weight=(weight, ""))["k"]

    def gradient(c: Map) -> Map:
        return (c @ coef_a - coef_b) @ coef_a.T + weight * regularizer_gradient(c)

    first = 1 / (jnp.sum(jnp.square(coef_a)) + weight)
    start = jnp.zeros((k, k), coef_a.dtype)
    unit = safe.norm(coef_a) * safe.norm(coef_b)
    unit = jnp.where(unit == 0, 1, unit)
    max_steps = checks.count(where, "max_steps", max_steps)
    tol = reachable(tol, 0, unit)
    end = descend(Euclidean(), gradient, start, length=first, unit=unit, tol=tol, max_steps=max_steps)
    return FunctionalMapResult(end.state, end.error, end.num_steps, end.status)


@rounded_once
def fmap_to_pointwise(
    functional: Float[Array, "kb ka"], phi_a: Float[Array, "n ka"], phi_b: Float[Array, "m kb"]
) -> Int[Array, " m"]:
    """Point map of a functional map: for every point of shape b, the point of shape a whose image is nearest.

    argmin_x |C phi_a(x) - phi_b(y)|  for every y.

    Args:
        functional: C, [kb, ka], coefficients on a to coefficients on b.
        phi_a: Eigenfunctions of a at its n points, [n, ka].
        phi_b: Eigenfunctions of b at its m points, [m, kb].

    Returns:
        Indices of points of a, int32 [m]; the first one if several are as near. -1 if a number is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: none; the result is an integer.

    Complexity: O(n m k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import fmap_to_pointwise
        >>> fmap_to_pointwise(jnp.eye(2), jnp.eye(2), jnp.eye(2)[::-1]).tolist()
        [1, 0]

    References: [Ovsjanikov2012].
    """
    where = "fmap_to_pointwise"
    functional, phi_a, phi_b = checks.floats(where, functional=functional, phi_a=phi_a, phi_b=phi_b)
    checks.shapes(where, functional=(functional, "kb ka"), phi_a=(phi_a, "n ka"), phi_b=(phi_b, "m kb"))
    images = phi_a @ functional.T
    # |image|^2 - 2 <image, phi_b>: the part of the squared distance that depends on x.
    costs = jnp.sum(jnp.square(images), axis=1) - 2 * phi_b @ images.T
    return jnp.where(jnp.any(jnp.isnan(costs), axis=1), -1, jnp.argmin(costs, axis=1)).astype(jnp.int32)


@rounded_once
def zoomout(
    functional: Float[Array, "k k"],
    phi_a: Float[Array, "n K"],
    phi_b: Float[Array, "m K"],
    mass_b: Float[Array, " m"],
) -> Float[Array, "K K"]:
    """Refine a small functional map by going to points and back, with one more eigenfunction each time.

    T = point map of C_j,  C_(j + 1) = phi_b^T M_b phi_a[T]  in the first j + 1 eigenfunctions, j = k .. K.

    Args:
        functional: Map to start from, [k, k], k <= K.
        phi_a: Eigenfunctions of a, [n, K], in order of their eigenvalues.
        phi_b: Eigenfunctions of b, [m, K], orthonormal for the masses.
        mass_b: Areas of the points of b, [m].

    Returns:
        Map [K, K].

    Raises:
        ValueError: At trace time, if the shapes disagree or k > K.

    Differentiation: of the last projection, with the point map held.

    Complexity: O((K - k) n m K).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import zoomout
        >>> zoomout(jnp.eye(1), jnp.eye(3), jnp.eye(3), jnp.ones(3)).shape
        (3, 3)

    References: [Melzi2019].
    """
    where = "zoomout"
    functional, phi_a, phi_b, mass_b = checks.floats(
        where, functional=functional, phi_a=phi_a, phi_b=phi_b, mass_b=mass_b
    )
    size = checks.shapes(
        where,
        functional=(functional, "k k"),
        phi_a=(phi_a, "n K"),
        phi_b=(phi_b, "m K"),
        mass_b=(mass_b, "m"),
    )
    small, large = size["k"], size["K"]
    if small > large:
        raise ValueError(
            f"{where}: functional has shape [{small}, {small}] and phi_a {large} columns; expected k <= K. Cut the map."
        )
    index = jnp.arange(large)

    def grow(c: Array, count: Array) -> tuple[Array, None]:
        """From `count` eigenfunctions to one more; the others are zero in the map, and set to zero in the bases."""
        before, after = ((index < limit).astype(c.dtype) for limit in (count, count + 1))
        points = fmap_to_pointwise(c, phi_a * before, phi_b * before)
        broken = jnp.any(points < 0)
        following = (phi_b * after * mass_b[:, None]).T @ (phi_a * after)[points]
        return jnp.where(broken, jnp.nan, following), None

    start = jnp.zeros((large, large), functional.dtype).at[:small, :small].set(functional)
    counts = jnp.minimum(jnp.arange(small, large + 1), large)
    return jax.lax.scan(grow, start, counts)[0]


@rounded_once
def score_distillation_grad(functional: Map, score: Callable[[Map, Any], Map], t: Scalar, *, key: Key) -> Map:
    """Gradient of a learned prior on functional maps, by one noised evaluation of its score.

    With z = C + t e, e standard normal, and Tweedie's estimate  D(z) = z + t^2 score(z, t)  of the map behind it, the
    gradient is  C - D(z) . Its mean is t^2 times minus the mean score; for a normal prior of variance s^2 it is
    C t^2 / (s^2 + t^2).

    Args:
        functional: C, [k, k].
        score: score(z, t) -> gradient of the log density of the maps with noise of deviation t, [k, k]; static.
        t: Standard deviation of the noise, > 0.
        key: Random key.

    Returns:
        [k, k]; the prior grows against its direction.

    Raises:
        ValueError or TypeError: At trace time, if functional is not square, or key no key.

    Differentiation: exact, through the score.

    Complexity: one evaluation of the score.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.manifolds.meshes import score_distillation_grad
        >>> still = lambda z, t: jnp.zeros_like(z)
        >>> score_distillation_grad(jnp.eye(2), still, 0.1, key=jax.random.key(0)).shape
        (2, 2)

    References: [Pierson2025]; [Poole2023].
    """
    where = "score_distillation_grad"
    checks.typed_key(where, key)
    functional, t = checks.floats(where, functional=functional, t=t)
    checks.shapes(where, functional=(functional, "k k"), t=(t, ""))
    noise = t * jax.random.normal(key, functional.shape, functional.dtype)
    noisy = functional + noise
    return -noise - jnp.square(t) * score(noisy, t)
