"""Laws of ground costs: the matrix of all pairs against one pair at a time, far from the origin and at equal points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec
from scipy.spatial.distance import cdist

from geojax import manifolds
from geojax.transport import Distance, SquaredEuclidean, pairwise, point_cloud_sinkhorn, sinkhorn


def clouds(d, dtype=np.float64, offset=0.0):
    x, y = np.random.default_rng(0).normal(size=(2, 6, d))
    return (x + offset).astype(dtype), (y[:5] + offset).astype(dtype)


costs_of = jax.jit(pairwise)


@pytest.mark.parametrize("d", [3, 20])
def test_matches_scipy(d):
    x, y = clouds(d)
    np.testing.assert_allclose(costs_of(SquaredEuclidean(), x, y), cdist(x, y, "sqeuclidean"), atol=1e-12)
    np.testing.assert_allclose(costs_of(Distance(), x, y), cdist(x, y), atol=1e-12)


@pytest.mark.parametrize("d", [3, 20])
def test_squared_distances_lose_their_digits_far_from_the_origin(d):
    x, y = clouds(d, np.float32, 1000.0)
    expected = cdist(np.float64(x), np.float64(y), "sqeuclidean")
    # d + 2 roundings of terms as large as twice the squared radius.
    bound = 4 * (d + 2) * np.finfo(np.float32).eps * expected.max()
    np.testing.assert_allclose(costs_of(SquaredEuclidean(), x, y), expected, atol=bound)


@pytest.mark.parametrize("d", [3, 20])
def test_squared_distances_are_not_negative_and_flat_at_equal_points(d):
    x, _ = clouds(d, np.float32)
    assert np.all(np.asarray(costs_of(SquaredEuclidean(), x, x)) >= 0)
    slope = jax.jit(jax.jacobian(lambda z: jnp.diagonal(pairwise(SquaredEuclidean(), z, x))))(x)
    np.testing.assert_array_equal(slope, 0)


@pytest.mark.parametrize("derivative", [jax.grad, pytest.param(jax.hessian, marks=pytest.mark.full)])
def test_derivatives_of_squared_distances_match_those_of_the_sum(derivative):
    x, y = clouds(9)
    weights = np.random.default_rng(1).normal(size=(6, 5))
    one_by_one = lambda x, y: jnp.sum(weights * jnp.sum((x[:, None] - y) ** 2, axis=-1) ** 2)
    product = lambda x, y: jnp.sum(weights * pairwise(SquaredEuclidean(), x, y) ** 2)
    got, want = jax.jit(lambda x, y: [derivative(f, (0, 1))(x, y) for f in (product, one_by_one)])(x, y)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-9)


def test_trees_of_points_are_summed_over_their_leaves():
    x, y = clouds(6)
    split = lambda z: {"u": z[:, 0], "v": z[:, 1:].reshape(-1, 5, 1)}

    @jax.jit
    def costs(x, y):
        first, second = (
            jax.tree.map(lambda leaf: leaf[0], split(x)),
            jax.tree.map(lambda leaf: leaf[1], split(y)),
        )
        return [
            (pairwise(c, x, y), pairwise(c, split(x), split(y)), c(first, second))
            for c in (SquaredEuclidean(), Distance())
        ]

    for whole, of_trees, one in costs(x, y):
        np.testing.assert_allclose(of_trees, whole, rtol=1e-12)
        np.testing.assert_allclose(one, whole[0, 1], rtol=1e-12)


def test_a_space_and_its_distance_are_one_cost():
    sphere = manifolds.Sphere()
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in clouds(3))
    x, y = jnp.asarray(x), jnp.asarray(y)
    # A cost is a pytree, so it may be an argument of a compiled function.
    costs = Distance(sphere), Distance(sphere.dist)
    both = jax.jit(lambda costs: [pairwise(c, x, y) for c in (*costs, sphere.dist)])(costs)
    for got in both:
        np.testing.assert_allclose(got, np.arccos(np.asarray(x) @ np.asarray(y).T), atol=1e-7)


@pytest.mark.full
def test_what_a_cost_closes_over_is_differentiated():
    x, y = clouds(3)
    total = lambda scale: jnp.sum(pairwise(lambda p, q: scale * jnp.linalg.norm(p - q) + p @ q, x, y))
    want = np.sum(costs_of(Distance(), x, y))
    np.testing.assert_allclose(
        jax.jit(jax.vmap(jax.grad(total)))(np.array([1.0, 2.0])), [want, want], rtol=1e-12
    )


def test_the_derivative_along_equal_points_is_kept_if_it_exists():
    x, _ = clouds(3)
    smooth = lambda z: jnp.sum(pairwise(lambda p, q: p @ q, z, z))
    dense = lambda z: jnp.sum(z @ z.T)
    got, want = jax.jit(lambda z: (jax.grad(smooth)(z), jax.grad(dense)(z)))(x)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_points_that_all_devices_hold_get_their_gradient_once():
    """Inside shard_map the gradient by replicated points was summed over the devices at every pair."""
    x, y = clouds(3)
    x, rows = x[:4], PartitionSpec("rows")

    def cost(x, y, scale):
        return jnp.sum(jnp.square(pairwise(lambda p, q: scale[0] * jnp.sum(jnp.abs(p - q) ** 3), x, y)))

    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Auto,))
    sharded = jax.shard_map(
        lambda *v: jax.lax.psum(cost(*v), "rows"),
        mesh=mesh,
        in_specs=(rows, PartitionSpec(), rows),
        out_specs=PartitionSpec(),
    )
    split = lambda x, y, scale: sum(cost(x[i : i + 1], y, scale[i : i + 1]) for i in range(4))
    gradients = [jax.jit(jax.grad(f, (0, 1, 2))) for f in (sharded, split)]
    for points in ((x, y), (np.broadcast_to(x[:1], x.shape), y)):
        arguments = (*points, np.linspace(1, 2, 4))
        got, want = (gradient(*arguments) for gradient in gradients)
        for ours, theirs in zip(got, want):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.full
def test_points_of_integers_and_complex_numbers():
    x, y = clouds(3)
    kinds = jnp.arange(6) % 2, jnp.arange(5) % 2
    cost = lambda p, q: jnp.linalg.norm(p[0] - q[0]) + (p[1] != q[1])
    slope = jax.grad(lambda z: jnp.sum(pairwise(cost, (z, kinds[0]), (y, kinds[1]))))(x)
    np.testing.assert_allclose(slope, jax.grad(lambda z: jnp.sum(pairwise(Distance(), z, y)))(x), rtol=1e-12)
    z = x + 1j * x[::-1]
    gap = lambda p, q: jnp.sum(jnp.abs(p - 2 * q) ** 2)
    dense = lambda z: jnp.sum(jnp.sin(jnp.sum(jnp.abs(z[:, None] - 2 * z) ** 2, axis=-1)))
    np.testing.assert_allclose(
        jax.grad(lambda z: jnp.sum(jnp.sin(pairwise(gap, z, z))))(z), jax.grad(dense)(z)
    )


def test_float32_weights_are_infeasible_beside_float64_costs():
    """Weights that a float32 softmax computed add up to 1 only to float32 rounding."""
    x, y = clouds(3)
    a = np.asarray(jax.jit(jax.nn.softmax)(np.arange(6, dtype=np.float32)))
    assert abs(float(np.sum(a.astype(np.float64))) - 1) > 1e-12

    @jax.jit
    def statuses(x, y, a):
        dense = sinkhorn(pairwise(SquaredEuclidean(), x, y), a, epsilon=1.0, tol=1e-12)
        return dense.status, point_cloud_sinkhorn(x, y, a, epsilon=1.0, tol=1e-12).status

    for status in statuses(x, y, a):
        assert status == 0
