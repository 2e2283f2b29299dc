"""collect: the activations of every group's units, read off the same trace as the symmetry."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.tree import is_key, is_numeric
from geojax._program import jaxprs
from geojax._program.arguments import flatten
from geojax._program.observe import observe
from geojax.symmetry.action import door
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Layout, Part, blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.build import Builder
from geojax.symmetry.inference.dependence import node_of
from geojax.symmetry.inference.divide import divide
from geojax.symmetry.inference.labels.axes import Factor, Node, resolve
from geojax.symmetry.inference.labels.values import Product
from geojax.symmetry.inference.tracing import Trace, trace
from geojax.typing import Params


def collect(spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any) -> dict[str, Array]:
    """The activations of the units that each permutation group moves.

    Every matrix product and convolution that reads an array along a group's axis contributes that array: for the
    hidden layer of a perceptron its values after the nonlinearity. All other axes (batch, time, space) become samples,
    laid one after another in program order. The permutation p moves the units of the result as it moves the weights:
    the new activations are the old ones taken at p along the last axis.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function ``apply(params, *inputs)`` that the spec was inferred from.
        params: Its parameters.
        *inputs: A batch of its other arguments.

    Returns:
        {group name: array [samples, parent sizes..., size]} for the permutation groups whose units the program reads
        in this way. A group of heads is missing if the units inside each head have a group of their own, which shows
        them; units that are read only inside a while loop or a branch are missing too.

    Raises:
        TypeError: If an argument is of the wrong kind, such as params in the place of apply.
        ValueError: If ``params`` does not fit the spec.

    Differentiation: exact in params and inputs.
    Complexity: one evaluation of ``apply``, compiled once for each function and shapes; memory for the activations.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params, x = [jnp.eye(3), jnp.ones((3, 2))], -jnp.ones((5, 3))
        >>> spec = gj.symmetry.infer(mlp, params, x)
        >>> {name: units.shape for name, units in gj.symmetry.collect(spec, mlp, params, x).items()}
        {'0': (5, 3)}

    References: [Ainsworth2022], Sec. 3.1
    """
    call = "collect(spec, apply, params, *inputs)"
    door.check_spec(call, spec)
    door.check_apply(call, apply)
    door.check_params(call, spec, params)
    _, weights, arrays = flatten(apply, params, inputs)
    leaves, tree = jax.tree_util.tree_flatten(jax.tree_util.tree_map(_abstract, (params, inputs)))
    described = tuple((type(leaf), leaf) for leaf in leaves)
    try:
        hash(described)
    except TypeError:  # a setting that cannot be a key of the cache
        reader = _reader.__wrapped__
    else:
        reader = _reader
    return reader(spec, apply, described, tree, jax.sharding.get_abstract_mesh())(weights, arrays)


@functools.lru_cache(maxsize=64)
def _reader(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    described: tuple[tuple[type, Any], ...],
    tree: Any,
    mesh: Any,
) -> Callable[[list[Array], list[Array]], dict[str, Array]]:
    """The compiled function from arrays to activations.

    It is made once for a function, the shapes and settings of its arguments, and the mesh around it: a program traced
    inside `shard_map` or `pmap` has types that belong to their mesh.
    """
    del mesh
    params, inputs = jax.tree_util.tree_unflatten(tree, [leaf for _, leaf in described])
    traced = trace(apply, params, inputs)
    sites = _sites(spec, traced)

    def read(weights: list[Array], arrays: list[Array]) -> dict[str, Array]:
        return _gather(traced.program, sites, [*weights, *arrays], spec.groups)

    return jax.jit(read)


def _abstract(leaf: Any) -> Any:
    if not (is_numeric(leaf) or is_key(leaf)):
        return leaf
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=getattr(leaf, "weak_type", False))


@dataclasses.dataclass(frozen=True)
class _Site:
    """Where a product reads a group's units: its place, the number of the factor, and the layout of that array."""

    place: tuple[int, ...]
    factor: int
    layout: Layout
    groups: tuple[tuple[str, int], ...]
    """Pairs (group, number of the block that shows its units)."""


def _sites(spec: SymmetrySpec, traced: Trace) -> list[_Site]:
    names = Builder(traced).names
    groups = spec.groups
    sites = []
    for product in traced.interpreter.products:
        for number, value in enumerate(product.factors):
            if not value.data:
                continue
            labels = [*((factor,) for factor in resolve(product.ambient)), *value.axes]
            ambient = len(labels) - len(value.axes)
            summed = {axis + ambient for axis in _summed_axes(product, number)}
            factors = [(axis, factor) for axis, label in enumerate(labels) for factor in resolve(label)]
            layout = divide(factors, lambda axis, factor: Part(factor.size, axis, _name(names, factor)))
            pairs = [
                (part.name, i)
                for i, block in enumerate(blocks(layout))
                for part in block.parts
                if part.axis in summed and _complete(part.name, block, groups)
            ]
            if pairs:
                sites.append(_Site(product.place, number, layout, tuple(pairs)))
    return sites


def _name(names: dict[Node, str], factor: Factor) -> str:
    node = node_of(factor)
    return "" if node is None else names.get(node, "")


def _summed_axes(product: Product, number: int) -> Sequence[int]:
    """The axes of a factor that the product sums over."""
    if product.eqn.primitive.name == "dot_general":
        return product.eqn.params["dimension_numbers"][0][number]
    numbers = product.eqn.params["dimension_numbers"]
    return (numbers.lhs_spec[1] if number == 0 else numbers.rhs_spec[1],)


def _complete(name: str, block: Block, groups: dict[str, Group]) -> bool:
    """Whether the block shows the units of a group, with all parents and none of their children."""
    group = groups.get(name)
    if group is None or group.kind != PERMUTATION:
        return False
    present = [part.name for part in block.parts]
    children = any(name in groups[other].parents for other in present if other in groups)
    return not children and all(present.count(one) == 1 for one in (name, *group.parents))


def _gather(
    program: jaxprs.Body, sites: list[_Site], arguments: list[Any], groups: dict[str, Group]
) -> dict[str, Array]:
    seen = observe(program, arguments, {site.place for site in sites})
    rows: dict[str, list[Array]] = {}
    done: set[tuple] = set()
    for site in sites:
        array = seen[site.place][site.factor]
        pieces = split(site.layout, array)
        block_list = list(blocks(site.layout))
        for name, number in site.groups:
            key = (id(array), name, number)
            if key in done:
                continue
            done.add(key)
            present = [part.name for part in block_list[number].parts]
            last = [present.index(parent) for parent in (*groups[name].parents, name)]
            first = [axis for axis in range(len(present)) if axis not in last]
            moved = jnp.transpose(pieces[number], (*first, *last))
            rows.setdefault(name, []).append(jnp.reshape(moved, (-1, *groups[name].shape)))
    return {name: jnp.concatenate(rows[name]) for name in groups if name in rows}
