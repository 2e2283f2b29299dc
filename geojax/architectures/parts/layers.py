"""Layers that the architectures share, in the layouts of torch: weights are [out, in], images are [c, h, w]."""

import functools
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks

Params = Mapping[str, Array]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "gelu_new": functools.partial(jax.nn.gelu, approximate=True),
    "gelu_fast": functools.partial(jax.nn.gelu, approximate=True),
    "gelu_pytorch_tanh": functools.partial(jax.nn.gelu, approximate=True),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jnp.tanh,
}


def wide(x: Array) -> Array:
    """The array in at least float32, in which means, variances and softmaxes are computed."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def linear(params: Params, name: str, x: Float[Array, "... n"]) -> Float[Array, "... m"]:
    """W x + b; the bias is optional."""
    y = x @ params[f"{name}.weight"].T
    bias = params.get(f"{name}.bias")
    return y if bias is None else y + bias


def linear_shapes(name: str, n: int, m: int, bias: bool = True) -> dict[str, tuple[int, ...]]:
    """Tensors of a linear map from n to m numbers."""
    return {f"{name}.weight": (m, n)} | ({f"{name}.bias": (m,)} if bias else {})


def norm_shapes(name: str, n: int) -> dict[str, tuple[int, ...]]:
    """Tensors of a norm with scale and shift."""
    return {f"{name}.weight": (n,), f"{name}.bias": (n,)}


def layer_norm(params: Params, name: str, x: Float[Array, "... n"], epsilon: float) -> Float[Array, "... n"]:
    """Mean zero and variance one over the last axis, then scaled and shifted."""
    y = wide(x)
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + epsilon)
    return y.astype(x.dtype) * params[f"{name}.weight"] + params[f"{name}.bias"]


def rms_norm(params: Params, name: str, x: Float[Array, "... n"], epsilon: float) -> Float[Array, "... n"]:
    """Mean square one over the last axis, then scaled."""
    y = wide(x)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + epsilon)
    return params[f"{name}.weight"] * y.astype(x.dtype)


def batch_norm(params: Params, name: str, x: Float[Array, "b c h w"]) -> Float[Array, "b c h w"]:
    """Each channel normalised by its running statistics, then scaled and shifted."""
    mean, variance, weight, bias = (
        params[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * weight) + bias


def convolution(
    weight: Float[Array, "m c kh kw"], x: Float[Array, "b c h w"], *, stride: int, padding: int
) -> Float[Array, "b m i j"]:
    """Cross-correlation of images with a kernel, padded with zeros, in the kernel's dtype."""
    return jax.lax.conv_general_dilated(
        x.astype(weight.dtype),
        weight,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )


def check_tokens(where: str, tokens: Array, longest: int | None = None, **others: Array | None) -> None:
    """Checks that token numbers and the arrays beside them are integers [batch, length], and not too long."""
    given = {"tokens": tokens, **{name: value for name, value in others.items() if value is not None}}
    for name, value in given.items():
        if not jnp.issubdtype(value.dtype, jnp.integer):
            raise TypeError(f"{where}: {name} has dtype {value.dtype}; expected integers, [batch, length].")
    length = checks.shapes(where, **{name: (value, "batch length") for name, value in given.items()})[
        "length"
    ]
    if longest is not None and length > longest:
        raise ValueError(
            f"{where}: tokens has length {length}; this model has {longest} positions. Shorten it."
        )


def example_tokens(longest: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shape of a small batch of token numbers, at most `longest` long."""
    return (jax.ShapeDtypeStruct((2, min(5, longest)), np.dtype(np.int32)),)


def embed(weight: Float[Array, "v n"], index: Int[Array, "..."]) -> Float[Array, "... n"]:
    """Rows of a table; an index out of range gives NaN."""
    return weight.at[index].get(mode="fill", fill_value=math.nan, wrap_negative_indices=False)
