"""infer: the symmetry of any JAX function of parameters, read off its jaxpr."""

from collections.abc import Callable
from typing import Any

from geojax.symmetry import rules, rules_control, rules_indexing, rules_products  # noqa: F401
from geojax.symmetry.build import build
from geojax.symmetry.spec import SymmetrySpec
from geojax.symmetry.tracing import trace
from geojax.typing import Params


def infer(apply: Callable[..., Any], params: Params, *inputs: Any, verify: bool = True, strict: bool = False) -> SymmetrySpec:
    found = trace(apply, params, inputs)
    return build(found)
