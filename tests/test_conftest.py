"""What conftest promises to every test."""

import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
FIRST = np.random.default_rng(0).normal()


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_generator_of_the_module_starts_afresh(order):
    assert RANDOM.normal() == FIRST
