"""Which nonlinearities commute with a spec when they are applied to every entry."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import checks
from geojax.symmetry.action import door
from geojax.symmetry.action.groups import MATRIX_KINDS, PERMUTATION, SCALING, SIGN
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec

FITTING = {
    SIGN: "an odd function, such as jnp.tanh or x * gate(abs(x))",
    SCALING: "a positively homogeneous function, such as jax.nn.relu or jnp.abs",
    "both": "an odd and positively homogeneous function, which is a multiple of x",
    "matrix": "no function of single entries but a multiple of x: gate by norms or by invariants instead",
}


def check_pointwise(spec: SymmetrySpec, nonlinearity: Callable[[Array], Array]) -> None:
    """Checks that a nonlinearity, applied to every entry of a tree, commutes with the groups of its spec.

    Any function of an entry commutes with permutations; with signs only odd ones do, with scalings only those with
    f(s x) = s f(x) for s > 0, with orthogonal and linear groups only multiples of x. What the function is, is read off
    its values at a few numbers, in concrete arithmetic, under `jit` as well.

    Args:
        spec: How the groups move the tree that the nonlinearity is applied to.
        nonlinearity: A function of arrays that acts on every entry by itself.

    Raises:
        TypeError: If it is no function.
        ValueError: If it does not act on single entries; or does not commute, naming leaf, axis, group and what would.
    """
    door.check_spec("check_pointwise(spec, nonlinearity)", spec)
    checks.function("check_pointwise", "nonlinearity", nonlinearity, "Pass one such as jax.nn.gelu.")
    odd, homogeneous = _properties(nonlinearity)
    name = getattr(nonlinearity, "__name__", type(nonlinearity).__name__)
    for path, where, group, kind, exponent in _moves(spec):
        if kind == PERMUTATION or exponent == 0 or (kind == SIGN and exponent % 2 == 0):
            continue
        fits = {SIGN: odd, SCALING: homogeneous}.get(kind, odd and homogeneous)
        if not fits:
            others = {other for other_path, _, _, other, _ in _moves(spec) if other_path == path}
            wanted = "matrix" if others & {*MATRIX_KINDS} else "both" if {SIGN, SCALING} <= others else kind
            raise ValueError(
                f"nonlinearity {name!r} does not commute with the {kind} group {group!r}, which moves {where} of "
                f"{path or 'the tree'}; expected {FITTING[wanted]}. Or take the group out: "
                f"spec.without({group!r})."
            )


def _moves(spec: SymmetrySpec) -> Iterator[tuple[str, str, str, str, int]]:
    """(leaf, what of it, group, kind, exponent) of everything that a group moves."""
    for leaf in spec.leaves:
        for block in blocks(leaf.layout):
            for name, exponent in block.moves:
                yield leaf.path, "all", name, spec.groups[name].kind, exponent
            for part in block.parts:
                for name, exponent in part.moves:
                    yield leaf.path, f"axis {part.axis}", name, spec.groups[name].kind, exponent


def _properties(nonlinearity: Callable[[Array], Array]) -> tuple[bool, bool]:
    """Whether a function is odd, and whether it is positively homogeneous."""
    points = np.linspace(0.05, 3.0, 32, dtype=np.float32)
    with jax.ensure_compile_time_eval():

        def at(x: np.ndarray) -> np.ndarray:
            return np.asarray(nonlinearity(jnp.asarray(x)), np.float64)

        both = np.concatenate([points, -points])
        values = at(both)
        if values.shape != both.shape or not np.allclose(at(both[::-1][:48]), values[::-1][:48], 1e-5, 1e-6):
            raise ValueError(
                "nonlinearity does not act on every entry by itself; expected a function such as "
                "jax.nn.gelu, not one of whole arrays, such as softmax."
            )
        odd = np.allclose(values[:32], -values[32:], 1e-5, 1e-6)
        homogeneous = np.allclose(at(4 * both), 4 * values, 1e-5, 1e-6)
    return bool(odd), bool(homogeneous)
