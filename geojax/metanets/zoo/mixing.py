"""New networks from two of a population, for data to learn from."""

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.tree import is_numeric
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.typing import Key, Params, Scalar

__all__ = ["mixup"]


@rounded_once
def mixup(spec: SymmetrySpec, params_a: Params, params_b: Params, t: Scalar, *, key: Key) -> Params:
    """A network between two others: the second is moved onto the first, then their weights are mixed.

    (1 - t) a + t act(spec, g, b),  with g = weight_matching(spec, a, b)

    Without the move the weights of two networks have units in different places, and what lies between computes
    neither function. Mix the labels with the same t. The other augmentations are one line each and have no name: a
    network with its units in another order is ``act(spec, random_element(spec, key), params)``, noise and dropout are
    a `jax.tree.map`.

    Args:
        spec: The symmetry, from `infer`.
        params_a: The network at t = 0.
        params_b: The network at t = 1, where it is moved by g and computes the function that it did.
        t: How far, from 0 to 1; most often drawn from a beta distribution.
        key: A typed key, for the order in which the matching visits groups.

    Returns:
        A tree like ``params_a``. Leaves other than arrays of real or complex numbers are those of ``params_a``.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a tree does not fit the spec, or ``t`` is no scalar.

    Differentiation: exact in the networks and in t, with the move held.
    Complexity: that of `weight_matching`.
    Batch: jax.vmap over pairs, which are matched one after another.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.gelu(x @ p[0]) @ p[1]
        >>> params = [jax.random.normal(jax.random.key(0), (3, 8)), jax.random.normal(jax.random.key(1), (8, 2))]
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> copy = gj.symmetry.act(spec, gj.symmetry.random_element(spec, jax.random.key(2)), params)
        >>> mixed = gj.metanets.mixup(spec, params, copy, 0.5, key=jax.random.key(3))
        >>> all(bool(jnp.array_equal(a, b)) for a, b in zip(mixed, params))
        True

    References: [Shamsian2023]
    """
    checks.shapes("mixup", t=(t, ""))
    element = weight_matching(spec, params_a, params_b, key=key).element
    moved = act(spec, jax.lax.stop_gradient(element), params_b)

    def mix(a, b):
        if not is_numeric(a) or not jnp.issubdtype(a.dtype, jnp.inexact):
            return a
        at = jnp.asarray(t, jnp.finfo(a.dtype).dtype)
        return (1 - at) * a + at * b

    return jax.tree.map(mix, params_a, moved)
