"""Cases of samples without order, species, and functions of covariates."""

import jax
import jax.numpy as jnp

from geojax import transport
from geojax._core import safe
from tests.conformance.case import Case

N, D = 6, 2
SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")


def dist(p, q):
    return safe.norm(p - q)


def samples(key, dtype):
    return tuple(jax.random.normal(key, (2, N, D), dtype))


def equal_samples(dtype):
    x, _ = samples(jax.random.key(0), dtype)
    return x, x


def distances(key, dtype):
    x, _ = samples(key, dtype)
    return (jnp.sqrt(jnp.sum((x[:, None] - x) ** 2, axis=-1)),)


def covariates(key, dtype):
    """u, y, h."""
    u, y = samples(key, dtype)
    return jax.nn.sigmoid(u), y[:, 0], jnp.asarray(0.9, dtype)


CASES = [
    Case(
        "uniform_transform",
        transport.laws.uniform_transform,
        samples,
        call=lambda x, reference: transport.laws.uniform_transform(x, reference, num_bins=2),
        differentiable=(0, 1),
        edges={"at the reference": equal_samples},
    ),
    Case(
        "inverse_uniform_transform",
        transport.laws.inverse_uniform_transform,
        lambda key, dtype: (covariates(key, dtype)[0], samples(key, dtype)[1]),
        call=lambda u, reference: transport.laws.inverse_uniform_transform(u, reference, num_bins=2),
        differentiable=(0, 1),
        edges={"all points equal": lambda dtype: (jnp.full((N, D), 0.5, dtype), jnp.ones((N, D), dtype))},
    ),
    Case(
        "ate_ustatistic",
        transport.laws.ate_ustatistic,
        covariates,
        call=lambda u, y, h: transport.laws.ate_ustatistic(u, y, jnp.arange(N) % 2 == 0, h=h),
        differentiable=(0, 1, 2),
        edges={
            "equal covariates": lambda dtype: (
                jnp.zeros((N, D), dtype),
                jnp.arange(N, dtype=dtype),
                jnp.ones((), dtype),
            )
        },
    ),
    Case(
        "species_wasserstein",
        transport.species_wasserstein,
        samples,
        call=lambda x, y: transport.species_wasserstein(x, y, (1, 1, 2, 2, 2, 3)),
        differentiable=(0, 1),
        edges={"equal configurations": equal_samples},
    ),
    Case(
        "farthest_point_sampling",
        transport.farthest_point_sampling,
        distances,
        call=lambda d: transport.farthest_point_sampling(d, 3),
        exemptions={
            "nan_is_honest": "the answer is integer: -1 says it, and test_species tests it",
            **dict.fromkeys(SMOOTH, "the answer is integer and piecewise constant"),
        },
    ),
    Case(
        "sample_space_distance",
        transport.sample_space_distance,
        samples,
        call=lambda x, y: transport.sample_space_distance(x, y, dist=dist),
        differentiable=(0, 1),
        edges={"equal samples": equal_samples},
    ),
    Case(
        "orbit_type",
        transport.orbit_type,
        lambda key, dtype: samples(key, dtype)[:1],
        call=lambda x: transport.orbit_type(x, dist=dist),
        exemptions={
            "nan_is_honest": "the answer is integer; test_sample_spaces tests what NaN does",
            **dict.fromkeys(SMOOTH, "the answer is integer and piecewise constant"),
        },
    ),
    Case(
        "polymean",
        transport.polymean,
        lambda key, dtype: (samples(key, dtype)[0], samples(key, dtype)[1][:2]),
        call=lambda x, init: transport.polymean(x, init=init, dist=dist, mean=lambda x, w: w @ x),
        output=lambda result: (result.points, result.cost),
        differentiable=(0,),
        edges={"all points equal": lambda dtype: (jnp.ones((N, D), dtype), jnp.ones((2, D), dtype))},
    ),
]

DATA = {"PolymeanResult": "what polymean returns"}
