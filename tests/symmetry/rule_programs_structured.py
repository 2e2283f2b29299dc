"""Small programs for products, positions, loops, devices and random numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p
from jax.sharding import PartitionSpec as P

from tests.symmetry.rule_programs import BOTH, PAIR, Draw, Program, mesh, n, program


def dot(contracting, batch=((), ())):
    return lambda x, y: lax.dot_general(x, y, (contracting, batch))


def products() -> list[Program]:
    window = functools.partial(lax.conv_general_dilated, window_strides=(1,), padding="SAME")
    narrow = functools.partial(lax.conv_general_dilated, window_strides=(1,), padding="VALID")
    nwc = ("NWC", "WIO", "NWC")
    spd = lambda x: jnp.einsum("bij,bkj->bik", x, x) + jnp.eye(4)
    factor = lambda x: jnp.tril(x) + 3 * jnp.eye(4)
    matrices = {
        "cholesky": lambda x: jnp.linalg.cholesky(spd(x)),
        "eigh": lambda x: jnp.linalg.eigvalsh(spd(x)),
        "eig": lambda x: jnp.linalg.eigvals(x),
        "qr": lambda x: jnp.linalg.qr(x),
        "qr columns": lambda x: lax.linalg.qr(x, pivoting=True),
        "svd": lambda x: jnp.linalg.svd(x, compute_uv=False),
        "lu": lambda x: lax.linalg.lu(x),
        "schur": lambda x: lax.linalg.schur(x),
        "hessenberg": lambda x: lax.linalg.hessenberg(x),
        "tridiagonal": lambda x: lax.linalg.tridiagonal(spd(x)),
        "triangular solve": lambda x: lax.linalg.triangular_solve(factor(x), x, lower=True),
        "determinant": lambda x: jnp.linalg.det(x),
    }
    contractions = [
        ("matrix product", dot(((1,), (0,))), n(3, 4), n(4, 5)),
        ("product, first axes", dot(((0,), (0,))), n(4, 3), n(4, 5)),
        ("product, last axes", dot(((1,), (1,))), n(3, 4), n(5, 4)),
        ("product, turned", dot(((0,), (1,))), n(4, 3), n(5, 4)),
        ("product, square", dot(((1,), (0,))), n(4, 4), n(4, 4)),
        ("outer product", dot(((), ())), n(3, 4), n(4, 3)),
        ("inner product", dot(((0, 1), (1, 0))), n(3, 4), n(4, 3)),
        ("elementwise product", dot(((), ()), ((0, 1), (0, 1))), n(3, 4), n(3, 4)),
    ]
    deep = tuple((k, axis) for k in range(2) for axis in range(3))
    return [
        *(program(name, f, *draws, free=PAIR) for name, f, *draws in contractions),
        program("batched product", dot(((2,), (1,)), ((0,), (0,))), n(3, 4, 5), n(3, 5, 4), free=deep),
        program(
            "batched product, equal sizes", dot(((1,), (2,)), ((0,), (1,))), n(4, 4, 4), n(4, 4, 4), free=deep
        ),
        program("two batch axes", dot(((), ()), ((0, 2), (1, 0))), n(3, 2, 4), n(4, 3, 5), free=deep),
        program(
            "heads",
            lambda x, y: jnp.einsum("thd,shd->hts", x.reshape(3, 2, 4), y.reshape(3, 2, 4)),
            n(3, 8),
            n(3, 8),
            free=PAIR,
        ),
        program("two products, one axis", lambda x, y: (x @ y, jnp.max(x, 1)), n(3, 4), n(4, 3), free=PAIR),
        program("Gram", lambda x: x @ x.T, n(3, 4), free=BOTH),
        program("square", lambda x: x @ x, n(4, 4), free=BOTH),
        program("trace", lambda x: jnp.trace(x), n(4, 4)),
        program("product with numbers", lambda x: jnp.ones((2, 3)) @ x, n(3, 4), free=BOTH),
        program("product with zeros", lambda x, y: jnp.zeros((2, 3)) @ x + y, n(3, 4), n(2, 4), free=PAIR),
        program(
            "product of concatenated",
            lambda x, y, z: jnp.concatenate([x, y], 1) @ z,
            n(3, 4),
            n(3, 2),
            n(6, 2),
            free=PAIR,
        ),
        program(
            "convolution",
            lambda x, w: window(x, w),
            n(2, 3, 5),
            n(4, 3, 3),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "convolution NWC",
            lambda x, w: window(x, w, dimension_numbers=nwc),
            n(2, 5, 3),
            n(3, 3, 4),
            free=((0, 0), (0, 2), (1, 1), (1, 2)),
        ),
        program(
            "convolution, strides",
            lambda x, w: lax.conv_general_dilated(x, w, (2, 1), "VALID", rhs_dilation=(1, 2)),
            n(2, 3, 5, 5),
            n(4, 3, 2, 2),
            free=((0, 1), (1, 0), (1, 1)),
        ),
        program(
            "convolution of numbers",
            lambda w, y: y * window(jnp.ones((2, 3, 5)), w),
            n(4, 3, 3),
            n(2, 4, 5),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "convolution, one by one",
            lambda x, w: narrow(x, w),
            n(2, 3, 5),
            n(4, 3, 1),
            free=((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)),
        ),
        program(
            "convolution, one by one, strided",
            lambda x, w: lax.conv_general_dilated(x, w, (2,), "VALID"),
            n(2, 3, 5),
            n(4, 3, 1),
            free=((0, 1), (1, 0)),
        ),
        program(
            "convolution, one by one, dilated",
            lambda x, w: lax.conv_general_dilated(x, w, (1,), [(0, 0)], lhs_dilation=(2,)),
            n(2, 3, 5),
            n(4, 3, 1),
            free=((0, 1), (1, 0)),
        ),
        program(
            "transposed convolution",
            lambda x, w: lax.conv_transpose(x, w, (2,), "SAME", dimension_numbers=nwc),
            n(2, 5, 3),
            n(3, 3, 4),
            free=((0, 0), (0, 2), (1, 1), (1, 2)),
        ),
        program(
            "grouped convolution",
            lambda x, w: window(x, w, feature_group_count=2),
            n(2, 6, 5),
            n(4, 3, 3),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "grouped convolution, square",
            lambda x, w: window(x, w, feature_group_count=2),
            n(4, 4, 4),
            n(4, 2, 2),
            free=((0, 0), (0, 1), (1, 0), (1, 1)),
        ),
        program(
            "depthwise convolution",
            lambda x, w: window(x, w, feature_group_count=4),
            n(2, 4, 5),
            n(8, 1, 3),
            free=((0, 0), (0, 1), (1, 0)),
        ),
        program("batch groups", lambda x, w: narrow(x, w, batch_group_count=2), n(4, 3, 5), n(6, 3, 2)),
        program(
            "convolution, flat output",
            lambda x, w, v: window(x, w).reshape(2, 20) @ v,
            n(2, 3, 5),
            n(4, 3, 3),
            n(20, 3),
            free=((1, 0), (2, 1)),
        ),
        *(program(name, f, n(3, 4, 4), free=((0, 0),)) for name, f in matrices.items()),
        program(
            "householder",
            lambda a, t: lax.linalg.householder_product(a, t),
            n(3, 4, 4),
            n(3, 4),
            free=((0, 0), (1, 0)),
        ),
        program(
            "rank one update",
            lambda a, w: lax.linalg.cholesky_update(jnp.triu(a) + 3 * jnp.eye(4), w),
            n(4, 4),
            n(4),
        ),
        program(
            "tridiagonal solve",
            lambda a, b: lax.linalg.tridiagonal_solve(a, 5 + a, a, b),
            n(3, 4),
            n(3, 4, 2),
        ),
        program(
            "tridiagonal solve, batches",
            lambda a, b: lax.linalg.tridiagonal_solve(a, 5 + a, a, b),
            n(3, 2, 4),
            n(3, 2, 4, 2),
            free=((0, 0), (1, 0)),
        ),
        program("pivots", lambda x: lax.linalg.lu_pivots_to_permutation(x, 4), Draw((3, 4), "int", 4)),
        program("inverse", lambda x: jnp.linalg.inv(spd(x)), n(3, 4, 4)),
        program(
            "solve with one matrix",
            lambda a, b: jax.vmap(lambda c: jnp.linalg.solve(a @ a.T + jnp.eye(4), c))(b),
            n(4, 4),
            n(3, 4),
        ),
    ]


def gather(offset, collapsed, start, sizes, batching=(), index_batching=()):
    numbers = lax.GatherDimensionNumbers(offset, collapsed, start, batching, index_batching)
    return lambda x, i: lax.gather(x, i, numbers, sizes)


def scatter(window, inserted, dims, batching=(), index_batching=(), function=lax.scatter):
    numbers = lax.ScatterDimensionNumbers(window, inserted, dims, batching, index_batching)
    return lambda x, i, u: function(x, i, u, numbers)


def positions() -> list[Program]:
    rows = scatter((1,), (0,), (0,), function=lax.scatter_add)
    whole = Draw((5, 1), "int", 3)
    writes = [lax.scatter_add, lax.scatter_sub, lax.scatter_mul, lax.scatter_max, lax.scatter_min]
    return [
        program("take rows", lambda x, i: x[i], n(3, 4), Draw((5,), "int"), free=((0, 1), (1, 0))),
        program(
            "take columns", lambda x, i: x[:, i], n(4, 3), Draw((2, 5), "int"), free=((0, 0), (1, 0), (1, 1))
        ),
        program(
            "take pairs", gather((), (0, 1), (0, 1), (1, 1)), n(3, 3), Draw((4, 2), "int"), free=((1, 0),)
        ),
        program("take pairs, turned", gather((), (0, 1), (1, 0), (1, 1)), n(3, 3), Draw((2, 2), "int")),
        program(
            "take boxes", gather((1, 2), (), (0, 1), (2, 3)), n(3, 4), Draw((4, 2), "int", 2), free=((1, 0),)
        ),
        program(
            "take whole rows",
            gather((1,), (0,), (0,), (1, 4)),
            n(4, 4),
            Draw((4, 1), "int"),
            free=((0, 1), (1, 0)),
        ),
        program(
            "take offset first",
            gather((0,), (0,), (0,), (1, 4)),
            n(4, 4),
            Draw((4, 1), "int"),
            free=((0, 1), (1, 0)),
        ),
        program(
            "take along",
            lambda x, i: jnp.take_along_axis(x, i, 1),
            n(3, 4),
            Draw((3, 2), "int"),
            free=((0, 0), (1, 0)),
        ),
        program(
            "take, batching",
            gather((), (1,), (1,), (1, 1), (0,), (0,)),
            n(3, 4),
            Draw((3, 5, 1), "int"),
            free=((0, 0), (1, 0), (1, 1)),
        ),
        program(
            "take, batching last",
            gather((2,), (1,), (1,), (1, 1, 4), (0,), (1,)),
            n(3, 4, 4),
            Draw((5, 3, 1), "int"),
            free=((0, 0), (0, 2), (1, 0), (1, 1)),
        ),
        program("take known places", lambda x: x[:, jnp.array([2, 0, 1])], n(3, 4), free=((0, 0),)),
        program(
            "take by the largest", lambda x, y: y[jnp.argmax(x, 1)], n(3, 4), n(4, 5), free=((0, 0), (1, 1))
        ),
        program(
            "embed",
            lambda i, t: jnp.take(t, i, axis=0),
            Draw((2, 3), "int"),
            n(3, 4),
            free=((0, 0), (0, 1), (1, 1)),
        ),
        program("slice known", lambda x: lax.dynamic_slice(x, (0, 1), (3, 2)), n(3, 4), free=BOTH),
        program("slice clipped", lambda x: lax.dynamic_slice(x, (0, 9), (3, 2)), n(3, 4), free=BOTH),
        program("slice rounded", lambda x: lax.dynamic_slice(x, (wrapped(),), (1,)), n(6)),
        program(
            "slice unknown",
            lambda x, i: lax.dynamic_slice(x, (0 * i, i), (3, 2)),
            n(3, 4),
            Draw((), "int"),
            free=((0, 0),),
        ),
        program(
            "slice unknown of numbers",
            lambda x, i: x * lax.dynamic_slice(jnp.ones((3, 9)), (0 * i, i), (3, 4)),
            n(3, 4),
            Draw((), "int"),
            free=((0, 0),),
        ),
        program(
            "write known", lambda x, u: lax.dynamic_update_slice(x, u, (0, 1)), n(3, 5), n(3, 2), free=PAIR
        ),
        program(
            "write whole", lambda x, u: lax.dynamic_update_slice(x, u, (0, 0)), n(3, 4), n(3, 4), free=PAIR
        ),
        program("write two partial", lambda x, u: lax.dynamic_update_slice(x, u, (0, 1)), n(3, 5), n(2, 2)),
        program(
            "write unknown",
            lambda x, u, i: lax.dynamic_update_slice(x, u, (0 * i, i)),
            n(3, 5),
            n(3, 2),
            Draw((), "int"),
            free=((0, 0), (1, 0)),
        ),
        program(
            "write to zeros",
            lambda u: lax.dynamic_update_slice(jnp.zeros((3, 5)), u, (0, 1)),
            n(3, 2),
            free=BOTH,
        ),
        program(
            "write, square", lambda x, u: lax.dynamic_update_slice(x, u, (2, 0)), n(4, 4), n(2, 4), free=PAIR
        ),
        program(
            "scatter rows",
            lambda x, i, u: x.at[i].set(u),
            n(3, 4),
            Draw((1,), "int"),
            n(1, 4),
            free=((0, 1), (2, 1)),
        ),
        program(
            "segment sum",
            lambda x, i: jax.ops.segment_sum(x, i, 3),
            n(5, 4),
            Draw((5,), "int"),
            free=((0, 1),),
        ),
        *(
            program(
                f.__name__,
                scatter((1,), (0,), (0,), function=f),
                n(3, 4),
                whole,
                n(5, 4),
                free=((0, 1), (2, 1)),
            )
            for f in writes
        ),
        program(
            "scatter to numbers", lambda i, u: rows(jnp.zeros((3, 4)), i, u), whole, n(5, 4), free=((1, 1),)
        ),
        program(
            "scatter pairs",
            scatter((), (0, 1), (0, 1), function=lax.scatter_add),
            n(3, 3),
            Draw((2, 2), "int"),
            n(2),
        ),
        program(
            "scatter numbers to pairs",
            lambda x, i: scatter((), (0, 1), (0, 1), function=lax.scatter_add)(x, i, jnp.ones(2)),
            n(3, 3),
            Draw((2, 2), "int"),
        ),
        program(
            "scatter, batching",
            scatter((), (1,), (1,), (0,), (0,), lax.scatter_add),
            n(3, 4),
            Draw((3, 5, 1), "int"),
            n(3, 5),
            free=((0, 0), (1, 0), (2, 0)),
        ),
        program(
            "scatter boxes",
            scatter((0, 1), (), (0, 1), function=lax.scatter_add),
            n(3, 4),
            Draw((2,), "int", 2),
            n(2, 2),
        ),
        program(
            "gradient of take",
            jax.grad(lambda x, i: jnp.sum(x[i] ** 2)),
            n(3, 4),
            Draw((5,), "int"),
            free=((0, 1),),
        ),
    ]


def wrapped():
    """A position known through conversions: 258 in eight bits is 2."""
    return lax.convert_element_type(
        lax.convert_element_type(lax.add(np.int32(200), np.int32(58)), np.uint8), np.int32
    )


def on_devices(function, in_specs, out_specs):
    return jax.shard_map(function, mesh=mesh(), in_specs=in_specs, out_specs=out_specs)


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
