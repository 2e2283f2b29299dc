"""equivariance: how the output of any JAX function moves when its inputs move, read off its program."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from geojax._core.tree import is_numeric
from geojax.symmetry.action.facts import Note
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.inference.verify import check
from geojax.symmetry.intertwiners.reading.pairing import Pairing, pairing
from geojax.symmetry.intertwiners.reading.probing_maps import running_map_probe
from geojax.symmetry.intertwiners.reading.report import Equivariance


def equivariance(
    f: Callable[..., Any], *inputs: Any, verify: bool = True, strict: bool = False
) -> Equivariance:
    """Finds how the output of a function moves when its inputs move: the groups with f(g x) = g f(x).

    f(g x) = g f(x) for all x  <=>  <c, f(x)> = <c*, f(g x)> for all x and c, with c* moved by the contragredient of g

    So the symmetry of (x, c) -> <c, f(x)>, which `infer` reads off its program, is the equivariance of f: permutations
    of sets and graphs, rotations of space, scalings and signs of channels, linear changes of coordinates. Groups that
    move inputs only are invariances. What the labels do not see is not denied: an axis whose entries a program slices,
    gathers or convolves is held, with the primitive and the source line at which the reading stops, and cyclic shifts,
    translations and other groups that are no kind of a `Group` are not looked for.

    Args:
        f: Any traceable function of data; what it closes over (weights, settings) is held.
        *inputs: Its inputs, trees of arrays or of `jax.ShapeDtypeStruct`. Leaves of other types are left alone.
        verify: Whether to check f(g x) = g f(x) numerically, on f itself in float64, at redrawn inputs; a group that
            fails is left out and named. There is no check if only shapes are given.
        strict: Whether a primitive without a rule is an error; otherwise its axes are held and it is named.

    Returns:
        An `Equivariance`: ``e.domain`` and ``e.codomain`` are specs with the same groups, so that one element moves
        inputs and output, ``act(e.domain, g, x)`` and ``act(e.codomain, g, f(x))``; printed, it is a table. Groups that
        these inputs do not exercise are named and do not count as verified.

    Raises:
        TypeError: If ``f`` is not a function, or an output holds integers or truth values; the message names it.
        ValueError: If ``f`` does not trace with these inputs, returns no array, or, under ``strict``, uses an unknown
            primitive.

    Differentiation: none; the answer is static data.
    Complexity: linear in the number of equations of the jaxpr; verification adds one compilation and one evaluation of
        ``f`` for each group.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> center = lambda x: x - x.mean(0)
        >>> found = gj.symmetry.equivariance(center, jax.random.normal(jax.random.key(0), (5, 3)))
        >>> {name: (group.kind, group.size) for name, group in found.groups.items()}
        {'x': ('permutation', 5), 'x[1]': ('permutation', 3), 'x[1]:general_linear': ('general_linear', 3)}
        >>> found.invariant
        ()

    References: [Pacini2024]
    """
    pair = pairing(f, inputs)
    arguments = pair.arguments()
    spec = _read(pair, arguments, strict)
    domain, codomain = pair.split(spec)
    if verify and _concrete(arguments):
        domain, codomain = _verified(pair, domain, codomain)
    return Equivariance(
        domain, codomain, _arrays(pair.domain, pair.inputs), _arrays(pair.codomain, pair.outputs)
    )


def _read(pair: Pairing, arguments: dict[str, Any], strict: bool) -> SymmetrySpec:
    """The spec of the paired function, whose notes speak of inputs."""
    spec = infer(pair.paired, arguments, verify=False)
    if strict and spec.unknown:
        raise ValueError(
            f"equivariance: f uses primitives without a rule: {', '.join(spec.unknown)}. Call it with strict=False to "
            "hold their axes, or give each a rule with geojax.symmetry.rule (see docs/own-primitives.md)."
        )
    notes = (
        dataclasses.replace(note, text=note.text.replace("with the parameters", "with the inputs"))
        for note in spec.notes
    )
    return dataclasses.replace(spec, notes=tuple(notes))


def _verified(
    pair: Pairing, domain: SymmetrySpec, codomain: SymmetrySpec
) -> tuple[SymmetrySpec, SymmetrySpec]:
    """Both specs with only the groups that pass the check on the map itself, and its result."""
    if not domain.members:
        return domain, codomain
    try:
        result = check(running_map_probe(pair.map, pair.domain, domain, codomain), jax.random.key(0))
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        note = Note("check", f"the numerical check did not run: {type(error).__name__}: {line}")
        sides = (dataclasses.replace(side, notes=(*side.notes, note)) for side in (domain, codomain))
    else:
        sides = (
            dataclasses.replace(side.without(*result.failed), verification=result)
            for side in (domain, codomain)
        )
    first, second = sides
    return first, second


def _arrays(tree: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the leaves that are arrays of numbers."""
    return tuple(
        name for name, leaf in zip(names, jax.tree_util.tree_leaves(tree), strict=True) if is_numeric(leaf)
    )


def _concrete(arguments: dict[str, Any]) -> bool:
    return not any(isinstance(leaf, jax.ShapeDtypeStruct | Tracer) for leaf in arguments.values())
