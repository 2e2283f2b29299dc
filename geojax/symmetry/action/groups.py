"""The kinds of symmetry groups, and the shapes of their elements."""

import dataclasses
import math
from collections.abc import Mapping

import jax

PERMUTATION = "permutation"
SCALING = "scaling"
SIGN = "sign"
ORTHOGONAL = "orthogonal"
GENERAL_LINEAR = "general_linear"

KINDS = (PERMUTATION, SCALING, SIGN, ORTHOGONAL, GENERAL_LINEAR)
MATRIX_KINDS = (ORTHOGONAL, GENERAL_LINEAR)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Group:
    """One factor of the symmetry group: it moves one axis that several leaves share.

    Attributes:
        kind: One of ``"permutation"``, ``"scaling"`` (positive), ``"sign"``, ``"orthogonal"`` or
            ``"general_linear"``.
        size: Length of the axis that the group moves.
        parents: Names of the axes on whose index the element depends. A parent axis that may be permuted has the name
            of its permutation group; a parent axis that is held fixed (the layers of a scan, say) has a name too.
        parent_sizes: Lengths of the parent axes, in the order of ``parents``.
        axis: Name of the axis that the group moves; groups of several kinds may move one axis.
        connected: True if only the identity component is a symmetry (rotations without reflections).
    """

    kind: str
    size: int
    parents: tuple[str, ...] = ()
    parent_sizes: tuple[int, ...] = ()
    axis: str = ""
    connected: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the element's array: the parents' sizes, then one or two axes of length ``size``."""
        return self.parent_sizes + (self.size,) * (2 if self.kind in MATRIX_KINDS else 1)

    @property
    def copies(self) -> int:
        """How many independent copies of the group there are: the product of the parents' sizes."""
        return math.prod(self.parent_sizes)

    @property
    def dimension(self) -> int:
        """Dimension as a Lie group, all copies together; 0 for the discrete kinds."""
        n = self.size
        each = {SCALING: n, ORTHOGONAL: n * (n - 1) // 2, GENERAL_LINEAR: n * n}.get(self.kind, 0)
        return each * self.copies

    @property
    def log10_order(self) -> float:
        """Decimal logarithm of the number of elements; infinite for the continuous kinds."""
        if self.kind == PERMUTATION:
            return self.copies * math.lgamma(self.size + 1) / math.log(10)
        if self.kind == SIGN:
            return self.copies * self.size * math.log10(2)
        return math.inf


def topological(groups: Mapping[str, Group]) -> list[str]:
    """Names of the groups, parents before children, otherwise in the given order.

    Raises:
        ValueError: If the parent relation has a cycle.
    """
    ordered: list[str] = []
    state: dict[str, int] = {}

    def visit(name: str) -> None:
        if state.get(name) == 2:
            return
        if state.get(name) == 1:
            raise ValueError(f"groups: {name!r} depends on itself through its parents")
        state[name] = 1
        for parent in groups[name].parents:
            if parent in groups and parent != name:
                visit(parent)
        state[name] = 2
        ordered.append(name)

    for name in groups:
        visit(name)
    return ordered
