"""Spaces, the groups that act on them, and distances modulo those groups.

Sub-packages load when they are first used, so `import geojax` costs little more than `import jax`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from geojax._core.bib import cite
from geojax.results import Status, unwrap

if TYPE_CHECKING:
    from geojax import manifolds, merging, optim, symmetry, transport

__version__ = "0.1.0"

__all__ = [
    "Status",
    "__version__",
    "cite",
    "manifolds",
    "merging",
    "optim",
    "symmetry",
    "transport",
    "unwrap",
]


def __getattr__(name: str) -> Any:
    """Import a sub-package the first time it is asked for."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
