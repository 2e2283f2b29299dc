"""Matrix groups beyond the spaces themselves: polar coordinates, Haar measure, invariant integrals."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.groups.haar import HaarSample, haar_sample, invariant_average
    from geojax.manifolds.groups.polar_coordinates import affine_kernel_coords, gl_exp, gl_log, gl_polar

__all__ = [
    "HaarSample",
    "affine_kernel_coords",
    "gl_exp",
    "gl_log",
    "gl_polar",
    "haar_sample",
    "invariant_average",
]

_DEFINED_IN = {
    "HaarSample": "geojax.manifolds.groups.haar",
    "affine_kernel_coords": "geojax.manifolds.groups.polar_coordinates",
    "gl_exp": "geojax.manifolds.groups.polar_coordinates",
    "gl_log": "geojax.manifolds.groups.polar_coordinates",
    "gl_polar": "geojax.manifolds.groups.polar_coordinates",
    "haar_sample": "geojax.manifolds.groups.haar",
    "invariant_average": "geojax.manifolds.groups.haar",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
