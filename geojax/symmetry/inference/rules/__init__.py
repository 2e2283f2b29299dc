"""One rule a primitive: how labels and exponents pass through it.

A rule is sound when moving the inputs as their labels say moves the outputs as theirs say. An output axis keeps an
input's label only where entry i comes from entry i alone along it; an operation that mixes entries holds the axis
and returns a fresh held one. The rules register themselves with `geojax.symmetry.interpret.rule` when their modules are
imported, which `load` does.
"""

import importlib

MODULES = ("elementwise", "shapes", "reductions", "products", "indexing", "control")


def load() -> None:
    """Imports every module of rules."""
    for name in MODULES:
        importlib.import_module(f"{__name__}.{name}")
