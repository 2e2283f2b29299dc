"""Networks whose inputs are the parameters of other networks, for any architecture."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.metanets.zoo.statistics import weight_statistics
    from geojax.metanets.zoo.training import population

__all__ = [
    "population",
    "weight_statistics",
]

_DEFINED_IN = {
    "population": "geojax.metanets.zoo.training",
    "weight_statistics": "geojax.metanets.zoo.statistics",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
