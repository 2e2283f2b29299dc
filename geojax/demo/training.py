"""Training several networks of one architecture at once, and measuring them."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from geojax.typing import Key, Params

Images = Float[Array, "n height width 1"]
Labels = Int[Array, " n"]


def cross_entropy(scores: Float[Array, "n k"], labels: Labels) -> Float[Array, ""]:
    """Mean cross entropy of class scores in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()


def train(
    model: nn.Module, images: Images, labels: Labels, keys: Key, *, epochs: int, batch: int, rate: float
) -> Iterator[tuple[Params, Float[Array, " models"]]]:
    """Trains one network for each key with Adam, all in one program, with different starts and orders of the data.

    After each epoch it yields the variables of all networks, with a leading axis over them, and the mean loss of each
    over the epoch. The learning rate falls to zero along a half cosine.
    """
    batch = min(batch, len(images))
    steps = len(images) // batch
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps * epochs))

    def start(key: Key) -> tuple[Params, Params, Any]:
        variables = model.init(key, images[:1])
        params = variables.pop("params")
        return params, variables, optimizer.init(params)

    @jax.jit
    def epoch(carry, keys, images, labels):
        order = jax.vmap(lambda key: jax.random.permutation(key, len(images))[: steps * batch])(keys)
        rows = order.reshape(len(keys), steps, batch).swapaxes(0, 1)
        return jax.lax.scan(jax.vmap(functools.partial(step, images, labels)), carry, rows)

    def step(images, labels, carry, rows):
        params, statistics, state = carry

        def loss(params):
            variables = {"params": params, **statistics}
            out, new = model.apply(variables, images[rows], train=True, mutable=list(statistics))
            return cross_entropy(out, labels[rows]), new

        (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), statistics, state), value

    carry = jax.jit(jax.vmap(start))(keys)
    for number in range(epochs):
        turn = jax.vmap(functools.partial(jax.random.fold_in, data=number))(keys)
        carry, losses = epoch(carry, turn, images, labels)
        params, statistics, _ = carry
        yield {"params": params, **statistics}, losses.mean(0)


def measure(
    apply: Callable[[Params, Images], Array],
    params: Params,
    images: Images,
    labels: Labels,
    *,
    batch: int = 250,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cross entropy and accuracy of a model on images, batch by batch in one compiled loop."""

    def sums(rows: tuple[Array, Array]) -> tuple[Array, Array]:
        some, classes = rows
        scores = apply(params, some)
        losses = optax.softmax_cross_entropy_with_integer_labels(scores, classes)
        return losses.sum(), jnp.sum(scores.argmax(-1) == classes)

    images, labels = jnp.asarray(images), jnp.asarray(labels)
    whole = len(images) // batch * batch
    parts = []
    if whole:
        grouped = [x[:whole].reshape(-1, batch, *x.shape[1:]) for x in (images, labels)]
        parts.append([total.sum() for total in jax.lax.map(sums, tuple(grouped))])
    if whole < len(images):
        parts.append(sums((images[whole:], labels[whole:])))
    loss, right = (jnp.stack(column).sum() / len(images) for column in zip(*parts, strict=True))
    return loss, right
