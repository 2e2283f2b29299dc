"""Spaces, the groups that act on them, and distances modulo those groups.

Every part, and JAX itself, is loaded when it is first used, so `import geojax` is fast.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax import (
        architectures,
        equivariant,
        io,
        manifolds,
        merging,
        metanets,
        optim,
        symmetry,
        transport,
    )
    from geojax._core.bib import cite
    from geojax.results import SolverError, Status, unwrap

__version__ = "0.1.0"

__all__ = [
    "SolverError",
    "Status",
    "__version__",
    "architectures",
    "cite",
    "equivariant",
    "io",
    "manifolds",
    "merging",
    "metanets",
    "optim",
    "symmetry",
    "transport",
    "unwrap",
]


_DEFINED_IN = {
    "SolverError": "geojax.results",
    "Status": "geojax.results",
    "__version__": "geojax",
    "architectures": "geojax.architectures",
    "cite": "geojax._core.bib",
    "equivariant": "geojax.equivariant",
    "io": "geojax.io",
    "manifolds": "geojax.manifolds",
    "merging": "geojax.merging",
    "metanets": "geojax.metanets",
    "optim": "geojax.optim",
    "symmetry": "geojax.symmetry",
    "transport": "geojax.transport",
    "unwrap": "geojax.results",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
