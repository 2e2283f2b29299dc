"""One set of scales and signs for each network, and the way back."""

import jax.numpy as jnp

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.symmetry.action.elements import Element
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.canonical import positive_signs
from geojax.symmetry.orbits.leaves import move_leaves, real_leaves, with_leaves
from geojax.symmetry.orbits.reading import read_params
from geojax.symmetry.orbits.rescaling import rescale_leaves
from geojax.typing import Params, Scalar

__all__ = ["fix_gauge"]


@rounded_once
def fix_gauge(
    spec: SymmetrySpec, params: Params, *, tol: Scalar = 1e-6, max_steps: int = 500
) -> tuple[Params, Element]:
    """The parameters with canonical scales and signs, and the element that brought them there.

    fixed = act(spec, element, params);   params = act(spec, inverse(spec, element), fixed)

    Scalings are those of least norm: a relu unit gets weights of one norm on both sides. A unit with weights on one
    side only has no least norm; they get norm one. Without any weights it keeps its scale. Signs make an odd moment of
    each unit's weights positive. The rule looks at units one by one, so it commutes with permutations: a network on
    weights reads ``fixed`` under ``spec.without(...)`` the scalings and signs, has then all maps that commute with
    permutations, and what it returns in the place of parameters goes back by the inverse element. Matrix groups are
    left alone.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it.
        tol: Largest change of a log scale in a sweep over the groups that counts as converged.
        max_steps: Most sweeps. Beyond, the result parametrises the same function with scales that are not yet
            canonical.

    Returns:
        A tree like ``params`` that parametrises the same function, and the element, an array for each scaling and
        sign group.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or ``params`` no tree of parameters.
        ValueError: If ``params`` does not fit the spec; the message names the leaves.

    Differentiation: forward mode through the sweeps, with signs held. It jumps where the odd moment of a unit is 0, and
        where the weights on one of its sides become 0.
    Complexity: one action on the parameters for each scaling group and sweep.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params = [jnp.full((1, 2), 4.0), jnp.ones((2, 1))]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 1)))
        >>> fixed, element = gj.metanets.fix_gauge(spec, params)
        >>> [leaf.ravel().round(3).tolist() for leaf in fixed]
        [[2.0, 2.0], [2.0, 2.0]]
        >>> back = gj.symmetry.act(spec, gj.symmetry.inverse(spec, element), fixed)
        >>> [leaf.ravel().round(3).tolist() for leaf in back]
        [[4.0, 4.0], [1.0, 1.0]]

    References: [Laurent2024]
    """
    max_steps = checks.count("fix_gauge", "max_steps", max_steps)
    (leaves,) = read_params("fix_gauge(spec, params)", spec, params=params)
    dtype = jnp.result_type(float, *(leaf.dtype for leaf in real_leaves(leaves)))
    scalings = rescale_leaves(spec, leaves, tol=tol, max_steps=max_steps, unit_norm=True).element
    leaves = move_leaves(spec, scalings, leaves)
    signs = {name: sign.astype(dtype) for name, sign in positive_signs(spec, leaves).items()}
    return with_leaves(params, move_leaves(spec, signs, leaves)), {**scalings, **signs}
