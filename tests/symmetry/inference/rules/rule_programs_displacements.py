"""Operations that mix or displace entries along an axis, met by the array itself."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

from tests.symmetry.inference.rules.rule_programs import PAIR, Program, n, on_devices, program


def displacements() -> list[Program]:
    """Operations that mix or displace entries along axis 0 and leave axis 1 alone, met by the array itself.

    Their axis 0 is the array's own again afterwards; what moves axis 1 must not depend on its index.
    """
    order = np.array([1, 0, 2])
    changes = {
        "cumulative sum": lambda x: jnp.cumsum(x, 0),
        "cumulative maximum": lambda x: lax.cummax(x, 0),
        "reversal": lambda x: x[::-1],
        "sort": lambda x: jnp.sort(x, 0),
        "argsort": lambda x: jnp.argsort(x, 0),
        "largest": lambda x: lax.top_k(x.T, 3)[0].T,
        "Fourier transform": lambda x: jnp.fft.fft(x, axis=0).real,
        "gather": lambda x: x[order],
        "batched gather": lambda x: jnp.take_along_axis(x, jnp.broadcast_to(order[:, None], (3, 4)), 0),
        "scatter": lambda x: jnp.zeros((3, 4)).at[order].add(x),
        "overwriting": lambda x: x.at[order].set(x * 2),
        "roll": lambda x: jnp.roll(x, 1, 0),
        "window": lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 1), (1, 1), "SAME"),
        "pooling": lambda x: lax.reduce_window(x, -np.inf, lax.max, (3, 1), (1, 1), "SAME"),
        "padding": lambda x: lax.pad(x, 0.0, ((1, -1, 0), (0, 0, 0))),
        "interior padding": lambda x: lax.pad(x[:2], 0.0, ((0, 0, 1), (0, 0, 0))),
        "stride": lambda x: lax.slice(jnp.concatenate([x, x]), (0, 0), (6, 4), (2, 1)),
        "product": lambda x: jnp.array([[1.0, 2, 3], [0, 1, 5], [2, 2, 1]]) @ x,
        "slice at a computed place": lambda x: lax.dynamic_slice(
            jnp.concatenate([x, x]), (jnp.argmax(x[:, 0]), jnp.argmin(x[:, 0]) * 0), (3, 4)
        ),
        "write at a computed place": lambda x: lax.dynamic_update_slice(
            jnp.concatenate([x, x]), x, (jnp.argmax(x[:, 0]), jnp.argmin(x[:, 0]) * 0)
        )[:3],
        "depthwise convolution": lambda x: (
            lax.conv_general_dilated(x.T[None], jnp.ones((4, 1, 3)), (1,), "SAME", feature_group_count=4)[0].T
        ),
        "running carry": lambda x: lax.scan(lambda c, r: (c + r, c), jnp.zeros(4), x)[1],
        "loop": lambda x: lax.fori_loop(0, 3, lambda i, c: c[::-1] * 2, x),
        "branch": lambda x: lax.cond(jnp.sum(x) > 0, lambda a: a, lambda a: a[::-1], x),
        "flattening": lambda x: jnp.cumsum(x.reshape(12)).reshape(3, 4),
        "devices": lambda x: on_devices(
            lambda a: lax.ppermute(a, "devices", [(0, 1), (1, 2), (2, 3), (3, 0)]), P("devices"), P("devices")
        )(jnp.concatenate([x, x[:1]]))[:3],
    }
    weights = np.random.default_rng(5).normal(size=(3, 3))
    return [
        *(
            program(f"{name}, and itself", lambda x, f=f: jnp.tanh(f(x) + x), n(3, 4))
            for name, f in changes.items()
        ),
        program("square product, and itself", lambda x, w: jnp.tanh(x @ w + x), n(3, 4), n(4, 4), free=PAIR),
        program(
            "square product from the left", lambda x, w: jnp.tanh(w @ x + x), n(3, 4), n(3, 3), free=PAIR
        ),
        program("square product twice", lambda x, w: jnp.tanh(x @ w @ w), n(3, 4), n(4, 4), free=PAIR),
        program(
            "convolution of one entry, and itself",
            lambda x, w: jnp.tanh(lax.conv_general_dilated(x, w, (1,), "VALID") + x),
            n(2, 3, 5),
            n(3, 3, 1),
            free=((0, 0), (0, 1), (0, 2)),
        ),
        program(
            "mixing by numbers of a batch",
            lambda x: jnp.tanh(jnp.einsum("gh,bhd->bgd", weights, x) + x),
            n(2, 3, 4),
            free=((0, 0), (0, 2)),
        ),
        program(
            "carry squared",
            lambda h, w: lax.scan(lambda c, r: (jnp.tanh(c @ r), None), h, w)[0],
            n(3, 4),
            n(5, 4, 4),
            free=((0, 0), (0, 1)),
        ),
    ]
