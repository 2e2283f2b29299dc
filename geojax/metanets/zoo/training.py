"""A population of networks: trained under one batching, each from a key of its own, and described."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from geojax._core import checks
from geojax._core.precision import is_floating
from geojax.typing import Key, Params, PyTree, Scalar

__all__ = ["population"]


def population(
    init: Callable[[Key], Params],
    train: Callable[[Params, Key], tuple[Params, PyTree]],
    *,
    key: Key,
    num: int,
    start: Scalar = 0,
    batch: Callable[[Callable[..., Any]], Callable[..., Any]] = jax.vmap,
) -> tuple[Params, PyTree, Bool[Array, " num"]]:
    """Trains many networks in one program: a population to learn from, each with its labels.

    network i: (key_init, key_train) = split(fold_in(key, i)), then train(init(key_init), key_train), for
    i = start, ..., start + num - 1

    Network i depends on ``key`` and i alone. A large population is made in pieces, on one machine or several and in
    any order, by jitting the call with ``start`` as its argument; each piece is written to a file and let go.
    Networks whose training diverged stay in the stack, marked; nothing is dropped.

    Args:
        init: ``init(key)`` gives the first parameters.
        train: ``train(params, key)`` gives the trained parameters and a tree of arrays to keep beside them: accuracies,
            the settings that it drew from its key.
        key: A typed key.
        num: How many networks.
        start: Number of the first one.
        batch: Turns a function of one number into one of numbers along a first axis: `jax.vmap`, or
            ``lambda f: functools.partial(jax.lax.map, f, batch_size=64)`` where memory is short.

    Returns:
        Three stacks with a leading axis of length ``num``: the parameters, the labels, and for each network whether
        all its weights are finite.

    Raises:
        TypeError: If ``init``, ``train`` or ``batch`` is no function, ``key`` no typed key, ``num`` no integer, or
            ``train`` returns no pair.
        ValueError: If ``num`` is less than one.

    Differentiation: whatever `train` has.
    Complexity: ``num`` trainings. Under `jax.vmap` all are in memory at once, and a loop runs to the slowest.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> init = lambda key: {"w": jax.random.normal(key, (3,))}
        >>> def train(params, key):
        ...     rate = jax.random.uniform(key)
        ...     params = jax.tree.map(lambda w: w - rate * (w - 1), params)
        ...     return params, {"rate": rate, "loss": jnp.sum((params["w"] - 1) ** 2)}
        >>> stack, labels, finite = gj.metanets.population(init, train, key=jax.random.key(0), num=5)
        >>> stack["w"].shape, labels["loss"].shape, bool(finite.all())
        ((5, 3), (5,), True)

    References: [Unterthiner2020], [Schurholt2022]
    """
    for name, value in (("init", init), ("train", train)):
        checks.function("population", name, value, "Write population(init, train, key=key, num=num).")
    checks.function("population", "batch", batch, "Pass jax.vmap, or a function that makes a loop.")
    checks.typed_key("population", key)
    num = checks.count("population", "num", num, minimum=1)

    def one(index: Array) -> tuple[Params, PyTree, Array]:
        key_init, key_train = jax.random.split(jax.random.fold_in(key, index))
        trained = train(init(key_init), key_train)
        if not isinstance(trained, tuple) or len(trained) != 2:
            raise TypeError(
                f"population: train returned {checks.described(trained)}; expected a pair (params, labels). "
                "Return (params, {}) where there is nothing to keep."
            )
        params, labels = trained
        fine = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params) if is_floating(leaf)]
        return params, labels, functools.reduce(jnp.logical_and, fine, jnp.ones((), bool))

    return batch(one)(jnp.asarray(start, jnp.uint32) + jnp.arange(num, dtype=jnp.uint32))
