"""Small programs for loops, branches, devices and random numbers."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p
from jax.sharding import PartitionSpec as P

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Draw, Program, n, on_devices, program


def control() -> list[Program]:
    layer = lambda h, w: (jnp.tanh(h @ w), jnp.sum(h))
    swap = lambda i, c: (jnp.tanh(c[1]), c[0] * 2)

    @jax.custom_vjp
    def cubed(x):
        return x**3

    cubed.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x * x * g,))
    sums = on_devices(lambda x, y: lax.psum(x, "devices") + y, (P("devices"), P()), P())
    extremes = on_devices(
        lambda x, y: lax.pmax(x, "devices") * lax.pmin(y, "devices"), (P(None, "devices"), P("devices")), P()
    )
    return [
        program("jit", jax.jit(lambda x, y: (y, jax.jit(jnp.dot)(x, y))), n(3, 4), n(4, 2), free=PAIR),
        program("remat", jax.checkpoint(lambda x, y: jnp.tanh(x @ y)), n(3, 4), n(4, 2), free=PAIR),
        program("custom jvp", jax.nn.relu, n(3, 4), free=BOTH),
        program("custom vjp", cubed, n(3, 4), free=BOTH),
        program("gradient of custom vjp", jax.grad(lambda x: jnp.sum(cubed(x) ** 2)), n(3, 4), free=BOTH),
        program(
            "scan",
            lambda h, w: lax.scan(layer, h, w),
            n(3, 4),
            n(5, 4, 4),
            free=((0, 0), (0, 1), (1, 1), (1, 2)),
        ),
        program(
            "scan reversed",
            lambda h, w: lax.scan(layer, h, w, reverse=True),
            n(3, 4),
            n(5, 4, 4),
            free=((0, 0), (0, 1), (1, 1), (1, 2)),
        ),
        program(
            "scan, constants",
            lambda h, w, b: lax.scan(lambda c, row: (c + row * b, c * 2), h, w),
            n(4),
            n(3, 4),
            n(4),
            free=((0, 0), (1, 1), (2, 0)),
        ),
        program(
            "scan, hidden in each layer",
            lambda h, v, w: lax.scan(lambda c, r: (c + jnp.tanh(c @ r[0]) @ r[1], None), h, (v, w))[0],
            n(3, 4),
            n(5, 4, 6),
            n(5, 6, 4),
            free=((0, 1), (1, 2), (2, 1)),
        ),
        program(
            "scan, weights carried on",
            lambda h, b: lax.scan(lambda c, r: ((c[0] * r + c[1], r), c[1]), (h, jnp.zeros(4)), b),
            n(4),
            n(3, 4),
            free=((0, 0), (1, 1)),
        ),
        program(
            "scan, weights also outside",
            lambda w: (lax.scan(lambda c, r: (c + jnp.sum(r), r), 0.0, w), jnp.sum(w, 0)),
            n(3, 4),
            free=((0, 1),),
        ),
        program(
            "scan, numbers become a ramp",
            lambda x: x * lax.scan(lambda c, _: (jnp.cumsum(c), None), jnp.ones(4), None, length=2)[0],
            n(4),
        ),
        program("scan, counting", lambda x: lax.scan(lambda c, r: (c + 1.0, c), 0.0, x)[1] * x, n(4)),
        program(
            "scan, square",
            lambda h, w: lax.scan(lambda c, r: (c @ r, c @ c), h, w),
            n(4, 4),
            n(4, 4, 4),
            free=((0, 0), (0, 1)),
        ),
        program("swap", lambda x, y: lax.fori_loop(0, 3, swap, (x, y)), n(3, 4), n(3, 4), free=PAIR),
        program(
            "while",
            lambda x, y: lax.while_loop(lambda c: jnp.sum(c * c) < 50, lambda c: 1.5 * c + y * y, x),
            n(3, 4),
            n(3, 4),
            free=PAIR,
        ),
        program(
            "while, one entry",
            lambda x, y: lax.while_loop(lambda c: c[0] < 5, lambda c: c + 1 + y * y, x),
            n(4),
            n(4),
        ),
        program(
            "while, turning",
            lambda x: lax.while_loop(
                lambda c: jnp.sum(c[1]) < 20, lambda c: (c[0].T, c[1] + 1 + c[0] ** 2), (x, jnp.abs(x))
            ),
            n(4, 4),
            free=BOTH,
        ),
        program(
            "dynamic fori",
            lambda x, w, k: lax.fori_loop(0, k, lambda i, c: c + w[i], x),
            n(4),
            n(3, 4),
            Draw((), "int"),
            free=((0, 0), (1, 1)),
        ),
        program(
            "cond",
            lambda p, x, y: lax.cond(p, lambda a, b: (a, b), lambda a, b: (b, a * 2), x, y),
            Draw((), "bool"),
            n(3, 4),
            n(3, 4),
            free=((1, 0), (1, 1), (2, 0), (2, 1)),
        ),
        program(
            "cond, reversing",
            lambda p, x: lax.cond(p, lambda a: a, lambda a: a[::-1], x),
            Draw((), "bool"),
            n(4),
        ),
        program(
            "cond, numbers",
            lambda p, x: lax.cond(p, lambda a: a, lambda a: jnp.zeros((3, 4)), x),
            Draw((), "bool"),
            n(3, 4),
            free=((1, 0), (1, 1)),
        ),
        program(
            "cond, ramp",
            lambda p, x: x * lax.cond(p, lambda: jnp.ones(4), lambda: jnp.arange(4.0)),
            Draw((), "bool"),
            n(4),
        ),
        program(
            "switch",
            lambda k, x: lax.switch(k, [jnp.sin, jnp.cos, lambda a: a * 2], x),
            Draw((), "int"),
            n(3, 4),
            free=((1, 0), (1, 1)),
        ),
        program(
            "platform", lambda x: lax.platform_dependent(x, cpu=jnp.sin, default=jnp.sin), n(3, 4), free=BOTH
        ),
        program("device sum", sums, n(4, 3), n(1, 3), free=((0, 1), (1, 1))),
        program("device extremes", extremes, n(3, 4), n(4, 1), free=((0, 0),)),
        program(
            "device numbers",
            on_devices(lambda x: x * (1 + lax.axis_index("devices")), P("devices"), P("devices")),
            n(4, 3),
            free=((0, 1),),
        ),
        program(
            "device gather",
            on_devices(lambda x: lax.all_gather(x, "devices"), P("devices"), P("devices")),
            n(4, 3),
        ),
    ]


def randomness() -> list[Program]:
    key = Draw((), "key")
    return [
        program(
            "random mask", lambda x, k: jnp.where(jax.random.bernoulli(k, 0.5, (3, 4)), x, 0), n(3, 4), key
        ),
        program(
            "random seed",
            lambda x, s: x * jax.random.uniform(jax.random.key(s), (3, 4)),
            n(3, 4),
            Draw((), "int", 99),
        ),
        program(
            "random split",
            lambda x, k: x * jax.vmap(lambda one: jax.random.normal(one, (4,)))(jax.random.split(k, 3)),
            n(3, 4),
            key,
        ),
        program(
            "random fold", lambda x, k: x * jax.random.normal(jax.random.fold_in(k, 1), (3, 4)), n(3, 4), key
        ),
        program("random gamma", lambda x, k: x * jax.random.gamma(k, 2.0, (3, 4)), n(3, 4), key),
        program("gamma of parameters", lambda a, k: jax.random.gamma(k, a), Draw((3, 4), "unit"), key),
        program("random bits", lambda x, k: x + jax.random.bits(k, (3, 4)), n(3, 4), key),
        program("key words", lambda x, k: x * jax.random.key_data(k), n(2), key),
        program("keys' words", lambda x, k: x * jax.random.key_data(k), n(3, 2), Draw((3,), "key")),
        program(
            "key from words",
            lambda x, w: x * jax.random.normal(jax.random.wrap_key_data(w), (3,)),
            n(3),
            Draw((2,), "unsigned"),
        ),
        program("several keys", lambda x, k: jnp.where(x > 0, k, k[::-1]), n(3), Draw((3,), "key")),
        program(
            "generator", lambda x, s: x * lax.rng_bit_generator(s, (3, 4))[1], n(3, 4), Draw((4,), "unsigned")
        ),
        program(
            "threefry",
            lambda x, w: (
                x + threefry2x32_p.bind(w[0], w[1], jnp.zeros(3, np.uint32), jnp.ones(3, np.uint32))[0]
            ),
            n(3),
            Draw((2,), "unsigned"),
        ),
    ]
