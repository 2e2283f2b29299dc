"""Cases of random features and of transport with them."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

N, M, D, K = 6, 5, 3, 8
SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")


def frequencies(name):
    """The case of a function that draws frequencies."""
    function = getattr(transport.features, name)
    reason = "takes a key alone, no floating argument"
    return Case(
        name,
        function,
        lambda key, dtype: (key,),
        call=lambda key: function(key, (K, D)),
        exemptions=dict.fromkeys(("dtypes_kept", "nan_is_honest", *SMOOTH), reason),
    )


def points(key, dtype):
    k1, k2 = jax.random.split(key)
    return jax.random.normal(k1, (N, D), dtype) / 2, jax.random.normal(k2, (K, D), dtype)


def features(name):
    """The case of a feature map."""
    return Case(
        name,
        getattr(transport.features, name),
        points,
        differentiable=(0, 1),
        edges={"all points zero": lambda dtype: (jnp.zeros((N, D), dtype), jnp.ones((K, D), dtype))},
    )


def problem(key, dtype):
    """phi_x, phi_y, a, b, epsilon."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    phi_x, phi_y = (jax.random.uniform(k, (n, K), dtype) for k, n in ((k1, N), (k2, M)))
    a, b = (jax.nn.softmax(jax.random.normal(k, (n,), dtype)) for k, n in ((k3, N), (k4, M)))
    return phi_x, phi_y, a, b, jnp.asarray(0.5, dtype)


def with_zero_weights(dtype):
    phi_x, phi_y, a, b, epsilon = problem(jax.random.key(0), dtype)
    a = a.at[:2].set(0)
    return phi_x, phi_y, a / jnp.sum(a), b, epsilon


CASES = [
    Case(
        "feature_sinkhorn",
        transport.feature_sinkhorn,
        problem,
        call=lambda phi_x, phi_y, a, b, epsilon: transport.feature_sinkhorn(
            phi_x, phi_y, a, b, epsilon=epsilon, tol=1e-12
        ),
        output=lambda result: result.cost,
        differentiable=(0, 1, 4),
        edges={"zero weights": with_zero_weights},
        tolerance=1e-9,
    ),
    *map(frequencies, ("gaussian_frequencies", "simplex_plus_frequencies")),
    *map(features, ("softmax_features", "gaussian_features")),
]

DATA = {"FeatureSinkhornResult": "what feature_sinkhorn returns"}
