"""Which layers have a larger symmetry than permutations, and how do its elements act on their weights?

`ssm_change_basis` acts on a linear state-space model by GL(n) and `ssm_diagonalize` picks the diagonal representative;
`s4d_*`, `hippo_legs`, `zero_order_hold`, `bilinear` and `s4d_kernel` build and run such models. `quasilinear_block` is
a convolutional block whose channels may be transformed by GL(c), `gauge_act` and `gauge_orbit` do so.
`interpolated_experts` mixes experts in weight space, where their permutations matter.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.symmetry.layers.experts import interpolated_experts
    from geojax.symmetry.layers.quasilinear import gauge_act, gauge_orbit, quasilinear_block
    from geojax.symmetry.layers.state_space import (
        bilinear,
        hippo_legs,
        s4d_inverse,
        s4d_kernel,
        s4d_legs,
        s4d_linear,
        ssm_change_basis,
        ssm_diagonalize,
        zero_order_hold,
    )

__all__ = [
    "bilinear",
    "gauge_act",
    "gauge_orbit",
    "hippo_legs",
    "interpolated_experts",
    "quasilinear_block",
    "s4d_inverse",
    "s4d_kernel",
    "s4d_legs",
    "s4d_linear",
    "ssm_change_basis",
    "ssm_diagonalize",
    "zero_order_hold",
]

_DEFINED_IN = {
    "bilinear": "geojax.symmetry.layers.state_space",
    "gauge_act": "geojax.symmetry.layers.quasilinear",
    "gauge_orbit": "geojax.symmetry.layers.quasilinear",
    "hippo_legs": "geojax.symmetry.layers.state_space",
    "interpolated_experts": "geojax.symmetry.layers.experts",
    "quasilinear_block": "geojax.symmetry.layers.quasilinear",
    "s4d_inverse": "geojax.symmetry.layers.state_space",
    "s4d_kernel": "geojax.symmetry.layers.state_space",
    "s4d_legs": "geojax.symmetry.layers.state_space",
    "s4d_linear": "geojax.symmetry.layers.state_space",
    "ssm_change_basis": "geojax.symmetry.layers.state_space",
    "ssm_diagonalize": "geojax.symmetry.layers.state_space",
    "zero_order_hold": "geojax.symmetry.layers.state_space",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
