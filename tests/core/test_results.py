"""Status codes in traced code, and unwrap at the edge."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import results
from geojax.results import SolverError, Status, unwrap
from geojax.transport import point_cloud_sinkhorn, sinkhorn


@dataclasses.dataclass
class Result:
    error: jax.Array
    num_steps: jax.Array
    status: jax.Array


def result(*codes):
    codes = jnp.array(codes, jnp.int32)
    return Result(jnp.linspace(0.5, 1.5, codes.size).reshape(codes.shape), jnp.arange(codes.size) + 10, codes)


def test_codes_are_integers_in_traced_code():
    choose = jax.jit(lambda x: jnp.where(x > 0, Status.CONVERGED, Status.NONFINITE).astype(jnp.int32))
    assert choose(1.0) == Status.CONVERGED
    assert choose(-1.0) == Status.NONFINITE
    assert jnp.asarray(Status.DIVERGED, jnp.int32).dtype == jnp.int32
    assert [int(code) for code in Status] == [0, 1, 2, 3, 4]


def test_every_code_says_what_to_do():
    for code in Status:
        assert len(code.message.split()) > 5
    assert "max_steps" in Status.MAX_STEPS.message


def test_unwrap_returns_what_converged():
    one, many = Result(0.0, 3, jnp.int32(0)), result(0, 0)
    assert unwrap(one) is one
    assert unwrap(many) is many


def test_unwrap_of_one_failure():
    failed = Result(jnp.float32(0.25), jnp.int32(7), jnp.int32(Status.MAX_STEPS))
    with pytest.raises(
        SolverError, match=r"^Result: did not converge: MAX_STEPS \(error = 0.25, num_steps = 7\)\. .*Raise"
    ):
        unwrap(failed)


def test_unwrap_of_a_batch_counts_and_names_the_first():
    with pytest.raises(
        SolverError, match=r"2 of 4 items did not converge, first at index 1: NONFINITE .*num_steps = 11"
    ):
        unwrap(result(0, Status.NONFINITE, 0, Status.MAX_STEPS))
    nested = jax.tree.map(lambda x: x, result(0, 0, 0, 3))
    nested = Result(*(getattr(nested, f).reshape(2, 2) for f in ("error", "num_steps", "status")))
    with pytest.raises(SolverError, match=r"1 of 4 .* first at index \(1, 1\): DIVERGED"):
        unwrap(nested)


def test_unwrap_of_an_unknown_code_fails():
    with pytest.raises(SolverError, match="code 77"):
        unwrap(result(77))


def test_unwrap_refuses_tracers_and_what_has_no_status():
    with pytest.raises(TypeError, match=r"being traced.*outside"):
        jax.jit(lambda code: unwrap(Result(0.0, 0, code)).error)(jnp.int32(0))
    with pytest.raises(TypeError, match="a tuple without a `status`"):
        unwrap((1, 2))


def test_unwrap_names_the_function_and_options_that_it_has():
    from geojax.manifolds import Sphere, frechet_mean
    from geojax.merging import concrete_fit

    points = jnp.eye(3)[:2]
    mean = frechet_mean(Sphere(), points, max_steps=0)
    with pytest.raises(
        SolverError,
        match=r"^(MeanResult \(of .*)?frechet_mean.*: did not converge: MAX_STEPS .*Raise `max_steps` or loosen `tol`",
    ):
        unwrap(mean)
    fit = concrete_fit(jnp.sum, jnp.sum, jnp.zeros(1), jnp.ones((1, 1)), key=jax.random.key(0), num_steps=1)
    with pytest.raises(SolverError) as caught:
        unwrap(fit)
    assert "concrete_fit: did not converge" in str(caught.value)
    assert "Raise `num_steps`." in str(caught.value)
    assert "`init`" not in str(caught.value)
    assert "`tol`" not in str(caught.value)


def test_a_result_of_several_functions_names_them_all():
    from geojax.symmetry import MatchingResult, activation_matching, weight_matching

    assert activation_matching is not weight_matching
    failed = MatchingResult({}, jnp.zeros(()), jnp.zeros(()), jnp.int32(3), jnp.int32(Status.MAX_STEPS))
    with pytest.raises(SolverError, match=r"^MatchingResult \(of .*weight_matching") as caught:
        unwrap(failed)
    assert "activation_matching" in str(caught.value)


def test_unwrap_blames_epsilon_and_not_the_weights():
    """An epsilon that is not positive is INFEASIBLE, as bad weights are; the message says which it was."""
    cost = np.ones((3, 3))
    with pytest.raises(SolverError, match=r"INFEASIBLE.*`epsilon` is -0\.5; it must be positive") as error:
        unwrap(sinkhorn(cost, epsilon=-0.5))
    assert "weights" not in str(error.value)
    with pytest.raises(SolverError, match=r"index 1: INFEASIBLE.*`epsilon` is 0;"):
        unwrap(jax.vmap(lambda epsilon: sinkhorn(cost, epsilon=epsilon))(np.array([1.0, 0.0])))
    with pytest.raises(SolverError, match=r"INFEASIBLE.*negative weights"):
        unwrap(sinkhorn(cost, -np.ones(3), epsilon=0.5))
    with pytest.raises(SolverError, match=r"INFEASIBLE.*negative weights.*`epsilon` that is not positive"):
        unwrap(point_cloud_sinkhorn(cost, cost, epsilon=-0.5))


def test_unwrap_does_not_call_a_rounding_floor_spent_steps():
    """Single precision cannot hold this plan, however many steps are taken: float64 is the remedy."""
    far = (1000 * np.ones((3, 1)) + np.arange(3.0)) ** 2
    result = sinkhorn(far.astype(np.float32), epsilon=np.float32(0.1))
    assert result.num_steps < 2000
    with pytest.raises(SolverError, match=r"MAX_STEPS.*rounding allows no less.*float64") as error:
        unwrap(result)
    assert "All steps" not in str(error.value)


def test_the_advice_for_a_result_of_several_functions_is_an_option_that_only_some_have():
    assert results._common(Status.MAX_STEPS, [{"max_steps", "init"}, {"max_steps", "key"}]) == {"max_steps"}
    assert results._common(Status.MAX_STEPS, [{"max_steps"}, {"num_steps"}]) == {"max_steps", "num_steps"}
