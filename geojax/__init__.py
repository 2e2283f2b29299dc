"""Spaces, the groups that act on them, and distances modulo those groups.

Everything loads when it is first used, jax included: `import geojax` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geojax import architectures, io, manifolds, merging, optim, symmetry, transport
    from geojax._core.bib import cite
    from geojax.results import SolverError, Status, unwrap

__version__ = "0.1.0"

__all__ = [
    "SolverError",
    "Status",
    "__version__",
    "architectures",
    "cite",
    "io",
    "manifolds",
    "merging",
    "optim",
    "symmetry",
    "transport",
    "unwrap",
]


_DEFINED_IN = {
    "SolverError": "geojax.results",
    "Status": "geojax.results",
    "unwrap": "geojax.results",
    "cite": "geojax._core.bib",
}


def __getattr__(name: str) -> Any:
    """Import a sub-package, or the module that defines a name, the first time it is asked for."""
    if name in _DEFINED_IN:
        return getattr(importlib.import_module(_DEFINED_IN[name]), name)
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
