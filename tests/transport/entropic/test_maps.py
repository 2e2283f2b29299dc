"""Maps from couplings: agreement on the sample, known maps off it, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax.transport import barycentric_map, entropic_map, sinkhorn

N, M = 8, 7


def half(x, y):
    return jnp.sum((x - y) ** 2) / 2


@jax.jit
def solved(key):
    keys = jax.random.split(key, 4)
    x, y = jax.random.normal(keys[0], (N, 2)), jax.random.normal(keys[1], (M, 2))
    a, b = (jax.nn.softmax(jax.random.normal(k, (s,))) for k, s in zip(keys[2:], (N, M)))
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1) / 2
    return x, y, b, sinkhorn(cost, a, b, epsilon=0.2, tol=1e-12)


def test_maps_agree_on_the_sample():

    @jax.jit
    def law(key):
        x, y, b, r = solved(key)
        images = jax.vmap(lambda p: entropic_map(p, y, r.g, b, cost=half, epsilon=0.2))(x)
        return images, barycentric_map(r.plan, y), r.a, b, y

    images, of_plan, a, b, y = map(np.asarray, law(jax.random.key(0)))
    np.testing.assert_allclose(images, of_plan, atol=1e-9)
    # The coupling keeps the mean.
    np.testing.assert_allclose(a @ images, b @ y, atol=1e-10)


def test_barycentric_map_matches_pot():
    x, y = np.random.default_rng(1).normal(size=(2, N, 2))
    mapping = ot.da.SinkhornTransport(reg_e=0.5, metric="sqeuclidean", tol=1e-13, max_iter=10_000)
    expected = mapping.fit(Xs=x, Xt=y).transform(Xs=x)
    np.testing.assert_allclose(jax.jit(barycentric_map)(mapping.coupling_, y), expected, atol=1e-9)


@pytest.mark.full
def test_gradient_of_the_potential_is_the_displacement():
    """T(x) = x - grad f(x), where f is the soft c-transform of g."""
    _, y, b, r = solved(jax.random.key(2))

    def potential(p):
        costs = jax.vmap(lambda q: half(p, q))(y)
        return -0.2 * jax.scipy.special.logsumexp((r.g - costs) / 0.2, b=b)

    new = jax.random.normal(jax.random.key(3), (N, 2))
    images = jax.vmap(lambda p: entropic_map(p, y, r.g, b, cost=half, epsilon=0.2))(new)
    np.testing.assert_allclose(images, new - jax.vmap(jax.grad(potential))(new), atol=1e-9)


@pytest.mark.full
def test_recovers_a_linear_map_off_the_sample():
    x = jax.random.normal(jax.random.key(4), (400, 1))
    w = jnp.full(400, 1 / 400)
    y = 0.5 * x + 2
    g = sinkhorn((x - y.T) ** 2 / 2, w, w, epsilon=0.02, tol=1e-4).g
    new = jnp.linspace(-1, 1, 9)[:, None]
    images = jax.vmap(lambda p: entropic_map(p, y, g, w, cost=half, epsilon=0.02))(new)
    np.testing.assert_allclose(images, 0.5 * new + 2, atol=0.05)


def test_points_without_mass_and_bad_shapes():
    random = np.random.default_rng(5)
    plan, y = random.uniform(size=(N, N)), random.normal(size=(N, 2))
    plan[2] = 0
    images = np.asarray(jax.jit(barycentric_map)(plan, y))
    assert np.all(np.isnan(images[2])) & np.all(np.isfinite(images[np.arange(N) != 2]))
    with pytest.raises(ValueError, match="barycentric_map: y"):
        barycentric_map(plan, y[:3])
    with pytest.raises(ValueError, match="entropic_map: b"):
        entropic_map(y[0], y, y[:, 0], np.ones(3), cost=half, epsilon=0.2)
