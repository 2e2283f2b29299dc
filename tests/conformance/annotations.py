"""Every annotation of the library, shapes included, against what the cases pass and return.

Not collected by itself, as it means something only with the checker: `make annotations` runs it. The calls are traced
and not compiled, since annotations hold for traced values as for computed ones.
"""

import jax
import jax.numpy as jnp
import pytest

from tests.conformance.test_conformance import PARAMETERS


@pytest.mark.parametrize("case", PARAMETERS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda dtype: dtype.__name__)
def test_annotations(case, dtype):
    if "jit_equals_eager" in case.exemptions and "dtypes_kept" in case.exemptions:
        return  # no function of arrays
    jax.eval_shape(case.__call__, *case.arguments(jax.random.key(0), dtype))
