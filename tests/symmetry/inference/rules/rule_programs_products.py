"""Small programs for products, convolutions and decompositions."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Draw, Program, n, program


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
