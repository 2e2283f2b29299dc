"""Cases of specs for data and of what moves with what."""

import jax
import jax.numpy as jnp

from geojax import symmetry
from tests.conformance.case import Case, exempt_all

HOST = exempt_all("reads a program on the host and returns static data; it is not a function of arrays")
DATA = {
    "Equivariance": "what equivariance returns: static data",
    "Diagram": "static data; `diagrams` makes it and its case applies it",
    "LinearMaps": "static data; `linear_maps` makes it and its case applies it",
}

# A hidden permutation, a held axis, and the two ends of a head; a pool, a diagonal and a coefficient for each index.
NETWORK = {"w": ("u", "u"), "b": ("u", None)}
TREE = {"w": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}
MAPS = symmetry.linear_maps(symmetry.declare(TREE, NETWORK))


def coefficients_and_tree(key, dtype):
    first, *rest = jax.random.split(key, 3)
    theta = jax.tree.map(lambda x: x.astype(dtype), MAPS.init(first, 1, 1))
    tree = {name: jax.random.normal(k, (2, 2, 1), dtype) for name, k in zip(("b", "w"), rest, strict=True)}
    return theta, tree


CASES = [
    Case(
        "equivariance",
        symmetry.equivariance,
        lambda key, dtype: (jax.random.normal(key, (3, 2), dtype),),
        call=lambda x: symmetry.equivariance(jnp.tanh, x),
        exemptions=HOST,
    ),
    Case(
        "diagrams",
        symmetry.diagrams,
        lambda key, dtype: (jax.random.normal(key, (3, 3), dtype),),
        call=lambda v: symmetry.diagrams("permutation", 1, 2, 3)[-1].apply(v),
        differentiable=(0,),
        exemptions={"gradient_finite_at_edges": "a linear map has no edge"},
    ),
    Case(
        "commutant",
        symmetry.commutant,
        lambda key, dtype: (jnp.eye(2, dtype=dtype)[None],),
        exemptions=exempt_all("how many maps it returns depends on values; it runs on the host"),
    ),
    Case(
        "linear_maps",
        symmetry.linear_maps,
        coefficients_and_tree,
        call=MAPS.apply,
        differentiable=(0, 1),
        params=(1,),
        exemptions={"gradient_finite_at_edges": "linear in either argument: there is no edge"},
    ),
    Case(
        "declare",
        symmetry.declare,
        lambda key, dtype: (jnp.ones((3, 2), dtype),),
        call=lambda x: symmetry.declare(x, ("points", "space:orthogonal")),
        exemptions=exempt_all(
            "reads shapes on the host and returns static data; it is not a function of arrays"
        ),
    ),
]
