"""infer: the symmetry of any JAX function of parameters, read off its jaxpr."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from geojax.symmetry.action import door
from geojax.symmetry.action.facts import Note
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.build import build
from geojax.symmetry.inference.conditions import conditions
from geojax.symmetry.inference.own_rules import RuleError
from geojax.symmetry.inference.probing.probe import running_probe
from geojax.symmetry.inference.reach import reach
from geojax.symmetry.inference.rotations import drop_half_turns, propose
from geojax.symmetry.inference.tracing import Trace, trace
from geojax.symmetry.inference.verify import check
from geojax.typing import Params


def infer(
    apply: Callable[..., Any], params: Params, *inputs: Any, verify: bool = True, strict: bool = False
) -> SymmetrySpec:
    """Finds the symmetry group of a function's parameters: the moves g with apply(g params, x) = apply(params, x).

    ``apply`` is traced once and its jaxpr is run on labels instead of arrays: every axis gets a label that says which
    group element moves it, every primitive turns into equations between labels, and the labels that the equations
    leave free are the symmetry. Permutations come from axes that stay free (separately within each head, expert or
    layer if the program allows it); positive scalings, signs, orthogonal and general linear groups come from the
    exponents that the same program allows. Inputs and outputs stay as they are. Where a program chooses among entries
    (`argmax`, `top_k`, `argsort`), groups hold for almost every parameter and input: those for which no two of these
    entries are equal. `verify` checks the result numerically; a group that fails is left out and named.

    Args:
        apply: Any traceable function ``apply(params, *inputs)``: a flax, equinox or plain JAX model. Outputs may be
            any tree; every output is held fixed.
        params: Its parameters, a tree of arrays or of `jax.ShapeDtypeStruct`. Other leaves (functions, strings,
            Python numbers, random keys) are left alone, and the groups hold for every value of keys and floats.
        *inputs: The other arguments, arrays or shapes; a batch of real inputs makes the verification stronger. State
            that belongs to units, such as running statistics, moves with them: pass it with ``params``.
        verify: Whether to check the groups numerically. If only shapes are given there is no check, and no search for
            rotations under rotary position embeddings, which the labels only suggest. If the function cannot be
            evaluated, the spec is not verified and has a note that says why.
        strict: Whether a primitive without a rule is an error; otherwise its axes are held and the spec names it.

    Returns:
        A `SymmetrySpec`: ``spec.groups``, and a table when printed, with every axis that is held fixed and the
        primitive and source line that hold it. Its `notes` name the groups that hold only while arrays that ``apply``
        closes over stay uniform, as running statistics are at initialisation, and axes that such state holds.

    Raises:
        TypeError: If ``apply`` is not a function, or ``params`` is one.
        ValueError: If ``apply`` does not trace with these arguments, or, under ``strict``, on an unknown primitive.

    Differentiation: none; a spec is static data.
    Complexity: linear in the number of equations of the jaxpr; a scan counts once. Verification adds one compilation
        and one evaluation of ``apply`` for each group.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.relu(x @ p["in"]) @ p["out"]
        >>> spec = gj.symmetry.infer(mlp, {"in": jnp.ones((3, 4)), "out": jnp.ones((4, 2))}, jnp.ones((5, 3)))
        >>> {name: (group.kind, group.size) for name, group in spec.groups.items()}
        {'in': ('permutation', 4), 'in:scaling': ('scaling', 4)}

    References: [Ainsworth2022], [Grigsby2023]
    """
    call = "infer(apply, params, *inputs)"
    door.check_apply(call, apply)
    door.check_tree(call, params)
    try:
        traced = trace(apply, params, inputs)
    except RuleError:
        raise
    except Exception as error:
        raise ValueError(
            f"apply does not trace with these params and inputs: {type(error).__name__}: {error}\n"
            "infer calls jax.make_jaxpr on apply(params, *inputs). Check that this call works under jax.jit: give "
            "inputs of the right shapes, close over settings that are not arrays, and write branches on values with "
            "jax.lax.cond."
        ) from error
    spec = build(traced)
    if strict and spec.unknown:
        affected = sorted(
            {f"{pin.path}[{pin.axis}]" for pin in spec.pins if pin.reason.startswith("has no rule")}
        )
        raise ValueError(
            f"apply uses primitives without a rule: {', '.join(spec.unknown)}; "
            f"they hold {', '.join(affected) or 'no leaf'}. Call infer with strict=False to hold these axes, "
            "or give each primitive a rule with geojax.symmetry.rule (see docs/own-primitives.md)."
        )
    spec = dataclasses.replace(spec, notes=_noted(spec, traced, inputs))
    return _verified(spec, apply, params, inputs, verify) if _concrete((params, inputs)) else spec


def _noted(spec: SymmetrySpec, traced: Trace, inputs: tuple[Any, ...]) -> tuple[Note, ...]:
    try:
        return conditions(spec, traced, inputs)
    except Exception as error:
        text = f"whether groups depend on constants and state was not examined: {_first_line(error)}"
        return (Note("constant", text),)


def _verified(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, inputs: tuple[Any, ...], verify: bool
) -> SymmetrySpec:
    """The spec with the proposed rotations that pass the check, and, if asked for, only the groups that pass it."""
    spec, rotations = propose(spec)
    doubtful = [name for name, _ in spec.members] if verify else rotations
    if not doubtful:
        return spec
    checked = spec.without(*(name for name, _ in spec.members if name not in doubtful))
    try:
        probe = running_probe(checked, apply, params, inputs)
        result = check(probe, jax.random.key(0), doubtful=rotations)
    except Exception as error:
        note = Note("check", f"the numerical check did not run: {_first_line(error)}")
        return dataclasses.replace(spec.without(*rotations), notes=(*spec.notes, note))
    # The program does not imply the rotations: they are kept only if the outputs would have shown that they are wrong.
    blind = rotations if math.isnan(result.change) else [name for name in rotations if name in result.blind]
    spec = drop_half_turns(spec.without(*result.failed, *blind), rotations)
    if not verify:
        return spec
    surprises = tuple(name for name in result.failed if name not in rotations)
    unseen = tuple(name for name in result.blind if name not in rotations)
    spec = dataclasses.replace(spec, verification=dataclasses.replace(result, failed=surprises, blind=unseen))
    try:
        return dataclasses.replace(spec, reach=reach(spec, probe, params))
    except Exception as error:
        note = Note("bound", f"the bound on continuous dimensions was not computed: {_first_line(error)}")
        return dataclasses.replace(spec, notes=(*spec.notes, note))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _concrete(values: Any) -> bool:
    leaves = jax.tree_util.tree_leaves(values)
    return not any(isinstance(leaf, jax.ShapeDtypeStruct | Tracer) for leaf in leaves)
