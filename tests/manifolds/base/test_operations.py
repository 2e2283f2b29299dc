"""An operation without closed form is absent, in products and powers too, and the error says which spaces have it."""

import re

import pytest

import geojax.manifolds
from geojax.manifolds import (
    FixedRank,
    Flag,
    Power,
    Product,
    ShapeSpace,
    SPDAffineInvariant,
    SPDPower,
    Sphere,
    Stiefel,
)
from geojax.manifolds.base.composite import Composite
from geojax.manifolds.base.manifold import OPTIONAL, Manifold
from geojax.manifolds.spd import KernelMetric, affine_invariant_kernel

EXP = {"exp", "sectional_curvature"}
LOG = {"log", "log_with_info", "dist", "squared_dist", "geodesic"}
TRANSPORT = {"parallel_transport"}
KERNEL = KernelMetric(affine_invariant_kernel)
LACKING = [
    (FixedRank(1), EXP | LOG | TRANSPORT),
    (KERNEL, EXP | LOG | TRANSPORT),
    (Flag((1, 2)), LOG | TRANSPORT),
    (Stiefel(), TRANSPORT),
    (ShapeSpace(), TRANSPORT),
]


@pytest.mark.parametrize("space, lacking", LACKING, ids=lambda value: getattr(value, "_name", ""))
def test_what_is_absent_is_absent(space, lacking):
    for built in (space, Power(space), Product({"a": Sphere(), "b": (Power(space),)})):
        assert {name for name in OPTIONAL if not hasattr(built, name)} == lacking
    assert not lacking & set(dir(space))
    for name in lacking:
        with pytest.raises(AttributeError, match=rf"{space._name} has no {name}: there is no closed form"):
            getattr(space, name)


def test_the_message_names_the_part_that_lacks_it():
    with pytest.raises(
        AttributeError, match=r"Product has no log here, as it is made of Power. Power has no log"
    ):
        _ = Product((Power(Flag((1,))), Sphere())).log
    with pytest.raises(AttributeError, match="pole_ladder approximates it"):
        _ = Stiefel().parallel_transport
    with pytest.raises(AttributeError, match="'Sphere' object has no attribute 'logarithm'"):
        _ = Sphere().logarithm


def test_a_power_of_a_metric_has_what_the_metric_has():
    assert all(hasattr(SPDPower(SPDAffineInvariant(), theta=0.5), name) for name in OPTIONAL)
    assert not any(hasattr(SPDPower(KERNEL, theta=0.5), name) for name in OPTIONAL)


def test_the_words_on_who_has_an_operation_are_true():
    halls = (geojax.manifolds, geojax.manifolds.spd)
    public = {name: getattr(hall, name) for hall in halls for name in hall.__all__}
    spaces = {
        name: value
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, Manifold) and value is not Manifold
    }
    for operation, words in OPTIONAL.items():
        lacking = {name for name, space in spaces.items() if not hasattr(space, operation)}
        named = set(re.findall(r"[A-Z]\w+", words.split(" has it")[0])) - {"Every"}
        assert lacking == named
    assert all(hasattr(space, "exp") for space in spaces.values() if issubclass(space, Composite))
