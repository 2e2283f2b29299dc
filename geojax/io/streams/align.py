"""Aligning two files of parameters, group by group."""

import contextlib
import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import checks
from geojax.io.formats.errors import CheckpointError
from geojax.io.formats.finite import count_nonfinite
from geojax.io.formats.safetensors import open_safetensors
from geojax.io.streams.act import stream_act
from geojax.io.streams.leaf_file import LeafFile, groups_of, leaf_file, precision
from geojax.io.streams.merge import Path
from geojax.symmetry.action.elements import Element, compose
from geojax.symmetry.action.groups import GENERAL_LINEAR, SCALING, Group
from geojax.symmetry.action.layout import Block, Cut, Layout, blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.balanced_models import BalancedModels, leftover_signs
from geojax.symmetry.ascent.compact_groups import by_member, compact_groups, make_problem, pair_of, with_axes
from geojax.symmetry.ascent.lazy_sweeps import lazy_match
from geojax.symmetry.matching.by_weights import MatchingResult
from geojax.symmetry.orbits.balance import balancing_element
from geojax.typing import Key

__all__ = ["stream_align"]


def stream_align(
    spec: SymmetrySpec,
    path_a: Path,
    path_b: Path,
    out: Path,
    *,
    key: Key,
    init: Mapping[str, Array] | None = None,
    max_steps: int = 100,
    names_a: Mapping[str, str] | None = None,
    names_b: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> MatchingResult:
    """Aligns the parameters in one file with those in another, and writes the moved parameters to a third file.

    With the same key it takes the same steps as `geojax.symmetry.weight_matching`. Up to rounding the objective is the
    same, and so is the element unless two elements are equally good. Instead of all weights it keeps similarities of
    units in memory, and reads a leaf of both files when a group needs it.

    Args:
        spec: The symmetry of the function, from `geojax.symmetry.infer`.
        path_a: The file to match, as for `open_safetensors`.
        path_b: The file to move.
        out: The file to write: b moved by the element. It must be another file.
        key: Random key, for the order of the groups in each sweep.
        init: Element to start from, as for `weight_matching`.
        max_steps: Largest number of sweeps over all groups.
        names_a: {tensor in file a: path of its leaf}. If None, each tensor has the name of its leaf, and there are no
            other tensors.
        names_b: The same for file b; tensors that are not in it are copied unchanged.
        metadata: Texts about the output; if None, those of file b.

    Returns:
        MatchingResult; ``out`` appears when it is complete.

    Raises:
        CheckpointError: If a file is broken, does not fit the spec or holds NaN or infinities, or the disk is full.
        ValueError: If ``init`` holds an unknown group or a wrong shape.

    Status: CONVERGED; MAX_STEPS; NONFINITE if the objective is not finite.
    Differentiation: none; it writes.
    Complexity: that of `weight_matching`; in addition every visit to a group reads the leaves that it moves. Memory:
        two leaves and what is needed to move them, and the similarities [n, n] of each group. In addition, the leaves
        of groups that depend on each other (one attention layer), and leaves with one group on two axes (a recurrent
        kernel). For scalings and linear groups also the leaves that are balanced together: one layer of a transformer,
        but the whole of a plain relu network, because its scalings share leaves from the first layer to the last.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp
        >>> from geojax.io import flatten, load_safetensors, save_safetensors, stream_align
        >>> from geojax.symmetry import infer
        >>> params = [jax.random.normal(jax.random.key(i), (4, 4)) for i in range(2)]
        >>> spec = infer(lambda p, x: jax.nn.sigmoid(x @ p[0]) @ p[1], params, jnp.ones((3, 4)))
        >>> a, b, out = (os.path.join(tempfile.mkdtemp(), "model") for _ in range(3))
        >>> save_safetensors(a, flatten([params[0][:, ::-1], params[1][::-1]]))
        >>> save_safetensors(b, flatten(params))
        >>> stream_align(spec, a, b, out, key=jax.random.key(0)).element["0"].tolist()
        [3, 2, 1, 0]

    References: [Ainsworth2022], Alg. 1; [KempfNess1979] for the gauge.
    """
    checks.typed_key("stream_align", key)
    max_steps = checks.count("stream_align", "max_steps", max_steps)
    with contextlib.ExitStack() as stack:
        file_a, file_b = (stack.enter_context(open_safetensors(path)) for path in (path_a, path_b))
        a = leaf_file("stream_align", spec, file_a, names_a)
        b = leaf_file("stream_align", spec, file_b, names_b)
        numeric = [leaf for leaf in spec.leaves if jnp.issubdtype(a.shape(leaf.path).dtype, jnp.inexact)]
        dtypes = [side.shape(leaf.path).dtype for side in (a, b) for leaf in numeric]
        stack.enter_context(precision(*dtypes))
        dtype = np.result_type(np.float32, *(each for each in dtypes if each.itemsize >= 4))
        for side in (a, b):
            _check_finite(side, [leaf.path for leaf in numeric])
        result = _matched(_Sides(a, b, dtype, key, max_steps), init)
    stream_act(spec, result.element, path_b, out, names=names_b, metadata=metadata)
    return result


@dataclasses.dataclass(frozen=True)
class _Sides:
    """Two files, and how to match them."""

    a: LeafFile
    b: LeafFile
    dtype: np.dtype
    key: Key
    max_steps: int


def _matched(sides: _Sides, init: Mapping[str, Array] | None) -> MatchingResult:
    spec, real = sides.a.spec, np.dtype(jnp.finfo(sides.dtype).dtype)
    groups = compact_groups(spec)
    of_member = by_member(groups)
    places = [
        (leaf, number, pair_of(of_member, block))
        for leaf in spec.leaves
        if jnp.issubdtype(sides.a.shape(leaf.path).dtype, jnp.inexact)
        for number, block in enumerate(blocks(leaf.layout))
    ]
    problem = make_problem(groups, [pair for _, _, pair in places])
    flips = leftover_signs(
        spec, groups, [lambda path, side=side: side.read(path, sides.dtype) for side in (sides.a, sides.b)]
    )
    balancing = [
        compose(spec, flip, balanced) if flip else balanced
        for flip, balanced in zip(flips, (_balanced(side, sides.dtype, real) for side in (sides.a, sides.b)))
    ]
    acting = [
        {leaf.path: {name: element[name] for name in groups_of(leaf) & set(element)} for leaf in spec.leaves}
        for element in balancing
    ]

    def read(place: int) -> tuple[Array, Array]:
        leaf, number, pair = places[place]
        arrays = []
        for side, elements in zip((sides.a, sides.b), acting):
            whole = side.read(leaf.path, sides.dtype, elements[leaf.path])
            arrays.append(with_axes(pair, split(leaf.layout, whole)[number]))
        return arrays[0], arrays[1]

    nothing = [jnp.zeros(0, sides.dtype)]
    models = BalancedModels(spec, groups, problem, [nothing, nothing], balancing)
    start, given = models.start("stream_align(spec, path_a, path_b, out, key=key)", init)
    sizes = [
        int(np.prod([part.size for part in list(blocks(leaf.layout))[number].parts]))
        for leaf, number, _ in places
    ]
    match = lazy_match(
        problem,
        read,
        sizes,
        start,
        key=sides.key,
        given=given,
        max_steps=sides.max_steps,
        dtype=real,
    )
    element = models.element(match.element)
    return MatchingResult(element, match.objective, match.error, match.num_steps, match.status)


def _check_finite(side: LeafFile, paths: list[str]) -> None:
    for path in paths:
        name = side.home[path]
        count = count_nonfinite(side.file[name])
        side.file.release(name)
        if count:
            raise CheckpointError(side.file.path, f"{count} of its numbers are NaN or infinite", tensor=name)


def _balanced(side: LeafFile, dtype: np.dtype, real: np.dtype) -> Element:
    """The scalings and linear maps that balance a file, computed separately for sets of leaves that share no group."""
    balancing: Element = {}
    for part in _balanced_together(side.spec):
        renamed, groups, paths = _renamed(part)
        leaves = {paths[leaf.path]: side.read(leaf.path, dtype) for leaf in part.leaves}
        element = balancing_element(renamed, leaves, dtype=real)
        balancing |= {name: element[groups[name]] for name, _ in part.members}
    return balancing


def _balanced_together(spec: SymmetrySpec) -> list[SymmetrySpec]:
    """The spec's scalings and linear groups alone, as several specs that share no leaf."""
    names = {name for name, group in spec.members if group.kind in (SCALING, GENERAL_LINEAR)}
    rest = spec.without(*(name for name, _ in spec.members if name not in names))
    parts: list[tuple[set[str], list[str]]] = []
    for leaf in rest.leaves:
        groups = groups_of(leaf)
        if not groups:
            continue
        shared = [part for part in parts if part[0] & groups]
        parts = [part for part in parts if not part[0] & groups]
        parts.append(
            (
                groups.union(*(part[0] for part in shared)),
                [p for part in shared for p in part[1]] + [leaf.path],
            )
        )
    return [
        dataclasses.replace(
            rest,
            members=tuple((name, group) for name, group in rest.members if name in groups),
            leaves=tuple(leaf for leaf in rest.leaves if leaf.path in set(paths)),
            pins=(),
            unknown=(),
            verification=None,
            reach=None,
        )
        for groups, paths in parts
    ]


def _renamed(spec: SymmetrySpec) -> tuple[SymmetrySpec, dict[str, str], dict[str, str]]:
    """The spec with numbers for names, and the new names of its groups and of its leaves.

    Layers of one shape then have equal specs, and share a compiled program.
    """
    table = {"": ""}
    new = lambda word: table.setdefault(word, str(len(table)))  # noqa: E731

    def moves(pairs: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        return tuple((new(name), power) for name, power in pairs)

    def layout(node: Layout) -> Layout:
        if isinstance(node, Cut):
            return dataclasses.replace(node, pieces=tuple(layout(piece) for piece in node.pieces))
        parts = tuple(
            dataclasses.replace(part, name=new(part.name), moves=moves(part.moves)) for part in node.parts
        )
        return Block(parts, moves(node.moves))

    def group(item: Group) -> Group:
        return dataclasses.replace(item, parents=tuple(map(new, item.parents)), axis=new(item.axis))

    paths = {leaf.path: str(number) for number, leaf in enumerate(spec.leaves)}
    leaves = tuple(
        dataclasses.replace(leaf, path=paths[leaf.path], layout=layout(leaf.layout)) for leaf in spec.leaves
    )
    members = tuple((new(name), group(item)) for name, item in spec.members)
    return dataclasses.replace(spec, leaves=leaves, members=members), table, paths
