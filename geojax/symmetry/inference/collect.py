"""collect: the activations of every group's units, read off the same trace as the symmetry."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.tree import is_key, is_numeric
from geojax._program import jaxprs
from geojax._program.arguments import flatten
from geojax._program.observe import observe
from geojax.symmetry.action import door
from geojax.symmetry.action.layout import split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.sites import Reading, Site, find_sites
from geojax.symmetry.inference.tracing import trace
from geojax.typing import Params


def collect(spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any) -> dict[str, Array]:
    """The activations of the units that each permutation group moves.

    Every matrix product and convolution that reads an array along a group's axis contributes that array: for the
    hidden layer of a perceptron its values after the nonlinearity. All other axes (batch, time, space) become samples,
    laid one after another in program order. The permutation p moves the units of the result as it moves the weights:
    the new activations are the old ones taken at p along the last axis. If another group moves an axis that became
    samples (the state [batch, time, channel, state] of a state space model), it moves the samples.

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
    units = read_units("collect(spec, apply, params, *inputs)", spec, apply, params, *inputs)
    groups = spec.groups
    rows: dict[str, list[Array]] = {}
    for reading, array in units:
        group = groups[reading.group]
        parents = range(reading.num_samples, reading.num_samples + len(group.parents))
        samples = [axis for axis in range(array.ndim - 1) if axis not in parents]
        moved = jnp.transpose(array, (*samples, *parents, array.ndim - 1))
        rows.setdefault(reading.group, []).append(jnp.reshape(moved, (-1, *group.shape)))
    return {name: jnp.concatenate(rows[name]) for name in groups if name in rows}


def read_units(
    call: str, spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any
) -> list[tuple[Reading, Array]]:
    """Every array along whose axis a product reads a group's units, and how the groups move it, in program order.

    ``call`` is the call of the public function, for messages. An array that two products read is there once.
    """
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
    readings, read = reader(spec, apply, described, tree, jax.sharding.get_abstract_mesh())
    pairs = zip(readings, read(weights, arrays), strict=True)
    return [(reading, array) for reading, array in pairs if array is not None]


@functools.lru_cache(maxsize=64)
def _reader(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    described: tuple[tuple[type, Any], ...],
    tree: Any,
    mesh: Any,
) -> tuple[list[Reading], Callable[[list[Array], list[Array]], list[Array | None]]]:
    """The readings of a program, and the compiled function from its arguments to their arrays.

    It is made once for a function, the shapes and settings of its arguments, and the mesh around it: a program traced
    inside `shard_map` or `pmap` has types that belong to their mesh.
    """
    del mesh
    params, inputs = jax.tree_util.tree_unflatten(tree, [leaf for _, leaf in described])
    traced = trace(apply, params, inputs)
    sites = find_sites(spec, traced)
    readings = [reading for site in sites for reading in site.readings]

    def read(weights: list[Array], arrays: list[Array]) -> list[Array | None]:
        return _gather(traced.program, sites, [*weights, *arrays])

    return readings, jax.jit(read)


def _abstract(leaf: Any) -> Any:
    if not (is_numeric(leaf) or is_key(leaf)):
        return leaf
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=getattr(leaf, "weak_type", False))


def _gather(program: jaxprs.Body, sites: list[Site], arguments: list[Any]) -> list[Array | None]:
    """The array of each reading of each site; None for an array that an earlier site has shown."""
    seen = observe(program, arguments, {site.place for site in sites})
    done: set[tuple] = set()
    arrays: list[Array | None] = []
    for site in sites:
        array = seen[site.place][site.factor]
        pieces = split(site.layout, array)
        for reading, number, order in zip(site.readings, site.blocks, site.orders, strict=True):
            key = (id(array), reading.group, number, order)
            arrays.append(None if key in done else jnp.transpose(pieces[number], order))
            done.add(key)
    return arrays
