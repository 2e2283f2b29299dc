"""Optimisers for curved parameters: optax transformations and whole solves."""

from geojax.optim.adamp import project_radial, scale_by_adamp, scale_by_sgdp, weight_norm
from geojax.optim.barzilai_borwein import BarzilaiBorwein
from geojax.optim.kronecker_momentum import (
    InverseFreeKFACState,
    kronecker_momentum_step,
    kronecker_normal_coords,
    scale_by_inverse_free_kfac,
)
from geojax.optim.lbfgs import LBFGS
from geojax.optim.minimize import MinimizeResult, minimize
from geojax.optim.norms import (
    ColumnNorm,
    MaxNorm,
    ModularNorm,
    RowNorm,
    SpectralNorm,
    newton_schulz,
)
from geojax.optim.preconditioner_groups import DiagonalGroup, KroneckerGroup, TriangularGroup
from geojax.optim.psgd import PSGDState, group_step, psgd_criterion, scale_by_psgd
from geojax.optim.riemannian import riemannian, riemannian_sgd
from geojax.optim.riemannian_adam import RiemannianAdamState, riemannian_adam
from geojax.optim.scaled_gd import scale_by_scaled_gd, scaled_gradient, small_init
from geojax.optim.sparse_groups import LowRankGroup, XMatrixGroup
from geojax.optim.spd_momentum import generalized_normal_coords, spd_momentum_step
from geojax.optim.spd_structures import (
    diagonal_structure,
    hierarchical_structure,
    symmetric_structure,
    triangular_structure,
)
from geojax.optim.steepest_descent import dual_norm, steepest_descent, steepest_step
from geojax.optim.trust_region import TrustRegion

__all__ = [
    "LBFGS",
    "BarzilaiBorwein",
    "ColumnNorm",
    "DiagonalGroup",
    "InverseFreeKFACState",
    "KroneckerGroup",
    "LowRankGroup",
    "MaxNorm",
    "MinimizeResult",
    "ModularNorm",
    "PSGDState",
    "RiemannianAdamState",
    "RowNorm",
    "SpectralNorm",
    "TriangularGroup",
    "TrustRegion",
    "XMatrixGroup",
    "diagonal_structure",
    "dual_norm",
    "generalized_normal_coords",
    "group_step",
    "hierarchical_structure",
    "kronecker_momentum_step",
    "kronecker_normal_coords",
    "minimize",
    "newton_schulz",
    "project_radial",
    "psgd_criterion",
    "riemannian",
    "riemannian_adam",
    "riemannian_sgd",
    "scale_by_adamp",
    "scale_by_inverse_free_kfac",
    "scale_by_psgd",
    "scale_by_scaled_gd",
    "scale_by_sgdp",
    "scaled_gradient",
    "small_init",
    "spd_momentum_step",
    "steepest_descent",
    "steepest_step",
    "symmetric_structure",
    "triangular_structure",
    "weight_norm",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
