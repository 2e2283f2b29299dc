"""Mixtures of experts, codebooks and branches: what is chosen moves with the choice."""

import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    normal,
    orthogonal,
    permutation,
    scaling,
    shaped,
    sign,
)

EXPERTS = 3


def dense_experts(params, x):
    weight = jax.nn.softmax(x @ params["gate"])
    h = jax.nn.relu(jnp.einsum("bi,eih->beh", x, params["w1"]) + params["b1"])
    y = jnp.einsum("beh,eho->beo", h, params["w2"]) + params["b2"]
    return jnp.einsum("be,beo->bo", weight, y)


def top_experts(params, x):
    """The two best experts of each example, weighted by a softmax over their two scores."""
    score, index = jax.lax.top_k(x @ params["gate"], 2)
    chosen = jax.nn.one_hot(index, EXPERTS, dtype=x.dtype)
    weight = jnp.einsum("bk,bke->be", jax.nn.softmax(score), chosen)
    h = jax.nn.relu(jnp.einsum("bi,eih->beh", x, params["w1"]) + params["b1"])
    y = jnp.einsum("beh,eho->beo", h, params["w2"]) + params["b2"]
    return jnp.einsum("be,beo->bo", weight, y)


def expert_shapes():
    return {
        "gate": shaped(4, EXPERTS),
        "w1": shaped(EXPERTS, 4, 10),
        "b1": shaped(EXPERTS, 10),
        "w2": shaped(EXPERTS, 10, 2),
        "b2": shaped(EXPERTS, 2),
    }


def build_dense(key):
    return dense_experts, draw(key, expert_shapes()), (normal(key, 5, 4),)


def build_top(key):
    return top_experts, draw(key, expert_shapes()), (normal(key, 5, 4),)


def branches(params, x):
    """A trunk whose output takes one of two branches, by the sign of a feature of the input."""
    h = jax.nn.relu(params["trunk"] @ x + params["bias"])
    narrow = lambda h: params["narrow2"] @ jax.nn.relu(params["narrow1"] @ h)
    wide = lambda h: params["wide2"] @ jnp.tanh(params["wide1"] @ h + params["wide_bias"])
    return jax.lax.cond(x[0] > 0, narrow, wide, h)


def both_branches(params, x, y):
    return branches(params, x), branches(params, y)


def expert_of_capacity(params, x, capacity=2):
    """Each example goes to its best expert, which takes the first ``capacity`` of those that come."""
    gate = jax.nn.softmax(x @ params["gate"])
    sent = jax.nn.one_hot(jnp.argmax(gate, -1), EXPERTS, dtype=x.dtype)
    place = (jnp.cumsum(sent, 0) - 1) * sent
    kept = sent * (place < capacity)
    slot = jax.nn.one_hot(jnp.sum(place, -1).astype(int), capacity, dtype=x.dtype)
    routes = jnp.einsum("be,bc->bec", kept, slot)
    h = jnp.einsum("bec,bi,eih->ech", routes, x, params["w1"])
    y = jnp.einsum("ech,eho->eco", jax.nn.relu(h + params["b1"][:, None]), params["w2"])
    return jnp.einsum("bec,eco,be->bo", routes, y, gate)


def build_capacity(key):
    shapes = {name: shape for name, shape in expert_shapes().items() if name != "b2"}
    return expert_of_capacity, draw(key, shapes), (normal(key, 5, 4),)


def gathered_experts(params, h):
    """Two layers of a residual stream; the weights of the two best experts are read by their numbers."""
    for layer in ("first", "second"):
        p = params[layer]
        x = h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-6) * p["scale"]
        score, index = jax.lax.top_k(jax.nn.softmax(x @ p["gate"]), 2)
        up = jax.nn.silu(jnp.einsum("bd,bkdf->bkf", x, p["w1"][index]))
        h = h + jnp.einsum("bk,bkf,bkfd->bd", score, up, p["w2"][index])
    return h


def build_gathered(key):
    layer = {"scale": shaped(4), "gate": shaped(4, EXPERTS), "w1": shaped(EXPERTS, 4, 10)}
    layer["w2"] = shaped(EXPERTS, 10, 4)
    return gathered_experts, draw(key, {"first": layer, "second": layer}), (normal(key, 5, 4),)


def experts_in_turn(params, x):
    """Experts with gates of their own, one after another: a loop adds up what they say."""

    def one(total, p):
        h = jax.nn.relu(x @ p["w1"] + p["b1"])
        return total + jax.nn.sigmoid(x @ p["gate"])[:, None] * (h @ p["w2"] + p["b2"]), None

    return jax.lax.scan(one, jnp.zeros((len(x), 2)), params)[0]


def build_in_turn(key):
    shapes = {**expert_shapes(), "gate": shaped(EXPERTS, 4)}
    return experts_in_turn, draw(key, shapes), (normal(key, 5, 4),)


def quantised(params, x):
    """The nearest code of each of two books takes the place of what is left of a linear code."""
    z = x @ params["encode"]
    total = 0.0
    for book in params["books"]:
        nearest = jnp.argmin(jnp.sum(z * z, 1)[:, None] - 2 * z @ book.T + jnp.sum(book * book, 1), 1)
        code = jnp.take(book, nearest, axis=0)
        total, z = total + code, z - code
    return total @ params["decode"]


def build_quantised(key):
    shapes = {"encode": shaped(4, 6), "books": (shaped(10, 6), shaped(10, 6)), "decode": shaped(6, 2)}
    return quantised, draw(key, shapes), (normal(key, 5, 4),)


def build_branches(key):
    shapes = {
        "trunk": shaped(6, 3),
        "bias": shaped(6),
        "narrow1": shaped(4, 6),
        "narrow2": shaped(2, 4),
        "wide1": shaped(10, 6),
        "wide_bias": shaped(10),
        "wide2": shaped(2, 10),
    }
    x = normal(key, 3).at[0].set(0.7)
    return both_branches, draw(key, shapes), (x, x.at[0].set(-0.7))


EXAMPLES = (
    Example(
        "plain mixture of experts",
        build_dense,
        (permutation(EXPERTS), permutation(10, EXPERTS)),
        "experts permute with their gates, and each has its own hidden permutation (S_h wr S_E)",
        continuous=(scaling(10, EXPERTS),),
    ),
    Example(
        "plain top-2 mixture of experts",
        build_top,
        (permutation(EXPERTS), permutation(10, EXPERTS)),
        "without ties the choice moves with the experts, and each has its own hidden permutation",
        continuous=(scaling(10, EXPERTS),),
    ),
    Example(
        "plain experts of a capacity",
        build_capacity,
        (permutation(EXPERTS), permutation(10, EXPERTS)),
        "places in the queue of an expert depend on the order of the examples, not on that of the experts",
        continuous=(scaling(10, EXPERTS),),
    ),
    Example(
        "plain experts read by number",
        build_gathered,
        (permutation(EXPERTS), permutation(10), permutation(EXPERTS), permutation(10)),
        "the numbers move with the experts; that each has hidden units of its own is not followed through a read",
    ),
    Example(
        "plain experts in turn",
        build_in_turn,
        (permutation(EXPERTS), permutation(10, EXPERTS)),
        "a sum does not depend on the order of its terms, and each expert has its own hidden permutation",
        continuous=(scaling(10, EXPERTS),),
    ),
    Example(
        "plain codebooks",
        build_quantised,
        (permutation(6), permutation(10), permutation(10)),
        "no two codes are equally near, so that the codes of a book may be in any order",
        continuous=(orthogonal(6),),
    ),
    Example(
        "plain branches",
        build_branches,
        (permutation(6), permutation(4), permutation(10)),
        "the trunk's axis is shared by both branches of the cond; each branch has a hidden axis of its own",
        continuous=(scaling(6), scaling(4), sign(10)),
    ),
)
