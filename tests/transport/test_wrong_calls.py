"""Calls with the wrong kind of argument: each is answered at the door with what was given and what to write."""

import jax
import jax.numpy as jnp
import pytest

from geojax import manifolds, transport
from geojax.transport import Distance, SquaredEuclidean, pairwise, sinkhorn

X, Y = jax.random.normal(jax.random.key(0), (2, 4, 2))
C = jnp.ones((4, 3))
W = jnp.full(4, 0.25)
RESULT = transport.DivergenceResult(jnp.ones(()), W, W, jnp.ones(()), jnp.ones((), int), jnp.zeros((), int))
POTENTIALS = transport.PointCloudResult(
    W, W, jnp.ones(()), jnp.ones(()), jnp.ones((), int), jnp.zeros((), int)
)

TAKE_A_COST = {
    "pairwise": lambda cost: pairwise(cost, X, Y),
    "sinkhorn_divergence": lambda cost: transport.sinkhorn_divergence(X, Y, cost=cost, epsilon=0.1),
    "point_cloud_sinkhorn": lambda cost: transport.point_cloud_sinkhorn(X, Y, cost=cost, epsilon=0.1),
    "entropic_map": lambda cost: transport.entropic_map(X[0], Y, W, cost=cost, epsilon=0.1),
    "mixture_ot": lambda cost: transport.laws.mixture_ot(X[None], Y, jnp.ones(1), cost=cost, epsilon=0.1),
    "sample_space_distance": lambda dist: transport.sample_space_distance(X, Y, dist=dist),
    "orbit_type": lambda dist: transport.orbit_type(X, dist=dist),
    "polymean": lambda dist: transport.polymean(X, init=Y, dist=dist, mean=lambda x, w: w @ x),
}
WRONG_COSTS = [
    ("sqeuclidean", ["the string 'sqeuclidean'", "SquaredEuclidean()"]),
    (SquaredEuclidean, ["the class SquaredEuclidean", "Write SquaredEuclidean()"]),
    (manifolds.Sphere(), ["the space Sphere", "Distance(Sphere(...))", ".squared_dist"]),
    (manifolds.Sphere, ["the class Sphere", "Distance(Sphere())"]),
    (C, ["an array of shape [4, 3]", "sinkhorn"]),
    (None, ["None", "SquaredEuclidean()"]),
]


@pytest.mark.parametrize("call", TAKE_A_COST, ids=str)
@pytest.mark.parametrize("cost, parts", WRONG_COSTS, ids=str)
def test_what_is_not_a_cost(call, cost, parts):
    with pytest.raises(TypeError) as error:
        TAKE_A_COST[call](cost)
    for part in (call, *parts):
        assert part in str(error.value)


@pytest.mark.parametrize("call", TAKE_A_COST, ids=str)
def test_a_cost_that_returns_a_vector(call):
    with pytest.raises(ValueError, match=rf"{call}.* an array of shape \[2\] .* expected a scalar"):
        TAKE_A_COST[call](lambda p, q: (p - q) ** 2)


WRONG = {
    "points in place of costs": (
        lambda: sinkhorn(X, Y, epsilon=0.1),
        ["sinkhorn", "a has shape [4, 2]", "pairwise(SquaredEuclidean(), x, y)"],
    ),
    "costs in place of points": (
        lambda: transport.sinkhorn_divergence(C, W, W, epsilon=0.1),
        ["sinkhorn_divergence", "shape [3]", "those of y []", "sinkhorn(cost_matrix"],
    ),
    "a function in place of costs": (
        lambda: sinkhorn(SquaredEuclidean(), W, W, epsilon=0.1),
        ["cost_matrix is a function", "pairwise(cost, x, y)"],
    ),
    "a string in place of costs": (
        lambda: sinkhorn("cost", epsilon=0.1),
        ["cost_matrix is the string 'cost'"],
    ),
    "points of two dimensions": (
        lambda: transport.point_cloud_sinkhorn(X, Y[:, :1], epsilon=0.1),
        ["point_cloud_sinkhorn", "shape [2]", "those of y [1]", "one space"],
    ),
    "points that are a list of numbers": (
        lambda: transport.sinkhorn_divergence([0.0, 1.0], [1.0, 2.0], epsilon=0.1),
        ["x is 0.0", "jax.numpy.asarray"],
    ),
    "points that are nothing": (lambda: pairwise(Distance(), None, Y), ["x is None", "points [n, ...]"]),
    "points in place of distances": (
        lambda: transport.gromov_wasserstein(X, Y, epsilon=0.1),
        ["gromov_wasserstein", "cost_x has shape [4, 2]", "pairwise(SquaredEuclidean(), x, x)"],
    ),
    "points in place of distances, fused": (
        lambda: transport.fused_gromov_wasserstein(jnp.ones((4, 4)), X, Y, epsilon=0.1),
        ["fused_gromov_wasserstein", "cost_x has shape [4, 2]", "pairwise"],
    ),
    "weights of the wrong length": (
        lambda: sinkhorn(C, W[:3], epsilon=0.1),
        ["sinkhorn", "a has shape [3]", "n = 4 as in cost_matrix"],
    ),
    "weights of the wrong length for points": (
        lambda: transport.sinkhorn_divergence(X, Y, W, W[:3], epsilon=0.1),
        ["sinkhorn_divergence: y has shapes [[4, 2]]", "weights b have shape [3]", "b of shape [4]"],
    ),
    "a number of points in place of weights": (
        lambda: transport.point_cloud_sinkhorn(X, Y, 4, 4, epsilon=0.1),
        ["point_cloud_sinkhorn", "weights a have shape []", "a of shape [4]"],
    ),
    "weights of all marginals in one array": (
        lambda: transport.multimarginal_sinkhorn(jnp.ones((4, 4)), jnp.stack([W, W]), epsilon=0.1),
        ["multimarginal_sinkhorn", "one array of shape [2, 4]", "[a1, a2, ...]"],
    ),
    "an epsilon that is a string": (
        lambda: sinkhorn(C, epsilon="0.1"),
        ["epsilon is the string '0.1'", "quotes"],
    ),
    "an epsilon that is None": (
        lambda: sinkhorn(C, epsilon=None),
        ["epsilon is None", "expected a real number"],
    ),
    "several epsilons": (lambda: sinkhorn(C, epsilon=jnp.ones(3)), ["epsilon has shape [3]", "jax.vmap"]),
    "no epsilon": (lambda: sinkhorn(C), ["epsilon"]),
    "a rho that is a string": (
        lambda: transport.unbalanced_sinkhorn(C, epsilon=0.1, rho_a="inf", rho_b=1.0),
        ["rho_a is the string 'inf'"],
    ),
    "a mass that is a vector": (
        lambda: transport.partial_transport(C, mass=W, epsilon=0.1),
        ["mass has shape [4]"],
    ),
    "an exponent that is a string": (
        lambda: transport.wasserstein_1d(W, W, p="2"),
        ["wasserstein_1d", "p is the string"],
    ),
    "a period that is a string": (
        lambda: transport.circular_wasserstein(W, W, period="2 pi"),
        ["circular_wasserstein", "period is the string"],
    ),
    "a result in place of potentials to start from": (
        lambda: sinkhorn(jnp.ones((4, 4)), epsilon=0.1, init=POTENTIALS),
        ["init is a PointCloudResult", "init=(result.f, result.g)"],
    ),
    "a result in place of potentials to start from, in blocks": (
        lambda: transport.point_cloud_sinkhorn(X, Y, epsilon=0.1, init=POTENTIALS),
        ["point_cloud_sinkhorn: init is a PointCloudResult", "init=(result.f, result.g)"],
    ),
    "a result in place of one potential": (
        lambda: transport.entropic_map(X[0], Y, POTENTIALS, epsilon=0.1),
        ["entropic_map: g is a PointCloudResult", "g=result.g"],
    ),
    "a result in place of a plan": (
        lambda: transport.barycentric_map(sinkhorn(C, epsilon=1.0), C[0]),
        ["barycentric_map: plan is a SinkhornResult", "plan=result.plan"],
    ),
    "a result in place of points": (
        lambda: transport.sinkhorn_divergence(RESULT, Y, epsilon=0.1),
        ["sinkhorn_divergence: x is a DivergenceResult", "value"],
    ),
    "a control that is a string": (
        lambda: transport.sliced_wasserstein(X, Y, projections=jnp.eye(2), control="lower"),
        ["control is 'lower'", "lower_control"],
    ),
    "a mean that is a space": (
        lambda: transport.polymean(X, init=Y, dist=Distance(), mean=manifolds.Euclidean()),
        ["polymean: mean is a Euclidean", "frechet_mean"],
    ),
    "a metric that is a class": (
        lambda: Distance(manifolds.Sphere),
        ["the class Sphere", "Distance(Sphere())"],
    ),
    "a metric that is a string": (
        lambda: Distance("euclidean"),
        ["metric is a str", "Distance() is the Euclidean one"],
    ),
    "costs with more rows than columns": (
        lambda: transport.assignment(C),
        ["more rows than columns", "cost_matrix.T"],
    ),
    "a rank above the number of points": (
        lambda: transport.low_rank_sinkhorn(X, Y, rank=5, key=jax.random.key(0)),
        ["low_rank_sinkhorn: rank is 5", "at most 4"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call(name):
    call, parts = WRONG[name]
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    for part in parts:
        assert part in str(error.value)


def test_weights_whose_sums_differ_are_infeasible_whatever_their_dtype():
    """Values are not looked at while tracing, so the status says it."""
    for weights in (2 * W, jnp.ones(4, int)):
        assert sinkhorn(C, weights, epsilon=1.0).status == 4
    assert jnp.isnan(transport.wasserstein_1d(W, W, p=-1))
