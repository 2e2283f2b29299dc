"""Cases of the spaces of positive definite matrices, and of what normalises on them."""

import dataclasses

import jax
import jax.numpy as jnp

from geojax.manifolds import (
    Correlation,
    SPDAffineInvariant,
    SPDBuresWasserstein,
    SPDLogCholesky,
    SPDLogEuclidean,
    SPDPower,
)
from geojax.manifolds.normalization import (
    BatchNormState,
    batch_norm,
    batch_norm_eval,
    frechet_variance,
)
from geojax.manifolds.spd import (
    KernelMetric,
    bures_wasserstein_kernel,
    hamiltonian_geodesic,
    power_affine_kernel,
)
from tests.conformance.case import Case
from tests.conformance.manifold_case import EVERY, case

METRIC = jnp.array([[1.0, 0.2], [0.2, 2.0]])


def _without(*names):
    return tuple(name for name in EVERY if name not in names)


def _geodesic_arguments(key, dtype):
    k1, k2 = jax.random.split(key)
    x = SPDAffineInvariant().random_point(k1, (2, 2), dtype=dtype)
    momentum = SPDAffineInvariant().random_tangent(k2, x) / 4
    return x, momentum, jnp.asarray(0.5, dtype)


def _batch(key, dtype):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    space = SPDAffineInvariant()
    points = jax.vmap(lambda k: space.random_point(k, (2, 2), dtype=dtype))(jax.random.split(k1, 3))
    mean, bias = (space.random_point(k, (2, 2), dtype=dtype) for k in (k2, k3))
    scale = jax.random.uniform(k4, (), dtype, 0.1, 0.2)
    return points, BatchNormState(mean, jnp.ones((), dtype)), bias, scale


def _equal_points(dtype):
    points, state, bias, scale = _batch(jax.random.key(0), dtype)
    return jnp.broadcast_to(points[0], points.shape), state, bias, scale


def _symmetric(key, item):
    """Tangents of a batch, along symmetric matrices."""
    leaves, structure = jax.tree.flatten(item)
    normal = [
        jax.random.normal(k, a.shape, a.dtype) for k, a in zip(jax.random.split(key, len(leaves)), leaves)
    ]
    return jax.tree.unflatten(
        structure, [(a + jnp.swapaxes(a, -1, -2)) / 20 if a.ndim > 1 else a / 10 for a in normal]
    )


def _normalisation(function, manifold, variant="", **policy):
    return Case(
        function.__name__,
        function,
        _batch,
        call=lambda points, state, bias, scale: function(manifold, points, state, bias, scale, **policy),
        differentiable=(0, 1, 2, 3),
        output=lambda result: getattr(result, "points", result),
        directions=_symmetric,
        edges={"equal points": _equal_points},
        nan_arguments=(0,),
        tolerance=1e-9,
        variant=variant,
    )


def _still(dtype):
    x, momentum, t = _geodesic_arguments(jax.random.key(0), dtype)
    return x, 0 * momentum, t


CASES = [
    case(SPDAffineInvariant(), (2, 2)),
    case(SPDLogEuclidean(), (2, 2)),
    case(SPDLogCholesky(), (2, 2)),
    case(
        SPDBuresWasserstein(metric=METRIC),
        (2, 2),
        operations=_without("parallel_transport"),
        radius=0.1,
    ),
    case(SPDPower(SPDAffineInvariant(), theta=0.5), (2, 2), operations=("inner", "exp", "squared_dist")),
    dataclasses.replace(
        case(
            KernelMetric(power_affine_kernel(0.5)),
            (2, 2),
            operations=("inner", "norm", "riemannian_gradient", "retract"),
            radius=0.1,
            grid=False,
        ),
        nan_arguments=(0, 1, 3, 4),  # without a distance, no operation reads the second point
    ),
    Case(
        "hamiltonian_geodesic",
        hamiltonian_geodesic,
        _geodesic_arguments,
        call=lambda x, p, t: hamiltonian_geodesic(
            KernelMetric(bures_wasserstein_kernel), x, p, t, num_steps=2
        ),
        differentiable=(0, 1, 2),
        output=lambda result: (result.point, result.momentum),
        edges={"momentum 0": _still},
        tolerance=1e-9,
    ),
    case(Correlation(), (3, 3), operations=("to_tangent", "inner", "exp", "log", "squared_dist")),
    Case(
        "frechet_variance",
        frechet_variance,
        lambda key, dtype: (_batch(key, dtype)[0], _batch(key, dtype)[2]),
        call=lambda points, center: frechet_variance(SPDLogCholesky(), points, center),
        differentiable=(0, 1),
        directions=_symmetric,
        edges={"equal points": lambda dtype: (_equal_points(dtype)[0], _equal_points(dtype)[0][0])},
        tolerance=1e-9,
    ),
    _normalisation(batch_norm, SPDAffineInvariant(), tol=1e-10),
    _normalisation(batch_norm_eval, SPDAffineInvariant()),
    _normalisation(batch_norm, SPDBuresWasserstein(), variant="bures", tol=1e-10),
    _normalisation(batch_norm_eval, SPDBuresWasserstein(), variant="bures"),
]

_KERNEL = "an elementwise kernel of KernelMetric, compared with its space in tests/manifolds/spd/test_kernel_metrics.py"
DATA = {
    "BatchNormResult": "what batch_norm returns",
    "BatchNormState": "the running statistics of batch_norm",
    "HamiltonianResult": "what hamiltonian_geodesic returns",
    "affine_invariant_kernel": _KERNEL,
    "bogoliubov_kubo_mori_kernel": _KERNEL,
    "bures_wasserstein_kernel": _KERNEL,
    "euclidean_kernel": _KERNEL,
    "log_euclidean_kernel": _KERNEL,
    "power_affine_kernel": _KERNEL,
    "power_euclidean_kernel": _KERNEL,
}
