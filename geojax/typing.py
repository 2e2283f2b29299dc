"""The names of types in public signatures."""

from collections.abc import Callable
from typing import Any, TypeAlias

from jaxtyping import Array, Float
from jaxtyping import Key as KeyOf

__all__ = ["Cost", "Key", "Params", "PyTree", "Scalar"]

PyTree: TypeAlias = Any
"""Any nesting of containers that JAX knows how to flatten."""

Params: TypeAlias = Any
"""The parameters of a model: a pytree whose leaves are arrays."""

Key: TypeAlias = KeyOf[Array, ""]
"""One typed random key, as `jax.random.key` makes it; the numbers of `jax.random.PRNGKey` are none."""

Scalar: TypeAlias = Float[Array, ""] | float | int
"""A real number: an array of rank zero or a Python number."""

Cost: TypeAlias = Callable[[Any, Any], Any]
"""cost(x, y) -> scalar: the ground cost between one point and another."""
