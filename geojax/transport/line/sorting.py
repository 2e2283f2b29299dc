"""Sorting along the last axis, on CPU with numpy's vectorised sort; the derivative is a gather.

XLA's sort on CPU compares one pair of numbers at a time. numpy's is tens of times faster and reads the operand in
place. Other platforms use XLA's. Both put NaN last.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Float, Int, Num

from geojax._core.loops import vary_with


@jax.custom_jvp
def ascending(values: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """The values in ascending order; tangents are put in the same order, those of equal values in some fixed order."""
    return _ascending(values)


@ascending.defjvp
def _(primals, tangents):
    (values,), (change,) = primals, tangents
    order = argsort(values)

    def gathered(x: Array) -> Array:
        return jnp.take_along_axis(x, order, axis=-1, mode="promise_in_bounds")

    return gathered(values), gathered(change)


def argsort(values: Num[Array, "*batch n"]) -> Int[Array, "*batch n"]:
    """Indices that sort the values in ascending order; equal values are in some fixed order."""
    return _argsort(jax.lax.stop_gradient(values))


@jax.jit
def _ascending(values: Array) -> Array:
    return jax.lax.platform_dependent(
        values, cpu=_ascending_on_host, default=lambda v: jnp.sort(v, axis=-1, stable=False)
    )


@jax.jit
def _argsort(values: Array) -> Array:
    return jax.lax.platform_dependent(values, cpu=_argsort_on_host, default=_argsort_on_device)


def _ascending_on_host(values: Array) -> Array:
    result = jax.ShapeDtypeStruct(values.shape, values.dtype)
    # Inside shard_map the result of a callback must be declared to vary over the mesh like its operand.
    return vary_with(buffer_callback(_fill_ascending, result, vmap_method="broadcast_all")(values), values)


def _argsort_on_host(values: Array) -> Array:
    result = jax.ShapeDtypeStruct(values.shape, jnp.int32)
    return vary_with(buffer_callback(_fill_order, result, vmap_method="broadcast_all")(values), values)


def _argsort_on_device(values: Array) -> Array:
    return vary_with(jnp.argsort(values, axis=-1).astype(jnp.int32), values)


def _fill_ascending(_, out, values) -> None:
    """Sort on the host. Only numpy may be used here: the device waits for the callback."""
    out = np.asarray(out)
    out[...] = np.asarray(values)
    out.sort(axis=-1)


def _fill_order(_, out, values) -> None:
    """Sort indices on the host."""
    np.asarray(out)[...] = np.argsort(np.asarray(values), axis=-1)
