"""Moving the model in one file onto the model in another, for `geojax align` and `geojax merge --align`."""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geojax.cli.files import models
from geojax.cli.files.checkpoints import broken_files, load, open_lazily
from geojax.cli.files.models import Model
from geojax.cli.files.tensors import find_leaves
from geojax.cli.files.user_code import users_code
from geojax.cli.screen.console import Screen
from geojax.cli.screen.errors import InputError

if TYPE_CHECKING:
    from geojax.symmetry import SymmetrySpec

METHODS = ("weights", "activations", "both")
PIECE = 1 << 22
"""Number of entries of a tensor that are read at once."""

STILL = 1e-4
"""Scalings and matrices that differ from one by less than this count as not moved."""


@dataclasses.dataclass(frozen=True)
class Alignment:
    """The result of an alignment.

    Attributes:
        method: One of METHODS.
        objective: The objective before, or None if it was not computed, and after.
        distance: |a - b| / |a| over all leaves, before and after.
        moved: {group: share of its units that changed their place, or largest deviation of its scalings or matrices
            from one}.
        num_sweeps: Number of sweeps over the groups.
        converged: Whether the last sweep moved nothing.
    """

    method: str
    objective: tuple[float | None, float]
    distance: tuple[float, float]
    moved: Mapping[str, float]
    num_sweeps: int
    converged: bool


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two files and the model whose parameters they hold.

    Attributes:
        model: The model.
        spec: Its symmetry.
        paths: The file to match and the file to move.
        names: {tensor: leaf} for each of the files.
    """

    model: Model
    spec: "SymmetrySpec"
    paths: tuple[Path, Path]
    names: tuple[Mapping[str, str], Mapping[str, str]]


def pair_up(
    model: Model, spec: "SymmetrySpec", a: Path, b: Path, *, keep_unread: bool, screen: Screen
) -> Pair:
    """Finds the leaves of the spec in two files.

    Raises:
        InputError: If a leaf is missing or has another shape, or b holds real or complex tensors that the model does
            not know, because they might have to be moved too.
    """
    import jax.numpy as jnp

    shapes = {leaf.path: tuple(leaf.shape) for leaf in spec.leaves}
    named = []
    for path in (a, b):
        with open_lazily(path) as checkpoint:
            names, others = find_leaves(model, spec, path, checkpoint)
            named.append(names)
            for tensor, leaf in names.items():
                got = tuple(checkpoint.shapes[tensor].shape)
                if got != shapes[leaf]:
                    raise InputError(
                        f"{path}: {tensor} has shape {list(got)}, and {model.name} has {list(shapes[leaf])}. "
                        "Give the MODEL that this file belongs to."
                    )
            unread = [name for name in others if jnp.issubdtype(checkpoint.shapes[name].dtype, jnp.inexact)]
    if unread:
        shown = ", ".join(unread[:3]) + (f" and {len(unread) - 3} more" if len(unread) > 3 else "")
        if model.architecture is None and not keep_unread:
            raise InputError(
                f"{b}: {model.name} does not know {shown}, which might have to move with the rest. "
                "Give the config.json as MODEL, or --keep-unread if nothing hidden is read with them."
            )
        screen.note(f"{b}: not read by {model.name}, so left as they are: {shown}.")
    return Pair(model, spec, (a, b), (named[0], named[1]))


def align_file(
    pair: Pair,
    out: Path,
    *,
    method: str,
    inputs: Sequence[Any] | None,
    seed: int,
    screen: Screen,
    at_rest: bool = True,
) -> Alignment:
    """Writes the second file, moved onto the first by its symmetries; ``at_rest`` asks for the objective before that.

    Raises:
        InputError: If a file does not fit, holds NaN, or cannot be written.
    """
    import jax

    from geojax.io import stream_act, stream_align

    a, b = pair.paths
    before = distance(pair, b)
    key = jax.random.key(seed)
    element: Mapping[str, Any] | None = None
    with broken_files(out), screen.busy(f"aligning {b.name} by {method}"):
        if method != "weights":
            objective, result = _by_activations(pair, inputs)
            element = result.element
        if method == "activations":
            assert element is not None
            stream_act(pair.spec, element, b, out, names=pair.names[1])
        else:
            objective = _objective_at_rest(pair, out, key) if at_rest else None
            names_a, names_b = pair.names
            result = stream_align(
                pair.spec, a, b, out, key=key, init=element, names_a=names_a, names_b=names_b
            )
    from geojax.results import Status

    return Alignment(
        method,
        (objective, float(result.objective)),
        (before, distance(pair, out)),
        shares(pair.spec, result.element),
        int(result.num_steps),
        int(result.status) == Status.CONVERGED,
    )


def distance(pair: Pair, b: Path) -> float:
    """|a - b| / |a| over all leaves of real or complex numbers."""
    squares = [0.0, 0.0]
    with open_lazily(pair.paths[0]) as file_a, open_lazily(b) as file_b:
        homes = [{leaf: tensor for tensor, leaf in names.items()} for names in pair.names]
        for leaf, tensor in homes[0].items():
            for x, y in _pieces(file_a, tensor, file_b, homes[1][leaf]):
                squares[0] += float((abs(x - y) ** 2).sum())
                squares[1] += float((abs(x) ** 2).sum())
    return (squares[0] / squares[1]) ** 0.5 if squares[1] else float(squares[0] > 0)


def shares(spec: "SymmetrySpec", element: Mapping[str, Any]) -> dict[str, float]:
    """How far each group of an element moves: the share of moved units, or the largest deviation from one."""
    import numpy as np

    moved = {}
    for name, group in spec.members:
        if name not in element:
            moved[name] = 0.0
            continue
        array = np.asarray(element[name])
        if group.kind == "permutation":
            moved[name] = float(np.mean(array != np.arange(group.size)))
        elif group.kind == "sign":
            moved[name] = float(np.mean(array < 0))
        else:
            one = np.ones(group.size) if group.kind == "scaling" else np.eye(group.size)
            deviation = float(np.max(np.abs(array - one), initial=0))
            moved[name] = deviation if deviation > STILL else 0.0
    return moved


def _by_activations(pair: Pair, inputs: Sequence[Any] | None) -> tuple[float, Any]:
    """Correlation of the activations before the models are moved, and the result of `activation_matching`."""
    import jax
    import jax.numpy as jnp

    from geojax.symmetry import activation_matching

    def wide(leaf: Any) -> Any:
        narrow = jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype.itemsize < 4
        return leaf.astype(jnp.float32) if narrow else leaf

    apply = models.apply_of(pair.model, "matching by activations")
    params = []
    for path, names in zip(pair.paths, pair.names, strict=True):
        tensors = {name: wide(leaf) for name, leaf in load(path).items() if name in names}
        try:
            params.append(models.params_of(pair.model, tensors))
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
    with users_code(pair.model.name):
        start, result = (
            activation_matching(pair.spec, apply, *params, *(inputs or pair.model.inputs), max_steps=sweeps)
            for sweeps in (0, 100)
        )
    return float(start.objective), jax.device_get(result)


def _objective_at_rest(pair: Pair, out: Path, key: Any) -> float | None:
    """The objective of weight matching before anything is moved; None for a file so large that it would take long."""
    from geojax.io import stream_align

    with open_lazily(pair.paths[1]) as checkpoint:
        if sum(Path(file).stat().st_size for file in checkpoint.files) > models.LARGE:
            return None
    with tempfile.TemporaryDirectory(prefix=".geojax-", dir=out.parent) as folder:
        a, b = pair.paths
        names_a, names_b = pair.names
        target = Path(folder) / out.name
        result = stream_align(pair.spec, a, b, target, key=key, max_steps=0, names_a=names_a, names_b=names_b)
        return float(result.objective)


def _pieces(file_a: Any, name_a: str, file_b: Any, name_b: str) -> Iterator[tuple[Any, Any]]:
    """Pieces of two tensors, in 64-bit precision."""
    import jax.numpy as jnp
    import numpy as np

    dtype = file_a.shapes[name_a].dtype
    if not jnp.issubdtype(dtype, jnp.inexact):
        return
    wide = np.complex128 if jnp.issubdtype(dtype, jnp.complexfloating) else np.float64
    x, y = (file[name].reshape(-1) for file, name in ((file_a, name_a), (file_b, name_b)))
    for start in range(0, x.size, PIECE):
        yield x[start : start + PIECE].astype(wide), y[start : start + PIECE].astype(wide)
    file_a.release(name_a)
    file_b.release(name_b)
