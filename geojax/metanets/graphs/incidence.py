"""The parameters of any function as a graph: a node for each index of each axis, an edge for each number."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.struct import static, struct
from geojax._core.tree import is_numeric, path_name
from geojax.metanets.graphs import features
from geojax.symmetry import Group, SymmetrySpec
from geojax.symmetry.action.layout import Block, Layout
from geojax.typing import Params


@struct
class ParameterGraph:
    """The parameters of a function as a hypergraph: nodes are indices of axes, edges the numbers of the leaves.

    The edge of the number leaf[i, j, ...] joins the nodes i, j, ... of the leaf's axes; axes that the function ties
    together share their nodes. All arrays are facts about the architecture, in numpy, and none depends on the values
    of parameters. A graph is a pytree, so that graphs padded to one size can be stacked.

    Attributes:
        nodes: Facts about each node [nodes, facts]: input, output, free to permute, held, depth, size, and for a held
            node its position. A permutation in the symmetry leaves them as they are.
        edges: The nodes that each number joins [numbers, slots]; -1 where it has fewer axes than slots.
        axis: Number of the axis that each node belongs to [nodes]; -1 for padding.
        leaf: Number of the leaf that each edge belongs to [numbers]; -1 for padding.
        block: The row of `slots` and `blocks` of each edge [numbers].
        slots: Facts about each place of a number [blocks, slots, facts]: which axis of the leaf, how many there are,
            and whether it lies deeper in the network than the others.
        blocks: Facts about each part of a leaf [blocks, facts].
        axes: (name, shape) of each axis in the order of their nodes; the shape has the sizes of the axes that it is a
            child of, then its own.
        leaves: (path, shape) of each leaf in the order of their edges.
    """

    nodes: Any
    edges: Any
    axis: Any
    leaf: Any
    block: Any
    slots: Any
    blocks: Any
    axes: tuple[tuple[str, tuple[int, ...]], ...] = static()
    leaves: tuple[tuple[str, tuple[int, ...]], ...] = static()

    def flatten(self, params: Params) -> Float[Array, " numbers"]:
        """The numbers of a tree of parameters in the order of the edges; zero at padding."""
        arrays = _arrays("ParameterGraph.flatten(params)", self.leaves, params)
        flat = jnp.concatenate([jnp.ravel(array) for array in arrays])
        return jnp.pad(flat, (0, self.leaf.shape[0] - flat.shape[0]))

    def unflatten(self, values: Float[Array, "numbers *channels"], params: Params) -> Params:
        """A tree like ``params`` whose leaves hold the values of their edges; channels become last axes."""
        _arrays("ParameterGraph.unflatten(values, params)", self.leaves, params)
        starts = _starts(self.leaves)
        places = {path: (start, shape) for start, (path, shape) in zip(starts, self.leaves, strict=True)}

        def take(path: Any, old: Any) -> Any:
            if path_name(path) not in places:
                return old
            start, shape = places[path_name(path)]
            return jnp.reshape(values[start : start + math.prod(shape)], (*shape, *values.shape[1:]))

        return jax.tree_util.tree_map_with_path(take, params)

    def place(self, activations: Mapping[str, Array]) -> Float[Array, "nodes samples"]:
        """Activations of units as features of their nodes; zero at the nodes of axes that are not named.

        ``activations`` is {name of an axis: array [samples, parent sizes..., size]}, as `geojax.symmetry.collect`
        returns it for the groups; inputs may stand under the name of their axis.
        """
        named = dict(
            zip([name for name, _ in self.axes], zip(_starts(self.axes), self.axes, strict=True), strict=True)
        )
        counts = {name: jnp.shape(array)[:1] for name, array in activations.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(
                f"ParameterGraph.place: activations have {counts} samples; expected one number of samples for all. "
                "Take means over samples where the program has more of them, such as those of positions."
            )
        out = None
        for name, array in activations.items():
            if name not in named or jnp.shape(array)[1:] != named[name][1][1]:
                known = {axis: ("samples", *shape) for axis, shape in self.axes}
                raise ValueError(
                    f"ParameterGraph.place: activations[{name!r}] has shape {jnp.shape(array)}; expected one of the "
                    f"axes {known}. Pass what collect(spec, ...) of the same spec returns."
                )
            start, (_, shape) = named[name]
            rows = jnp.reshape(array, (jnp.shape(array)[0], -1)).T
            out = jnp.zeros((self.axis.shape[0], rows.shape[1]), rows.dtype) if out is None else out
            out = out.at[start : start + math.prod(shape)].set(rows)
        assert out is not None
        return out

    def padded(self, *, num_nodes: int, num_edges: int, num_slots: int, num_blocks: int) -> "ParameterGraph":
        """The same graph with more rows, which belong to nothing."""
        sizes = {
            "num_nodes": (num_nodes, self.axis.shape[0]),
            "num_edges": (num_edges, self.leaf.shape[0]),
            "num_slots": (num_slots, self.edges.shape[1]),
            "num_blocks": (num_blocks, self.slots.shape[0]),
        }
        for name, (wanted, least) in sizes.items():
            checks.count("ParameterGraph.padded", name, wanted, minimum=least)
        n, e, s, b = (wanted - least for wanted, least in sizes.values())
        return ParameterGraph(
            np.pad(self.nodes, ((0, n), (0, 0))),
            np.pad(self.edges, ((0, e), (0, s)), constant_values=-1),
            np.pad(self.axis, (0, n), constant_values=-1),
            np.pad(self.leaf, (0, e), constant_values=-1),
            np.pad(self.block, (0, e)),
            np.pad(self.slots, ((0, b), (0, s), (0, 0))),
            np.pad(self.blocks, ((0, b), (0, 0))),
            self.axes,
            self.leaves,
        )


def parameter_graph(spec: SymmetrySpec) -> ParameterGraph:
    """The graph of the parameters that a spec describes, for any architecture.

    a node for each index of each axis name,  an edge {i, j, ...} for each number leaf[i, j, ...]

    Dense layers, convolutions, heads, norms, gates and residual streams come from one reading: two leaves meet in the
    nodes of the axes that the program ties together. Axes that are held fixed are nodes too, told apart by their
    position. The units of a head have nodes of their own in each head. Every permutation in the symmetry permutes nodes
    and edges, and leaves all facts about them as they are.

    Args:
        spec: The symmetry of the function, from `geojax.symmetry.infer`.

    Returns:
        ParameterGraph, with one edge for each number in ``params``.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec.
        ValueError: If it has no leaves.

    Differentiation: none; the graph holds no parameter.
    Complexity: O(numbers x slots) on the host.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.relu(x @ p["w"] + p["b"]) @ p["v"]
        >>> params = {"w": jnp.ones((3, 4)), "b": jnp.ones(4), "v": jnp.ones((4, 2))}
        >>> graph = gj.metanets.parameter_graph(gj.symmetry.infer(mlp, params, jnp.ones((5, 3)), verify=False))
        >>> dict(graph.axes), graph.edges.shape
        ({'w': (4,), 'v[1]': (2,), 'w[0]': (3,)}, (24, 2))

    References: [LimMaron2024], [Kofinas2024]
    """
    if not isinstance(spec, SymmetrySpec):
        raise TypeError(
            f"parameter_graph: spec is {checks.described(spec)}; expected a SymmetrySpec. "
            "Read it off the function with geojax.symmetry.infer."
        )
    if not spec.leaves:
        raise ValueError("parameter_graph: spec has no leaves; expected a function of at least one array.")
    pieces = [
        (number, block, places)
        for number, leaf in enumerate(spec.leaves)
        for block, places in _pieces(leaf.layout, np.arange(math.prod(leaf.shape)))
    ]
    groups: dict[str, list[Group]] = {}
    for _, group in spec.members:
        groups.setdefault(group.axis, []).append(group)
    axes, parents = _axes(spec, pieces, groups)
    starts = dict(zip(axes, _starts(tuple(axes.items())), strict=True))
    leaves = tuple((leaf.path, tuple(leaf.shape)) for leaf in spec.leaves)
    offsets = _starts(leaves)
    num = sum(math.prod(shape) for _, shape in leaves)
    slots = max(len(block.parts) for _, block, _ in pieces)
    edges, leaf, row = np.full((num, max(slots, 1)), -1), np.zeros(num, int), np.zeros(num, int)
    for index, (number, block, places) in enumerate(pieces):
        rows = np.ravel(places) + offsets[number]
        leaf[rows], row[rows] = number, index
        names = _names(spec, number, block)
        grid = np.indices(block.shape)
        for slot, name in enumerate(names):
            where = [names.index(parent) for parent in parents[name]]
            at = np.ravel_multi_index([grid[axis] for axis in (*where, slot)], axes[name])
            edges[rows, slot] = starts[name] + np.ravel(at)
    described = features.describe(spec, pieces, [_names(spec, n, b) for n, b, _ in pieces], axes, groups)
    axis = np.repeat(np.arange(len(axes)), [math.prod(shape) for shape in axes.values()])
    return ParameterGraph(
        described.nodes,
        edges,
        axis,
        leaf,
        row,
        described.slots,
        described.blocks,
        tuple(axes.items()),
        leaves,
    )


def _pieces(layout: Layout, places: np.ndarray) -> Iterator[tuple[Block, np.ndarray]]:
    """The blocks of a layout, with the places of their numbers in the flat leaf."""
    if isinstance(layout, Block):
        yield layout, np.reshape(places, layout.shape)
        return
    parts = np.split(np.reshape(places, layout.shape), np.cumsum(layout.sizes)[:-1], axis=layout.dim)
    for piece, part in zip(layout.pieces, parts, strict=True):
        yield from _pieces(piece, part)


def _names(spec: SymmetrySpec, number: int, block: Block) -> list[str]:
    """The names of a block's axes; an axis without a name gets one of its own."""
    path = spec.leaves[number].path
    return [part.name or f"{path}[{part.axis}].{slot}" for slot, part in enumerate(block.parts)]


def _axes(
    spec: SymmetrySpec, pieces: list[tuple[int, Block, np.ndarray]], groups: dict[str, list[Group]]
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[str, ...]]]:
    """The shape of each axis, and the axes that it is a child of."""
    axes, parents = {}, {}
    for number, block, _ in pieces:
        for name, part in zip(_names(spec, number, block), block.parts, strict=True):
            found = [group for group in groups.get(name, []) if group.parents]
            parents[name] = found[0].parents if found else ()
            axes[name] = (*(found[0].parent_sizes if found else ()), part.size)
    return axes, parents


def _starts(named: tuple[tuple[str, tuple[int, ...]], ...]) -> list[int]:
    """Where the numbers of each shape begin, laid one after another."""
    return [0, *np.cumsum([math.prod(shape) for _, shape in named]).tolist()][: len(named)]


def _arrays(where: str, leaves: tuple[tuple[str, tuple[int, ...]], ...], params: Params) -> list[Array]:
    pairs = jax.tree_util.tree_flatten_with_path(params)[0]
    given = {path_name(path): leaf for path, leaf in pairs if is_numeric(leaf)}
    shapes = {path: jnp.shape(leaf) for path, leaf in given.items()}
    if shapes != dict(leaves):
        raise ValueError(
            f"{where}: params has the leaves {shapes}; expected {dict(leaves)}. "
            "Pass parameters of the function that the spec was read from."
        )
    return [jnp.asarray(given[path]) for path, _ in leaves]
