"""Cases of barycentric subspaces and of predictions in metric spaces of labels."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Euclidean
from tests.conformance.case import Case, exempt_all

FLAT = Euclidean()
HOST = exempt_all("runs linear programmes on the host, on concrete numbers")


def references(key, dtype):
    """Two references in space, and six other points."""
    k1, k2 = jax.random.split(key)
    spread = jnp.asarray([3.0, 1.0, 0.5], dtype)
    return (
        jnp.eye(3, dtype=dtype)[:2] + 0.2 * jax.random.normal(k1, (2, 3), dtype),
        spread * jax.random.normal(k2, (6, 3), dtype),
    )


def one(key, dtype):
    found, points = references(key, dtype)
    return found, points[0]


def on_a_reference(dtype):
    found, _ = references(jax.random.key(0), dtype)
    return found, found[0]


def likely(key, dtype):
    k1, k2 = jax.random.split(key)
    return jax.nn.softmax(jax.random.normal(k1, (3,), dtype)), jax.random.uniform(k2, (5, 3), dtype)


CASES = [
    Case(
        "barycentric_subspace_project",
        manifolds.statistics.barycentric_subspace_project,
        one,
        call=lambda x, y: manifolds.statistics.barycentric_subspace_project(FLAT, x, y, tol=1e-11),
        differentiable=(0, 1),
        output=lambda result: (result.point, result.weights),
        edges={"a reference": on_a_reference},
        tolerance=1e-9,
    ),
    Case(
        "accumulated_unexplained_variance",
        manifolds.statistics.accumulated_unexplained_variance,
        references,
        call=lambda x, y: manifolds.statistics.accumulated_unexplained_variance(FLAT, x, y, tol=1e-4),
        differentiable=(0, 1),
        edges={"general position": lambda dtype: references(jax.random.key(2), dtype)},
        tolerance=1e-9,
    ),
    Case(
        "barycentric_subspace_analysis",
        manifolds.statistics.barycentric_subspace_analysis,
        lambda key, dtype: references(key, dtype)[1:],
        call=lambda y: manifolds.statistics.barycentric_subspace_analysis(FLAT, y, 1, tol=1e-3),
        tolerance=1e-6,
        exemptions={
            "gradient_matches_differences": "references within a subspace are not determined",
            "forward_equals_reverse": "references within a subspace are not determined",
            "gradient_finite_at_edges": "references within a subspace are not determined",
        },
    ),
    Case(
        "frechet_predict",
        manifolds.statistics.frechet_predict,
        likely,
        exemptions={
            "nan_is_honest": "the result is an integer; -1 says NaN, as its own test asserts",
            "gradient_matches_differences": "the result is an integer",
            "forward_equals_reverse": "the result is an integer",
            "gradient_finite_at_edges": "the result is an integer",
        },
    ),
    Case("frechet_locus", manifolds.statistics.frechet_locus, likely, exemptions=HOST),
    Case("next_class", manifolds.statistics.next_class, likely, exemptions=HOST),
]

DATA = {
    "SubspaceAnalysis": "what barycentric_subspace_analysis returns",
    "SubspaceProjection": "what barycentric_subspace_project returns",
}
