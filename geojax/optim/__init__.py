"""Optimisers for curved parameters: optax transformations and whole solves."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.optim.curved.adam import RiemannianAdamState, riemannian_adam
    from geojax.optim.curved.barzilai_borwein import BarzilaiBorwein
    from geojax.optim.curved.lbfgs import LBFGS
    from geojax.optim.curved.minimize import MinimizeResult, minimize
    from geojax.optim.curved.transform import riemannian, riemannian_sgd
    from geojax.optim.curved.trust_region import TrustRegion
    from geojax.optim.geometry.adamp import project_radial, scale_by_adamp, scale_by_sgdp, weight_norm
    from geojax.optim.geometry.norms import (
        ColumnNorm,
        MaxNorm,
        ModularNorm,
        RowNorm,
        SpectralNorm,
        newton_schulz,
    )
    from geojax.optim.geometry.scaled_gd import scale_by_scaled_gd, scaled_gradient, small_init
    from geojax.optim.geometry.steepest_descent import dual_norm, steepest_descent, steepest_step
    from geojax.optim.preconditioned.groups import DiagonalGroup, KroneckerGroup, TriangularGroup
    from geojax.optim.preconditioned.kronecker_momentum import (
        InverseFreeKFACState,
        kronecker_momentum_step,
        kronecker_normal_coords,
        scale_by_inverse_free_kfac,
    )
    from geojax.optim.preconditioned.psgd import PSGDState, group_step, psgd_criterion, scale_by_psgd
    from geojax.optim.preconditioned.sparse_groups import LowRankGroup, XMatrixGroup
    from geojax.optim.preconditioned.spd_momentum import generalized_normal_coords, spd_momentum_step
    from geojax.optim.preconditioned.spd_structures import (
        diagonal_structure,
        hierarchical_structure,
        symmetric_structure,
        triangular_structure,
    )

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

_DEFINED_IN = {
    "BarzilaiBorwein": "geojax.optim.curved.barzilai_borwein",
    "ColumnNorm": "geojax.optim.geometry.norms",
    "DiagonalGroup": "geojax.optim.preconditioned.groups",
    "InverseFreeKFACState": "geojax.optim.preconditioned.kronecker_momentum",
    "KroneckerGroup": "geojax.optim.preconditioned.groups",
    "LBFGS": "geojax.optim.curved.lbfgs",
    "LowRankGroup": "geojax.optim.preconditioned.sparse_groups",
    "MaxNorm": "geojax.optim.geometry.norms",
    "MinimizeResult": "geojax.optim.curved.minimize",
    "ModularNorm": "geojax.optim.geometry.norms",
    "PSGDState": "geojax.optim.preconditioned.psgd",
    "RiemannianAdamState": "geojax.optim.curved.adam",
    "RowNorm": "geojax.optim.geometry.norms",
    "SpectralNorm": "geojax.optim.geometry.norms",
    "TriangularGroup": "geojax.optim.preconditioned.groups",
    "TrustRegion": "geojax.optim.curved.trust_region",
    "XMatrixGroup": "geojax.optim.preconditioned.sparse_groups",
    "diagonal_structure": "geojax.optim.preconditioned.spd_structures",
    "dual_norm": "geojax.optim.geometry.steepest_descent",
    "generalized_normal_coords": "geojax.optim.preconditioned.spd_momentum",
    "group_step": "geojax.optim.preconditioned.psgd",
    "hierarchical_structure": "geojax.optim.preconditioned.spd_structures",
    "kronecker_momentum_step": "geojax.optim.preconditioned.kronecker_momentum",
    "kronecker_normal_coords": "geojax.optim.preconditioned.kronecker_momentum",
    "minimize": "geojax.optim.curved.minimize",
    "newton_schulz": "geojax.optim.geometry.norms",
    "project_radial": "geojax.optim.geometry.adamp",
    "psgd_criterion": "geojax.optim.preconditioned.psgd",
    "riemannian": "geojax.optim.curved.transform",
    "riemannian_adam": "geojax.optim.curved.adam",
    "riemannian_sgd": "geojax.optim.curved.transform",
    "scale_by_adamp": "geojax.optim.geometry.adamp",
    "scale_by_inverse_free_kfac": "geojax.optim.preconditioned.kronecker_momentum",
    "scale_by_psgd": "geojax.optim.preconditioned.psgd",
    "scale_by_scaled_gd": "geojax.optim.geometry.scaled_gd",
    "scale_by_sgdp": "geojax.optim.geometry.adamp",
    "scaled_gradient": "geojax.optim.geometry.scaled_gd",
    "small_init": "geojax.optim.geometry.scaled_gd",
    "spd_momentum_step": "geojax.optim.preconditioned.spd_momentum",
    "steepest_descent": "geojax.optim.geometry.steepest_descent",
    "steepest_step": "geojax.optim.geometry.steepest_descent",
    "symmetric_structure": "geojax.optim.preconditioned.spd_structures",
    "triangular_structure": "geojax.optim.preconditioned.spd_structures",
    "weight_norm": "geojax.optim.geometry.adamp",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
