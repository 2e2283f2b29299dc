"""Models brought into one frame before they are merged."""

import jax

from geojax._core import checks
from geojax.merging.leaves import stack_size
from geojax.symmetry.action import act
from geojax.symmetry.spec import SymmetrySpec
from geojax.symmetry.weight_matching import weight_matching
from geojax.typing import Key, Params


def aligned(
    where: str, spec: SymmetrySpec | None, stack: Params, reference: Params | None, key: Key | None
) -> Params:
    """The stack with every model moved onto the reference by its weights; as it is where there is no spec.

    Without a reference the first model is it.
    """
    count = stack_size(where, stack)
    if spec is None:
        return stack
    if key is None:
        raise ValueError(
            f"{where}: key is None; expected a random key beside a spec. Pass jax.random.key(0)."
        )
    checks.typed_key(where, key)
    to = jax.tree.map(lambda leaf: leaf[0], stack) if reference is None else reference

    def move(model: Params, key: Key) -> Params:
        return act(spec, weight_matching(spec, to, model, key=key).element, model)

    return jax.vmap(move)(stack, jax.random.split(key, count))
