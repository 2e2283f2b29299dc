"""Cases of mesh Laplacians and of matches between meshes."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.transport import assignment
from tests.conformance.case import Case

FACES = jnp.asarray([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])  # a tetrahedron
CORNERS = [[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]


def tetrahedron(key, dtype):
    return (jnp.asarray(CORNERS, dtype) + 0.2 * jax.random.normal(key, (4, 3), dtype),)


def regular(dtype):
    return (jnp.asarray(CORNERS, dtype),)


def matched(key, dtype):
    k1, k2, k3 = jax.random.split(key, 3)
    mixture = jnp.eye(4, dtype=dtype) + 0.1 * jax.random.uniform(k3, (4, 4), dtype)
    return mixture, *tetrahedron(k1, dtype), *tetrahedron(k2, dtype)


def perfect(dtype):
    return jnp.eye(4, dtype=dtype), *regular(dtype), *regular(dtype)


def costs(key, dtype):
    return jax.random.uniform(key, (4, 4), dtype), jnp.full((4, 4), 0.25, dtype)


CASES = [
    *(
        Case(
            function.__name__,
            function,
            tetrahedron,
            call=lambda v, function=function: function(v, FACES),
            differentiable=(0,),
            edges={"a regular one": regular},
        )
        for function in (manifolds.meshes.cotan_laplacian, manifolds.meshes.projected_laplacian)
    ),
    *(
        Case(
            function.__name__,
            function,
            matched,
            call=lambda c, a, b, function=function: function(c, a, FACES, b, FACES),
            differentiable=(0, 1, 2),
            edges={"itself": perfect},
            tolerance=1e-10,
        )
        for function in (manifolds.meshes.deformation_energy, manifolds.meshes.orientation_penalty)
    ),
    Case(
        "match_sparse",
        manifolds.meshes.match_sparse,
        costs,
        call=lambda cost, init: manifolds.meshes.match_sparse(
            lambda p: jnp.sum(p * cost), init, assign=assignment
        ),
        differentiable=(0,),
        output=lambda result: result.energy,
        edges={"equal costs": lambda dtype: (jnp.ones((4, 4), dtype), jnp.full((4, 4), 0.25, dtype))},
        nan_arguments=(0,),
    ),
]

DATA = {
    "MeshLaplacian": "what cotan_laplacian returns",
    "SparseMatch": "what match_sparse returns",
}
