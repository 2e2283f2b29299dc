"""The pairing of a map's output with numbers c: a function of inputs and c whose symmetry is the map's equivariance.

f(g x) = g' f(x) for every x holds exactly if <c, f(x)> stays the same when g moves x and the contragredient of g' moves
c. So the symmetry of the paired function, read as that of any function of parameters, says how the output moves.
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from geojax._core import checks
from geojax._core.tree import is_array, is_key, is_numeric, leaf_pairs
from geojax.symmetry.action.facts import Leaf, Pin
from geojax.symmetry.action.groups import ORTHOGONAL, PERMUTATION, SIGN
from geojax.symmetry.action.layout import Block, Cut, Layout, Part, blocks
from geojax.symmetry.action.spec import SymmetrySpec

OUTPUT = "output"
SELF_DUAL = (PERMUTATION, SIGN, ORTHOGONAL)


@dataclasses.dataclass(frozen=True)
class Pairing:
    """A map f of some inputs as a function of one tree, and what its inputs and outputs are called.

    Attributes:
        map: The function of the domain's tree that gives the leaves of f's output.
        domain: The tree of inputs: the input itself if there is one, the tuple of them otherwise.
        codomain: The tree of the output, of `jax.ShapeDtypeStruct`.
        inputs: For each leaf of the domain its name in tables.
        outputs: The same for the codomain.
    """

    map: Callable[[Any], list[Array]]
    domain: Any
    codomain: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def paired(self, flat: dict[str, Any]) -> list[Array]:
        """<c, f(x)> for each leaf of the output, from the leaves of x and c by their names."""
        tree = jax.tree_util.tree_structure(self.domain)
        outputs = self.map(jax.tree_util.tree_unflatten(tree, [flat[name] for name in self.inputs]))
        return [_product(flat[name], out) for name, out in zip(self.outputs, outputs, strict=True)]

    def arguments(self) -> dict[str, Any]:
        """The leaves of x, and random numbers c, by their names; c are shapes if x are."""
        leaves = jax.tree_util.tree_leaves(self.domain)
        known = not any(isinstance(leaf, jax.ShapeDtypeStruct | Tracer) for leaf in leaves)
        generator = np.random.default_rng(0)
        outs = jax.tree_util.tree_leaves(self.codomain)
        numbers = [_generic(out, generator) if known else out for out in outs]
        return {
            **dict(zip(self.inputs, leaves, strict=True)),
            **dict(zip(self.outputs, numbers, strict=True)),
        }

    def split(self, spec: SymmetrySpec) -> tuple[SymmetrySpec, SymmetrySpec]:
        """The specs of the inputs and of the output, from that of the paired function."""
        found = {leaf.path: leaf for leaf in spec.leaves}
        inputs = [found[name].layout for name in self.inputs if name in found]
        # A group that moves the output alone may be called g or its inverse.
        keep = {
            name
            for name, group in spec.members
            if group.kind in SELF_DUAL or not any(name in groups_of(layout) for layout in inputs)
        }
        sides = []
        for tree, names, turned in ((self.domain, self.inputs, False), (self.codomain, self.outputs, True)):
            paths = {
                name: path
                for name, (path, leaf) in zip(names, leaf_pairs(tree), strict=True)
                if is_numeric(leaf)
            }
            leaves = tuple(
                dataclasses.replace(
                    leaf, path=path, layout=_dual(leaf.layout, keep) if turned else leaf.layout
                )
                for name, path in paths.items()
                for leaf in (found[name],)
            )
            pins = tuple(_at(pin, paths[pin.path]) for pin in spec.pins if pin.path in paths)
            sides.append(dataclasses.replace(spec, leaves=leaves, pins=pins))
        return sides[0], sides[1]


def pairing(f: Callable[..., Any], inputs: Sequence[Any]) -> Pairing:
    """Prepares a map for the pairing, and checks its outputs.

    Raises:
        TypeError: If ``f`` is not a function, or an output holds integers or truth values.
        ValueError: If ``f`` does not trace with these inputs, or gives no array.
    """
    checks.function("equivariance", "f", f, "Write equivariance(f, *inputs).")
    if not inputs:
        raise ValueError(
            "equivariance: no inputs are given; expected those of f. Write equivariance(f, *inputs)."
        )
    domain = inputs[0] if len(inputs) == 1 else tuple(inputs)
    leaves, tree = jax.tree_util.tree_flatten(domain)
    given = [k for k, leaf in enumerate(leaves) if is_array(leaf)]

    def on_tree(value: Any) -> Any:
        return f(value) if len(inputs) == 1 else f(*value)

    def on_arrays(arrays: list[Any]) -> Any:
        every = list(leaves)
        for k, array in zip(given, arrays, strict=True):
            every[k] = array
        return on_tree(jax.tree_util.tree_unflatten(tree, every))

    try:
        codomain = jax.eval_shape(on_arrays, [leaves[k] for k in given])
    except Exception as error:
        raise ValueError(
            f"equivariance: f does not trace with these inputs: {type(error).__name__}: {error}\n"
            "Check that the call works under jax.jit: give inputs of the right shapes, close over settings that are no "
            "arrays, and write branches on values with jax.lax.cond."
        ) from error
    _check_outputs(codomain)
    names = _input_names(f, domain, len(inputs))
    return Pairing(
        lambda value: jax.tree_util.tree_leaves(on_tree(value)),
        domain,
        codomain,
        names,
        _output_names(codomain, names),
    )


def _check_outputs(codomain: Any) -> None:
    pairs = leaf_pairs(codomain)
    if not pairs:
        raise ValueError("equivariance: f returns no array; expected a function whose output can move.")
    for path, out in pairs:
        if is_key(out) or not jax.dtypes.issubdtype(out.dtype, np.inexact):
            raise TypeError(
                f"equivariance: {checks.leaf_of('the output of f', path)} holds {out.dtype}; expected floating-point "
                "numbers, which can be paired with numbers and summed. Leave this output out, or return what it is "
                "chosen by, such as the scores in the place of their argmax."
            )


def _input_names(f: Callable[..., Any], domain: Any, count: int) -> tuple[str, ...]:
    """Names of the leaves of the domain: the argument's, then the path; the path alone if there is one argument."""
    arguments = _argument_names(f, count)
    if count == 1:
        return tuple(path or arguments[0] for path, _ in leaf_pairs(domain))
    names = []
    for argument, value in zip(arguments, domain, strict=True):
        names += [f"{argument}/{path}".rstrip("/") for path, _ in leaf_pairs(value)]
    return tuple(names)


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's first parameters; numbers, if it does not tell them."""
    numbers = [f"input {number}" for number in range(count)] if count > 1 else ["input"]
    try:
        parameters = list(inspect.signature(f).parameters.values())[:count]
    except (TypeError, ValueError):
        return numbers
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) < count or any(one.kind not in plain for one in parameters):
        return numbers
    return [one.name for one in parameters]


def _output_names(codomain: Any, taken: Sequence[str]) -> tuple[str, ...]:
    stem = OUTPUT
    while any(name == stem or name.startswith(f"{stem}/") for name in taken):
        stem += "'"
    return tuple(f"{stem}/{path}".rstrip("/") for path, _ in leaf_pairs(codomain))


def _product(c: Array, out: Array) -> Array:
    """The sum of the products of two arrays, entry by entry."""
    axes = tuple(range(jnp.ndim(out)))
    return jax.lax.dot_general(c, out, ((axes, axes), ((), ()))) if axes else c * out


def _generic(out: jax.ShapeDtypeStruct, generator: np.random.Generator) -> np.ndarray:
    numbers = generator.normal(size=out.shape)
    if jax.dtypes.issubdtype(out.dtype, np.complexfloating):
        numbers = numbers + 1j * generator.normal(size=out.shape)
    return np.asarray(numbers).astype(out.dtype)


def groups_of(layout: Layout) -> set[str]:
    """Names of the groups that move an array of this layout."""
    return {
        name
        for block in blocks(layout)
        for moves in (block.moves, *(part.moves for part in block.parts))
        for name, _ in moves
    }


def _dual(layout: Layout, keep: set[str]) -> Layout:
    """The layout of an array that is paired with one of this layout: exponents turned round, but for some groups."""
    if isinstance(layout, Cut):
        return dataclasses.replace(layout, pieces=tuple(_dual(piece, keep) for piece in layout.pieces))

    def turned(moves: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        return tuple((name, power if name in keep else -power) for name, power in moves)

    parts = tuple(Part(part.size, part.axis, part.name, turned(part.moves)) for part in layout.parts)
    return Block(parts, turned(layout.moves))


def _at(pin: Pin, path: str) -> Pin:
    return dataclasses.replace(pin, path=path)


def named_leaf(leaf: Leaf, name: str) -> Leaf:
    """A leaf under the name that tables have for it."""
    return dataclasses.replace(leaf, path=name)
