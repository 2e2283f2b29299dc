"""Why two releases of jax are excluded, and that the installed one does not share their faults."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def requirement() -> Requirement:
    text = (ROOT / "pyproject.toml").read_text()
    return Requirement(re.search(r'"(jax>=[^"]+)"', text).group(1))


@pytest.mark.x32
def test_jit_of_a_vmapped_product_then_a_sum_is_right():
    """In jax 0.10.2 this gives 1071645696 on CPU: wrong, and silent."""
    rows = np.zeros((32769, 3), np.float32)
    rows[:, 0] = np.arange(32769)
    identity = jnp.eye(3, dtype=jnp.float32)

    def squared_norms(rows):
        return jnp.sum(jax.vmap(lambda row: identity @ row)(rows) ** 2, axis=-1)

    assert float(squared_norms(rows)[-1]) == 32768.0**2 == 1073741824
    assert float(jax.jit(squared_norms)(rows)[-1]) == 1073741824


def test_flax_imports_and_runs():
    """With jax 0.11.1 flax does not."""
    from flax import linen, nnx

    layer = linen.Dense(2)
    x = jnp.ones((1, 3))
    assert layer.apply(layer.init(jax.random.key(0), x), x).shape == (1, 2)
    assert nnx.Linear(3, 2, rngs=nnx.Rngs(0))(x).shape == (1, 2)


def test_the_pin_excludes_them_and_admits_what_is_installed():
    admitted = requirement().specifier
    assert "0.10.2" not in admitted
    assert "0.11.1" not in admitted
    assert {"0.9.0", "0.10.1", "0.11.0", "0.12.0"} <= set(
        admitted.filter(["0.9.0", "0.10.1", "0.11.0", "0.12.0"])
    )
    assert admitted.contains(jax.__version__, prereleases=True)
