"""Cases of couplings between laws, bounds by sorting, balls of measures, and mixtures of sources."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case
from tests.conformance.transport.clouds import along_the_simplex, weights

T, V, S = 3, 5, 4
DRAWS = dict.fromkeys(
    (
        "gradient_matches_differences",
        "forward_equals_reverse",
        "gradient_finite_at_edges",
        "nan_is_honest",
    ),
    "the draws are integers, which have no derivative and cannot be NaN",
)


def pair_of_logits(key, dtype):
    return tuple(jax.random.normal(key, (2, T, V), dtype))


def laws(key, dtype):
    k1, k2 = jax.random.split(key)
    return weights(k1, V, dtype), weights(k2, V, dtype)


def with_key(key, dtype):
    return *laws(key, dtype), jax.random.fold_in(key, 1)


def ball(key, dtype):
    """v, p, cost_matrix, radius."""
    k1, k2, k3 = jax.random.split(key, 3)
    x = jax.random.normal(k3, (S, 2), dtype)
    cost = jnp.sum((x[:, None] - x) ** 2, axis=-1)
    return jax.random.normal(k1, (S,), dtype), weights(k2, S, dtype), cost, jnp.asarray(0.3, dtype)


def ball_directions(key, item):
    v, p, cost, radius = item
    return (
        jax.random.normal(key, v.shape),
        along_the_simplex(key, p),
        jax.random.normal(key, cost.shape),
        radius,
    )


def sources(key, dtype):
    """sources, target, alpha, epsilon."""
    k1, k2, k3 = jax.random.split(key, 3)
    points = jax.random.normal(k1, (2, 3, 2), dtype), jax.random.normal(k2, (4, 2), dtype)
    return *points, weights(k3, 2, dtype), jnp.asarray(0.8, dtype)


def source_directions(key, item):
    x, y, alpha, epsilon = item
    return (
        jax.random.normal(key, x.shape),
        jax.random.normal(key, y.shape),
        along_the_simplex(key, alpha),
        epsilon,
    )


def trials(key, dtype):
    """alphas, sizes, costs, scores; more trials than coefficients."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    alphas = jax.vmap(lambda k: weights(k, 2, dtype))(jax.random.split(k1, 8))
    sizes, costs = jax.random.uniform(k2, (8,), dtype, 10, 100), jax.random.uniform(k3, (8,), dtype)
    return alphas, sizes, costs, jax.random.normal(k4, (8,), dtype)


def embeddings(key, dtype):
    """x, y, weights, key."""
    k1, k2, k3 = jax.random.split(key, 3)
    x, y = jax.random.normal(k1, (4, 2), dtype), jax.random.normal(k2, (5, 3), dtype)
    return x, y, jax.random.normal(k3, (4, 2), dtype), key


def learner(sample):
    return jax.nn.softmax(jnp.stack([jnp.sum(sample), jnp.max(sample), jnp.zeros_like(sample[0])]))


def sampled(measure):
    def call(scale, key):
        return measure(
            lambda sample: learner(scale * sample),
            lambda k: jax.random.uniform(k, (6,), scale.dtype, -1),
            key=key,
            num_pairs=8,
        )

    return call


def scale_and_key(key, dtype):
    return jax.random.uniform(key, (), dtype, 0.5), key


CASES = [
    Case(
        "sorted_gromov_wasserstein",
        transport.sorted_gromov_wasserstein,
        laws,
        differentiable=(0, 1),
        edges={"equal entries": lambda dtype: (jnp.ones(V, dtype), jnp.ones(V, dtype))},
    ),
    Case(
        "graph_on_logits_loss",
        transport.graph_on_logits_loss,
        pair_of_logits,
        call=lambda s, t: transport.graph_on_logits_loss(s, t, k=2),
        differentiable=(0, 1),
        edges={"equal logits": lambda dtype: (jnp.ones((T, V), dtype),) * 2},
    ),
    Case(
        "wasserstein_ball_worst_case",
        transport.laws.wasserstein_ball_worst_case,
        ball,
        call=lambda v, p, cost, radius: transport.laws.wasserstein_ball_worst_case(v, p, cost, radius=radius),
        differentiable=(0, 1, 2, 3),
        output=lambda result: result.value,
        directions=ball_directions,
        edges={
            "radius zero": lambda dtype: (*ball(jax.random.key(0), dtype)[:3], jnp.zeros((), dtype)),
            "equal values": lambda dtype: (jnp.ones(S, dtype), *ball(jax.random.key(0), dtype)[1:]),
        },
    ),
    Case(
        "total_variation",
        transport.laws.total_variation,
        laws,
        differentiable=(0, 1),
        edges={"equal laws": lambda dtype: (laws(jax.random.key(0), dtype)[0],) * 2},
    ),
    Case(
        "maximal_coupling",
        transport.laws.maximal_coupling,
        with_key,
        call=lambda p, q, key: transport.laws.maximal_coupling(p, q, key=key),
        exemptions=DRAWS,
    ),
    Case(
        "shared_randomness_coupling",
        transport.laws.shared_randomness_coupling,
        lambda key, dtype: (jnp.stack(laws(key, dtype)), key),
        call=lambda p, key: transport.laws.shared_randomness_coupling(p, key=key),
        exemptions=DRAWS,
    ),
    Case(
        "tv_indistinguishability",
        transport.laws.tv_indistinguishability,
        scale_and_key,
        call=sampled(transport.laws.tv_indistinguishability),
        differentiable=(0,),
        edges={"a constant learner": lambda dtype: (jnp.zeros((), dtype), jax.random.key(0))},
        output=lambda result: result.value,
    ),
    Case(
        "replicability",
        transport.laws.replicability,
        scale_and_key,
        call=sampled(transport.laws.replicability),
        exemptions=dict.fromkeys(
            ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
            "a frequency of equal draws is piecewise constant",
        ),
    ),
    Case(
        "gw_barycentric_init",
        transport.gw_barycentric_init,
        embeddings,
        call=lambda x, y, w, key: transport.gw_barycentric_init(
            x, y, w, epsilon=1.0, key=key, num_starts=2, max_steps=60
        ),
        differentiable=(2,),
        edges={
            "one point": lambda dtype: (
                jnp.zeros((4, 2), dtype),
                *embeddings(jax.random.key(0), dtype)[1:],
            )
        },
        nan_arguments=(2,),
        tolerance=1e-7,
    ),
    Case(
        "mixture_ot",
        transport.laws.mixture_ot,
        sources,
        call=lambda x, y, alpha, epsilon: transport.laws.mixture_ot(x, y, alpha, epsilon=epsilon, tol=1e-12),
        differentiable=(0, 1, 2, 3),
        directions=source_directions,
        edges={
            "a share of zero": lambda dtype: (
                *sources(jax.random.key(0), dtype)[:2],
                jnp.array([0.0, 1.0], dtype),
                jnp.asarray(0.8, dtype),
            )
        },
        tolerance=1e-9,
    ),
    Case(
        "fit_ot_predictor",
        transport.laws.fit_ot_predictor,
        trials,
        differentiable=(3,),
        edges={"scores of zero": lambda dtype: (*trials(jax.random.key(0), dtype)[:3], jnp.zeros(8, dtype))},
        nan_arguments=(3,),
        tolerance=1e-9,
    ),
    Case(
        "project_scale",
        transport.laws.project_scale,
        lambda key, dtype: tuple(jnp.asarray(v, dtype) for v in (0.5, 0.3, 10.0, 40.0, 100.0)),
        differentiable=(0, 1, 2, 3, 4),
        edges={"equal scores": lambda dtype: tuple(jnp.asarray(v, dtype) for v in (0.5, 0.5, 1.0, 4.0, 1.0))},
    ),
    Case(
        "select_mixture",
        transport.laws.select_mixture,
        lambda key, dtype: (jax.random.normal(key, (3,), dtype), jnp.full(3, 1 / 3, dtype)),
        call=lambda slope, init: transport.laws.select_mixture(
            lambda alpha: alpha @ slope + jnp.sum(alpha**2), init, step_size=0.5, tol=1e-10
        ),
        differentiable=(0,),
        output=lambda result: result.objective,
        edges={"no slope": lambda dtype: (jnp.zeros(3, dtype), jnp.full(3, 1 / 3, dtype))},
        tolerance=1e-7,
    ),
]

DATA = {
    "EstimateResult": "what the measures of learners return",
    "ScorePredictor": "what fit_ot_predictor returns",
    "MixtureSelectionResult": "what select_mixture returns",
    "WorstCase": "what wasserstein_ball_worst_case returns",
}
