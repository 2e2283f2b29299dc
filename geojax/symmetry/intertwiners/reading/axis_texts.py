"""What a hand-written text says of an axis: ``"name"``, ``"name:kind"``, ``"name:kind^-1"``, ``"parent/child"``."""

import dataclasses
import re

from geojax.symmetry.action.groups import KINDS, MATRIX_KINDS, ORTHOGONAL, PERMUTATION, SIGN

HELD = "held"
ROTATION = "rotation"
SPOKEN = (*KINDS, ROTATION, HELD)

_POWER = re.compile(r"(?P<word>[^^]*)(\^(?P<power>[+-]?\d+))?")


@dataclasses.dataclass(frozen=True)
class Spoken:
    """An axis as one text describes it.

    Attributes:
        name: Name of the axis, with those of its parents before it: ``"head/unit"``.
        kinds: Pairs (kind, exponent) in the order of `SPOKEN`; None if the text says no kind.
        power: The exponent of a text without a kind.
    """

    name: str
    kinds: tuple[tuple[str, int], ...] | None = None
    power: int = 1

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the axes on whose index the element depends, the outermost first."""
        steps = self.name.split("/")
        return tuple("/".join(steps[:count]) for count in range(1, len(steps)))


def spoken(text: str, where: str) -> Spoken:
    """Reads the text of one axis; ``where`` says which in messages.

    Raises:
        ValueError: If the text has no name, an unknown kind, or an exponent that its kind does not have.
    """
    path, colon, rest = text.partition(":")
    name, power = _powered(path, where, text)
    if not name or not all(name.split("/")):
        raise ValueError(
            f"{where} is {text!r}, which has no name; expected 'name', 'name:kind' or 'parent/child', or None for "
            "an axis that nothing moves."
        )
    if not colon:
        return Spoken(name, None, power)
    if power != 1:
        raise ValueError(f"{where} is {text!r}; an exponent belongs after its kind: '{name}:{rest}^{power}'.")
    kinds: dict[str, int] = {}
    for word in rest.split("+"):
        kind, exponent = _powered(word, where, text)
        if kind not in SPOKEN:
            raise ValueError(f"{where} is {text!r}: unknown kind {kind!r}; expected {', '.join(SPOKEN)}.")
        if kind in kinds:
            raise ValueError(f"{where} is {text!r}, which says {kind} twice; say each kind once.")
        kinds[kind] = exponent
    if len(kinds) > 1 and HELD in kinds:
        raise ValueError(f"{where} is {text!r}: an axis that is held is moved by no group; say 'held' alone.")
    if ROTATION in kinds and ORTHOGONAL in kinds:
        raise ValueError(
            f"{where} is {text!r}: rotations are among the orthogonal matrices; say one of them."
        )
    for kind, exponent in kinds.items():
        check_exponent(kind, exponent, where, text)
    return Spoken(name, tuple((kind, kinds[kind]) for kind in SPOKEN if kind in kinds))


def check_exponent(kind: str, exponent: int, where: str, text: str) -> None:
    """Checks that a kind may act with an exponent.

    Raises:
        ValueError: For a permutation or a held axis with an exponent, and for powers of matrices.
    """
    if kind in (PERMUTATION, HELD) and exponent != 1:
        raise ValueError(
            f"{where} is {text!r}: {kind} has no exponent; leave ^{exponent} out, or say it after another kind."
        )
    if kind in (*MATRIX_KINDS, ROTATION) and abs(exponent) != 1:
        raise ValueError(
            f"{where} is {text!r}: {kind} has exponent 1 (covariant) or -1 (contravariant), got {exponent}."
        )


def acting(kind: str, exponent: int) -> int:
    """The exponent that a move has in a layout: those of signs count modulo 2, an orthogonal matrix is its own dual."""
    if kind == SIGN:
        return exponent % 2
    return 1 if kind in (ORTHOGONAL, ROTATION) else exponent


def _powered(word: str, where: str, text: str) -> tuple[str, int]:
    """A word and the exponent behind it, 1 if there is none."""
    found = _POWER.fullmatch(word.strip())
    if found is None:
        raise ValueError(f"{where} is {text!r}; expected an integer after '^', as in 'name:scaling^-1'.")
    return found["word"].strip(), int(found["power"] or 1)
