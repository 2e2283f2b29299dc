"""Equivariant functions: tests of equivariance, symmetrisation, frames, invariants and layers."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.equivariant.transforms.errors import ErrorResult, equivariance_error

__all__ = [
    "ErrorResult",
    "equivariance_error",
]

_DEFINED_IN = {
    "ErrorResult": "geojax.equivariant.transforms.errors",
    "equivariance_error": "geojax.equivariant.transforms.errors",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
