"""What a spec says besides its groups: the leaves, the axes that stay fixed, and the numerical check."""

import dataclasses

from geojax.symmetry.action.layout import Layout


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of the parameters: its path, its shape, how the groups move it, and whether the function reads it."""

    path: str
    shape: tuple[int, ...]
    layout: Layout
    read: bool = True


@dataclasses.dataclass(frozen=True)
class Pin:
    """Why one axis of one leaf may not be permuted.

    Attributes:
        path: The leaf.
        axis: Number of its axis.
        size: Length of the part of the axis that is held fixed.
        primitive: Name of the JAX primitive that fixed it, or "input", "output", "constant".
        reason: What that primitive does to the axis.
        source: Source line of the program, "file:line (function)"; empty if it is not known.
    """

    path: str
    axis: int
    size: int
    primitive: str
    reason: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Note:
    """What to know of a spec besides its groups: a condition under which some hold, or a check that did not run.

    Attributes:
        subject: What it is about: "constant", "input", "check" or "bound".
        text: One sentence.
        groups: Names of the groups that it is about; empty if it is not about single groups.
    """

    subject: str
    text: str
    groups: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class VerifyResult:
    """The outcome of the numerical check of a spec.

    Attributes:
        change: Largest change of an output under random group elements, relative to the output's own scale;
            NaN if no output was finite, so that nothing could be checked.
        tolerance: How much change rounding alone explains, from the precision of the check: float64, unless a part of
            the program runs in coarser types only.
        control: Smallest relative change when a group moves one block of one leaf alone, or, where that is a symmetry,
            when the block's entries are mixed; it must be large.
        failed: Names of groups that change the function.
        blind: Names of groups whose control left the outputs as they were: these inputs do not exercise them.
    """

    change: float
    tolerance: float
    control: float
    failed: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no group changes the function beyond rounding."""
        return not self.failed and self.change <= self.tolerance
