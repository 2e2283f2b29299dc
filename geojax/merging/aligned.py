"""Models brought into one frame before they are merged."""

import jax

from geojax._core import checks
from geojax.merging.leaves import stack_size
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.typing import Key, Params, PyTree


def aligned_pair(
    where: str, spec: SymmetrySpec | None, params_a: Params, params_b: Params, key: Key | None
) -> Params:
    """The second model moved onto the first by its weights; as it is where there is no spec."""
    if spec is None:
        return params_b
    element = weight_matching(spec, params_a, params_b, key=_wanted(where, key)).element
    return act(spec, element, params_b)


def aligned(
    where: str, spec: SymmetrySpec | None, stack: Params, reference: Params | None, key: Key | None
) -> Params:
    """The stack with every model moved onto the reference by its weights; as it is where there is no spec.

    Without a reference the first model is it.
    """
    count = stack_size(where, stack)
    if spec is None:
        return stack
    to = jax.tree.map(lambda leaf: leaf[0], stack) if reference is None else reference
    keys = jax.random.split(_wanted(where, key), count)
    return jax.vmap(lambda model, key: aligned_pair(where, spec, to, model, key))(stack, keys)


def permutations_onto_first(
    where: str, spec: SymmetrySpec, stack: Params, key: Key | None
) -> tuple[SymmetrySpec, PyTree]:
    """The spec's permutations alone, and for each model the element of them that moves it onto the first.

    For merging with weights that have no sign and a scale of their own.
    """
    spec = spec.without(*(name for name, group in spec.members if group.kind != PERMUTATION))
    first = jax.tree.map(lambda leaf: leaf[0], stack)
    keys = jax.random.split(_wanted(where, key), stack_size(where, stack))
    elements = jax.vmap(lambda model, key: weight_matching(spec, first, model, key=key).element)(stack, keys)
    return spec, elements


def _wanted(where: str, key: Key | None) -> Key:
    if key is None:
        raise ValueError(
            f"{where}: key is None; expected a random key beside a spec. Pass jax.random.key(0)."
        )
    checks.typed_key(where, key)
    return key
