"""Equivariant functions: tests of equivariance, symmetrisation, frames, invariants and layers."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    pass

__all__ = []

_DEFINED_IN = {}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
