"""Sample spaces against assignment, POT and sklearn; on the line, the circle and the sphere."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from geojax import Status, unwrap
from geojax._core import safe
from geojax.transport import orbit_type, polymean, sample_space_distance

N, D = 6, 2


def euclidean(p, q):
    return safe.norm(p - q)


def arc(p, q):
    gap = jnp.abs(p - q) % (2 * jnp.pi)
    return jnp.minimum(gap, 2 * jnp.pi - gap)


def great_circle(p, q):
    return 2 * safe.arcsin(jnp.minimum(safe.norm(p - q) / 2, 1))


def weighted(x, weights):
    return weights @ x


def mean_direction(x, weights):
    """The Frechet mean on the sphere: some Karcher steps from the extrinsic mean."""

    def step(m, _):
        cosine = x @ m
        tangent = x - cosine[:, None] * m
        size = jnp.linalg.norm(tangent, axis=1)
        logs = tangent * (jnp.arctan2(size, cosine) / jnp.where(size > 0, size, 1))[:, None]
        v = weights @ logs
        moved = m * jnp.cos(safe.norm(v)) + v * safe.sinc(safe.norm(v))
        return moved / jnp.linalg.norm(moved), None

    start = weights @ x
    return jax.lax.scan(step, start / jnp.linalg.norm(start), length=30)[0]


@pytest.mark.parametrize("dist", [euclidean, great_circle])
def test_distance_is_root_n_times_w2(dist):

    @jax.jit
    def both(x, y):
        pairs = jax.vmap(jax.vmap(dist, (None, 0)), (0, None))(x, y)
        return pairs, sample_space_distance(x, y, dist=dist)

    for seed in range(3):
        x, y = np.random.default_rng(seed).normal(size=(2, N, 3))
        x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
        pairs, got = map(np.asarray, both(x, y))
        cost = pairs**2
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(got**2, cost[rows, columns].sum(), rtol=1e-12)
        np.testing.assert_allclose(got, np.sqrt(N * ot.emd2([], [], cost)), rtol=1e-9)


@pytest.mark.full
def test_law_metric_modulo_permutations():
    def law(key):
        k1, k2 = jax.random.split(key)
        x, y, z = jax.random.uniform(k1, (3, N)) * 6
        order = jax.random.permutation(k2, N)
        d = lambda u, v: sample_space_distance(u, v, dist=arc)
        return jnp.stack(
            [
                jnp.abs(d(x, y) - d(y, x)),
                d(x, z) - d(x, y) - d(y, z),
                jnp.abs(d(x[order], y) - d(x, y)),
                d(x, x[order]),
            ]
        )

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(1), 32))) < 1e-12


@pytest.mark.full
def test_trees_of_points_and_gradients():
    x, y = jax.random.normal(jax.random.key(2), (2, N, D))
    tree = lambda z: {"u": z[:, 0], "v": z[:, 1]}
    dist = lambda p, q: safe.norm(jnp.stack([p["u"] - q["u"], p["v"] - q["v"]]))
    want = sample_space_distance(x, y, dist=euclidean)
    np.testing.assert_allclose(sample_space_distance(tree(x), tree(y), dist=dist), want, rtol=1e-12)
    value = jax.jit(lambda x: sample_space_distance(x, y, dist=euclidean))
    u = jax.random.normal(jax.random.key(3), x.shape)
    slope = (value(x + 1e-6 * u) - value(x - 1e-6 * u)) / 2e-6
    np.testing.assert_allclose(jnp.vdot(jax.grad(value)(x), u), slope, rtol=1e-7)
    gradient = jax.grad(lambda z: sample_space_distance(z, x, dist=euclidean))(x)
    assert jnp.all(jnp.isfinite(gradient))


def test_orbit_type_counts_equal_points():
    x = np.asarray([[0.0, 1.0], [2.0, 2.0], [0.0, 1.0], [3.0, 0.0], [2.0, 2.0], [0.0, 1.0]])
    exact = jax.jit(lambda x: orbit_type(x, dist=euclidean))
    rough = jax.jit(lambda x: orbit_type(x, dist=euclidean, tol=1e-6))
    apart = np.arange(6.0)[:, None]
    assert exact(x).tolist() == [3, 2, 1, 0, 0, 0]
    assert rough(x + 1e-9 * apart).tolist() == [3, 2, 1, 0, 0, 0]
    assert exact(x + apart / 7).tolist() == [1] * 6
    assert exact(np.zeros((6, 2))).tolist() == [6, 0, 0, 0, 0, 0]
    x[0] = np.nan
    assert np.sum(exact(x)) == 5


@pytest.mark.full
def test_polymean_of_one_point_is_the_frechet_mean():
    x = jax.random.normal(jax.random.key(4), (20, D))
    found = unwrap(polymean(x, init=x[:1], dist=euclidean, mean=weighted))
    np.testing.assert_allclose(found.points[0], x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.cost, jnp.sum(jnp.var(x, axis=0)), rtol=1e-12)


def test_polymean_matches_sklearn():
    x = np.random.default_rng(5).normal(size=(45, D)) + np.repeat([0, 2, 4], 15)[:, None]
    init = x[[0, 1, 20]]
    run = jax.jit(lambda x, init: polymean(x, init=init, dist=euclidean, mean=weighted))
    found = unwrap(run(x, init))
    theirs = KMeans(3, init=init, n_init=1, algorithm="lloyd", tol=0).fit(x)
    np.testing.assert_allclose(len(x) * found.cost, theirs.inertia_, rtol=1e-9)
    np.testing.assert_allclose(found.points, theirs.cluster_centers_, rtol=1e-9)
    counts = np.bincount(found.assignment, minlength=3) / len(x)
    np.testing.assert_allclose(found.weights, counts)


@pytest.mark.full
def test_law_polymeans_are_consistent_on_the_circle_and_the_sphere():
    """Two narrow clusters with planted centres: the error falls like 1 / sqrt(n)."""
    centres = jnp.asarray([0.1, 2.5])
    plane = jnp.eye(3)[:2]

    def circle(n):
        noise = 0.2 * jax.random.normal(jax.random.key(n), (n,))
        x = centres[jnp.arange(n) % 2] + noise

        def circular_mean(x, weights):
            start = jnp.arctan2(weights @ jnp.sin(x), weights @ jnp.cos(x))
            return start + weights @ ((x - start + jnp.pi) % (2 * jnp.pi) - jnp.pi)

        return unwrap(polymean(x, init=x[:2], dist=arc, mean=circular_mean)).points - centres

    def sphere(n):
        x = plane[jnp.arange(n) % 2] + 0.2 * jax.random.normal(jax.random.key(n), (n, 3))
        x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        return unwrap(polymean(x, init=x[:2], dist=great_circle, mean=mean_direction)).points - plane

    for errors in (circle, sphere):
        few, many = (np.abs(errors(n)).max() for n in (50, 2000))
        assert many < 4.5 * 0.2 / np.sqrt(1000)
        assert many < few


@pytest.mark.full
def test_polymean_gradient_and_status():
    x = jax.random.normal(jax.random.key(6), (12, D))
    run = jax.jit(
        lambda x: polymean(x, init=jnp.asarray([[-2.0, 0.0], [2.0, 0.0]]), dist=euclidean, mean=weighted)
    )
    u = jax.random.normal(jax.random.key(7), x.shape)
    slope = (run(x + 1e-6 * u).cost - run(x - 1e-6 * u).cost) / 2e-6
    np.testing.assert_allclose(jnp.vdot(jax.grad(lambda x: run(x).cost)(x), u), slope, rtol=1e-6)
    assert run(x.at[0].set(jnp.nan)).status == Status.NONFINITE
    assert polymean(x, init=x[:2], dist=euclidean, mean=weighted, max_steps=1).status == Status.MAX_STEPS
    lonely = unwrap(polymean(x, init=jnp.asarray([[0.0, 0.0], [50.0, 50.0]]), dist=euclidean, mean=weighted))
    np.testing.assert_array_equal(lonely.points[1], 50)
    assert lonely.weights.tolist() == [1, 0]


def test_errors_say_how_to_mend_the_call():
    with pytest.raises(ValueError, match=r"x has 3 points and y has 4"):
        sample_space_distance(np.zeros(3), np.zeros(4), dist=arc)
    with pytest.raises(ValueError, match=r"the leaves of x have leading axes.*at least 1"):
        orbit_type(np.zeros((0, 2)), dist=euclidean)
