"""Mixtures of experts and branches: hidden units inside each expert."""

import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import Example, draw, normal, permutation, scaling, shaped, sign

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
        "without ties the choice moves with the experts; an analysis that does not follow indices may hold "
        "them, and still has one hidden permutation for each",
        continuous=(scaling(10, EXPERTS),),
        optional=(permutation(EXPERTS),),
    ),
    Example(
        "plain branches",
        build_branches,
        (permutation(6), permutation(4), permutation(10)),
        "the trunk's axis is shared by both branches of the cond; each branch has a hidden axis of its own",
        continuous=(scaling(6), scaling(4), sign(10)),
    ),
)
