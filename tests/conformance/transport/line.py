"""Cases of transport on the line, on the circle and along directions."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

N, M, D, K = 6, 5, 3, 8


def weights(key, size, dtype):
    return jax.nn.softmax(jax.random.normal(key, (size,), dtype))


def along_the_simplex(key, weight):
    """A change of weights that keeps their sum."""
    change = jax.random.normal(key, weight.shape, weight.dtype)
    return weight * (change - jnp.sum(weight * change) / jnp.sum(weight))


def line(key, dtype):
    """x, y, a, b, p."""
    k1, k2, k3 = jax.random.split(key, 3)
    x, y = jax.random.normal(k1, (N,), dtype), jax.random.normal(jax.random.fold_in(k1, 1), (M,), dtype)
    return x, y, weights(k2, N, dtype), weights(k3, M, dtype), jnp.asarray(1.5, dtype)


def line_directions(key, item):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y, a, b, p = item
    moves = jax.random.normal(k1, x.shape), jax.random.normal(k2, y.shape)
    return *moves, along_the_simplex(k3, a), along_the_simplex(k4, b), jnp.ones_like(p)


def equal_lines(dtype):
    x, _, a, _, p = line(jax.random.key(0), dtype)
    return x, x, a, a, p


def clouds(key, dtype):
    """x, y, projections."""
    k1, k2, k3 = jax.random.split(key, 3)
    x, y = jax.random.normal(k1, (N, D), dtype), jax.random.normal(k2, (M, D), dtype)
    return x, y, transport.random_directions(k3, (K, D)).astype(dtype)


def weighted_clouds(key, dtype):
    """x, y, a, b, projections."""
    x, y, projections = clouds(key, dtype)
    return x, y, *line(key, dtype)[2:4], projections


def equal_weighted_clouds(dtype):
    x, _, a, _, projections = weighted_clouds(jax.random.key(0), dtype)
    return x, x, a, a, projections


def distant_clouds(key, dtype):
    """The same with y far away and two directions: no projected points tie at the maximum."""
    x, y, projections = clouds(key, dtype)
    return x, y + 6, projections[:2]


def equal_clouds(dtype):
    x, _, projections = clouds(jax.random.key(0), dtype)
    return x, x, projections


def draws(name):
    """The case of a function that draws directions."""
    function = getattr(transport, name)
    reason = "takes a key alone, no floating argument"
    return Case(
        name,
        function,
        lambda key, dtype: (key,),
        call=lambda key: function(key, (K, D)),
        exemptions=dict.fromkeys(("dtypes_kept", "nan_is_honest", *SMOOTH), reason),
    )


def controls(name):
    """The case of a control variate."""
    return Case(
        name,
        getattr(transport, name),
        clouds,
        differentiable=(0, 1, 2),
        edges={"equal clouds": equal_clouds},
    )


SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")

CASES = [
    *map(draws, ("random_directions", "orthogonal_directions", "simplex_directions")),
    *map(controls, ("lower_control", "upper_control")),
    Case(
        "sliced_wasserstein",
        transport.sliced_wasserstein,
        clouds,
        call=lambda x, y, projections: transport.sliced_wasserstein(
            x, y, projections=projections, control=transport.upper_control
        ),
        differentiable=(0, 1, 2),
        edges={"equal clouds": equal_clouds},
    ),
    Case(
        "sliced_wasserstein",
        transport.sliced_wasserstein,
        weighted_clouds,
        variant="weighted",
        call=lambda x, y, a, b, projections: transport.sliced_wasserstein(
            x, y, a, b, projections=projections, control=transport.upper_control
        ),
        differentiable=(0, 1, 2, 3),
        directions=lambda key, item: (
            *(jax.random.normal(key, cloud.shape) for cloud in item[:2]),
            *(along_the_simplex(key, weight) for weight in item[2:4]),
        ),
        edges={"equal clouds": equal_weighted_clouds},
    ),
    Case(
        "circular_wasserstein",
        transport.circular_wasserstein,
        lambda key, dtype: (*line(key, dtype)[:2], jnp.asarray(1.0, dtype)),
        call=lambda x, y, period: transport.circular_wasserstein(x, y, period=period),
        differentiable=(0, 1, 2),
        edges={"equal measures": lambda dtype: (*equal_lines(dtype)[:2], jnp.asarray(1.0, dtype))},
    ),
    Case(
        "circular_wasserstein",
        transport.circular_wasserstein,
        lambda key, dtype: line(key, dtype)[:4],
        variant="weighted",
        differentiable=(0, 1, 2, 3),
        directions=lambda key, item: line_directions(key, (*item, item[0][0]))[:4],
        edges={"equal measures": lambda dtype: equal_lines(dtype)[:4]},
    ),
    Case(
        "lcot_embedding",
        transport.lcot_embedding,
        lambda key, dtype: (line(key, dtype)[1], jnp.asarray(1.0, dtype)),
        call=lambda x, period: transport.lcot_embedding(x, num=M, period=period),
        differentiable=(0, 1),
        edges={"all points equal": lambda dtype: (jnp.full(N, 0.3, dtype), jnp.asarray(1.0, dtype))},
    ),
    Case(
        "lcot_distance",
        transport.lcot_distance,
        lambda key, dtype: line(key, dtype)[:2],
        call=lambda x, y: transport.lcot_distance(x, y, num=M),
        differentiable=(0, 1),
        edges={"equal measures": lambda dtype: equal_lines(dtype)[:2]},
    ),
    Case(
        "lcot_inverse",
        transport.lcot_inverse,
        lambda key, dtype: line(key, dtype)[:1],
        differentiable=(0,),
        edges={"the uniform measure": lambda dtype: (jnp.zeros(N, dtype),)},
    ),
    Case(
        "lcot_barycenter",
        transport.lcot_barycenter,
        lambda key, dtype: (clouds(key, dtype)[0], weights(key, N, dtype)),
        differentiable=(0, 1),
        edges={"equal embeddings": lambda dtype: (jnp.ones((N, D), dtype), jnp.ones(N, dtype))},
    ),
    Case(
        "max_sliced_wasserstein",
        transport.max_sliced_wasserstein,
        distant_clouds,
        call=lambda x, y, starts: transport.max_sliced_wasserstein(x, y, init=starts, tol=1e-7, max_steps=80),
        output=lambda result: result.value,
        differentiable=(0, 1),
        edges={"equal clouds": equal_clouds},
    ),
    Case(
        "sliced_flow",
        transport.sliced_flow,
        lambda key, dtype: (*clouds(key, dtype)[:2], key, jnp.asarray(0.5, dtype)),
        call=lambda x, y, key, step_size: transport.sliced_flow(
            x, y, key=key, step_size=step_size, num_steps=2, num_projections=4
        ),
        differentiable=(0, 1, 3),
        edges={
            "equal clouds": lambda dtype: (
                *equal_clouds(dtype)[:2],
                jax.random.key(0),
                jnp.asarray(0.5, dtype),
            )
        },
    ),
    Case(
        "wasserstein_1d",
        transport.wasserstein_1d,
        line,
        call=lambda x, y, a, b, p: transport.wasserstein_1d(x, y, a, b, p=p),
        differentiable=(0, 1, 2, 3, 4),
        directions=line_directions,
        edges={"equal measures": equal_lines},
    ),
    Case(
        "wasserstein_1d",
        transport.wasserstein_1d,
        lambda key, dtype: line(key, dtype)[:2],
        variant="uniform",
        differentiable=(0, 1),
        edges={"all points equal": lambda dtype: (jnp.ones(N, dtype), jnp.ones(M, dtype))},
    ),
]

DATA = {
    "MaxSlicedResult": "what the max-sliced distance returns",
    "SlicedResult": "what sliced distances return",
}
