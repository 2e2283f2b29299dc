"""Linear mode connectivity: the segment between two models and the barrier of a loss on it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.struct import struct
from geojax.merging.aligned import WeightMatching, aligned_pair
from geojax.merging.leaves import callable_first, is_merged, same_model, scalar_loss, wide
from geojax.typing import Params, Scalar

__all__ = ["BarrierResult", "barrier", "interpolate"]


@struct
class BarrierResult:
    """A loss along a path between two models.

    Attributes:
        times: Times at which the loss was evaluated, [num], from 0 to 1.
        curve: The loss at these times, [num].
        value: The barrier: how far the curve rises above the chord between its ends.
    """

    times: Float[Array, " num"]
    curve: Float[Array, " num"]
    value: Float[Array, ""]


def interpolate(
    params_a: Params,
    params_b: Params,
    t: Scalar,
    *,
    align: WeightMatching | None = None,
) -> Params:
    """The point at time t of the segment from one model to another.

    (1 - t) a + t b  in every array of real or complex numbers. Every other leaf (integers, booleans, random keys,
    functions, Python numbers) is that of params_a at every t: half a step counter means nothing.

    Args:
        params_a: The model at t = 0, any pytree.
        params_b: The model at t = 1, a tree like params_a.
        t: Time, a scalar; outside [0, 1] the line goes on.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves params_b onto params_a. For a
            path, align once beforehand.

    Returns:
        A tree like params_a, every leaf in its own dtype. At t = 0 it is params_a; at t = 1 its real and complex leaves
        are those of params_b.

    Raises:
        ValueError: If the trees differ in structure, shapes or real Python numbers, or t is not a scalar.
        TypeError: If leaves differ in dtype.

    Differentiation: exact in params_a, params_b and t, with the alignment held constant.
    Complexity: linear in the parameters. Half precision is mixed in float32 and rounded once.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import interpolate
        >>> interpolate({"w": jnp.zeros(2)}, {"w": jnp.ones(2)}, 0.25)["w"].tolist()
        [0.25, 0.25]

    References: [Frankle2020].
    """
    same_model("interpolate", "params_b", params_b, "params_a", params_a)
    checks.shapes("interpolate", t=(t, ""))
    params_b = aligned_pair("interpolate", align, params_a, params_b)

    def mix(a, b):
        if not is_merged(a):
            return a
        dtype = jnp.result_type(a)
        s = jnp.asarray(t, wide(dtype))
        return ((1 - s) * jnp.asarray(a, s.dtype) + s * jnp.asarray(b, s.dtype)).astype(dtype)

    return jax.tree.map(mix, params_a, params_b)


def barrier(
    loss: Callable[[Params], Array],
    params_a: Params,
    params_b: Params,
    *,
    num: int = 25,
    path: Callable[[Params, Params, Array], Params] = interpolate,
) -> BarrierResult:
    """The loss barrier between two models: the highest rise of the loss along a path above the chord of its ends.

    max over t of  loss(path(t)) - (1 - t) loss(path(0)) - t loss(path(1)),  t = 0, 1/(num-1), ..., 1.
    The ends are among these points, so the value is never negative. It is 0 up to rounding for a loss that is convex on
    the segment.

    Args:
        loss: loss(params), a scalar.
        params_a: The model at t = 0, any pytree.
        params_b: The model at t = 1, a tree like params_a, usually already aligned with it.
        num: Number of points, at least 2, evenly spaced; static.
        path: path(params_a, params_b, t) returns the model at time t. The default is the straight segment; another path
            is the segment with `repair` at each point.

    Returns:
        BarrierResult: `times` [num], `curve` [num] and `value`, in the units of the loss.

    Raises:
        ValueError: If the trees differ in structure or shapes, the loss is not a scalar, or num < 2.
        TypeError: If leaves differ in dtype.

    Differentiation: exact for `curve`; `value` has the derivative at the highest point (a subgradient at ties).
    Complexity: num evaluations of the loss, one after another in one compiled loop, in the memory of one.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import barrier
        >>> wells = lambda x: jnp.minimum((x - 1) ** 2, (x + 1) ** 2)
        >>> float(barrier(wells, jnp.array(-1.0), jnp.array(1.0)).value)
        1.0

    References: [Frankle2020]; [Ainsworth2022], Sec. 2.
    """
    callable_first("barrier", "loss", loss, "params_a, params_b")
    same_model("barrier", "params_b", params_b, "params_a", params_a)
    num = checks.count("barrier", "num", num, minimum=2)

    def at(t):
        value = loss(path(params_a, params_b, t))
        return scalar_loss("barrier", value)

    dtype = jax.eval_shape(at, jax.ShapeDtypeStruct((), jnp.float32)).dtype
    times = jnp.linspace(0, 1, num, dtype=jnp.promote_types(dtype, jnp.float32))
    curve = jax.lax.map(at, times)
    chord = (1 - times) * curve[0] + times * curve[-1]
    return BarrierResult(times, curve, jnp.max(curve - chord))
