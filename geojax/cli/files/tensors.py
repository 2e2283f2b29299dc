"""Which tensors of a file are which leaves of a spec."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from geojax.cli.files.models import Model
from geojax.cli.screen.errors import InputError

if TYPE_CHECKING:
    from geojax.symmetry import SymmetrySpec


def find_leaves(
    model: Model, spec: "SymmetrySpec", path: Path, names: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """{tensor: leaf} for the tensors of a file that the spec moves or holds, and the names of the others.

    A known architecture finds its tensors itself, copies of tied ones too. Otherwise a tensor is called as its leaf is,
    with slashes or dots, and all of them may have one prefix in common (``model.``).

    Raises:
        InputError: If a leaf has no tensor.
    """
    names = list(names)
    if model.architecture is not None:
        try:
            found = model.architecture.match(names)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        own = {tensor: leaf for leaf, tensor in found.read.items()} | dict(found.copies)
        return own, list(found.unread)
    leaves = [leaf.path for leaf in spec.leaves]
    for spelled in (_as_is(leaves), _dotted(leaves)):
        for prefix in _prefixes(spelled, names):
            if all(prefix + tensor in names for tensor in spelled):
                own = {prefix + tensor: leaf for tensor, leaf in spelled.items()}
                return own, [name for name in names if name not in own]
    missing = [leaf for leaf in leaves if leaf not in names]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    raise InputError(
        f"{path}: it lacks {len(missing)} of the {len(leaves)} leaves of {model.name}: {', '.join(missing[:3])}{more}. "
        "Give the MODEL that this file belongs to."
    )


def _as_is(leaves: Iterable[str]) -> Mapping[str, str]:
    return {leaf: leaf for leaf in leaves}


def _dotted(leaves: Iterable[str]) -> Mapping[str, str]:
    return {leaf.replace("/", "."): leaf for leaf in leaves}


def _prefixes(spelled: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """No prefix, and those with which the first leaf is the name of a tensor."""
    first = next(iter(spelled), "")
    return ["", *(name.removesuffix(first) for name in names if name.endswith((f".{first}", f"/{first}")))]
