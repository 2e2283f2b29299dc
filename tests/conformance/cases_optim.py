"""Cases of the optimisers; each family has a module of its own, gathered here."""

from tests.conformance import (
    optim_factors,
    optim_minimize,
    optim_norms,
    optim_psgd,
    optim_radial,
    optim_spd,
    optim_transforms,
)

CASES = [
    *optim_factors.CASES,
    *optim_minimize.CASES,
    *optim_norms.CASES,
    *optim_psgd.CASES,
    *optim_radial.CASES,
    *optim_spd.CASES,
    *optim_transforms.CASES,
]

DATA = {
    "InverseFreeKFACState": "the state of scale_by_inverse_free_kfac",
    "PSGDState": "the state of scale_by_psgd",
    "MinimizeResult": "what minimize returns",
    "RiemannianAdamState": "the state of riemannian_adam",
}
