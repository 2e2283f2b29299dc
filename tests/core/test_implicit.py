"""Derivatives of solutions against closed forms, in every mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core import implicit, loops
from geojax.results import Status

MATRIX = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4))) / 8


def affine(theta, linear_solve=implicit.dense):
    """x = M x + theta, so x = (I - M)^-1 theta; a tree, to see that trees work."""

    def function(x, theta):
        flat = MATRIX.astype(theta.dtype) @ jnp.concatenate([x["a"], x["b"]]) + theta
        return {"a": flat[:1], "b": flat[1:]}

    def solve(theta):
        def step(x):
            following = function(x, theta)
            return following, jnp.max(jnp.abs(following["b"] - x["b"])) + jnp.abs(following["a"] - x["a"])[0]

        done = loops.iterate(step, {"a": theta[:1], "b": theta[1:]}, tol=1e-15, max_steps=500)
        return done.state, done

    x, done = implicit.fixed_point(solve, function, theta, linear_solve=linear_solve)
    return jnp.concatenate([x["a"], x["b"]]), done


@pytest.mark.parametrize("linear_solve", [implicit.dense, implicit.krylov])
def test_both_modes_match_the_closed_form(linear_solve):
    theta = jnp.arange(1.0, 5.0)
    want = np.linalg.inv(np.eye(4) - np.asarray(MATRIX))
    f = lambda theta: affine(theta, linear_solve)[0]
    value, forward, reverse = jax.jit(lambda theta: (f(theta), jax.jacfwd(f)(theta), jax.jacrev(f)(theta)))(
        theta
    )
    np.testing.assert_allclose(value, want @ theta, rtol=1e-12)
    np.testing.assert_allclose(forward, want, atol=1e-12)
    np.testing.assert_allclose(reverse, want, atol=1e-12)


def cube_root(theta):
    """The residual x^3 - theta, solved by Newton's method."""

    def solve(theta):
        def step(x):
            following = x - (x**3 - theta) / (3 * x**2)
            return following, jnp.abs(following - x)

        done = loops.iterate(step, jnp.ones_like(theta), tol=1e-14, max_steps=100)
        return done.state, (done.status, done.num_steps)

    return implicit.root(solve, lambda x, theta: x**3 - theta, theta)


def test_higher_derivatives_in_every_mixture():
    f = lambda t: cube_root(t)[0]
    t = 8.0
    first, second, third = 1 / 12, -2 / 9 * 8 ** (-5 / 3), 10 / 27 * 8 ** (-8 / 3)
    mixtures = (
        jax.jacfwd(jax.jacfwd(f)),
        jax.jacfwd(jax.jacrev(f)),
        jax.jacrev(jax.jacfwd(f)),
        jax.jacrev(jax.jacrev(f)),
    )
    thrice = jax.grad(jax.grad(jax.grad(f)))
    got = jax.jit(lambda t: (jax.grad(f)(t), [twice(t) for twice in mixtures], thrice(t)))(t)
    for value, want in zip(got, (first, np.full(4, second), third)):
        np.testing.assert_allclose(value, want, rtol=1e-12)


def test_status_passes_through_jit_grad_and_vmap():
    value, (status, num_steps) = jax.jit(cube_root)(8.0)
    assert abs(value - 2) < 1e-14
    assert status == Status.CONVERGED
    assert num_steps > 3
    batch = np.array([1.0, 8.0, 27.0, np.nan])
    values, (statuses, _) = jax.jit(jax.vmap(cube_root))(batch)
    np.testing.assert_allclose(values, [1, 2, 3, np.nan], rtol=1e-14)
    np.testing.assert_array_equal(statuses, [0, 0, 0, Status.NONFINITE])
    gradients, (statuses, _) = jax.jit(jax.vmap(jax.grad(cube_root, has_aux=True)))(batch)
    np.testing.assert_allclose(gradients, [1 / 3, 1 / 12, 1 / 27, np.nan], rtol=1e-12)
    np.testing.assert_array_equal(statuses, [0, 0, 0, Status.NONFINITE])


def test_float32_stays_float32():
    total = jax.jit(jax.value_and_grad(lambda t: affine(t, implicit.krylov)[0].sum()))
    value, gradient = total(np.ones(4, np.float32))
    assert value.dtype == gradient.dtype == jnp.float32
    assert jnp.all(jnp.isfinite(gradient))


def test_the_solver_is_not_differentiated():
    """A solver without a derivative, numpy in a callback, does."""

    def solve(theta):
        root = jax.pure_callback(lambda t: np.cbrt(t), jax.ShapeDtypeStruct((), theta.dtype), theta)
        return root, None

    f = lambda t: implicit.root(solve, lambda x, theta: x**3 - theta, t)[0]
    np.testing.assert_allclose(jax.grad(f)(8.0), 1 / 12, rtol=1e-12)
