"""Random features: how can a kernel between n points be an inner product of k numbers each, with n k memory?"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.transport.features.random_features import (
        gaussian_features,
        gaussian_frequencies,
        simplex_plus_frequencies,
        softmax_features,
    )

__all__ = [
    "gaussian_features",
    "gaussian_frequencies",
    "simplex_plus_frequencies",
    "softmax_features",
]

_DEFINED_IN = {
    "gaussian_features": "geojax.transport.features.random_features",
    "gaussian_frequencies": "geojax.transport.features.random_features",
    "simplex_plus_frequencies": "geojax.transport.features.random_features",
    "softmax_features": "geojax.transport.features.random_features",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
