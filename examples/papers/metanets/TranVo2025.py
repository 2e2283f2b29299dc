"""Equivariant Neural Functional Networks for Transformers [TranVo2025].

Claim: the weights of a multi-head attention have the maximal symmetry group S_h x GL(d_k)^h x GL(d_v)^h, and those of a
    Transformer block with a two-layer perceptron of n units behind it a further S_n. Others derive by hand the positive
    scalings and the signs of perceptrons [Kalogeropoulos2024], and the permutations of any tensors [Zhou2024].

Differs: nothing is derived here. `infer` reads each group from the program alone, and a count of functional dimension,
    by linear algebra at random weights, tries whether the group of the attention is the largest near the identity.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from examples.papers.harness import Claim, Size, below
from geojax.symmetry import infer

H, K, V, D, N = 3, 2, 2, 5, 4


def attention(p, x):
    """Multi-head attention, [tokens, d] -> [tokens, d]."""
    q, k, v = (jnp.einsum("td,dhk->htk", x, p[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("htk,hsk->hts", q, k) / K**0.5, -1)
    return jnp.einsum("hts,hsk,hkd->td", weights, v, p["o"])


def block(p, x):
    """Attention and a perceptron with residual connections and layer norms without gains."""

    def norm(h):
        return (h - h.mean(-1, keepdims=True)) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5)

    h = norm(x + attention(p["attention"], x))
    return norm(h + jax.nn.relu(h @ p["a"] + p["b"]) @ p["c"])


def perceptron(activation):
    """A perceptron with one hidden layer."""
    return lambda p, x: activation(x @ p["a"] + p["b"]) @ p["c"]


def recurrent(p, x):
    """A recurrent network, whose weights an axis meets twice."""

    def step(h, row):
        return jax.nn.gelu(p["u"] @ h + p["w"] @ row), None

    return jax.lax.scan(step, jnp.zeros(N, x.dtype), x)[0] @ p["o"]


def draw(key, shapes):
    """Normal weights of the given shapes."""
    keys = jax.random.split(key, len(shapes))
    return {name: jax.random.normal(k, shape, jnp.float32) for k, (name, shape) in zip(keys, shapes.items())}


HEADS = {"q": (D, H, K), "k": (D, H, K), "v": (D, H, V), "o": (H, V, D)}
LAYERS = {"a": (D, N), "b": (N,), "c": (N, D)}


def factorial(n):
    """The decimal logarithm of n!."""
    return math.lgamma(n + 1) / math.log(10)


def found(spec, kind):
    """The logarithm of the order of all permutations or signs, or the dimension of all groups of a kind."""
    groups = [group for group in spec.groups.values() if group.kind == kind]
    if kind == "permutation":  # those inside a head are elements of its linear groups
        return sum(group.log10_order for group in groups if not group.parents)
    return float(sum(group.log10_order if kind == "sign" else group.dimension for group in groups))


def run(size: Size) -> list[Claim]:
    """Read the groups from the programs, and compare orders and dimensions with those derived by hand."""

    def compare(key):
        first, second, third, data = jax.random.split(key, 4)
        x = jax.random.normal(data, (6, D), jnp.float32)
        heads, layers = draw(first, HEADS), draw(second, LAYERS)

        def read(f, p):
            return infer(f, p, x)

        alone, whole = read(attention, heads), read(block, {"attention": heads, **layers})
        relu, tanh = (read(perceptron(f), layers) for f in (jax.nn.relu, jnp.tanh))
        again = read(recurrent, draw(third, {"u": (N, N), "w": (N, D), "o": (N, 2)}))
        by_hand = H * (K**2 + V**2)
        moved, unseen = alone.reach
        return [
            found(alone, "general_linear") - by_hand,
            found(alone, "permutation") - factorial(H),
            float(moved - by_hand),
            float(unseen - by_hand),
            found(whole, "general_linear") - by_hand,
            found(whole, "permutation") - factorial(H) - factorial(N),
            found(relu, "scaling") - N,
            found(tanh, "sign") - N * math.log10(2),
            found(again, "permutation") - factorial(N),
            float(sum(len(spec.verification.failed) for spec in (alone, whole, relu, tanh, again))),
        ]

    wrong = np.abs(
        np.array(size.seeds(lambda key: np.array(compare(key)), 3 if size.full else 1, batch=None))
    )
    names = [
        "dimension of GL(d_k)^h x GL(d_v)^h",
        "order of S_h",
        "dimension of the set that these groups reach",
        "directions without effect on the function, by the rank of its Jacobian",
        "the linear groups within a block",
        "orders of S_h x S_n within a block",
        "positive scalings of a relu layer",
        "signs of a tanh layer",
        "order of the permutations of a recurrent network",
        "groups that fail verification",
    ]
    return [Claim(f"{name}: error", "0", wrong[:, k], below(1e-6)) for k, name in enumerate(names)]
