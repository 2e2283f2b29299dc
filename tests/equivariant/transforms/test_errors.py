"""The error of equivariance against a loop in numpy, in both precisions and other units, and of planted faults."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry
from geojax.equivariant import equivariance_error

pytestmark = pytest.mark.full

RNG = np.random.default_rng(0)
TURNS = np.stack([np.linalg.qr(RNG.normal(size=(3, 3)))[0] for _ in range(5)])
X = RNG.normal(size=(4, 3))
W = RNG.normal(size=(3, 3))


def turn(g, x):
    return x @ g.T


def plain(x):
    return jnp.tanh(x @ W.astype(x.dtype))


def gram_steps(x):
    return x @ x.T @ x


def test_matches_a_loop_in_numpy():
    result = equivariance_error(plain, turn, turn, TURNS, X)
    errors = []
    for g in TURNS:
        wanted, got = np.tanh(X @ W) @ g.T, np.tanh(X @ g.T @ W)
        errors.append(np.linalg.norm(wanted - got) / max(np.linalg.norm(wanted), np.linalg.norm(got)))
    np.testing.assert_allclose(result.mean, np.mean(errors), rtol=1e-12)
    np.testing.assert_allclose(result.worst, np.max(errors), rtol=1e-12)
    assert result.element == np.argmax(errors)


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 2e-6), (np.float64, 4e-15)])
@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_law_an_equivariant_function_has_none_in_any_unit(dtype, small, unit):
    result = equivariance_error(gram_steps, turn, turn, TURNS.astype(dtype), (unit * X).astype(dtype))
    assert result.worst.dtype == dtype
    assert result.worst < small


def test_a_planted_element_is_the_worst_one():
    elements = np.stack([np.eye(3)] * 4)
    elements[2] = np.diag([1.0, -1.0, 1.0])
    result = equivariance_error(jnp.abs, turn, turn, elements, X)
    assert result.element == 2
    assert result.worst == 4 * result.mean > 0


def test_all_leaves_of_a_tree_count_together():
    def swap(g, t):
        return {"a": turn(g, t["a"]), "b": t["b"]}

    f = lambda t: {"a": t["a"] * 0 + 3, "b": t["b"] + 4}  # the first leaf is at fault
    x = {"a": jnp.zeros((1, 1)), "b": jnp.zeros((1, 1))}
    result = equivariance_error(f, swap, swap, -jnp.ones((1, 1, 1)), x)
    np.testing.assert_allclose(result.mean, 6 / 5)


def test_elements_and_actions_of_a_spec():
    mlp = lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"]
    params = {"w": jnp.asarray(RNG.normal(size=(3, 4))), "v": jnp.asarray(RNG.normal(size=(4, 2)))}
    spec = symmetry.infer(mlp, params, X)
    elements = jax.vmap(lambda key: symmetry.random_element(spec, key))(
        jax.random.split(jax.random.key(0), 3)
    )
    act = functools.partial(symmetry.act, spec)
    invariant = equivariance_error(lambda p: mlp(p, X), act, lambda g, y: y, elements, params)
    assert invariant.worst < 1e-14
    broken = equivariance_error(lambda p: p["w"][:, 0], act, lambda g, y: y, elements, params)
    assert broken.worst > 0.1


def test_zero_outputs_agree_and_one_zero_is_wholly_wrong():
    same = equivariance_error(lambda x: 0 * x, turn, turn, TURNS, X)
    assert same.worst == 0
    zero = equivariance_error(lambda x: jnp.maximum(x, 0), turn, turn, -jnp.ones((1, 1, 1)), jnp.ones((2, 1)))
    assert zero.worst == 1


def test_complex_and_integer_outputs():
    times = lambda g, y: g * y
    phases = jnp.exp(1j * jnp.arange(3.0))
    assert equivariance_error(lambda x: x * jnp.abs(x), times, times, phases, jnp.ones(2) + 1j).worst < 1e-15
    assert equivariance_error(jnp.conj, times, times, phases, jnp.ones(2) + 0j).worst > 0.5
    keep = lambda g, y: y
    classes = equivariance_error(
        lambda x: jnp.argmax(x), lambda g, x: x[g], keep, jnp.array([[1, 0]]), jnp.arange(2)
    )
    assert classes.worst == 1


def test_another_comparison_and_a_batch_of_points():
    apart = lambda wanted, got: jnp.max(jnp.abs(wanted - got))
    errors = jax.vmap(lambda x: equivariance_error(plain, turn, turn, TURNS, x, compare=apart).worst)
    batch = np.stack([X, 2 * X])
    want = [max(np.abs(np.tanh(x @ W) @ g.T - np.tanh(x @ g.T @ W)).max() for g in TURNS) for x in batch]
    np.testing.assert_allclose(errors(batch), want, rtol=1e-12)


def test_a_nan_is_the_worst():
    elements = jnp.array([1.0, jnp.nan, 2.0])
    result = equivariance_error(lambda x: x, lambda g, x: g * x, lambda g, x: g * x, elements, jnp.ones(2))
    assert result.element == 1
    assert jnp.isnan(result.worst) and jnp.isnan(result.mean)


def test_numpy_points_may_be_permuted():
    result = equivariance_error(
        lambda x: x, lambda g, x: x[g], lambda g, y: y[g], np.array([[2, 0, 1, 3]]), X
    )
    assert result.worst == 0


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="first axes of elements"):
        equivariance_error(plain, turn, turn, {"a": TURNS, "b": TURNS[:2]}, X)
    with pytest.raises(ValueError, match="first axes of elements"):
        equivariance_error(plain, turn, turn, TURNS[:0], X)
    with pytest.raises(ValueError, match="first axes of elements"):
        equivariance_error(plain, turn, turn, {}, X)
    with pytest.raises(TypeError, match="act_out is a ndarray"):
        equivariance_error(plain, turn, TURNS, TURNS, X)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"f\(act_in\(g, x\)\)"):
        equivariance_error(lambda x: x, lambda g, x: x[:2], lambda g, x: x, TURNS, X)
    with pytest.raises(ValueError, match="what compare returned"):
        equivariance_error(plain, turn, turn, TURNS, X, compare=jnp.subtract)
