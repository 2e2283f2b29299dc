"""Kernels and metrics of positive definite matrices beyond the spaces themselves."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.spd.kernel_metrics import (
        HamiltonianResult,
        KernelMetric,
        affine_invariant_kernel,
        bogoliubov_kubo_mori_kernel,
        bures_wasserstein_kernel,
        euclidean_kernel,
        hamiltonian_geodesic,
        log_euclidean_kernel,
        power_affine_kernel,
        power_euclidean_kernel,
    )

__all__ = [
    "HamiltonianResult",
    "KernelMetric",
    "affine_invariant_kernel",
    "bogoliubov_kubo_mori_kernel",
    "bures_wasserstein_kernel",
    "euclidean_kernel",
    "hamiltonian_geodesic",
    "log_euclidean_kernel",
    "power_affine_kernel",
    "power_euclidean_kernel",
]

_DEFINED_IN = {
    "HamiltonianResult": "geojax.manifolds.spd.kernel_metrics",
    "KernelMetric": "geojax.manifolds.spd.kernel_metrics",
    "affine_invariant_kernel": "geojax.manifolds.spd.kernel_metrics",
    "bogoliubov_kubo_mori_kernel": "geojax.manifolds.spd.kernel_metrics",
    "bures_wasserstein_kernel": "geojax.manifolds.spd.kernel_metrics",
    "euclidean_kernel": "geojax.manifolds.spd.kernel_metrics",
    "hamiltonian_geodesic": "geojax.manifolds.spd.kernel_metrics",
    "log_euclidean_kernel": "geojax.manifolds.spd.kernel_metrics",
    "power_affine_kernel": "geojax.manifolds.spd.kernel_metrics",
    "power_euclidean_kernel": "geojax.manifolds.spd.kernel_metrics",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
