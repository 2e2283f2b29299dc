"""Networks whose inputs are the parameters of other networks, for any architecture."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    pass

__all__ = []

_DEFINED_IN = {}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
