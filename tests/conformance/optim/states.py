"""States and results of the optimisers."""

DATA = {
    "InverseFreeKFACState": "the state of scale_by_inverse_free_kfac",
    "PSGDState": "the state of scale_by_psgd",
    "MinimizeResult": "what minimize returns",
    "RiemannianAdamState": "the state of riemannian_adam",
}
