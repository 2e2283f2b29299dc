"""The element of a finite group that a learnt energy prefers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame
from geojax.equivariant.transforms.errors import stack_size, traceable
from geojax.typing import PyTree, Scalar

__all__ = ["by_energy"]


def by_energy(
    energy: Callable[[PyTree, PyTree], Array],
    elements: PyTree,
    *,
    temperature: Scalar = 1.0,
    hard: bool = True,
) -> Callable[[PyTree], Frame]:
    """The frame of the elements of a finite group at which an energy is least.

    E_i = energy(g_i, x);  weights 1 at the least E_i, shared if several are least, or exp(-E_i / T) over their sum.
    The frame is equivariant if energy(h g, h . x) = energy(g, x): energy(g, x) = s(g^-1 . x) is so for every s.

    Args:
        energy: energy(g, x) -> a number, such as a network's, lower for poses that it likes better.
        elements: All elements of the group, a tree whose leaves share a first axis k.
        temperature: T, in the unit of the energy. Traced.
        hard: Whether all the weight is on the least energy. The derivative is that of the soft weights either way, so
            that an energy learns; static.

    Returns:
        frame(x) -> Frame with all elements, weights [k], and `gap`, the second energy less the least, over T.
        `sampled` takes the one element that has weight, for when nothing is learnt any more.

    Raises:
        TypeError: If ``energy`` is no function or returns no real number.
        ValueError: If the leaves of ``elements`` share no first axis, or ``energy`` returns no scalar.

    Differentiation: soft weights are exact; hard ones have the derivative of the soft ones.
    Complexity: k calls of the energy under vmap.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import by_energy
        >>> signs = jnp.array([1.0, -1.0])
        >>> elements, weights = by_energy(lambda g, x: -g * x, signs)(jnp.array(-3.0))
        >>> weights.tolist()
        [0.0, 1.0]

    References: [Kaba2023]; [Mondal2023], whose canonicalisers these weights train.
    """
    checks.function("by_energy", "energy", energy, "Write lambda g, x: s(act(inverse(g), x)).")
    size = stack_size("by_energy", elements)

    def frame(x: PyTree) -> Frame:
        x, group = traceable((x, elements))

        def one(element: PyTree) -> Array:
            (value,) = checks.floats("by_energy", **{"what energy returned": energy(element, x)})
            checks.shapes("by_energy", **{"what energy returned": (value, "")})
            return value

        energies = jax.vmap(one)(group)
        soft = jax.nn.softmax(-energies / jnp.asarray(temperature, energies.dtype))
        # A NaN is no least energy, so that 0 / 0 hands it on.
        least = (energies == jnp.min(energies)).astype(energies.dtype)
        least = least / jnp.sum(least)
        weights = least + (soft - jax.lax.stop_gradient(soft)) if hard else soft
        first, second = jnp.sort(energies)[:2] if size > 1 else (energies[0], energies[0] + jnp.inf)
        return Frame(group, weights, (second - first) / jnp.asarray(temperature, energies.dtype))

    return rounded_once(frame)
