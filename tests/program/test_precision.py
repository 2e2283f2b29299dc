"""A program in a higher precision computes what the same equations give in float64, whatever it casts to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._program import jaxprs
from geojax._program.precision import InPrecision

GENERATOR = np.random.default_rng(0)
A, X = GENERATOR.normal(size=(4, 4)), GENERATOR.normal(size=(5, 4))
P = jax.sharding.PartitionSpec
MESH = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",))
TABLE = np.sin(np.arange(4.0))
ORDER = np.array([3, 1, 0, 2])
b16, f32 = jnp.bfloat16, jnp.float32


@jax.custom_vjp
def squash(x):
    return jnp.tanh(x.astype(b16))


squash.defvjp(lambda x: (squash(x), x), lambda x, g: (g,))


def loops(a, x):
    """A scan and a while loop whose carries are coarse, with a branch inside."""

    def step(h, row):
        h = jax.lax.cond(row[0] > 0, lambda h: h @ a.astype(b16), lambda h: h + row.astype(b16), h)
        return h * b16(0.5), h.sum()

    last, sums = jax.lax.scan(step, x[0].astype(b16), x)
    _, h = jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * b16(0.5)), (0, last))
    return h, sums


def loops_by_hand(a, x):
    h, sums = x[0], []
    for row in x:
        h = h @ a if row[0] > 0 else h + row
        sums.append(h.sum())
        h = h / 2
    return h / 8, np.array(sums)


PROGRAMS = {
    "casts": (lambda a, x: (x.astype(b16) @ a.astype(jnp.float16)).astype(f32), lambda a, x: x @ a),
    "asked type of a product": (
        lambda a, x: jax.lax.dot(x.astype(b16), a.astype(b16), preferred_element_type=f32),
        lambda a, x: x @ a,
    ),
    "algorithm of a product": (
        lambda a, x: jax.lax.dot(x, a, precision=jax.lax.DotAlgorithmPreset.BF16_BF16_F32),
        lambda a, x: x @ a,
    ),
    "loops and branches": (loops, loops_by_hand),
    "numpy tables": (
        lambda a, x: ((x + TABLE) @ a)[:, ORDER],
        lambda a, x: ((x + TABLE.astype(f32)) @ a)[:, ORDER],
    ),
    "scatter": (
        lambda a, x: x.astype(b16).at[jnp.array([0, 0])].add(a[:2].astype(b16)),
        lambda a, x: np.concatenate([x[:1] + a[:1] + a[1:2], x[1:]]),
    ),
    "rounding asked for": (lambda a, x: jax.lax.reduce_precision(x, 8, 7), lambda a, x: x),
    "derivative of its own": (lambda a, x: squash(x), lambda a, x: np.tanh(x)),
    "divided among devices": (
        lambda a, x: jax.shard_map(
            lambda x, a: x.astype(b16) @ a.astype(b16), mesh=MESH, in_specs=(P("d"), P()), out_specs=P("d")
        )(x[:4], a),
        lambda a, x: x[:4] @ a,
    ),
    "linear solve": (lambda a, x: jnp.linalg.solve(a, x.T), lambda a, x: np.linalg.solve(a, x.T)),
    "complex": (
        lambda a, x: jnp.abs(jnp.fft.fft(x.astype(b16).astype(f32))),
        lambda a, x: abs(np.fft.fft(x)),
    ),
}


@pytest.mark.x32
@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("name", PROGRAMS)
def test_law_coarse_types_round_nothing(name, precision):
    apply, by_hand = PROGRAMS[name]
    program = jaxprs.trace(
        lambda a, x: jax.tree.leaves(apply(a, x)), *(jax.ShapeDtypeStruct(s.shape, f32) for s in (A, X))
    )
    finer = InPrecision(program, precision)
    with jax.enable_x64(precision == np.float64):
        outputs = jax.jit(lambda *arrays: finer(arrays))(A.astype(precision), X.astype(precision))
    expected = jax.tree.leaves(by_hand(A.astype(precision).astype(float), X.astype(precision).astype(float)))
    assert not finer.units
    for out, right in zip(outputs, expected, strict=True):
        assert out.dtype == precision
        np.testing.assert_allclose(
            out, right, rtol=0, atol=200 * np.finfo(precision).eps * np.abs(right).max()
        )


def test_what_has_no_finer_form_keeps_its_type_and_is_noted():
    apply = lambda x: jax.lax.bitcast_convert_type(x.astype(b16), jnp.uint16)
    program = jaxprs.trace(lambda x: [apply(x)], jax.ShapeDtypeStruct(X.shape, f32))
    finer = InPrecision(program, np.float64)
    np.testing.assert_array_equal(finer([X])[0], apply(X))
    assert finer.units == {float(jnp.finfo(b16).eps)}


def test_a_kernel_notes_what_it_rounds_inside():
    from jax.experimental import pallas

    def kernel(read, write):
        write[...] = jnp.tanh(read[...].astype(b16)).astype(f32)

    call = pallas.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(X.shape, f32), interpret=True)
    finer = InPrecision(jaxprs.trace(lambda x: [call(x)], jax.ShapeDtypeStruct(X.shape, f32)), np.float64)
    np.testing.assert_array_equal(finer([X])[0], call(X.astype(f32)))
    assert max(finer.units) == float(jnp.finfo(b16).eps)


def test_random_numbers_are_the_same():
    """Their bits are made into floats of one type; nothing is rounded."""
    program = jaxprs.trace(lambda k: [jax.random.uniform(k, (3,), f32)], jax.random.key(0))
    finer = InPrecision(program, np.float64)
    np.testing.assert_array_equal(
        finer([jax.random.key(0)])[0], jax.random.uniform(jax.random.key(0), (3,), f32)
    )
    assert not finer.units
