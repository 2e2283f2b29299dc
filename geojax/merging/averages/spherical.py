"""Averages along spheres: each leaf as a direction and a length."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.manifolds import Sphere, frechet_mean
from geojax.merging.aligned import aligned, aligned_pair
from geojax.merging.leaves import is_merged, map_stack, same_model, stack_size, wide
from geojax.results import Status
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, Scalar

__all__ = ["KarcherResult", "karcher", "slerp"]


@struct
class KarcherResult:
    """Models averaged along spheres.

    Attributes:
        params: The merged model.
        error: Largest gradient norm over the leaves, in radians.
        num_steps: Most gradients evaluated for a leaf.
        status: The worst over the leaves.
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
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """Interpolates two models leaf by leaf along great circles.

    (sin((1 - t) w) a + sin(t w) b) / sin w,  with w the angle between the leaves as vectors: where both have the length
    r every point between has it too, while the midpoint of the chord has r cos(w / 2).

    Args:
        params_a: The model at t = 0.
        params_b: The model at t = 1, a tree like params_a.
        t: Time, a scalar, in [0, 1].
        spec: The symmetry of the function; if given, params_b is first aligned by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        A tree like params_a. Leaves that point the opposite way to rounding, or are zero in one of the models, are
        mixed along the chord. Leaves that are not real or complex are those of params_a.

    Raises:
        ValueError: If trees or shapes disagree, or there is a spec without a key.
        TypeError: If leaves differ in dtype.

    Differentiation: exact, with the alignment held; near opposite leaves it grows without bound.
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
    params_b = aligned_pair("slerp", spec, params_a, params_b, key)

    def mix(a: Any, b: Any) -> Any:
        if not is_merged(a):
            return a
        dtype = jnp.result_type(a)
        x, y = (jnp.asarray(leaf, wide(dtype)) for leaf in (a, b))
        s = jnp.asarray(t, x.real.dtype)
        first, second = _shares(x, y, s)
        return (first * x + second * y).astype(dtype)

    return jax.tree.map(mix, params_a, params_b)


def _shares(x: Array, y: Array, t: Array) -> tuple[Array, Array]:
    """What each end counts: sin((1 - t) w) / sin w and sin(t w) / sin w, or 1 - t and t where there is no circle."""
    lengths = safe.norm(jnp.abs(x)), safe.norm(jnp.abs(y))
    some = (lengths[0] > 0) & (lengths[1] > 0)
    p, q = (z / jnp.where(some, length, 1) for z, length in zip((x, y), lengths))
    apart, together = (jnp.sum(jnp.square(jnp.abs(z))) for z in (p - q, p + q))
    opposite = together <= 64 * x.size * jnp.finfo(t.dtype).eps ** 2
    circle = some & ~opposite
    squared = safe.squared_angle(jnp.where(circle, apart, 0), jnp.where(circle, together, 4))
    scale = safe.sinc_sqrt(squared)
    return tuple(jnp.where(circle, s * safe.sinc_sqrt(s * s * squared) / scale, s) for s in (1 - t, t))  # type: ignore[return-value]


def karcher(
    stack: Params,
    weights: Float[Array, " k"],
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> KarcherResult:
    """Averages models leaf by leaf on spheres: the Fréchet mean of the directions at the mean length.

    For two models with leaves of equal length it is `slerp` at the weighted time.

    Args:
        stack: The models as one tree with a leading axis of length k.
        weights: One nonnegative weight a model, [k]; only their ratios matter.
        tol: Norm of the gradient to reach on each sphere, in radians.
        max_steps: Most gradients to evaluate a leaf; static.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        KarcherResult. A leaf that is zero in some model is averaged as it is. Complex leaves count as pairs of reals.

    Raises:
        ValueError: If shapes disagree, or there is a spec without a key.

    Status: CONVERGED; MAX_STEPS, as for directions without a unique mean; NONFINITE; INFEASIBLE where a weight is
        negative or none is positive.

    Differentiation: params implicitly in stack and weights, with the alignment held; the rest not at all.
    Complexity: a handful of passes over all models.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import karcher
        >>> [round(x, 3) for x in karcher(2 * jnp.eye(2), jnp.ones(2)).params.tolist()]
        [1.414, 1.414]

    References: [Karcher1977].
    """
    count = stack_size("karcher", stack)
    checks.shapes("karcher", weights=(weights, str(count)))
    stack = aligned("karcher", spec, stack, None, key)
    ends: list[tuple[Array, Array, Array]] = []

    def merge(leaf: Array) -> Array:
        share = jnp.asarray(weights, leaf.real.dtype)
        merged, error, steps, status = _mean_leaf(leaf, share, tol, max_steps)
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
    """The mean of one leaf over the models, with error, steps and status."""
    flat = leaf.reshape(leaf.shape[0], -1)
    parts = jnp.concatenate([flat.real, flat.imag], axis=1) if jnp.iscomplexobj(leaf) else flat
    if parts.shape[1] == 0:
        zero = jnp.zeros((), jnp.int32)
        return leaf[0], jnp.zeros((), parts.dtype), zero, zero
    shares = weights / jnp.sum(weights)
    lengths = jax.vmap(safe.norm)(parts)
    some = jnp.all(lengths != 0)
    directions = parts / jnp.where(some, lengths, 1)[:, None]
    # Where a leaf has no direction any will do: the answer is not looked at.
    first = jnp.zeros(parts.shape[1], parts.dtype).at[0].set(1)
    found = frechet_mean(Sphere(), jnp.where(some, directions, first), weights, tol=tol, max_steps=max_steps)
    mean = jnp.where(some, jnp.sum(shares * lengths) * found.point, shares @ parts)
    if jnp.iscomplexobj(leaf):
        mean = jax.lax.complex(*jnp.split(mean, 2))
    return mean.reshape(leaf.shape[1:]), found.error, found.num_steps, found.status


def _worst(statuses: Array) -> Array:
    order = [Status.CONVERGED, Status.MAX_STEPS, Status.DIVERGED, Status.INFEASIBLE, Status.NONFINITE]
    rank = (
        jnp.zeros(max(order) + 1, jnp.int32).at[jnp.array(order)].set(jnp.arange(len(order), dtype=jnp.int32))
    )
    return statuses[jnp.argmax(rank[statuses])]
