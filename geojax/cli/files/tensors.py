"""The correspondence between tensors of a file and leaves of a spec."""

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
    """{tensor: leaf} for the tensors of a file that are leaves of the spec, and the names of the other tensors.

    A known architecture finds its tensors itself, and copies of tied ones too. Otherwise a tensor has the path of its
    leaf as its name, with slashes or dots, and all names may have a common prefix (``model.``).

    Raises:
        InputError: If the file has no tensor for a leaf.
    """
    names = list(names)
    if model.architecture is not None:
        try:
            matched = model.architecture.match(names)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        own = {tensor: leaf for leaf, tensor in matched.read.items()} | dict(matched.copies)
        return own, list(matched.unread)
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
    """The empty prefix, and every prefix with which the first leaf is the name of a tensor."""
    first = next(iter(spelled), "")
    return ["", *(name.removesuffix(first) for name in names if name.endswith((f".{first}", f"/{first}")))]
