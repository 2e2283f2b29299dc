"""The iteration driver: what it returns, when it stops, and that NaN is never called converged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from geojax._core import loops
from geojax.results import Status


def halve(x):
    """Error |x| after halving."""
    return x / 2, jnp.abs(x / 2)


def run(x, tol=1e-3, max_steps=100, step=halve, **options):
    return loops.iterate(step, x, tol=tol, max_steps=max_steps, **options)


def test_converges_at_the_first_error_within_tol():
    result = jax.jit(run)(1.0)
    assert result.state == result.error == 2.0**-10
    assert result.num_steps == 10
    assert result.status == Status.CONVERGED


def test_error_equal_to_tol_is_within():
    assert run(1.0, tol=2.0**-3).num_steps == 3


@pytest.mark.parametrize(
    "start, options, status, num_steps",
    [
        (1.0, {"max_steps": 5}, Status.MAX_STEPS, 5),
        (1.0, {"max_steps": 10}, Status.CONVERGED, 10),
        (0.0, {"max_steps": 0}, Status.MAX_STEPS, 0),
        (0.0, {"max_steps": 0, "tol": jnp.inf}, Status.MAX_STEPS, 0),
        (jnp.nan, {}, Status.NONFINITE, 1),
        (jnp.nan, {"max_steps": 0}, Status.NONFINITE, 0),
        (jnp.inf, {}, Status.NONFINITE, 1),
        (jnp.inf, {"tol": jnp.inf}, Status.NONFINITE, 1),
        (1.0, {"tol": jnp.nan, "max_steps": 3}, Status.MAX_STEPS, 1),
        (1.0, {"tol": 0.0, "max_steps": 3}, Status.MAX_STEPS, 3),
        (0.0, {"tol": 0.0}, Status.CONVERGED, 1),
        (1.0, {"step": lambda x: (3 * x, 3 * x), "max_error": 50.0}, Status.DIVERGED, 4),
        (1.0, {"step": lambda x: (x * x * 1e200, x * 1e200)}, Status.NONFINITE, 2),
    ],
)
def test_ends(start, options, status, num_steps):
    result = run(start, **options)
    assert Status(int(result.status)) is status
    assert result.num_steps == num_steps


def test_nan_in_the_state_behind_a_fine_error_is_noticed():
    result = run((1.0, jnp.nan), step=lambda s: ((s[0] / 2, s[1]), s[0] / 2))
    assert result.status == Status.NONFINITE


def test_infinity_in_the_state_is_allowed():
    """Potentials of points without weight are -inf, rightly."""
    assert run((1.0, -jnp.inf), step=lambda s: ((s[0] / 2, s[1]), s[0] / 2)).status == Status.CONVERGED


def test_vmap_freezes_finished_items():
    starts, tols = jnp.array([1.0, 0.01, jnp.nan, 1.0]), jnp.array([1e-3, 1e-1, 1e-3, 1e-6])
    batch = jax.jit(jax.vmap(run))(starts, tols)
    for i in range(4):
        one = run(starts[i], tols[i])
        for a, b in zip(jax.tree.leaves(jax.tree.map(lambda x, i=i: x[i], batch)), jax.tree.leaves(one)):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(batch.num_steps, [10, 1, 1, 20])
    assert jnp.isnan(batch.state[2])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtypes_are_strong_and_kept(dtype):
    result = jax.eval_shape(run, jax.ShapeDtypeStruct((), dtype))
    assert result.state.dtype == result.error.dtype == dtype
    assert result.status.dtype == result.num_steps.dtype == jnp.int32
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(result))
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(jax.eval_shape(lambda: run(1.0))))


def test_new_tolerances_do_not_retrace():
    traces = []
    f = jax.jit(lambda x, tol: traces.append(0) or run(x, tol).num_steps)
    assert (f(1.0, 1e-3), f(1.0, 1e-6)) == (10, 20)
    assert len(traces) == 1


def test_inside_shard_map_with_sharded_values_closed_over():
    mesh = jax.make_mesh((4,), ("b",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec("b")

    def solve(scale):  # the state starts as a constant; only the step knows the sharded value
        step = lambda s: ((s + scale) / 2, jnp.abs(s - scale) / 2)
        return run(jnp.zeros(()), step=step, tol=1e-9)

    scales = jnp.array([1.0, 20.0, 300.0, jnp.nan])
    sharded = jax.jit(jax.shard_map(jax.vmap(solve), mesh=mesh, in_specs=spec, out_specs=spec))(scales)
    for a, b in zip(jax.tree.leaves(sharded), jax.tree.leaves(jax.vmap(solve)(scales))):
        np.testing.assert_array_equal(a, b)


def test_messages():
    with pytest.raises(
        ValueError, match=r"the state that step returns has shape|leaf '' of the state that step returns"
    ):
        run(jnp.ones(2), step=lambda x: (jnp.ones(3), 0.0))
    with pytest.raises(TypeError, match="dtype float64; expected float32"):
        run(jnp.ones(2, jnp.float32), step=lambda x: (x.astype(jnp.float64), 0.0))
    with pytest.raises(TypeError, match=r"error of float64\[2\]; expected a real scalar"):
        run(jnp.ones(2), step=lambda x: (x, x))
    with pytest.raises(TypeError, match=r"iterate: max_steps is 2\.5"):
        run(1.0, max_steps=2.5)


def test_forward_derivative_through_the_loop():
    state = lambda x: run(x).state
    np.testing.assert_allclose(jax.jvp(state, (1.0,), (1.0,))[1], 2.0**-10)
