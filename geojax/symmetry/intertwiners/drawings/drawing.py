"""Diagrams: invariant linear maps between tensors, drawn as blocks of points, and how they act."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.symmetry.action.groups import GENERAL_LINEAR, ORTHOGONAL, PERMUTATION, SCALING, SIGN
from geojax.symmetry.intertwiners.drawings import matchings as pairings
from geojax.symmetry.intertwiners.drawings.contraction import (
    diagonal,
    on_diagonals,
    ordered,
    skewed,
    spread,
    through_determinant,
)
from geojax.symmetry.intertwiners.drawings.partitions import Parts, jellyfish, set_partitions

ROTATION = "rotation"
SYMPLECTIC = "symplectic"
ALTERNATING = "alternating"


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Diagram:
    """A linear map from tensors of ``num_in`` axes to tensors of ``num_out`` axes of one length, as a drawing.

    The points 0, ..., num_out - 1 are the axes of the output, those that follow the axes of the input. Axes of one
    block have one index, and the output is summed over the indices of blocks that have no point in it:

    (D v)[i] = sum over j of  [equal within each block] v[j]

    Attributes:
        size: Length n of every axis.
        num_out: Number of axes of the output.
        num_in: Number of axes of the input.
        blocks: The blocks of points.
        head: Numbers of blocks whose indices are moreover the first of a permutation of n, by whose sign the terms are
            multiplied: all n of them are a determinant, the Levi-Civita tensor.
        skew: Whether pairs on one side are contracted with J = [[0, 1], [-1, 0]], in two halves of the axis, instead
            of with the unit matrix.
    """

    size: int
    num_out: int
    num_in: int
    blocks: Parts
    head: tuple[int, ...] = ()
    skew: bool = False

    @rounded_once
    def apply(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        """The image of a tensor, in at most n^max(num_out, num_in) numbers at a time.

        Args:
            v: Tensor, ``num_in`` axes of length n.

        Returns:
            Tensor of ``num_out`` axes of length n.

        Raises:
            ValueError: If v has another shape.
        """
        if jnp.shape(v) != (self.size,) * self.num_in:
            raise ValueError(
                f"Diagram.apply: v has shape {jnp.shape(v)}, expected {self.num_in} axes of length {self.size}."
            )
        (v,) = checks.floats("Diagram.apply", v=v)
        of = {point: label for label, block in enumerate(self.blocks) for point in block}
        outer = [of[point] for point in range(self.num_out)]
        inner = [of[point] for point in range(self.num_out, self.num_out + self.num_in)]
        for _, second in self._skew_pairs(self.num_out, self.num_out + self.num_in):
            v = skewed(v, second - self.num_out)
        v, labels = diagonal(v, inner)
        kept = [label for label in labels if label in outer or label in self.head]
        v = ordered(v, labels, [*kept, *(label for label in labels if label not in kept)])
        v = v.sum(tuple(range(len(kept), v.ndim)))
        if self.head:
            legs = [label for label in kept if label in self.head]
            rest = [label for label in kept if label not in self.head]
            written = [label for label in self.head if label in outer]
            v = ordered(v, kept, [*legs, *rest])
            places = [self.head.index(label) for label in legs]
            v = through_determinant(v, places, [self.head.index(label) for label in written], self.size)
            kept = [*written, *rest]
        seen = list(dict.fromkeys(outer))
        v = ordered(v, kept, [label for label in seen if label in kept])
        v = v.reshape([self.size if label in kept else 1 for label in seen])
        shape = (self.size,) * self.num_out
        names = [seen.index(label) for label in outer]
        v = jnp.broadcast_to(spread(v, names, len(seen)), shape)
        mask = on_diagonals(names, shape, 0)
        v = v if mask is None else jnp.where(mask, v, 0)
        for _, second in self._skew_pairs(0, self.num_out):
            v = -skewed(v, second)
        return v

    def matrix(self) -> Float[Array, "rows columns"]:
        """The map as a matrix [n^num_out, n^num_in]; for small sizes, as `apply` needs none."""
        columns = self.size**self.num_in
        unit = jnp.eye(columns).reshape(columns, *(self.size,) * self.num_in)
        return jax.vmap(self.apply)(unit).reshape(columns, -1).T

    def _skew_pairs(self, start: int, stop: int) -> list[tuple[int, int]]:
        if not self.skew:
            return []
        return [(a, b) for a, b in self.blocks if start <= a < stop and start <= b < stop]


def diagrams(kind: str, num_out: int, num_in: int, size: int) -> tuple[Diagram, ...]:
    """A basis of the linear maps between tensors that commute with a group, as diagrams.

    Maps D with  D (g x ... x g) v = (g x ... x g) D v  for every g of a group of n x n matrices, ``num_in`` factors on
    the one side and ``num_out`` on the other. What a block of points may be is a rule for each kind:

    ================== ================================ ========================================================
    kind               group                            blocks
    ================== ================================ ========================================================
    "permutation"      permutation matrices             any set partition, of at most n blocks
    "sign"             signed permutation matrices      of an even number of points
    "scaling"          positive monomial matrices       with as many points of the output as of the input
    "orthogonal"       O(n)                             pairs
    "general_linear"   GL(n)                            pairs of a point of the output with one of the input
    "rotation"         SO(n)                            pairs; and n points in a determinant, pairs of the others
    "symplectic"       Sp(n), n even                    pairs, with the skew form on one side
    "alternating"      even permutation matrices        any; and n or n - 1 blocks with the sign (jellyfish)
    ================== ================================ ========================================================

    Args:
        kind: The group, one of the words above.
        num_out: Number of axes of the output.
        num_in: Number of axes of the input.
        size: Length n of every axis.

    Returns:
        The diagrams; they are linearly independent and span all maps, for short axes too.

    Raises:
        ValueError: If the kind is unknown, a number is negative, or n is odd and the kind "symplectic".

    Differentiation: none; diagrams are static data.
    Complexity: the number of diagrams, (num_out + num_in - 1)!! pairings or as many partitions as the Bell number.

    Example:
        >>> import geojax as gj
        >>> [len(gj.symmetry.diagrams("permutation", 2, 2, n)) for n in (1, 2, 3, 4)]
        [1, 8, 14, 15]
        >>> cross = gj.symmetry.diagrams("rotation", 1, 2, 3)
        >>> cross[0].head
        (0, 1, 2)

    References: [PearceCrump2022], [PearceCrump2023], [PearceCrump2023b], [PearceCrump2023c]
    """
    num_out = checks.count("diagrams", "num_out", num_out)
    num_in = checks.count("diagrams", "num_in", num_in)
    size = checks.count("diagrams", "size", size, minimum=1)
    if kind not in _RULES:
        raise ValueError(f"diagrams: kind is {kind!r}; expected one of {', '.join(map(repr, _RULES))}.")
    if kind == SYMPLECTIC and size % 2:
        raise ValueError(
            f"diagrams: size is {size}; expected an even one, as a skew form on an odd space is singular."
        )
    points = range(num_out + num_in)
    drawn = []
    for blocks, head in _RULES[kind](list(points), num_out, size):
        drawn.append(Diagram(size, num_out, num_in, blocks, head, kind == SYMPLECTIC))
    return tuple(drawn)


Drawn = list[tuple[Parts, tuple[int, ...]]]


def _partition_rule(
    allowed: Callable[[tuple[int, ...], int], bool],
) -> Callable[[list[int], int, int], Drawn]:
    def rule(points: list[int], num_out: int, size: int) -> Drawn:
        return [(parts, ()) for parts in set_partitions(points, size, lambda part: allowed(part, num_out))]

    return rule


def _balanced(part: tuple[int, ...], num_out: int) -> bool:
    return 2 * sum(point < num_out for point in part) == len(part)


def _orthogonal_rule(points: list[int], num_out: int, size: int) -> Drawn:
    return [(pairs, ()) for pairs in pairings.orthogonal(points, size)]


def _symplectic_rule(points: list[int], num_out: int, size: int) -> Drawn:
    return [(pairs, ()) for pairs in pairings.symplectic(points, size)]


def _walled_rule(points: list[int], num_out: int, size: int) -> Drawn:
    charges = [1 if point < num_out else -1 for point in points]
    return [(pairs, ()) for pairs in pairings.walled(points, charges, size)]


def _rotation_rule(points: list[int], num_out: int, size: int) -> Drawn:
    turned = pairings.rotational(points, size)
    determinants = [
        ((*((point,) for point in head), *pairs), tuple(range(len(head)))) for head, pairs in turned
    ]
    return _orthogonal_rule(points, num_out, size) + determinants


def _alternating_rule(points: list[int], num_out: int, size: int) -> Drawn:
    plain = [(parts, ()) for parts in set_partitions(points, size)]
    return plain + [(parts, tuple(range(len(parts)))) for parts in jellyfish(points, size)]


_RULES: dict[str, Callable[[list[int], int, int], Drawn]] = {
    PERMUTATION: _partition_rule(lambda part, num_out: True),
    SIGN: _partition_rule(lambda part, num_out: len(part) % 2 == 0),
    SCALING: _partition_rule(_balanced),
    ORTHOGONAL: _orthogonal_rule,
    GENERAL_LINEAR: _walled_rule,
    ROTATION: _rotation_rule,
    SYMPLECTIC: _symplectic_rule,
    ALTERNATING: _alternating_rule,
}
