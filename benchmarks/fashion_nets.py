"""Networks with more symmetry than an MLP's: a convolutional net with a norm, and a transformer of two blocks.

Both read Fashion-MNIST. The convolutional net sees images [28, 28, 1]: two convolutions of stride two, each
with a group norm of one group and relu, flattened into a dense layer. The transformer reads an image as a
sequence of 28 rows of 28 pixels, embedded with learned positions, and classifies by the mean of its tokens;
its norms have no scales, so that the stream may rotate, and its heads have no biases, so that each keeps
its linear groups.
"""

import fashion_mlp
import jax
import jax.numpy as jnp
import optax

WIDTH, HEADS, HIDDEN = 48, 4, 96


def normal(key, *shape, fan):
    return jax.random.normal(key, shape) / jnp.sqrt(fan)


def cnn_init(key, width):
    keys = jax.random.split(key, 4)
    return {
        "c1": {"w": normal(keys[0], 3, 3, 1, width, fan=9), "s": jnp.ones(width), "b": jnp.zeros(width)},
        "c2": {
            "w": normal(keys[1], 3, 3, width, width, fan=9 * width),
            "s": jnp.ones(width),
            "b": jnp.zeros(width),
        },
        "d": {"w": normal(keys[2], 49 * width, 2 * width, fan=49 * width), "b": jnp.zeros(2 * width)},
        "o": {"w": normal(keys[3], 2 * width, 10, fan=2 * width), "b": jnp.zeros(10)},
    }


def cnn_apply(params, x):
    x = x.reshape(-1, 28, 28, 1)
    for name in ("c1", "c2"):
        layer = params[name]
        x = jax.lax.conv_general_dilated(
            x, layer["w"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        mean = jnp.mean(x, axis=(1, 2, 3), keepdims=True)
        spread = jnp.mean((x - mean) ** 2, axis=(1, 2, 3), keepdims=True)
        x = jax.nn.relu((x - mean) * jax.lax.rsqrt(spread + 1e-5) * layer["s"] + layer["b"])
    x = jax.nn.relu(x.reshape(len(x), -1) @ params["d"]["w"] + params["d"]["b"])
    return x @ params["o"]["w"] + params["o"]["b"]


def transformer_init(key, width=WIDTH):
    keys = iter(jax.random.split(key, 16))
    each = width // HEADS
    blocks = {
        f"block{i}": {
            **{name: normal(next(keys), width, HEADS, each, fan=width) for name in "qkv"},
            "o": normal(next(keys), HEADS, each, width, fan=width),
            "up": normal(next(keys), width, HIDDEN, fan=width),
            "down": normal(next(keys), HIDDEN, width, fan=HIDDEN),
        }
        for i in range(2)
    }
    return {
        "embed": normal(next(keys), 28, width, fan=28),
        "positions": normal(next(keys), 28, width, fan=28),
        **blocks,
        "out": normal(next(keys), width, 10, fan=width),
    }


def rms(x):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5)


def transformer_apply(params, x):
    x = x.reshape(-1, 28, 28) @ params["embed"] + params["positions"]
    for i in range(2):
        block = params[f"block{i}"]
        q, k, v = (jnp.einsum("btd,dhc->bthc", rms(x), block[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k) / jnp.sqrt(q.shape[-1]))
        x = x + jnp.einsum("bhts,bshc,hcd->btd", weights, v, block["o"])
        x = x + jax.nn.relu(rms(x) @ block["up"]) @ block["down"]
    return jnp.mean(rms(x), axis=1) @ params["out"]


NETS = {"cnn": (cnn_init, cnn_apply, 16), "transformer": (transformer_init, transformer_apply, WIDTH)}


def train(apply, params, data, key, epochs, batch=250):
    """Adam 2e-3 with a cosine schedule."""
    x, y = (jnp.asarray(array) for array in data["train"])
    steps = len(x) // batch
    optimiser = optax.adam(optax.cosine_decay_schedule(2e-3, epochs * steps))

    def loss(params, rows):
        return fashion_mlp.loss_of(apply(params, x[rows]), y[rows])

    def update(carry, rows):
        params, state = carry
        updates, state = optimiser.update(jax.grad(loss)(params, rows), state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def epoch(carry, key):
        rows = jax.random.permutation(key, len(x))[: steps * batch].reshape(steps, batch)
        return jax.lax.scan(update, carry, rows)[0]

    carry = params, optimiser.init(params)
    for k in jax.random.split(key, epochs):
        carry = epoch(carry, k)
    return jax.block_until_ready(carry[0])
