"""The checks that every public callable must pass. Each takes a Case and raises AssertionError that says what broke.

CORE are those of `make test`: together they compile two programs a case (programs.py). FULL are those of
`make test-all`, each with programs of its own; three names are in both, with a wider meaning in FULL.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from geojax._core import bib
from geojax._core.tree import named_leaves
from geojax.results import Status
from tests.conformance import trees
from tests.conformance.case import BATCH, Case
from tests.conformance.half_precision import half_precision
from tests.conformance.leaves import dot, is_floating, is_key, plain, stacked

SECTIONS = ("Args:", "Returns:", "Differentiation:", "Complexity:", "Example:", "References:")


def agree(got: Any, want: Any, tolerance: float, what: str) -> None:
    """Assert equal trees: integers exactly, floating numbers to `tolerance` of the largest in the leaf."""
    assert jax.tree.structure(got) == jax.tree.structure(want), (
        f"{what}: structures differ: {jax.tree.structure(got)} and {jax.tree.structure(want)}"
    )
    for (name, a), b in zip(named_leaves(got).items(), jax.tree.leaves(want)):
        a, b = plain(a), plain(b)
        assert a.shape == b.shape, f"{what}: leaf {name!r} has shapes {a.shape} and {b.shape}"
        assert a.dtype == b.dtype, f"{what}: leaf {name!r} has dtypes {a.dtype} and {b.dtype}"
        if np.issubdtype(a.dtype, np.inexact):
            finite = np.abs(b[np.isfinite(b)])
            scale = tolerance * (1 + (finite.max() if finite.size else 0))
            np.testing.assert_allclose(a, b, rtol=0, atol=scale, err_msg=f"{what}: leaf {name!r}")
        else:
            np.testing.assert_array_equal(a, b, err_msg=f"{what}: leaf {name!r}")


# Transformations -----------------------------------------------------------------------------------------------------


def jit_equals_eager(case: Case) -> None:
    """jit(f)(x) = f(x)."""
    agree(case.programs.results[0], case(*case.items[0]), case.tolerance, "jit and eager")


def vmap_equals_loop(case: Case) -> None:
    """vmap(f)(xs)[i] = f(xs[i])."""
    loop = jax.tree.map(plain, stacked(case.programs.results))
    agree(case.programs.batched_result, loop, case.tolerance, "vmap and loop")


def jit_vmap_commute(case: Case) -> None:
    """jit(vmap(f)) = vmap(jit(f))."""
    agree(case.programs.jit_of_vmap, case.programs.vmap_of_jit, case.tolerance, "jit(vmap) and vmap(jit)")


def eval_shape_works(case: Case) -> None:
    """Shapes and dtypes are known without computing."""
    item = case.items[0]  # made here: inside eval_shape it would leave tracers in the case
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), jax.eval_shape(lambda: item))
    promised = jax.eval_shape(case.programs.function, *shapes)
    result = case.programs.results[0]
    assert jax.tree.structure(promised) == jax.tree.structure(result), "eval_shape gives another structure"
    for (name, a), b in zip(named_leaves(promised).items(), jax.tree.leaves(result)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), (
            f"leaf {name!r}: eval_shape promises {a}, got {b.shape} {b.dtype}"
        )


def shard_map_equals_vmap(case: Case) -> None:
    """On a mesh of virtual devices, one item each, the result is that of vmap."""
    mesh = jax.make_mesh((BATCH,), ("batch",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec("batch")
    sharded = jax.shard_map(jax.vmap(case.__call__), mesh=mesh, in_specs=spec, out_specs=spec)
    agree(jax.jit(sharded)(*case.batch), case.programs.jit_of_vmap, case.tolerance, "shard_map and vmap")


def pmap_equals_vmap(case: Case) -> None:
    """The same with pmap."""
    agree(jax.pmap(case.__call__)(*case.batch), case.programs.jit_of_vmap, case.tolerance, "pmap and vmap")


def one_trace(case: Case) -> None:
    """New values of the same shapes compile nothing: every numeric argument is traced."""
    try:
        assert len(case.programs.results) == BATCH
    except jax.errors.ConcretizationTypeError as error:
        raise AssertionError(
            f"asks for the value of a traced argument, so each value compiles anew: {error}"
        ) from None
    traces = case.programs.traces_of_items  # none at all where another check had it traced before
    assert traces <= 1, f"traced {traces} times for {BATCH} values of the same shapes"


def same_result(case: Case) -> None:
    """The same arguments, keys among them, give the same bits."""
    first, second = case.programs.results[0], case.programs.at(case.items[0])["result"]
    for (name, a), b in zip(named_leaves(first).items(), jax.tree.leaves(second)):
        np.testing.assert_array_equal(
            plain(a), plain(b), err_msg=f"leaf {name!r} differs between two equal calls"
        )


def _on_the_host(item: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments as numpy arrays of their own, but for keys."""
    return jax.tree.map(lambda leaf: leaf if is_key(leaf) else np.array(leaf), item)


def numpy_constants(case: Case) -> None:
    """A jitted function may close over numpy arguments: they are as good as arrays of JAX."""
    given = _on_the_host(case.items[0])
    jax.eval_shape(lambda: case(*given))


def inputs_unchanged(case: Case) -> None:
    """Arguments that could be changed, numpy arrays and containers, are not."""
    given = _on_the_host(case.items[0])
    kept = jax.tree.map(lambda leaf: plain(leaf).copy(), given)
    case(*given)
    assert jax.tree.structure(given) == jax.tree.structure(kept), (
        "the call changed a container among its arguments"
    )
    for (name, a), b in zip(named_leaves(given).items(), jax.tree.leaves(kept)):
        np.testing.assert_array_equal(plain(a), b, err_msg=f"the call changed argument {name!r}")


def dtypes_kept(case: Case) -> None:
    """float32 in, float32 out; float64 in, float64 out; nothing weakly typed."""
    for dtype in (jnp.float32, jnp.float64):
        shapes = jax.eval_shape(lambda dtype=dtype: case.arguments(jax.random.key(0), dtype))
        for name, leaf in named_leaves(shapes).items():
            assert not is_floating(leaf) or leaf.dtype == dtype, (
                f"the case makes argument {name!r} {leaf.dtype}"
            )
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), shapes)
        for name, leaf in named_leaves(jax.eval_shape(case.programs.function, *shapes)).items():
            assert not is_floating(leaf) or leaf.dtype == dtype, (
                f"leaf {name!r}: {dtype.__name__} in, {leaf.dtype} out"
            )
            assert not getattr(leaf, "weak_type", False), (
                f"leaf {name!r} is weakly typed for {dtype.__name__} input"
            )


# Values --------------------------------------------------------------------------------------------------------------


def nan_is_honest(case: Case) -> None:
    """One NaN in the input never gives CONVERGED, nor, without a status, an answer free of NaN and infinity."""
    item = case.items[0]
    positions = range(len(item)) if case.nan_arguments is None else case.nan_arguments
    tried = 0
    for position in positions:
        leaves, structure = jax.tree.flatten(item[position])
        for index, leaf in enumerate(leaves):
            if not is_floating(leaf) or jnp.size(leaf) == 0:
                continue
            tried += 1
            poisoned = np.array(leaf)
            poisoned.reshape(-1)[poisoned.size // 2] = np.nan
            changed = jax.tree.unflatten(structure, [*leaves[:index], poisoned, *leaves[index + 1 :]])
            result = case.programs.at((*item[:position], changed, *item[position + 1 :]))["result"]
            where = f"NaN in leaf {index} of argument {position}"
            status = getattr(result, "status", None)
            if status is not None:
                assert int(status) != Status.CONVERGED, f"{where} is reported as CONVERGED"
            else:
                numbers = [leaf for leaf in jax.tree.leaves(result) if is_floating(leaf)]
                assert numbers, f"{where}: the result has neither a status nor floating numbers to say so"
                assert any(not np.all(np.isfinite(plain(leaf))) for leaf in numbers), (
                    f"{where} gives a finite answer"
                )
    assert tried, "no floating argument to poison; exempt the case, with the reason"


# Derivatives ---------------------------------------------------------------------------------------------------------


def _declared(case: Case) -> None:
    assert case.differentiable, "no differentiable argument declared; exempt the case, with the reason"


def gradient_matches_differences(case: Case) -> None:
    """The gradient along a random direction is the central difference quotient, in float64.

    Two steps, h and 2h, tell how good the quotient is: its truncation error is a third of their difference, its
    rounding error an ulp over h. A quotient that is not good to 1e-5 proves nothing and fails too: tighten the
    solver's `tol`. Where the case has a surrogate, the quotients are those of the surrogate.
    """
    _declared(case)
    item, tangents = case.items[0], case.tangents[0]
    _, gradient = case.programs.reverse(0)
    got, value = float(dot(gradient, tangents)), float(case.programs.number(item))

    def quotient(step: float) -> float:
        moved = [
            jax.tree.map(
                lambda x, t, s=s: np.asarray(x) + s * step * np.asarray(t), case.chosen(item), tangents
            )
            for s in (1, -1)
        ]
        ahead, back = (case.programs.number(case.replaced(item, chosen)) for chosen in moved)
        return float((ahead - back) / (2 * step))

    step = 1e-5
    near, far = quotient(step), quotient(2 * step)
    slack = abs(near - far) + 1e3 * np.finfo(float).eps * (1 + abs(value)) / step
    scale = max(abs(near), 1e-2)
    assert slack <= 1e-5 * scale + 1e-7, f"difference quotients {near} and {far} disagree: not smooth here"
    assert abs(got - near) <= slack, f"gradient {got}, finite differences {near} +- {slack:.1e}"


def forward_equals_reverse(case: Case) -> None:
    """Forward mode agrees with reverse mode, here that of the batch, along a direction."""
    _declared(case)
    forward, (_, gradient) = case.programs.along[0], case.programs.reverse(0)
    agree(plain(forward), plain(dot(gradient, case.tangents[0])), 1e3 * case.tolerance, "jvp and vjp")


def forward_equals_item_reverse(case: Case) -> None:
    """Forward mode agrees with reverse mode, each without vmap."""
    _declared(case)
    reverse = dot(case.programs.slope(case.items[0])[1], case.tangents[0])
    agree(plain(case.programs.along[0]), plain(reverse), 1e3 * case.tolerance, "jvp and vjp of an item")


def grad_vmap_equals_loop(case: Case) -> None:
    """grad(sum(vmap(f))) is at each item the derivative of f along a direction."""
    _declared(case)
    for index, (tangents, along) in enumerate(zip(case.tangents, case.programs.along)):
        batched = dot(case.programs.reverse(index)[1], tangents)
        what = f"grad(vmap) and the derivative of item {index}"
        agree(plain(batched), plain(along), 1e3 * case.tolerance, what)


def grad_vmap_equals_gradients(case: Case) -> None:
    """grad(sum(vmap(f))) is at each item the gradient of f, in every component."""
    _declared(case)
    for index, item in enumerate(case.items):
        what = f"grad(vmap) and the gradient of item {index}"
        agree(
            case.programs.reverse(index)[1],
            jax.tree.map(plain, case.programs.slope(item)[1]),
            1e3 * case.tolerance,
            what,
        )


def _finite(where: str, value: Any, gradient: Any) -> None:
    for name, leaf in {"value": value, **named_leaves(gradient)}.items():
        assert np.all(np.isfinite(plain(leaf))), f"at {where}: {name or 'gradient'} is {leaf}"


def gradient_finite_at_edges(case: Case) -> None:
    """Values and gradients are finite at every declared edge point, under vmap, in float64."""
    assert case.edges, "no edge point declared; exempt the case, with the reason"
    for index, name in enumerate(case.edges):
        _finite(name, *case.programs.reverse(len(case.items) + index))


def gradient_finite_in_both_precisions(case: Case) -> None:
    """Values and gradients are finite at every declared edge point, without vmap, in float32 and float64."""
    assert case.edges, "no edge point declared; exempt the case, with the reason"
    for name, make in case.edges.items():
        for dtype in (jnp.float32, jnp.float64):
            _finite(f"{name}, {dtype.__name__}", *case.programs.slope(make(dtype)))


# Parameters ----------------------------------------------------------------------------------------------------------


def non_array_leaves(case: Case) -> None:
    """Leaves that are no arrays pass through a tree of parameters, or are refused by their path."""
    for positions in case.trees:
        trees.passes_or_refuses(case, positions)


# Words ---------------------------------------------------------------------------------------------------------------


def docstring(case: Case) -> None:
    """One line of what, the sections in order, every parameter described, a runnable example, real references."""
    doc = inspect.getdoc(case.function) or ""
    assert doc, "no docstring"
    head = doc.split("\n\n", 1)[0]
    assert "\n" not in head, f"the summary is not one line: {head!r}"
    assert head.endswith("."), f"the summary does not end with a full stop: {head!r}"
    assert len(doc.splitlines()) > 1, "the docstring has only a summary"
    found = {section: doc.find(f"\n{section}") for section in SECTIONS}
    missing = [section for section, place in found.items() if place < 0]
    assert not missing, f"the docstring lacks {', '.join(missing)}"
    assert list(found.values()) == sorted(found.values()), (
        f"the sections are not in the order {', '.join(SECTIONS)}"
    )
    arguments = doc[found["Args:"] : found["Returns:"]]
    for parameter in inspect.signature(case.function).parameters:
        described = re.search(rf"(^|[\s,*]){re.escape(parameter)}\b[^\n]*:", arguments)
        assert parameter in ("self", "cls") or described, f"Args does not describe {parameter!r}"
    for section in SECTIONS:
        words = doc[found[section] + len(section) + 1 :].split("\n\n", 1)[0].split()
        assert words, f"the section {section} is empty"
    assert ">>>" in doc[found["Example:"] : found["References:"]], "the example has no >>> line"
    references = doc[found["References:"] :]
    keys = bib.cited_keys(doc)
    reason = re.search(r"References:\s+none; (\w+\W+){2,}", references)
    assert keys or reason, "References cites no [Key]; cite one, or write 'References: none; ' and why"
    unknown = [key for key in keys if key not in bib.entries()]
    assert not unknown, f"References cites {unknown}, not in references.bib"


Check = Callable[[Case], None]

# Those of `make test`.
CORE: dict[str, Check] = {
    check.__name__: check
    for check in (
        vmap_equals_loop,
        eval_shape_works,
        one_trace,
        same_result,
        dtypes_kept,
        nan_is_honest,
        gradient_matches_differences,
        forward_equals_reverse,
        grad_vmap_equals_loop,
        gradient_finite_at_edges,
        non_array_leaves,
        docstring,
    )
}

# Those that `make test-all` adds.
FULL: dict[str, Check] = {
    **{
        check.__name__: check
        for check in (
            jit_equals_eager,
            jit_vmap_commute,
            shard_map_equals_vmap,
            pmap_equals_vmap,
            numpy_constants,
            half_precision,
            inputs_unchanged,
        )
    },
    "forward_equals_reverse": forward_equals_item_reverse,
    "grad_vmap_equals_loop": grad_vmap_equals_gradients,
    "gradient_finite_at_edges": gradient_finite_in_both_precisions,
}

# Those that compile nothing, so that an exemption from them can be tried.
TRACED = ("dtypes_kept", "half_precision", "non_array_leaves", "docstring")

# What an exemption may name.
CHECKS = tuple(dict.fromkeys((*CORE, *FULL)))
