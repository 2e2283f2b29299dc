"""Cases of random features and of transport with them."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

N, M, D, K = 6, 5, 3, 8
SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")


def frequencies(name):
    """The case of a function that draws frequencies."""
    function = getattr(transport, name)
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
        getattr(transport, name),
        points,
        differentiable=(0, 1),
        edges={"all points zero": lambda dtype: (jnp.zeros((N, D), dtype), jnp.ones((K, D), dtype))},
    )


CASES = [
    *map(frequencies, ("gaussian_frequencies", "simplex_plus_frequencies")),
    *map(features, ("softmax_features", "gaussian_features")),
]
