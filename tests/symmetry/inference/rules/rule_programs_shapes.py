"""Small programs for operations that change shapes, reduce, accumulate and rank."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Draw, Program, n, program


def shapes() -> list[Program]:
    return [
        program("broadcast", lambda x: jnp.broadcast_to(x[:, None, :], (3, 5, 4)), n(3, 4), free=BOTH),
        program("broadcast one", lambda x: jnp.broadcast_to(x, (3, 4)), n(1, 4), free=((0, 1),)),
        program("tile", lambda x: lax.tile(x, (2, 3)), n(3, 4), free=BOTH),
        program("jnp tile", lambda x: jnp.tile(x, (2, 3)), n(3, 4), free=BOTH),
        program("repeat", lambda x: jnp.repeat(x, 2, axis=1), n(3, 4), free=((0, 0),)),
        program("transpose", lambda x: jnp.transpose(x, (2, 0, 1)), n(3, 4, 2), free=BOTH),
        program("squeeze", lambda x: jnp.squeeze(x, 1), n(3, 1, 4), free=((0, 0), (0, 2))),
        program("expand dims", lambda x: jnp.expand_dims(x, (0, 2)), n(3, 4), free=BOTH),
        program("merge", lambda x: jnp.reshape(x, (12,)), n(3, 4), free=BOTH),
        program("merge some", lambda x: jnp.reshape(x, (3, 8, 1)), n(3, 4, 2), free=((0, 0), (0, 1), (0, 2))),
        program("split axis", lambda x: jnp.reshape(x, (2, 3, 5)), n(6, 5), free=BOTH),
        program("regroup", lambda x: jnp.reshape(x, (6, 4)), n(2, 12), free=BOTH),
        program("regroup across", lambda x: jnp.reshape(x, (4, 3)), n(3, 4)),
        program(
            "regroup ones", lambda x: jnp.reshape(x, (1, 3, 1, 2, 2, 1)), n(3, 1, 4), free=((0, 0), (0, 2))
        ),
        program("merge itself turned", lambda x: jnp.reshape(x, 8) + jnp.reshape(x.T, 8), n(4, 2)),
        program(
            "merge itself turned square",
            lambda x: jnp.reshape(x, 16) + jnp.reshape(x.T, 16),
            n(4, 4),
            free=BOTH,
        ),
        program(
            "merge three turned",
            lambda x: jnp.reshape(x, 16) + jnp.reshape(x.transpose(1, 2, 0), 16),
            n(4, 2, 2),
        ),
        program(
            "outer with itself",
            lambda x, y, z: jnp.outer(z, z).ravel() + jnp.outer(x, y).ravel(),
            n(3),
            n(3),
            n(3),
            free=((0, 0), (1, 0), (2, 0)),
        ),
        program(
            "outer thrice",
            lambda x, y, z, w: (
                jnp.einsum("i,j,k->ijk", w, w, w).ravel() + jnp.einsum("i,j,k->ijk", x, y, z).ravel()
            ),
            n(3),
            n(3),
            n(3),
            n(3),
            free=((3, 0),),
        ),
        program(
            "outer, other factors",
            lambda x, y, z, w: jnp.outer(y, y).ravel() + jnp.einsum("i,j,k->ijk", x, w, z).ravel(),
            n(2),
            n(4),
            n(2),
            n(4),
        ),
        program("concatenate", lambda x, y: jnp.concatenate([x, y], 1), n(3, 4), n(3, 2), free=PAIR),
        program(
            "concatenate itself", lambda x, y: jnp.concatenate([x, x, y], 0) * 2, n(4, 4), n(3, 4), free=PAIR
        ),
        program(
            "concatenate numbers",
            lambda x: jnp.concatenate([jnp.zeros((3, 2)), x, jnp.ones((3, 3))], 1),
            n(3, 4),
            free=BOTH,
        ),
        program(
            "concatenate, turn, add",
            lambda x, y: jnp.concatenate([x, y]) + jnp.concatenate([y, x]),
            n(3),
            n(3),
            free=((0, 0), (1, 0)),
        ),
        program(
            "concatenate overlap",
            lambda x, y, z: jnp.concatenate([x, y]) + z,
            n(3),
            n(4),
            n(7),
            free=((0, 0), (1, 0), (2, 0)),
        ),
        program(
            "concatenate, reshape",
            lambda x, y: jnp.reshape(jnp.concatenate([x, y]), (2, 4)),
            n(4),
            n(4),
            free=((0, 0), (1, 0)),
        ),
        program(
            "concatenate, reshape other",
            lambda x, y: jnp.reshape(jnp.concatenate([x, y]), (4, 2)),
            n(4),
            n(4),
            free=((0, 0), (1, 0)),
        ),
        program(
            "concatenate heads",
            lambda x, y, w: jnp.reshape(jnp.concatenate([x, y], 1), (3, 2, 4)) * w,
            n(3, 4),
            n(3, 4),
            n(2, 4),
            free=(*PAIR, (2, 1)),
        ),
        program("stack", lambda x, y: jnp.stack([x, y], 1), n(3, 4), n(3, 4), free=PAIR),
        program("unstack", lambda x: jnp.unstack(x, axis=1), n(3, 4), free=((0, 0),)),
        program("pad", lambda x: jnp.pad(x, ((1, 2), (0, 0))), n(3, 4), free=BOTH),
        program("pad number", lambda x, y: lax.pad(x, y, ((0, 1, 0), (2, 0, 0))), n(3, 4), n(), free=BOTH),
        program("pad inside", lambda x: lax.pad(x, 0.0, ((0, 0, 0), (1, 0, 2))), n(3, 4), free=((0, 0),)),
        program("pad negative", lambda x: lax.pad(x, 0.0, ((0, 0, 0), (-1, 2, 0))), n(3, 4), free=((0, 0),)),
        program("pad then slice", lambda x, y: jnp.pad(x, (2, 1))[1:5] * y, n(4), n(4)),
        program("slice", lambda x: x[:, 1:3], n(3, 4), free=BOTH),
        program("slice one", lambda x: x[:, 2:3] + x[:, 0:1], n(3, 5), free=BOTH),
        program("slice stride", lambda x: lax.slice(x, (0, 0), (3, 6), (1, 2)), n(3, 6), free=BOTH),
        program("slice stride off", lambda x: lax.slice(x, (0, 1), (3, 6), (1, 2)), n(3, 6), free=BOTH),
        program(
            "slice stride short", lambda x: lax.slice(x, (0, 0), (3, 5), (1, 2)), n(3, 5), free=((0, 0),)
        ),
        program(
            "slice stride five of seven",
            lambda x: lax.slice(x, (0, 1), (3, 6), (1, 3)),
            n(3, 7),
            free=((0, 0),),
        ),
        program("slices overlap", lambda x: x[:, :3] * x[:, 1:], n(3, 4), free=((0, 0),)),
        program("slices of a merge", lambda x: jnp.reshape(x, 12)[4:8], n(3, 4), free=((0, 1),)),
        program("slices inside a merge", lambda x: jnp.reshape(x, 12)[5:7], n(3, 4)),
        program("roll", lambda x: jnp.roll(x, 2, 1) + x, n(3, 6), free=((0, 0),)),
        program("split", lambda x: jnp.split(x, [1, 3], axis=1), n(3, 6), free=BOTH),
        program("iota", lambda x: x * lax.broadcasted_iota(jnp.float64, (3, 4), 1), n(3, 4), free=((0, 0),)),
        program("eye", lambda x: x * jnp.eye(4), n(4, 4)),
        program("diagonal", lambda x: jnp.diagonal(x), n(4, 4)),
        program("empty", lambda x: jnp.concatenate([x, 2 * x[:, :0]], 1), n(3, 4), free=BOTH),
        program("sum of nothing", lambda x: x + jnp.sum(x[:0], 0), n(3, 4)),
    ]


def reductions() -> list[Program]:
    cases = [
        program(f.__name__, lambda x, f=f: f(x, axis=1), n(3, 4, 2), free=((0, 0), (0, 1), (0, 2)))
        for f in (jnp.sum, jnp.max, jnp.min, jnp.prod)
    ]
    cases += [
        program(f.__name__, lambda x, f=f: f(x, axis=1), Draw((3, 4), "bool"), free=BOTH)
        for f in (jnp.all, jnp.any)
    ]
    ordered = [lax.cumsum, lax.cummax, lax.cummin, lax.cumprod, lax.cumlogsumexp]
    cases += [program(f.__name__, lambda x, f=f: f(x, axis=1), n(3, 4), free=((0, 0),)) for f in ordered]
    cases += [
        program(
            f"{f.__name__} of numbers",
            lambda x, f=f: x * f(jnp.full((3, 4), 0.5), axis=1),
            n(3, 4),
            free=((0, 0),),
        )
        for f in ordered
    ]
    cases += [
        program(
            f"{f.__name__} of a row",
            lambda x, y, f=f: y * f(jnp.broadcast_to(x, (4, 3)), axis=0),
            n(3),
            n(4, 3),
            free=((0, 0), (1, 1)),
        )
        for f in ordered
    ]
    keys = lambda x, y: lax.sort((x, y), dimension=1, num_keys=1)
    return [
        *cases,
        program(
            "xor", lambda x: lax.reduce(x, np.int32(0), lax.bitwise_xor, (1,)), Draw((3, 4), "int"), free=BOTH
        ),
        program("sum all", lambda x: jnp.sum(x), n(3, 4), free=BOTH),
        program("argmax", lambda x: jnp.argmax(x, axis=1), n(3, 4), free=((0, 0),)),
        program("argmin", lambda x: jnp.argmin(x, axis=0), n(3, 4), free=((0, 1),)),
        program("reverse", lambda x: lax.rev(x, (1,)), n(3, 4), free=((0, 0),)),
        program("fft", lambda x: jnp.fft.fft(x, axis=-1), n(3, 4), free=((0, 0),)),
        program("fft of numbers", lambda x: x * jnp.fft.fft(jnp.ones((3, 4))), n(3, 4), free=((0, 0),)),
        program("rfft2", lambda x: jnp.fft.rfft2(x), n(3, 4, 4), free=((0, 0),)),
        program("irfft", lambda x: jnp.fft.irfft(x), Draw((3, 4), "complex"), free=((0, 0),)),
        program("sort", lambda x: lax.sort(x, dimension=1), n(3, 4), free=BOTH),
        program(
            "sort rows by all columns",
            lambda x, y: lax.sort((jnp.round(x), y), dimension=1, num_keys=2),
            n(3, 4),
            n(3, 4),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program("sort rows", keys, n(3, 4), n(3, 4), free=((0, 0), (1, 0))),
        program(
            "sort a uniform payload",
            lambda x, y: keys(x, jnp.broadcast_to(y, (3, 4))),
            n(3, 4),
            n(4),
            free=((0, 0),),
        ),
        program(
            "sort uniform keys",
            lambda x, y: keys(jnp.broadcast_to(y, (3, 4)), x),
            n(3, 4),
            n(4),
            free=((0, 0),),
        ),
        program("argsort", lambda x: jnp.argsort(x, axis=1), n(3, 4), free=((0, 0),)),
        program("top k", lambda x: lax.top_k(x, 2), n(3, 4), free=((0, 0),)),
        program("the largest k", lambda x: lax.top_k(x, 2)[0], n(3, 4), free=BOTH),
        program("approximate top k", lambda x: lax.approx_max_k(x, 2), n(3, 4), free=((0, 0),)),
        program(
            "pool",
            lambda x: lax.reduce_window(x, -np.inf, lax.max, (1, 2), (1, 2), "VALID"),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool min",
            lambda x: lax.reduce_window(x, np.inf, lax.min, (1, 2), (1, 1), "SAME"),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool sum",
            lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 1), (1, 1), "SAME"),
            n(3, 4),
            free=((0, 1),),
        ),
        program(
            "pool of numbers",
            lambda x: x * lax.reduce_window(jnp.ones((3, 4)), 0.0, lax.add, (1, 3), (1, 1), "SAME"),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool still, strided",
            lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 1), (1, 2), "VALID"),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool still, dilated",
            lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 1), (1, 1), "VALID", (1, 2)),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool general",
            lambda x: lax.reduce_window(x, 1.0, lambda a, b: a * b, (1, 2), (1, 1), "VALID"),
            n(3, 4),
            free=((0, 0),),
        ),
        program(
            "pool tangent",
            lambda x, v: jax.jvp(
                lambda a: lax.reduce_window(a, -np.inf, lax.max, (1, 2), (1, 2), "VALID"), (x,), (v,)
            ),
            n(3, 4),
            n(3, 4),
            free=((0, 0), (1, 0)),
        ),
        program(
            "pool gradient",
            jax.grad(lambda x: jnp.sum(lax.reduce_window(x, -np.inf, lax.max, (1, 2), (1, 2), "VALID") ** 2)),
            n(3, 4),
        ),
    ]
