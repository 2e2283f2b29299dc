"""linear_maps: all equivariant linear maps between two trees whose symmetry a spec says."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.tree import is_array, leaf_pairs
from geojax.symmetry.action import door
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.layout import Block, blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.intertwiners.plans.mixing import Means, written
from geojax.symmetry.intertwiners.plans.planning import Plan, dimension, plan
from geojax.typing import Key, PyTree

POOL_BEYOND = 64
"""Most leaves of a spec whose leaves that share no axis have maps of their own."""

DENSE_UP_TO = 256
"""Longest axis that nothing moves whose indices have coefficients of their own."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class LinearMaps:
    """All equivariant linear maps between two specs, from `linear_maps`: a static plan that holds no array.

    Attributes:
        domain: The spec of the inputs.
        codomain: The spec of the outputs.
        structure: The structure of the output's tree, and the path of each of its leaves; None if it is that of the
            input, or a nested dict.
        pool_beyond: Beyond as many leaves those that share no axis have one map together, from the mean of all.
        dense_up_to: Longer axes that nothing moves have no coefficient for each index.
    """

    domain: SymmetrySpec
    codomain: SymmetrySpec
    structure: tuple[Any, tuple[str, ...]] | None = None
    pool_beyond: int = POOL_BEYOND
    dense_up_to: int = DENSE_UP_TO

    @property
    def count(self) -> int:
        """How many maps there are for one channel in and one out: the dimension of the space, less `dropped`."""
        return self._plan.count

    @property
    def dropped(self) -> int:
        """How many maps ``pool_beyond`` and ``dense_up_to`` leave out."""
        return dimension(self.domain, self.codomain) - self.count

    @property
    def _plan(self) -> Plan:
        return plan(self.domain, self.codomain, self.pool_beyond, self.dense_up_to)

    def init(self, key: Key, c_in: int, c_out: int) -> dict[str, dict[str, Array]]:
        """Draws coefficients that keep the variance of inputs of independent entries.

        theta ~ N(0, 1 / (c_in sum_t 1 / N_t)), the sum over the maps t to an entry of a leaf, each a mean of N_t
        entries.

        Args:
            key: A typed key.
            c_in: Channels of the input.
            c_out: Channels of the output.

        Returns:
            {path of the leaf: {name of a way to write it: [dense indices..., maps, c_in, dense indices..., c_out]}}.
        """
        checks.typed_key("LinearMaps.init", key)
        c_in = checks.count("LinearMaps.init", "c_in", c_in, minimum=1)
        c_out = checks.count("LinearMaps.init", "c_out", c_out, minimum=1)
        theta: dict[str, dict[str, Array]] = {}
        number = sum(len(mixes) for _, _, mixes in self._plan.outputs)
        keys = iter(jax.random.split(key, max(1, number)))
        for name, _, mixes in self._plan.outputs:
            plain = [mix for mix in mixes if mix.plain] or list(mixes)
            power = sum(entry.width / entry.averaged for mix in plain for entry in mix.entries)
            scale = 1 / math.sqrt(c_in * power) if power else 0.0
            theta[name] = {
                mix.name: scale * jax.random.normal(next(keys), mix.shape(c_in, c_out)) for mix in mixes
            }
        return theta

    @rounded_once
    def apply(self, theta: dict[str, dict[str, Array]], tree: PyTree) -> PyTree:
        """The sum of all maps, with matrices of coefficients that mix channels.

        Args:
            theta: Coefficients, as `init` makes them.
            tree: A tree that fits the domain, with one more axis at the end of every leaf: its channels.

        Returns:
            A tree of the codomain, with ``c_out`` channels at the end of every leaf.

        Raises:
            ValueError: If the tree does not fit the domain, leaves have different numbers of channels, or theta does
                not fit.
        """
        pairs, channels = _checked(self.domain, tree)
        _check_theta(self._plan, theta, channels)
        arrays = [
            piece for leaf in self.domain.leaves for piece in _pieces(leaf, jnp.asarray(pairs[leaf.path]))
        ]
        means = Means(arrays, self._plan.free)
        dtype = jnp.result_type(*arrays, *jax.tree.leaves(theta))
        c_out = next((array.shape[-1] for array in jax.tree.leaves(theta)), 1)
        done = []
        for name, block, mixes in self._plan.outputs:
            if mixes:
                done.append(written(mixes, theta[name], means, block.shape))
            else:
                done.append(jnp.zeros((*block.shape, c_out), dtype))
        outputs, left = {}, iter(done)
        for leaf in self.codomain.leaves:
            outputs[leaf.path] = _joined(leaf, left)
        return self._assembled(outputs, tree)

    def _assembled(self, outputs: dict[str, Array], tree: PyTree) -> PyTree:
        if self.structure is not None:
            structure, paths = self.structure
            return jax.tree.unflatten(structure, [outputs[path] for path in paths])
        pairs = [(path, leaf) for path, leaf in leaf_pairs(tree)]
        if {path for path, _ in pairs} == set(outputs):
            return jax.tree.unflatten(jax.tree.structure(tree), [outputs[path] for path, _ in pairs])
        return _nested(outputs)


def linear_maps(
    domain: SymmetrySpec,
    codomain: SymmetrySpec | None = None,
    *,
    like: PyTree = None,
    pool_beyond: int = POOL_BEYOND,
    dense_up_to: int = DENSE_UP_TO,
) -> LinearMaps:
    """All linear maps between two trees that commute with the groups of their specs.

    A(act(g, x)) = act(g, A(x)) for every element g; groups of one name in both specs are one group.

    The maps are diagrams: numbers for the axes of an output and an input, equal where axes have one index. For each
    family of axes that share a group, a rule says which may be equal (`diagrams` has the list); axes inside others may
    have one index only if those have; an axis that nothing moves has a coefficient for each index; whole leaves
    multiplied by a number go to leaves multiplied by the same. Short axes are counted right.

    Args:
        domain: The spec of the inputs, from `infer`, `declare` or `equivariance`.
        codomain: The spec of the outputs; that of the inputs by default.
        like: A tree whose structure the outputs have. By default they have that of the input if the leaves have the
            same paths, else they are a nested dict by path, or a bare array for a single leaf that is the tree.
        pool_beyond: Beyond as many leaves, pairs that share no axis have no maps of their own: one map goes from the
            mean of all leaves to each.
        dense_up_to: An axis that nothing moves has a coefficient for each index only if it is no longer; else it is
            as if it might be permuted, with itself only. `LinearMaps.dropped` counts what both limits leave out.

    Returns:
        LinearMaps with ``count``, ``dropped``, ``init(key, c_in, c_out)`` and ``apply(theta, tree)``.

    Raises:
        TypeError: If an argument is no spec.
        ValueError: If a group of one name is not the same in both specs, or ``like`` has other leaves than the
            codomain; at the first use, if two leaves have more than ten axes of one group or 20,000 diagrams.

    Differentiation: exact, in the coefficients and in the tree.
    Complexity: every input is read and every output written once, besides one copy for each diagonal or transpose; no
        matrix of the map is formed. Channels are mixed where an array is smallest.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.declare(jnp.ones(5), ("points",))
        >>> maps = gj.symmetry.linear_maps(spec)
        >>> maps.count
        2
        >>> theta = maps.init(jax.random.key(0), 3, 4)
        >>> maps.apply(theta, jnp.ones((5, 3))).shape
        (5, 4)

    References: [Zhou2024], [Navon2023], [PearceCrump2023]
    """
    codomain = domain if codomain is None else codomain
    for spec in (domain, codomain):
        door.check_spec("linear_maps(domain, codomain)", spec)
    for name, group in codomain.groups.items():
        other = domain.groups.get(name, group)
        if other != group:
            raise ValueError(
                f"linear_maps: the group {name!r} is {_said(other)} in domain and {_said(group)} in codomain; groups "
                "of one name are one group. Rename one of them."
            )
    pool_beyond = checks.count("linear_maps", "pool_beyond", pool_beyond)
    dense_up_to = checks.count("linear_maps", "dense_up_to", dense_up_to)
    structure = None
    if like is not None:
        paths = tuple(path for path, _ in leaf_pairs(like))
        expected = {leaf.path for leaf in codomain.leaves}
        if set(paths) != expected or len(paths) != len(expected):
            raise ValueError(
                f"linear_maps: like has the leaves {_listed(paths)}, the codomain {_listed(sorted(expected))}; "
                "expected the same. Pass a tree that the codomain fits."
            )
        structure = jax.tree.structure(like), paths
    return LinearMaps(domain, codomain, structure, pool_beyond, dense_up_to)


def _said(group: Any) -> str:
    parents = f" in {', '.join(group.parents)}" if group.parents else ""
    return f"{group.kind} of {group.size}{parents}"


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _checked(domain: SymmetrySpec, tree: PyTree) -> tuple[dict[str, Array], int]:
    """The leaves of an input by path, and their number of channels."""
    door.check_tree("apply(theta, tree)", tree)
    given = dict(leaf_pairs(tree))
    expected = {leaf.path: leaf.shape for leaf in domain.leaves}
    problems = [
        f"  missing: {path or 'tree'} {shape}" for path, shape in expected.items() if path not in given
    ]
    problems += [f"  unexpected: {path or 'tree'}" for path in given if path not in expected]
    channels = set()
    for path, leaf in given.items():
        if path not in expected:
            continue
        shape = jnp.shape(leaf) if is_array(leaf) else None
        if shape is None or len(shape) != len(expected[path]) + 1 or shape[:-1] != tuple(expected[path]):
            got = checks.described(leaf) if shape is None else f"shape {shape}"
            problems.append(
                f"  {path or 'tree'}: got {got}, expected {(*expected[path], 'channels')}".replace("'", "")
            )
        else:
            channels.add(shape[-1])
    if not problems and len(channels) > 1:
        problems.append(f"  leaves have {sorted(channels)} channels, expected one number")
    if problems:
        raise ValueError(
            "LinearMaps.apply: tree does not fit the domain, whose leaves have one more axis at the end, the "
            "channels:\n"
            + "\n".join(problems[:8])
            + "\nPass x[..., None] for one channel, and `jax.vmap` a batch."
        )
    return given, channels.pop() if channels else 1


def _check_theta(plan: Plan, theta: Any, c_in: int) -> None:
    leaves = jax.tree.leaves(theta)
    c_out = leaves[0].shape[-1] if leaves and jnp.ndim(leaves[0]) else 1
    expected = {name: {mix.name: mix.shape(c_in, c_out) for mix in mixes} for name, _, mixes in plan.outputs}
    got = jax.tree.map(jnp.shape, theta)
    if got != expected:
        raise ValueError(
            f"LinearMaps.apply: theta does not fit these maps and {c_in} channels. Make it with init(key, {c_in}, "
            "c_out) of the same maps."
        )


def _plain(leaf: Leaf) -> bool:
    return isinstance(leaf.layout, Block) and leaf.layout.shape == tuple(leaf.shape)


def _pieces(leaf: Leaf, x: Array) -> list[Array]:
    """The blocks of a leaf with channels."""
    if _plain(leaf):
        return [x]
    return jax.vmap(functools.partial(split, leaf.layout), in_axes=-1, out_axes=-1)(x)


def _joined(leaf: Leaf, left: Any) -> Array:
    """A leaf with channels from the next of its blocks."""
    if isinstance(leaf.layout, Block):
        x = next(left)
        return x.reshape(*leaf.shape, x.shape[-1])
    arrays = [next(left) for _ in blocks(leaf.layout)]
    return jax.vmap(lambda *each: join(leaf.layout, list(each), leaf.shape), in_axes=-1, out_axes=-1)(*arrays)


def _nested(outputs: dict[str, Array]) -> PyTree:
    """A nested dict by path, or the array itself for the empty path."""
    if list(outputs) == [""]:
        return outputs[""]
    tree: dict[str, Any] = {}
    for path, array in outputs.items():
        *outer, last = path.split("/")
        node = tree
        for key in outer:
            node = node.setdefault(key, {})
        node[last] = array
    return tree
