"""Averages over frames against loops in numpy, for groups that do not commute, trees, specs and draws."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry
from geojax.equivariant import equivariance_error, sampled, symmetrize, whole_group

pytestmark = pytest.mark.full

relative_error = jax.jit(equivariance_error, static_argnums=(0, 1, 2))

RNG = np.random.default_rng(1)
S3 = np.array(list(itertools.permutations(range(3))))
MATRICES = np.stack([np.eye(3)[p] for p in S3])  # matrix g moves x to x[p]
X = RNG.normal(size=(3, 2))
W = RNG.normal(size=(6, 6))


def plain(x):
    return jnp.tanh(x.reshape(-1) @ W.astype(x.dtype)).reshape(3, 2)


def permute(g, x):
    return x[g]


def multiply(g, x):
    return g @ x


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 3e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize(("elements", "act"), [(S3, permute), (MATRICES, multiply)])
def test_matches_a_loop_in_numpy_and_is_equivariant(dtype, small, elements, act):
    elements = elements.astype(dtype) if elements.dtype == float else elements
    f = symmetrize(plain, whole_group(elements), act, act)
    x = X.astype(dtype)
    want = np.mean([(np.tanh(X[np.argsort(p)].ravel() @ W).reshape(3, 2))[p] for p in S3], axis=0)
    assert f(x).dtype == dtype
    np.testing.assert_allclose(f(x), want, atol=small)
    assert relative_error(f, act, act, elements, x).worst < small
    assert relative_error(plain, act, act, elements, x).worst > 0.1


def test_forgetting_the_inverse_is_not_equivariant():
    """The group does not commute, so the law above can fail."""
    wrong = symmetrize(
        plain, lambda x: (S3[[1, 3]], jnp.array([0.5, 0.5])), permute, permute, inverse=lambda g: g
    )
    assert relative_error(wrong, permute, permute, S3, X).worst > 0.1


def test_law_an_equivariant_function_is_kept():
    f = lambda x: x - jnp.mean(x, axis=0) + jnp.max(x)
    np.testing.assert_allclose(symmetrize(f, whole_group(S3), permute, permute)(X), f(X), rtol=1e-14)


def test_trees_under_jit_vmap_and_grad():
    act = lambda g, t: {"a": t["a"][g], "b": t["b"]}
    leave = lambda g, y: y

    def loss(weights, t):
        f = lambda t: {"out": jnp.sum(jnp.tanh(weights * t["a"])[0]) * t["b"]}
        return symmetrize(f, whole_group(S3), act, leave)(t)["out"]

    t = {"a": jnp.asarray(X), "b": jnp.asarray(2.0)}
    weights = jnp.asarray(RNG.normal(size=2))
    want = lambda w, t: jnp.sum(jnp.mean(jnp.tanh(w * t["a"]), axis=0)) * t["b"]
    np.testing.assert_allclose(loss(weights, t), want(weights, t), rtol=1e-13)
    got = jax.jit(jax.grad(loss, (0, 1)))(weights, t)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(jax.grad(want, (0, 1))(weights, t))):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), t)
    batch = jax.vmap(functools.partial(loss, weights))(many)
    np.testing.assert_allclose(batch[0], loss(weights, t), rtol=1e-13)


def test_elements_of_a_spec():
    mlp = lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"]
    params = {"w": jnp.asarray(RNG.normal(size=(3, 4))), "v": jnp.asarray(RNG.normal(size=(4, 2)))}
    spec = symmetry.infer(mlp, params, jnp.asarray(RNG.normal(size=(5, 3))))
    draws = jax.vmap(lambda key: symmetry.random_element(spec, key))(jax.random.split(jax.random.key(0), 4))
    act, back = functools.partial(symmetry.act, spec), functools.partial(symmetry.inverse, spec)
    keep = lambda p: jax.tree.map(lambda leaf: leaf**3, p)  # cubes go with orders and signs
    kept = symmetrize(keep, whole_group(draws), act, act, inverse=back)(params)
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(keep(params))):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    with pytest.raises(ValueError, match="Pass inverse="):
        symmetrize(keep, whole_group({"0": jnp.ones((2, 4))}), act, act)(params)


def test_integers_are_averaged():
    f = symmetrize(lambda x: x[0] > x[1], whole_group(S3), permute, lambda g, y: y)
    np.testing.assert_allclose(f(jnp.arange(3.0)), 0.5)


@pytest.mark.parametrize("num", [1, 2, 4])
def test_law_draws_follow_the_weights(num):
    weights = jnp.array([0.0, 0.1, 0.2, 0.7])
    frame = lambda x: (jnp.arange(4), weights)

    def counts(key):
        chosen, share = sampled(frame, key=key, num=num)(0.0)
        return jnp.bincount(chosen, weights=share, length=4)

    found = jax.vmap(counts)(jax.random.split(jax.random.key(2), 4000))
    np.testing.assert_allclose(jnp.sum(found, axis=1), 1, rtol=1e-12)
    assert jnp.all(found[:, 0] == 0)
    spread = jnp.sqrt(weights * (1 - weights) / 4000)
    assert jnp.all(jnp.abs(jnp.mean(found, axis=0) - weights) <= 4 * spread)
    # systematic draws: never further from num w than 1
    assert jnp.all(jnp.abs(num * (found - weights)) < 1)


def test_as_many_draws_as_elements_of_equal_weight_are_the_whole_average():
    drawn = lambda key: symmetrize(plain, sampled(whole_group(S3), key=key, num=6), permute, permute)(X)
    found = jax.vmap(drawn)(jax.random.split(jax.random.key(3), 20))
    want = symmetrize(plain, whole_group(S3), permute, permute)(X)
    np.testing.assert_allclose(found, np.broadcast_to(want, found.shape), rtol=1e-12)


def test_wrong_calls_are_answered():
    with pytest.raises(TypeError, match="frame is a tuple"):
        symmetrize(plain, (S3, jnp.ones(6)), permute, permute)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="the frame's weights has shape"):
        symmetrize(plain, lambda x: (S3, jnp.ones(5)), permute, permute)(X)
    with pytest.raises(ValueError, match="first axes of elements"):
        whole_group({"a": S3, "b": S3[:2]})
    with pytest.raises(ValueError, match="integers, whose inverses"):
        symmetrize(plain, whole_group(jnp.ones((2, 3, 3), int)), multiply, multiply)(X)
    with pytest.raises(TypeError, match="typed random key"):
        sampled(whole_group(S3), key=0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num is 0"):
        sampled(whole_group(S3), key=jax.random.key(0), num=0)
    with pytest.raises(TypeError, match="frame is a ArrayImpl"):
        sampled(jnp.ones(3), key=jax.random.key(0))  # pyright: ignore[reportArgumentType]
