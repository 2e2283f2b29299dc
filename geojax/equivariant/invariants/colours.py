"""Colours of the nodes of geometric graphs: the geometric Weisfeiler-Leman test, with numbers for colours."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Scalar


@rounded_once
def geometric_hash(
    x: Float[Array, "n d"],
    edges: Int[Array, "e 2"],
    features: Float[Array, "n c"] | None = None,
    *,
    num_steps: int,
    propagate: bool = True,
    chiral: bool = False,
    unit: Scalar = 1.0,
    num: int = 8,
) -> Float[Array, "t n num"]:
    """Colours of the nodes of a graph in space, equal for two nodes if a motion maps one neighbourhood on the other.

    The colour of a node after t steps is a number for the geometry within t edges of it, whichever way it is turned,
    shifted or reflected, and whatever the order of the nodes. Different geometries have different colours, almost
    surely in the fixed constants of the hash: it is the geometric Weisfeiler-Leman test (GWL). With `propagate=False`
    a node hears from its neighbours their last colours alone, and sees only the directions to them: the invariant test
    (IGWL), which bounds what networks of invariant messages can tell apart.

    Each d-tuple T of edge vectors within t edges of a node is a frame. In it every vector v has the coordinates
    <v, T_1>, ..., <v, T_d> and |v|^2; messages in these coordinates are hashed along the edges for t steps, and the
    colour is the mean of the results over all frames. A hash of a multiset is a sum of sines of random combinations.

    Args:
        x: Positions, [n, d].
        edges: Pairs (receiver, sender), [e, 2]; both orders of an undirected edge. Edges may be padded with (n, n).
        features: Numbers of each node that no motion changes, [n, c].
        num_steps: t.
        propagate: GWL; otherwise IGWL.
        chiral: Whether mirror images are different.
        unit: A typical length of an edge, the same for all graphs that are compared.
        num: How many numbers a colour has.

    Returns:
        Colours after 0, 1, ..., t steps, [t + 1, n, num], of size one: compare them within rounding. Their sum over
        the nodes is a colour of the graph.

    Raises:
        ValueError: If shapes do not agree or a count is too small.

    Differentiation: exact; colours are analytic in x.
    Complexity: O(t e^d (n + e) num): for small graphs.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import geometric_hash
        >>> x, edges = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]), jnp.array([[0, 1], [1, 0], [0, 2], [2, 0]])
        >>> turned = geometric_hash(x @ jnp.array([[0.0, 1.0], [-1.0, 0.0]]), edges, num_steps=2)
        >>> bool(jnp.allclose(turned, geometric_hash(x, edges, num_steps=2), atol=1e-4))
        True

    References: [Joshi2023].
    """
    where = "geometric_hash"
    arrays = {"x": x} if features is None else {"x": x, "features": features}
    x, *rest = checks.floats(where, **arrays)
    sizes = checks.shapes(where, x=(x, "n d"), **({"features": (rest[0], "n c")} if rest else {}))
    edges = _edges(edges)
    num_steps = checks.count(where, "num_steps", num_steps)
    num = checks.count(where, "num", num, minimum=1)
    n, d, dtype = sizes["n"], sizes["d"], x.dtype
    receivers, senders = edges[:, 0], edges[:, 1]
    weights = _constants(num, d, sizes.get("c", 0), dtype)

    nodes = jnp.pad(x / jnp.asarray(unit, dtype), ((0, 1), (0, 0)))  # the last is where padded edges lead
    vectors = nodes[senders] - nodes[receivers]
    products = vectors @ vectors.T
    start = jnp.sin(
        (rest[0] @ weights["features"] if rest else jnp.zeros((n, num), dtype)) + weights["start"]
    )
    frames = jnp.asarray(np.indices((len(edges),) * d).reshape(d, -1).T)

    def hear(states: Array, frame: Array) -> Array:
        """One step of messages to every node, with vectors as a frame sees them."""
        seen = jnp.concatenate([products[:, frame], jnp.diagonal(products)[:, None]], axis=1)
        padded = jnp.pad(states, ((0, 1), (0, 0)))
        messages = jnp.sin(
            padded[senders] @ weights["sender"] + seen @ weights["vector"] + weights["message"]
        )
        total = jax.ops.segment_sum(messages, receivers, n + 1)[:n]
        return jnp.sin(states @ weights["self"] + total @ weights["total"] + weights["next"])

    def read(states: Array, frame: Array) -> Array:
        """A hash of the states together with the shape of the frame."""
        shape = products[frame][:, frame].ravel() @ weights["shape"]
        if chiral:
            shape = shape + _determinant(vectors[frame]) * weights["hand"]
        return jnp.sin(states @ weights["read"] + shape)

    near = (receivers == jnp.arange(n)[:, None]).astype(dtype)  # whether a node has an edge in reach
    own = jnp.sin(start @ weights["read"] + weights["start"])
    colours, states, reach = [own], jnp.broadcast_to(start, (len(frames), n, num)), near
    for step in range(num_steps):
        if step and propagate:
            heard = jnp.pad(reach, ((0, 1), (0, 0)))[senders]
            reach = jnp.maximum(reach, jax.ops.segment_max(heard, receivers, n + 1)[:n])
        if step and not propagate:
            states = jnp.broadcast_to(colours[-1], states.shape)
        states = jax.vmap(hear)(states, frames)
        within = jnp.prod(reach[:, frames], axis=-1)
        total = jnp.einsum("nf,fnk->nk", within, jax.vmap(read)(states, frames))
        colours.append(own + total / jnp.maximum(jnp.sum(within, axis=1), 1)[:, None])
    return jnp.stack(colours)


def _edges(edges: Array) -> Array:
    edges = jnp.asarray(edges)
    checks.shapes("geometric_hash", edges=(edges, "e 2"))
    if not jnp.issubdtype(edges.dtype, jnp.integer):
        raise TypeError(
            f"geometric_hash: edges has dtype {edges.dtype}; expected integers, the numbers of nodes."
        )
    return edges


def _determinant(vectors: Float[Array, "d d"]) -> Float[Array, ""]:
    """By the expansion along the first row: its derivatives are finite where it is 0."""
    d = len(vectors)
    if d == 0:
        return jnp.ones((), vectors.dtype)
    minors = [_determinant(jnp.delete(vectors[1:], i, axis=1)) for i in range(d)]
    return jnp.sum(jnp.stack([(-1) ** i * vectors[0, i] * minors[i] for i in range(d)]))


def _constants(num: int, d: int, c: int, dtype: jnp.dtype) -> dict[str, Array]:
    """The constants of the hash: the same in every call, as colours of different graphs are compared."""
    draw = np.random.default_rng(0)
    shapes = {
        "start": (num,), "message": (num,), "next": (num,), "hand": (num,),
        "self": (num, num), "sender": (num, num), "total": (num, num), "read": (num, num),
        "vector": (d + 1, num), "shape": (d * d, num), "features": (c, num),
    }  # fmt: skip
    # Rows of about unit length: sines of larger numbers would enlarge rounding errors step by step.
    return {
        name: jnp.asarray(draw.normal(size=shape) / np.sqrt(shape[0] if len(shape) > 1 else 1), dtype)
        for name, shape in shapes.items()
    }
