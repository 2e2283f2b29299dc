"""Heat kernels of spheres, tori and unitary groups."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.heat.spheres_and_tori import sphere_heat_kernel, torus_heat_kernel
    from geojax.manifolds.heat.unitary import su_heat_kernel

__all__ = [
    "sphere_heat_kernel",
    "su_heat_kernel",
    "torus_heat_kernel",
]

_DEFINED_IN = {
    "sphere_heat_kernel": "geojax.manifolds.heat.spheres_and_tori",
    "su_heat_kernel": "geojax.manifolds.heat.unitary",
    "torus_heat_kernel": "geojax.manifolds.heat.spheres_and_tori",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
