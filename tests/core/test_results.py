"""Status codes in traced code, and unwrap at the edge."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from geojax.results import SolverError, Status, unwrap


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
