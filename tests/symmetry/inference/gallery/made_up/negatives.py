"""Programs whose units must stay where they are, each with the primitive that holds them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.inference.gallery.program import (
    RAMP,
    READ_AXES,
    SQUARE,
    UNIT_AXES,
    UNITS,
    dense,
    drop,
    fixed_by,
    space,
)

MASK = np.array([True, False, True, True, False, True])


def recurrence_over_units(p, h):
    last, _ = lax.scan(lambda c, unit: (jnp.tanh(0.5 * c + unit), None), jnp.zeros(h.shape[0]), h.T)
    return last[:, None] * dense(p, jnp.ones_like(h))


def window(x, padding):
    return lax.reduce_window(x, 0.0, lax.add, (3,), (1,), padding)


NEGATIVES = (
    fixed_by("cumsum", "running sum over units", lambda p, h, x, i: dense(p, jnp.cumsum(h, -1))),
    fixed_by("cumprod", "running product over units", lambda p, h, x, i: dense(p, jnp.cumprod(h, -1))),
    fixed_by("cummax", "running maximum over units", lambda p, h, x, i: dense(p, lax.cummax(h, 1))),
    fixed_by("fft", "Fourier transform over units", lambda p, h, x, i: dense(p, jnp.fft.fft(h).real)),
    fixed_by("sort", "rank of units used as a number", lambda p, h, x, i: dense(p, h * jnp.argsort(h, -1))),
    fixed_by(
        "sort",
        "constant payload sorted by units",
        lambda p, h, x, i: dense(p, lax.sort_key_val(h, jnp.broadcast_to(RAMP, h.shape))[1]),
        axes=READ_AXES,
    ),
    fixed_by(
        "argmax", "index of the largest unit", lambda p, h, x, i: jnp.argmax(h, -1) * 1.0, axes=READ_AXES
    ),
    fixed_by(
        "top_k", "indices of the largest units", lambda p, h, x, i: lax.top_k(h, 3)[1] * 1.0, axes=READ_AXES
    ),
    fixed_by("constant", "positional constant", lambda p, h, x, i: dense(p, h + RAMP)),
    fixed_by("constant", "constant mask", lambda p, h, x, i: dense(p, jnp.where(MASK, h, 0.0))),
    fixed_by("constant", "constant bounds", lambda p, h, x, i: dense(p, jnp.minimum(h, RAMP))),
    fixed_by("constant", "constant matrix", lambda p, h, x, i: dense(p, h @ np.outer(RAMP, RAMP**2))),
    fixed_by("iota", "iota multiplied in", lambda p, h, x, i: dense(p, h * lax.iota(float, UNITS))),
    fixed_by(
        "iota", "index compared", lambda p, h, x, i: dense(p, jnp.where(lax.iota(int, UNITS) < 3, h, 0.0))
    ),
    fixed_by(
        ("iota", "constant"),
        "triangular mask",
        lambda p, h, x, i: dense(p, h @ jnp.tril(p["m"])),
        axes=(*UNIT_AXES, ("m", 0), ("m", 1)),
        extra=SQUARE,
    ),
    fixed_by(("slice", "gather", "dynamic_slice"), "special unit", lambda p, h, x, i: h[:, :1] + dense(p, h)),
    fixed_by("slice", "every second unit", lambda p, h, x, i: h[:, ::2].sum(-1, keepdims=True) + dense(p, h)),
    fixed_by(
        ("slice", "concatenate", "add", "split"),
        "difference of neighbours",
        lambda p, h, x, i: dense(p, jnp.tanh(h - jnp.roll(h, 1, axis=-1))),
    ),
    fixed_by("rev", "reversed units", lambda p, h, x, i: dense(p, jnp.tanh(h + 2.0 * lax.rev(h, (1,))))),
    fixed_by("conv_general_dilated", "units as space", lambda p, h, x, i: dense(p, space(h, RAMP[:3]))),
    fixed_by(
        "reduce_window_sum",
        "pooling over units",
        lambda p, h, x, i: dense(p, lax.reduce_window(h, 0.0, lax.add, (1, 3), (1, 1), "SAME")),
    ),
    fixed_by("gather", "units picked by data", lambda p, h, x, i: dense(p, h[:, i]), axes=READ_AXES),
    fixed_by("gather", "units picked by a constant", lambda p, h, x, i: h[:, np.array([4, 1])] + dense(p, h)),
    fixed_by(
        "dynamic_slice",
        "units from a position on",
        lambda p, h, x, i: lax.dynamic_slice(h, (0, i[0] - 3), (5, 2)) + dense(p, h),
    ),
    fixed_by("scatter", "units overwritten at data", lambda p, h, x, i: dense(p, h.at[:, i[0]].set(0.0))),
    fixed_by(
        ("scatter", "dynamic_update_slice"),
        "first unit overwritten",
        lambda p, h, x, i: dense(p, lax.dynamic_update_slice(h, h[:, :1] * 0 + 2, (0, 0))),
    ),
    fixed_by(
        "scatter-add",
        "units summed by segment",
        lambda p, h, x, i: jax.ops.segment_sum(h.T, i // 3, num_segments=2).T,
        axes=READ_AXES,
    ),
    fixed_by("output", "units are outputs", lambda p, h, x, i: (h, dense(p, h))),
    fixed_by("input", "units meet an input", lambda p, h, x, i: dense(p, h * i)),
    fixed_by(
        "input",
        "one matrix on two axes",
        lambda p, h, x, i: jnp.tanh((x @ p["in"]) @ p["m"]) @ p["m"] + i,
        axes=(("m", 0), ("m", 1), ("in", 1)),
        extra=(*SQUARE, ("in", (3, UNITS))),
    ),
    fixed_by("cumsum", "ramp of a sum of ones", lambda p, h, x, i: dense(p, h * jnp.cumsum(jnp.ones(UNITS)))),
    fixed_by(
        "reduce_window_sum",
        "window of ones",
        lambda p, h, x, i: dense(p, h * window(jnp.ones(UNITS), "SAME")),
    ),
    fixed_by(
        "pad", "window of padded ones", lambda p, h, x, i: dense(p, h * jnp.pad(jnp.ones(UNITS - 2), 1))
    ),
    fixed_by(
        "conv_general_dilated",
        "convolution of ones",
        lambda p, h, x, i: dense(p, h * space(jnp.ones((1, UNITS)), np.ones(3))),
    ),
    fixed_by(
        ("pad", "reduce_window_sum"),
        "windows over padded units",
        lambda p, h, x, i: dense(
            p,
            jnp.tanh(lax.reduce_window(jnp.pad(h, ((0, 0), (1, 1))), 0.0, lax.add, (1, 3), (1, 1), "VALID")),
        ),
    ),
    fixed_by(
        "scatter",
        "ones with one other entry",
        lambda p, h, x, i: dense(p, h * jnp.ones(UNITS).at[2].set(3.0)),
    ),
    fixed_by(
        ("random_bits", "random_wrap", "threefry2x32", "iota", "constant"),
        "dropout mask from a fixed key",
        lambda p, h, x, i: dense(p, drop(p, h, (UNITS,))),
    ),
    fixed_by("scan", "units as time", lambda p, h, x, i: recurrence_over_units(p, h), axes=READ_AXES),
    fixed_by(
        "cholesky",
        "Cholesky factor",
        lambda p, h, x, i: dense(p, h @ jnp.linalg.cholesky(p["m"] @ p["m"].T)),
        axes=(*UNIT_AXES, ("m", 0)),
        extra=SQUARE,
    ),
    fixed_by(
        "reshape",
        "matrix read in another shape",
        lambda p, h, x, i: jnp.tanh(jnp.tanh(h @ p["r"]) @ p["r"].reshape(4, UNITS)) @ p["w2"],
        axes=(*UNIT_AXES, ("r", 0)),
        extra=(("r", (UNITS, 4)),),
    ),
    fixed_by(
        ("slice", "gather", "dynamic_slice", "squeeze"),
        "unrolled layers",
        lambda p, h, x, i: dense(p, jnp.tanh(jnp.tanh(h @ p["layers"][0]) @ p["layers"][1]) @ p["layers"][2]),
        axes=(("layers", 0),),
        extra=(("layers", (3, UNITS, UNITS)),),
    ),
)
