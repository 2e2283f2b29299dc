"""The block with a continuous symmetry: its orbit leaves the network alone, a relu network's does not."""

import jax
import jax.numpy as jnp
import numpy as np

import geojax as gj
from geojax.symmetry.layers import gauge_act, gauge_orbit, quasilinear_block


def network(params, image):
    u = image @ params["encode"]
    for tensor in params["tensors"]:
        u = quasilinear_block(u, tensor, step=0.1)
    return jnp.mean(u, (0, 1)) @ params["decode"]


def draw(key, c=4):
    k = jax.random.split(key, 4)
    return {
        "encode": jax.random.normal(k[0], (3, c)),
        "tensors": jax.random.normal(k[1], (2, 2, c, c, c)) / c,
        "decode": jax.random.normal(k[2], (c, 2)),
    }, jax.random.normal(k[3], (5, 6, 3))


def test_law_output_unchanged_along_the_orbit_while_weights_move(key):
    @jax.jit
    @jax.vmap
    def law(k):
        params, image = draw(k)
        moved = gauge_orbit(params, jax.random.normal(k, (4, 4)), 0.7)
        distance = sum(jnp.sum((a - b) ** 2) for a, b in zip(jax.tree.leaves(moved), jax.tree.leaves(params)))
        return network(moved, image), network(params, image), distance

    after, before, distance = law(jax.random.split(key, 16))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-7)
    assert np.all(distance > 1)


def test_loss_gradient_is_orthogonal_to_every_orbit_direction(key):
    params, image = draw(key)

    @jax.jit
    @jax.vmap
    def law(direction):
        gradient = jax.grad(lambda p: jnp.sum(network(p, image) ** 2))(params)
        tangent = jax.jvp(lambda t: gauge_orbit(params, direction, t), (0.0,), (1.0,))[1]
        products = jax.tree.leaves(jax.tree.map(jnp.multiply, gradient, tangent))
        return sum(jnp.sum(x) for x in products), sum(jnp.sum(jnp.abs(x)) for x in products)

    inner, scale = law(jax.random.normal(key, (8, 4, 4)))
    assert np.all(np.abs(inner) < 1e-9 * scale)


def test_inference_finds_the_gauge(key):
    params, image = draw(key)
    spec = gj.symmetry.infer(network, params, image)
    assert {(group.kind, group.size) for group in spec.groups.values()} == {
        ("permutation", 4),
        ("general_linear", 4),
    }


def test_a_relu_breaks_it_except_for_scaled_permutations(key):
    params, image = draw(key)

    def plain(p, x):
        return jnp.mean(jax.nn.relu(x @ p["encode"]), (0, 1)) @ p["decode"]

    turned = gauge_act(params, jnp.linalg.qr(jax.random.normal(key, (4, 4)))[0])
    assert jnp.max(jnp.abs(plain(turned, image) - plain(params, image))) > 1e-2
    monomial = jnp.diag(jnp.array([2.0, 0.5, 1.0, 3.0]))[jnp.array([2, 0, 3, 1])]
    np.testing.assert_allclose(plain(gauge_act(params, monomial), image), plain(params, image), rtol=1e-9)
