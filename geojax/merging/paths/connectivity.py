"""Linear mode connectivity: the segment between two models and the barrier of a loss on it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.struct import struct
from geojax.merging.aligned import aligned_pair
from geojax.merging.leaves import is_merged, same_model, wide
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, Scalar

__all__ = ["BarrierResult", "barrier", "interpolate"]


@struct
class BarrierResult:
    """A loss along a path between two models.

    Attributes:
        times: Where the path was looked at, [num], from 0 to 1.
        curve: The loss there, [num].
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
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """The point at time t of the segment from one model to another.

    (1 - t) a + t b  in every leaf of real or complex numbers. Integer and boolean leaves, random keys and leaves that
    are no arrays are those of params_a at every t: half a step counter means nothing.

    Args:
        params_a: The model at t = 0, any pytree.
        params_b: The model at t = 1, a tree like params_a.
        t: Time, a scalar; outside [0, 1] the line goes on.
        spec: The symmetry of the function; if given, params_b is first aligned by `weight_matching`. For a path, align
            once and leave it out.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        A tree like params_a, every leaf in its own dtype; equal to params_a at 0 and to params_b's mixed leaves at 1.

    Raises:
        ValueError: If the trees differ in structure or shapes, t is not a scalar, or there is a spec without a key.
        TypeError: If leaves differ in dtype.

    Differentiation: exact in params_a, params_b and t, with the alignment held.
    Complexity: linear in the parameters. Half-precision leaves are mixed in float32 and rounded once.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import interpolate
        >>> interpolate({"w": jnp.zeros(2)}, {"w": jnp.ones(2)}, 0.25)["w"].tolist()
        [0.25, 0.25]

    References: [Frankle2020].
    """
    same_model("interpolate", "params_b", params_b, "params_a", params_a)
    checks.shapes("interpolate", t=(t, ""))
    params_b = aligned_pair("interpolate", spec, params_a, params_b, key)

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
    The ends are among these points, so the value is never negative, and it is 0 (up to rounding) for a loss that is
    convex on the segment.

    Args:
        loss: loss(params), a scalar.
        params_a: The model at t = 0, any pytree.
        params_b: The model at t = 1, a tree like params_a, as a rule already aligned with it.
        num: Number of points, at least 2, evenly spaced.
        path: path(params_a, params_b, t), the straight segment unless another one is given, such as the segment with
            `repair` at each point.

    Returns:
        BarrierResult: `times` [num], `curve` [num] and `value`, in the units of the loss.

    Raises:
        ValueError: If the trees differ in structure or shapes, the loss is not a scalar, or num < 2.
        TypeError: If leaves differ in dtype.

    Differentiation: exact for `curve`; `value` has the derivative at its highest point (a subgradient at ties).
    Complexity: num evaluations of the loss, one after the other in one compiled loop: memory is that of one.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import barrier
        >>> wells = lambda x: jnp.minimum((x - 1) ** 2, (x + 1) ** 2)
        >>> float(barrier(wells, jnp.array(-1.0), jnp.array(1.0)).value)
        1.0

    References: [Frankle2020]; [Ainsworth2022], Sec. 2.
    """
    same_model("barrier", "params_b", params_b, "params_a", params_a)
    num = checks.count("barrier", "num", num, minimum=2)

    def at(t):
        value = loss(path(params_a, params_b, t))
        if jnp.shape(value) != ():
            raise ValueError(
                f"barrier: loss(params) has shape {list(jnp.shape(value))}; expected a scalar. "
                "Take the mean over examples inside the loss."
            )
        return jnp.asarray(value)

    dtype = jax.eval_shape(at, jax.ShapeDtypeStruct((), jnp.float32)).dtype
    times = jnp.linspace(0, 1, num, dtype=jnp.promote_types(dtype, jnp.float32))
    curve = jax.lax.map(at, times)
    chord = (1 - times) * curve[0] + times * curve[-1]
    return BarrierResult(times, curve, jnp.max(curve - chord))
