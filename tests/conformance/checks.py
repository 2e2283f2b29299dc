"""The checks that every public callable must pass. Each takes a Case and raises AssertionError that says what broke."""

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
from tests.conformance.case import BATCH, Case, is_floating, plain

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


def stacked(results: list[Any]) -> Any:
    """Results one by one, as `vmap` would return them."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)


# Transformations -----------------------------------------------------------------------------------------------------


def jit_equals_eager(case: Case) -> None:
    """jit(f)(x) = f(x)."""
    agree(case.results[0], case(*case.items[0]), case.tolerance, "jit and eager")


def vmap_equals_loop(case: Case) -> None:
    """vmap(f)(xs)[i] = f(xs[i])."""
    agree(case.batched_result, stacked(case.results), case.tolerance, "vmap and loop")


def jit_vmap_commute(case: Case) -> None:
    """jit(vmap(f)) = vmap(jit(f))."""
    agree(
        case.batched_result, jax.vmap(case.compiled)(*case.batch), case.tolerance, "jit(vmap) and vmap(jit)"
    )


def eval_shape_works(case: Case) -> None:
    """Shapes and dtypes are known without computing."""
    item = case.items[0]  # made here: inside eval_shape it would leave tracers in the case
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), jax.eval_shape(lambda: item))
    promised = jax.eval_shape(case.__call__, *shapes)
    result = case.results[0]
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
    agree(jax.jit(sharded)(*case.batch), case.batched_result, case.tolerance, "shard_map and vmap")


def pmap_equals_vmap(case: Case) -> None:
    """The same with pmap."""
    agree(jax.pmap(case.__call__)(*case.batch), case.batched_result, case.tolerance, "pmap and vmap")


def one_trace(case: Case) -> None:
    """New values of the same shapes compile nothing: every numeric argument is traced."""
    try:
        assert len(case.results) == BATCH
    except jax.errors.ConcretizationTypeError as error:
        raise AssertionError(
            f"asks for the value of a traced argument, so each value compiles anew: {error}"
        ) from None
    traces = case.traces_of_results  # none at all where another check had it traced before
    assert traces <= 1, f"traced {traces} times for {BATCH} values of the same shapes"


def same_result(case: Case) -> None:
    """The same arguments, keys among them, give the same bits."""
    first, second = case.results[0], case.compiled(*case.items[0])
    for (name, a), b in zip(named_leaves(first).items(), jax.tree.leaves(second)):
        np.testing.assert_array_equal(
            plain(a), plain(b), err_msg=f"leaf {name!r} differs between two equal calls"
        )


def inputs_unchanged(case: Case) -> None:
    """Arguments that could be changed, numpy arrays and containers, are not."""

    def writable(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        return np.array(leaf)

    given = jax.tree.map(writable, case.items[0])
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
        for name, leaf in named_leaves(jax.eval_shape(case.__call__, *shapes)).items():
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
            array = jnp.asarray(leaf)
            poisoned = array.ravel().at[array.size // 2].set(jnp.nan).reshape(array.shape)
            changed = jax.tree.unflatten(structure, [*leaves[:index], poisoned, *leaves[index + 1 :]])
            result = case.compiled(*item[:position], changed, *item[position + 1 :])
            where = f"NaN in leaf {index} of argument {position}"
            status = getattr(result, "status", None)
            if status is not None:
                assert int(status) != Status.CONVERGED, f"{where} is reported as CONVERGED"
            else:
                numbers = [leaf for leaf in jax.tree.leaves(result) if is_floating(leaf)]
                assert numbers, f"{where}: the result has neither a status nor floating numbers to say so"
                assert any(not jnp.all(jnp.isfinite(leaf)) for leaf in numbers), (
                    f"{where} gives a finite answer"
                )
    assert tried, "no floating argument to poison; exempt the case, with the reason"


# Derivatives ---------------------------------------------------------------------------------------------------------


def _tangents(case: Case, item: tuple[Any, ...]) -> tuple[Any, ...]:
    if case.directions is not None:
        return case.directions(jax.random.key(13), item)
    rng = np.random.default_rng(13)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=jnp.shape(leaf)), jnp.result_type(leaf)), case.chosen(item)
    )


def _moved(case: Case, item: tuple[Any, ...], step: float, tangents: tuple[Any, ...]) -> tuple[Any, ...]:
    chosen = jax.tree.map(lambda x, t: x + step * t, case.chosen(item), tangents)
    return case.replaced(item, chosen)


def _dot(x: Any, y: Any) -> Any:
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))


def gradient_matches_differences(case: Case) -> None:
    """The gradient along a random direction is the central difference quotient, in float64.

    Two steps, h and 2h, tell how good the quotient is: its truncation error is a third of their difference, its
    rounding error an ulp over h. A quotient that is not good to 1e-5 proves nothing and fails too: tighten the
    solver's `tol`.
    """
    assert case.differentiable, "no differentiable argument declared; exempt the case, with the reason"
    item = case.items[0]
    tangents = _tangents(case, item)
    value, gradients = case.slope(item)
    got = float(_dot(gradients, tangents))

    def quotient(step: float) -> float:
        ahead, back = (case.slope(_moved(case, item, s * step, tangents))[0] for s in (1, -1))
        return float((ahead - back) / (2 * step))

    step = 1e-5
    near, far = quotient(step), quotient(2 * step)
    slack = abs(near - far) + 1e3 * np.finfo(float).eps * (1 + abs(float(value))) / step
    scale = max(abs(near), 1e-2)
    assert slack <= 1e-5 * scale + 1e-7, f"difference quotients {near} and {far} disagree: not smooth here"
    assert abs(got - near) <= slack, f"gradient {got}, finite differences {near} +- {slack:.1e}"


def forward_equals_reverse(case: Case) -> None:
    """jvp and vjp agree."""
    assert case.differentiable, "no differentiable argument declared; exempt the case, with the reason"
    item = case.items[0]
    tangents = _tangents(case, item)
    chosen = case.chosen(item)
    forward = jax.jit(lambda item, t: jax.jvp(lambda c: case.combined(c, item), (chosen,), (t,))[1])
    reverse = _dot(case.slope(item)[1], tangents)
    agree(forward(item, tangents), reverse, 1e3 * case.tolerance, "jvp and vjp")


def gradient_finite_at_edges(case: Case) -> None:
    """Values and gradients are finite at every declared edge point, in both precisions."""
    assert case.edges, "no edge point declared; exempt the case, with the reason"
    for name, make in case.edges.items():
        for dtype in (jnp.float32, jnp.float64):
            value, gradients = case.slope(make(dtype))
            for leaf_name, leaf in {"value": value, **named_leaves(gradients)}.items():
                assert jnp.all(jnp.isfinite(leaf)), (
                    f"at {name}, {dtype.__name__}: {leaf_name or 'gradient'} is {leaf}"
                )


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


CHECKS: dict[str, Callable[[Case], None]] = {
    check.__name__: check
    for check in (
        jit_equals_eager,
        vmap_equals_loop,
        jit_vmap_commute,
        eval_shape_works,
        shard_map_equals_vmap,
        pmap_equals_vmap,
        one_trace,
        same_result,
        inputs_unchanged,
        dtypes_kept,
        nan_is_honest,
        gradient_matches_differences,
        forward_equals_reverse,
        gradient_finite_at_edges,
        docstring,
    )
}
