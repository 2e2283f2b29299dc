"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from geojax.transport.assignment import assignment, assignment_cost
from geojax.transport.control_variates import lower_control, upper_control
from geojax.transport.directions import orthogonal_directions, random_directions, simplex_directions
from geojax.transport.divergence import sinkhorn_divergence
from geojax.transport.fused_gromov import fused_gromov_wasserstein
from geojax.transport.gromov import GromovResult, gromov_wasserstein
from geojax.transport.max_sliced import MaxSlicedResult, max_sliced_wasserstein
from geojax.transport.newton import sinkhorn_newton
from geojax.transport.point_cloud import PointCloudResult, point_cloud_sinkhorn
from geojax.transport.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.sliced import SlicedResult, sliced_wasserstein
from geojax.transport.sliced_flow import sliced_flow
from geojax.transport.unbalanced import unbalanced_sinkhorn
from geojax.transport.univariate import wasserstein_1d

__all__ = [
    "GromovResult",
    "MaxSlicedResult",
    "PointCloudResult",
    "SinkhornResult",
    "SlicedResult",
    "assignment",
    "assignment_cost",
    "fused_gromov_wasserstein",
    "gromov_wasserstein",
    "lower_control",
    "max_sliced_wasserstein",
    "orthogonal_directions",
    "point_cloud_sinkhorn",
    "random_directions",
    "simplex_directions",
    "sinkhorn",
    "sinkhorn_divergence",
    "sinkhorn_newton",
    "sliced_flow",
    "sliced_wasserstein",
    "unbalanced_sinkhorn",
    "upper_control",
    "wasserstein_1d",
]
