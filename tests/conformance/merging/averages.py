"""Cases of merging."""

import functools

import jax
import jax.numpy as jnp

from geojax.merging import (
    alignment_report,
    average,
    barrier,
    feature_connectivity,
    interpolate,
    plane,
    repair,
)
from geojax.symmetry import infer
from tests.conformance.case import Case

X = jnp.linspace(-1.0, 1.0, 21).reshape(7, 3)


def mlp(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def draw(key, dtype):
    keys = jax.random.split(key, 3)
    shapes = {"b": (4,), "v": (4, 2), "w": (3, 4)}
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, shapes.items())}


def pair(key, dtype):
    return draw(jax.random.fold_in(key, 0), dtype), draw(jax.random.fold_in(key, 1), dtype)


def times(key, dtype):
    return jax.random.uniform(jax.random.fold_in(key, 2), (), dtype, 0.2, 0.8)


def loss(params):
    out = mlp(params, X.astype(params["w"].dtype))
    return jnp.mean((out - 1) ** 2)


def stack(key, dtype):
    return jax.vmap(lambda k: draw(k, dtype))(jax.random.split(key, 3))


@functools.cache
def spec():
    return infer(mlp, draw(jax.random.key(0), jnp.float64), X)


def repaired(merged, params_a, params_b, x, t):
    return repair(spec(), mlp, merged, params_a, params_b, x, t=t)


def repair_arguments(key, dtype):
    a, b = pair(key, dtype)
    x = jax.random.normal(jax.random.fold_in(key, 3), (9, 3), dtype)
    return interpolate(a, b, 0.4), a, b, x, jnp.asarray(0.4, dtype)


def dead_units(dtype):
    merged, a, b, x, t = repair_arguments(jax.random.key(0), dtype)
    return {**merged, "w": jnp.zeros_like(merged["w"])}, a, b, x, t


def nothing(dtype):
    return (jax.tree.map(jnp.zeros_like, draw(jax.random.key(0), dtype)),) * 2


def half(a, b, x):
    return feature_connectivity(spec(), mlp, a, b, x)


def triangle(key, dtype):
    return (*pair(key, dtype), draw(jax.random.fold_in(key, 2), dtype))


CASES = [
    Case(
        "plane",
        plane,
        triangle,
        call=lambda a, b, c: plane(loss, a, b, c, num=3),
        differentiable=(0, 1, 2),
        edges={"three equal models": lambda dtype: (draw(jax.random.key(0), dtype),) * 3},
        tolerance=1e-10,
    ),
    Case(
        "feature_connectivity",
        feature_connectivity,
        lambda key, dtype: (*pair(key, dtype), jax.random.normal(jax.random.fold_in(key, 3), (5, 3), dtype)),
        call=half,
        differentiable=(0, 1, 2),
        edges={"no features": lambda dtype: (*nothing(dtype), X.astype(dtype))},
        nan_arguments=(2,),
    ),
    Case(
        "alignment_report",
        alignment_report,
        pair,
        call=lambda a, b: alignment_report(spec(), loss, a, b, {"w": jnp.array([1, 2, 3, 0])}, num=2),
        differentiable=(0, 1),
        exemptions={"non_array_leaves": "the result has distances by leaf, for the leaves that are merged"},
        output=lambda report: (report.barrier, report.distance),  # singular_alignment has a case of its own
        edges={"equal models": lambda dtype: (draw(jax.random.key(0), dtype),) * 2},
        tolerance=1e-10,
    ),
    Case(
        "interpolate",
        interpolate,
        lambda key, dtype: (*pair(key, dtype), times(key, dtype)),
        differentiable=(0, 1, 2),
        edges={"the first end": lambda dtype: (*pair(jax.random.key(0), dtype), jnp.zeros((), dtype))},
    ),
    Case(
        "barrier",
        barrier,
        pair,
        call=lambda a, b: barrier(loss, a, b, num=5),
        differentiable=(0, 1),
        edges={"equal models": lambda dtype: (draw(jax.random.key(0), dtype),) * 2},
    ),
    Case(
        "average",
        average,
        lambda key, dtype: (stack(key, dtype), jax.random.uniform(key, (3,), dtype, 0.5, 1)),
        differentiable=(0, 1),
        edges={"a zero weight": lambda dtype: (stack(jax.random.key(0), dtype), jnp.array([0, 1, 1], dtype))},
    ),
    Case(
        "repair",
        repair,
        repair_arguments,
        call=repaired,
        differentiable=(0, 1, 2, 3, 4),
        edges={"units that never vary": dead_units},
        nan_arguments=(
            0,
            3,
            4,
        ),  # the endpoints' output layers are not read: only hidden units have a statistic
    ),
]

DATA = {
    "AlignmentReport": "what alignment_report returns",
    "BarrierResult": "what barrier returns",
    "PlaneResult": "what plane returns",
}
