"""Programs that look like the negatives and are symmetric all the same."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.inference.gallery.example import permutation
from tests.symmetry.inference.gallery.program import (
    RAMP,
    READ_AXES,
    SQUARE,
    UNIT_AXES,
    UNITS,
    Program,
    dense,
    drop,
    fixed_by,
    space,
)

SYMMETRIC = (
    Program("units between dense layers", lambda p, h, x, i: dense(p, h), expected=(permutation(UNITS),)),
    Program(
        "reductions over units",
        lambda p, h, x, i: (
            jnp.stack([h.sum(-1), h.max(-1), h.prod(-1), jax.nn.logsumexp(h, -1)]) + dense(p, h).sum()
        ),
        expected=(permutation(UNITS), permutation(2)),
    ),
    Program(
        "softmax over units", lambda p, h, x, i: dense(p, jax.nn.softmax(h)), expected=(permutation(UNITS),)
    ),
    Program(
        "largest unit by comparison",
        lambda p, h, x, i: dense(p, jnp.where(h == h.max(-1, keepdims=True), h, 0.0)),
        expected=(permutation(UNITS),),
    ),
    Program(
        "gated halves",
        lambda p, h, x, i: (h[:, :3] * jnp.tanh(h[:, 3:])) @ p["w2"][:3] + p["w2"][3:].sum(0),
        expected=(permutation(3), permutation(3, 2)),
    ),
    Program(
        "overlapping pieces",
        lambda p, h, x, i: jnp.tanh(h[:, :4] + 2 * h[:, 2:]) @ p["w3"],
        extra=(("w3", (4, 2)), ("w2", None)),
        expected=(permutation(2),),
    ),
    Program(
        "largest of three",
        lambda p, h, x, i: h.reshape(5, 2, 3).max(-1) @ p["w2"],
        extra=(("w2", (2, 4)),),
        expected=(permutation(2), permutation(3, 2)),
    ),
    Program(
        "reshaped and back",  # S_6 is larger; reshaping is taken to mean that the factors are different things
        lambda p, h, x, i: dense(p, jnp.tanh(h.reshape(5, 2, 3)).reshape(5, UNITS)),
        expected=(permutation(2), permutation(3, 2)),
    ),
    Program(
        "running sum over examples",
        lambda p, h, x, i: dense(p, jnp.cumsum(h, 0)),
        expected=(permutation(UNITS),),
    ),
    Program(
        "examples sorted, reversed and picked",
        lambda p, h, x, i: dense(p, jnp.sort(h, axis=0)[::-1][i[:2] // 2]),
        expected=(permutation(UNITS),),
    ),
    Program(
        "uniform constants",
        lambda p, h, x, i: dense(p, h * jnp.full(UNITS, 2.0) + np.ones(UNITS)),
        expected=(permutation(UNITS),),
    ),
    Program(
        "dropout of whole examples",
        lambda p, h, x, i: dense(p, drop(p, h, (5, 1))),
        expected=(permutation(UNITS),),
    ),
    Program(
        "one scalar in two layers",
        lambda p, h, x, i: jnp.tanh(jnp.tanh(h + p["shift"]) @ p["m"] + p["shift"]) @ p["w2"],
        extra=(*SQUARE, ("shift", (1,))),
        expected=(permutation(UNITS), permutation(UNITS)),
    ),
    Program(
        "one array of zeros in two layers",
        lambda p, h, x, i: (lambda zero: jnp.tanh(jnp.tanh(h + zero) @ p["m"] + zero) @ p["w2"])(
            jnp.zeros(UNITS)
        ),
        extra=SQUARE,
        expected=(permutation(UNITS), permutation(UNITS)),
    ),
    Program(
        "one parameter in two layers",
        lambda p, h, x, i: jnp.tanh(jnp.tanh(h + p["shift"]) @ p["m"] + p["shift"]) @ p["w2"],
        extra=(*SQUARE, ("shift", (UNITS,))),
        expected=(permutation(UNITS),),
    ),
    Program(
        "function mapped over units",
        lambda p, h, x, i: dense(p, jax.vmap(lambda u: jnp.cumsum(u) - u.mean(), in_axes=1, out_axes=1)(h)),
        expected=(permutation(UNITS),),
    ),
    Program(
        "units beside inputs",
        lambda p, h, x, i: jnp.concatenate([x, h], axis=-1) @ p["w2"],
        extra=(("w2", (3 + UNITS, 2)),),
        expected=(permutation(UNITS),),
    ),
    Program(
        "unrolled residual layers",
        lambda p, h, x, i: dense(p, h + jnp.tanh(h @ p["layers"][0]) + jnp.tanh(h @ p["layers"][1])),
        extra=(("layers", (2, UNITS, UNITS)),),
        expected=(permutation(UNITS),),
    ),
    Program(
        "convolution over the other axis",
        lambda p, h, x, i: dense(p, jnp.tanh(space(h.T, RAMP[:3]).T)),
        expected=(permutation(UNITS),),
    ),
)

# True symmetries of the axes named that an analysis of axes alone may hold: found, or pinned by name.
TOLERATED = (
    fixed_by("sort", "sorted units", lambda p, h, x, i: dense(p, jnp.sort(h, -1)), axes=READ_AXES),
    fixed_by("top_k", "largest units", lambda p, h, x, i: lax.top_k(h, 3)[0], axes=READ_AXES),
    fixed_by(
        ("pad", "concatenate"),
        "padded units",
        lambda p, h, x, i: jnp.exp(jnp.pad(h, ((0, 0), (1, 1)))).sum(-1),
        axes=READ_AXES,
    ),
    fixed_by(
        ("iota", "constant"),
        "identity matrix added",
        lambda p, h, x, i: dense(p, h @ (p["m"] + jnp.eye(UNITS))),
        axes=(*UNIT_AXES, ("m", 0), ("m", 1)),
        extra=SQUARE,
    ),
)
