"""Networks on weights, from the equivariant maps of a spec: parameters in; parameters, or a vector, out."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.tree import leaf_pairs
from geojax.metanets.maps.hidden import TRIVIAL, hidden
from geojax.metanets.maps.trunk import Affine, Theta, Trunk
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.intertwiners.plans.maps import linear_maps
from geojax.symmetry.orbits.leaves import with_leaves
from geojax.typing import Key, PyTree

__all__ = ["invariant", "metanet"]

Init = Callable[..., Theta]
Apply = Callable[[Theta, PyTree], Any]


def metanet(
    domain: SymmetrySpec,
    codomain: SymmetrySpec | None = None,
    *,
    width: int = 16,
    depth: int = 2,
    channels_in: int = 1,
    channels_out: int = 1,
    nonlinearity: Callable[[Array], Array] = jax.nn.gelu,
) -> tuple[Init, Apply]:
    """A network from parameters to parameters that commutes with the symmetry of what they parametrise.

    apply(theta, act(g, tree)) = act(g, apply(theta, tree))   for every element g and all theta

    for any architecture, from the spec that `infer` reads off it. Between `linear_maps` stand hidden tensors: one for
    each way in which axes of leaves move together. An axis that nothing moves is read and written with a coefficient
    for each index and is no axis of a hidden tensor. Layers are residual; constants are the maps from one number. The
    nonlinearity acts on the tensors that permutations alone move. Tensors that scales, signs or matrices move are
    multiplied by gates, sigmoids of the former; and the former read products of two of the latter that undo each other
    (a unit's weights in and out; queries and keys along the axis that they share). Where a leaf of the codomain is a
    leaf of the domain, each entry of the result moreover reads its own channels.

    Args:
        domain: The spec of the inputs. Drop groups that should not count, ``spec.without(...)``: after `fix_gauge`,
            scales and signs.
        codomain: The spec of the outputs; that of the inputs by default. Groups of one name are one group.
        width: Channels of the hidden tensors.
        depth: Number of residual layers.
        channels_in: Channels of every leaf of the input, its last axis; `features` makes them.
        channels_out: Channels of every leaf of the output.
        nonlinearity: A function of single entries, such as `jax.nn.gelu`.

    Returns:
        A pair: ``init(key)`` draws theta, ``apply(theta, tree)`` returns a tree of the codomain with channels at the
        end of every leaf. Its containers are those of ``tree`` if both have the same leaves, else dicts by path.

    Raises:
        TypeError: If a spec is no SymmetrySpec, the nonlinearity no function, or a number no integer.
        ValueError: If a number is too small, a group of one name differs between the specs, or the nonlinearity does
            not act on single entries.

    Differentiation: exact in theta and the tree.
    Complexity: the tree is read once and written once; a layer costs the entries of the hidden tensors times width^2
        times the number of maps.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.gelu(x @ p[0]) @ p[1]
        >>> params = [jax.random.normal(jax.random.key(0), (3, 8)), jax.random.normal(jax.random.key(1), (8, 2))]
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> init, apply = gj.metanets.metanet(spec, channels_in=3)
        >>> theta = init(jax.random.key(2))
        >>> net = lambda params: [x[..., 0] for x in apply(theta, gj.metanets.features(spec, params))]
        >>> g = gj.symmetry.random_element(spec, jax.random.key(3))
        >>> moved = zip(net(gj.symmetry.act(spec, g, params)), gj.symmetry.act(spec, g, net(params)))
        >>> all(bool(jnp.allclose(a, b, atol=1e-4)) for a, b in moved)
        True

    References: [Zhou2024], [Navon2023]; [Kalogeropoulos2024] for scalings and signs of perceptrons
    """
    codomain = domain if codomain is None else codomain
    for spec in (domain, codomain):
        check_spec("metanet(domain, codomain)", spec)
    channels_in = checks.count("metanet", "channels_in", channels_in, minimum=1)
    channels_out = checks.count("metanet", "channels_out", channels_out, minimum=1)
    tensors = hidden(domain, codomain)
    trunk = Trunk.of("metanet", domain, tensors, nonlinearity, width, depth)
    last = Affine.between(tensors.paired, codomain)
    given = {leaf.path: leaf for leaf in domain.leaves}
    own = [leaf.path for leaf in codomain.leaves if given.get(leaf.path) == leaf]
    paths = [leaf.path for leaf in codomain.leaves]
    plain = {leaf.path for leaf in codomain.leaves if _is_plain(codomain, leaf)}

    def init(key: Key) -> Theta:
        checks.typed_key("metanet: init", key)
        trunk_key, last_key, own_key, out_key = jax.random.split(key, 4)
        return {
            "trunk": trunk.init(trunk_key, channels_in),
            "last": last.init(last_key, width, width),
            "own": _mixers(own_key, own, channels_in, width),
            "out": _mixers(out_key, paths, width, channels_out),
        }

    @rounded_once
    def apply(theta: Theta, tree: PyTree) -> PyTree:
        arrays = _read("metanet", channels_in, tree)
        found = last(theta["last"], trunk(theta["trunk"], tree))
        made = {}
        for path in paths:
            entry = found[path]
            if path in theta["own"]:
                entry = entry + _mix(arrays[path], theta["own"][path])
            made[path] = _mix(nonlinearity(entry) if path in plain else entry, theta["out"][path])
        return with_leaves(tree, made) if arrays.keys() == made.keys() else _nested(made)

    return init, apply


def invariant(
    domain: SymmetrySpec,
    *,
    size: int,
    width: int = 16,
    depth: int = 2,
    channels_in: int = 1,
    nonlinearity: Callable[[Array], Array] = jax.nn.gelu,
) -> tuple[Init, Apply]:
    """A network from parameters to a vector that no symmetry of what they parametrise changes.

    apply(theta, act(g, tree)) = apply(theta, tree)   for every element g and all theta

    The layers of `metanet`, then all maps to numbers that nothing moves. What should be predicted follows by a layer
    or two on the vector, which may read `weight_statistics` too.

    Args:
        domain: The spec of the inputs.
        size: Length of the vector.
        width: Channels of the hidden tensors.
        depth: Number of residual layers.
        channels_in: Channels of every leaf of the input, its last axis; `features` makes them.
        nonlinearity: A function of single entries, such as `jax.nn.gelu`.

    Returns:
        A pair: ``init(key)`` draws theta, ``apply(theta, tree)`` returns the vector.

    Raises:
        TypeError: If the spec is no SymmetrySpec, the nonlinearity no function, or a number no integer.
        ValueError: If a number is too small, the nonlinearity does not act on single entries, or the domain's groups
            leave no mean and no product invariant.

    Differentiation: exact in theta and the tree.
    Complexity: that of `metanet`, and nothing is written.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.gelu(x @ p[0]) @ p[1]
        >>> params = [jax.random.normal(jax.random.key(0), (3, 8)), jax.random.normal(jax.random.key(1), (8, 2))]
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> init, apply = gj.metanets.invariant(spec, size=4, channels_in=3)
        >>> apply(init(jax.random.key(2)), gj.metanets.features(spec, params)).shape
        (4,)

    References: [Zhou2024], [Navon2023]
    """
    check_spec("invariant(domain, size=size)", domain)
    size = checks.count("invariant", "size", size, minimum=1)
    channels_in = checks.count("invariant", "channels_in", channels_in, minimum=1)
    tensors = hidden(domain, TRIVIAL)
    trunk = Trunk.of("invariant", domain, tensors, nonlinearity, width, depth)
    last = Affine.between(tensors.paired, TRIVIAL)
    free = dataclasses.replace(tensors.spec, leaves=tensors.free)
    if not any(pair.free for pair in tensors.products) and not linear_maps(domain, free).count:
        kinds = {name: group.kind for name, group in domain.members if group.kind != PERMUTATION}
        raise ValueError(
            "invariant: neither a mean of leaves nor a product of two of them is invariant under the groups "
            f"{', '.join(f'{name!r} ({kind})' for name, kind in kinds.items())}, so every such network is constant. "
            "Fix scales and signs with fix_gauge and drop the groups, domain.without(...)."
        )

    def init(key: Key) -> Theta:
        checks.typed_key("invariant: init", key)
        trunk_key, last_key = jax.random.split(key)
        return {"trunk": trunk.init(trunk_key, channels_in), "last": last.init(last_key, width, size)}

    @rounded_once
    def apply(theta: Theta, tree: PyTree) -> Float[Array, " size"]:
        _read("invariant", channels_in, tree)
        return last(theta["last"], trunk(theta["trunk"], tree))[""]

    return init, apply


def _is_plain(spec: SymmetrySpec, leaf: Leaf) -> bool:
    """Whether only permutations move a leaf."""
    return all(
        spec.groups[name].kind == PERMUTATION
        for block in blocks(leaf.layout)
        for moves in (block.moves, *(part.moves for part in block.parts))
        for name, _ in moves
    )


def _mixers(key: Key, paths: list[str], c_in: int, c_out: int) -> dict[str, Array]:
    """A matrix on channels for each leaf."""
    keys = jax.random.split(key, max(1, len(paths)))
    return {path: jax.random.normal(keys[i], (c_in, c_out)) / c_in**0.5 for i, path in enumerate(paths)}


_mix = functools.partial(jnp.dot, precision="highest")


def _read(where: str, channels: int, tree: PyTree) -> dict[str, Array]:
    """The arrays of an input by path, with their channels counted; `linear_maps` checks the rest."""
    pairs = dict(leaf_pairs(tree))
    for path, leaf in pairs.items():
        shape = jnp.shape(leaf) if hasattr(leaf, "dtype") else ()
        if shape and shape[-1] != channels:
            raise ValueError(
                f"{where}: {checks.leaf_of('tree', path)} has shape {shape}; expected {channels} channels at the end, "
                "as many as channels_in says. Count those of `features`, or write x[..., None] for one."
            )
    return pairs


def _nested(made: Mapping[str, Array]) -> PyTree:
    """Nested dicts by path, or the array itself where the tree is one leaf."""
    if list(made) == [""]:
        return made[""]
    tree: dict[str, Any] = {}
    for path, array in made.items():
        *outer, last = path.split("/")
        node = tree
        for name in outer:
            node = node.setdefault(name, {})
        node[last] = array
    return tree
