"""Models brought into one frame before they are merged."""

import dataclasses

import jax
from jaxtyping import Array

from geojax._core import checks
from geojax._core.struct import static, struct
from geojax.merging.leaves import as_stack, model_of, split_arrays, stack_size
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.typing import Key, Params, PyTree


@struct
class WeightMatching:
    """Asks a merging rule to align the models by their weights before it merges them.

    Every rule that merges a pair or a stack of models takes ``align=WeightMatching(spec, key=key)``. It then moves each
    model onto the first one (or onto the base, if there is one) by the element that `symmetry.weight_matching` returns.

    Args:
        spec: The symmetry of the function that the models are parameters of, from `symmetry.infer`.
        key: Random key, for the order of the groups in each sweep of the matching.

    Returns:
        A value to pass as `align`. The spec is static; the key is traced.

    Raises:
        TypeError: If spec is not a `SymmetrySpec`, or key is not a typed random key.

    Differentiation: none; the element of the alignment is held constant.
    Complexity: one `symmetry.weight_matching` for each model that is moved.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import WeightMatching, average
        >>> from geojax.symmetry import infer
        >>> mlp = lambda p, x: jnp.tanh(x @ p["in"]) @ p["out"]
        >>> a = {"in": jnp.eye(2), "out": jnp.array([[1.0], [2.0]])}
        >>> b = {"in": a["in"][:, ::-1], "out": a["out"][::-1]}
        >>> spec = infer(mlp, a, jnp.ones((3, 2)))
        >>> average([a, b], align=WeightMatching(spec, key=jax.random.key(0)))["out"].tolist()
        [[1.0], [2.0]]

    References: [Ainsworth2022].
    """

    spec: SymmetrySpec = static()
    key: Key = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.spec, SymmetrySpec):
            raise TypeError(
                f"WeightMatching: spec is {checks.described(self.spec)}; expected a SymmetrySpec. "
                "Make one with geojax.symmetry.infer(apply, params, *inputs)."
            )
        checks.typed_key("WeightMatching", self.key)


def aligned_pair(where: str, align: WeightMatching | None, params_a: Params, params_b: Params) -> Params:
    """The second model, moved onto the first if `align` is given."""
    _check(where, align)
    return params_b if align is None else _moved_onto(align.spec, params_a, params_b, align.key)


def aligned(
    where: str, align: WeightMatching | None, models: Params, reference: Params | None = None
) -> Params:
    """The models as one stack, each moved onto the reference if `align` is given.

    Without a reference the models are moved onto the first of them.
    """
    stack = stacked(where, align, models, reference)
    if align is None:
        return stack
    onto = model_of(stack) if reference is None else reference
    arrays, whole = split_arrays(stack)

    def move(arrays: list[Array], key: Key) -> list[Array]:
        return split_arrays(_moved_onto(align.spec, onto, whole(arrays), key))[0]

    keys = jax.random.split(align.key, stack_size(where, stack))
    return whole(jax.vmap(move)(arrays, keys))


def stacked(
    where: str, align: WeightMatching | None, models: Params, reference: Params | None = None
) -> Params:
    """The models as one stack, as they are."""
    _check(where, align)
    paths = None if align is None else [leaf.path for leaf in align.spec.leaves]
    return as_stack(where, models, like=reference, paths=paths)


def permutations_onto_first(align: WeightMatching, stack: Params) -> tuple[SymmetrySpec, PyTree]:
    """The permutations of the spec alone, and for each model the element of them that moves it onto the first.

    For rules with a weight for each entry: such weights have no sign, and scale otherwise than the parameters do.
    """
    spec = align.spec
    spec = spec.without(*(name for name, group in spec.members if group.kind != PERMUTATION))
    first = model_of(stack)
    arrays, whole = split_arrays(stack)

    def match(arrays: list[Array], key: Key) -> PyTree:
        return weight_matching(spec, first, whole(arrays), key=key).element

    return spec, jax.vmap(match)(arrays, jax.random.split(align.key, stack_size("WeightMatching", stack)))


def act_on_each(spec: SymmetrySpec, elements: PyTree, stack: Params) -> Params:
    """Every model of a stack moved by an element of its own."""
    arrays, whole = split_arrays(stack)
    return whole(
        jax.vmap(lambda element, arrays: split_arrays(act(spec, element, whole(arrays)))[0])(elements, arrays)
    )


def _moved_onto(spec: SymmetrySpec, params_a: Params, params_b: Params, key: Key) -> Params:
    return act(spec, weight_matching(spec, params_a, params_b, key=key).element, params_b)


def _check(where: str, align: WeightMatching | None) -> None:
    if align is not None and not isinstance(align, WeightMatching):
        raise TypeError(
            f"{where}: align is {checks.described(align)}; expected None or how to align. "
            "Pass geojax.merging.WeightMatching(spec, key=jax.random.key(0))."
        )
