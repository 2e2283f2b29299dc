"""AdamP and SGDP beside the published steps in numpy, the law of how weights grow, and weight normalisation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.manifolds import Sphere
from geojax.optim import project_radial, scale_by_adamp, scale_by_sgdp, weight_norm

W = jax.random.normal(jax.random.key(0), (5, 3))


def published_projection(update, gradient, weight, delta):
    """The projection as Heo et al. publish it, channels first, in numpy."""
    for view in (lambda x: x.reshape(x.shape[0], -1), lambda x: x.reshape(1, -1)):
        a, b = view(gradient), view(weight)
        cosines = np.abs((a * b).sum(1)) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        if cosines.max() < delta / np.sqrt(b.shape[1]):
            shape = [-1] + [1] * (weight.ndim - 1)
            unit = weight / np.linalg.norm(b, axis=1).reshape(shape)
            return update - unit * view(unit * update).sum(1).reshape(shape)
    return update


def gradients():
    """Three steps for which channels, the whole and nothing look scale-invariant."""
    keys = jax.random.split(jax.random.key(1), 3)
    one, two, three = (jax.random.normal(k, W.shape) for k in keys)
    across = jnp.sum(one * W, axis=0) / jnp.sum(W * W, axis=0)
    return [one - across * W, two - jnp.sum(two * W) / jnp.sum(W * W) * W, three + W]


def run(optimiser):
    state, found = optimiser.init(W), []
    for gradient in gradients():
        update, state = optimiser.update(gradient, state, W)
        found.append(update)
    return found


def test_matches_the_published_adamp_step_by_step():
    m = v = np.zeros(W.shape)
    for t, (gradient, got) in enumerate(zip(gradients(), run(scale_by_adamp())), start=1):
        g = np.asarray(gradient)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        want = published_projection(step.T, g.T, np.asarray(W).T, 0.1).T
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_matches_the_published_sgdp_step_by_step():
    momentum = np.zeros(W.shape)
    for gradient, got in zip(gradients(), run(scale_by_sgdp(momentum=0.8))):
        g = np.asarray(gradient)
        momentum = 0.8 * momentum + g
        want = published_projection(momentum.T, g.T, np.asarray(W).T, 0.1).T
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_weights_that_are_not_scale_invariant_pass():
    params = {"kernel": W, "bias": W[0]}
    plain = optax.scale_by_adam()
    want, _ = plain.update({"kernel": W, "bias": W[0]}, plain.init(params))
    got, _ = scale_by_adamp().update({"kernel": W, "bias": W[0]}, plain.init(params), params)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        np.testing.assert_array_equal(a, b)


def test_law_norms_grow_as_the_closed_form_says():
    """Momentum adds 2 rate^2 sum_k momentum^(t-k) |p_k|^2 to what each step adds; SGDP does not."""
    target, rate, decay = jax.random.normal(jax.random.key(2), W.shape), 0.05, 0.9

    def loss(w):
        return -jnp.sum(target * w / jnp.linalg.norm(w, axis=0))

    def norms(optimiser):
        def step(carry, _):
            w, state = carry
            update, state = optimiser.update(jax.grad(loss)(w), state, w)
            return (w - rate * update, state), (jnp.sum(w * w), jnp.sum(update * update))

        return jax.jit(lambda: jax.lax.scan(step, (W, optimiser.init(W)), length=12)[1])()

    squared, lengths = norms(optax.trace(decay))
    for t in range(11):
        echoes = sum(decay ** (t - k) * lengths[k] for k in range(t))
        np.testing.assert_allclose(
            squared[t + 1] - squared[t], rate**2 * (lengths[t] + 2 * echoes), rtol=1e-6
        )
    projected, lengths = norms(scale_by_sgdp(momentum=decay))
    np.testing.assert_allclose(jnp.diff(projected), rate**2 * lengths[:-1], rtol=1e-6)
    assert projected[-1] < squared[-1]


def test_law_weight_normalisation_is_a_chart_of_spheres():
    """A step of gradient descent on v is a step on the sphere of every channel, with rate scale^2 / |v|^2."""
    target, scale, rate = jax.random.normal(jax.random.key(3), W.shape), jnp.asarray([1.0, 2.0, 0.5]), 0.03
    gradient = jax.grad(lambda v: jnp.sum(jnp.sin(weight_norm(v, scale) * target)))(W)
    np.testing.assert_allclose(jnp.sum(gradient * W, axis=0), 0, atol=1e-12)
    moved = weight_norm(W - rate * gradient, jnp.ones(3))
    for c in range(3):
        length = jnp.linalg.norm(W[:, c])
        x = W[:, c] / length
        ambient = jax.grad(lambda x, c=c: jnp.sum(jnp.sin(scale[c] * x * target[:, c])))(x)
        step = -rate / length**2 * Sphere().to_tangent(x, ambient)
        np.testing.assert_allclose(moved[:, c], Sphere().retract(x, step), atol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="params is None"):
        scale_by_adamp().update(W, scale_by_adamp().init(W))
    with pytest.raises(ValueError, match="project_radial: weight has shape"):
        project_radial(W, W, W[:2])
    with pytest.raises(ValueError, match="channels = 3"):
        weight_norm(W, jnp.ones(2))
    assert jnp.all(jnp.isnan(weight_norm(jnp.zeros((2, 1)), jnp.ones(1))))
    assert jnp.isnan(project_radial(W.at[0, 0].set(jnp.nan), W, W)[0, 0])
