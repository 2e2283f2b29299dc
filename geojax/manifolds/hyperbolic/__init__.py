"""Hyperplanes of hyperbolic space, and the support vector machine that separates points by one."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.hyperbolic.margin import hyperplane_distance, lorentz_svm_loss

__all__ = [
    "hyperplane_distance",
    "lorentz_svm_loss",
]

_DEFINED_IN = {
    "hyperplane_distance": "geojax.manifolds.hyperbolic.margin",
    "lorentz_svm_loss": "geojax.manifolds.hyperbolic.margin",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
