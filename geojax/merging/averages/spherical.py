"""Averages on spheres: each leaf is treated as a direction and a length."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.manifolds import Sphere, frechet_mean
from geojax.merging.aligned import WeightMatching, aligned, aligned_pair
from geojax.merging.leaves import coefficients, is_merged, map_stack, same_model, stack_size, wide
from geojax.results import Status
from geojax.typing import Params, Scalar

__all__ = ["KarcherResult", "karcher", "slerp"]


@struct
class KarcherResult:
    """Models averaged on spheres.

    Attributes:
        params: The merged model.
        error: Largest gradient norm over the leaves, in radians.
        num_steps: Largest number of gradients evaluated for a leaf.
        status: The worst status of a leaf.
    """

    params: Any
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def slerp(
    params_a: Params,
    params_b: Params,
    t: Scalar,
    *,
    align: WeightMatching | None = None,
) -> Params:
    """Interpolates two models leaf by leaf along great circles.

    (sin((1 - t) w) a + sin(t w) b) / sin w,  with w the angle between the leaves as vectors. If both leaves have length
    r, so has every point between them; the midpoint of the straight line has length r cos(w / 2).

    Args:
        params_a: The model at t = 0.
        params_b: The model at t = 1, a tree like params_a.
        t: Time, a scalar, in [0, 1].
        align: Whether to align first: `WeightMatching(spec, key=key)` moves params_b onto params_a.

    Returns:
        A tree like params_a. A pair of leaves that point in opposite directions up to rounding, or of which one is
        zero, is mixed along the straight line. Leaves that are not real or complex are those of params_a.

    Raises:
        ValueError: If trees or shapes disagree.
        TypeError: If leaves differ in dtype.

    Differentiation: exact, with the alignment held constant; near opposite leaves it grows without bound.
    Complexity: linear in the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import slerp
        >>> [round(x, 3) for x in slerp(jnp.array([2.0, 0.0]), jnp.array([0.0, 2.0]), 0.5).tolist()]
        [1.414, 1.414]

    References: [Shoemake1985].
    """
    same_model("slerp", "params_b", params_b, "params_a", params_a)
    checks.shapes("slerp", t=(t, ""))
    params_b = aligned_pair("slerp", align, params_a, params_b)

    def mix(a: Any, b: Any) -> Any:
        if not is_merged(a):
            return a
        dtype = jnp.result_type(a)
        x, y = (jnp.asarray(leaf, wide(dtype)) for leaf in (a, b))
        s = jnp.asarray(t, x.real.dtype)
        first, second = _slerp_weights(x, y, s)
        return (first * x + second * y).astype(dtype)

    return jax.tree.map(mix, params_a, params_b)


def _slerp_weights(x: Array, y: Array, t: Array) -> tuple[Array, Array]:
    """Weights of the two ends: sin((1 - t) w) / sin w and sin(t w) / sin w, or 1 - t and t if no circle is defined."""
    lengths = safe.norm(jnp.abs(x)), safe.norm(jnp.abs(y))
    nonzero = (lengths[0] > 0) & (lengths[1] > 0)
    p, q = (z / jnp.where(nonzero, length, 1) for z, length in zip((x, y), lengths))
    apart, together = (jnp.sum(jnp.square(jnp.abs(z))) for z in (p - q, p + q))
    opposite = together <= 64 * x.size * jnp.finfo(t.dtype).eps ** 2
    circle = nonzero & ~opposite
    squared = safe.squared_angle(jnp.where(circle, apart, 0), jnp.where(circle, together, 4))
    scale = safe.sinc_sqrt(squared)
    return tuple(jnp.where(circle, s * safe.sinc_sqrt(s * s * squared) / scale, s) for s in (1 - t, t))  # type: ignore[return-value]


def karcher(
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
    align: WeightMatching | None = None,
) -> KarcherResult:
    """Averages models leaf by leaf on spheres: the Fréchet mean of the directions at the mean length.

    For two models with leaves of equal length it is `slerp` at t = w_2 / (w_1 + w_2).

    Args:
        stack: The models, a list of k, or one tree with a leading axis of length k.
        weights: One nonnegative weight for each model, [k]; only their ratios matter. If None, all count alike.
        tol: Norm of the gradient on each sphere at which to stop, in radians.
        max_steps: Largest number of gradients to evaluate for a leaf; static.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first.

    Returns:
        KarcherResult. A leaf that is zero in some model is the plain weighted mean. Complex leaves count as pairs of
        reals.

    Raises:
        ValueError: If shapes disagree.

    Status: CONVERGED; MAX_STEPS, for example if the directions have no unique mean; NONFINITE; INFEASIBLE if a weight
        is negative or none is positive.

    Differentiation: params implicitly in stack and weights, with the alignment held constant; the rest is constant.
    Complexity: a few passes over all models.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import karcher
        >>> [round(x, 3) for x in karcher(2 * jnp.eye(2)).params.tolist()]
        [1.414, 1.414]

    References: [Karcher1977].
    """
    stack = aligned("karcher", align, stack)
    weights = coefficients("karcher", weights, stack_size("karcher", stack))
    ends: list[tuple[Array, Array, Array]] = []

    def merge(leaf: Array) -> Array:
        of_leaf = weights.astype(leaf.real.dtype)
        merged, error, steps, status = _mean_leaf(leaf, of_leaf, tol, max_steps)
        ends.append((error, steps, status))
        return merged

    params = map_stack(merge, stack)
    errors, steps, statuses = zip(*ends)
    dtype = jnp.result_type(*errors)
    return KarcherResult(
        params,
        jnp.max(jnp.stack([error.astype(dtype) for error in errors])),
        jnp.max(jnp.stack(steps)),
        _worst(jnp.stack(statuses)),
    )


def _mean_leaf(leaf: Array, weights: Array, tol: Scalar, max_steps: int):
    """The mean of one leaf over the models, with error, number of steps and status."""
    flat = leaf.reshape(leaf.shape[0], -1)
    parts = jnp.concatenate([flat.real, flat.imag], axis=1) if jnp.iscomplexobj(leaf) else flat
    if parts.shape[1] == 0:
        zero = jnp.zeros((), jnp.int32)
        return leaf[0], jnp.zeros((), parts.dtype), zero, zero
    shares = weights / jnp.sum(weights)
    lengths = jax.vmap(safe.norm)(parts)
    nonzero = jnp.all(lengths != 0)
    directions = parts / jnp.where(nonzero, lengths, 1)[:, None]
    # If a leaf has no direction, any will do: the mean direction is not used then.
    first = jnp.zeros(parts.shape[1], parts.dtype).at[0].set(1)
    result = frechet_mean(
        Sphere(), jnp.where(nonzero, directions, first), weights, tol=tol, max_steps=max_steps
    )
    mean = jnp.where(nonzero, jnp.sum(shares * lengths) * result.point, shares @ parts)
    if jnp.iscomplexobj(leaf):
        mean = jax.lax.complex(*jnp.split(mean, 2))
    return mean.reshape(leaf.shape[1:]), result.error, result.num_steps, result.status


def _worst(statuses: Array) -> Array:
    """The status that says most: a NaN in one leaf counts more than a missing step in another."""
    order = [Status.CONVERGED, Status.MAX_STEPS, Status.DIVERGED, Status.INFEASIBLE, Status.NONFINITE]
    rank = (
        jnp.zeros(max(order) + 1, jnp.int32).at[jnp.array(order)].set(jnp.arange(len(order), dtype=jnp.int32))
    )
    return statuses[jnp.argmax(rank[statuses])]
