"""The check of half precision: arguments of bfloat16 are computed in float32, and each result is rounded once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax._src import source_info_util  # JAX has no public way from an equation to its source line

import geojax
from geojax._core.precision import is_half
from tests.conformance.case import Case
from tests.conformance.leaves import is_floating

PACKAGE = Path(geojax.__file__).parent
# What evaluates a program of the user, which computes in the precision that it was written in.
PROGRAMS = PACKAGE / "_program"
# Primitives that move or compare numbers, and so round nothing.
EXACT = """
abs argmax argmin bitcast_convert_type broadcast_in_dim clamp concatenate convert_element_type copy copy_p
dynamic_slice dynamic_update_slice eq expand_dims gather ge gt is_finite le lt max min ne neg pad pvary random_bits
reduce_max reduce_min reshape rev select_n sign slice sort split squeeze stop_gradient transpose
"""


def half_precision(case: Case) -> None:
    """No line of the package computes in half precision: arguments are widened, and results rounded once."""
    given = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.bfloat16) if is_floating(leaf) else leaf, case.items[0]
    )
    found = Counter(_computed_in_half(jax.make_jaxpr(case.__call__)(*given).jaxpr))
    lines = "\n".join(f"  {line}: {name}" for line, name in sorted(found))
    assert not found, f"computes in half precision, where geojax._core.precision has rounded_once:\n{lines}"


def _computed_in_half(jaxpr: Any) -> Iterator[tuple[str, str]]:
    """The source line and the primitive of each equation of the package that computes in half precision."""
    for equation in jaxpr.eqns:
        inner = [sub for value in equation.params.values() for sub in _jaxprs(value)]
        for sub in inner:
            yield from _computed_in_half(sub)
        if inner or equation.primitive.name in EXACT.split():
            continue
        if any(is_half(variable.aval) for variable in (*equation.invars, *equation.outvars)):
            frame = source_info_util.user_frame(equation.source_info.traceback)
            path = Path(frame.file_name) if frame else Path()
            if PACKAGE in path.parents and PROGRAMS not in path.parents:
                yield f"{path.relative_to(PACKAGE)}:{frame.start_line}", equation.primitive.name


def _jaxprs(value: Any) -> Iterator[Any]:
    for each in value if isinstance(value, tuple | list) else (value,):
        each = getattr(each, "jaxpr", each)
        if hasattr(each, "eqns"):
            yield each
