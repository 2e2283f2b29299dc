"""One rule for each primitive: how labels and exponents pass through it.

A rule is sound if inputs that are moved as their labels say give outputs that are moved as their labels say. An output
axis keeps the label of an input axis only if entry i along it comes from entry i alone; an operation that mixes entries
holds the axis and returns a fresh held one. The rules register themselves with `labels.interpreter.rule` when their
modules are imported; `load` imports them.
"""

import importlib

MODULES = ("elementwise", "shapes", "reductions", "products", "indexing", "control", "positions")


def load() -> None:
    """Imports every module of rules."""
    for name in MODULES:
        importlib.import_module(f"{__name__}.{name}")
