"""Cases of the optimisers; each family has a module of its own, gathered here."""

from tests.conformance import optim_transforms

CASES = [*optim_transforms.CASES]

DATA = {
    "RiemannianAdamState": "the state of riemannian_adam",
}
