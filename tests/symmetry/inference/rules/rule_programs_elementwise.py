"""Small programs for elementwise operations."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import NamedSharding, PartitionSpec

from tests.symmetry.inference.rules.rule_programs import BOTH, PAIR, Draw, Program, mesh, n, program


def elementwise() -> list[Program]:
    plain = [
        "neg",
        "tanh",
        "sin",
        "tan",
        "sinh",
        "asinh",
        "atan",
        "erf",
        "round",
        "cos",
        "cosh",
        "exp",
        "exp2",
        "expm1",
    ]
    plain += [
        "logistic",
        "erfc",
        "floor",
        "ceil",
        "bessel_i0e",
        "bessel_i1e",
        "cbrt",
        "abs",
        "sign",
        "is_finite",
        "square",
    ]
    inside = ["asin", "atanh", "erf_inv", "log", "log1p", "acos", "lgamma", "digamma", "sqrt", "rsqrt"]
    cases = [program(name, getattr(lax, name), n(3, 4), free=BOTH) for name in plain]
    cases += [program(name, getattr(lax, name), Draw((3, 4), "unit"), free=BOTH) for name in inside]
    cases += [program("log2", jnp.log2, Draw((3, 4), "unit"), free=BOTH)]
    cases += [
        program(name, getattr(lax, name), Draw((3, 4), "complex"), free=BOTH)
        for name in ("real", "imag", "conj")
    ]
    cases += [
        program(name, getattr(lax, name), Draw((3, 4), "unsigned"), free=BOTH)
        for name in ("clz", "population_count")
    ]
    cases += [
        program("acosh", lax.acosh, Draw((3, 4), "large"), free=BOTH),
        program("not", lax.bitwise_not, Draw((3, 4), "bool"), free=BOTH),
        program("copy", lambda x: jnp.array(x, copy=True), n(3, 4), free=BOTH),
        program("barrier", lambda x, y: lax.optimization_barrier((x, y)), n(3, 4), n(4, 3), free=PAIR),
        program("device put", lambda x: jax.device_put(x, jax.devices()[0]) + 1, n(3, 4), free=BOTH),
        program("reduce precision", lambda x: lax.reduce_precision(x, 8, 12), n(3, 4), free=BOTH),
        program("name", lambda x: checkpoint_name(x, "here"), n(3, 4), free=BOTH),
        program(
            "sharding constraint", lambda x: lax.with_sharding_constraint(x, replicated()), n(3, 4), free=BOTH
        ),
        program("convert", lambda x: x.astype(jnp.int32).astype(jnp.float32), n(3, 4), free=BOTH),
        program("convert bool", lambda x: x.astype(bool), n(3, 4), free=BOTH),
        program("bfloat16", lambda x: x.astype(jnp.bfloat16) * 2, n(3, 4), free=BOTH),
        program("integer pow", lambda x: x**3 + x**-2 + lax.integer_pow(x, 0), n(3, 4), free=BOTH),
        program("pow half", lambda x: x**2.5, Draw((3, 4), "unit"), free=BOTH),
    ]
    two = [
        "add",
        "sub",
        "mul",
        "div",
        "max",
        "min",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "atan2",
        "rem",
        "nextafter",
        "complex",
    ]
    for name in two:
        function = getattr(lax, name)
        cases += [
            program(name, function, n(3, 4), n(3, 4), free=PAIR),
            program(f"{name} number", lambda x, f=function: f(x, jnp.full((3, 4), 0.5)), n(3, 4), free=BOTH),
            program(f"{name} itself turned", lambda x, f=function: f(x, x.T), n(4, 4), free=BOTH),
            program(
                f"{name} row",
                lambda x, y, f=function: f(x, jnp.broadcast_to(y, (3, 4))),
                n(3, 4),
                n(4),
                free=(*BOTH, (1, 0)),
            ),
            program(
                f"{name} constant",
                lambda x, f=function: f(x, np.outer([1.0, 2.0, 3.0], np.ones(4))),
                n(3, 4),
                free=((0, 1),),
            ),
        ]
    bits = [
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "shift_left",
        "shift_right_logical",
        "shift_right_arithmetic",
    ]
    cases += [
        program(name, getattr(lax, name), Draw((3, 4), "int"), Draw((3, 4), "int"), free=PAIR)
        for name in bits
    ]
    unit = [Draw((3, 4), "unit")] * 3
    large = [Draw((3, 4), "large")] * 2
    cases += [
        program("pow", lax.pow, *unit[:2], free=PAIR),
        program("igamma", lax.igamma, *unit[:2], free=PAIR),
        program("igammac", lax.igammac, *unit[:2], free=PAIR),
        program("igamma grad", lax.igamma_grad_a, *unit[:2], free=PAIR),
        program("gamma grad", lax.random_gamma_grad, *unit[:2], free=PAIR),
        program("polygamma", lambda m, x: lax.polygamma(jnp.round(m), x), *large, free=PAIR),
        program("zeta", lax.zeta, *large, free=PAIR),
        program("betainc", lax.betainc, *unit, free=PAIR),
        program("clamp", lambda x: lax.clamp(-0.5, x, 0.5), n(3, 4), free=BOTH),
        program("clamp arrays", lambda x, y, z: lax.clamp(y, x, z), n(3, 4), n(3, 4), n(3, 4), free=PAIR),
        program("select", lax.select, Draw((3, 4), "bool"), n(3, 4), n(3, 4), free=PAIR),
        program(
            "select scalar",
            lambda p, x, y: lax.select(p, x, y),
            Draw((), "bool"),
            n(3, 4),
            n(3, 4),
            free=PAIR[2:],
        ),
        program("select uniform cases", lambda p: jnp.where(p, 1.0, 0.0), Draw((3, 4), "bool"), free=BOTH),
        program("select numbers", lambda x: jnp.where(x > 0, x, -np.inf), n(3, 4), free=BOTH),
        program("add any", jax.grad(lambda x: jnp.sum(x * x * jnp.sin(x))), n(3, 4), free=BOTH),
        program("zero times", lambda x: x * 0.0 + 1.0, n(3, 4), free=BOTH),
        program(
            "zero times constant",
            lambda x: x + lax.mul(jnp.zeros(4), np.array([np.inf, 1.0, np.nan, 2.0])),
            n(3, 4),
            free=((0, 0),),
        ),
    ]
    return cases


def replicated() -> NamedSharding:
    return NamedSharding(mesh(), PartitionSpec())
